"""Behind PgBouncer in transaction mode requests go through it; the mover, migrations and LISTEN go to PostgreSQL itself."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from app.settings import Settings
from house import House, open_house
from moves import end_open_moves, mover_of, placement_of
from pgbouncer import PREPARED_MAX, RELEASE_MIN, SERVER_CONNECTIONS, installed, pooler
from second_server import SecondServer, second_server
from tenancy.modes import Mode
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.tenant import StrategyName
from workload import Workload

PROGRAM = installed()
OPERATOR = PlatformActor()
ROW, _, DATABASE = StrategyName
REQUESTS_AT_ONCE = 4 * SERVER_CONNECTIONS
# More than the driver remembers, and then so many that it closes those it has forgotten.
STATEMENTS = 1000

pytestmark = pytest.mark.skipif(
    PROGRAM is None,
    reason="PgBouncer {}.{} or newer is not installed".format(*RELEASE_MIN),
)


@pytest.fixture(scope="module")
def server() -> Iterator[SecondServer]:
    with second_server("main", max_connections="200", max_locks_per_transaction="512") as own:
        yield own


@pytest.fixture(scope="module")
def pooler_port(server: SecondServer, settings: Settings) -> Iterator[int]:
    assert PROGRAM is not None
    with pooler(PROGRAM, server, settings.role_secret) as port:
        yield port


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, set[int]]]:
    """To which ports each role has connected."""
    seen: dict[str, set[int]] = defaultdict(set)
    connect = asyncpg.connect

    async def recording(*args: Any, **arguments: Any) -> Any:
        seen[arguments["user"]].add(arguments["port"])
        return await connect(*args, **arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncpg, "connect", recording)
        yield seen


@pytest.fixture(scope="module")
async def house(
    server: SecondServer, pooler_port: int, settings: Settings, ports: dict[str, set[int]]
) -> AsyncIterator[House]:
    ports.clear()
    url = f"{server.url}?pooler=127.0.0.1:{pooler_port}"
    async with open_house(settings, url) as opened:
        yield opened


async def test_more_requests_than_server_connections_are_answered_each_for_its_clinic(
    house: House, placement: StrategyName
):
    first, second = await house.clinic(placement), await house.clinic(placement)
    clinics = [first, second] * (REQUESTS_AT_ONCE // 2)
    made = await asyncio.gather(*(clinic.get("/api/v1/branches") for clinic in clinics))
    assert {answer.status_code for answer in made} == {200}
    found = [{branch["id"] for branch in answer.json()["items"]} for answer in made]
    assert found == [{str(clinic.branch_id)} for clinic in clinics]
    stranger = await first.get(f"/api/v1/branches/{second.branch_id}")
    assert stranger.status_code == 404


async def test_statements_are_prepared_and_closed_by_the_names_that_the_pooler_gives(
    house: House, placement: StrategyName
):
    assert STATEMENTS > PREPARED_MAX
    clinic = await house.clinic(placement)
    async with house.tenancy.session(clinic.tenant_id, Mode.READ) as session:
        for _ in range(2):
            for number in range(STATEMENTS):
                statement = text(f"SELECT CAST(:value AS integer) AS n{number}")
                assert await session.scalar(statement, {"value": number}) == number


async def test_a_clinic_at_work_is_moved_and_its_move_is_heard_of(
    house: House, server: SecondServer, pooler_port: int, ports: dict[str, set[int]]
):
    tenancy = house.tenancy
    clinic = await house.clinic(ROW)
    workload, stop, mover = Workload(tenancy, clinic.tenant_id), asyncio.Event(), mover_of(tenancy)
    await workload.prepare()
    async with asyncio.TaskGroup() as group:
        group.create_task(workload.run(stop, writers=2, readers=1, pause_s=0.05))
        try:
            request = MoveRequest(tenant_id=clinic.tenant_id, strategy=DATABASE)
            started = await mover.start(request, actor=OPERATOR)
            moved = await mover.work(started.id, stays=False)
            assert moved.status is MoveStatus.GRACE
            assert (await placement_of(tenancy, clinic.tenant_id)).strategy is DATABASE
            await mover.want(started.id, "rollback", actor=OPERATOR)
            assert (await mover.work(started.id)).status is MoveStatus.ROLLED_BACK
        finally:
            stop.set()
    await workload.check()
    assert (await placement_of(tenancy, clinic.tenant_id)).strategy is ROW
    assert (await clinic.get("/api/v1/branches")).status_code == 200
    await end_open_moves(tenancy)
    direct = ports.keys() - {"clinic_app"}
    assert {"clinic_mover", "clinic_migrator", "clinic_registry"} <= direct
    assert {port for role in direct for port in ports[role]} == {server.address.port}
    assert ports["clinic_app"] == {pooler_port}


async def test_the_registry_knows_where_the_pooler_is(house: House, pooler_port: int):
    known = await house.tenancy.store.servers.by_name("main")
    assert known is not None
    assert (known.pooler_host, known.pooler_port) == ("127.0.0.1", pooler_port)
    assert known == house.tenancy.options.main_server
