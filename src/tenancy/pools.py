"""The only place that opens engines: one pool per (server, database), a hard ceiling over all of them."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from copy import copy
from typing import Any, Self
from weakref import WeakSet

import asyncpg
from msgspec import Struct
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tenancy.affinity import AffinityPool
from tenancy.connection import PooledConnection, ScopedConnection
from tenancy.credentials import Credentials, DatabaseRole
from tenancy.errors import ForbiddenStatementError, ServerUnavailableError
from tenancy.silence import limit_silence
from tenancy.tenant import Placement, Server, StrategyName

CHECKED_STATEMENTS_MAX = 10_000
REGISTRY_POOL_SIZE = 5
REGISTRY_COMMAND_S_MAX = 5.0

_KNOWN_VERB = re.compile(
    r"\s*(?:SELECT|INSERT|UPDATE|DELETE|WITH|SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT)\s",
    re.IGNORECASE,
)
_SCOPE_CHANGE = re.compile(
    # More than one statement, comments, escaped identifiers; settings; functions that run SQL given as text.
    r";|--|/\*|\bU&|\b(?:set_config|current_setting|pg_settings|pg_file_settings|tenancy|dblink\w*|lo_\w+)\b"
    r"|\b\w*_to_xml\w*|\bts_(?:stat|rewrite)\b|\bpg_(?:read|ls|terminate|cancel|reload|rotate|advisory)_\w+",
    re.IGNORECASE,
)

ServerSource = Callable[[str], Awaitable[Server]]
Dedication = Callable[[StrategyName], bool]
"""Tells whether a strategy gives each tenant a database of its own."""


class PoolLimits(Struct, frozen=True, kw_only=True):
    """How many connections one worker process may hold."""

    shared_size: int = 12
    dedicated_size: int = 4
    connections_max: int = 40
    age_s_max: int = 1800
    wait_s_max: float = 5.0
    command_s_max: float = 35.0
    """More than the role's own statement time-out: only a server that does not answer at all is given up."""


class _Pool:
    """One engine with what the ceiling needs to know of it."""

    __slots__ = ("engine", "in_use", "last_used", "size")

    def __init__(self, engine: AsyncEngine, size: int) -> None:
        self.engine = engine
        self.size = size
        self.in_use = 0
        self.last_used = time.monotonic()


class Pools:
    """Engines by (server, database); idle ones are closed, least recently used first, when room is needed."""

    def __init__(
        self,
        credentials: Credentials,
        servers: ServerSource,
        is_dedicated: Dedication,
        limits: PoolLimits,
    ) -> None:
        self._credentials = credentials
        self._servers = servers
        self._is_dedicated = is_dedicated
        self._limits = limits
        self._pools: dict[tuple[str, str], _Pool] = {}
        self._opening = asyncio.Lock()
        self._room = asyncio.Event()
        self._application_name: str | None = None
        self._single: WeakSet[Any] = WeakSet()
        self._is_severed = False

    def named(self, application_name: str) -> Self:
        """Return these pools for somebody whose single connections are to be told from others."""
        twin = copy(self)
        twin._application_name = application_name  # noqa: SLF001  # one of our own
        twin._single = WeakSet()  # noqa: SLF001  # as above
        return twin

    def sever(self) -> None:
        """Break every single connection that was made here, and make no new one: nobody may wait for an answer."""
        self._is_severed = True
        for connection in list(self._single):
            connection.terminate()

    @property
    def reserved(self) -> int:
        """The number of connections that the open pools may hold together."""
        return sum(pool.size for pool in self._pools.values())

    async def lease(self, placement: Placement) -> "Lease":
        """Return a lease on the pool of the placement's database; it cannot be closed while leased."""
        key = (placement.home.server, placement.home.database)
        pool = self._pools.get(key)
        if pool is None:
            pool = await self._open(key, placement.strategy)
        pool.in_use += 1
        return Lease(self, pool)

    async def connect(
        self,
        server_name: str,
        database: str,
        role: DatabaseRole,
        *,
        settings: Mapping[str, str] | None = None,
    ) -> Any:
        """Return a single driver connection as `role`, outside every pool; the caller closes it.

        `settings` are sent with the first message, as what decides on the protocol must be.
        """
        if self._is_severed:
            raise ServerUnavailableError
        server = await self._servers(server_name)
        arguments = self._credentials.connect_arguments(server, database, role)
        sent: Any = arguments["server_settings"]
        if self._application_name is not None:
            sent = {**sent, "application_name": self._application_name}
        arguments["server_settings"] = {**sent, **(settings or {})}
        try:
            connection = await asyncpg.connect(**arguments)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError) as error:
            raise ServerUnavailableError from error
        limit_silence(connection)
        self._single.add(connection)
        return connection

    def registry_engine(self, server: Server, database: str) -> AsyncEngine:
        """Return a new engine on the registry; its owner disposes of it."""
        arguments = self._credentials.connect_arguments(server, database, DatabaseRole.REGISTRY)
        engine = create_async_engine(
            "postgresql+asyncpg://",
            connect_args={**arguments, "command_timeout": REGISTRY_COMMAND_S_MAX},
            pool_size=REGISTRY_POOL_SIZE,
            max_overflow=0,
            pool_timeout=self._limits.wait_s_max,
            pool_recycle=self._limits.age_s_max,
            pool_pre_ping=True,  # a restarted registry costs no failed request
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "handle_error", give_up_unanswered)
        return engine

    async def close(self) -> None:
        """Close every pool."""
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.engine.dispose()

    async def _open(self, key: tuple[str, str], strategy: StrategyName) -> _Pool:
        server = await self._servers(key[0])
        limits = self._limits
        size = limits.dedicated_size if self._is_dedicated(strategy) else limits.shared_size
        try:
            async with asyncio.timeout(self._limits.wait_s_max), self._opening:
                while True:
                    if key in self._pools:
                        return self._pools[key]
                    if self.reserved + size <= self._limits.connections_max:
                        engine = self._engine(server, key[1], size)
                        pool = self._pools[key] = _Pool(engine, size)
                        return pool
                    if not await self._evict_one():
                        self._room.clear()
                        await self._room.wait()
        except TimeoutError:
            raise ServerUnavailableError from None

    async def _evict_one(self) -> bool:
        idle = [(p.last_used, k) for k, p in self._pools.items() if p.in_use == 0]
        if not idle:
            return False
        pool = self._pools.pop(min(idle)[1])
        await pool.engine.dispose()
        return True

    def _engine(self, server: Server, database: str, size: int) -> AsyncEngine:
        arguments = self._credentials.connect_arguments(
            server.for_requests, database, DatabaseRole.APP
        )
        engine = create_async_engine(
            "postgresql+asyncpg://",
            connect_args={
                **arguments,
                "connection_class": PooledConnection if server.is_pooled else ScopedConnection,
                "command_timeout": self._limits.command_s_max,
            },
            pool_size=size,
            max_overflow=0,
            pool_timeout=self._limits.wait_s_max,
            pool_recycle=self._limits.age_s_max,
            poolclass=AffinityPool,
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "before_cursor_execute", StatementCheck())
        event.listen(engine.sync_engine, "handle_error", give_up_unanswered)
        return engine

    def _returned(self, pool: _Pool) -> None:
        pool.in_use -= 1
        pool.last_used = time.monotonic()
        if pool.in_use == 0:
            self._room.set()


def give_up_unanswered(context: ExceptionContext) -> None:
    """Throw a connection away whose server did not answer in time: its answer may still come, to somebody else."""
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False


class Lease:
    """The right to use a pool's engine until `release`."""

    __slots__ = ("_pool", "_pools")

    def __init__(self, pools: Pools, pool: _Pool) -> None:
        self._pools = pools
        self._pool: _Pool | None = pool

    @property
    def engine(self) -> AsyncEngine:
        """The leased engine."""
        assert self._pool is not None
        return self._pool.engine

    def release(self) -> None:
        """Give the pool back; further calls do nothing."""
        pool, self._pool = self._pool, None
        if pool is not None:
            self._pools._returned(pool)  # noqa: SLF001  # the other half of lease()


class StatementCheck:
    """Lets through single statements that read and write rows; refuses whatever could change scope, role or path.

    Row-level security cannot stop SQL that sets `app.tenant_id`: any role may. All values are bound parameters, so the
    texts seen here are few and are looked at once each.
    """

    def __init__(self) -> None:
        self._approved: set[str] = set()

    def __call__(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        """Raise `ForbiddenStatementError` for such a statement."""
        if statement in self._approved:
            return
        if not _KNOWN_VERB.match(statement) or _SCOPE_CHANGE.search(statement):
            raise ForbiddenStatementError
        if len(self._approved) >= CHECKED_STATEMENTS_MAX:
            self._approved.clear()
        self._approved.add(statement)
