"""Operators and their logins: one row for each refresh token, known by its hash."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from uuid_utils.compat import uuid7

from tenancy.registry.audit import record_platform_event
from tenancy.registry.models import OperatorRow, OperatorSessionRow
from tenancy.registry.records import OperatorRecord, PlatformActor, PlatformEvent
from tenancy.registry.refusals import refusals

OPERATORS_MAX: Final = 1000
ROTATED: Final = "rotated"
"""Why a token ended whose successor is in use."""

_OPERATORS = select(*(OperatorRow.__table__.c[name] for name in OperatorRecord.__struct_fields__))
_LOCK = _OPERATORS.with_for_update(of=OperatorRow, key_share=True)


class LoginDetails(Struct, frozen=True, kw_only=True):
    """A new refresh token by its hash, how long it lasts, and from where it was asked for."""

    refresh_sha256: bytes
    expires_at: datetime
    user_agent: str | None = None
    ip: str | None = None


class _Token(Struct, frozen=True):
    """A refresh token as it is stored."""

    id: UUID
    family_id: UUID
    parent_id: UUID | None
    is_expired: bool
    revoke_reason: str | None


class OperatorRecords:
    """The operators of the registry and their sessions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(
        self, email: str, password_hash: str, role: str, actor: PlatformActor
    ) -> OperatorRecord:
        """Add an operator; raise `OperatorExistsError`."""
        operator_id = uuid7()
        async with self._engine.begin() as connection:
            with refusals():
                await connection.execute(
                    insert(OperatorRow).values(
                        id=operator_id,
                        email=email.strip().lower(),
                        password_hash=password_hash,
                        role=role,
                    )
                )
            event = PlatformEvent(
                action="create",
                entity_type="operator",
                entity_id=operator_id,
                details={"role": role},
            )
            await record_platform_event(connection, actor, event)
            row = (await connection.execute(_OPERATORS.where(OperatorRow.id == operator_id))).one()
        return _operator(row)

    async def all(self) -> Sequence[OperatorRecord]:
        """Return every operator by e-mail address."""
        statement = _OPERATORS.order_by(OperatorRow.email).limit(OPERATORS_MAX)
        async with self._engine.connect() as connection:
            return [_operator(row) for row in await connection.execute(statement)]

    async def credentials(self, email: str) -> tuple[OperatorRecord, str] | None:
        """Return the operator with this address and the password hash, None when there is none."""
        statement = _OPERATORS.add_columns(OperatorRow.password_hash).where(
            OperatorRow.email == email.strip().lower()
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else (_operator(row), row.password_hash)

    async def at_work(self, operator_id: UUID, session_id: UUID) -> OperatorRecord | None:
        """Return the operator if this login is alive and the operator not blocked, None otherwise."""
        statement = _OPERATORS.join(
            OperatorSessionRow, OperatorSessionRow.operator_id == OperatorRow.id
        ).where(
            OperatorRow.id == operator_id,
            OperatorRow.status == "active",
            OperatorSessionRow.id == session_id,
            OperatorSessionRow.revoked_at.is_(None),
            OperatorSessionRow.expires_at > func.now(),
        )
        async with self._engine.connect() as connection:
            row = (await connection.execute(statement)).one_or_none()
        return None if row is None else _operator(row)

    async def log_in(
        self, operator_id: UUID, details: LoginDetails, new_hash: str | None, actor: PlatformActor
    ) -> UUID:
        """Begin a login and return its id; `new_hash` replaces an outdated password hash."""
        values: dict[str, Any] = {"last_login_at": func.now()}
        if new_hash is not None:
            values["password_hash"] = new_hash
        async with self._engine.begin() as connection:
            session_id = await _begin_session(connection, operator_id, details)
            await connection.execute(
                update(OperatorRow).where(OperatorRow.id == operator_id).values(values)
            )
            event = PlatformEvent(action="login", entity_type="operator", entity_id=operator_id)
            await record_platform_event(connection, actor, event)
        return session_id

    async def exchange(
        self, refresh_sha256: bytes, details: LoginDetails
    ) -> tuple[OperatorRecord, UUID] | None:
        """Exchange a refresh token: return its operator and the new login's id, None when the token is not valid.

        The old token stays valid until the new one is used, so that a lost answer can be asked for again. A token that
        comes back after that was copied: its whole family ends (RFC 9700 4.14).
        """
        async with self._engine.begin() as connection:
            operator = await _locked_operator(connection, refresh_sha256)
            token = await _token(connection, refresh_sha256)
            if operator is None or token is None:
                return None
            if token.revoke_reason == ROTATED:
                await _revoke(connection, OperatorSessionRow.family_id == token.family_id, "reuse")
            if token.revoke_reason is not None or token.is_expired or operator.status != "active":
                return None
            await connection.execute(
                update(OperatorSessionRow)
                .where(OperatorSessionRow.id == token.id)
                .values(first_used_at=func.coalesce(OperatorSessionRow.first_used_at, func.now()))
            )
            if token.parent_id is not None:
                await _revoke(connection, OperatorSessionRow.id == token.parent_id, ROTATED)
            return operator, await _begin_session(connection, operator.id, details, token)

    async def log_out(self, operator_id: UUID, session_id: UUID, actor: PlatformActor) -> None:
        """End the login that this session belongs to, with every token that came from it."""
        family = (
            select(OperatorSessionRow.family_id)
            .where(OperatorSessionRow.id == session_id)
            .scalar_subquery()
        )
        async with self._engine.begin() as connection:
            await connection.execute(_LOCK.where(OperatorRow.id == operator_id))
            await _revoke(connection, OperatorSessionRow.family_id == family, "logout")
            event = PlatformEvent(action="logout", entity_type="operator", entity_id=operator_id)
            await record_platform_event(connection, actor, event)


async def _locked_operator(
    connection: AsyncConnection, refresh_sha256: bytes
) -> OperatorRecord | None:
    """Return the token's operator, locked: exchanges and the log-out of one operator take turns."""
    owner = (
        select(OperatorSessionRow.operator_id)
        .where(OperatorSessionRow.refresh_sha256 == refresh_sha256)
        .scalar_subquery()
    )
    row = (await connection.execute(_LOCK.where(OperatorRow.id == owner))).one_or_none()
    return None if row is None else _operator(row)


async def _token(connection: AsyncConnection, refresh_sha256: bytes) -> _Token | None:
    statement = select(
        OperatorSessionRow.id,
        OperatorSessionRow.family_id,
        OperatorSessionRow.parent_id,
        OperatorSessionRow.expires_at <= func.now(),
        OperatorSessionRow.revoke_reason,
    ).where(OperatorSessionRow.refresh_sha256 == refresh_sha256)
    row = (await connection.execute(statement)).one_or_none()
    return None if row is None else _Token(*row)


async def _revoke(connection: AsyncConnection, condition: ColumnElement[bool], reason: str) -> None:
    await connection.execute(
        update(OperatorSessionRow)
        .where(condition, OperatorSessionRow.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoke_reason=reason)
    )


async def _begin_session(
    connection: AsyncConnection,
    operator_id: UUID,
    details: LoginDetails,
    parent: _Token | None = None,
) -> UUID:
    session_id = uuid7()
    await connection.execute(
        insert(OperatorSessionRow).values(
            id=session_id,
            operator_id=operator_id,
            refresh_sha256=details.refresh_sha256,
            family_id=session_id if parent is None else parent.family_id,
            parent_id=None if parent is None else parent.id,
            expires_at=details.expires_at,
            user_agent=details.user_agent,
            ip=details.ip,
        )
    )
    return session_id


def _operator(row: Row[Any]) -> OperatorRecord:
    values = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for it
    return OperatorRecord(**{name: values[name] for name in OperatorRecord.__struct_fields__})
