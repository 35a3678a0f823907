"""The request as our handlers get it: JSON that is nested beyond reason is refused before anything walks it."""

from collections.abc import Iterable
from typing import Any, Final

from litestar.connection import Request
from litestar.exceptions import SerializationException

JSON_DEPTH_MAX: Final = 32


class ClinicRequest(Request[Any, Any, Any]):
    """A request whose JSON body is at most `JSON_DEPTH_MAX` levels deep."""

    __slots__ = ()

    async def json(self) -> Any:
        """Return the body's value; raise `SerializationException` for what is no JSON or too deep."""
        try:
            value = await super().json()
        except (RecursionError, UnicodeDecodeError) as error:
            raise SerializationException from error
        body = await self.body()
        # Only a body with that many brackets can be that deep, and few have them.
        if body.count(b"{") + body.count(b"[") > JSON_DEPTH_MAX and _is_too_deep(value):
            raise SerializationException
        return value


def _is_too_deep(value: Any) -> bool:
    level = _containers([value])
    for _ in range(JSON_DEPTH_MAX):
        level = [child for parent in level for child in _containers(_children(parent))]
        if not level:
            return False
    return True


def _children(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]
