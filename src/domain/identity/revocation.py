"""Ending sessions: refresh and access tokens of a family die with the transaction that revokes it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, select, update

from domain.identity.models import AuthSession
from tenancy.session import TenantSession


class RevokeReason(StrEnum):
    """Why a session was ended before its time."""

    LOGOUT = "logout"
    REVOKED_BY_USER = "revoked_by_user"
    REUSE = "reuse"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # a reason, not a secret
    PASSWORD_RESET = "password_reset"  # noqa: S105  # a reason, not a secret
    BLOCKED = "blocked"


async def family_of(session: TenantSession, session_id: UUID) -> UUID | None:
    """Return the family that a token's session belongs to."""
    return await session.scalar(select(AuthSession.family_id).where(AuthSession.id == session_id))


async def revoke_family(
    session: TenantSession, family_id: UUID, reason: RevokeReason, now: datetime
) -> None:
    """End one login. The caller holds the user's row lock, so that no refresh slips a new token in."""
    await _revoke(session, AuthSession.family_id == family_id, reason=reason, now=now)


async def revoke_sessions(
    session: TenantSession,
    user_id: UUID,
    reason: RevokeReason,
    now: datetime,
    *,
    kept_family: UUID | None = None,
) -> None:
    """End all logins of a user but `kept_family`. The caller holds the user's row lock."""
    condition = AuthSession.user_id == user_id
    if kept_family is not None:
        condition &= AuthSession.family_id != kept_family
    await _revoke(session, condition, reason=reason, now=now)


async def _revoke(
    session: TenantSession, condition: ColumnElement[bool], *, reason: RevokeReason, now: datetime
) -> None:
    await session.execute(
        update(AuthSession)
        .where(condition, AuthSession.revoked_at.is_(None))
        .values(revoked_at=now, revoke_reason=reason.value)
        .execution_options(synchronize_session=False)
    )
