"""Optimistic concurrency over HTTP (RFC 9110): the row's version is its strong entity tag."""

import re
from typing import Annotated, Final, TypeVar

from litestar import Response
from litestar.params import HeaderParameter
from litestar.status_codes import HTTP_200_OK

from controllers.errors import IfMatchRequiredError, InvalidIfMatchError
from domain.errors import StaleVersionError

HEADER_LENGTH_MAX: Final = 256
ENTITY_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
VERSION: Final = re.compile(r"0|[1-9][0-9]{0,9}")

IfMatch = Annotated[
    str | None,
    HeaderParameter(name="If-Match", description='The ETag that was read, such as `"3"`.'),
]

BodyT = TypeVar("BodyT")


def entity_tag(version: int) -> str:
    """Return the ETag of a row at this version."""
    return f'"{version}"'


def required_version(if_match: str | None) -> int:
    """Return the version that the caller read.

    Raises `IfMatchRequiredError` without the header, `InvalidIfMatchError` when it is not one entity
    tag, and `StaleVersionError` for a tag that no row of ours can have (a weak one never matches).
    """
    if if_match is None or not if_match.strip():
        raise IfMatchRequiredError
    tag = ENTITY_TAG.fullmatch(if_match.strip()[:HEADER_LENGTH_MAX])
    if tag is None:
        raise InvalidIfMatchError
    if tag[1] or not VERSION.fullmatch(tag[2]):
        raise StaleVersionError
    return int(tag[2])


def tagged(
    body: BodyT, version: int, status_code: int = HTTP_200_OK, location: str | None = None
) -> Response[BodyT]:
    """Return the body with its ETag and, for a creation, the Location of the new resource."""
    headers = {"ETag": entity_tag(version)}
    if location is not None:
        headers["Location"] = location
    return Response(body, status_code=status_code, headers=headers)


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag; the comparison is the weak one, as for every GET."""
    header = if_none_match.strip()[:HEADER_LENGTH_MAX]
    opaque = etag.removeprefix("W/").strip('"')
    return header == "*" or any(tag == opaque for _, tag in ENTITY_TAG.findall(header))
