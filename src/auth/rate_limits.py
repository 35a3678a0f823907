"""The port through which login, validate and sign-up are limited; the counter behind it is shared by all workers."""

from typing import Protocol


class RateLimitedError(Exception):
    """Too many attempts; try again later."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(type(self).__doc__)
        self.retry_after_s = retry_after_s


class RateLimiter(Protocol):
    """Counts events in fixed windows, over all worker processes."""

    async def check(self, bucket: str, *, limit: int, window_s: int) -> None:
        """Raise `RateLimitedError` when `bucket` already holds `limit` events in this window; counts nothing."""

    async def hit(self, bucket: str, *, limit: int, window_s: int) -> None:
        """Count one event; raise `RateLimitedError` when it is one too many."""
