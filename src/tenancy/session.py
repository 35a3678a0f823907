"""The tenant session: the only thing controllers and the domain ever see of tenancy.

It does no input or output before its first statement. With the first statement it takes a connection at the tenant's
home, enters there on the same round trip as BEGIN, and follows the tenant if it has moved.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, NewType, cast

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import await_

from tenancy.admission import Admission
from tenancy.affinity import AffinityPool, statements_of
from tenancy.connection import Scope, ScopedConnection
from tenancy.errors import (
    ForbiddenStatementError,
    HomeMovedSignal,
    HomeRetrySignal,
    HomeSignal,
    HomeUnknownSignal,
    ServerUnavailableError,
    StaleConnectionSignal,
    TenantMovingError,
)
from tenancy.fence import FenceQueues
from tenancy.modes import Login, Mode
from tenancy.pools import Lease, Pools
from tenancy.tenant import Home, Placement, StrategyName, TenantId

__all__ = ["Entrance", "Login", "Mode", "TenantSession", "open_session"]

TenantSession = NewType("TenantSession", AsyncSession)

RETRY_MS_FIRST = 2.0
RETRY_MS_MAX = 20.0
STALE_CONNECTIONS_MAX = 50


class PlacementHints:
    """Where the registry believes tenants are; a port, filled by the composition root."""

    def __init__(
        self,
        current: Callable[[TenantId], Awaitable[Placement]],
        refreshed: Callable[[TenantId], Awaitable[Placement]],
        learned: Callable[[Placement], None],
    ) -> None:
        self.current = current
        """Return the cached placement."""
        self.refreshed = refreshed
        """Return the placement, asked of the registry anew."""
        self.learned = learned
        """Take note of a newer placement that a home has told."""


class Entrance:
    """One session's way to its tenant's home: finds it, follows it, gives everything back."""

    def __init__(  # noqa: PLR0913  # the parts of one way in
        self,
        tenant_id: TenantId,
        *,
        mode: Mode,
        login: Login | None,
        hints: PlacementHints,
        pools: Pools,
        admission: Admission,
        fences: FenceQueues,
        wait_s_max: float,
    ) -> None:
        self.tenant_id = tenant_id
        self._mode = mode
        self._login = login
        self._hints = hints
        self._pools = pools
        self._admission = admission
        self._fences = fences
        self._wait_s_max = wait_s_max
        self._admitted = False
        self._is_asking = False
        self._lease: Lease | None = None
        self._placement: Placement | None = None
        self._deadline: float | None = None
        self._retry_ms = RETRY_MS_FIRST
        self._stale_seen = 0

    async def approach(self) -> Lease:
        """Return a lease on the pool of the home as it is known at this moment."""
        if not self._admitted:
            await self._admission.acquire(self.tenant_id)
            self._admitted = True
        if self._placement is None:
            self._placement = await self._hints.current(self.tenant_id)
        self._lease = await self._pools.lease(self._placement)
        return self._lease

    @property
    def schema(self) -> str:
        """The schema of the approached home."""
        assert self._placement is not None
        return self._placement.home.schema

    def scope(self) -> Scope:
        """Return what to say at the gate of the approached home."""
        assert self._placement is not None
        return Scope(self.tenant_id, self._placement.epoch, self._mode, self._login)

    async def follow(self, signal: HomeSignal) -> None:
        """Draw the consequence of a home's refusal, without holding a connection; raise past the deadline."""
        self._let_go()
        if isinstance(signal, StaleConnectionSignal) and self._stale_seen < STALE_CONNECTIONS_MAX:
            self._stale_seen += 1
            return
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._wait_s_max
        elif now >= self._deadline:
            raise TenantMovingError
        before = self._placement
        assert before is not None
        if isinstance(signal, HomeMovedSignal) and signal.epoch != before.epoch:
            self._placement = _moved_placement(before, signal)
            self._hints.learned(self._placement)
            return
        if not isinstance(signal, HomeRetrySignal):
            self._placement = await self._hints.refreshed(self.tenant_id)
            if self._placement != before:
                return
            if not isinstance(signal, HomeMovedSignal):
                raise ServerUnavailableError from signal
        await self._wait_at_fence(self._deadline)

    def entered(self) -> None:
        """Let the next one ask who waits at the same fence."""
        if self._is_asking:
            self._is_asking = False
            self._fences.leave(self.tenant_id)

    async def _wait_at_fence(self, deadline: float) -> None:
        """Wait in order, outside the clinic's lane, so that its reads go on; only the first one asks again."""
        self._leave_lane()
        if not self._is_asking:
            has_waited = await self._fences.join(self.tenant_id, deadline)
            self._is_asking = True
            if has_waited:
                return
        # The fence is taken for milliseconds; jitter keeps several processes from asking in step.
        await asyncio.sleep(self._retry_ms * random.uniform(0.5, 1.0) / 1000)  # noqa: S311  # jitter
        self._retry_ms = min(self._retry_ms * 2, RETRY_MS_MAX)

    def leave(self) -> None:
        """Give back the pool and the place in the clinic's lane."""
        self._let_go()
        self.entered()
        self._leave_lane()

    def _leave_lane(self) -> None:
        if self._admitted:
            self._admitted = False
            self._admission.release(self.tenant_id)

    def _let_go(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()


def _moved_placement(before: Placement, signal: HomeMovedSignal) -> Placement:
    """Return the placement a home told of; without a home in it, the tenant is in the same database."""
    home = signal.home or Home(before.home.server, before.home.database, signal.schema)
    strategy = StrategyName(signal.strategy) if signal.strategy else before.strategy
    return Placement(tenant_id=before.tenant_id, strategy=strategy, home=home, epoch=signal.epoch)


class HomeSession(Session):
    """A SQLAlchemy session that binds itself to a connection inside the tenant's home at its first statement."""

    def __init__(self, *, entrance: Entrance, **options: Any) -> None:
        super().__init__(**options)
        self._entrance = entrance
        self._home_connection: Connection | None = None

    def get_bind(self, *_args: Any, **_options: Any) -> Connection:
        """Return the connection of the running transaction, entering the home first if there is none."""
        if self._home_connection is None or self._home_connection.closed:
            self._home_connection = self._enter()
        return self._home_connection

    def close(self) -> None:
        """End the transaction, hand the connection back to its pool, unscoped, and leave."""
        try:
            super().close()
        finally:
            connection, self._home_connection = self._home_connection, None
            try:
                if connection is not None:
                    _release(connection)
            finally:
                self._entrance.leave()

    def _enter(self) -> Connection:
        while True:
            lease = await_(self._entrance.approach())
            try:
                connection = _begin(_connect(lease, self._entrance.schema), self._entrance)
            except HomeSignal as signal:
                refusal = signal
            else:
                self._entrance.entered()
                return connection
            await_(self._entrance.follow(refusal))


def _connect(lease: Lease, schema: str) -> Connection:
    """Take a connection from the leased pool, rather one that knows the schema; what cannot be reached may have moved."""
    engine = lease.engine.sync_engine
    cast("AffinityPool", engine.pool).prefer(schema)
    try:
        return engine.connect()
    except PoolTimeoutError as error:
        raise ServerUnavailableError from error
    except (OSError, DBAPIError) as error:
        raise HomeUnknownSignal from error


def _begin(connection: Connection, entrance: Entrance) -> Connection:
    """Send BEGIN with the scope now, not with the first statement, so that a refusal can still be followed."""
    try:
        connection.begin()
        pooled = connection.connection
        driver = cast("ScopedConnection", pooled.driver_connection)
        if driver.is_closed() or driver.is_in_transaction():
            raise StaleConnectionSignal  # noqa: TRY301  # released like any other refusal
        driver.scope = entrance.scope()
        adapter: Any = pooled.dbapi_connection
        adapter._prepared_statement_cache = statements_of(pooled.info, entrance.schema)  # noqa: SLF001  # no public way
        await_(adapter._start_transaction())  # noqa: SLF001  # SQLAlchemy has no public way to begin eagerly
    except BaseException:
        _release(connection)
        raise
    return connection


def _release(connection: Connection) -> None:
    """Hand the connection back without its scope; a broken one is thrown away by the pool."""
    if not connection.closed and not connection.invalidated:
        driver = cast("ScopedConnection", connection.connection.driver_connection)
        connection.rollback()
        driver.scope = None
        if not driver.is_closed() and driver.is_in_transaction():
            # Whatever left it so: nobody else may come into this transaction.
            driver.terminate()
        if driver.is_closed():
            connection.invalidate()
    connection.close()


class _DialectOnly:
    """What libraries that ask a session for its bind may know before it has one."""

    dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy


class AsyncHomeSession(AsyncSession):
    """The asyncio face of `HomeSession`."""

    sync_session_class = HomeSession

    @property
    def bind(self) -> Any:
        """The dialect alone: repositories look at it when they are made, when there is no connection yet."""
        return _DialectOnly

    @bind.setter
    def bind(self, _bind: Any) -> None:
        """Refuse: the session binds itself to its home."""
        raise ForbiddenStatementError


def open_session(entrance: Entrance) -> TenantSession:
    """Return a new session for the entrance's tenant; nothing happens before its first statement."""
    session = AsyncHomeSession(
        entrance=entrance,
        expire_on_commit=False,
        join_transaction_mode="control_fully",
    )
    return TenantSession(session)
