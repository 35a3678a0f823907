"""What tests of provisioning share: requests, first rows, and a look at everything that a set-up may leave."""

import secrets
from typing import Any

from domain.new_clinic import first_rows
from tenancy.provisioning import Failpoint, Provisioner, ProvisioningParts, nothing_happens
from tenancy.registry.requests import NewTenant
from tenancy.runtime import Tenancy
from tenancy.session import TenantSession
from tenancy.tenant import StrategyName, TenantId


def provisioner_of(tenancy: Tenancy, reached: Failpoint = nothing_happens) -> Provisioner:
    parts = ProvisioningParts(
        store=tenancy.store,
        strategies=tenancy.strategies,
        homes=tenancy.homes,
        sessions=tenancy,
        forget=tenancy.directory.forget,
        base_domain="localhost",
    )
    return Provisioner(parts, reached)


def wanted(strategy: StrategyName | None = StrategyName.ROW, **changes: Any) -> NewTenant:
    slug = changes.pop("slug", None) or f"c{secrets.token_hex(5)}"
    values = {"name": f"Clinic {slug}", "admin_email": f"admin@{slug}.example", "plan": "empresa"}
    return NewTenant(slug=slug, strategy=strategy, **(values | changes))


async def seed(session: TenantSession) -> None:
    async def ready() -> str:
        return "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"

    await first_rows(
        admin_email="admin@clinic.example", password_hash=ready(), timezone="America/Lima"
    )(session)


class Leftovers:
    """Everything on the server that belongs to a clinic, looked at as the server's administrator."""

    def __init__(self, tenancy: Tenancy, registry: Any, pool: Any) -> None:
        self._tenancy = tenancy
        self._registry = registry
        self._pool = pool

    async def of(self, tenant_id: TenantId) -> list[str]:
        """Return where something of the clinic is found."""
        found = []
        name = f"t_{tenant_id.hex}"
        if await self._registry.fetchval(
            "SELECT true FROM pg_database WHERE datname = $1", f"clinic_{name}"
        ):
            found.append("database")
        if await self._pool.fetchval("SELECT true FROM pg_namespace WHERE nspname = $1", name):
            found.append("schema")
        if await self._pool.fetchval(
            "SELECT true FROM tenancy.tenant_home WHERE tenant_id = $1", tenant_id
        ):
            found.append("home")
        tables = await self._pool.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'pool'::regnamespace AND relkind = 'r'"
        )
        for (table,) in tables:
            if table != "alembic_version_tenant" and await self._pool.fetchval(
                f'SELECT true FROM pool."{table}" WHERE tenant_id = $1 LIMIT 1', tenant_id
            ):
                found.append(f"rows of {table}")
        for table, column in (
            ("tenant", "id"),
            ("tenant_domain", "tenant_id"),
            ("placement", "tenant_id"),
        ):
            if await self._registry.fetchval(
                f"SELECT true FROM registry.{table} WHERE {column} = $1", tenant_id
            ):
                found.append(f"registry {table}")
        return found

    async def last_tried(self) -> TenantId:
        """Return the id of the latest set-up, whatever became of it."""
        return TenantId(
            await self._registry.fetchval(
                "SELECT tenant_id FROM registry.provisioning_step ORDER BY at DESC LIMIT 1"
            )
        )

    async def states(self, tenant_id: TenantId) -> dict[str, str]:
        rows = await self._registry.fetch(
            "SELECT step, state FROM registry.provisioning_step WHERE tenant_id = $1", tenant_id
        )
        return {row["step"]: row["state"] for row in rows}
