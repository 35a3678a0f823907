"""The tenant session: the only thing controllers and the domain ever see of tenancy.

It does no input or output before its first statement. With the first statement it takes a connection at the tenant's
home, enters there on the same round trip as BEGIN, and follows the tenant if it has moved.
"""

from typing import Any, NewType, cast

from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.util import await_

from tenancy.affinity import AffinityPool, statements_of
from tenancy.connection import ScopedConnection
from tenancy.entrance import Entrance
from tenancy.errors import (
    ForbiddenStatementError,
    HomeSignal,
    HomeUnknownSignal,
    ServerUnavailableError,
    StaleConnectionSignal,
)
from tenancy.modes import Login, Mode
from tenancy.pools import Lease

__all__ = ["Entrance", "Login", "Mode", "TenantSession", "open_session"]

TenantSession = NewType("TenantSession", AsyncSession)


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
