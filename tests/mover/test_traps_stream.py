"""What lies between a copy and its stream is in one of them, and applied once: nothing is lost at the seams."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from second_server import SecondServer
from stream_ground import StreamGround, open_ground
from tenancy.mover.pgoutput import Change, Relation, Transaction
from tenancy.runtime import Tenancy

pytestmark = pytest.mark.usefixtures("no_move_left_open")

TABLES = "CREATE TABLE lines (tenant_id uuid, id integer, word text, PRIMARY KEY (tenant_id, id))"
PUT = "INSERT INTO lines (tenant_id, id, word) VALUES ($1, $2, 'written')"
STEP_S = 0.02
STEPS_MAX = 250


@pytest.fixture
async def ground(
    tenancy: Tenancy, administrator: Callable[..., Awaitable[asyncpg.Connection]]
) -> AsyncIterator[StreamGround]:
    async with open_ground(
        tenancy, await administrator("clinic_pool"), "main", "clinic_pool", TABLES
    ) as opened:
        yield opened


@pytest.fixture
async def far_ground(tenancy: Tenancy, elsewhere: SecondServer) -> AsyncIterator[StreamGround]:
    async with open_ground(
        tenancy, await connected(elsewhere), elsewhere.address.name, "clinic_pool", TABLES
    ) as opened:
        yield opened


async def connected(server: SecondServer) -> Any:
    return await asyncpg.connect(**(server.administrator | {"database": "clinic_pool"}))


async def until(connection: Any, question: str, *values: Any) -> None:
    """Wait until the server says yes."""
    for _ in range(STEPS_MAX):
        if await connection.fetchval(question, *values):
            return
        await asyncio.sleep(STEP_S)
    raise AssertionError(question)


def line(ground: StreamGround, number: int, at: int) -> Transaction:
    """A transaction of the stream that inserts one line; its records take ten bytes of the log."""
    relation = Relation(
        1, ground.source.schema, "lines", ("tenant_id", "id", "word"), ("tenant_id", "id")
    )
    change = Change("insert", relation, None, (str(ground.tenant_id), str(number), "written"))
    return Transaction(at, at + 10, (change,), ())


async def test_a_commit_record_right_after_another_one_is_applied_and_only_once(
    ground: StreamGround,
):
    first, second = line(ground, 1, 100), line(ground, 2, 110)
    assert second.commit_lsn == first.end_lsn
    applier = ground.applier()
    await applier.open()
    try:
        assert await applier.apply([first]) == 1
        assert await applier.apply([first, second]) == 1
        for again in ([first], [second], [first, second]):
            assert await applier.apply(again) == 0
    finally:
        await applier.close()
    # A mover that takes over knows it from the target.
    heir = ground.applier()
    await heir.open()
    try:
        assert await heir.apply([first, second]) == 0
    finally:
        await heir.close()
    assert (await ground.counts(ground.target))["lines"].rows == 2


async def test_a_way_back_follows_exactly_to_a_position_between_two_commit_records(
    ground: StreamGround,
):
    await ground.replication.create_plain_slot(ground.names)
    async with ground.stream() as stream:
        await ground.connection.execute(PUT, ground.tenant_id, 1)
        between = await ground.connection.fetchval(
            "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
        )
        await ground.connection.execute(PUT, ground.tenant_id, 2)
        await stream.follow_to(between)
        assert (await ground.counts(ground.target))["lines"].rows == 1
        await stream.step()
    assert await ground.rows(ground.target) == await ground.rows(ground.source)


class StandbyThatNeverAnswers:
    """Lets commits that are to be synchronous wait for a standby that does not exist."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def __aenter__(self) -> None:
        await self._tell("'nobody'")

    async def __aexit__(self, *_error: object) -> None:
        await self._tell("''")

    async def _tell(self, names: str) -> None:
        await self._connection.execute("SET synchronous_commit = off")
        await self._connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = {names}")
        await self._connection.execute("SELECT pg_reload_conf()")
        await until(
            self._connection,
            "SELECT setting = $1 FROM pg_settings WHERE name = 'synchronous_standby_names'",
            names.strip("'"),
        )


async def test_what_is_committed_but_not_visible_yet_is_in_the_copy_or_in_the_stream(
    far_ground: StreamGround, elsewhere: SecondServer
):
    ground = far_ground
    first, second, writer, reader = [await connected(elsewhere) for _ in range(4)]
    take_number = "BEGIN; SELECT pg_current_xact_id()"
    waits_for = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted"
    try:
        await writer.execute("SET synchronous_commit = on")
        async with StandbyThatNeverAnswers(ground.connection):
            # A slot waits for the writes that run when it begins, then for those that run when they have ended ...
            await first.execute(take_number)
            creating = asyncio.ensure_future(ground.replication.create_slot(ground.names))
            await until(reader, waits_for)
            await second.execute(take_number)
            await first.execute("ROLLBACK")
            await until(
                reader,
                f"{waits_for} AND transactionid = (SELECT transactionid FROM pg_locks"
                " WHERE locktype = 'transactionid' AND pid = $1)",
                second.get_server_pid(),
            )
            # ... and for no others: this one has its commit record before the slot's beginning, and is not visible.
            table = f"{ground.source.schema}.lines"
            committing = asyncio.ensure_future(
                writer.execute(
                    f"INSERT INTO {table} VALUES ('{ground.tenant_id}', 1, 'acknowledged')"
                )
            )
            await until(
                reader,
                "SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $1",
                writer.get_server_pid(),
            )
            await second.execute("ROLLBACK")
            holder = await creating
            visible = await reader.fetchval(f"SELECT count(*) FROM {table}")
            await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            await reader.execute(f"SET TRANSACTION SNAPSHOT '{holder.snapshot}'")
            copied = await reader.fetchval(f"SELECT count(*) FROM {table}")
            assert not committing.done()
        await committing
        await holder.release()
        async with ground.stream() as stream:
            streamed = await stream.step()
    finally:
        for connection in (first, second, writer, reader):
            connection.terminate()
    assert (visible, streamed) == (0, 0), "the race did not come about"
    assert copied == 1
