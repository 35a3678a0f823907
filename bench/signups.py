"""How long a visitor waits for a new clinic that works: all steps, password hash included, then a login as proof."""

import asyncio
import http.client
import secrets
import time
from contextlib import AsyncExitStack
from statistics import median
from typing import Any

import msgspec
from msgspec import Struct

from bench.fleet import Fleet, model_tables
from bench.ground import Ground
from bench.load import HOST
from bench.processes import BenchError, ServerProcess
from bench.report import plain_table, verdict
from bench.rival import MODEL_SCHEMA, make_rival, rival_server
from bench.servers import product_server
from tenancy.tenant import StrategyName

TITLE = "A new clinic"
SIGN_UPS = 12
"""Of each kind; one address may sign up 60 clinics an hour."""
WARM_UPS = 2
ANSWER_S_MAX = 60.0
MS_PER_S = 1000
CREATED, OK = 201, 200

MS_MAX = {StrategyName.ROW: 50.0, StrategyName.SCHEMA: 300.0, StrategyName.DATABASE: 300.0}
TIMES_FASTER_MIN = 10.0
RIVAL = "django-tenants (migrations)"
RIVAL_CLONE = "django-tenants (copy of a model schema)"


class Candidate(Struct, kw_only=True):
    """One way to get a new clinic."""

    name: str
    server: ServerProcess
    sign_up_path: str
    login_path: str
    sign_up_host: str
    ms_max: float | None = None
    milliseconds: list[float] = []


async def measure_sign_ups(ground: Ground, fleet: Fleet, *, with_rival: bool) -> dict[str, str]:
    """Return the report's section by title."""
    async with AsyncExitStack() as servers:
        candidates = [await _product(ground, servers, strategy) for strategy in StrategyName]
        if with_rival:
            rival = await make_rival(ground, 1, await model_tables(ground, fleet))
            for name, environ in ((RIVAL, {}), (RIVAL_CLONE, {"RIVAL_MODEL_SCHEMA": MODEL_SCHEMA})):
                label = "rival-sign-up" if name == RIVAL else "rival-clone"
                server = await servers.enter_async_context(
                    rival_server(ground, rival, name=label, environ=environ)
                )
                candidates.append(_rival_candidate(name, server))
        await ground.settle()
        for turn in range(WARM_UPS + SIGN_UPS):
            for candidate in candidates:
                took = await asyncio.to_thread(sign_up_once, candidate)
                if turn >= WARM_UPS:
                    candidate.milliseconds.append(took)
    return {TITLE: _table(candidates)}


def sign_up_once(candidate: Candidate) -> float:
    """Sign up one clinic and log in to it; return the milliseconds of the first."""
    slug = f"new-{secrets.token_hex(6)}"
    email, password = f"admin@{slug}.example", "correct horse battery"
    connection = http.client.HTTPConnection(HOST, candidate.server.port, timeout=ANSWER_S_MAX)
    try:
        started_at = time.perf_counter()
        _post(
            connection,
            candidate,
            candidate.sign_up_path,
            host=candidate.sign_up_host,
            body={
                "name": f"Clinic {slug}",
                "slug": slug,
                "admin_email": email,
                "password": password,
            },
            expected=CREATED,
        )
        took = time.perf_counter() - started_at
        _post(
            connection,
            candidate,
            candidate.login_path,
            host=f"{slug}.localhost",
            body={"username": email, "password": password},
            expected=OK,
        )
        return took * MS_PER_S
    finally:
        connection.close()


def _post(
    connection: http.client.HTTPConnection,
    candidate: Candidate,
    path: str,
    *,
    host: str,
    body: dict[str, Any],
    expected: int,
) -> None:
    headers = {"Host": host, "Content-Type": "application/json"}
    connection.request("POST", path, body=msgspec.json.encode(body), headers=headers)
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    if answer.status != expected:
        raise BenchError(f"{candidate.name}: {answer.status} {text}\n{candidate.server.tail()}")


async def _product(ground: Ground, servers: AsyncExitStack, strategy: StrategyName) -> Candidate:
    environ = {"CLINIC_SIGNUP_STRATEGY": strategy.value}
    server = await servers.enter_async_context(
        product_server(ground, name=f"sign-up-{strategy.value}", environ=environ)
    )
    return Candidate(
        name=f"Polyclinic, {strategy.value}",
        server=server,
        sign_up_path="/api/tenants/signup",
        login_path="/api/v1/auth/login",
        sign_up_host="localhost",
        ms_max=MS_MAX[strategy],
        milliseconds=[],
    )


def _rival_candidate(name: str, server: ServerProcess) -> Candidate:
    return Candidate(
        name=name,
        server=server,
        sign_up_path="/api/v1/tenants/signup",
        login_path="/api/v1/login",
        sign_up_host="public.localhost",
        milliseconds=[],
    )


def _table(candidates: list[Candidate]) -> str:
    rival = next((c for c in candidates if c.name == RIVAL), None)
    rows = [_row(candidate, rival) for candidate in candidates]
    head = ["", "ms (median)", "from - to", "target", f"times as fast as {RIVAL}", "target"]
    return plain_table(head, rows)


def _row(candidate: Candidate, rival: Candidate | None) -> list[str]:
    took = median(candidate.milliseconds)
    times = median(rival.milliseconds) / took if rival else None
    is_ours = candidate.ms_max is not None
    return [
        candidate.name,
        f"**{took:.0f}**",
        f"{min(candidate.milliseconds):.0f} - {max(candidate.milliseconds):.0f}",
        verdict(took, candidate.ms_max, at_most=True),
        f"{times:.1f}" if times else "",
        verdict(times, TIMES_FASTER_MIN) if times and is_ours else "",
    ]
