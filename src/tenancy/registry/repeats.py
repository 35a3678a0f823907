"""The keys under which the platform was asked for something, and the answers that it gave."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from tenancy.registry.errors import RegistryUnavailableError
from tenancy.registry.models import IdempotencyRecordRow

KEPT: Final = timedelta(hours=24)
HELD_MAX: Final = timedelta(minutes=2)
"""More than a set-up may take, taking it back included: whose process was killed may try again after it."""

FORGOTTEN_AT_ONCE_MAX: Final = 100

_ROW = IdempotencyRecordRow
_KEPT_COLUMNS = (
    _ROW.method,
    _ROW.path,
    _ROW.fingerprint,
    _ROW.status_code,
    _ROW.response_headers,
    _ROW.response_body,
)


class KeyHolder(Struct, frozen=True, kw_only=True):
    """Whose key it is, and the one attempt that holds it."""

    caller_id: UUID
    key: str
    attempt: UUID


class RepeatRecords:
    """Keys and answers; each method is one transaction, or two where it also tidies up.

    Making a clinic takes several transactions, so no lock of one can hold the key: its row does.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def hold(
        self, holder: KeyHolder, *, method: str, path: str, fingerprint: bytes
    ) -> tuple[bool, Any]:
        """Return whether the attempt holds the key now; if not, with the row of who has it, in work or answered.

        There is no row when that one let go a moment ago.
        """
        await self._forget_expired()
        wanted = {
            "method": method,
            "path": path,
            "fingerprint": fingerprint,
            "attempt": holder.attempt,
            "held_until": func.now() + HELD_MAX,
            "expires_at": func.now() + KEPT,
        }
        empty = {"status_code": None, "response_headers": None, "response_body": None}
        is_dead = _ROW.status_code.is_(None) & (_ROW.held_until <= func.now())
        held = (
            insert(_ROW)
            .values(caller_id=holder.caller_id, key=holder.key, **wanted)
            .on_conflict_do_update(
                index_elements=["caller_id", "key"],
                set_={**wanted, **empty, "created_at": func.now()},
                where=or_(_ROW.expires_at <= func.now(), is_dead),
            )
            .returning(_ROW.attempt)
        )
        async with self._engine.begin() as connection:
            if await connection.scalar(held) is not None:
                return True, None
        async with self._engine.connect() as connection:
            found = await connection.execute(
                select(*_KEPT_COLUMNS).where(
                    _ROW.caller_id == holder.caller_id, _ROW.key == holder.key
                )
            )
            return False, found.one_or_none()

    async def keep(
        self, holder: KeyHolder, *, status_code: int, headers: dict[str, str], body: bytes
    ) -> None:
        """Keep the answer under the key, if this attempt still holds it; raise `RegistryUnavailableError`."""
        with _failures():
            async with self._engine.begin() as connection:
                await connection.execute(
                    update(_ROW)
                    .where(*_held_by(holder))
                    .values(status_code=status_code, response_headers=headers, response_body=body)
                )

    async def let_go(self, holder: KeyHolder) -> None:
        """Free the key, as nothing came of the attempt; raise `RegistryUnavailableError`."""
        with _failures():
            async with self._engine.begin() as connection:
                await connection.execute(delete(_ROW).where(*_held_by(holder)))

    async def _forget_expired(self) -> None:
        """Remove old records, in a transaction of its own: two that tidy up must not wait for each other's keys."""
        expired = (
            select(_ROW.caller_id, _ROW.key)
            .where(_ROW.expires_at <= func.now())
            .order_by(_ROW.expires_at)
            .limit(FORGOTTEN_AT_ONCE_MAX)
            .with_for_update(skip_locked=True)
        )
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(_ROW).where(tuple_(_ROW.caller_id, _ROW.key).in_(expired))
            )


@contextmanager
def _failures() -> Iterator[None]:
    """Say in the registry's own words that it cannot be written to."""
    try:
        yield
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise RegistryUnavailableError from error


def _held_by(holder: KeyHolder) -> tuple[Any, ...]:
    return (
        _ROW.caller_id == holder.caller_id,
        _ROW.key == holder.key,
        _ROW.attempt == holder.attempt,
        _ROW.status_code.is_(None),
    )
