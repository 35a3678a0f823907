"""Free JSON objects that callers fill: bounded, and storable as jsonb."""

from typing import Any, Final

import msgspec

from domain.errors import InvalidFieldError

OBJECT_BYTES_MAX: Final = 8_192


def checked_object(value: dict[str, Any], pointer: str) -> dict[str, Any]:
    """Return the object; raise `InvalidFieldError` if it is too large or holds a character no text can have."""
    encoded = msgspec.json.encode(value)
    if len(encoded) > OBJECT_BYTES_MAX:
        raise InvalidFieldError(pointer, "too_large")
    if rb"\u0000" in encoded:
        raise InvalidFieldError(pointer, "invalid_character")
    return value
