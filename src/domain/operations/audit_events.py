"""Reading the audit trail: newest first, by actor, by what was touched, by time."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, select

from domain.operations.models import AuditEvent
from domain.paging import Page, PageRequest, fetch_page
from domain.service import ClinicService


class AuditEventOut(Struct, frozen=True, kw_only=True):
    """One event of the audit trail."""

    id: UUID
    at: datetime
    actor_id: UUID | None
    actor_kind: str
    action: str
    entity_type: str
    entity_id: UUID | None
    branch_id: UUID | None
    request_id: str | None
    ip: str | None
    details: dict[str, Any]


class AuditEventFilter(Struct, frozen=True, kw_only=True):
    """What to look for; `since` is included, `until` is not."""

    actor_id: UUID | None = None
    entity_type: str | None = None
    entity_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


COLUMNS = tuple(getattr(AuditEvent, name) for name in AuditEventOut.__struct_fields__)


class AuditEventService(ClinicService):
    """The clinic's audit trail, for reading."""

    async def list_events(self, wanted: AuditEventFilter, page: PageRequest) -> Page[AuditEventOut]:
        """Return one page of the events that match, newest first."""
        return await fetch_page(
            self.session,
            select(*COLUMNS).where(*_conditions(wanted)),
            order=[AuditEvent.at.expression, AuditEvent.id.expression],
            request=page,
            make=lambda row: AuditEventOut(**row._mapping),  # noqa: SLF001  # SQLAlchemy's public name
            descending=True,
        )


def _conditions(wanted: AuditEventFilter) -> list[ColumnElement[bool]]:
    equal = {
        AuditEvent.actor_id: wanted.actor_id,
        AuditEvent.entity_type: wanted.entity_type,
        AuditEvent.entity_id: wanted.entity_id,
    }
    conditions = [column == value for column, value in equal.items() if value is not None]
    if wanted.since is not None:
        conditions.append(AuditEvent.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditEvent.at < wanted.until)
    return conditions
