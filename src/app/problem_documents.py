"""From an exception to the RFC 9457 document that the caller reads, in the caller's language."""

from typing import Any, Final
from urllib.parse import quote

from advanced_alchemy.exceptions import RepositoryError
from litestar.connection import Request
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from litestar.response import Response
from msgspec import Struct, structs
from sqlalchemy.exc import SQLAlchemyError

from app.database_problems import database_row, violated_fields
from app.field_texts import FIELDS
from app.messages import Language, preferred_language
from app.problems import BAD_REQUEST, INVALID, ProblemRow, row_of
from app.request_state import REQUEST_ID, REQUEST_PATH
from app.texts import DETAILS, TITLES
from app.validation_problems import Complaint, complaints
from controllers.errors import UnknownQueryParameterError
from controllers.etag import entity_tag
from controllers.responses import PROBLEM_MEDIA_TYPE, Problem, ProblemItem

TYPE_PREFIX: Final = "/docs/problems#"
CHALLENGE: Final = 'Bearer realm="clinic"'
KEPT_HEADERS: Final = ("allow", "retry-after", "www-authenticate")
RESERVED: Final = frozenset(Problem.__struct_fields__)
UNAUTHORIZED: Final = 401
SERVER_ERROR: Final = 500

AnyRequest = Request[Any, Any, Any]


class Described(Struct, frozen=True, kw_only=True):
    """What an exception comes to: its row, what is wrong field by field, headers and extra members."""

    row: ProblemRow
    items: tuple[Complaint, ...] = ()
    headers: dict[str, str] = {}
    members: dict[str, Any] = {}
    field_messages: dict[str, str] = {}


class ErrorAnswers:
    """Exception handler of the whole application; speaks the default language to who asks for none."""

    def __init__(self, default_language: Language) -> None:
        self._default_language = default_language

    def __call__(self, request: AnyRequest, error: Exception) -> Response[dict[str, Any]]:
        """Return the problem that the error comes to."""
        described = describe(error)
        language = preferred_language(
            request.headers.get("accept-language"), self._default_language
        )
        document = problem_document(
            described,
            language,
            instance=quote(request.scope["state"].get(REQUEST_PATH, request.scope["path"])),
            request_id=request.scope["state"].get(REQUEST_ID),
        )
        return Response(
            document,
            status_code=described.row.status,
            media_type=PROBLEM_MEDIA_TYPE,
            headers={**described.headers, "Content-Language": language},
        )


def problem_document(
    described: Described, language: Language, *, instance: str, request_id: str | None
) -> dict[str, Any]:
    """Return the members of the document; those of the error's own data stand beside the usual ones."""
    row = described.row
    problem = Problem(
        type=TYPE_PREFIX + row.code,
        title=TITLES[row.code].read(language),
        status=row.status,
        detail=DETAILS[row.message_key].read(language),
        code=row.code,
        instance=instance,
        request_id=request_id,
        errors=[_item(item, described.field_messages, language) for item in described.items],
    )
    members = {k: v for k, v in structs.asdict(problem).items() if v is not None and v != []}
    return {**described.members, **members}


def describe(error: Exception) -> Described:
    """Return what the error comes to; what nobody foresaw is an internal error without any detail."""
    if isinstance(error, RepositoryError) and isinstance(error.__cause__, SQLAlchemyError):
        error = error.__cause__
    if isinstance(error, SQLAlchemyError):
        return _database(error)
    if isinstance(error, ValidationException):
        return _validation(error)
    if isinstance(error, HTTPException):
        return _framework(error)
    if isinstance(error, UnknownQueryParameterError):
        items = tuple(Complaint(n, "unknown_parameter", in_body=False) for n in error.names)
        return Described(row=row_of(error), items=items)
    return _ours(error)


def _ours(error: Exception) -> Described:
    """Describe an error class of our own by its row and by the data that it holds."""
    row = row_of(error)
    headers = _retry(getattr(error, "retry_after_s", None) or row.retry_after_s)
    if row.status == UNAUTHORIZED:
        headers["WWW-Authenticate"] = getattr(error, "challenge", CHALLENGE)
    version = getattr(error, "current_version", None)
    if version is not None:
        headers["ETag"] = entity_tag(version)
    pointer, code = getattr(error, "pointer", None), getattr(error, "code", "invalid")
    data: dict[str, Any] = getattr(error, "data", None) or {}
    return Described(
        row=row,
        headers=headers,
        items=(Complaint(pointer, code, in_body=True),) if pointer is not None else (),
        field_messages={code: str(error)},
        members={name: value for name, value in data.items() if name not in RESERVED},
    )


def _database(error: SQLAlchemyError) -> Described:
    row = database_row(error)
    code = row.code if row.code in FIELDS else "invalid"
    items = tuple(Complaint(f"/{name}", code, in_body=True) for name in violated_fields(error))
    return Described(row=row, items=items, headers=_retry(row.retry_after_s))


def _validation(error: ValidationException) -> Described:
    items = tuple(complaints(error))
    row = INVALID if any(item.in_body for item in items) else BAD_REQUEST
    return Described(row=row, items=items)


def _framework(error: HTTPException) -> Described:
    row = row_of(error)
    if isinstance(error.__cause__, SerializationException):
        row = structs.replace(BAD_REQUEST, message="malformed_json")
    headers = {k: v for k, v in (error.headers or {}).items() if k.lower() in KEPT_HEADERS}
    if row.status == UNAUTHORIZED and not headers:
        headers = {"WWW-Authenticate": CHALLENGE}
    return Described(row=row, headers={**_retry(row.retry_after_s), **headers})


def _retry(retry_after_s: int | None) -> dict[str, str]:
    return {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}


def _item(item: Complaint, messages: dict[str, str], language: Language) -> ProblemItem:
    """Return the item with a text: ours by its code; else what the error said, if English is asked for."""
    text = FIELDS.get(item.code)
    if text is None and language == "en" and item.code in messages:
        return ProblemItem(pointer=item.pointer, code=item.code, message=messages[item.code])
    message = (text or FIELDS["invalid"]).read(language)
    return ProblemItem(pointer=item.pointer, code=item.code, message=message)
