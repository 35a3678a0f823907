"""A move whose new home's server is dead can be given up; when it is back, the clinic can move there after all."""

from collections.abc import Awaitable, Callable
from copy import copy
from uuid import UUID

import asyncpg
import pytest

from asleep import WORKER, sleep_at
from clinics import Clinic
from moves import contents, move, mover_of, placement_of
from second_server import LOOPBACK, SecondServer, free_port
from tenancy.mover import run
from tenancy.mover.mover import MoveRequest
from tenancy.mover.phases import Phase
from tenancy.mover.plan import StreamNames
from tenancy.mover.slots import Replication
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Server, StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

OPERATOR = PlatformActor()
SLOTS = "SELECT slot_name::text FROM pg_replication_slots WHERE slot_name LIKE $1"


def without(tenancy: Tenancy, server: str) -> Tenancy:
    """Return a process for which nobody listens at this server's address."""
    find, nowhere = tenancy.pools._servers, Server(name=server, host=LOOPBACK, port=free_port())

    async def find_or_miss(name: str) -> Server:
        return nowhere if name == server else await find(name)

    cut_off = copy(tenancy)
    cut_off.pools = tenancy.pools.named("cut off")
    cut_off.pools._servers = find_or_miss
    return cut_off


async def slots_of(move_id: UUID, server: SecondServer) -> list[str]:
    """For which streams of a move the server still keeps its log."""
    connection = await asyncpg.connect(**server.administrator)
    try:
        rows = await connection.fetch(SLOTS, f"move_{move_id.hex}%")
    finally:
        await connection.close()
    return [row[0] for row in rows]


@pytest.mark.parametrize("target", list(StrategyName), ids=str)
async def test_a_move_to_a_dead_server_is_given_up_and_can_be_made_later(
    tenancy: Tenancy,
    elsewhere: SecondServer,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
    target: StrategyName,
):
    monkeypatch.setattr(run, "TARGET_LOOK_PAUSE_S", 0.01)
    clinic, server = await make_clinic(StrategyName.ROW), elsewhere.address.name
    before = await placement_of(tenancy, clinic.tenant_id)
    held = await contents(tenancy, before)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=target, server=server)
    started = await mover_of(tenancy).start(request, actor=OPERATOR)
    await sleep_at(tenancy, started.id, Phase.CAUGHT_UP)
    await tenancy.store.moves.release(started.id, WORKER)

    cut_off = mover_of(without(tenancy, server))
    await cut_off.want(started.id, "abort", actor=OPERATOR)
    ended = await cut_off.work(started.id)

    assert (ended.status, ended.error) == (MoveStatus.ABORTED, run.LEFT_BEHIND)
    assert await placement_of(tenancy, clinic.tenant_id) == before
    assert len(await slots_of(started.id, elsewhere)) == 1
    moved = await move(tenancy, clinic.tenant_id, target, server)
    assert (moved.status, moved.error) == (MoveStatus.GRACE, None)
    now = await contents(tenancy, await placement_of(tenancy, clinic.tenant_id))
    assert {name: count.rows for name, count in now.items()} == {
        name: count.rows for name, count in held.items()
    }
    # In shared tables the stream of the first move is the doctor's to name.
    assert len(await slots_of(started.id, elsewhere)) == (target is StrategyName.ROW)
    await Replication(tenancy.pools, started.target.home).withdraw(StreamNames.reverse(started.id))
