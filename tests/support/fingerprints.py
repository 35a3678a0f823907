"""All rows of a clinic as a few digests, to see that nothing was written."""

from collections.abc import Awaitable, Callable

import asyncpg

from clinics import Clinic
from domain.tables import TenantBase
from tenancy.runtime import Tenancy

Connect = Callable[..., Awaitable[asyncpg.Connection]]

DIGEST = "md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"


async def fingerprint(administrator: Connect, tenancy: Tenancy, clinic: Clinic) -> dict[str, str]:
    """A digest of the clinic's rows for each table, as nobody but a superuser sees them."""
    resolved = await tenancy.directory.by_id(clinic.tenant_id)
    assert resolved is not None
    home = resolved.placement.home
    parts = [
        f"SELECT '{table}', {DIGEST} FROM \"{home.schema}\".{table} t WHERE tenant_id = $1"
        for table in sorted(TenantBase.metadata.tables)
    ]
    connection = await administrator(home.database)
    try:
        rows = await connection.fetch(" UNION ALL ".join(parts), clinic.tenant_id)
    finally:
        await connection.close()
    return {row[0]: row[1] for row in rows}
