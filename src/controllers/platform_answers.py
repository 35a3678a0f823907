"""The answers that the platform gave under an `Idempotency-Key`, held by the registry's rows."""

import asyncio
import logging
from uuid import uuid4

from domain.operations.idempotency import KeyedRequest, StoredResponse, known_answer
from tenancy.platform import KeyHolder, Platform, RegistryUnavailableError

log = logging.getLogger(__name__)


class PlatformAnswers:
    """The way of one request to the registry's keys.

    Making a clinic is no single transaction: a parallel request is told at once that one is in progress, and a
    key whose process was killed is free again after a while.
    """

    def __init__(self, platform: Platform) -> None:
        self._repeats = platform.repeats
        self._attempt = uuid4()

    async def reserve(self, request: KeyedRequest) -> StoredResponse | None:
        """Return None when the key is this request's to answer, else the answer it has already.

        Raises `IdempotencyInProgressError` and `IdempotencyKeyReusedError`.
        """
        is_held, kept = await self._repeats.hold(
            self._holder(request),
            method=request.method,
            path=request.path,
            fingerprint=request.fingerprints[0],
        )
        return None if is_held else known_answer(kept, request)

    async def store(self, request: KeyedRequest, response: StoredResponse) -> None:
        """Keep the answer; what was done stays done, and is answered, also when it cannot be kept."""
        # A task of its own: a caller who has gone away asks again, and must not find the work begun anew.
        await asyncio.shield(asyncio.ensure_future(self._store(self._holder(request), response)))

    async def release(self, request: KeyedRequest) -> None:
        """Free the key; one that cannot be freed is free when its time is up."""
        # A task of its own, so that a second cancellation does not leave the key held.
        await asyncio.shield(asyncio.ensure_future(self._release(self._holder(request))))

    async def _store(self, holder: KeyHolder, response: StoredResponse) -> None:
        try:
            await self._repeats.keep(
                holder,
                status_code=response.status_code,
                headers=response.headers,
                body=response.body,
            )
        except RegistryUnavailableError as error:
            log.warning(
                "an answer under a key could not be kept: %s", type(error.__cause__).__name__
            )

    async def _release(self, holder: KeyHolder) -> None:
        try:
            await self._repeats.let_go(holder)
        except RegistryUnavailableError as error:
            log.warning("a key could not be freed: %s", type(error.__cause__).__name__)

    def _holder(self, request: KeyedRequest) -> KeyHolder:
        return KeyHolder(caller_id=request.user_id, key=request.key, attempt=self._attempt)
