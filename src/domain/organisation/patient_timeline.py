"""What happened to a patient's record, newest first, without who read it."""

from typing import Final
from uuid import UUID

from sqlalchemy import select

from domain.errors import NotFoundError
from domain.operations.models import AuditEvent
from domain.organisation.branch_scope import own_patients
from domain.organisation.models import Patient
from domain.organisation.patient_schemas import TimelineEvent
from domain.paging import Page, PageRequest, fetch_page
from domain.service import ClinicService

READ: Final = "read"

_COLUMNS = tuple(getattr(AuditEvent, name) for name in TimelineEvent.__struct_fields__)


class PatientTimelineService(ClinicService):
    """Reads the events of a patient and of those merged into them."""

    async def list_events(self, patient_id: UUID, page: PageRequest) -> Page[TimelineEvent]:
        """Return one page of events; raise `NotFoundError` for a patient whom the actor does not see."""
        seen = select(Patient.id).where(Patient.id == patient_id)
        own = own_patients(self.actor)
        if own is not None:
            seen = seen.where(Patient.id.in_(own))
        if await self.session.scalar(seen) is None:
            raise NotFoundError
        merged = select(Patient.id).where(Patient.merged_into_id == patient_id)
        ids = [patient_id, *await self.session.scalars(merged)]
        return await fetch_page(
            self.session,
            select(*_COLUMNS).where(
                AuditEvent.entity_type == "patient",
                AuditEvent.entity_id.in_(ids),
                AuditEvent.action != READ,
            ),
            order=[AuditEvent.at.expression, AuditEvent.id.expression],
            request=page,
            make=lambda row: TimelineEvent(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
            descending=True,
        )
