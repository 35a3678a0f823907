"""What would break updates in mid-move, or could not be loaded, is refused before anything was published."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from clinics import Clinic
from domain.actor import Role
from moves import mover_of, placement_of
from second_server import SecondServer
from tenancy.errors import TenancyError
from tenancy.mover.errors import MoveRefusedError
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
OPERATOR = PlatformActor()
GRANT = "GRANT SELECT ON {schema}.stray TO clinic_mover"
# What breaks a published table, and what it takes to mend it; `{schema}` is the clinic's own.
DAMAGES = {
    "identity of nothing": (
        "ALTER TABLE {schema}.user_account REPLICA IDENTITY NOTHING",
        "ALTER TABLE {schema}.user_account REPLICA IDENTITY DEFAULT",
        "replica identity",
    ),
    "key without the tenant": (
        f"CREATE TABLE {{schema}}.stray (id integer PRIMARY KEY, tenant_id uuid); {GRANT}",
        "DROP TABLE {schema}.stray",
        "primary keys without the tenant: stray",
    ),
    "no tenant at all": (
        f"CREATE TABLE {{schema}}.stray (id integer PRIMARY KEY); {GRANT}",
        "DROP TABLE {schema}.stray",
        "primary keys without the tenant: stray",
    ),
}


@pytest.fixture
async def clinic(make_clinic: Callable[..., Awaitable[Clinic]]) -> Clinic:
    return await make_clinic(SCHEMA)


@pytest.fixture
async def server(
    administrator: Callable[..., Awaitable[asyncpg.Connection]],
) -> AsyncIterator[asyncpg.Connection]:
    connection = await administrator("clinic_pool")
    yield connection
    await connection.close()


@asynccontextmanager
async def damaged(server: Any, placement: Placement, name: str) -> AsyncIterator[str]:
    """Yield what the refusal is to say, while the clinic's schema is damaged."""
    damage, mend, told = DAMAGES[name]
    schema = f'"{placement.home.schema}"'
    await server.execute(damage.format(schema=schema))
    try:
        yield told
    finally:
        await server.execute(mend.format(schema=schema))


async def published(server: Any, placement: Placement) -> int:
    return await server.fetchval(
        "SELECT count(*) FROM pg_publication_tables WHERE schemaname = $1", placement.home.schema
    )


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_table_that_cannot_be_published_is_refused_at_once(
    tenancy: Tenancy, server: asyncpg.Connection, clinic: Clinic, name: str
):
    placement = await placement_of(tenancy, clinic.tenant_id)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=ROW)
    async with damaged(server, placement, name) as told:
        with pytest.raises(MoveRefusedError, match=told):
            await mover_of(tenancy).start(request, actor=OPERATOR)
        assert await tenancy.store.moves.open_of(clinic.tenant_id) is None
        assert await published(server, placement) == 0
        await clinic.add_user(Role.ADMIN)


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_table_that_was_damaged_after_the_look_is_not_published(
    tenancy: Tenancy, server: asyncpg.Connection, clinic: Clinic, name: str
):
    placement = await placement_of(tenancy, clinic.tenant_id)
    mover = mover_of(tenancy)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=ROW), actor=OPERATOR
    )
    async with damaged(server, placement, name):
        with pytest.raises(MoveRefusedError):
            await mover.work(started.id, stays=False)
        assert await published(server, placement) == 0
        await clinic.add_user(Role.ADMIN)
    assert (await mover.move(started.id)).status is MoveStatus.ABORTED


# What an administrator grants the mover once: how to take it, how to give it back, what is said without it.
BYPASS = (
    "ALTER ROLE clinic_mover NOBYPASSRLS",
    "ALTER ROLE clinic_mover BYPASSRLS",
    "clinic_mover has no BYPASSRLS",
)
SILENCE = (
    "REVOKE SET ON PARAMETER session_replication_role FROM clinic_mover",
    "GRANT SET ON PARAMETER session_replication_role TO clinic_mover",
    "clinic_mover may not set session_replication_role",
)
REPLICATION = (
    "ALTER ROLE clinic_mover NOREPLICATION",
    "ALTER ROLE clinic_mover REPLICATION",
    "clinic_mover has no REPLICATION",
)


@asynccontextmanager
async def without(power: tuple[str, str, str], access: dict[str, Any]) -> AsyncIterator[str]:
    """Yield what the refusal is to say, while the server's mover lacks a power."""
    taken, given, told = power
    connection = await asyncpg.connect(**access)
    try:
        await connection.execute(taken)
        yield told
    finally:
        await connection.execute(given)
        await connection.close()


@pytest.mark.parametrize(
    ("power", "is_offline"),
    [(BYPASS, False), (BYPASS, True), (SILENCE, False), (SILENCE, True), (REPLICATION, False)],
    ids=["bypass", "bypass-offline", "silence", "silence-offline", "replication"],
)
@pytest.mark.parametrize("side", ["source", "target"])
async def test_an_end_where_the_mover_lacks_a_power_is_refused(
    tenancy: Tenancy,
    postgres: Any,
    elsewhere: SecondServer,
    clinic: Clinic,
    side: str,
    power: tuple[str, str, str],
    is_offline: bool,  # noqa: FBT001  # pytest hands it in by name
):
    ends = {"source": postgres.administrator, "target": elsewhere.administrator}
    request = MoveRequest(
        tenant_id=clinic.tenant_id,
        strategy=ROW,
        server=elsewhere.address.name,
        is_offline=is_offline,
    )
    async with without(power, ends[side]) as told:
        with pytest.raises(MoveRefusedError, match=f"{told} on the {side}"):
            await mover_of(tenancy).start(request, actor=OPERATOR)
    assert await tenancy.store.moves.open_of(clinic.tenant_id) is None
    assert (await placement_of(tenancy, clinic.tenant_id)).home.server == "main"


async def test_a_mover_that_sees_no_rows_any_more_moves_no_empty_clinic(
    tenancy: Tenancy, postgres: Any, elsewhere: SecondServer, clinic: Clinic
):
    mover = mover_of(tenancy)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=ROW, server=elsewhere.address.name)
    started = await mover.start(request, actor=OPERATOR)
    async with without(BYPASS, postgres.administrator):
        with pytest.raises((TenancyError, asyncpg.PostgresError)):
            await mover.work(started.id, stays=False)
    assert (await placement_of(tenancy, clinic.tenant_id)).home.server == "main"
    await clinic.add_user(Role.ADMIN)
