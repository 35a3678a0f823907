"""One row of a clinic's settings: written as a request would, looked for at a home without asking its gate."""

import asyncpg

from domain.operations.models import TenantSetting
from tenancy.credentials import DatabaseRole
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, TenantId


async def write_setting(worker: Tenancy, tenant_id: TenantId, namespace: str) -> None:
    """Write the row, wherever this worker finds the clinic."""
    async with worker.session(tenant_id, Mode.WRITE) as session:
        session.add(TenantSetting(namespace=namespace, data={}, version=1))


async def holds_setting(tenancy: Tenancy, placement: Placement, namespace: str) -> bool:
    """Return whether the row is at this home, which may be gone."""
    home = placement.home
    try:
        connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MOVER)
    except asyncpg.InvalidCatalogNameError:
        return False
    try:
        return await connection.fetchval(
            f'SELECT count(*) > 0 FROM "{home.schema}".tenant_setting'
            " WHERE tenant_id = $1 AND namespace = $2",
            placement.tenant_id,
            namespace,
        )
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
