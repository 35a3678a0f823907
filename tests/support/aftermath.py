"""What must hold after a move has ended, whatever befell it: one home, the old one closed, nothing left behind."""

import asyncio
from typing import Any, Final

import asyncpg
from sqlalchemy import select

from app.postgres import EmbeddedServer
from domain.operations.models import TenantSetting
from moves import placement_of
from tenancy.credentials import DatabaseRole
from tenancy.modes import Mode
from tenancy.registry.moves import MoveRecord, MoveStatus
from tenancy.runtime import Tenancy
from tenancy.tenant import Placement, TenantId

GONE_S_MAX: Final = 10.0


class Aftermath:
    """Looks at both servers; `stale` is a process that has heard of nothing."""

    def __init__(
        self, tenancy: Tenancy, stale: Tenancy, servers: dict[str, EmbeddedServer]
    ) -> None:
        self.tenancy = tenancy
        self.stale = stale
        self._servers = servers

    async def check(self, tenant_id: TenantId, origin: Placement, record: MoveRecord) -> None:
        """Hold the homes, the registry and the servers against what must be after a move that ended."""
        now = await placement_of(self.tenancy, tenant_id)
        noted = await self.tenancy.store.moves.by_id(record.id)
        assert noted is not None
        if record.status is MoveStatus.FINISHED:
            # Whoever wakes too late must not cry that rows differ.
            assert noted.error is None, noted.error
            assert (now.home, now.epoch) == (record.target.home, record.target.epoch)
        elif record.status is MoveStatus.ROLLED_BACK:
            assert (now.home, now.epoch) == (origin.home, origin.epoch + 2)
        else:
            assert (now.home, now.epoch) == (origin.home, origin.epoch)
        if now.epoch != origin.epoch:
            await self.refuses_old_epoch(origin)
        # A worker that slept through it all finds its way and writes where the clinic lives.
        async with self.stale.session(tenant_id, Mode.WRITE) as session:
            session.add(TenantSetting(namespace="stale", data={}, version=1))
        async with self.tenancy.session(tenant_id, Mode.READ) as session:
            assert await session.scalar(
                select(TenantSetting.version).where(TenantSetting.namespace == "stale")
            )
        await self._until_gone(now, record)

    async def refuses_old_epoch(self, origin: Placement) -> None:
        """Try to write at the old home as a worker would that knows of no move, through the gate and past it."""
        try:
            connection = await self.tenancy.pools.connect(
                origin.home.server, origin.home.database, DatabaseRole.APP
            )
        except asyncpg.InvalidCatalogNameError:
            return
        try:
            for mode in ("rw", "ro"):
                refused = await self._is_refused(
                    connection,
                    "SELECT tenancy.enter($1, $2, $3, NULL, NULL)",
                    origin.tenant_id,
                    origin.epoch,
                    mode,
                )
                assert refused, f"the old home takes {mode} in"
            await connection.execute(
                f"SET app.tenant_id = '{origin.tenant_id}'; SET app.epoch = '{origin.epoch}'"
            )
            assert await self._is_refused(
                connection,
                f'INSERT INTO "{origin.home.schema}".tenant_setting (namespace, data, version)'
                " VALUES ('intruder', '{}', 1)",
            ), "the old home takes a write"
        finally:
            await connection.close()

    async def _is_refused(self, connection: Any, statement: str, *values: Any) -> bool:
        try:
            await connection.execute(statement, *values)
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
            return True
        except asyncpg.PostgresError as error:
            if not (error.sqlstate or "").startswith("TN"):
                raise
            return True
        return False

    async def _until_gone(self, now: Placement, record: MoveRecord) -> None:
        """Wait for what the servers still have to let go of; then nothing of the move may be left."""
        deadline = asyncio.get_running_loop().time() + GONE_S_MAX
        while left := await self.leftovers(now, record):
            assert asyncio.get_running_loop().time() < deadline, left
            await asyncio.sleep(0.1)

    async def leftovers(self, now: Placement, record: MoveRecord) -> list[str]:
        """Return whatever of a clinic is anywhere but at its home, and whatever a mover may have left."""
        found: list[str] = []
        for name, server in self._servers.items():
            administrator = await asyncpg.connect(**server.administrator)
            try:
                found += await self._left_on(name, administrator, now, record)
                databases = await administrator.fetch(
                    "SELECT datname FROM pg_database WHERE datname IN ($1, $2)",
                    self.tenancy.options.pool_database,
                    f"clinic_t_{now.tenant_id.hex}",
                )
            finally:
                await administrator.close()
            for (database,) in databases:
                connection = await asyncpg.connect(
                    **(server.administrator | {"database": database})
                )
                try:
                    found += await self._left_in(name, database, connection, now, record)
                finally:
                    await connection.close()
        return found

    async def _left_on(
        self, name: str, administrator: Any, now: Placement, record: MoveRecord
    ) -> list[str]:
        rows = await administrator.fetch(
            "SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name LIKE 'move_' || $5 || '%'"
            " UNION ALL SELECT 'database ' || datname FROM pg_database"
            " WHERE datname = 'clinic_t_' || $1 AND (datname, $2::text) <> ($3, $4)"
            " UNION ALL SELECT 'mover ' || coalesce(query, '') FROM pg_stat_activity"
            " WHERE usename = 'clinic_mover'"
            " UNION ALL SELECT 'lock ' || classid FROM pg_locks WHERE locktype = 'advisory'"
            " AND mode = 'ExclusiveLock' AND classid IN (7301, 7306)",
            now.tenant_id.hex,
            name,
            now.home.database,
            now.home.server,
            record.id.hex,
        )
        return [f"{name}: {row[0]}" for row in rows]

    async def _left_in(
        self, name: str, database: str, connection: Any, now: Placement, record: MoveRecord
    ) -> list[str]:
        is_home = (name, database) == (now.home.server, now.home.database)
        found = [
            f"publication {row[0]}"
            for row in await connection.fetch(
                "SELECT pubname FROM pg_publication WHERE pubname LIKE 'move_' || $1 || '%'",
                record.id.hex,
            )
        ]
        states = await connection.fetch(
            "SELECT schema_name, state, epoch FROM tenancy.tenant_home WHERE tenant_id = $1",
            now.tenant_id,
        )
        for schema, state, epoch in states:
            if is_home and schema == now.home.schema:
                if (state, epoch) != ("active", now.epoch):
                    found.append(f"the home is {state} {epoch}")
            elif state != "moved":
                found.append(f"a {state} row for {schema}")
        schemas = await connection.fetch(
            "SELECT nspname FROM pg_namespace WHERE nspname = 't_' || $1", now.tenant_id.hex
        )
        found += [f"schema {row[0]}" for row in schemas if not is_home or row[0] != now.home.schema]
        if not is_home or now.home.schema != "pool":
            for (table,) in await connection.fetch(
                "SELECT table_name FROM information_schema.columns"
                " WHERE table_schema = 'pool' AND column_name = 'tenant_id'"
            ):
                if await connection.fetchval(
                    f'SELECT true FROM pool."{table}" WHERE tenant_id = $1 LIMIT 1', now.tenant_id
                ):
                    found.append(f"rows of {table}")
        return [f"{name}/{database}: {left}" for left in found]
