"""Brings the fleet to the newest revision: what the ledger says is behind, several homes at once, past those that fail."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Final

from msgspec import Struct, structs
from sqlalchemy.exc import SQLAlchemyError

from tenancy.bootstrap import make_ready
from tenancy.fleet.homes import every_shared_home
from tenancy.fleet.lane import HomeMigration, MigrationLane
from tenancy.installer import database_revision
from tenancy.migrations import TENANT_TREE, head_revision
from tenancy.registry.home_revisions import HomeState
from tenancy.runtime import Tenancy
from tenancy.tenant import Home

LANES_A_SERVER_MAX: Final = 4
"""A server's processors are the clinics' first."""

HOMES_A_TURN_MAX: Final = 50
LEDGER_PAUSE_S: Final = 0.2
"""What a killed run has done in this time is looked at once more by the next one, and found done."""

FAILURES_MAX: Final = 20

MigrationProgress = Callable[[HomeMigration, int, int], None]
"""Called after each home with its result, how many are done and how many there are."""


class MigrationScope(Struct, frozen=True, kw_only=True):
    """Which homes are wanted, who goes first, and when it is enough."""

    slugs: tuple[str, ...] = ()
    """Clinics; without any, all of them. A clinic that shares its home brings the others of that home with it."""

    servers: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()
    """Clinics whose homes are brought on first; if one of these fails, the others are left as they are."""

    every: bool = False
    """Look at each home, also where the ledger says that nothing is to be done."""

    failures_max: int = FAILURES_MAX


class FleetMigration:
    """One run over the fleet."""

    def __init__(
        self, tenancy: Tenancy, scope: MigrationScope, progress: MigrationProgress
    ) -> None:
        self._tenancy = tenancy
        self._scope = scope
        self._progress = progress
        self._results: list[HomeMigration] = []
        self._unwritten: list[HomeState] = []
        self._equipped: set[tuple[str, str]] = set()
        self._ways_back: dict[Home, list[str]] = {}
        self._total = 0
        self._failures = 0

    async def run(self) -> list[HomeMigration]:
        """Return what became of each home that was behind; those that were not come to are not among them."""
        homes = [state.home for state in await self.behind()]
        self._total = len(homes)
        is_over = asyncio.Event()
        writing = asyncio.ensure_future(self._keep_writing(is_over))
        try:
            await self._in_rings(homes)
        finally:
            # Let it end: what it is just writing would be lost with it.
            is_over.set()
            await asyncio.wait({writing})
            await self._write()
        store = self._tenancy.store
        await store.home_revisions.forget_gone(await every_shared_home(self._tenancy))
        for server in await store.servers.all():
            await make_ready(self._tenancy.strategies.values(), server.name)
        return self._results

    async def behind(self) -> list[HomeState]:
        """Return the homes that are to be looked at, by server and database: one query, however many clinics there are."""
        return await self._known(self._scope.slugs, every=self._scope.every)

    async def _known(self, slugs: Sequence[str], *, every: bool) -> list[HomeState]:
        return await self._tenancy.store.home_revisions.homes(
            head_revision(TENANT_TREE),
            database_revision(),
            await every_shared_home(self._tenancy),
            slugs=slugs,
            servers=self._scope.servers,
            every=every,
        )

    async def _in_rings(self, homes: Sequence[Home]) -> None:
        first: set[Home] = set()
        if self._scope.canaries:
            first = {state.home for state in await self._known(self._scope.canaries, every=True)}
            await self._ring([home for home in homes if home in first])
            if self._failures:
                return
        await self._ring([home for home in homes if home not in first])

    async def _ring(self, homes: Sequence[Home]) -> None:
        """Bring homes on, so many lanes at once on each server."""
        by_server: dict[str, list[Sequence[Home]]] = {}
        for (server, _), group in groupby(homes, lambda home: (home.server, home.database)):
            same = list(group)
            by_server.setdefault(server, []).extend(
                same[at : at + HOMES_A_TURN_MAX] for at in range(0, len(same), HOMES_A_TURN_MAX)
            )
        await self._learn_ways_back()
        async with asyncio.TaskGroup() as lanes:
            for turns in by_server.values():
                queue = iter(turns)
                for _ in range(min(LANES_A_SERVER_MAX, len(turns))):
                    lanes.create_task(self._lane(queue))

    async def _lane(self, turns: Iterator[Sequence[Home]]) -> None:
        for homes in turns:
            lane = MigrationLane(self._tenancy, homes[0].server, homes[0].database, self._equipped)
            results = lane.run(homes)
            try:
                async for result in results:
                    self._note(result)
                    if self._is_enough:
                        return
            finally:
                await results.aclose()

    @property
    def _is_enough(self) -> bool:
        return self._failures >= self._scope.failures_max

    async def _learn_ways_back(self) -> None:
        """Look which clinics could still go back: not any more, once one of their homes is brought on.

        Nothing is done about them here: whoever keeps a way back, or is asked to go it, looks at the tables.
        """
        self._ways_back.clear()
        for move in await self._tenancy.store.moves.in_grace():
            for placement in (move.source, move.target):
                self._ways_back.setdefault(placement.home, []).append(str(move.id))

    def _note(self, result: HomeMigration) -> None:
        if result.before != result.after and (ended := self._ways_back.get(result.home)):
            told = f"ends the way back of moves in grace: {', '.join(ended)}"
            result = structs.replace(result, note=told)
        self._results.append(result)
        self._failures += result.error is not None
        self._unwritten.append(
            HomeState(
                home=result.home,
                revision=result.after,
                gate=None if result.error else database_revision(),
                error=result.error,
            )
        )
        self._progress(result, len(self._results), self._total)

    async def _keep_writing(self, is_over: asyncio.Event) -> None:
        """Write down several times a second what was done; a registry that is out of reach is tried again."""
        while not is_over.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LEDGER_PAUSE_S):
                    await is_over.wait()
            with suppress(SQLAlchemyError, OSError, TimeoutError):
                await self._write()

    async def _write(self) -> None:
        states = self._unwritten[:]
        await self._tenancy.store.home_revisions.write(states)
        del self._unwritten[: len(states)]
