"""Logging in: right password first, then whether the user may; every failure leaves a trace and costs the same."""

from datetime import timedelta
from uuid import UUID

from msgspec import Struct, structs
from sqlalchemy import case, select, update

from auth.passwords import WRONG, HashScheme, PasswordHasher, StoredPassword, Verdict
from auth.rate_limits import RateLimiter
from domain.actor import Role
from domain.audit import record_audit_event
from domain.clock import Clock, utc_now
from domain.errors import ClinicError
from domain.identity.access import in_order, lock_user, main_role, roles_of
from domain.identity.errors import InvalidCredentialsError
from domain.identity.login_limits import LoginLimits
from domain.identity.login_schemas import Device, LoggedIn, LoginUser, Refused
from domain.identity.models import UserAccount
from domain.identity.sessions import SessionService, check_may_log_in
from domain.tables import new_id

CONSECUTIVE_FAILURES_MAX = 20
LOCK_S = 15 * 60


class LoginAttempt(Struct, frozen=True, kw_only=True):
    """Somebody says to be somebody."""

    name: str
    password: str
    device: Device


class LoginService:
    """Checks a name and a password and opens a session.

    Failures come back as `Refused`, not as exceptions, because their traces (failure count, audit
    event) are rows of the same transaction and must be kept.
    """

    def __init__(
        self,
        sessions: SessionService,
        hasher: PasswordHasher,
        limiter: RateLimiter,
        clock: Clock = utc_now,
    ) -> None:
        self._sessions = sessions
        self._session = sessions.session
        self._hasher = hasher
        self._limiter = limiter
        self._clock = clock
        self._anonymous = structs.replace(
            sessions.actor, user_id=None, kind="anonymous", roles=frozenset[Role]()
        )

    async def log_in(self, attempt: LoginAttempt) -> LoggedIn | Refused:
        """Return tokens for the right password of a user who may log in.

        Raises `RateLimitedError` when too many attempts have failed already.
        """
        limits = LoginLimits(
            self._limiter,
            self._sessions.clinic_id,
            name=normalised(attempt.name),
            address=attempt.device.address,
        )
        await limits.check()
        user, verdict, new_hash = await self._compare(attempt)
        if user is None or not verdict.matches:
            return await self._fail(user, limits)
        # Attempts at the same time may have used up the limit: the right guess among them counts for nothing.
        await limits.check()
        roles = await roles_of(self._session, user.id)
        try:
            check_may_log_in(user, roles)
        except ClinicError as error:
            await self._audit("login_refused", user, reason=type(error).__name__)
            return Refused(error)
        return await self._succeed(user, roles, attempt.device, new_hash)

    async def _compare(
        self, attempt: LoginAttempt
    ) -> tuple[UserAccount | None, Verdict, str | None]:
        """Return the account, whether the password is right, and its new hash if the old one is outdated.

        The account is locked if the password is right: nobody blocks it or changes its password meanwhile.
        """
        user = await self._find(attempt.name)
        stored = self._usable_password(user)
        verdict = await self._hasher.verify(stored, attempt.password)
        if user is None or stored is None or not verdict.matches:
            return user, WRONG, None
        user = await lock_user(self._session, user.id)
        now_stored = self._usable_password(user)
        if now_stored != stored:
            verdict = await self._hasher.verify(now_stored, attempt.password)
        outdated = verdict.matches and verdict.outdated
        return user, verdict, await self._hasher.hash(attempt.password) if outdated else None

    async def _find(self, name: str) -> UserAccount | None:
        """Return the account with this e-mail or username; a username with an @ is an e-mail always."""
        name = normalised(name)
        if not name.isprintable():
            return None
        column = UserAccount.email if "@" in name else UserAccount.username
        return await self._session.scalar(select(UserAccount).where(column == name))

    def _usable_password(self, user: UserAccount | None) -> StoredPassword | None:
        """Return what to compare with; a locked account answers as if there were none."""
        if user is None or user.password_hash is None or user.password_scheme is None:
            return None
        if self._is_locked(user):
            return None
        return StoredPassword(user.password_hash, user.password_scheme)

    def _is_locked(self, user: UserAccount) -> bool:
        return user.locked_until is not None and user.locked_until > self._clock()

    async def _fail(self, user: UserAccount | None, limits: LoginLimits) -> Refused:
        names = (user.email, user.username) if user is not None else ()
        refusal = await limits.count_failure(names)
        # For an unknown name the same statement finds no row: it takes its time all the same.
        await self._count_failure(user.id if user is not None else new_id())
        await self._audit("login_failed", user)
        return Refused(refusal or InvalidCredentialsError())

    async def _count_failure(self, user_id: UUID) -> None:
        """Count one more failure in a row; the one too many locks the account for a while.

        While an account is locked nothing is counted, so that nobody can prolong the lock.
        """
        now = self._clock()
        failures = UserAccount.failed_logins + 1
        is_last = failures >= CONSECUTIVE_FAILURES_MAX
        is_free = UserAccount.locked_until.is_(None) | (UserAccount.locked_until <= now)
        await self._session.execute(
            update(UserAccount)
            .where(UserAccount.id == user_id, is_free)
            .values(
                failed_logins=case((is_last, 0), else_=failures),
                locked_until=case(
                    (is_last, now + timedelta(seconds=LOCK_S)), else_=UserAccount.locked_until
                ),
                updated_at=UserAccount.updated_at,
            )
            .execution_options(synchronize_session=False)
        )

    async def _succeed(
        self, user: UserAccount, roles: frozenset[str], device: Device, new_hash: str | None
    ) -> LoggedIn:
        await self._session.execute(
            update(UserAccount)
            .where(UserAccount.id == user.id)
            .values(
                failed_logins=0,
                locked_until=None,
                last_login_at=self._clock(),
                updated_at=UserAccount.updated_at,
            )
            .execution_options(synchronize_session=False)
        )
        if new_hash is not None:
            await self._replace_hash(user, new_hash)
        tokens = await self._sessions.open(user, roles, device)
        await self._audit("login", user)
        return LoggedIn(
            tokens=tokens,
            user=LoginUser(
                id=user.id,
                username=user.username,
                email=user.email,
                user_type=main_role(roles),
                first_name=user.first_name,
                last_name=user.last_name,
                roles=[role.value for role in in_order(roles)],
                must_change_password=user.must_change_password,
            ),
        )

    async def _replace_hash(self, user: UserAccount, new_hash: str) -> None:
        """Store the password under the present scheme, unless it was changed since it was compared."""
        await self._session.execute(
            update(UserAccount)
            .where(UserAccount.id == user.id, UserAccount.password_hash == user.password_hash)
            .values(
                password_hash=new_hash,
                password_scheme=HashScheme.ARGON2ID.value,
                updated_at=UserAccount.updated_at,
            )
            .execution_options(synchronize_session=False)
        )

    async def _audit(self, action: str, user: UserAccount | None, **details: str) -> None:
        """Leave an event without a name or a password; only a login that succeeded has an actor."""
        actor = self._anonymous
        if user is not None and action == "login":
            actor = structs.replace(actor, user_id=user.id, kind="user")
        user_id = user.id if user is not None else None
        await record_audit_event(self._session, actor, action, "user_account", user_id, details)


def normalised(name: str) -> str:
    """Return a username or e-mail as it is stored."""
    return name.strip().lower()
