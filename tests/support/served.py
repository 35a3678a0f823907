"""`clinic serve` as processes of their own on a throw-away data directory, stopped whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from app.postgres.record import read_record, serves

CLINIC = Path(sys.executable).with_name("clinic")
READY_S_MAX = 90.0
STOP_S_MAX = 30.0
POLL_S = 0.1
LOOPBACK = "127.0.0.1"

# What a password costs is no part of what is tested.
CHEAP = {"CLINIC_ARGON2_MEMORY_KIB": "8192", "CLINIC_ARGON2_TIME_COST": "1"}


def environment(data_dir: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that knows nothing of ours."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(data_dir),
        # What a killed process could not tidy up goes with the directory.
        "TMPDIR": str(data_dir),
        "CLINIC_DATA_DIR": str(data_dir),
        **CHEAP,
        **settings,
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def run_clinic(
    data_dir: Path, *arguments: str, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [CLINIC, *arguments],
        env=environment(data_dir, settings),
        capture_output=True,
        text=True,
        timeout=READY_S_MAX,
        check=False,
    )


class Served:
    """A running `clinic serve`."""

    def __init__(self, data_dir: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.data_dir = data_dir
        self.port = port
        self.process = process
        self.url = f"http://{LOOPBACK}:{port}"

    def workers(self) -> list[int]:
        """The pids of the server processes, which listen on the port; Linux only."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        pids = [pid for children in tasks for pid in children.read_text().split()]
        return [
            int(pid) for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_S_MAX
        while not self._is_ready():
            assert self.process.poll() is None, f"ended early: {self.said()}"
            assert time.monotonic() < deadline, f"not ready in time: {self.said()}"
            time.sleep(POLL_S)

    def said(self) -> str:
        """The last lines that the processes wrote."""
        return (self.data_dir / "served.log").read_text()[-2000:]

    def stop(self) -> int:
        """Ask it to end, as a service runner does; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_S_MAX)

    def _is_ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        return False


@contextmanager
def serving(data_dir: Path, *, port: int | None = None, **settings: str) -> Iterator[Served]:
    """Yield a server that is ready; at the end nothing of it runs any more."""
    port = port or free_port()
    with (data_dir / "served.log").open("ab") as log:
        process = subprocess.Popen(
            [CLINIC, "serve", "--port", str(port)],
            env=environment(data_dir, {"CLINIC_WORKERS": "2", **settings}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    served = Served(data_dir, port, process)
    try:
        served.wait_until_ready()
        yield served
    finally:
        _end(served)


def _end(served: Served) -> None:
    """Stop what still runs: in order, else by force, and the PostgreSQL of the data directory too."""
    if served.process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            served.stop()
    with suppress(ProcessLookupError):
        os.killpg(served.process.pid, signal.SIGKILL)
    served.process.wait(STOP_S_MAX)
    record = read_record(served.data_dir)
    if record is not None:
        os.kill(record.pid, signal.SIGQUIT)
        wait_until_gone(record.pid, Path(record.cluster))


def wait_until_gone(pid: int, cluster: Path) -> None:
    deadline = time.monotonic() + STOP_S_MAX
    while serves(pid, cluster):
        assert time.monotonic() < deadline, "PostgreSQL still runs"
        time.sleep(POLL_S)


class SignedUp:
    """A clinic that signed up at a server, and its administrator: talks like `Clinic`."""

    def __init__(self, http: httpx.AsyncClient, slug: str) -> None:
        self.http = http
        self.slug = slug
        self.host = f"{slug}.localhost"
        self.email = f"admin@{slug}.example"
        self.password = "test1234"
        self.access = ""
        self.tenant_id = self.admin_id = self.branch_id = UUID(int=0)

    async def sign_up(self) -> "SignedUp":
        body = {
            "name": f"Clinic {self.slug}",
            "slug": self.slug,
            "admin_email": self.email,
            "password": self.password,
        }
        made = await self.http.post("/api/tenants/signup", json=body)
        assert made.status_code == 201, made.text
        self.tenant_id = UUID(made.json()["tenant"]["id"])
        return await self.enter()

    async def enter(self) -> "SignedUp":
        """Log in, and learn who and where we are."""
        login = await self.login()
        assert login.status_code == 200, login.text
        self.access = login.json()["access"]
        profile = (await self.get("/api/v1/auth/me")).json()
        self.admin_id = UUID(profile["id"])
        self.branch_id = UUID(profile["branches"][0]["id"])
        return self

    async def login(self, http: httpx.AsyncClient | None = None) -> httpx.Response:
        return await (http or self.http).post(
            "/api/personnel/auth/login",
            headers={"Host": self.host},
            json={"username": self.email, "password": self.password},
        )

    async def change_password(self, password: str) -> None:
        """Choose a password instead of the one that a command made up."""
        body = {"current_password": self.password, "new_password": password}
        answer = await self.post("/api/v1/auth/me/password", body)
        assert answer.status_code == 200, answer.text
        self.password = password
        self.access = answer.json()["access"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Host": self.host, "Authorization": f"Bearer {self.access}"}

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        http = options.pop("http", self.http)
        answer: httpx.Response = await http.request(method, path, headers=headers, **options)
        return answer

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.request("POST", path, json=json, **options)

    async def put(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.request("PUT", path, json=json, **options)
