"""What a merge of two patients means for appointments; a `MergeStep` of `domain/organisation/patient_merge.py`."""

from uuid import UUID

from sqlalchemy import func, update

from domain.scheduling.models import Appointment
from tenancy.session import TenantSession


async def merge_appointments(session: TenantSession, from_id: UUID, into_id: UUID) -> None:
    """Give one patient's appointments to the other; the database refuses two at the same time."""
    await session.execute(
        update(Appointment)
        .where(Appointment.patient_id == from_id)
        .values(patient_id=into_id, version=Appointment.version + 1, updated_at=func.now())
        .execution_options(synchronize_session=False)
    )
