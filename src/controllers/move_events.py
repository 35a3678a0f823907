"""A move as server-sent events (WHATWG HTML, 9.2): `progress` at each change, `settled` at the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec
from litestar.openapi import ResponseSpec
from litestar.response import ServerSentEventMessage

from controllers.platform_move_shapes import shown_move
from tenancy.moves import MoveRecord, Moves, is_settled

STREAM_S_MAX: Final = 300.0
"""A stream ends after it, settled or not; the client comes back, and is asked again who it is."""

KEEP_ALIVE_S: Final = 15.0
"""Proxies close what is silent for long."""

RECONNECT_MS: Final = 2000

EVENT_STREAM: Final = ResponseSpec(
    str,
    generate_examples=False,
    media_type="text/event-stream",
    description="`progress` with the move as JSON at each change, `settled` with it at the end.",
)


def events_of(moves: Moves, record: MoveRecord) -> AsyncIterator[ServerSentEventMessage]:
    """Return the events of a move from now on; raise `TooManyWatchersError` before anything is sent."""
    return _events(moves.watch(record, seconds_max=STREAM_S_MAX))


async def _events(
    watched: AsyncIterator[MoveRecord | None],
) -> AsyncIterator[ServerSentEventMessage]:
    clock = asyncio.get_running_loop().time
    silent_since = clock()
    async for record in watched:
        if record is not None:
            silent_since = clock()
            yield _event(record)
        elif clock() - silent_since >= KEEP_ALIVE_S:
            silent_since = clock()
            yield ServerSentEventMessage(data=None, comment="still here")


def _event(record: MoveRecord) -> ServerSentEventMessage:
    return ServerSentEventMessage(
        event="settled" if is_settled(record) else "progress",
        data=msgspec.json.encode(shown_move(record)),
        retry=RECONNECT_MS,
    )
