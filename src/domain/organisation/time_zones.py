"""Names of time zones (IANA), from the list that comes with the data: a machine's own list has odd ones such as `localtime`."""

from functools import cache
from importlib.resources import files

from domain.errors import InvalidFieldError


def checked_zone(name: str, pointer: str = "/timezone") -> str:
    """Return the name; raise `InvalidFieldError` when there is no such zone."""
    if name not in _zones():
        raise InvalidFieldError(pointer, "unknown_zone")
    return name


@cache
def _zones() -> frozenset[str]:
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())
