"""The OpenAPI document, completed by what holds for every operation, and the routes that serve it."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from litestar import Litestar, Router, get
from litestar.connection import Request
from litestar.enums import MediaType, OpenAPIMediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from litestar.routes import HTTPRoute
from litestar.types.callable_types import OperationIDCreator

from app.docs_page import problems_page, reference_page
from app.messages import Language, preferred_language
from auth.route_options import PUBLIC
from controllers.health import OPEN
from controllers.responses import PROBLEM_MEDIA_TYPE, Problem
from controllers.strictness import STRICT_PREFIX

TITLE: Final = "Polyclinic"
DESCRIPTION: Final = (
    "The backend that many clinics share. Each clinic is addressed by its own host name or by the header "
    "X-Tenant-ID (slug, host name or uuid); what is present must agree with the token. "
    "Errors are problem documents (RFC 9457) with a stable code; their texts follow Accept-Language (es, en). "
    "Lists are pages of items with next_cursor. Changes need If-Match with the ETag that was read. "
    "POST takes an Idempotency-Key."
)
REFERENCE: Final = "#/components/responses/Problem"
SCHEMA_REFERENCES: Final = "#/components/schemas/{name}"
SCHEME: Final = "bearer"
CLIENT_ERROR: Final = 400
PROBLEMS_BY_HEADER: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"If-Match": ("400", "412", "428"), "Idempotency-Key": ("400", "409", "422")}
)
"""What an operation that takes this header can answer, whatever else it does."""

AnyRequest = Request[Any, Any, Any]


def openapi_config(release: str, default_language: Language) -> OpenAPIConfig:
    """Return the configuration that serves the reference at /docs; nothing is fetched from elsewhere."""

    @get("/problems", media_type=MediaType.HTML, sync_to_thread=False)
    def problems(request: AnyRequest) -> str:
        """Show every problem code."""
        return problems_page(
            preferred_language(request.headers.get("accept-language"), default_language)
        )

    return OpenAPIConfig(
        title=TITLE,
        version=release,
        description=DESCRIPTION,
        use_handler_docstrings=True,
        render_plugins=[ReferencePage(), CompletedJson()],
        openapi_router=Router(
            "/docs", route_handlers=[problems], opt=OPEN, include_in_schema=False
        ),
    )


@get("/openapi.json", opt=OPEN, include_in_schema=False, sync_to_thread=False)
def get_openapi_json(request: AnyRequest) -> dict[str, Any]:
    """Return the OpenAPI document."""
    return openapi_document(request.app)


class ReferencePage(OpenAPIRenderPlugin):
    """Our own page, rendered here, without scripts."""

    def __init__(self) -> None:
        super().__init__(path="/", media_type=MediaType.HTML)

    def render(self, request: AnyRequest, openapi_schema: dict[str, Any]) -> bytes:
        """Return the page."""
        return reference_page(openapi_document(request.app)).encode()


class CompletedJson(JsonRenderPlugin):
    """The completed document beside the page."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON)

    def render(self, request: AnyRequest, openapi_schema: dict[str, Any]) -> bytes:
        """Return the document."""
        return self.render_json(request, openapi_document(request.app))


def openapi_document(app: Litestar) -> dict[str, Any]:
    """Return the document of all routes; made once per application."""
    kept: dict[str, Any] | None = app.state.get("openapi_document")
    if kept is None:
        public = _public_operations(app)
        kept = app.state.openapi_document = _completed(app.openapi_schema.to_schema(), public)
    return kept


def name_aliases(app: Litestar) -> None:
    """Let a handler at several paths have several operation ids, which the document needs to be unique.

    Once per application and before any route is asked: the framework makes its document for each of them.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, _ in route.route_handler_map.values():
                if len(handler.paths) > 1 and isinstance(handler.operation_id, str):
                    handler.operation_id = _numbered(handler.operation_id)


def _numbered(name: str) -> OperationIDCreator:
    """Return a maker of operation ids: the name itself at the first path, then with a number."""
    paths: list[str] = []

    def operation_id(_handler: Any, _method: Any, components: list[Any]) -> str:
        path = "/".join(str(component) for component in components)
        if path not in paths:
            paths.append(path)
        position = paths.index(path) + 1
        return name if position == 1 else f"{name}{position}"

    return operation_id


def _public_operations(app: Litestar) -> set[tuple[str, str]]:
    """Return (path, method) of the operations that need no token."""
    return {
        (route.path_format or "/", method.lower())
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if handler.opt.get(PUBLIC)
    }


def _completed(document: dict[str, Any], public: set[tuple[str, str]]) -> dict[str, Any]:
    components: dict[str, Any] = document.setdefault("components", {})
    _, schemas = msgspec.json.schema_components((Problem,), ref_template=SCHEMA_REFERENCES)
    components["schemas"] = {**schemas, **components.get("schemas", {})}
    components["responses"] = {
        "Problem": {
            "description": "What went wrong (RFC 9457).",
            "content": {
                PROBLEM_MEDIA_TYPE: {"schema": {"$ref": SCHEMA_REFERENCES.format(name="Problem")}}
            },
        }
    }
    components["securitySchemes"] = {
        SCHEME: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if isinstance(operation, dict) and "responses" in operation:
                _complete_operation(operation, is_public=(path, method) in public)
                if path.startswith(STRICT_PREFIX):
                    _close(operation.get("requestBody", {}), components["schemas"])
    return document


def _close(node: Any, schemas: dict[str, Any]) -> None:
    """Say of a body, and of every object in it, that it has no other fields: unknown ones are refused."""
    for part in _parts(node):
        name = part.get("$ref", "").removeprefix(SCHEMA_REFERENCES.format(name=""))
        schema = schemas.get(name, {})
        if "properties" in schema and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
            _close(schema, schemas)


def _parts(node: Any) -> Iterator[dict[str, Any]]:
    """Return every object inside a piece of the document."""
    if isinstance(node, dict):
        yield node
    if isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _parts(inner)


def _complete_operation(operation: dict[str, Any], *, is_public: bool) -> None:
    """Give an operation its summary, its security and the problems that any operation can answer with."""
    description = operation.get("description")
    if description:
        operation["summary"] = description.partition(";")[0].partition(".")[0]
    operation["security"] = [] if is_public else [{SCHEME: []}]
    responses: dict[str, Any] = operation["responses"]
    for status, response in responses.items():
        # The framework documents a shape of its own for what it raises; all errors have ours.
        if int(status) >= CLIENT_ERROR and PROBLEM_MEDIA_TYPE not in response.get("content", {}):
            responses[status] = {"$ref": REFERENCE}
    for parameter in operation.get("parameters", ()):
        for status in PROBLEMS_BY_HEADER.get(parameter["name"], ()):
            responses.setdefault(status, {"$ref": REFERENCE})
    responses["default"] = {"$ref": REFERENCE}
