"""One answer per idempotency key: reserved first, stored in the transaction that did the work."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import DBAPIError

from domain.operations.errors import IdempotencyInProgressError, IdempotencyKeyReusedError
from domain.operations.models import IdempotencyRecord
from tenancy.session import TenantSession

RECORD_KEPT: Final = timedelta(hours=24)
LOCK_NOT_AVAILABLE: Final = "55P03"


class KeyedRequest(Struct, frozen=True, kw_only=True):
    """What a request under an idempotency key is recognised by.

    `fingerprints` are keyed hashes of its content: the one that is kept, then those that were kept before the
    key changed.
    """

    user_id: UUID
    key: str
    method: str
    path: str
    fingerprints: tuple[bytes, ...]


class StoredResponse(Struct, frozen=True, kw_only=True):
    """An answer as it was given: the bytes of its body and the headers that belong to it."""

    status_code: int
    headers: dict[str, str]
    body: bytes


class ClinicAnswers:
    """The answers of one clinic, each kept in the transaction that did the work."""

    def __init__(self, session: TenantSession) -> None:
        self._session = session

    async def reserve(self, request: KeyedRequest) -> StoredResponse | None:
        """Return None when the key is this transaction's to answer, else the answer it has already.

        Waits for a parallel request under the same key. Raises `IdempotencyInProgressError` when that one
        takes longer than the wait allows, `IdempotencyKeyReusedError` when the key answered something else.
        """
        reserve = func.reserve_idempotency_key(
            request.user_id,
            request.key,
            request.method,
            request.path,
            request.fingerprints[0],
            RECORD_KEPT,
        )
        try:
            is_reserved = await self._session.scalar(select(reserve))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
                raise IdempotencyInProgressError from error
            raise
        return None if is_reserved else known_answer(await self._kept(request), request)

    async def store(self, request: KeyedRequest, response: StoredResponse) -> None:
        """Keep the answer under the reserved key; it becomes visible with the work itself."""
        await self._session.execute(
            update(IdempotencyRecord)
            .where(*_of(request))
            .values(
                status_code=response.status_code,
                response_headers=response.headers,
                response_body=response.body,
            )
            .execution_options(synchronize_session=False)
        )

    async def release(self, request: KeyedRequest) -> None:
        """Do nothing: the key is free when the transaction is rolled back."""

    async def _kept(self, request: KeyedRequest) -> Any:
        record = IdempotencyRecord
        columns = (
            record.method,
            record.path,
            record.body_sha256.label("fingerprint"),
            record.status_code,
            record.response_headers,
            record.response_body,
        )
        found = await self._session.execute(select(*columns).where(*_of(request)))
        return found.one_or_none()


def known_answer(kept: Any, request: KeyedRequest) -> StoredResponse:
    """Return the answer that a kept record holds for the request.

    Raises `IdempotencyKeyReusedError` when it was something else that was asked for, and
    `IdempotencyInProgressError` without an answer or without a record, as it was released a moment ago.
    """
    if kept is None:
        raise IdempotencyInProgressError
    is_same = (kept.method, kept.path) == (request.method, request.path)
    if not is_same or kept.fingerprint not in request.fingerprints:
        raise IdempotencyKeyReusedError
    if kept.status_code is None:
        raise IdempotencyInProgressError
    return StoredResponse(
        status_code=kept.status_code,
        headers=kept.response_headers or {},
        body=kept.response_body or b"",
    )


def _of(request: KeyedRequest) -> tuple[ColumnElement[bool], ...]:
    record = IdempotencyRecord
    return record.user_id == request.user_id, record.key == request.key
