"""Prepares what the load generator sends: whole HTTP requests and the order in which clinics are called."""

import itertools
import random
from bisect import bisect
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

ORDER_LENGTH = 20_000
ZIPF_EXPONENT = 1.0


class Popularity(StrEnum):
    """How often which clinic is called."""

    UNIFORM = "uniform"
    ZIPF = "zipf"
    """The k-th busiest clinic is called 1/k times as often as the busiest one."""


def http_request(
    method: str,
    path: str,
    *,
    host: str,
    token: str | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
) -> str:
    """Return a whole HTTP/1.1 request; a `body` is sent as JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: application/json"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    content = ""
    if body is not None:
        content = msgspec.json.encode(body).decode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(content.encode())}"]
    return "\r\n".join(lines) + "\r\n\r\n" + content


def call_order(clinic_count: int, popularity: Popularity, *, seed: int) -> list[int]:
    """Return `ORDER_LENGTH` clinic numbers as the popularity wants them; the same for the same seed."""
    chance = random.Random(seed)
    if popularity is Popularity.UNIFORM:
        return [chance.randrange(clinic_count) for _ in range(ORDER_LENGTH)]
    cumulated = list(
        itertools.accumulate(1 / rank**ZIPF_EXPONENT for rank in range(1, clinic_count + 1))
    )
    # Which clinic is the busiest has nothing to do with the order in which they were made.
    clinics = chance.sample(range(clinic_count), clinic_count)
    return [
        clinics[bisect(cumulated, chance.random() * cumulated[-1])] for _ in range(ORDER_LENGTH)
    ]
