"""A driver connection whose BEGIN carries the tenant's scope, so that entering a home costs no round trip."""

from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from tenancy.errors import (
    ForbiddenStatementError,
    HomeMovedSignal,
    HomeRetrySignal,
    HomeSignal,
    HomeUnknownSignal,
    LoginEndedError,
    ServerUnavailableError,
    StaleConnectionSignal,
)
from tenancy.modes import Login, Mode
from tenancy.tenant import Home, TenantId

ENTER_S_MAX = 10.0
"""The gate waits for nothing; a server that does not answer for so long is out of reach."""

CLOSED_AT_ONCE = 50

DISCONNECTIONS = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)


class Scope(Struct, frozen=True):
    """What the next transaction of a connection enters with. Every part is typed, so none can carry SQL."""

    tenant_id: TenantId
    epoch: int
    mode: Mode
    login: Login | None

    def prelude(self, begin: str) -> str:
        """Return the driver's BEGIN followed by the call of the gate, as one message."""
        if "ISOLATION" in begin and "READ COMMITTED" not in begin:
            # A snapshot taken before the fence was granted would read the old epoch.
            raise ForbiddenStatementError
        opening = "BEGIN READ ONLY;" if self.mode is Mode.READ else "BEGIN;"
        session, version = "NULL", "NULL"
        if self.login is not None:
            session, version = (
                f"'{UUID(str(self.login.session_id))}'",
                str(int(self.login.access_version)),
            )
        tenant = UUID(str(self.tenant_id))
        return (
            f"{opening}SELECT tenancy.enter('{tenant}',{int(self.epoch)},"  # typed parts only
            f"'{self.mode.value}',{session},{version})"
        )


class ScopedConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
    """An asyncpg connection that appends its scope to BEGIN; stock SQLAlchemy works on top of it."""

    __slots__ = ("scope",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope: Scope | None = None

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109  # asyncpg's signature
        """Run `query`; a BEGIN under a scope enters the home or raises what the home answered."""
        if self.scope is None or args or not query.startswith("BEGIN"):
            return str(await super().execute(query, *args, timeout=timeout))
        try:
            prelude = self.scope.prelude(query)
            return str(await super().execute(prelude, timeout=ENTER_S_MAX))
        except asyncpg.PostgresError as error:
            raise await self._left_with_answer(error) from None
        except TimeoutError as error:
            self.terminate()
            raise ServerUnavailableError from error
        except DISCONNECTIONS as error:
            self.terminate()
            raise StaleConnectionSignal from error
        except BaseException:
            # Nobody knows in which state the transaction is: the pool must not hand it out again.
            self.terminate()
            raise

    async def _cleanup_stmts(self) -> None:
        """Close statements that nobody keeps any more many at a time: the driver takes a round trip for each."""
        driver: Any = self  # the parent is untyped
        closed = driver._stmts_to_close  # noqa: SLF001  # its own slot
        if len(closed) < CLOSED_AT_ONCE:
            return
        driver._stmts_to_close = set()  # noqa: SLF001  # as above
        await super().execute("".join(f'DEALLOCATE "{statement.name}";' for statement in closed))

    async def _left_with_answer(self, error: asyncpg.PostgresError) -> Exception:
        """Leave the refused transaction and return what the home said; anything unforeseen ends the connection."""
        try:
            if isinstance(error, DISCONNECTIONS):
                self.terminate()
                return StaleConnectionSignal()
            answer = _answer(error)
            if answer is None:
                self.terminate()
                return cast("Exception", error)
            await self._leave()
        except BaseException:
            self.terminate()
            raise
        return answer

    async def _leave(self) -> None:
        """End the refused transaction. Nothing was done in it: the answer holds even when the server is gone by now."""
        try:
            await super().execute("ROLLBACK", timeout=ENTER_S_MAX)
        except (TimeoutError, *DISCONNECTIONS):
            self.terminate()
        # The driver keeps the refused transaction as its outermost one: its next BEGIN would become a SAVEPOINT.
        self._top_xact = None  # type: ignore[misc]  # a slot of the untyped parent


class PooledConnection(ScopedConnection):
    """A scoped connection through a pooler, which knows the driver's statements by names of its own."""

    __slots__ = ()

    async def _cleanup_stmts(self) -> None:
        """Close each statement in the protocol: a DEALLOCATE would name what PostgreSQL has never heard of."""
        await asyncpg.Connection._cleanup_stmts(self)  # noqa: SLF001  # its parent's


class _Moved(Struct):
    """The DETAIL of a TNMOV error."""

    epoch: int
    schema: str
    strategy: str | None = None
    home: Home | None = None


def _answer(error: asyncpg.PostgresError) -> HomeSignal | LoginEndedError | None:
    """Return what the gate said, or None when the error came from somewhere else."""
    match error.sqlstate:
        case "TNMOV":
            moved = msgspec.json.decode(error.detail, type=_Moved)
            return HomeMovedSignal(moved.home, moved.strategy, moved.epoch, moved.schema)
        case "TNRET":
            return HomeRetrySignal()
        case "TN404":
            return HomeUnknownSignal()
        case "TNAUT":
            return LoginEndedError()
        case _:
            return None
