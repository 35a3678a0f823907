"""The operations of the API as its OpenAPI document lists them, so that a test of all routes forgets none."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
from msgspec import Struct

METHODS = ("get", "put", "post", "delete", "patch")
PLATFORM_PREFIXES = ("/api/v1/platform/", "/admin/")


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path; ids are the names of parameters, and of fields of the body, that hold uuids."""

    id: str
    method: str
    path: str
    path_names: tuple[str, ...]
    path_ids: tuple[str, ...]
    query_ids: tuple[str, ...]
    query_names: frozenset[str]
    headers: frozenset[str]
    body_ids: frozenset[str]
    has_body: bool
    has_parameters: bool
    is_public: bool

    @property
    def takes_anything(self) -> bool:
        return self.has_body or self.has_parameters

    @property
    def is_platform(self) -> bool:
        return self.path.startswith(PLATFORM_PREFIXES)

    @property
    def is_for_clinic_users(self) -> bool:
        return not self.is_public and not self.is_platform

    def url(self, values: Mapping[str, Any]) -> str:
        return self.path.format(**{name: values[name] for name in self.path_names})

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


async def read_operations(api: httpx.AsyncClient) -> list[Operation]:
    """Every operation of the document that the API serves itself."""
    answer = await api.get("/openapi.json")
    assert answer.status_code == 200, answer.text
    document = answer.json()
    return [
        _operation(document, path, method, item[method])
        for path, item in document["paths"].items()
        for method in METHODS
        if method in item
    ]


def _operation(document: dict[str, Any], path: str, method: str, item: dict[str, Any]) -> Operation:
    parameters = item.get("parameters", [])
    body = item.get("requestBody")
    schema = body["content"]["application/json"]["schema"] if body else {}
    ids = {
        (parameter["in"], parameter["name"])
        for parameter in parameters
        if any(_is_uuid(schema) for schema in _alternatives(document, parameter["schema"]))
    }
    return Operation(
        id=item["operationId"],
        method=method.upper(),
        path=path,
        path_names=tuple(p["name"] for p in parameters if p["in"] == "path"),
        path_ids=tuple(
            p["name"] for p in parameters if ("path", p["name"]) in ids and p["in"] == "path"
        ),
        query_ids=tuple(name for where, name in sorted(ids) if where == "query"),
        query_names=frozenset(p["name"] for p in parameters if p["in"] == "query"),
        headers=frozenset(p["name"] for p in parameters if p["in"] == "header"),
        body_ids=frozenset(_uuid_fields(document, schema)),
        has_body=body is not None,
        has_parameters=bool(parameters),
        is_public=item["security"] == [],
    )


def _uuid_fields(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """The names of all fields below `schema` that hold a uuid or a list of them."""
    for alternative in _alternatives(document, schema):
        for name, field in alternative.get("properties", {}).items():
            if any(_is_uuid(one) for one in _alternatives(document, field)):
                yield name
            else:
                yield from _uuid_fields(document, field)


def _alternatives(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The plain schemas that `schema` stands for: references followed, unions and lists taken apart."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/components/schemas/")
        yield from _alternatives(document, document["components"]["schemas"][name])
        return
    inner = [*schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())]
    if "items" in schema:
        inner.append(schema["items"])
    for one in inner:
        yield from _alternatives(document, one)
    yield schema


def _is_uuid(schema: dict[str, Any]) -> bool:
    return schema.get("format") == "uuid"
