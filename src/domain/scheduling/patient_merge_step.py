"""What a merge of two patients means for appointments; a `MergeStep` of `domain/organisation/patient_merge.py`."""

from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal, select, update

from domain.scheduling.models import Appointment
from domain.scheduling.transitions import OCCUPYING
from tenancy.session import TenantSession


async def merge_appointments(session: TenantSession, from_id: UUID, into_id: UUID) -> None:
    """Give one patient's appointments to the other; the database refuses two at the same time.

    Takes all the rows first (FOR NO KEY UPDATE), then the resources of all of them, as every change does.
    """
    taken = await _lock_appointments(session, from_id)
    resources = sorted({from_id, into_id, *taken})
    await session.execute(select(func.lock_appointment_resources(literal(resources, ARRAY(Uuid)))))
    await session.execute(
        update(Appointment)
        .where(Appointment.patient_id == from_id)
        .values(patient_id=into_id, version=Appointment.version + 1, updated_at=func.now())
        .execution_options(synchronize_session=False)
    )


async def _lock_appointments(session: TenantSession, patient_id: UUID) -> set[UUID]:
    """Lock the patient's appointments in the order of their ids; return what those that hold a slot take."""
    found = await session.execute(
        select(Appointment.practitioner_id, Appointment.room_id, Appointment.status)
        .where(Appointment.patient_id == patient_id)
        .order_by(Appointment.id)
        .with_for_update(key_share=True, of=Appointment)
    )
    return {
        resource
        for practitioner_id, room_id, status in found
        if status in OCCUPYING
        for resource in (practitioner_id, room_id)
        if resource is not None
    }
