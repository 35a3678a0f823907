"""The clinic's audit trail."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, QueryParameter, SkipValidation

from auth.guards import needs
from controllers.modes import READ
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.operations.audit_events import AuditEventFilter, AuditEventOut, AuditEventService
from domain.paging import Page
from tenancy.session import TenantSession

AuditEvents = NamedDependency[SkipValidation[AuditEventService]]


def provide_audit_events(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> AuditEventService:
    """Return the service of this request."""
    return AuditEventService(db_session, actor)


class AuditEventController(Controller):
    """Who did what, newest first; nobody can change it."""

    path = "/api/v1/audit-events"
    tags = ("audit",)
    dependencies = {  # noqa: RUF012  # Litestar reads it once
        "audit_events": Provide(provide_audit_events, sync_to_thread=False)
    }

    @get(
        guards=[needs("audit:read")],
        opt=READ,
        operation_id="listAuditEvents",
        responses=problems(400, 401, 403),
    )
    async def list_audit_events(  # noqa: PLR0913, PLR0917  # one argument a filter
        self,
        audit_events: AuditEvents,
        clinic: NamedDependency[SkipValidation[ClinicProfile]],
        actor_id: Annotated[UUID | None, QueryParameter(name="actor")] = None,
        entity: Annotated[str | None, QueryParameter(max_length=64)] = None,
        entity_id: FromQuery[UUID | None] = None,
        since: Annotated[datetime | None, QueryParameter(name="from")] = None,
        until: Annotated[datetime | None, QueryParameter(name="to")] = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[AuditEventOut]:
        """List events by who acted, what was touched and when (`from` included, `to` not)."""
        wanted = AuditEventFilter(
            actor_id=actor_id,
            entity_type=entity,
            entity_id=entity_id,
            since=_in_zone(since, clinic),
            until=_in_zone(until, clinic),
        )
        return await audit_events.list_events(wanted, page_request(limit, cursor))


def _in_zone(moment: datetime | None, clinic: ClinicProfile) -> datetime | None:
    """Return the moment; one without an offset is in the clinic's zone."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=clinic.zone)
