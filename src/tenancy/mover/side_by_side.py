"""Does the parts of one step side by side."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def side_by_side(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for them all; raise what the first to fail has failed with, as it is, the others cancelled.

    A group of exceptions would pass by everybody who decides by its kind what becomes of the move.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
