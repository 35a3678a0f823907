"""The shape of an error answer (RFC 9457) and how a handler declares the ones it can give."""

from http import HTTPStatus
from typing import Final

from litestar.openapi import ResponseSpec
from msgspec import Struct

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"


class ProblemItem(Struct, frozen=True, kw_only=True):
    """What is wrong with one field; `pointer` is a JSON pointer (RFC 6901) or names a parameter."""

    pointer: str
    code: str
    message: str


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document; `code` is stable, `title` and `detail` are in the reader's language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str | None = None
    request_id: str | None = None
    errors: list[ProblemItem] = []


def problems(*status_codes: int) -> dict[int, ResponseSpec]:
    """Return the `responses` of a handler for these error statuses."""
    return {
        status_code: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=HTTPStatus(status_code).phrase,
            media_type=PROBLEM_MEDIA_TYPE,
        )
        for status_code in status_codes
    }
