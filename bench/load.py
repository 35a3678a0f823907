"""The load generator: a process of its own that sends prepared HTTP/1.1 requests over kept connections.

`python -m bench.load` reads a `Plan` as JSON from standard input and writes an `Outcome` to standard output. It is
bounded in count and in time, speaks to the loopback alone, and knows nothing of the application: what to send, and in
which order, was settled before the clock starts. It does as little as it can, because it shares the processors with
what it measures.
"""

import asyncio
import sys
import time
from collections import Counter

import msgspec
import uvloop
from msgspec import Struct

HOST = "127.0.0.1"
SECONDS_MAX = 120.0
REQUESTS_MAX = 1_000_000
LAST_ANSWER_S_MAX = 10.0
PROBLEMS_KEPT_MAX = 3
PROBLEM_LENGTH_MAX = 400


class Plan(Struct, kw_only=True):
    """What to send: `requests` are whole HTTP requests, `order` their indices as they go out."""

    port: int
    requests: list[str]
    order: list[int]
    repeat: bool
    """Start over at the end of `order` (reads), or stop there (writes: each may be sent once)."""
    connections: int = 16
    seconds: float
    expected_status: int = 200


class Outcome(Struct, kw_only=True):
    """What came back; the latencies are in milliseconds."""

    answered: int
    refused: int
    """Answers with another status than the expected one, and connections that broke."""
    seconds: float
    p50_ms: float
    p99_ms: float
    statuses: dict[str, int]
    problems: list[str]

    @property
    def rate(self) -> float:
        """Expected answers a second."""
        return self.answered / self.seconds if self.seconds else 0.0


class Run:
    """The state that all connections of one run share."""

    def __init__(self, plan: Plan) -> None:
        self.requests = [request.encode() for request in plan.requests]
        self.order = plan.order
        self.repeat = plan.repeat
        self.expected_status = plan.expected_status
        self.sent = 0
        self.latencies_s: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.problems: list[str] = []
        self.ends_at = time.perf_counter() + min(plan.seconds, SECONDS_MAX)
        self.last_answer_at = 0.0

    def next_request(self) -> bytes | None:
        """Return the next request, or None when the run is over."""
        used_up = not self.repeat and self.sent >= len(self.order)
        if used_up or self.sent >= REQUESTS_MAX or time.perf_counter() >= self.ends_at:
            return None
        index = self.order[self.sent % len(self.order)]
        self.sent += 1
        return self.requests[index]

    def answered(self, status: int, answer: bytes, sent_at: float) -> None:
        """Note one whole answer."""
        now = time.perf_counter()
        self.last_answer_at = now
        self.statuses[str(status)] += 1
        if status == self.expected_status:
            self.latencies_s.append(now - sent_at)
        else:
            self.problem(answer.decode("utf-8", "replace"))

    def broken(self, reason: str) -> None:
        """Note a connection that ended in mid-answer."""
        self.statuses["broken"] += 1
        self.problem(reason)

    def problem(self, text: str) -> None:
        """Keep the first few, so that a run that fails says why."""
        if len(self.problems) < PROBLEMS_KEPT_MAX:
            self.problems.append(text[:PROBLEM_LENGTH_MAX])


class Client(asyncio.Protocol):
    """One connection: a request, its answer, the next request; opened again when the server closes it."""

    def __init__(self, run: Run, port: int) -> None:
        self._run = run
        self._port = port
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._sent_at = 0.0
        self._waiting = False
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return
        head = bytes(self._buffer[:head_end]).lower()
        start = head.find(b"\r\ncontent-length:")
        if start < 0:
            self._run.problem("an answer without Content-Length: " + head.decode("latin-1"))
            self._transport.abort()
            return
        length = int(head[start + 17 : _line_end(head, start + 2)])
        if len(self._buffer) < head_end + 4 + length:
            return
        self._waiting = False
        self._run.answered(int(head[9:12]), bytes(self._buffer), self._sent_at)
        del self._buffer[: head_end + 4 + length]
        if b"\r\nconnection: close" in head:
            self._transport.close()
        else:
            self._send_next()

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiting:
            self._waiting = False
            self._run.broken(f"the connection ended before the answer did: {error}")
        self._buffer.clear()
        if not self.finished.done():
            self._reopening = asyncio.get_running_loop().create_task(self._reopen())

    async def _reopen(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, HOST, self._port)
        except OSError as error:
            self._run.broken(f"cannot connect: {error}")
            self.finished.set_result(None)

    def _send_next(self) -> None:
        request = self._run.next_request()
        if request is None:
            if not self.finished.done():
                self.finished.set_result(None)
            self._transport.close()
            return
        self._waiting = True
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def _line_end(head: bytes, start: int) -> int:
    end = head.find(b"\r\n", start)
    return end if end >= 0 else len(head)


async def run_plan(plan: Plan) -> Outcome:
    """Send the plan's requests and return what came back."""
    loop = asyncio.get_running_loop()
    started_at = time.perf_counter()
    run = Run(plan)
    clients = []
    for _ in range(plan.connections):
        _, client = await loop.create_connection(lambda: Client(run, plan.port), HOST, plan.port)
        clients.append(client)
    await asyncio.wait([c.finished for c in clients], timeout=plan.seconds + LAST_ANSWER_S_MAX)
    latencies = sorted(run.latencies_s)
    total = sum(run.statuses.values())
    return Outcome(
        answered=len(latencies),
        refused=total - len(latencies),
        seconds=max(run.last_answer_at - started_at, 0.0),
        p50_ms=_percentile(latencies, 0.50) * 1000,
        p99_ms=_percentile(latencies, 0.99) * 1000,
        statuses=dict(run.statuses),
        problems=run.problems,
    )


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def main() -> None:
    """Run the plan on standard input."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    outcome = uvloop.run(run_plan(plan))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
