"""Server processes under measurement: started, waited for, their processor time read, stopped."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import psutil

from bench.load import HOST, Outcome, Plan

REPOSITORY = Path(__file__).resolve().parents[1]
READY_S_MAX = 60.0
STOP_S_MAX = 20.0
LOAD_SLACK_S = 30.0
POLL_S = 0.05
LOG_LINES_SHOWN = 30


class BenchError(Exception):
    """A run cannot go on; the message says why."""


class ServerProcess:
    """One running HTTP server with its workers."""

    def __init__(
        self, name: str, port: int, process: asyncio.subprocess.Process, log: Path
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        self._process = process

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    def cpu_seconds(self) -> float:
        """Return the processor time of the server and all its workers until now."""
        return tree_cpu_seconds(self._process.pid)

    def memory_mib(self) -> float:
        """Return the private memory of the server and all its workers."""
        return sum(memory_bytes(process) for process in tree(self._process.pid)) / 2**20

    def tail(self) -> str:
        """Return the last lines of the server's log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES_SHOWN:])

    async def wait_ready(self) -> None:
        """Wait until the server takes connections; raise `BenchError` when it does not."""
        deadline = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline and self.alive:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, self.port)
                writer.close()
                return
            await asyncio.sleep(POLL_S)
        raise BenchError(f"{self.name} did not start:\n{self.tail()}")

    async def stop(self) -> None:
        """Ask the server to stop, then make it: its whole process group, which is its own."""
        if not self.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S_MAX)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()


@asynccontextmanager
async def serving(
    name: str,
    command: Sequence[str],
    *,
    port: int,
    log_directory: Path,
    environ: Mapping[str, str] | None = None,
    directory: Path = REPOSITORY,
) -> AsyncIterator[ServerProcess]:
    """Yield the server that `command` starts, once it takes connections on `port`; stop it at the end."""
    log = log_directory / f"{name}.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            env=inherited() | dict(environ or {}),
            start_new_session=True,
        )
    server = ServerProcess(name, port, process, log)
    try:
        await server.wait_ready()
        yield server
    finally:
        await server.stop()


async def run_load(plan: Plan) -> Outcome:
    """Run the load generator in a process of its own; raise `BenchError` if it fails or runs too long."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.load"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    try:
        async with asyncio.timeout(plan.seconds + LOAD_SLACK_S):
            output, _ = await process.communicate(msgspec.json.encode(plan))
    except TimeoutError:
        raise BenchError("the load generator did not end") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise BenchError(f"the load generator failed with exit code {process.returncode}")
    return msgspec.json.decode(output, type=Outcome)


def free_port() -> int:
    """Return a loopback port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def inherited() -> dict[str, str]:
    """Return our environment without the product's settings, which each server is given explicitly."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLINIC_")}
    return kept | {"PYTHONPATH": str(REPOSITORY)}


def tree(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants; none if it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def tree_cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and its descendants, those that have ended included."""
    total = 0.0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_bytes(process: psutil.Process) -> int:
    """Return the private memory of one process, 0 where the system does not tell."""
    try:
        return process.memory_full_info().uss
    except (psutil.Error, AttributeError):
        return 0
