"""Looks before a move whether it can be done, and what it would take. Changes nothing."""

from typing import Any, Final

from msgspec import Struct

from tenancy.credentials import DatabaseRole
from tenancy.installer import quoted
from tenancy.migrations import TENANT_TREE, current_revision
from tenancy.mover.errors import MoveRefusedError
from tenancy.mover.parts import MoverParts
from tenancy.mover.plan import MovePlan
from tenancy.mover.tables import Shapes, odd_identities, read_shapes, uncovered
from tenancy.strategy import shared_homes
from tenancy.tenant import Home

ROWS_A_SECOND: Final = 100_000
"""Rows copied, hashed and compared a second, measured on two cores; for estimates only."""

FIXED_S: Final = 1.0
"""What the smallest move takes to its decision, measured on two quiet cores: homes, slots and looks, no rows."""

ONLINE_PAUSE_MS: Final = 25
"""On quiet cores; `docs/soak-moves.md` has what it is under load."""

OFFLINE_PAUSE_S_MAX: Final = 30.0
"""An offline move lets writes wait as long as it copies; above this it wants to be forced."""

LONG_TRANSACTION_S: Final = 60
SLOTS_NEEDED: Final = 3
"""Forward, reverse, and one for a comparison while the clinic works."""

# The tenant's share of the table's size, by its share of the rows: to look into each row would take longer than to copy.
MEASURE = """
SELECT m.rows, m.rows * pg_catalog.pg_table_size(c.oid) / greatest(c.reltuples, m.rows, 1) AS octets
  FROM pg_catalog.pg_class c, (SELECT count(*) AS rows FROM {table} WHERE tenant_id = $1) m
 WHERE c.oid = $2::text::regclass
"""


class TableEstimate(Struct, frozen=True, kw_only=True):
    """What of one table will be moved."""

    name: str
    rows: int


class PreflightReport(Struct, frozen=True, kw_only=True):
    """What speaks against a move, what is worth knowing, and what it would take."""

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    tables: tuple[TableEstimate, ...] = ()
    rows: int = 0
    megabytes: float = 0.0
    seconds: float = 0.0
    pause_ms: float = 0.0

    def require(self) -> None:
        """Raise `MoveRefusedError` with every reason, if there is one."""
        if self.refusals:
            raise MoveRefusedError(self.refusals)


class Preflight:
    """One look at both ends of a plan."""

    def __init__(self, parts: MoverParts, plan: MovePlan) -> None:
        self._parts = parts
        self._plan = plan
        self._refusals: list[str] = []
        self._warnings: list[str] = []

    async def report(self, *, is_forced: bool = False) -> PreflightReport:
        """Return what was found; every reason, not only the first."""
        await self._look_at_registry()
        source = await self._connect(self._plan.source.home)
        try:
            shapes = await read_shapes(source, self._plan.source.home.schema)
            await self._look_at_source(source, shapes)
            sees_all = await self._look_at_powers(source, "source")
            tables, megabytes = await self._measure(source, shapes if sees_all else {})
        finally:
            await source.close()
        await self._look_at_target()
        rows = sum(table.rows for table in tables)
        seconds = FIXED_S + rows / ROWS_A_SECOND
        pause_ms = seconds * 1000 if self._plan.is_offline else ONLINE_PAUSE_MS
        if self._plan.is_offline and seconds > OFFLINE_PAUSE_S_MAX and not is_forced:
            self._refusals.append(
                f"writes would wait for about {seconds:.0f} s, more than {OFFLINE_PAUSE_S_MAX:.0f} s: use --force"
            )
        return PreflightReport(
            refusals=tuple(self._refusals),
            warnings=tuple(self._warnings),
            tables=tuple(tables),
            rows=rows,
            megabytes=round(megabytes, 2),
            seconds=round(seconds, 2),
            pause_ms=round(pause_ms, 1),
        )

    async def _look_at_registry(self) -> None:
        store, target = self._parts.store, self._plan.target
        server = next((s for s in await store.servers.all() if s.name == target.home.server), None)
        if server is None:
            self._refusals.append(f"there is no server {target.home.server}")
            return
        if server.status != "open":
            self._refusals.append(f"server {server.name} is {server.status}")
        if (
            target.home.server != self._plan.source.home.server
            and server.placements >= server.capacity
        ):
            self._refusals.append(f"server {server.name} is full ({server.capacity} clinics)")
        tenant = await store.tenants.by_id(self._plan.tenant_id)
        plan = None if tenant is None else await store.plans.by_code(tenant.plan)
        if plan is not None and target.strategy not in plan.allowed_strategies:
            self._refusals.append(f"plan {plan.code} does not allow {target.strategy.value}")

    async def _look_at_source(self, source: Any, shapes: Shapes) -> None:
        home = self._plan.source.home
        state = await source.fetchrow(
            "SELECT state, epoch FROM tenancy.tenant_home WHERE tenant_id = $1 AND schema_name = $2",
            self._plan.tenant_id,
            home.schema,
        )
        if state is None or state["state"] != "active" or state["epoch"] != self._plan.source.epoch:
            self._refusals.append(
                "the clinic is not at the home that the registry names: run clinic doctor"
            )
        if broken := uncovered(shapes):
            # Published, they would make every clinic's updates fail.
            self._refusals.append(f"primary keys without the tenant: {', '.join(broken)}")
        if identities := await odd_identities(source, home.schema):
            self._refusals.append(
                f"replica identity is not the primary key: {', '.join(identities)}"
            )
        if not self._plan.is_offline:
            await self._look_at_replication(source, home, "source")
            await self._look_for_long_transactions(source)

    async def _look_at_replication(self, connection: Any, home: Home, side: str) -> None:
        row = await connection.fetchrow(
            "SELECT current_setting('wal_level') AS level, current_setting('max_replication_slots')::int AS slots,"
            " (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS used,"
            " (SELECT rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may"
        )
        if row["level"] != "logical":
            self._refusals.append(
                f"wal_level of the {side} is {row['level']}, not logical: use --offline"
            )
        if row["slots"] - row["used"] < SLOTS_NEEDED:
            self._refusals.append(f"the {side} has no {SLOTS_NEEDED} free replication slots")
        if not row["may"]:
            self._refusals.append(f"clinic_mover has no REPLICATION on the {side}: use --offline")

    async def _look_at_powers(self, connection: Any, side: str) -> bool:
        """Return whether the mover sees every row there; what it lacks only an administrator can grant."""
        row = await connection.fetchrow(
            "SELECT rolbypassrls AS bypasses,"
            " has_parameter_privilege(current_user, 'session_replication_role', 'SET') AS silent"
            " FROM pg_catalog.pg_roles WHERE rolname = current_user"
        )
        if not row["bypasses"]:
            self._refusals.append(
                f"clinic_mover has no BYPASSRLS on the {side}: rows can neither be read nor loaded there;"
                " an administrator grants it once (ALTER ROLE clinic_mover BYPASSRLS)"
            )
        if not row["silent"]:
            self._refusals.append(
                f"clinic_mover may not set session_replication_role on the {side}"
            )
        return bool(row["bypasses"])

    async def _look_for_long_transactions(self, source: Any) -> None:
        """Warn of writes that run in the cluster: a slot waits for them all when it is made."""
        age = await source.fetchval(
            "SELECT extract(epoch FROM max(now() - xact_start)) FROM pg_catalog.pg_stat_activity"
            " WHERE backend_xid IS NOT NULL"
        )
        if age is not None and age > LONG_TRANSACTION_S:
            self._warnings.append(
                f"a transaction on the source has been writing for {age:.0f} s; the move waits for it"
            )

    async def _look_at_target(self) -> None:
        """Look at the target's server through a database that is always there."""
        home = self._plan.target.home
        shared_home = self._shared_home()
        connection = await self._connect(shared_home)
        try:
            if not self._plan.is_offline:
                await self._look_at_replication(connection, home, "target")
            await self._look_at_powers(connection, "target")
        finally:
            await connection.close()
        ours, theirs = (
            await self._revision(self._plan.source.home),
            await self._revision(shared_home),
        )
        if ours != theirs:
            self._refusals.append(
                f"revisions differ ({ours} and {theirs}): run clinic migrate first"
            )

    async def _revision(self, home: Home) -> str | None:
        connection = await self._parts.pools.connect(
            home.server, home.database, DatabaseRole.MIGRATOR
        )
        try:
            return await current_revision(connection, TENANT_TREE, home.schema)
        finally:
            await connection.close()

    def _shared_home(self) -> Home:
        """Return a home that the target's server has in any case."""
        server = self._plan.target.home.server
        return shared_homes(self._parts.strategies.values(), server)[0]

    async def _measure(self, source: Any, shapes: Shapes) -> tuple[list[TableEstimate], float]:
        tables, octets = [], 0.0
        schema = quoted(self._plan.source.home.schema)
        # What is refused may have no tenant to count by.
        refused = set(uncovered(shapes))
        for shape in (shape for shape in shapes.values() if shape.name not in refused):
            table = f"{schema}.{quoted(shape.name)}"
            row = await source.fetchrow(MEASURE.format(table=table), self._plan.tenant_id, table)
            tables.append(TableEstimate(name=shape.name, rows=row["rows"]))
            octets += row["octets"]
        return tables, octets / 1_000_000

    async def _connect(self, home: Home) -> Any:
        return await self._parts.pools.connect(home.server, home.database, DatabaseRole.MOVER)
