"""Holding a slot: the database decides, a refusal is explained with every appointment in the way."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from msgspec import Struct
from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError

from domain.actor import Actor
from domain.scheduling.appointment_lists import within_reach
from domain.scheduling.calendar import Period
from domain.scheduling.errors import AppointmentConflictError, Conflict
from domain.scheduling.models import Appointment
from domain.scheduling.moments import APPOINTMENT_MAX
from domain.scheduling.transitions import OCCUPYING
from tenancy.session import TenantSession

EXCLUSION_VIOLATION: Final = "23P01"
DEADLOCK: Final = "40P01"
ATTEMPTS_MAX: Final = 2
CONFLICTING_APPOINTMENTS_MAX: Final = 50
"""Appointments that one refusal names."""


class Slot(Struct, frozen=True, kw_only=True):
    """What an appointment takes and when; `ignored_id` is the appointment that gives way to it."""

    practitioner_id: UUID
    patient_id: UUID
    room_id: UUID | None
    period: Period
    zone: ZoneInfo
    ignored_id: UUID | None = None

    def resources(self) -> Iterator[tuple[str, UUID]]:
        """Yield the name and the id of each resource."""
        yield "practitioner", self.practitioner_id
        if self.room_id is not None:
            yield "room", self.room_id
        yield "patient", self.patient_id


async def hold_slot(
    session: TenantSession, actor: Actor, slot: Slot, write: Callable[[], Awaitable[None]]
) -> None:
    """Run `write`, which flushes a row that takes the slot, inside a savepoint.

    Raises `AppointmentConflictError` with all that is in the way. `write` runs once more after a
    deadlock, and when what was in the way is gone by the time it is looked for.
    """
    for attempts_left in reversed(range(ATTEMPTS_MAX)):
        try:
            async with session.begin_nested():
                await write()
        except DBAPIError as error:
            sqlstate = getattr(error.orig, "sqlstate", None)
            if sqlstate == EXCLUSION_VIOLATION:
                conflicts = await find_conflicts(session, actor, slot)
                if conflicts or not attempts_left:
                    raise AppointmentConflictError(conflicts) from error
            elif sqlstate != DEADLOCK or not attempts_left:
                raise
        else:
            return


async def find_conflicts(session: TenantSession, actor: Actor, slot: Slot) -> list[Conflict]:
    """Return every occupying appointment that shares a resource and an instant with the slot, by start."""
    columns = {name: getattr(Appointment, f"{name}_id") for name, _ in slot.resources()}
    statement = (
        select(
            Appointment.id,
            Appointment.starts_at,
            Appointment.ends_at,
            Appointment.practitioner_id,
            Appointment.patient_id,
            Appointment.room_id,
            within_reach(actor).label("is_shown"),
        )
        .where(
            or_(*(columns[name] == resource_id for name, resource_id in slot.resources())),
            Appointment.status.in_(OCCUPYING),
            Appointment.is_overbooked.is_(False),
            Appointment.starts_at < slot.period.ends_at,
            Appointment.ends_at > slot.period.starts_at,
            # Implied by the line above and the longest length: gives the index both of its bounds.
            Appointment.starts_at > slot.period.starts_at - APPOINTMENT_MAX,
            Appointment.id.is_distinct_from(slot.ignored_id),
        )
        .order_by(Appointment.starts_at, Appointment.id)
        .limit(CONFLICTING_APPOINTMENTS_MAX)
    )
    rows = (await session.execute(statement)).all()
    return [conflict for row in rows for conflict in _shared(row, slot)]


def _shared(row: Any, slot: Slot) -> Iterator[Conflict]:
    """Yield a conflict for each resource that the appointment takes from the slot."""
    for name, resource_id in slot.resources():
        if getattr(row, f"{name}_id") == resource_id:
            yield Conflict(
                resource=name,
                starts_at=row.starts_at.astimezone(slot.zone),
                ends_at=row.ends_at.astimezone(slot.zone),
                appointment_id=row.id if row.is_shown else None,
            )
