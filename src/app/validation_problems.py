"""From the framework's and msgspec's complaints about a value to items with a pointer and a stable code."""

import re
from collections.abc import Mapping
from typing import Any, Final

from litestar.exceptions import ValidationException
from msgspec import Struct, ValidationError

ITEMS_MAX: Final = 50

PATH: Final = re.compile(r" - at (?:`key` in )?`\$(.*)`$")
MISSING_PARAMETER: Final = re.compile(
    r"Missing required (query|path|header|cookie) parameter '([^']*)'"
)
FIELD: Final = re.compile(r"field `([^`]*)`")
STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
UNNAMED_KEY: Final = "[...]"
"""How msgspec writes a key of a dictionary; the pointer ends before it."""

CODES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"Object missing required field"), "required"),
    (re.compile(r"Object contains unknown field"), "unknown_field"),
    (re.compile(r"Invalid enum value"), "invalid_choice"),
    (re.compile(r"^Expected `\w+` of length <="), "too_long"),
    (re.compile(r"^Expected `\w+` of length"), "too_short"),
    (re.compile(r"^Expected `str` matching|^Expected `\w+` with|^Invalid "), "invalid_format"),
    (re.compile(r"^Expected `\w+` (?:[<>]|that's)|out of range"), "out_of_range"),
    (re.compile(r"^Expected `"), "invalid_type"),
)
"""msgspec's messages, most special first; what is none of them is `invalid`."""


class Complaint(Struct, frozen=True):
    """One thing that is wrong: where, by a stable code, and whether it is in the body."""

    pointer: str
    code: str
    in_body: bool


def complaints(error: ValidationException) -> list[Complaint]:
    """Return what the exception complains of; at least one."""
    extra = error.extra if isinstance(error.extra, list) else []
    found = [_complaint(item) for item in extra[:ITEMS_MAX] if isinstance(item, Mapping)]
    in_body = [complaint for complaint in found if complaint.in_body]
    cause = error.__cause__
    if in_body and isinstance(cause, ValidationError):
        first = _from_message(str(cause))
        # The framework rewrites the path; msgspec's own is exact wherever its first complaint is in the body.
        if first is not None:
            found = [first, *(c for c in found if not c.in_body)]
    missing = MISSING_PARAMETER.search(error.detail)
    if not found and missing:
        return [Complaint(missing[2], "required", in_body=False)]
    return found or [Complaint("", "invalid", in_body=False)]


def code_of(message: str) -> str:
    """Return the stable code of one of msgspec's messages."""
    return next((code for pattern, code in CODES if pattern.search(message)), "invalid")


def _complaint(item: Mapping[str, Any]) -> Complaint:
    message, key = str(item.get("message", "")), str(item.get("key", ""))
    if item.get("source") != "body":
        return Complaint(key, code_of(message), in_body=False)
    if message == "'data'":
        return Complaint("", "required", in_body=True)
    pointer = "" if key == "data" else _pointer(f".{key}")
    return Complaint(pointer + _named_field(message), code_of(message), in_body=True)


def _from_message(message: str) -> Complaint | None:
    path = PATH.search(message)
    inside = path[1] if path else ""
    if not inside.startswith(".data"):
        return None
    text = message[: path.start()] if path else message
    pointer = _pointer(inside.removeprefix(".data")) + _named_field(text)
    return Complaint(pointer, code_of(text), in_body=True)


def _pointer(path: str) -> str:
    """Return msgspec's path (`.items[0].name`) as a JSON pointer (`/items/0/name`)."""
    steps = (name or index for name, index in STEP.findall(path.partition(UNNAMED_KEY)[0]))
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _named_field(message: str) -> str:
    """Return the field that a missing or unknown one is named as, as one more step."""
    named = FIELD.search(message)
    return f"/{named[1]}" if named and message.startswith("Object ") else ""
