"""A month of appointments of a demo clinic round today: inside opening hours, nobody and no room booked twice."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from app.demo.history import Change, changes_up_to, status_by_now
from app.demo.opening_hours import openings
from app.demo.people import DemoPerson
from app.demo.specification import BranchSpec, ClinicSpec, ServiceSpec
from domain.scheduling.calendar import Period
from domain.scheduling.transitions import AppointmentStatus

PORTAL_PATIENT: Final = 0
"""The patient with a login comes to the main branch once a week."""

APPOINTMENTS_MAX_A_PATIENT: Final = 5
DAYS_A_WEEK: Final = 7
GAP: Final = timedelta(minutes=30)
FILLED_PERCENT: Final = 62
OVERBOOKED: Final = 5
CHILDRENS_SPECIALTY: Final = "OPD"
OVERBOOK_REASONS: Final = (
    "Dolor agudo, no puede esperar",
    "Viene de otra ciudad, solo puede hoy",
    "Derivado con urgencia",
)
CANCEL_REASONS: Final = (
    "El paciente avisó que no puede asistir",
    "Motivos de trabajo",
    "Reprogramará más adelante",
)


class Slot(Struct, frozen=True, kw_only=True):
    """Who meets whom, where, when and for what; `patient` and `staff` are indexes."""

    patient: int
    staff: int
    branch: BranchSpec
    room: str | None
    service: ServiceSpec
    period: Period


class Booking(Slot, frozen=True, kw_only=True):
    """One appointment; the last of `changes` is how it stands."""

    changes: tuple[Change, ...]
    source: str
    overbook_reason: str | None = None
    cancel_reason: str | None = None

    @property
    def status(self) -> AppointmentStatus:
        """How the appointment stands now."""
        return self.changes[-1].status

    def reached_at(self, status: AppointmentStatus) -> datetime | None:
        """Return when the appointment got this status, None when it never did."""
        return next((change.at for change in self.changes if change.status is status), None)


def plan_agenda(
    spec: ClinicSpec, people: Sequence[DemoPerson], now: datetime
) -> tuple[Booking, ...]:
    """Return the appointments of the days round `now` by time; the same moment gives the same agenda."""
    return _Planner(spec, people, now).plan()


class _Planner:
    """Fills the opening hours of one practitioner after another."""

    def __init__(self, spec: ClinicSpec, people: Sequence[DemoPerson], now: datetime) -> None:
        self._spec = spec
        self._now = now
        self._chance = Random(f"{spec.slug} agenda")  # noqa: S311  # to be repeated, not to be secret
        self._people = people
        self._bookings: list[Booking] = []
        self._rooms_taken: dict[tuple[str, str], list[Period]] = defaultdict(list)
        self._days_taken: set[tuple[int, date]] = set()
        self._visits: Counter[int] = Counter()
        self._portal_weeks: set[int] = set()

    def plan(self) -> tuple[Booking, ...]:
        for index, staff in enumerate(self._spec.staff):
            services = [s for s in self._spec.services if s.specialty == staff.specialty]
            for branch in self._spec.branches:
                for opening in openings(self._spec, index, branch, self._now):
                    self._fill(opening, index, branch, services)
        self._overbook()
        return tuple(sorted(self._bookings, key=lambda booking: booking.period))

    def _fill(
        self, opening: Period, staff: int, branch: BranchSpec, services: Sequence[ServiceSpec]
    ) -> None:
        """Book some of one opening, one appointment after another."""
        start = opening.starts_at
        while start < opening.ends_at:
            service = self._chance.choice(services)
            period = Period(start, start + timedelta(minutes=service.duration_min))
            room = self._free_room(branch, service, period)
            is_wanted = self._chance.randrange(100) < FILLED_PERCENT
            if not is_wanted or room is None or period.ends_at > opening.ends_at:
                start += GAP
                continue
            patient = self._patient(branch, service, period)
            if patient is not None:
                self._rooms_taken[branch.code, room].append(period)
                self._book(
                    Slot(
                        patient=patient,
                        staff=staff,
                        branch=branch,
                        room=room,
                        service=service,
                        period=period,
                    )
                )
            start = period.ends_at

    def _book(self, slot: Slot, overbook_reason: str | None = None) -> None:
        """Add the appointment with a plausible past."""
        status = status_by_now(self._chance, slot.period, self._now)
        is_cancelled = status is AppointmentStatus.CANCELLED
        self._bookings.append(
            Booking(
                **structs.asdict(slot),
                changes=changes_up_to(self._chance, status, slot.period, self._now),
                source="portal" if slot.patient == PORTAL_PATIENT else "staff",
                overbook_reason=overbook_reason,
                cancel_reason=self._chance.choice(CANCEL_REASONS) if is_cancelled else None,
            )
        )

    def _free_room(self, branch: BranchSpec, service: ServiceSpec, period: Period) -> str | None:
        """Return a chair for teeth or a room for the rest, free during the period."""
        kind = "chair" if service.kind == "dental" else "room"
        for room in branch.rooms:
            taken = self._rooms_taken[branch.code, room.name]
            if room.kind == kind and not any(period.overlaps(other) for other in taken):
                return room.name
        return None

    def _patient(self, branch: BranchSpec, service: ServiceSpec, period: Period) -> int | None:
        """Return a patient of the branch who is free that day, None when there is none; note the visit."""
        week = (period.starts_at - self._now).days // DAYS_A_WEEK
        is_portals_turn = (
            branch is self._spec.branches[0]
            and week not in self._portal_weeks
            and (PORTAL_PATIENT, _local_day(branch, period)) not in self._days_taken
        )
        if is_portals_turn:
            self._portal_weeks.add(week)
            return self._noted(PORTAL_PATIENT, branch, period)
        return self._any_patient(branch, service, period)

    def _any_patient(self, branch: BranchSpec, service: ServiceSpec, period: Period) -> int | None:
        is_for_children = service.specialty == CHILDRENS_SPECIALTY
        free = [
            index
            for index, person in enumerate(self._people)
            if index != PORTAL_PATIENT
            and person.branch is branch
            and (person.guardian is not None or not is_for_children)
            and self._visits[index] < APPOINTMENTS_MAX_A_PATIENT
            and (index, _local_day(branch, period)) not in self._days_taken
        ]
        return self._noted(self._chance.choice(free), branch, period) if free else None

    def _noted(self, patient: int, branch: BranchSpec, period: Period) -> int:
        self._days_taken.add((patient, _local_day(branch, period)))
        self._visits[patient] += 1
        return patient

    def _overbook(self) -> None:
        """Squeeze a few patients in beside an appointment of the same practitioner."""
        likely = [
            booking
            for booking in self._bookings
            if booking.status is not AppointmentStatus.CANCELLED
            and booking.patient != PORTAL_PATIENT
        ]
        for beside in self._chance.sample(likely, OVERBOOKED):
            patient = self._any_patient(beside.branch, beside.service, beside.period)
            if patient is None:
                continue
            slot = Slot(
                patient=patient,
                staff=beside.staff,
                branch=beside.branch,
                room=None,
                service=beside.service,
                period=beside.period,
            )
            self._book(slot, overbook_reason=self._chance.choice(OVERBOOK_REASONS))


def _local_day(branch: BranchSpec, period: Period) -> date:
    return period.starts_at.astimezone(ZoneInfo(branch.timezone)).date()
