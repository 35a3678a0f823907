"""What the pause compares: every touched row, more of them than fit one question, and the newest key of each table."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from stream_ground import StreamGround, open_ground
from tenancy.mover.errors import MismatchError
from tenancy.mover.touched import KEYS_A_QUERY_MAX, TouchedRows
from tenancy.runtime import Tenancy
from tenancy.tenant import Home

pytestmark = pytest.mark.usefixtures("no_move_left_open")

TABLES = """
CREATE TABLE things (tenant_id uuid, id integer, note text, PRIMARY KEY (tenant_id, id));
CREATE TABLE words (tenant_id uuid, word text COLLATE "C", note text, PRIMARY KEY (tenant_id, word));
"""
ROWS = KEYS_A_QUERY_MAX + 200


@pytest.fixture
async def ground(
    tenancy: Tenancy, administrator: Callable[..., Awaitable[asyncpg.Connection]]
) -> AsyncIterator[StreamGround]:
    async with open_ground(
        tenancy, await administrator("clinic_pool"), "main", "clinic_pool", TABLES
    ) as made:
        for home in (made.source, made.target):
            await made.connection.execute(
                f"INSERT INTO {home.schema}.things SELECT '{made.tenant_id}', n, 'same'"
                f" FROM generate_series(1, {ROWS}) n;"
                f"INSERT INTO {home.schema}.words VALUES ('{made.tenant_id}', 'it''s', 'same')"
            )
        yield made


@pytest.fixture
async def sides(
    ground: StreamGround, administrator: Callable[..., Awaitable[asyncpg.Connection]]
) -> AsyncIterator[tuple[tuple[Any, Home], tuple[Any, Home]]]:
    here, there = await administrator("clinic_pool"), await administrator("clinic_pool")
    yield (here, ground.source), (there, ground.target)
    await here.close()
    await there.close()


async def compare(ground: StreamGround, sides: Any, touched: set[Any]) -> None:
    rows = TouchedRows(ground.shapes, ground.tenant_id)
    await rows.prepare(*sides)
    await rows.compare(touched)


def things(ground: StreamGround, *ids: int) -> set[tuple[str, tuple[str | None, ...]]]:
    return {("things", (str(ground.tenant_id), str(number))) for number in ids}


async def test_equal_homes_agree_in_every_row(ground: StreamGround, sides: Any) -> None:
    words = {("words", (str(ground.tenant_id), "it's"))}
    await compare(ground, sides, things(ground, *range(1, ROWS + 1)) | words)


@pytest.mark.parametrize("number", [1, ROWS])
async def test_one_differing_row_of_many_is_seen(
    ground: StreamGround, sides: Any, number: int
) -> None:
    await ground.connection.execute(
        f"UPDATE {ground.target.schema}.things SET note = 'other' WHERE id = {number}"
    )
    with pytest.raises(MismatchError, match="things"):
        await compare(ground, sides, things(ground, *range(1, ROWS + 1)))


async def test_what_was_not_touched_is_left_to_the_full_comparison(
    ground: StreamGround, sides: Any
) -> None:
    await ground.connection.execute(
        f"UPDATE {ground.target.schema}.things SET note = 'other' WHERE id = 1"
    )
    await compare(ground, sides, things(ground, 2))


async def test_a_missing_newest_row_is_seen_untouched(ground: StreamGround, sides: Any) -> None:
    await ground.connection.execute(f"DELETE FROM {ground.target.schema}.things WHERE id = {ROWS}")
    with pytest.raises(MismatchError, match="things"):
        await compare(ground, sides, set())


async def test_a_row_that_is_gone_at_one_end_only_is_seen(ground: StreamGround, sides: Any) -> None:
    await ground.connection.execute(f"DELETE FROM {ground.source.schema}.words")
    with pytest.raises(MismatchError, match="words"):
        await compare(ground, sides, {("words", (str(ground.tenant_id), "it's"))})
