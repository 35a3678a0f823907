"""Logging operators in and out: the registry's people, another audience, the same care as for clinic users."""

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from auth.passwords import HashScheme, PasswordHasher, StoredPassword
from auth.rate_limits import RateLimiter
from auth.tokens import Audience, Grant, TokenIssuer, new_refresh_token, refresh_digest
from domain.identity.errors import InvalidCredentialsError, InvalidRefreshTokenError
from domain.identity.login_schemas import USER_AGENT_LENGTH_MAX, Device, TokenPair
from tenancy.platform import LoginDetails, OperatorRecord, OperatorRecords, PlatformActor

ACCOUNT_FAILURES_MAX = 10
ADDRESS_FAILURES_MAX = 60
WINDOW_S = 60


class OperatorLogin(Struct, frozen=True, kw_only=True):
    """Tokens, and whose they are."""

    tokens: TokenPair
    operator: OperatorRecord


class OperatorLogins:
    """Exchanges passwords and refresh tokens of operators for tokens."""

    def __init__(
        self,
        operators: OperatorRecords,
        hasher: PasswordHasher,
        limiter: RateLimiter,
        tokens: TokenIssuer,
    ) -> None:
        self._operators = operators
        self._hasher = hasher
        self._limiter = limiter
        self._tokens = tokens

    async def log_in(
        self, email: str, password: str, device: Device, actor: PlatformActor
    ) -> OperatorLogin:
        """Return tokens; raise `InvalidCredentialsError`, or `RateLimitedError` after too many failures."""
        buckets = {
            _bucket("operator-account", email.strip().lower()): ACCOUNT_FAILURES_MAX,
            _bucket("operator-address", device.address or ""): ADDRESS_FAILURES_MAX,
        }
        for bucket, limit in buckets.items():
            await self._limiter.check(bucket, limit=limit, window_s=WINDOW_S)
        found = await self._operators.credentials(email)
        stored = None
        if found is not None and found[0].status == "active":
            stored = StoredPassword(found[1], HashScheme.ARGON2ID)
        verdict = await self._hasher.verify(stored, password)
        if found is None or not verdict.matches:
            for bucket, limit in buckets.items():
                await self._limiter.hit(bucket, limit=limit, window_s=WINDOW_S)
            raise InvalidCredentialsError
        new_hash = await self._hasher.hash(password) if verdict.outdated else None
        refresh, details = self._new_login(device)
        session_id = await self._operators.log_in(found[0].id, details, new_hash, actor)
        return self._login(found[0], session_id, refresh)

    async def refresh(self, token: str, device: Device) -> OperatorLogin:
        """Return new tokens for a refresh token; raise `InvalidRefreshTokenError`."""
        digest = refresh_digest(token)
        refresh, details = self._new_login(device)
        exchanged = None if digest is None else await self._operators.exchange(digest, details)
        if exchanged is None:
            raise InvalidRefreshTokenError
        operator, session_id = exchanged
        return self._login(operator, session_id, refresh)

    async def log_out(
        self, operator: OperatorRecord, session_id: UUID, actor: PlatformActor
    ) -> None:
        """End the login with all its tokens."""
        await self._operators.log_out(operator.id, session_id, actor)

    def _new_login(self, device: Device) -> tuple[str, LoginDetails]:
        refresh = new_refresh_token()
        digest = refresh_digest(refresh)
        assert digest is not None
        return refresh, LoginDetails(
            refresh_sha256=digest,
            expires_at=datetime.now(UTC) + timedelta(seconds=self._tokens.refresh_ttl_s),
            user_agent=(device.user_agent or "")[:USER_AGENT_LENGTH_MAX] or None,
            ip=device.address,
        )

    def _login(self, operator: OperatorRecord, session_id: UUID, refresh: str) -> OperatorLogin:
        grant = Grant(subject=operator.id, session_id=session_id, roles=frozenset({operator.role}))
        tokens = TokenPair(
            access=self._tokens.issue(grant, Audience.PLATFORM),
            refresh=refresh,
            expires_in=self._tokens.access_ttl_s,
        )
        return OperatorLogin(tokens=tokens, operator=operator)


def _bucket(kind: str, subject: str) -> str:
    return f"{kind}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
