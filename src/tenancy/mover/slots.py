"""Publications, replication slots and the snapshot that a copy begins with."""

from typing import Any

import asyncpg

from tenancy.credentials import DatabaseRole
from tenancy.installer import quoted
from tenancy.mover.claims import Claim
from tenancy.mover.errors import MoveError, SlotLostError
from tenancy.mover.plan import StreamNames
from tenancy.mover.tables import TENANT_COLUMN, Shapes
from tenancy.pools import Pools
from tenancy.tenant import Home, TenantId

SLOT_WAIT_S_MAX = 120.0
"""A slot waits for the writes that run in the whole cluster when it is made; then the move gives up, not they."""

SLOT_DROPS_MAX = 5


class SnapshotHolder:
    """Keeps the transaction open whose snapshot is the copy's; everything after it is in the slot."""

    def __init__(self, connection: Any, snapshot: str) -> None:
        self._connection = connection
        self.snapshot = snapshot

    async def release(self) -> None:
        """End the transaction: the copy has been made."""
        await self._connection.close()


class Replication:
    """The database that a stream comes from."""

    def __init__(self, pools: Pools, home: Home, claim: Claim | None = None) -> None:
        """Without a claim nothing asks whether the move is still the caller's: it is certain that it is, or was."""
        self._pools = pools
        self._home = home
        self._claim = claim

    async def publish(self, names: StreamNames, tenant_id: TenantId, shapes: Shapes) -> None:
        """Publish the tenant's rows of every table; committed before any slot is made.

        Takes SHARE UPDATE EXCLUSIVE on the tables for an instant: neither reads nor writes wait for it.
        """
        schema = quoted(self._home.schema)
        tables = ", ".join(
            f"{schema}.{quoted(shape.name)} WHERE ({TENANT_COLUMN} = '{tenant_id}')"
            for shape in shapes.values()
        )
        connection = await self._owner()
        try:
            await connection.execute("SET lock_timeout = '2s'")
            async with connection.transaction():
                if self._claim is not None:
                    await self._claim.hold(connection, self._home)
                await connection.execute(
                    "SET LOCAL ROLE clinic_owner;"
                    f" DROP PUBLICATION IF EXISTS {quoted(names.name)};"
                    f" CREATE PUBLICATION {quoted(names.name)} FOR TABLE {tables}"
                    " WITH (publish = 'insert, update, delete')"
                )
        finally:
            await connection.close()

    async def withdraw(self, names: StreamNames) -> None:
        """Drop slot and publication, whichever are there; a slot first, as it holds the log back.

        A database that is gone took both with it: it cannot be dropped while it has a slot.
        """
        try:
            await self.drop_slot(names)
        except asyncpg.InvalidCatalogNameError:
            return
        connection = await self._owner()
        try:
            await connection.execute(
                f"SET ROLE clinic_owner; DROP PUBLICATION IF EXISTS {quoted(names.name)}"
            )
        finally:
            await connection.close()

    async def create_slot(self, names: StreamNames) -> SnapshotHolder:
        """Create the slot and return the snapshot that ends where its stream begins.

        The SQL function that makes slots exports no snapshot, and one taken after it can miss a transaction that is
        committed but not visible yet; the replication protocol's command has both in one.
        """
        await self.drop_slot(names)
        return await self._create_slot(names.name, "LOGICAL")

    async def _create_slot(self, name: str, kind: str) -> SnapshotHolder:
        connection = await self._pools.connect(
            self._home.server,
            self._home.database,
            DatabaseRole.MOVER,
            settings={"replication": "database"},
        )
        try:
            await self._check()
            await connection.execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ")
            await connection.execute(
                f"CREATE_REPLICATION_SLOT {quoted(name)} {kind} pgoutput (SNAPSHOT 'use')",
                timeout=SLOT_WAIT_S_MAX,
            )
            exported = bytearray()

            async def keep(piece: bytes) -> None:  # asyncpg awaits it
                exported.extend(piece)

            # The only way to a result in the replication protocol that the driver offers.
            await connection.copy_from_query("SELECT pg_catalog.pg_export_snapshot()", output=keep)
        except BaseException:
            connection.terminate()
            raise
        return SnapshotHolder(connection, exported.decode().strip())

    async def snapshot_with_position(self, name: str) -> tuple[SnapshotHolder, int]:
        """Return a snapshot and the position before which everything in it was committed; the slot falls with it."""
        holder = await self._create_slot(name, "TEMPORARY LOGICAL")
        return holder, await self.position(StreamNames(name))

    async def create_plain_slot(self, names: StreamNames) -> None:
        """Create a slot whose stream begins somewhere before now; who reads it knows where to start."""
        await self.drop_slot(names)
        connection = await self._mover()
        try:
            await self._check()
            await connection.execute(
                "SELECT pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput')",
                names.name,
                timeout=SLOT_WAIT_S_MAX,
            )
        finally:
            await connection.close()

    async def drop_slot(self, names: StreamNames, *, if_at: int | None = None) -> None:
        """Drop the slot if it is there; end whoever reads it, who is a mover that lost its attempt.

        With `if_at` only the slot whose stream begins there: not one that was made anew. That is for who was overtaken
        while he made it, so nobody asks for his attempt.
        """
        connection = await self._mover()
        try:
            if if_at is None:
                await self._check()
            for _ in range(SLOT_DROPS_MAX):
                try:
                    await connection.execute(
                        "SELECT pg_catalog.pg_drop_replication_slot(slot_name)"
                        " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1"
                        " AND ($2::bigint IS NULL OR confirmed_flush_lsn - '0/0' = $2)",
                        names.name,
                        if_at,
                    )
                except asyncpg.ObjectInUseError:
                    await connection.execute(
                        "SELECT pg_catalog.pg_terminate_backend(active_pid, 1000)"
                        " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1"
                        " AND ($2::bigint IS NULL OR confirmed_flush_lsn - '0/0' = $2)",
                        names.name,
                        if_at,
                    )
                except asyncpg.UndefinedObjectError:
                    return
                else:
                    return
        finally:
            await connection.close()
        raise MoveError(f"replication slot {names.name} is in use")

    async def position(self, names: StreamNames) -> int:
        """Return where the slot's stream begins; raise `SlotLostError` where there is none."""
        connection = await self._mover()
        try:
            position = await connection.fetchval(
                "SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_catalog.pg_replication_slots"
                " WHERE slot_name = $1",
                names.name,
            )
        finally:
            await connection.close()
        if position is None:
            raise SlotLostError
        return int(position)

    async def slot_exists(self, names: StreamNames) -> bool:
        """Return whether the slot is there and has all it needs; raise `SlotLostError` when its changes are gone."""
        connection = await self._mover()
        try:
            status = await connection.fetchval(
                "SELECT coalesce(wal_status, 'reserved') FROM pg_catalog.pg_replication_slots WHERE slot_name = $1",
                names.name,
            )
        finally:
            await connection.close()
        if status == "lost":
            raise SlotLostError
        return status is not None

    async def _check(self) -> None:
        """Raise `AttemptLostError` where somebody has taken over; called with a connection open, before it is used."""
        if self._claim is not None:
            await self._claim.check()

    async def _owner(self) -> Any:
        return await self._pools.connect(
            self._home.server, self._home.database, DatabaseRole.MIGRATOR
        )

    async def _mover(self) -> Any:
        return await self._pools.connect(self._home.server, self._home.database, DatabaseRole.MOVER)
