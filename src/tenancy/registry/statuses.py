"""The life of a tenant: one status after the other, each with its event in the platform's audit trail."""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tenancy.errors import UnknownTenantError
from tenancy.registry.audit import record_platform_event
from tenancy.registry.errors import InvalidTenantStatusError, StaleTenantError
from tenancy.registry.models import TenantRow
from tenancy.registry.records import PlatformActor, PlatformEvent
from tenancy.tenant import TenantId, TenantStatus

_SUSPENDED: Final = frozenset({TenantStatus.SUSPENDED})


class StatusRecords:
    """Changes the status of tenants; each method is one transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def change(
        self,
        tenant_id: UUID,
        *,
        to: TenantStatus,
        allowed: frozenset[TenantStatus],
        version: int | None,
        actor: PlatformActor,
    ) -> None:
        """Set the status of a tenant whose present one is in `allowed`.

        Raises `UnknownTenantError`, `StaleTenantError`, `InvalidTenantStatusError`.
        """
        async with self._engine.begin() as connection:
            held = await _held(connection, tenant_id, allowed, version)
            await _set(connection, held, to, actor)

    async def resume(self, tenant_id: UUID, *, version: int | None, actor: PlatformActor) -> None:
        """Give a suspended tenant the status back that it had before; raise as `change`."""
        async with self._engine.begin() as connection:
            held = await _held(connection, tenant_id, _SUSPENDED, version)
            to = TenantStatus(held.status_before_suspension or TenantStatus.ACTIVE)
            await _set(connection, held, to, actor)


async def _held(
    connection: AsyncConnection,
    tenant_id: UUID,
    allowed: frozenset[TenantStatus],
    version: int | None,
) -> Any:
    """Lock the tenant's row against other changes (FOR NO KEY UPDATE) and return it if it is as it must be."""
    columns = (
        TenantRow.id,
        TenantRow.version,
        TenantRow.status,
        TenantRow.status_before_suspension,
    )
    found = await connection.execute(
        select(*columns).where(TenantRow.id == tenant_id).with_for_update(key_share=True)
    )
    row = found.one_or_none()
    if row is None:
        raise UnknownTenantError
    if version is not None and version != row.version:
        raise StaleTenantError(row.version)
    if TenantStatus(row.status) not in allowed:
        raise InvalidTenantStatusError
    return row


async def _set(
    connection: AsyncConnection, held: Any, to: TenantStatus, actor: PlatformActor
) -> None:
    """Set the status of a locked row; a suspension remembers what it interrupts."""
    await connection.execute(
        update(TenantRow)
        .where(TenantRow.id == held.id)
        .values(
            status=to.value,
            status_before_suspension=held.status if to is TenantStatus.SUSPENDED else None,
            status_changed_at=func.now(),
            updated_at=func.now(),
            version=TenantRow.version + 1,
        )
    )
    event = PlatformEvent(
        action=f"status.{to.value}",
        entity_type="tenant",
        entity_id=held.id,
        tenant_id=TenantId(held.id),
        details={"from": held.status},
    )
    await record_platform_event(connection, actor, event)
