"""Stands between an application and PostgreSQL and counts round trips.

A round trip is a flight of messages from the client after which it waits: client bytes that arrive when the server
has had the last word. Counted so, a wait for the answer to a Flush counts as one too. Counts are kept by database,
which the first message of a connection names, so that the registry's traffic is told from that of the homes.
"""

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

CHUNK_BYTES = 65_536
STARTUP_BYTES_MAX = 10_000
TERMINATE = b"X"


class FlightCounter:
    """Round trips by database since the last `reset`."""

    def __init__(self) -> None:
        self.flights: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()

    def reset(self) -> None:
        self.flights.clear()
        self.connections.clear()


class _Conversation:
    """One connection: who spoke last."""

    def __init__(self, counter: FlightCounter, database: str) -> None:
        self._counter = counter
        self._database = database
        self._server_spoke_last = True

    def client_speaks(self, data: bytes) -> None:
        if data.startswith(TERMINATE):
            return
        if self._server_spoke_last:
            self._counter.flights[self._database] += 1
        self._server_spoke_last = False

    def server_speaks(self, _data: bytes) -> None:
        self._server_spoke_last = True


@asynccontextmanager
async def counting_proxy(listen: Path, server: Path, counter: FlightCounter) -> AsyncIterator[None]:
    """Forward every connection to the socket `listen` to the socket `server`, counting, until the block ends."""
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await _startup_message(reader)
        server_reader, server_writer = await asyncio.open_unix_connection(str(server))
        writers.update((writer, server_writer))
        server_writer.write(startup)
        database = _database_of(startup)
        counter.connections[database] += 1
        conversation = _Conversation(counter, database)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, server_writer, conversation.client_speaks))
                both.create_task(_pump(server_reader, writer, conversation.server_speaks))
        finally:
            writers.difference_update((writer, server_writer))

    acceptor = await asyncio.start_unix_server(handle, str(listen))
    try:
        yield
    finally:
        acceptor.close()
        for writer in list(writers):
            writer.close()
        await acceptor.wait_closed()


async def _startup_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    (length,) = struct.unpack("!I", head)
    if length > STARTUP_BYTES_MAX:
        message = f"not the start of a PostgreSQL connection: {length} bytes"
        raise ValueError(message)
    return head + await reader.readexactly(length - 4)


def _database_of(startup: bytes) -> str:
    """Return the database named by a StartupMessage, empty for other first messages (a cancel request)."""
    words = startup[8:].split(b"\0")
    parameters = dict(zip(words[::2], words[1::2], strict=False))
    return parameters.get(b"database", b"").decode()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note) -> None:
    """Copy bytes one way until the end."""
    try:
        while data := await reader.read(CHUNK_BYTES):
            note(data)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
