"""The two homes of a move as rows: who serves, and how what was left is removed."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg
from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.home_failures import NO_HOMES_YET
from tenancy.mover.claims import Claim, address, register_target
from tenancy.mover.errors import AttemptLostError, MoveStateError
from tenancy.mover.phases import Phase, Reached
from tenancy.mover.plan import MovePlan
from tenancy.pools import Pools
from tenancy.strategy import Strategy
from tenancy.tenant import Home, Placement, StrategyName, TenantId

READERS_S_MAX: Final = 40
"""Longer than the application role's statement and idle time-outs: after it, nobody can still read a home that was left."""

READERS_WAIT_MS_FIRST: Final = 20.0
READERS_WAIT_GROWTH: Final = 1.15
READERS_WAIT_MS_MAX: Final = 200.0
"""Readers of another clinic whose lock has the same number queue behind one who waits for it, so nobody waits long."""

READERS_PAUSE_S: Final = 0.1

HOME_STATE = """
SELECT state, epoch, attempt, move_id FROM tenancy.tenant_home WHERE tenant_id = $1 AND schema_name = $2
"""
UNUSED: Final = frozenset({"loading", "ready"})
"""The states of a home that a move was about to bring a clinic to, while the clinic's own home is `active`."""

SHARED_FENCE = "SELECT pg_catalog.pg_advisory_xact_lock_shared(7301, tenancy.fence_key($1))"
HOLD = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0;"
HELD_STATE = HOME_STATE + " FOR SHARE"
# A hash of clinic and epoch: with a collision it waits for another clinic's readers too, and they ask again meanwhile.
READERS_GONE = (
    "SELECT pg_catalog.pg_advisory_xact_lock(7307, pg_catalog.uuid_hash($1) # $2::integer)"
)


class HomeRow(Struct, frozen=True):
    """What a home says about itself."""

    state: str
    epoch: int
    attempt: int
    move_id: Any


class HomeRows:
    """Reads and changes the rows of `tenancy.tenant_home` as the mover."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def connect(self, home: Home) -> Any:
        """Return a connection to the home's database as the mover."""
        return await self._pools.connect(home.server, home.database, DatabaseRole.MOVER)

    async def settled(self, placement: Placement) -> HomeRow | None:
        """Return the row as it is when no cut-over is under way: after waiting for one that still may decide.

        This is the one question that recovery asks of the source. None where there is no such row or database, nor
        where the database has not got its homes yet: who made it died in between.
        """
        try:
            connection = await self.connect(placement.home)
        except asyncpg.InvalidCatalogNameError:
            return None
        try:
            async with connection.transaction():
                await connection.execute(SHARED_FENCE, placement.tenant_id)
                row = await connection.fetchrow(
                    HOME_STATE, placement.tenant_id, placement.home.schema
                )
        except NO_HOMES_YET:
            return None
        finally:
            await connection.close()
        return None if row is None else HomeRow(*row)

    async def require_attempt(self, plan: MovePlan, attempt: int) -> None:
        """Raise `AttemptLostError` unless `attempt` is the newest at the source, which knows of every one."""
        await Claim(pools=self._pools, source=plan.source, attempt=attempt).check()

    async def activate(self, plan: MovePlan, attempt: int) -> None:
        """Let the target, which serves already, say so; nothing else depends on it."""
        connection = await self.connect(plan.target.home)
        try:
            await connection.execute(
                "UPDATE tenancy.tenant_home SET state = 'active', changed_at = now()"
                " WHERE tenant_id = $1 AND schema_name = $2 AND state = 'ready' AND epoch = $3 AND attempt = $4",
                plan.tenant_id,
                plan.target.home.schema,
                plan.target.epoch,
                attempt,
            )
        finally:
            await connection.close()

    async def unready(self, plan: MovePlan, attempt: int, state: str) -> None:
        """Take back `ready` after a cut-over that did not decide; only after the source was seen to be undecided."""
        connection = await self.connect(plan.target.home)
        try:
            await connection.execute(
                "UPDATE tenancy.tenant_home SET state = $5, epoch = $6, forward_to = $7, changed_at = now()"
                " WHERE tenant_id = $1 AND schema_name = $2 AND state = 'ready' AND epoch = $3 AND attempt = $4",
                plan.tenant_id,
                plan.target.home.schema,
                plan.target.epoch,
                attempt,
                state,
                plan.source.epoch,
                address(plan.source),
            )
        finally:
            await connection.close()


class Purge:
    """Removes a tenant's rows from a home that it does not live in."""

    def __init__(
        self, pools: Pools, strategies: Mapping[StrategyName, Strategy], reached: Reached
    ) -> None:
        self._rows = HomeRows(pools)
        self._strategies = strategies
        self._reached = reached

    async def left_home(self, left: Placement, attempt: int) -> None:
        """Remove what is left at a home that was moved away from; its row goes on telling where to.

        Waits for whoever still reads there. The row is held under the attempt until everything is gone: a mover that
        was taken over meanwhile finds another attempt, and nobody comes back in between. Raises `MoveStateError`
        unless the home says that it was left, `AttemptLostError`.
        """
        try:
            connection = await self._rows.connect(left.home)
        except asyncpg.InvalidCatalogNameError:
            return
        try:
            await self._readers_gone(connection, left)
            await connection.execute(HOLD)
            row = await connection.fetchrow(HELD_STATE, left.tenant_id, left.home.schema)
            if row is None or row["state"] != "moved":
                raise MoveStateError("the clinic still lives at the home that was to be removed")
            if row["attempt"] != attempt:
                raise AttemptLostError
            await self._remove(left.tenant_id, left)
        finally:
            # A database takes the connection along when it goes.
            connection.terminate()

    async def _readers_gone(self, connection: Any, left: Placement) -> None:
        """Wait until nobody is left who came in before the clinic was gone; raise `MoveStateError` after a while.

        Their lock need not be kept: who takes it from now on reads that the clinic is gone.
        """
        loop, wait_ms = asyncio.get_running_loop(), READERS_WAIT_MS_FIRST
        deadline = loop.time() + READERS_S_MAX
        while loop.time() < deadline:
            await connection.execute(f"SET lock_timeout = '{round(wait_ms)}ms'")
            try:
                await connection.execute(READERS_GONE, left.tenant_id, left.epoch)
            except asyncpg.LockNotAvailableError:
                await asyncio.sleep(READERS_PAUSE_S)
                wait_ms = min(wait_ms * READERS_WAIT_GROWTH, READERS_WAIT_MS_MAX)
            else:
                await connection.execute("RESET lock_timeout")
                return
        raise MoveStateError("somebody still reads at the home that was to be removed")

    async def database_exists(self, placement: Placement) -> bool:
        """Return whether the home's database is there to be looked at."""
        try:
            connection = await self._rows.connect(placement.home)
        except asyncpg.InvalidCatalogNameError:
            return False
        await connection.close()
        return True

    async def unused_target(self, plan: MovePlan, attempt: int) -> None:
        """Remove a target that never served, its row too; `attempt` must be the newest at the source.

        From here on no earlier mover can write there. Raises `MoveStateError` if it serves, `AttemptLostError`.
        """
        target = plan.target
        await self._rows.require_attempt(plan, attempt)
        connection = await self._rows.connect(target.home)
        try:
            # Without homes: who made the database died in between, and nothing ever served there.
            with suppress(*NO_HOMES_YET):
                await self._claim(connection, plan, attempt)
            try:
                # Once more under the row's lock: whoever has ended the move in between had a newer attempt.
                await self._rows.require_attempt(plan, attempt)
            except AttemptLostError:
                connection.terminate()
                await self._forget(plan, attempt)
                raise
            await self._remove(target.tenant_id, target)
        finally:
            connection.terminate()
        await self._forget(plan, attempt)

    async def made_too_late(self, plan: MovePlan, attempt: int) -> None:
        """Remove a target that was made under an attempt that is lost, unless the successor has taken it already."""
        target = plan.target
        try:
            connection = await self._rows.connect(target.home)
        except asyncpg.InvalidCatalogNameError:
            return
        try:
            await connection.execute(HOLD)
            held = await connection.fetchrow(HELD_STATE, target.tenant_id, target.home.schema)
            mine = ("loading", attempt, plan.move_id)
            if held is None or (held["state"], held["attempt"], held["move_id"]) != mine:
                return
            await self._remove(target.tenant_id, target)
        finally:
            connection.terminate()
        await self._forget(plan, attempt)

    async def _claim(self, connection: Any, plan: MovePlan, attempt: int) -> None:
        """Take the target under the attempt and hold its row while it is removed."""
        target = plan.target
        row = await connection.fetchrow(HOME_STATE, target.tenant_id, target.home.schema)
        if row is not None and row["state"] == "active":
            raise MoveStateError("the target serves the clinic")
        # A row of a move that the registry has lost is no reason to leave the home alone; one that was left by the clinic is.
        if row is None or row["move_id"] == plan.move_id or row["state"] != "moved":
            await register_target(connection, plan, attempt)
        await connection.execute(HOLD)
        held = await connection.fetchrow(HELD_STATE, target.tenant_id, target.home.schema)
        if held is None or (held["attempt"] != attempt and held["state"] != "moved"):
            raise AttemptLostError

    async def _forget(self, plan: MovePlan, attempt: int) -> None:
        """Remove the target's row, if it is this attempt's; a database that was dropped took it along."""
        try:
            connection = await self._rows.connect(plan.target.home)
        except asyncpg.InvalidCatalogNameError:
            return
        try:
            for table in ("tenant_home", "move_stream"):
                await connection.execute(
                    f"DELETE FROM tenancy.{table}"
                    " WHERE tenant_id = $1 AND schema_name = $2 AND move_id = $3 AND attempt = $4",
                    plan.tenant_id,
                    plan.target.home.schema,
                    plan.move_id,
                    attempt,
                )
        finally:
            await connection.close()

    async def _remove(self, tenant_id: TenantId, placement: Placement) -> None:
        strategy = self._strategies[placement.strategy]
        await strategy.remove(tenant_id, placement.home)
        self._reached(Phase.PURGE_BATCH)
