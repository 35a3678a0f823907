"""How often a login may fail: counted by account and by address, whether the account exists or not."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from auth.rate_limits import RateLimitedError, RateLimiter

ACCOUNT_FAILURES_MAX = 10
ADDRESS_FAILURES_MAX = 60
WINDOW_S = 60


class LoginLimits:
    """The limits of one login attempt. The counters hold digests: no name leaves the clinic."""

    def __init__(self, limiter: RateLimiter, clinic_id: UUID, *, name: str, address: str) -> None:
        self._limiter = limiter
        self._clinic_id = clinic_id
        self._account = self._account_bucket(name)
        self._address = _bucket("login-address", address)

    async def check(self) -> None:
        """Raise `RateLimitedError` when too many attempts have failed already."""
        await self._limiter.check(self._account, limit=ACCOUNT_FAILURES_MAX, window_s=WINDOW_S)
        await self._limiter.check(self._address, limit=ADDRESS_FAILURES_MAX, window_s=WINDOW_S)

    async def count_failure(
        self, other_names: Iterable[str | None] = ()
    ) -> RateLimitedError | None:
        """Count one failed attempt, under all names of the account; return the refusal if it was one too many.

        An account has two names at most; always as many are counted, so that time does not tell how many there are.
        """
        accounts = {self._account, *(self._account_bucket(name) for name in other_names if name)}
        if len(accounts) == 1:
            accounts.add(_bucket("login-nobody", self._account))
        limits = [(self._address, ADDRESS_FAILURES_MAX)]
        limits += [(account, ACCOUNT_FAILURES_MAX) for account in sorted(accounts)]
        refusal = None
        for bucket, limit in limits:
            try:
                await self._limiter.hit(bucket, limit=limit, window_s=WINDOW_S)
            except RateLimitedError as error:
                refusal = error
        return refusal

    def _account_bucket(self, name: str) -> str:
        return _bucket("login-account", f"{self._clinic_id}/{name}")


def _bucket(kind: str, subject: str) -> str:
    return f"{kind}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"
