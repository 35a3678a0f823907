"""The statements behind lists of appointments and what becomes of their rows. Hot paths: columns into Structs."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, Row, Select, bindparam, func, select, true
from sqlalchemy.orm import aliased

from domain.actor import Actor
from domain.organisation.branch_scope import (
    Reach,
    UserId,
    branches_within,
    patients_within,
    reach_of,
)
from domain.organisation.models import Branch, Patient, Person, Practitioner
from domain.prepared_lists import FORMS_MAX, PreparedList
from domain.scheduling.appointment_schemas import AgendaEntry, AppointmentOut
from domain.scheduling.calendar import DAY
from domain.scheduling.models import Appointment
from domain.scheduling.moments import zone_named

OFFSET_MAX: Final = timedelta(hours=14)
"""No zone is further from UTC."""

ACTOR: Final = "actor_id"
STATUSES: Final = "statuses"
SINCE: Final = "since"
UNTIL: Final = "until"
"""Names of parameters; a filter by a column has the column's name."""

COMPUTED: Final = frozenset({"outside_availability"})
SHOWN: Final = tuple(n for n in AppointmentOut.__struct_fields__ if n not in COMPUTED)
NAMES: Final = frozenset({"patient_name", "practitioner_name"})
LISTED: Final = tuple(n for n in AgendaEntry.__struct_fields__ if n not in NAMES)
STARTS_AT: Final = SHOWN.index("starts_at")
ENDS_AT: Final = SHOWN.index("ends_at")
AGENDA_STARTS_AT: Final = LISTED.index("starts_at")
AGENDA_ENDS_AT: Final = LISTED.index("ends_at")
PRACTITIONER_NAME: Final = AgendaEntry.__struct_fields__.index("practitioner_name")
PATIENT_NAME: Final = AgendaEntry.__struct_fields__.index("patient_name")
"""Positions, of which the practitioner's name comes first."""
NAME_PARTS: Final = 3

_ORDER: Final = (Appointment.starts_at.expression, Appointment.id.expression)
_PATIENT_PERSON = aliased(Person, name="patient_person")
_PRACTITIONER_PERSON = aliased(Person, name="practitioner_person")


def within_reach(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on the appointments that the actor sees: own ones, or those of the actor's branches."""
    return _within(reach_of(actor), actor.user_id)


def _within(reach: Reach, user_id: UserId) -> ColumnElement[bool]:
    own = patients_within(reach, user_id)
    if own is not None:
        return Appointment.patient_id.in_(own)
    visible = branches_within(reach, user_id)
    return true() if visible is None else Appointment.branch_id.in_(visible)


def shown_appointments() -> Select[Any]:
    """Return the select of what an appointment shows, and of its branch's zone."""
    columns: tuple[Any, ...] = tuple(getattr(Appointment, name) for name in SHOWN)
    return select(*columns, Branch.timezone).join(Appointment.branch)


@lru_cache(FORMS_MAX)
def appointment_list(reach: Reach, filters: frozenset[str], *, descending: bool) -> PreparedList:
    """Return the list of what matches the filters that have these names."""
    conditions: dict[str, Callable[[], ColumnElement[bool]]] = {
        STATUSES: lambda: Appointment.status.in_(bindparam(STATUSES, expanding=True)),
        SINCE: lambda: Appointment.starts_at >= bindparam(SINCE),
        UNTIL: lambda: Appointment.starts_at < bindparam(UNTIL),
    }
    statement = shown_appointments().where(
        _within(reach, bindparam(ACTOR)),
        *(conditions[name]() if name in conditions else _equal(name) for name in sorted(filters)),
    )
    return PreparedList(statement, order=_ORDER, descending=descending)


@lru_cache(FORMS_MAX)
def agenda_list(reach: Reach, filters: frozenset[str]) -> PreparedList:
    """Return the list of everything that begins on one day on the wall clock of its branch."""
    statement = (
        select(
            *(getattr(Appointment, name) for name in LISTED),
            Branch.timezone,
            *_name_parts(_PATIENT_PERSON),
            *_name_parts(_PRACTITIONER_PERSON),
        )
        .join(Appointment.branch)
        .join(Appointment.patient)
        .join(Patient.person.of_type(_PATIENT_PERSON))
        .join(Appointment.practitioner)
        .join(Practitioner.person.of_type(_PRACTITIONER_PERSON))
        .where(
            _within(reach, bindparam(ACTOR)),
            Appointment.starts_at >= bindparam(SINCE),
            Appointment.starts_at < bindparam(UNTIL),
            func.date(func.timezone(Branch.timezone, Appointment.starts_at))
            == bindparam("day", type_=Date),
            *(_equal(name) for name in sorted(filters)),
        )
    )
    return PreparedList(statement, order=_ORDER)


def values_of_day(day: date) -> dict[str, Any]:
    """Return the day as `agenda_list` has it bound.

    The bounds in UTC are wider than any zone's day, so that the index is read over two days at most.
    """
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    return {"day": day, SINCE: midnight - OFFSET_MAX, UNTIL: midnight + DAY + OFFSET_MAX}


def appointments_in(otherwise: ZoneInfo) -> Callable[[Row[Any]], AppointmentOut]:
    """Return what makes an appointment of a row of `shown_appointments`; times without a zone are in `otherwise`."""

    def appointment(row: Row[Any]) -> AppointmentOut:
        values: list[Any] = list(row[: len(SHOWN)])
        zone = zone_named(row[len(SHOWN)], otherwise)
        values[STARTS_AT] = values[STARTS_AT].astimezone(zone)
        values[ENDS_AT] = values[ENDS_AT].astimezone(zone)
        return AppointmentOut(*values)

    return appointment


def entries_in(otherwise: ZoneInfo) -> Callable[[Row[Any]], AgendaEntry]:
    """Return what makes a line of the agenda of a row of `agenda_list`; otherwise as `appointments_in`."""

    def entry(row: Row[Any]) -> AgendaEntry:
        values: list[Any] = list(row[: len(LISTED)])
        names = row[len(LISTED) + 1 :]
        zone = zone_named(row[len(LISTED)], otherwise)
        values[AGENDA_STARTS_AT] = values[AGENDA_STARTS_AT].astimezone(zone)
        values[AGENDA_ENDS_AT] = values[AGENDA_ENDS_AT].astimezone(zone)
        values.insert(PRACTITIONER_NAME, _full_name(names[NAME_PARTS:]))
        values.insert(PATIENT_NAME, _full_name(names[:NAME_PARTS]))
        return AgendaEntry(*values)

    return entry


def _equal(name: str) -> ColumnElement[bool]:
    column: ColumnElement[Any] = getattr(Appointment, name)
    return column == bindparam(name)


def _name_parts(person: Any) -> tuple[Any, ...]:
    return (person.given_names, person.family_name, person.second_family_name)


def _full_name(parts: Sequence[str | None]) -> str:
    return " ".join(filter(None, parts))
