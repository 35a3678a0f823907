"""The query parameters `from` and `to` of what happens in time."""

from typing import Annotated, Final

from litestar.params import QueryParameter

LENGTH_MAX: Final = 40
FROM: Final = QueryParameter(
    name="from",
    max_length=LENGTH_MAX,
    description="Date or date-time, included; naive ones are on the branch's wall clock.",
)
TO: Final = QueryParameter(
    name="to",
    max_length=LENGTH_MAX,
    description="Date or date-time, excluded; naive ones are on the branch's wall clock.",
)

Since = Annotated[str | None, FROM]
Until = Annotated[str | None, TO]
RequiredSince = Annotated[str, FROM]
RequiredUntil = Annotated[str, TO]
