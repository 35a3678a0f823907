"""Moves in tests: a mover for a tenancy, and what a clinic's home holds."""

from contextlib import suppress
from typing import Any

import asyncpg

from tenancy.credentials import DatabaseRole
from tenancy.errors import TenancyError
from tenancy.mover.mover import Mover, MoveRequest
from tenancy.mover.parts import MoverParts
from tenancy.mover.phases import Reached, nothing_happens
from tenancy.mover.progress import TableCount
from tenancy.mover.tables import read_shapes
from tenancy.mover.verify import count_table
from tenancy.registry.move_records import MoveRecord, MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, StrategyName, TenantId

OPEN_MOVES_MAX = 100


def mover_of(
    tenancy: Tenancy, *, worker: str = "the tests", reached: Reached = nothing_happens
) -> Mover:
    return Mover(
        MoverParts(
            pools=tenancy.pools,
            store=tenancy.store,
            installer=tenancy.installer,
            strategies=tenancy.strategies,
            worker=worker,
            forget=tenancy.directory.forget,
            reached=reached,
        )
    )


async def move(
    tenancy: Tenancy,
    tenant_id: TenantId,
    strategy: StrategyName,
    server: str | None = None,
    **more: Any,
) -> MoveRecord:
    """Move a clinic until it serves at its new home, compared."""
    mover = mover_of(tenancy)
    request = MoveRequest(tenant_id=tenant_id, strategy=strategy, server=server, **more)
    record = await mover.start(request, actor=PlatformActor())
    return await mover.work(record.id, stays=False)


async def end_open_moves(tenancy: Tenancy) -> None:
    """End what a test has left under way: each such move keeps a slot, and the server's log for it."""
    moves, mover = tenancy.store.moves, mover_of(tenancy, worker="who tidies up")
    for left in await moves.page(limit=OPEN_MOVES_MAX):
        if left.status.is_ended:
            continue
        wanted = "abort" if left.status is MoveStatus.RUNNING else "finish"
        await moves.note(left.id, worker=None, wanted=wanted)
        with suppress(TenancyError, asyncpg.PostgresError):
            record = await mover.work(left.id, stays=False)
            if record.status is MoveStatus.GRACE:
                await moves.note(left.id, worker=None, wanted="finish")
                await mover.work(left.id)


async def placement_of(tenancy: Tenancy, tenant_id: TenantId) -> Placement:
    record = await tenancy.store.tenants.by_id(tenant_id)
    assert record is not None
    assert record.placement is not None
    return record.placement


async def contents(tenancy: Tenancy, placement: Placement) -> dict[str, TableCount]:
    """Return rows and hash of every table of the clinic at a home."""
    home = placement.home
    connection = await tenancy.pools.connect(home.server, home.database, DatabaseRole.MOVER)
    try:
        shapes = await read_shapes(connection, home.schema)
        return {
            name: await count_table(connection, home, shape, placement.tenant_id)
            for name, shape in shapes.items()
        }
    finally:
        await connection.close()
