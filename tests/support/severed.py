"""A way to a PostgreSQL server that can be cut, closed by half, slow or silent: a proxy on a socket of its own."""

import asyncio
from contextlib import suppress
from pathlib import Path

from tenancy.tenant import Server

CHUNK_BYTES = 65_536


class SeverableWay:
    """Forwards connections to a server until it is told not to."""

    def __init__(self, server: Server, directory: Path) -> None:
        self._target = f"{server.host}/.s.PGSQL.{server.port}"
        self._socket = directory / f".s.PGSQL.{server.port}"
        self.address = Server(name=server.name, host=str(directory), port=server.port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._to_server: set[asyncio.StreamWriter] = set()
        self._unheard: set[asyncio.StreamWriter] = set()
        self._answer_delay_s = 0.0
        self._is_open = asyncio.Event()
        self._is_open.set()
        self._takes_new = True
        self._acceptor: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._acceptor = await asyncio.start_unix_server(self._handle, str(self._socket))

    async def close(self) -> None:
        assert self._acceptor is not None
        self._acceptor.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection, and take no new one until `heal`."""
        self._takes_new = False
        for writer in list(self._writers):
            writer.transport.abort()

    def hush(self) -> None:
        """Carry nothing any more, in either direction, without telling anybody."""
        self._is_open.clear()

    def halve(self) -> None:
        """Tell the server that its clients have closed, and tell them nothing, no answer either; new ones are served."""
        self._unheard |= self._writers
        for writer in list(self._to_server):
            with suppress(OSError):  # it may have gone by itself
                writer.write_eof()

    def slow(self, answer_delay_s: float) -> None:
        """Let every answer take so much longer, that of a new connection too."""
        self._answer_delay_s = answer_delay_s

    def heal(self) -> None:
        self._takes_new = True
        self._answer_delay_s = 0.0
        self._is_open.set()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._takes_new:
            writer.transport.abort()
            return
        there_reader, there_writer = await asyncio.open_unix_connection(self._target)
        both = {writer, there_writer}
        self._writers |= both
        self._to_server.add(there_writer)
        for source, sink in ((reader, there_writer), (there_reader, writer)):
            task = asyncio.ensure_future(self._carry(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                await self._is_open.wait()
                if self._answer_delay_s and writer not in self._to_server:
                    await asyncio.sleep(self._answer_delay_s)
                if writer in self._unheard or writer.is_closing():
                    continue
                writer.write(data)
                await writer.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            # What is closed by half does not hear of the other half's end either, until the way is cut.
            if writer not in self._unheard:
                writer.close()
                self._writers.discard(writer)
                self._to_server.discard(writer)
