"""The attempt of a move, as both homes know it.

Every write of a mover is tied to it, so that a mover that was taken over can change nothing any more, however long it
slept.
"""

from typing import Any

import asyncpg
import msgspec
from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.mover.errors import AttemptLostError, MoveStateError
from tenancy.mover.plan import MovePlan
from tenancy.pools import Pools
from tenancy.tenant import Home, Placement

SOURCE_ATTEMPT = """
UPDATE tenancy.tenant_home SET attempt = greatest(attempt, $5) + 1, move_id = $4
 WHERE tenant_id = $1 AND schema_name = $2 AND epoch = $3 AND state = $6
RETURNING attempt
"""

# Never a home that serves: only one that is empty, was left, or was being loaded by an earlier attempt.
TARGET_ATTEMPT = """
INSERT INTO tenancy.tenant_home AS h (tenant_id, schema_name, strategy, epoch, state, forward_to, move_id, attempt)
VALUES ($1, $2, $3, $4, 'loading', $5, $6, $7)
ON CONFLICT (tenant_id, schema_name) DO UPDATE
   SET strategy = excluded.strategy, epoch = excluded.epoch, state = 'loading', forward_to = excluded.forward_to,
       move_id = excluded.move_id, attempt = excluded.attempt, changed_at = now()
 WHERE h.attempt < excluded.attempt AND h.state <> 'active'
RETURNING attempt
"""

STREAM_ATTEMPT = """
INSERT INTO tenancy.move_stream AS s (tenant_id, schema_name, move_id, attempt) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, schema_name) DO UPDATE
   SET attempt = excluded.attempt, move_id = excluded.move_id,
       applied_lsn = CASE WHEN s.move_id = excluded.move_id THEN s.applied_lsn END,
       reverse_lsn = CASE WHEN s.move_id = excluded.move_id THEN s.reverse_lsn END
 WHERE s.attempt < excluded.attempt
"""

# In the transaction that publishes: who takes over waits for it, or is waited for.
HOLD_ATTEMPT = """
SELECT 1 FROM tenancy.tenant_home WHERE tenant_id = $1 AND schema_name = $2 AND attempt = $3 FOR SHARE
"""
HAS_ATTEMPT = """
SELECT 1 FROM tenancy.tenant_home WHERE tenant_id = $1 AND schema_name = $2 AND attempt = $3
"""

HOLD_LOADING = """
SELECT 1 FROM tenancy.tenant_home
 WHERE tenant_id = $1 AND schema_name = $2 AND attempt = $3 AND state = 'loading' FOR SHARE
"""


async def register_source(connection: Any, plan: MovePlan, *, known: int, state: str) -> int:
    """Take the next attempt at the source in `state`; return its number. Raises `MoveStateError`."""
    source = plan.source
    epoch = source.epoch if state == "active" else plan.target.epoch
    attempt = await connection.fetchval(
        SOURCE_ATTEMPT,
        source.tenant_id,
        source.home.schema,
        epoch,
        plan.move_id,
        known,
        state,
    )
    if attempt is None:
        raise MoveStateError("the clinic is not at the home that the move starts from")
    return int(attempt)


async def register_target(connection: Any, plan: MovePlan, attempt: int) -> None:
    """Make the target `loading` under this attempt, with the way to the source for whoever asks there."""
    target = plan.target
    async with connection.transaction():
        granted = await connection.fetchval(
            TARGET_ATTEMPT,
            target.tenant_id,
            target.home.schema,
            target.strategy.value,
            plan.source.epoch,
            address(plan.source),
            plan.move_id,
            attempt,
        )
        if granted is None:
            raise AttemptLostError
        await register_stream(connection, target, plan, attempt)


async def register_stream(
    connection: Any, placement: Placement, plan: MovePlan, attempt: int
) -> None:
    """Tie the stream into a home to this attempt; what was applied before stays known."""
    done = await connection.execute(
        STREAM_ATTEMPT, placement.tenant_id, placement.home.schema, plan.move_id, attempt
    )
    if done.endswith(" 0"):
        raise AttemptLostError


class Claim(Struct, frozen=True, kw_only=True):
    """One attempt's right to make and drop what no row at a home protects: publications, slots, databases.

    A connection that is opened first and used only after `check` is safe: whoever takes over ends all that were open
    when it registered, and to those that are opened later `check` says no.
    """

    pools: Pools
    source: Placement
    attempt: int

    async def check(self) -> None:
        """Ask the old home, which knows the newest attempt of all; raise `AttemptLostError`, also when it is gone."""
        home = self.source.home
        try:
            connection = await self.pools.connect(home.server, home.database, DatabaseRole.MOVER)
        except asyncpg.InvalidCatalogNameError as error:
            raise AttemptLostError from error
        try:
            held = await connection.fetchval(
                HAS_ATTEMPT, self.source.tenant_id, home.schema, self.attempt
            )
        finally:
            await connection.close()
        if held is None:
            raise AttemptLostError

    async def hold(self, connection: Any, home: Home) -> None:
        """Keep `home` in this attempt until the caller's transaction ends; raise `AttemptLostError`."""
        held = await connection.fetchval(
            HOLD_ATTEMPT, self.source.tenant_id, home.schema, self.attempt
        )
        if held is None:
            raise AttemptLostError


async def hold_loading(connection: Any, placement: Placement, attempt: int) -> None:
    """Keep the target in this attempt until the caller's transaction ends; raise `AttemptLostError` if it is not."""
    held = await connection.fetchval(
        HOLD_LOADING, placement.tenant_id, placement.home.schema, attempt
    )
    if held is None:
        raise AttemptLostError


def address(placement: Placement) -> str:
    """Return a home as `forward_to` holds it."""
    parts = msgspec.to_builtins(placement.home) | {"strategy": placement.strategy.value}
    return msgspec.json.encode(parts).decode()
