"""One answer per idempotency key: reserved first, stored in the transaction that did the work."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import func, select, update
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


async def reserve_key(session: TenantSession, request: KeyedRequest) -> StoredResponse | None:
    """Return None when the key is this transaction's to answer, else the answer it has already.

    Waits for a parallel request under the same key. Raises `IdempotencyInProgressError` when that one
    takes longer than the wait allows, `IdempotencyKeyReusedError` when the key answered something else.
    """
    try:
        reserved = await session.scalar(
            select(
                func.reserve_idempotency_key(
                    request.user_id,
                    request.key,
                    request.method,
                    request.path,
                    request.fingerprints[0],
                    RECORD_KEPT,
                )
            )
        )
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise IdempotencyInProgressError from error
        raise
    return None if reserved else await _answer(session, request)


async def _answer(session: TenantSession, request: KeyedRequest) -> StoredResponse:
    record = IdempotencyRecord
    statement = select(
        record.method,
        record.path,
        record.body_sha256,
        record.status_code,
        record.response_headers,
        record.response_body,
    ).where(record.user_id == request.user_id, record.key == request.key)
    row: Any = (await session.execute(statement)).one_or_none()
    if row is None or row.status_code is None:
        raise IdempotencyInProgressError
    is_same = (row.method, row.path) == (request.method, request.path)
    if not is_same or row.body_sha256 not in request.fingerprints:
        raise IdempotencyKeyReusedError
    return StoredResponse(
        status_code=row.status_code,
        headers=row.response_headers or {},
        body=row.response_body or b"",
    )


async def store_response(
    session: TenantSession, request: KeyedRequest, response: StoredResponse
) -> None:
    """Keep the answer under the reserved key; it becomes visible with the work itself."""
    await session.execute(
        update(IdempotencyRecord)
        .where(IdempotencyRecord.user_id == request.user_id, IdempotencyRecord.key == request.key)
        .values(
            status_code=response.status_code,
            response_headers=response.headers,
            response_body=response.body,
        )
        .execution_options(synchronize_session=False)
    )
