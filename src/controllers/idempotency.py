"""`Idempotency-Key` on POST (draft-ietf-httpapi-idempotency-key-header): one key, one effect, one answer."""

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, Any, Final, TypeVar

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, SkipValidation
from litestar.serialization import get_serializer
from litestar.utils import get_enum_string_value

from controllers.errors import InvalidIdempotencyKeyError
from controllers.fingerprints import RequestFingerprints
from domain.actor import Actor
from domain.operations.idempotency import (
    KeyedRequest,
    StoredResponse,
    reserve_key,
    store_response,
)
from tenancy.session import TenantSession

KEY: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?")
REPLAYED: Final = {"Idempotency-Replayed": "true"}
JSON: Final = "application/json"

IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        description="Repeats under the same key within 24 hours get the first answer again.",
    ),
]

ADDED: Final = (
    ("request", Request[Any, Any, Any], inspect.Parameter.empty),
    ("db_session", NamedDependency[SkipValidation[TenantSession]], inspect.Parameter.empty),
    ("actor", NamedDependency[SkipValidation[Actor]], inspect.Parameter.empty),
    (
        "fingerprints",
        NamedDependency[SkipValidation[RequestFingerprints]],
        inspect.Parameter.empty,
    ),
    ("idempotency_key", IdempotencyKey, None),
)

HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[Any]])


def idempotent(handler: HandlerT) -> HandlerT:
    """Make a writing handler honour `Idempotency-Key`; stands directly under the route decorator.

    The key is reserved before the handler runs and its answer kept in the same transaction, so a
    parallel duplicate waits and then gets the same answer, and a failed request leaves the key free.
    """
    signature = inspect.signature(handler)
    own = set(signature.parameters)

    @wraps(handler)
    async def keyed(*args: Any, **kwargs: Any) -> Any:
        frame = {name: kwargs[name] for name, _, _ in ADDED}
        wanted = {name: value for name, value in kwargs.items() if name in own}
        key, actor = frame["idempotency_key"], frame["actor"]
        if key is None or actor.user_id is None:
            return await handler(*args, **wanted)
        session, request = frame["db_session"], frame["request"]
        keyed_request = await _recognised(request, actor, key, frame["fingerprints"])
        stored = await reserve_key(session, keyed_request)
        if stored is not None:
            return _response(stored, REPLAYED)
        fresh = _stored(request, await handler(*args, **wanted))
        await store_response(session, keyed_request, fresh)
        return _response(fresh, {})

    _declare(keyed, signature)
    return keyed  # type: ignore[return-value]  # same handler to its caller, more parameters to Litestar


def _declare(keyed: Callable[..., Any], signature: inspect.Signature) -> None:
    """Let Litestar see the handler's own parameters and the ones that the key needs."""
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, kind, default in ADDED
        if name not in signature.parameters
    ]
    parameters = [*signature.parameters.values(), *added]
    keyed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    keyed.__annotations__ = {
        **keyed.__annotations__,
        **{parameter.name: parameter.annotation for parameter in added},
    }


async def _recognised(
    request: Request[Any, Any, Any], actor: Actor, key: str, fingerprints: RequestFingerprints
) -> KeyedRequest:
    if not KEY.fullmatch(key):
        raise InvalidIdempotencyKeyError
    assert actor.user_id is not None
    return KeyedRequest(
        user_id=actor.user_id,
        key=key,
        method=request.method,
        path=request.scope["path"],
        fingerprints=fingerprints.of(
            key.encode(), request.scope["query_string"], await request.body()
        ),
    )


def _stored(request: Request[Any, Any, Any], result: Any) -> StoredResponse:
    """Return the handler's result as it goes over the wire."""
    route = request.route_handler
    response = result if isinstance(result, Response) else Response(result)
    media_type = get_enum_string_value(response.media_type or JSON)
    return StoredResponse(
        status_code=response.status_code or route.status_code,
        headers={**{k: str(v) for k, v in response.headers.items()}, "Content-Type": media_type},
        body=response.render(
            response.content, media_type, get_serializer(route.resolve_type_encoders())
        ),
    )


def _response(stored: StoredResponse, extra_headers: dict[str, str]) -> Response[bytes]:
    headers = {name: value for name, value in stored.headers.items() if name != "Content-Type"}
    return Response(
        stored.body,
        status_code=stored.status_code,
        headers={**headers, **extra_headers},
        media_type=stored.headers.get("Content-Type", JSON),
    )
