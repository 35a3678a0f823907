"""When a practitioner attends at a branch: rules and exceptions read from the tables, free slots computed."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct
from sqlalchemy import or_, select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError
from domain.operations.settings import read_settings
from domain.operations.settings_schemas import SchedulingSettings
from domain.organisation.branch_scope import in_offered_branches
from domain.organisation.models import Branch, Practitioner
from domain.organisation.workplaces import is_offered
from domain.scheduling.availability_schemas import FreeSlots, SlotOut
from domain.scheduling.calendar import Period, days_of, whole_days
from domain.scheduling.models import (
    Appointment,
    AvailabilityException,
    AvailabilityRule,
    Service,
)
from domain.scheduling.moments import APPOINTMENT_MAX, read_bound, require_period, zone_named
from domain.scheduling.slots import (
    RANGE_DAYS_MAX,
    ExceptionKind,
    SlotQuestion,
    WeeklyRule,
    free_slots,
    opening_periods,
)
from domain.scheduling.transitions import OCCUPYING
from domain.service import ClinicService
from tenancy.session import TenantSession

SCHEDULING: Final = "scheduling"
RANGE_MAX: Final = timedelta(days=RANGE_DAYS_MAX, hours=1)
"""The longest range, with the hour that a month gains where clocks are put back."""


class Place(Struct, frozen=True):
    """A practitioner at a branch, and the wall clock there."""

    practitioner_id: UUID
    branch_id: UUID
    zone: ZoneInfo


class SlotSearch(Struct, frozen=True, kw_only=True):
    """What a caller asks: dates or times from which (included) to which (excluded) slots may start."""

    practitioner_id: UUID
    branch_id: UUID
    since: str
    until: str
    service_id: UUID | None = None
    step_min: int | None = None


async def read_opening(session: TenantSession, place: Place, within: Period) -> list[Period]:
    """Return when the practitioner attends there, around `within`.

    A branch's open exception opens it for those who attend there by rule at that time of year.
    """
    around = whole_days(within, place.zone)
    rules = await _rules(session, place, within)
    exceptions = await _exceptions(session, place, around, by_rule=bool(rules))
    return opening_periods(
        within,
        place.zone,
        rules,
        opened=[period for kind, period in exceptions if kind == ExceptionKind.OPEN],
        closed=[period for kind, period in exceptions if kind == ExceptionKind.CLOSED],
    )


async def _rules(session: TenantSession, place: Place, within: Period) -> list[WeeklyRule]:
    days = list(days_of(within, place.zone))
    rule = AvailabilityRule
    found = await session.execute(
        select(
            rule.weekday, rule.start_local, rule.end_local, rule.valid_from, rule.valid_to
        ).where(
            rule.practitioner_id == place.practitioner_id,
            rule.branch_id == place.branch_id,
            rule.archived_at.is_(None),
            rule.valid_from <= days[-1],
            or_(rule.valid_to.is_(None), rule.valid_to >= days[0]),
        )
    )
    return [WeeklyRule(*row) for row in found]


async def _exceptions(
    session: TenantSession, place: Place, around: Period, *, by_rule: bool
) -> list[tuple[str, Period]]:
    exception = AvailabilityException
    found = await session.execute(
        select(exception.kind, exception.starts_at, exception.ends_at, exception.branch_id).where(
            or_(
                exception.practitioner_id == place.practitioner_id,
                exception.branch_id == place.branch_id,
            ),
            exception.archived_at.is_(None),
            exception.starts_at < around.ends_at,
            exception.ends_at > around.starts_at,
        )
    )
    return [
        (row.kind, Period(row.starts_at, row.ends_at))
        for row in found
        if by_rule or row.branch_id is None or row.kind == ExceptionKind.CLOSED
    ]


class FreeSlotService(ClinicService):
    """Answers which slots are free; promises nothing: the booking itself decides."""

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic

    async def find(self, search: SlotSearch) -> FreeSlots:
        """Return the free slots; none begins in the past, for portal users none before the notice they give.

        Raises `NotFoundError` for a practitioner, branch or service that is not there or not in use, and
        `InvalidTimeError` for a range that is empty or longer than `RANGE_DAYS_MAX` days.
        """
        place = await self._place(search)
        within = Period(
            read_bound("from", search.since, place.zone),
            read_bound("to", search.until, place.zone),
        )
        require_period(within, field="to", length_max=RANGE_MAX)
        settings = await read_settings(self.session, SCHEDULING, SchedulingSettings)
        duration_min = await self._duration_min(search.service_id, settings)
        question = SlotQuestion(
            within=within,
            length=timedelta(minutes=duration_min),
            step=timedelta(minutes=search.step_min or duration_min),
            not_before=self._not_before(settings),
        )
        opening = await read_opening(self.session, place, within)
        slots = free_slots(opening, await self._busy(place, within), question)
        return FreeSlots(
            practitioner_id=place.practitioner_id,
            branch_id=place.branch_id,
            timezone=place.zone.key,
            duration_min=duration_min,
            items=[_shown(slot, place.zone) for slot in slots],
        )

    async def _place(self, search: SlotSearch) -> Place:
        at_work = select(Practitioner.id).where(
            Practitioner.id == search.practitioner_id,
            Practitioner.is_active,
            is_offered(self.actor),
        )
        zone_name = await self.session.scalar(
            select(Branch.timezone).where(
                Branch.id == search.branch_id,
                Branch.is_active,
                at_work.exists(),
                in_offered_branches(Branch.id, self.actor),
            )
        )
        if zone_name is None:
            raise NotFoundError
        zone = zone_named(zone_name, self.clinic.zone)
        return Place(search.practitioner_id, search.branch_id, zone)

    async def _duration_min(self, service_id: UUID | None, settings: SchedulingSettings) -> int:
        if service_id is None:
            return settings.default_duration_min
        duration_min = await self.session.scalar(
            select(Service.duration_min).where(Service.id == service_id, Service.is_active)
        )
        if duration_min is None:
            raise NotFoundError
        return duration_min

    def _not_before(self, settings: SchedulingSettings) -> datetime:
        notice_min = settings.portal_notice_min if self.actor.is_patient_only else 0
        return self.now() + timedelta(minutes=notice_min)

    async def _busy(self, place: Place, within: Period) -> list[Period]:
        """Return when the practitioner is taken, at whatever branch."""
        around = whole_days(within, place.zone)
        found = await self.session.execute(
            select(Appointment.starts_at, Appointment.ends_at).where(
                Appointment.practitioner_id == place.practitioner_id,
                Appointment.status.in_(OCCUPYING),
                Appointment.starts_at < around.ends_at,
                Appointment.ends_at > around.starts_at,
                Appointment.starts_at > around.starts_at - APPOINTMENT_MAX,
            )
        )
        return [Period(row.starts_at, row.ends_at) for row in found]


def _shown(slot: Period, zone: ZoneInfo) -> SlotOut:
    return SlotOut(starts_at=slot.starts_at.astimezone(zone), ends_at=slot.ends_at.astimezone(zone))
