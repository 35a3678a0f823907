"""Empties a server: takes no new clinics for it, and moves those it has to others while they work."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final
from uuid import UUID

import asyncpg
from msgspec import Struct
from sqlalchemy.exc import SQLAlchemyError

from tenancy.errors import TenancyError
from tenancy.mover.errors import AttemptLostError, MoveInProgressError
from tenancy.mover.mover import Mover, MoveRequest
from tenancy.registry.records import PlatformActor, TenantRecord
from tenancy.runtime import Tenancy
from tenancy.tenant import TenantId

MOVES_AT_ONCE_DEFAULT: Final = 2
"""A move keeps two processors busy while it copies."""

MOVES_AT_ONCE_MAX: Final = 16
TENANT_PAGE: Final = 500
LOOK_S: Final = 0.5

_FAILURES = (TenancyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, SQLAlchemyError)


class Drained(Struct, frozen=True, kw_only=True):
    """What became of one clinic of the server; `error` is None when it has left."""

    tenant_id: TenantId
    slug: str
    target: str | None = None
    error: str | None = None


DrainProgress = Callable[[Drained, int, int], None]
"""Called after each clinic with what became of it, how many were tried and how many there were."""


class Drain:
    """One run that empties a server. Whatever it leaves, the next run goes on with."""

    def __init__(self, tenancy: Tenancy, mover: Mover, *, actor: PlatformActor) -> None:
        self._tenancy = tenancy
        self._mover = mover
        self._actor = actor

    async def run(
        self, server: str, *, to: str | None, at_once: int, grace_s: int, progress: DrainProgress
    ) -> list[Drained]:
        """Close the server to new clinics and move its own away; return what became of each.

        Each keeps its strategy and goes to the server `to`, else to the emptiest open one. One that cannot be moved
        stays where it is, works on, and is reported; the others go on. Raises `UnknownServerError`.
        """
        store = self._tenancy.store
        await store.servers.set_status(server, "draining", actor=self._actor)
        records = [record async for record in self._clinics(server)]
        results: list[Drained] = []

        async def work(queue: Iterator[TenantRecord]) -> None:
            for record in queue:
                results.append(await self._drain(record, to, grace_s))
                progress(results[-1], len(results), len(records))

        queue = iter(records)
        async with asyncio.TaskGroup() as lanes:
            for _ in range(min(at_once, MOVES_AT_ONCE_MAX)):
                lanes.create_task(work(queue))
        return results

    async def _clinics(self, server: str) -> AsyncIterator[TenantRecord]:
        after: UUID | None = None
        while page := await self._tenancy.store.tenants.page(limit=TENANT_PAGE, after=after):
            for record in page:
                if record.placement is not None and record.placement.home.server == server:
                    yield record
            after = page[-1].id

    async def _drain(self, record: TenantRecord, to: str | None, grace_s: int) -> Drained:
        slug, tenant_id = record.slug, TenantId(record.id)
        try:
            target = await self._move(record, to, grace_s)
        except _FAILURES as error:
            return Drained(tenant_id=tenant_id, slug=slug, error=f"{error}" or type(error).__name__)
        return Drained(tenant_id=tenant_id, slug=slug, target=target)

    async def _move(self, record: TenantRecord, to: str | None, grace_s: int) -> str:
        """Move one clinic, or go on with the move it has; return where it is then."""
        assert record.placement is not None
        store, tenant_id = self._tenancy.store, TenantId(record.id)
        move = await store.moves.open_of(tenant_id)
        if move is None or move.target.home.server == record.placement.home.server:
            strategy = self._tenancy.strategies[record.placement.strategy]
            chosen = await store.servers.choose(strategy.server_tiers, to)
            request = MoveRequest(
                tenant_id=tenant_id, strategy=strategy.name, server=chosen.name, grace_s=grace_s
            )
            move = await self._mover.start(request, actor=self._actor)
        await self._until_it_has_left(move.id, stays=grace_s == 0)
        return move.target.home.server

    async def _until_it_has_left(self, move_id: UUID, *, stays: bool) -> None:
        """Work on the move, or wait for the process that does."""
        while True:
            try:
                await self._mover.work(move_id, stays=stays)
            except (MoveInProgressError, AttemptLostError):
                await asyncio.sleep(LOOK_S)
            move = await self._mover.move(move_id)
            if move.decided_at is not None and (move.status.is_ended or not stays):
                return
            if move.status.is_ended:
                raise MoveInProgressError(move.error or f"the move is {move.status.value}")
