"""`Idempotency-Key` on POST (draft-ietf-httpapi-idempotency-key-header): one key, one effect, one answer."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Annotated, Any, Final, Protocol, TypeVar
from uuid import UUID

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, SkipValidation
from litestar.serialization import get_serializer
from litestar.utils import get_enum_string_value
from msgspec import Struct

from controllers.errors import InvalidIdempotencyKeyError
from controllers.fingerprints import RequestFingerprints
from controllers.operators import PlatformDependency
from controllers.platform_answers import PlatformAnswers
from domain.actor import Actor
from domain.operations.idempotency import ClinicAnswers, KeyedRequest, StoredResponse
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

REQUIRED: Final = inspect.Parameter.empty

ADDED: Final = (
    ("request", Request[Any, Any, Any], REQUIRED),
    ("actor", NamedDependency[SkipValidation[Actor]], REQUIRED),
    ("fingerprints", NamedDependency[SkipValidation[RequestFingerprints]], REQUIRED),
    ("idempotency_key", IdempotencyKey, None),
)
"""What a key needs beside the handler's own parameters and the place where answers are kept."""

NOBODY: Final = UUID(int=0)
"""Whose keys those of visitors are: all visitors share them, as nothing tells one from another."""

HandlerT = TypeVar("HandlerT", bound=Callable[..., Awaitable[Any]])
Content = Callable[[Any], Any]
First = Callable[..., Awaitable[None]]


class Answers(Protocol):
    """Where the answers under keys are kept."""

    async def reserve(self, request: KeyedRequest) -> StoredResponse | None:
        """Return None when the key is this request's to answer, else the answer it has already."""

    async def store(self, request: KeyedRequest, response: StoredResponse) -> None:
        """Keep the answer."""

    async def release(self, request: KeyedRequest) -> None:
        """Free the key: the request failed."""


class _Place(Struct, frozen=True, kw_only=True):
    """Where a handler's answers are kept: the dependency that leads there, and whose keys count there."""

    name: str
    kind: Any
    answers: Callable[[Any], Answers]
    nobody: UUID | None = None


CLINIC: Final = _Place(
    name="db_session", kind=NamedDependency[SkipValidation[TenantSession]], answers=ClinicAnswers
)
PLATFORM: Final = _Place(
    name="platform", kind=PlatformDependency, answers=PlatformAnswers, nobody=NOBODY
)


def idempotent(handler: HandlerT) -> HandlerT:
    """Make a clinic's writing handler honour `Idempotency-Key`; stands directly under the route decorator.

    The key is reserved before the handler runs and its answer kept in the same transaction, so a
    parallel duplicate waits and then gets the same answer, and a failed request leaves the key free.
    """
    return _keyed(handler, CLINIC, whole)


def idempotent_on_platform(
    kept: Content, first: First | None = None
) -> Callable[[HandlerT], HandlerT]:
    """Make a handler of the platform honour `Idempotency-Key`; stands directly under the route decorator.

    A parallel duplicate is refused while the first one works. `kept` returns what of the answer's content may
    be kept for a repeat. `first` is awaited with the handler's own arguments before the key is looked at, so that it
    refuses repeats too.
    """
    return lambda handler: _keyed(handler, PLATFORM, kept, first)


def whole(content: Any) -> Any:
    """Return the content as it is: there is no secret in it."""
    return content


def _keyed(handler: HandlerT, place: _Place, kept: Content, first: First | None = None) -> HandlerT:
    signature = inspect.signature(handler)
    own = set(signature.parameters)

    @wraps(handler)
    async def keyed(*args: Any, **kwargs: Any) -> Any:
        wanted = {name: value for name, value in kwargs.items() if name in own}
        caller, key = kwargs["actor"].user_id or place.nobody, kwargs["idempotency_key"]
        if first is not None:
            await first(**wanted)
        if key is None or caller is None:
            return await handler(*args, **wanted)
        request = kwargs["request"]
        keyed_request = await _recognised(request, caller, key, kwargs["fingerprints"])
        answers = place.answers(kwargs[place.name])
        stored = await answers.reserve(keyed_request)
        if stored is not None:
            return _response(stored, REPLAYED)
        try:
            result = await handler(*args, **wanted)
            fresh, to_keep = _stored(request, result, whole), _stored(request, result, kept)
        except BaseException:
            await answers.release(keyed_request)
            raise
        await answers.store(keyed_request, to_keep)
        return _response(fresh, {})

    _declare(keyed, signature, [*ADDED, (place.name, place.kind, REQUIRED)])
    return keyed  # type: ignore[return-value]  # same handler to its caller, more parameters to Litestar


def _declare(
    keyed: Callable[..., Any], signature: inspect.Signature, wanted: Sequence[tuple[str, Any, Any]]
) -> None:
    """Let Litestar see the handler's own parameters and the ones that the key needs."""
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=default)
        for name, kind, default in wanted
        if name not in signature.parameters
    ]
    parameters = [*signature.parameters.values(), *added]
    keyed.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]  # read by inspect
    keyed.__annotations__ = {
        **keyed.__annotations__,
        **{parameter.name: parameter.annotation for parameter in added},
    }


async def _recognised(
    request: Request[Any, Any, Any], caller: UUID, key: str, fingerprints: RequestFingerprints
) -> KeyedRequest:
    if not KEY.fullmatch(key):
        raise InvalidIdempotencyKeyError
    return KeyedRequest(
        user_id=caller,
        key=key,
        method=request.method,
        path=request.scope["path"],
        fingerprints=fingerprints.of(
            key.encode(), request.scope["query_string"], await request.body()
        ),
    )


def _stored(request: Request[Any, Any, Any], result: Any, kept: Content) -> StoredResponse:
    """Return the handler's result, as far as it is kept, as it goes over the wire."""
    route = request.route_handler
    response = result if isinstance(result, Response) else Response(result)
    media_type = get_enum_string_value(response.media_type or JSON)
    return StoredResponse(
        status_code=response.status_code or route.status_code,
        headers={**{k: str(v) for k, v in response.headers.items()}, "Content-Type": media_type},
        body=response.render(
            kept(response.content), media_type, get_serializer(route.resolve_type_encoders())
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
