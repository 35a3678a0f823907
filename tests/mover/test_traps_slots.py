"""A server that keeps too little of its log ends a move or its way back with clear words; the clinic works on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from asleep import ended, work_claimed
from clinics import Clinic
from domain.actor import Role
from moves import move, mover_of, placement_of
from second_server import SecondServer
from tenancy.mover import forward
from tenancy.mover.copy import Copy
from tenancy.mover.errors import SlotLostError, WayBackGoneError
from tenancy.mover.mover import MoveRequest
from tenancy.mover.tables import Shapes
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
OPERATOR = PlatformActor()
SEGMENTS = 4
STEPS_MAX = 250
STEP_S = 0.02


class ForgetfulServer:
    """The second server, while it keeps hardly any of its log for slots."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def keep(self, size: str) -> None:
        """Keep so much of the log for slots."""
        await self._connection.execute(f"ALTER SYSTEM SET max_slot_wal_keep_size = '{size}'")
        await self._connection.execute("SELECT pg_reload_conf()")

    async def lose_slots(self, move_id: UUID) -> None:
        """Write so much that the slots of the move are lost."""
        for _ in range(SEGMENTS):
            await self._connection.execute(
                "SELECT pg_logical_emit_message(true, 'of no use', 'to anybody')"
            )
            await self._connection.execute("SELECT pg_switch_wal()")
        for _ in range(STEPS_MAX):
            await self._connection.execute("CHECKPOINT")
            kept = await self.slots(move_id, "wal_status <> 'lost'")
            if not kept:
                return
            await asyncio.sleep(STEP_S)
        raise AssertionError(f"{kept} were not lost")

    async def slots(self, move_id: UUID, condition: str = "true") -> list[str]:
        """Return the names of the move's slots."""
        rows = await self._connection.fetch(
            f"SELECT slot_name::text FROM pg_replication_slots WHERE slot_name LIKE $1 AND {condition}",
            f"move_{move_id.hex}%",
        )
        return [name for (name,) in rows]


@pytest.fixture
async def forgetful(elsewhere: SecondServer) -> AsyncIterator[ForgetfulServer]:
    connection = await asyncpg.connect(**elsewhere.administrator)
    server = ForgetfulServer(connection)
    await server.keep("1MB")
    yield server
    await server.keep("-1")
    await connection.close()


async def test_a_slot_that_is_lost_before_the_decision_ends_the_move(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    forgetful: ForgetfulServer,
    elsewhere: SecondServer,
    monkeypatch: pytest.MonkeyPatch,
):
    clinic = await make_clinic(ROW)
    mover = mover_of(tenancy)
    there = await move(tenancy, clinic.tenant_id, ROW, elsewhere.address.name)
    await mover.want(there.id, "finish", actor=OPERATOR)
    assert (await mover.settle(there.id)).status is MoveStatus.FINISHED

    back = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=SCHEMA, server="main"), actor=OPERATOR
    )

    class LongCopy(Copy):
        """A copy during which more is written than the server keeps."""

        async def run(self, shapes: Shapes, snapshot: str | None) -> None:
            await super().run(shapes, snapshot)
            await forgetful.lose_slots(back.id)

    monkeypatch.setattr(forward, "Copy", LongCopy)
    with pytest.raises(SlotLostError):
        await mover.work(back.id)

    ended = await mover.move(back.id)
    assert ended.status is MoveStatus.ABORTED
    assert "max_slot_wal_keep_size" in (ended.error or "")
    assert await forgetful.slots(back.id) == []
    assert (await placement_of(tenancy, clinic.tenant_id)).home == there.target.home
    await clinic.add_user(Role.ADMIN)


async def test_a_way_back_that_is_lost_is_given_up_and_the_move_ends(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    forgetful: ForgetfulServer,
    elsewhere: SecondServer,
):
    clinic = await make_clinic(ROW)
    mover = mover_of(tenancy)
    started = await mover.start(
        MoveRequest(tenant_id=clinic.tenant_id, strategy=ROW, server=elsewhere.address.name),
        actor=OPERATOR,
    )
    await work_claimed(tenancy, started.id)
    await forgetful.lose_slots(started.id)
    await clinic.add_user(Role.ADMIN)

    await mover.want(started.id, "rollback", actor=OPERATOR)
    with pytest.raises(WayBackGoneError, match="max_slot_wal_keep_size"):
        await work_claimed(tenancy, started.id)
    assert (await mover.move(started.id)).status is MoveStatus.GRACE
    await clinic.add_user(Role.ADMIN)

    assert (await ended(tenancy, started.id, "finish")).status is MoveStatus.FINISHED
    assert await forgetful.slots(started.id) == []
    assert (await placement_of(tenancy, clinic.tenant_id)).home == started.target.home
    await clinic.add_user(Role.ADMIN)
