"""Moves a clinic by hand, in one go: what the mover will do online is done here while the fence is held."""

from typing import Any

from tenancy.credentials import DatabaseRole
from tenancy.migrations import TENANT_TREE
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, Placement, StrategyName, TenantId

FENCE = "SELECT pg_advisory_xact_lock(7301, tenancy.fence_key($1))"


async def move_by_hand(tenancy: Tenancy, old: Placement, strategy: StrategyName) -> Placement:
    """Fence, copy every row, open the new home, forward the old one; return the new placement.

    The registry is not told: workers learn of it from the old home alone.
    """
    tenant_id = old.tenant_id
    target = tenancy.strategies[strategy]
    home = target.home_for(tenant_id, old.home.server)
    await target.prepare(home)
    await target.install(home)
    new = Placement(tenant_id=tenant_id, strategy=strategy, home=home, epoch=old.epoch + 1)
    source = await _mover(tenancy, old.home)
    sink = await _mover(tenancy, home)
    try:
        async with source.transaction():
            await source.execute(FENCE, tenant_id)
            async with sink.transaction():
                await _copy_rows(source, old.home, sink, home, tenant_id)
            await tenancy.homes.open(new)
            await _forward(source, old, new)
    finally:
        await source.close()
        await sink.close()
    return new


async def _mover(tenancy: Tenancy, home: Home) -> Any:
    return await tenancy.pools.connect(home.server, home.database, DatabaseRole.MOVER)


async def _forward(source: Any, old: Placement, new: Placement) -> None:
    await source.execute(
        "UPDATE tenancy.tenant_home SET state = 'moved', epoch = $3, forward_to = jsonb_build_object("
        "'server', $4::text, 'database', $5::text, 'schema', $6::text, 'strategy', $7::text)"
        " WHERE tenant_id = $1 AND schema_name = $2",
        old.tenant_id,
        old.home.schema,
        new.epoch,
        new.home.server,
        new.home.database,
        new.home.schema,
        new.strategy.value,
    )


async def _copy_rows(source: Any, old: Home, sink: Any, new: Home, tenant_id: TenantId) -> None:
    await sink.execute("SET LOCAL session_replication_role = replica")
    tables = await source.fetch(
        "SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position)"
        " FILTER (WHERE is_generated = 'NEVER') AS columns FROM information_schema.columns"
        " WHERE table_schema = $1 AND table_name <> $2 GROUP BY table_name",
        old.schema,
        TENANT_TREE.version_table,
    )
    for table, columns in tables:
        names = ", ".join(f'"{column}"' for column in columns)
        await sink.execute(f'DELETE FROM "{new.schema}"."{table}" WHERE tenant_id = $1', tenant_id)
        rows = await source.fetch(
            f'SELECT {names} FROM "{old.schema}"."{table}" WHERE tenant_id = $1', tenant_id
        )
        await sink.copy_records_to_table(
            table, schema_name=new.schema, columns=columns, records=[tuple(row) for row in rows]
        )
