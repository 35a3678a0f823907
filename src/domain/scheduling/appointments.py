"""Booking, changing and rescheduling appointments. Who reads them: `agenda.py`; how they go on: `visits.py`."""

from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import UNSET, structs
from sqlalchemy import ARRAY, Uuid, func, literal, select

from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.clock import Clock, utc_now
from domain.scheduling.agenda import AgendaService
from domain.scheduling.appointment_schemas import (
    AppointmentChanges,
    AppointmentIn,
    AppointmentOut,
    RescheduleIn,
)
from domain.scheduling.booking_rules import (
    require_not_past,
    require_overbooking,
    require_portal_time,
    source_of,
)
from domain.scheduling.calendar import Period
from domain.scheduling.changing import add_event, row_to_change
from domain.scheduling.conflicts import Slot, hold_slot
from domain.scheduling.errors import FinalAppointmentError, OutsideAvailabilityError
from domain.scheduling.models import Appointment
from domain.scheduling.moments import APPOINTMENT_MAX, read_period, zone_named
from domain.scheduling.opening import Place, read_opening
from domain.scheduling.references import (
    References,
    hold_patient_of,
    require_references,
    require_room_and_service,
)
from domain.scheduling.slots import is_open
from domain.scheduling.transitions import AppointmentStatus, is_final, require_transition
from domain.scheduling.visits import ENTITY
from domain.service import ClinicService
from domain.tables import new_id
from tenancy.session import TenantSession

RESCHEDULED: Final = "rescheduled"


class AppointmentService(ClinicService):
    """Writes appointments; the database has the last word on whether a slot is free."""

    def __init__(
        self, session: TenantSession, actor: Actor, clinic: ClinicProfile, clock: Clock = utc_now
    ) -> None:
        super().__init__(session, actor, clock)
        self.clinic = clinic
        self._agenda = AgendaService(session, actor, clinic, clock)

    async def book(self, new: AppointmentIn, *, may_be_past: bool = False) -> AppointmentOut:
        """Add a pending appointment, which holds its slot at once.

        Staff may book outside the practitioner's hours and are told so; portal users book their own, within
        the hours and the clinic's rules for them. Raises `AppointmentConflictError`, `InvalidTimeError`,
        `BrokenReferenceError`, `BranchForbiddenError`, `ForbiddenError`.
        """
        references = References(
            patient_id=new.patient_id,
            practitioner_id=new.practitioner_id,
            branch_id=new.branch_id,
            room_id=new.room_id,
            service_id=new.service_id,
        )
        zone = await require_references(self.session, self.actor, references, self.clinic.zone)
        period = read_period(new.starts_at, new.ends_at, zone, length_max=APPOINTMENT_MAX)
        if not may_be_past or self.actor.is_patient_only:
            await self._require_time(period)
        if new.is_overbooked:
            require_overbooking(self.actor, new.overbook_reason)
        row = self._row(references, period, new)
        row.reason_type = new.reason_type.value
        row.reason_text = new.reason_text
        return await self._add(row, zone)

    async def change(
        self, appointment_id: UUID, changes: AppointmentChanges, *, version: int
    ) -> AppointmentOut:
        """Change room, service or reason if the appointment is not final and still has `version`.

        Raises `FinalAppointmentError`, `AppointmentConflictError` where the new room is taken, and what
        `row_to_change` raises.
        """
        row = await row_to_change(self.session, self.actor, appointment_id, version=version)
        if is_final(AppointmentStatus(row.status)):
            raise FinalAppointmentError
        values = {k: v for k, v in structs.asdict(changes).items() if v is not UNSET}
        await require_room_and_service(
            self.session,
            branch_id=row.branch_id,
            room_id=values.get("room_id"),
            service_id=values.get("service_id"),
        )
        branch_id = row.branch_id
        await self._write_changes(row, values)
        await self.audit("update", ENTITY, appointment_id, branch_id=branch_id)
        return await self._agenda.get_appointment(appointment_id)

    async def reschedule(
        self, appointment_id: UUID, new: RescheduleIn, *, version: int
    ) -> AppointmentOut:
        """Cancel the appointment and book another in its place, both or neither; return the new one.

        Raises what `book` and `row_to_change` raise, and `InvalidTransitionError` once the patient is there.
        """
        await hold_patient_of(self.session, appointment_id)
        old = await row_to_change(self.session, self.actor, appointment_id, version=version)
        before = AppointmentStatus(old.status)
        cancelled = AppointmentStatus.CANCELLED
        require_transition(before, cancelled, starts_at=old.starts_at, now=self.now())
        references = References(
            patient_id=old.patient_id,
            practitioner_id=(
                old.practitioner_id if new.practitioner_id is UNSET else new.practitioner_id
            ),
            branch_id=old.branch_id,
            room_id=old.room_id if new.room_id is UNSET else new.room_id,
        )
        zone = await require_references(self.session, self.actor, references, self.clinic.zone)
        period = read_period(new.starts_at, new.ends_at, zone, length_max=APPOINTMENT_MAX)
        await self._require_time(period)
        if new.is_overbooked:
            require_overbooking(self.actor, new.overbook_reason)
        row = self._row(references, period, new)
        row.rescheduled_from_id = appointment_id
        row.service_id = old.service_id
        row.reason_type, row.reason_text = old.reason_type, old.reason_text
        booked = await self._add(row, zone, note=new.note, replaced=old)
        await add_event(
            self.session,
            self.actor,
            appointment_id,
            before=before,
            after=cancelled,
            note=new.note or RESCHEDULED,
        )
        await self.audit(
            "reschedule",
            ENTITY,
            appointment_id,
            branch_id=booked.branch_id,
            rescheduled_to_id=str(booked.id),
        )
        return booked

    async def _require_time(self, period: Period) -> None:
        if self.actor.is_patient_only:
            await require_portal_time(self.session, period, self.now())
        else:
            require_not_past(period, self.now())

    def _row(
        self, references: References, period: Period, new: AppointmentIn | RescheduleIn
    ) -> Appointment:
        return Appointment(
            id=new_id(),
            **structs.asdict(references),
            starts_at=period.starts_at,
            ends_at=period.ends_at,
            status=AppointmentStatus.PENDING.value,
            is_overbooked=new.is_overbooked,
            overbook_reason=new.overbook_reason if new.is_overbooked else None,
            source=source_of(self.actor).value,
            created_by=self.actor.user_id,
        )

    async def _add(
        self,
        row: Appointment,
        zone: ZoneInfo,
        *,
        note: str | None = None,
        replaced: Appointment | None = None,
    ) -> AppointmentOut:
        """Add the row, in place of `replaced` if there is one, with its event; return it as it is shown."""
        row_id, branch_id = row.id, row.branch_id
        period = Period(row.starts_at, row.ends_at)
        place = Place(row.practitioner_id, branch_id, zone)
        outside = not is_open(await read_opening(self.session, place, period), period)
        if outside and self.actor.is_patient_only:
            raise OutsideAvailabilityError
        replaced_id = None if replaced is None else replaced.id

        async def write() -> None:
            if replaced_id is not None:
                await self._give_up(replaced_id, row, note)
            self.session.add(row)
            await self.session.flush()

        slot = _slot(row, zone, ignored_id=replaced_id)
        await hold_slot(self.session, self.actor, slot, write)
        await add_event(
            self.session,
            self.actor,
            row_id,
            before=None,
            after=AppointmentStatus.PENDING,
            note=note,
        )
        await self.audit("create", ENTITY, row_id, branch_id=branch_id)
        booked = await self._agenda.get_appointment(row_id)
        return structs.replace(booked, outside_availability=outside)

    async def _give_up(self, replaced_id: UUID, row: Appointment, note: str | None) -> None:
        """Cancel the appointment that `row` replaces, holding the resources of both from here on."""
        old = await self.session.get_one(Appointment, replaced_id)
        taken = {*_resources(old), *_resources(row)}
        await self.session.execute(
            select(func.lock_appointment_resources(literal(sorted(taken), ARRAY(Uuid))))
        )
        old.status = AppointmentStatus.CANCELLED.value
        old.cancelled_at = self.now()
        old.cancel_reason = note or RESCHEDULED
        old.updated_by = self.actor.user_id
        await self.session.flush()

    async def _write_changes(self, row: Appointment, values: dict[str, Any]) -> None:
        appointment_id = row.id

        async def write() -> None:
            changed = await self.session.get_one(Appointment, appointment_id)
            for name, value in values.items():
                setattr(changed, name, value)
            changed.updated_by = self.actor.user_id
            await self.session.flush()

        if values.get("room_id") in {None, row.room_id}:
            await write()
            return
        zone = zone_named(await self._agenda.branch_zone(row.branch_id), self.clinic.zone)
        slot = _slot(row, zone, ignored_id=appointment_id)
        taking_room = structs.replace(slot, room_id=values["room_id"])
        await hold_slot(self.session, self.actor, taking_room, write)


def _resources(row: Appointment) -> set[UUID]:
    return {row.practitioner_id, row.patient_id, *([row.room_id] if row.room_id else [])}


def _slot(row: Appointment, zone: ZoneInfo, *, ignored_id: UUID | None) -> Slot:
    return Slot(
        practitioner_id=row.practitioner_id,
        patient_id=row.patient_id,
        room_id=row.room_id,
        period=Period(row.starts_at, row.ends_at),
        zone=zone,
        ignored_id=ignored_id,
    )
