"""Sessions of users: opened at login, continued by refresh tokens with lazy rotation.

Each refresh token is a row. Exchanging it adds a child row and leaves the token valid; it dies when a child of it is
used for the first time. So a lost answer can be asked for again and two exchanges at once harm nobody, while a
dead token that comes back was copied: its whole family ends (RFC 9700 4.14).
"""

from datetime import datetime, timedelta
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, delete, exists, insert, select, update
from sqlalchemy.orm import aliased

from auth.tokens import Audience, Grant, TokenIssuer, new_refresh_token, refresh_digest
from domain.actor import Actor
from domain.clock import Clock, utc_now
from domain.errors import NotFoundError
from domain.identity.access import lock_user, roles_of
from domain.identity.errors import (
    InvalidRefreshTokenError,
    UserBlockedError,
    UserNotAuthorizedError,
    UserPendingApprovalError,
)
from domain.identity.login_schemas import USER_AGENT_LENGTH_MAX, Device, Refused, TokenPair
from domain.identity.models import AuthSession, UserAccount, UserStatus
from domain.identity.revocation import RevokeReason, revoke_family
from domain.service import ClinicService
from domain.tables import new_id
from tenancy.session import TenantSession


class _Token(Struct, frozen=True):
    """A refresh token as it is stored."""

    id: UUID
    user_id: UUID
    family_id: UUID
    first_used_at: datetime | None
    expires_at: datetime
    revoked_at: datetime | None
    is_superseded: bool


def check_may_log_in(user: UserAccount, roles: frozenset[str]) -> None:
    """Raise the error that says why this user may not work here now; to be asked after the password only."""
    if user.status == UserStatus.BLOCKED:
        raise UserBlockedError
    if user.status == UserStatus.PENDING:
        raise UserPendingApprovalError
    if user.status != UserStatus.ACTIVE or not roles:
        raise UserNotAuthorizedError


class SessionService(ClinicService):
    """Opens and continues the sessions of one clinic's users."""

    def __init__(
        self,
        session: TenantSession,
        actor: Actor,
        tokens: TokenIssuer,
        clinic_id: UUID,
        clock: Clock = utc_now,
    ) -> None:
        super().__init__(session, actor, clock)
        self._tokens = tokens
        self.clinic_id = clinic_id

    async def open(self, user: UserAccount, roles: frozenset[str], device: Device) -> TokenPair:
        """Begin a session for a user whose row is locked; forget the user's expired ones."""
        await self.session.execute(
            delete(AuthSession)
            .where(AuthSession.user_id == user.id, AuthSession.expires_at < self.now())
            .execution_options(synchronize_session=False)
        )
        return await self._issue(user, roles, device)

    async def refresh(self, token: str, device: Device) -> TokenPair | Refused:
        """Exchange a refresh token; the old one stays valid until the new one is used.

        A dead token ends its family, which must be kept: that comes back as `Refused`. Raises
        `InvalidRefreshTokenError`, or what `check_may_log_in` raises.
        """
        digest = refresh_digest(token)
        found = await self._find(digest) if digest is not None else None
        if digest is None or found is None:
            raise InvalidRefreshTokenError
        user = await lock_user(self.session, found.user_id)
        # Read again under the lock: a sibling may have been used, or the session ended, meanwhile.
        found = await self._find(digest)
        now = self.now()
        if user is None or found is None or found.revoked_at or found.expires_at <= now:
            raise InvalidRefreshTokenError
        if found.is_superseded:
            await revoke_family(self.session, found.family_id, RevokeReason.REUSE, now)
            await self.audit("refresh_reuse", "auth_session", found.family_id)
            return Refused(InvalidRefreshTokenError())
        roles = await roles_of(self.session, user.id)
        check_may_log_in(user, roles)
        if found.first_used_at is None:
            await self._mark_used(found.id, now)
        return await self._issue(user, roles, device, parent=found)

    async def continue_family(
        self, user: UserAccount, roles: frozenset[str], device: Device, session_id: UUID
    ) -> TokenPair:
        """Return a new pair in the caller's own session; the user's row is locked."""
        current = await self._find_by_id(session_id)
        if current is None:
            raise NotFoundError
        return await self._issue(user, roles, device, parent=current)

    async def _issue(
        self, user: UserAccount, roles: frozenset[str], device: Device, parent: _Token | None = None
    ) -> TokenPair:
        """Add a row for a new refresh token and return it with an access token that depends on that row."""
        refresh = new_refresh_token()
        digest = refresh_digest(refresh)
        session_id, now = new_id(), self.now()
        await self.session.execute(
            insert(AuthSession),
            {
                "id": session_id,
                "user_id": user.id,
                "refresh_sha256": digest,
                "family_id": parent.family_id if parent else session_id,
                "parent_id": parent.id if parent else None,
                "issued_at": now,
                "expires_at": now + timedelta(seconds=self._tokens.refresh_ttl_s),
                "user_agent": (device.user_agent or "")[:USER_AGENT_LENGTH_MAX] or None,
                "ip": device.address,
            },
        )
        grant = Grant(
            subject=user.id,
            session_id=session_id,
            clinic_id=self.clinic_id,
            access_version=user.access_version,
            roles=roles,
            must_change_password=user.must_change_password,
        )
        return TokenPair(
            access=self._tokens.issue(grant, Audience.CLINIC),
            refresh=refresh,
            expires_in=self._tokens.access_ttl_s,
        )

    async def _find(self, digest: bytes) -> _Token | None:
        return await self._select_token(AuthSession.refresh_sha256 == digest)

    async def _find_by_id(self, session_id: UUID) -> _Token | None:
        return await self._select_token(AuthSession.id == session_id)

    async def _select_token(self, condition: ColumnElement[bool]) -> _Token | None:
        child = aliased(AuthSession)
        is_superseded = exists().where(
            child.parent_id == AuthSession.id, child.first_used_at.is_not(None)
        )
        found = await self.session.execute(
            select(
                AuthSession.id,
                AuthSession.user_id,
                AuthSession.family_id,
                AuthSession.first_used_at,
                AuthSession.expires_at,
                AuthSession.revoked_at,
                is_superseded.label("is_superseded"),
            ).where(condition)
        )
        row = found.one_or_none()
        return None if row is None else _Token(*row)

    async def _mark_used(self, session_id: UUID, now: datetime) -> None:
        await self.session.execute(
            update(AuthSession)
            .where(AuthSession.id == session_id)
            .values(first_used_at=now)
            .execution_options(synchronize_session=False)
        )
