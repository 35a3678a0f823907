"""Password hashes: argon2id off the event loop, a bounded number at once; legacy schemes are verified and outdated."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

import argon2
from msgspec import Struct

from auth.aspnet_identity import verify_aspnet_identity
from auth.password_policy import PASSWORD_LENGTH_MAX, PasswordPolicy
from auth.rate_limits import RateLimitedError

ResultT = TypeVar("ResultT")

MEMORY_KIB = 19_456
TIME_COST = 2
PARALLELISM = 1
"""OWASP's minimum for argon2id: 19 ms a hash where the library's own defaults take 168 ms."""

HASH_CONCURRENCY = 2
HASH_WAITERS_MAX = 256
BUSY_RETRY_AFTER_S = 2

STORED_MEMORY_KIB_MAX = 262_144
STORED_TIME_COST_MAX = 16
STORED_PARALLELISM_MAX = 16
"""What a stored argon2 hash may ask for: it may come from an import."""


class HashScheme(StrEnum):
    """How a stored password was hashed."""

    ARGON2ID = "argon2id"
    ASPNET_IDENTITY = "aspnet_identity"


class StoredPassword(Struct, frozen=True):
    """A hash and the scheme that made it."""

    hash: str
    scheme: str


class Verdict(Struct, frozen=True):
    """Whether a password is the right one, and whether its hash should be made anew."""

    matches: bool
    outdated: bool = False


WRONG = Verdict(matches=False)


class PasswordHasher:
    """Makes and verifies password hashes; at most `hash_concurrency` at once in this process.

    Raises `RateLimitedError` when too many callers wait already.
    """

    def __init__(
        self,
        *,
        memory_kib: int = MEMORY_KIB,
        time_cost: int = TIME_COST,
        parallelism: int = PARALLELISM,
        hash_concurrency: int = HASH_CONCURRENCY,
        policy: PasswordPolicy | None = None,
    ) -> None:
        self.policy = policy or PasswordPolicy()
        self.argon2 = argon2.PasswordHasher(
            memory_cost=memory_kib, time_cost=time_cost, parallelism=parallelism
        )
        self._turns = asyncio.Semaphore(hash_concurrency)
        self._waiting = 0
        self._threads = ThreadPoolExecutor(hash_concurrency, thread_name_prefix="password")

    async def hash(self, password: str) -> str:
        """Return a new argon2id hash."""
        return await self._in_turn(lambda: self.argon2.hash(password))

    async def verify(self, stored: StoredPassword | None, password: str) -> Verdict:
        """Compare; without a stored password as much time is spent, so that nobody learns there is none."""
        return await self._in_turn(lambda: self.compare(stored, password))

    async def _in_turn(self, work: Callable[[], ResultT]) -> ResultT:
        """Run `work` in a thread when a turn is free. Nothing is waited for inside a turn but the CPU.

        So one clinic that is fenced, locked or out of reach cannot keep the turns from the others.
        """
        if self._waiting >= HASH_WAITERS_MAX:
            raise RateLimitedError(BUSY_RETRY_AFTER_S)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._turns.release()

    def compare(self, stored: StoredPassword | None, password: str) -> Verdict:
        """Compare in this thread. Every failure costs at least one argon2id hash; nothing malformed raises."""
        verdict = WRONG
        if stored is not None and len(password) <= PASSWORD_LENGTH_MAX:
            if stored.scheme == HashScheme.ASPNET_IDENTITY:
                right = verify_aspnet_identity(stored.hash, password)
                verdict = Verdict(matches=right, outdated=True)
            elif stored.scheme == HashScheme.ARGON2ID and _is_affordable(stored.hash):
                return self._compare_argon2(stored.hash, password)
        if not verdict.matches:
            self._waste(password)
        return verdict

    def close(self) -> None:
        """Let the threads end; what runs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _nobodys_hash(self) -> str:
        return self.argon2.hash("nobody's password")

    def _compare_argon2(self, stored: str, password: str) -> Verdict:
        try:
            self.argon2.verify(stored, password)
        except argon2.exceptions.VerifyMismatchError:
            return WRONG
        except (argon2.exceptions.VerificationError, ValueError):
            self._waste(password)
            return WRONG
        return Verdict(matches=True, outdated=self.argon2.check_needs_rehash(stored))

    def _waste(self, password: str) -> None:
        """Spend what a verification costs."""
        with suppress(argon2.exceptions.VerificationError):
            self.argon2.verify(self._nobodys_hash, password[:PASSWORD_LENGTH_MAX])


def _is_affordable(stored: str) -> bool:
    """Return whether a stored argon2 hash is well-formed and asks for no more than it may."""
    try:
        asked = argon2.extract_parameters(stored)
    except argon2.exceptions.InvalidHashError:
        return False
    return (
        asked.type is argon2.Type.ID
        and asked.memory_cost <= STORED_MEMORY_KIB_MAX
        and asked.time_cost <= STORED_TIME_COST_MAX
        and asked.parallelism <= STORED_PARALLELISM_MAX
    )
