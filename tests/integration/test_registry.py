"""The registry's rules, held by PostgreSQL itself; tried as `clinic_registry` and as the owner of the tables."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import structs
from sqlalchemy.exc import DBAPIError

from registry_rows import CREATED, add_server, make_tenant, remove_servers, reservation
from tenancy.credentials import DatabaseRole
from tenancy.errors import UnknownTenantError
from tenancy.registry.errors import (
    InvalidTenantStatusError,
    NameTakenError,
    ProvisioningLostError,
    ReservedSlugError,
    SlugTakenError,
    StaleTenantError,
)
from tenancy.registry.records import SYSTEM, ServerRecord
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, StrategyName, TenantStatus


@pytest.fixture(autouse=True)
async def no_server_left(tenancy: Tenancy) -> AsyncIterator[None]:
    yield
    await remove_servers(tenancy)


@pytest.fixture
def store(tenancy: Tenancy) -> RegistryStore:
    return tenancy.store


@pytest.fixture
async def server(store: RegistryStore) -> ServerRecord:
    """A server of the test's own, so that its capacity is."""
    return await add_server(store)


@pytest.fixture
async def owner(tenancy: Tenancy) -> Any:
    """A connection that acts as the owner of the registry's tables."""
    connection = await tenancy.pools.connect(
        "main", tenancy.options.registry_database, DatabaseRole.MIGRATOR
    )
    await connection.execute("SET ROLE clinic_owner")
    yield connection
    await connection.close()


async def test_tenant_is_found_by_each_of_its_names(
    store: RegistryStore, server: ServerRecord
) -> None:
    made = await make_tenant(store, server)
    other = await make_tenant(store, server)
    assert await store.tenants.by_slug(made.slug) == made
    assert await store.tenants.by_hostname(f"{made.slug}.localhost") == made
    assert await store.tenants.by_id(other.id) == other
    assert await store.tenants.by_slug("nobody-has-it") is None


@pytest.mark.parametrize("slug", ["www", "api", "default"])
async def test_reserved_slug_is_refused(
    store: RegistryStore, server: ServerRecord, slug: str
) -> None:
    with pytest.raises(ReservedSlugError):
        await make_tenant(store, server, slug=slug)


@pytest.mark.parametrize("slug", ["ab", "Abc", "1abc", "abc-", "xn--abc", "a" * 41, "a_b"])
async def test_database_refuses_what_is_no_slug(
    store: RegistryStore, server: ServerRecord, slug: str
) -> None:
    with pytest.raises(DBAPIError, match="ck_tenant_slug"):
        await make_tenant(store, server, slug=slug)


async def test_slug_name_and_hostname_belong_to_one_clinic(
    store: RegistryStore, server: ServerRecord
) -> None:
    made = await make_tenant(store, server)
    with pytest.raises(SlugTakenError):
        await make_tenant(store, server, slug=made.slug, name="Another name of it")
    with pytest.raises(NameTakenError):
        await make_tenant(store, server, name=made.name.upper())


async def test_two_clinics_never_share_a_home_of_their_own(
    store: RegistryStore, server: ServerRecord
) -> None:
    home = Home(server.name, "pool", f"t_{secrets.token_hex(8)}")
    await make_tenant(store, server, strategy=StrategyName.SCHEMA, home=home)
    with pytest.raises(DBAPIError, match="uq_placement_home"):
        await make_tenant(store, server, strategy=StrategyName.SCHEMA, home=home)
    for _ in range(2):
        await make_tenant(
            store, server, strategy=StrategyName.ROW, home=Home(server.name, "pool", "pool")
        )


async def test_epoch_grows_with_the_home_and_never_goes_back(
    store: RegistryStore, server: ServerRecord, owner: Any
) -> None:
    made = await make_tenant(store, server)
    assert made.placement is not None
    home = Home(server.name, "elsewhere", made.placement.home.schema)
    await store.tenants.place(structs.replace(made.placement, home=home, epoch=4))
    await store.tenants.place(structs.replace(made.placement, epoch=3))
    moved = await store.tenants.by_id(made.id)
    assert moved is not None
    assert moved.placement is not None
    assert (moved.placement.home, moved.placement.epoch) == (home, 4)
    for change in ("epoch = 3", "database_name = 'third'"):
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await owner.execute(
                f"UPDATE registry.placement SET {change} WHERE tenant_id = $1", made.id
            )
        assert refusal.value.sqlstate == "RGEPO"


async def test_clinic_in_use_keeps_a_domain(
    store: RegistryStore, server: ServerRecord, owner: Any
) -> None:
    made = await make_tenant(store, server)
    with pytest.raises(asyncpg.PostgresError) as refusal:
        await owner.execute("DELETE FROM registry.tenant_domain WHERE tenant_id = $1", made.id)
    assert refusal.value.sqlstate == "RGDOM"
    with pytest.raises(asyncpg.UniqueViolationError, match="uq_tenant_domain_primary"):
        await owner.execute(
            "INSERT INTO registry.tenant_domain (id, tenant_id, hostname, kind, is_primary)"
            " VALUES (gen_random_uuid(), $1, $2, 'custom', true)",
            made.id,
            f"www.{made.slug}.example",
        )


async def test_custom_domain_counts_once_it_is_verified(
    store: RegistryStore, server: ServerRecord, owner: Any
) -> None:
    made = await make_tenant(store, server)
    hostname = f"www.{made.slug}.example"
    await owner.execute(
        "INSERT INTO registry.tenant_domain (id, tenant_id, hostname, kind)"
        " VALUES (gen_random_uuid(), $1, $2, 'custom')",
        made.id,
        hostname,
    )
    assert await store.tenants.by_hostname(hostname) is None
    await owner.execute(
        "UPDATE registry.tenant_domain SET verified_at = now() WHERE hostname = $1", hostname
    )
    found = await store.tenants.by_hostname(hostname)
    assert found is not None
    assert found.hostnames == (f"{made.slug}.localhost", hostname)


async def test_host_name_that_passes_to_another_clinic_is_told_for_both(
    store: RegistryStore, server: ServerRecord, owner: Any
) -> None:
    before, after = await make_tenant(store, server), await make_tenant(store, server)
    hostname = f"www.{before.slug}.example"
    await owner.execute(
        "INSERT INTO registry.tenant_domain (id, tenant_id, hostname, kind)"
        " VALUES (gen_random_uuid(), $1, $2, 'custom')",
        before.id,
        hostname,
    )
    heard: list[str] = []
    await owner.add_listener("clinic_registry", lambda *notice: heard.append(notice[-1]))
    move = "UPDATE registry.tenant_domain SET tenant_id = $1 WHERE hostname = $2"
    await owner.execute(move, after.id, hostname)
    # Notices come before the answer to the next statement.
    await owner.execute("SELECT 1")
    assert {str(before.id), str(after.id)} <= set(heard)


async def test_change_needs_the_version_that_was_read(
    store: RegistryStore, server: ServerRecord
) -> None:
    made = await make_tenant(store, server)
    other = await make_tenant(store, server)
    changed = await store.tenants.change(
        made.id, {"phone": "+51 1 5550000"}, version=1, actor=SYSTEM
    )
    assert (changed.phone, changed.version) == ("+51 1 5550000", 2)
    with pytest.raises(StaleTenantError) as stale:
        await store.tenants.change(made.id, {"phone": None}, version=1, actor=SYSTEM)
    assert stale.value.current_version == 2
    with pytest.raises(NameTakenError):
        await store.tenants.change(made.id, {"name": other.name}, version=2, actor=SYSTEM)
    with pytest.raises(UnknownTenantError):
        await store.tenants.change(uuid4(), {"phone": None}, version=1, actor=SYSTEM)


async def test_status_changes_only_from_where_it_may(
    store: RegistryStore, server: ServerRecord, owner: Any
) -> None:
    made = await make_tenant(store, server)
    active = frozenset({TenantStatus.ACTIVE})

    async def suspend() -> None:
        await store.statuses.change(
            made.id, to=TenantStatus.SUSPENDED, allowed=active, version=None, actor=SYSTEM
        )

    outcomes = await asyncio.gather(suspend(), suspend(), return_exceptions=True)
    assert sum(isinstance(outcome, InvalidTenantStatusError) for outcome in outcomes) == 1
    actions = await owner.fetch(
        "SELECT action FROM registry.platform_audit_event WHERE tenant_id = $1 ORDER BY id", made.id
    )
    assert [action for (action,) in actions] == ["status.suspended"]


async def test_audit_trail_only_grows(
    store: RegistryStore, server: ServerRecord, owner: Any
) -> None:
    await make_tenant(store, server)
    for attempt in (
        "UPDATE registry.platform_audit_event SET action = 'x'",
        "DELETE FROM registry.platform_audit_event",
        "TRUNCATE registry.platform_audit_event",
    ):
        with pytest.raises(asyncpg.PostgresError) as refusal:
            await owner.execute(attempt)
        assert refusal.value.sqlstate == "RGAPP"
        async with store.engine.connect() as connection:
            with pytest.raises(DBAPIError, match="permission denied"):
                await connection.exec_driver_sql(attempt)


async def test_registrys_role_owns_nothing_and_reaches_no_clinic(tenancy: Tenancy) -> None:
    registry = await tenancy.pools.connect(
        "main", tenancy.options.registry_database, DatabaseRole.REGISTRY
    )
    owned = await registry.fetchval(
        "SELECT count(*) FROM pg_class WHERE relowner = 'clinic_registry'::regrole"
    )
    may_create = await registry.fetchval("SELECT has_schema_privilege('registry', 'CREATE')")
    await registry.close()
    assert (owned, may_create) == (0, False)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tenancy.pools.connect("main", tenancy.options.pool_database, DatabaseRole.REGISTRY)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tenancy.pools.connect("main", tenancy.options.registry_database, DatabaseRole.APP)


async def test_pages_follow_the_ids(store: RegistryStore, server: ServerRecord) -> None:
    made = {(await make_tenant(store, server)).id for _ in range(3)}
    seen: list[UUID] = []
    after = None
    while page := await store.tenants.page(limit=2, after=after):
        seen += [record.id for record in page]
        after = page[-1].id
    assert seen == sorted(set(seen))
    assert made <= set(seen)


async def test_similar_names_are_those_of_usable_listed_clinics(
    store: RegistryStore, server: ServerRecord
) -> None:
    stem = f"zz{secrets.token_hex(6)}"
    usable = await make_tenant(store, server, slug=f"{stem}-norte")
    await make_tenant(store, server, slug=f"{stem}-unlisted", listed_in_suggestions=False)
    await make_tenant(store, server, slug=f"{stem}-suspended", status=TenantStatus.SUSPENDED)
    await make_tenant(store, server, slug=f"{stem}-new", status=TenantStatus.PROVISIONING)
    for _ in range(4):
        await make_tenant(store, server, slug=f"{stem}-{secrets.token_hex(2)}")
    similar = await store.tenants.similar_hostnames(f"{stem}-nort", limit=3, similarity_min=0.3)
    assert len(similar) == 3
    assert similar[0] == usable.hostnames[0]
    assert not any(name in host for host in similar for name in ("unlisted", "suspended", "new"))
    assert await store.tenants.similar_hostnames("qqqqqqq", limit=3, similarity_min=0.3) == []


async def test_claim_is_for_one_and_ends_with_its_connection(
    store: RegistryStore, server: ServerRecord
) -> None:
    wanted = await reservation(store, server)
    tenant_id = wanted.placement.tenant_id
    async with store.provisioning.claim(tenant_id) as claim:
        async with store.provisioning.claim(tenant_id) as second:
            assert second is None
        assert claim is not None
        # Nobody can open what was taken back meanwhile.
        with pytest.raises(ProvisioningLostError):
            await claim.activate(TenantStatus.ACTIVE, ("activate",), SYSTEM, CREATED)
    async with store.provisioning.claim(tenant_id) as third:
        assert third is not None
