"""Clients of clinics that send at a steady rate over kept connections, and remember each answer."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

HOST: Final = "127.0.0.1"
ANSWER_S_MAX: Final = 30.0


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """One request and what came back; times are those of the monotonic clock, which all processes share."""

    kind: str
    sent_at: float
    answered_at: float
    status: int
    """0 when the connection broke."""
    problem: str = ""

    @property
    def ms(self) -> float:
        return (self.answered_at - self.sent_at) * 1000


class Connection:
    """One kept HTTP/1.1 connection."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def send(
        self, method: str, path: str, body: Any = None, tag: str | None = None
    ) -> tuple[int, bytes]:
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(HOST, self._port)
        data = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._headers}Content-Length: {len(data)}\r\n"
        head += "Content-Type: application/json\r\n" if data else ""
        head += f"If-Match: {tag}\r\n" if tag else ""
        self._writer.write(head.encode() + b"\r\n" + data)
        return await self._answer()

    async def _answer(self) -> tuple[int, bytes]:
        assert self._reader is not None
        async with asyncio.timeout(ANSWER_S_MAX):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            at = head.index(b"\r\ncontent-length:") + 17
            length = int(head[at : head.index(b"\r\n", at)])
            return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None


class Traffic:
    """What all clients of one run have seen."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.stop = asyncio.Event()

    async def repeat(
        self, kind: str, connection: Connection, rate: float, request: Callable[[], Any]
    ) -> None:
        """Send what `request` returns `rate` times a second until the end; catches up after a wait."""
        due = time.monotonic()
        while not self.stop.is_set():
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            # What a long wait has held up is not sent in one burst.
            due = max(due, time.monotonic() - 1.0)
            await self.once(kind, connection, *request())
        connection.close()

    async def once(
        self, kind: str, connection: Connection, method: str, path: str, *more: Any
    ) -> bytes:
        sent_at = time.monotonic()
        try:
            status, body = await connection.send(method, path, *more)
        except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError) as error:
            connection.close()
            status, body = 0, repr(error).encode()
        problem = "" if 200 <= status < 300 else body.decode("utf-8", "replace")[:300]
        self.answers.append(
            Answer(
                kind=kind,
                sent_at=sent_at,
                answered_at=time.monotonic(),
                status=status,
                problem=problem,
            )
        )
        return body

    async def settings(self, kind: str, connection: Connection, namespace: str, rate: float) -> int:
        """Replace one namespace of the settings again and again."""
        return await self.versions(
            kind, connection, "PUT", f"/api/v1/settings/{namespace}", {"data": {}}, rate
        )

    async def versions(
        self, kind: str, connection: Connection, method: str, path: str, body: Any, rate: float
    ) -> int:
        """Change one thing again and again, each time under the version before; return how often that was
        acknowledged. A lost or a doubled write breaks the chain of versions."""
        acknowledged = 0
        due = time.monotonic()
        _, answer = await connection.send("GET", path)
        first = version = json.loads(answer)["version"]
        while not self.stop.is_set():
            due = max(due + 1 / rate, time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            answer = await self.once(kind, connection, method, path, body, f'"{version}"')
            if self.answers[-1].problem:
                continue
            version = json.loads(answer)["version"]
            acknowledged += 1
            assert version == first + acknowledged, "a write is lost or doubled"
        connection.close()
        return acknowledged
