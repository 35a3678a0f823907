"""Clinics that are rows of the registry and nothing else, on servers that do not exist."""

import secrets
from typing import Any
from uuid import uuid4

from tenancy.credentials import DatabaseRole
from tenancy.registry.records import SYSTEM, PlatformEvent, ServerRecord, TenantRecord
from tenancy.registry.steps import Reservation
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, Placement, Server, StrategyName, TenantId, TenantStatus

NOWHERE = "db.example"
CREATED = PlatformEvent(action="create", entity_type="tenant")


async def add_server(store: RegistryStore, *, capacity: int = 100) -> ServerRecord:
    address = Server(name=f"s{secrets.token_hex(4)}", host=NOWHERE, port=5432)
    return await store.servers.add(address, tier="dedicated", capacity=capacity, actor=SYSTEM)


async def reservation(store: RegistryStore, server: ServerRecord, **changes: Any) -> Reservation:
    plan = await store.plans.by_code("empresa")
    assert plan is not None
    slug = changes.pop("slug", f"c{secrets.token_hex(5)}")
    tenant_id = TenantId(uuid4())
    home = changes.pop("home", Home(server.name, f"clinic_t_{tenant_id.hex}", "clinic"))
    columns = {
        "slug": slug, "name": f"Clinic {slug}", "vertical": "dental", "country": "PE", "timezone": "America/Lima",
        "currency": "PEN", "language": "es", "admin_email": "a@b.example", "plan_id": plan.id,
        "listed_in_suggestions": True,
    }  # fmt: skip
    placement = Placement(
        tenant_id=tenant_id,
        strategy=changes.pop("strategy", StrategyName.DATABASE),
        home=home,
        epoch=1,
    )
    return Reservation(
        columns=columns | changes,
        hostname=f"{slug}.localhost",
        placement=placement,
        server_id=server.id,
    )


async def make_tenant(store: RegistryStore, server: ServerRecord, **changes: Any) -> TenantRecord:
    status = changes.pop("status", TenantStatus.ACTIVE)
    wanted = await reservation(store, server, **changes)
    tenant_id = wanted.placement.tenant_id
    async with store.provisioning.claim(tenant_id) as claim:
        assert claim is not None
        await store.provisioning.reserve(wanted, "reserve", "prepare")
        if status is not TenantStatus.PROVISIONING:
            await claim.activate(status, ("activate",), SYSTEM, CREATED)
    record = await store.tenants.by_id(tenant_id)
    assert record is not None
    return record


async def remove_servers(tenancy: Tenancy) -> None:
    """Take these servers with their clinics out of the registry: nobody else is to choose or inspect them."""
    owner = await tenancy.pools.connect(
        "main", tenancy.options.registry_database, DatabaseRole.MIGRATOR
    )
    await owner.execute(
        "SET ROLE clinic_owner;"
        " DELETE FROM registry.tenant WHERE id IN (SELECT p.tenant_id FROM registry.placement p"
        f" JOIN registry.database_server s ON s.id = p.server_id WHERE s.host = '{NOWHERE}');"
        f" DELETE FROM registry.database_server WHERE host = '{NOWHERE}'"
    )
    await owner.close()
