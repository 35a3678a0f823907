"""The clinic's audit trail: who did what to which row; ids and codes only, never clinical text."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert

from domain.actor import Actor
from domain.operations.models import AuditEvent
from domain.tables import new_id
from tenancy.session import TenantSession


async def record_audit_event(  # one row, one argument a column
    session: TenantSession,
    actor: Actor,
    action: str,
    entity_type: str,
    entity_id: UUID | None,
    details: dict[str, Any] | None = None,
) -> None:
    """Add one event to the caller's transaction; `branch_id` among the details gets its own column."""
    details = dict(details or {})
    await session.execute(
        insert(AuditEvent),
        {
            "id": new_id(),
            "actor_id": actor.user_id,
            "actor_kind": actor.kind,
            "action": action,
            "entity_type": entity_type,
            "entity_id": entity_id,
            "branch_id": details.pop("branch_id", None),
            "request_id": actor.request_id,
            "ip": actor.ip,
            "details": details,
        },
    )
