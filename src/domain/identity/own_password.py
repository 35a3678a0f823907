"""Changing the caller's own password."""

from uuid import UUID

from sqlalchemy import update

from auth.passwords import HashScheme, PasswordHasher, StoredPassword
from auth.rate_limits import RateLimiter
from domain.errors import NotFoundError
from domain.identity.access import lock_user, roles_of
from domain.identity.errors import WeakPasswordError, WrongPasswordError
from domain.identity.login_limits import LoginLimits
from domain.identity.login_schemas import Device, TokenPair
from domain.identity.models import UserAccount
from domain.identity.revocation import RevokeReason, family_of, revoke_sessions
from domain.identity.schemas import PasswordChange
from domain.identity.sessions import SessionService


class OwnPasswordService:
    """Exchanges the caller's password and ends the caller's other sessions."""

    def __init__(
        self, sessions: SessionService, hasher: PasswordHasher, limiter: RateLimiter
    ) -> None:
        self._sessions = sessions
        self._session = sessions.session
        self._hasher = hasher
        self._limiter = limiter

    async def change(self, change: PasswordChange, session_id: UUID, device: Device) -> TokenPair:
        """Store the new password; return tokens that no longer ask for a change.

        Raises `WrongPasswordError`, `WeakPasswordError`, and `RateLimitedError` as a login does: a
        stolen access token must not be a way to guess the password.
        """
        user_id = self._sessions.actor.user_id
        assert user_id is not None
        limits = LoginLimits(
            self._limiter, self._sessions.clinic_id, name=str(user_id), address=device.address
        )
        await limits.check()
        user = await lock_user(self._session, user_id)
        if user is None:
            raise NotFoundError
        stored = StoredPassword(user.password_hash or "", user.password_scheme or "")
        verdict = await self._hasher.verify(stored, change.current_password)
        if not verdict.matches:
            raise await limits.count_failure() or WrongPasswordError()
        self._judge(user, change)
        new_hash = await self._hasher.hash(change.new_password)
        await self._store(user, new_hash)
        family_id = await family_of(self._session, session_id)
        await revoke_sessions(
            self._session,
            user_id,
            RevokeReason.PASSWORD_CHANGED,
            self._sessions.now(),
            kept_family=family_id,
        )
        await self._sessions.audit("password_change", "user_account", user_id)
        await self._session.refresh(user)
        roles = await roles_of(self._session, user_id)
        return await self._sessions.continue_family(user, roles, device, session_id)

    def _judge(self, user: UserAccount, change: PasswordChange) -> None:
        code = self._hasher.policy.objection(change.new_password, names=(user.email, user.username))
        if code is None and change.new_password == change.current_password:
            code = "password_unchanged"
        if code is not None:
            raise WeakPasswordError(code, "/new_password")

    async def _store(self, user: UserAccount, new_hash: str) -> None:
        now = self._sessions.now()
        await self._session.execute(
            update(UserAccount)
            .where(UserAccount.id == user.id)
            .values(
                password_hash=new_hash,
                password_scheme=HashScheme.ARGON2ID.value,
                password_changed_at=now,
                must_change_password=False,
                failed_logins=0,
                version=UserAccount.version + 1,
                updated_by=user.id,
            )
            .execution_options(synchronize_session=False)
        )
