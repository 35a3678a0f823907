"""The platform's audit trail, written in the transaction of what it tells of."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils.compat import uuid7

from tenancy.registry.models import PlatformAuditEventRow
from tenancy.registry.records import PlatformActor, PlatformEvent

_INSERT = insert(PlatformAuditEventRow)


async def record_platform_event(
    connection: AsyncConnection, actor: PlatformActor, event: PlatformEvent
) -> None:
    """Add one event to the caller's transaction."""
    await connection.execute(
        _INSERT,
        {
            "id": uuid7(),
            "actor_id": actor.operator_id,
            "actor_kind": actor.kind,
            "action": event.action,
            "entity_type": event.entity_type,
            "entity_id": event.entity_id,
            "tenant_id": event.tenant_id,
            "request_id": actor.request_id,
            "ip": actor.ip,
            "details": event.details,
        },
    )
