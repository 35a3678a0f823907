"""What every change of an appointment begins and ends with: the locked row, the event."""

from uuid import UUID

from sqlalchemy import insert, select

from domain.actor import Actor
from domain.errors import BranchForbiddenError, NotFoundError, StaleVersionError
from domain.scheduling.appointment_lists import within_reach
from domain.scheduling.models import Appointment, AppointmentEvent
from domain.scheduling.transitions import AppointmentStatus
from domain.tables import new_id
from tenancy.session import TenantSession


async def row_to_change(
    session: TenantSession, actor: Actor, appointment_id: UUID, *, version: int
) -> Appointment:
    """Return the appointment, locked to the transaction's end (FOR NO KEY UPDATE of its row).

    The row's lock comes before those of its resources, here as in every update. Raises `NotFoundError`,
    `BranchForbiddenError` and `StaleVersionError`.
    """
    found = await session.execute(
        select(Appointment, within_reach(actor).label("is_shown"))
        .where(Appointment.id == appointment_id)
        .with_for_update(key_share=True, of=Appointment)
    )
    row = found.one_or_none()
    if row is None or (actor.is_patient_only and not row.is_shown):
        raise NotFoundError
    if not row.is_shown:
        raise BranchForbiddenError
    appointment: Appointment = row.Appointment
    if appointment.version != version:
        raise StaleVersionError(appointment.version)
    return appointment


async def add_event(
    session: TenantSession,
    actor: Actor,
    appointment_id: UUID,
    *,
    before: AppointmentStatus | None,
    after: AppointmentStatus,
    note: str | None = None,
) -> None:
    """Add one step of the appointment's life to the caller's transaction."""
    await session.execute(
        insert(AppointmentEvent),
        {
            "id": new_id(),
            "appointment_id": appointment_id,
            "from_status": before,
            "to_status": after,
            "by": actor.user_id,
            "note": note,
        },
    )
