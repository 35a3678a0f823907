"""What PostgreSQL does to whoever follows a log: rules of the stream that are easily lost, each on two bare schemas."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from stream_ground import StreamGround, open_ground
from tenancy.mover.errors import AttemptLostError, SlotLostError, TablesChangedError
from tenancy.mover.pgoutput import Change, Relation, Transaction
from tenancy.mover.stream import CAUGHT_UP_CHANGES_MAX, RESTART_LAG, RESTART_LAG_BYTES_MAX
from tenancy.runtime import Tenancy

pytestmark = pytest.mark.usefixtures("no_move_left_open")

TABLES = """
CREATE TABLE lines (tenant_id uuid, id integer, word text, PRIMARY KEY (tenant_id, id));
CREATE TABLE notes (tenant_id uuid, id integer, line_id integer NOT NULL, PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, line_id) REFERENCES lines (tenant_id, id))
"""
NOISY = """
CREATE FUNCTION {schema}.object() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'fired a second time'; END $$;
CREATE TRIGGER second_time BEFORE INSERT OR UPDATE OR DELETE ON {schema}.lines
  FOR EACH ROW EXECUTE FUNCTION {schema}.object()
"""
PUT = "INSERT INTO lines (tenant_id, id, word) SELECT $1, n, 'written' FROM generate_series($2::integer, $3) n"
SEGMENT_OCTETS = 1_000_000
FAR = 2**60


@pytest.fixture
async def ground(
    tenancy: Tenancy, administrator: Callable[..., Awaitable[asyncpg.Connection]]
) -> AsyncIterator[StreamGround]:
    async with open_ground(
        tenancy, await administrator("clinic_pool"), "main", "clinic_pool", TABLES
    ) as opened:
        await opened.replication.create_plain_slot(opened.names)
        yield opened


def changing(ground: StreamGround, kind: str, number: int, at: int = FAR) -> Transaction:
    """A transaction that inserts, changes or deletes one line; its records take ten bytes of the log."""
    relation = Relation(
        1, ground.source.schema, "lines", ("tenant_id", "id", "word"), ("tenant_id", "id")
    )
    row = (str(ground.tenant_id), str(number), "changed")
    old, new = (row, None) if kind == "delete" else (None, row)
    return Transaction(at, at + 10, (Change(kind, relation, old, new),), ())


@pytest.mark.parametrize("kind", ["update", "delete"])
async def test_a_change_of_a_row_that_is_not_there_is_an_error(ground: StreamGround, kind: str):
    applier = ground.applier()
    await applier.open()
    try:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await applier.apply([changing(ground, kind, 1)])
    finally:
        await applier.close()
    async with ground.stream() as stream:
        assert stream.applier.applied_lsn < FAR


async def test_no_trigger_fires_a_second_time_and_no_key_is_asked_for_too_early(
    ground: StreamGround,
):
    await ground.connection.execute(NOISY.format(schema=ground.target.schema))
    async with ground.stream() as stream:
        await ground.connection.execute(PUT, ground.tenant_id, 1, 3)
        # Tables are applied one after another, in whatever order: a note may come before its line.
        async with ground.connection.transaction():
            await ground.connection.execute("SET CONSTRAINTS ALL DEFERRED")
            await ground.connection.execute(PUT, ground.tenant_id, 4, 4)
            await ground.connection.execute(
                "INSERT INTO notes (tenant_id, id, line_id) VALUES ($1, 1, 4)", ground.tenant_id
            )
        await ground.connection.execute("UPDATE lines SET word = 'changed' WHERE id = 2")
        await ground.connection.execute("DELETE FROM lines WHERE id = 3")
        await stream.step()
    assert await ground.rows(ground.target) == await ground.rows(ground.source)


async def test_rows_of_other_clinics_are_not_in_the_stream(ground: StreamGround):
    async with ground.stream() as stream:
        await ground.connection.execute(
            "INSERT INTO lines SELECT gen_random_uuid(), n, 'of others' FROM generate_series(1, 50) n"
        )
        await ground.connection.execute(PUT, ground.tenant_id, 1, 1)
        assert await stream.step() == 1
    assert len((await ground.rows(ground.target))["lines"]) == 1


async def test_a_large_transaction_is_applied_before_the_fence_is_asked_for(ground: StreamGround):
    async with ground.stream() as stream:
        await ground.connection.execute(PUT, ground.tenant_id, 1, 30_000)
        await ground.connection.execute(PUT, ground.tenant_id, 30_001, 30_500)
        await stream.catch_up()
        assert await stream.step() <= CAUGHT_UP_CHANGES_MAX
    assert len((await ground.rows(ground.target))["lines"]) == 30_500


async def test_decoding_begins_near_the_end_of_the_log(ground: StreamGround):
    """Every look at a slot decodes from its restart position on, the look inside the pause too."""
    async with ground.stream() as stream:
        for _ in range(4):
            await ground.connection.execute(
                "SELECT pg_logical_emit_message(true, 'of others', repeat('x', $1))", SEGMENT_OCTETS
            )
        lag = await ground.connection.fetchval(RESTART_LAG, ground.names.name)
        assert lag > RESTART_LAG_BYTES_MAX
        await stream.come_close()
        lag = await ground.connection.fetchval(RESTART_LAG, ground.names.name)
        assert lag <= RESTART_LAG_BYTES_MAX


async def test_a_stream_goes_on_where_the_target_says_though_the_slot_forgot(ground: StreamGround):
    """A slot's position is saved at checkpoints alone: after a crash of the server its changes come again."""
    async with ground.stream() as stream:
        await ground.connection.execute(PUT, ground.tenant_id, 1, 2)
        (seen,) = [t for t in await stream._peek(None) if t.changes]
        assert await stream.step() == 2
        assert await stream.applier.apply([seen]) == 0
    async with ground.stream() as again:
        assert await again.applier.apply([seen]) == 0


async def test_what_begins_at_a_position_is_not_before_it(
    ground: StreamGround, monkeypatch: pytest.MonkeyPatch
):
    async with ground.stream() as stream:
        first, second = (changing(ground, "insert", n, FAR + 10 * n) for n in (1, 2))
        assert first.end_lsn == second.commit_lsn

        async def both(_changes_max: int | None) -> list[Transaction]:
            return [first, second]

        monkeypatch.setattr(stream, "_peek", both)
        await stream.follow_to(second.commit_lsn)
    assert len((await ground.rows(ground.target))["lines"]) == 1


async def test_a_slot_made_anew_behind_a_stream_is_noticed_before_anything_is_applied(
    ground: StreamGround,
):
    async with ground.stream() as stream:
        await ground.connection.execute(PUT, ground.tenant_id, 1, 1)
        await stream.step()
        await ground.connection.execute(PUT, ground.tenant_id, 2, 2)
        await ground.replication.create_plain_slot(ground.names)
        await ground.connection.execute(PUT, ground.tenant_id, 3, 3)
        with pytest.raises(SlotLostError):
            await stream.step()
    assert len((await ground.rows(ground.target))["lines"]) == 1


async def test_a_column_that_is_unknown_ends_the_stream_by_its_name(ground: StreamGround):
    async with ground.stream() as stream:
        await ground.connection.execute("ALTER TABLE lines ADD COLUMN stray text")
        await ground.connection.execute(PUT, ground.tenant_id, 1, 1)
        with pytest.raises(TablesChangedError, match="stray"):
            await stream.step()


async def test_nobody_applies_under_an_attempt_that_is_not_the_streams(ground: StreamGround):
    await ground.connection.execute(
        "UPDATE tenancy.move_stream SET attempt = attempt + 1 WHERE tenant_id = $1",
        ground.tenant_id,
    )
    applier: Any = ground.applier()
    await applier.open()
    try:
        with pytest.raises(AttemptLostError):
            await applier.start_at(1)
    finally:
        await applier.close()
