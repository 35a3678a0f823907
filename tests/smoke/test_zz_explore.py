"""The OpenAPI document against the running server: whatever is sent, no 500 and nothing the document does not say.

Schemathesis makes the requests; half of them get ids, versions and references that exist, to come further than 404.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from operations import Operation, read_operations
from populate import PLAIN_PATH_VALUES, Population, kind_of, populate
from served import Served, SignedUp, run_clinic, serving
from servers import throw_away_directory

EXAMPLES_MAX = 12
RUN_S_MAX = 100.0
SEED = 20_261_121

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
LAST = ("refresh", "password", "logout", "login", "token", "signup")
"""What ends or uses up the logins of the others comes after them."""

from collections import defaultdict, Counter
STATS = defaultdict(Counter)
WRONG = defaultdict(set)
BOUNDED = settings(
    max_examples=EXAMPLES_MAX,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Target:
    """A clinic at a server with something of everything in it, and who may do everything there."""

    def __init__(self, served: Served, population: Population, operator: str) -> None:
        self.served = served
        self.population = population
        self.session = requests.Session()
        self._operator = operator

    def headers(self, operation: Operation) -> dict[str, str]:
        """What a frontend sends with each request; made anew, as the operation may end its own login."""
        clinic: Any = self.population.clinic
        if operation.is_platform:
            token = self._log_in("/api/v1/platform/auth/login", {"email": OPERATOR}, self._operator)
            return {"Authorization": f"Bearer {token}"}
        token = self._log_in("/api/v1/auth/login", {"email": clinic.email}, clinic.password)
        return {"Host": clinic.host, "Authorization": f"Bearer {token}"}

    def deepen(
        self, operation: Operation, case: schemathesis.Case, headers: dict[str, str]
    ) -> None:
        """Let the case name what exists, at its present version."""
        ids = self.population.ids
        known = {n: ids[kind_of(operation, n)] for n in operation.path_ids if n != "tenant"}
        if "tenant" in operation.path_ids:
            known["tenant"] = str(self.population.clinic.tenant_id)
        case.path_parameters = {**case.path_parameters, **PLAIN_PATH_VALUES, **known}
        if isinstance(case.body, dict):
            named = {n: ids[kind_of(operation, n)] for n in operation.body_ids if n in case.body}
            case.body = {**case.body, **named}
        if operation.path_ids and operation.method != "GET":
            url = operation.url({**PLAIN_PATH_VALUES, **known})
            resource = url if url.endswith("/availability") else "/".join(url.split("/")[:5])
            read = httpx.get(self.served.url + resource, headers=headers)
            case.headers["If-Match"] = read.headers.get("ETag", '"1"')

    def _log_in(self, path: str, who: dict[str, str], password: str) -> str:
        headers = {"Host": self.population.clinic.host}
        body = {**who, "password": password}
        answer = httpx.post(self.served.url + path, headers=headers, json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access"])


OPERATOR = "operator@platform.example"


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with throw_away_directory() as directory, serving(directory) as served:
        made = run_clinic(
            directory, "operators", "create", "--email", OPERATOR, "--role", "superadmin", "--json"
        )
        assert made.returncode == 0, made.stderr
        operator = httpx.Response(200, text=made.stdout).json()["password"]
        yield Target(served, asyncio.run(populated(served)), operator)


async def populated(served: Served) -> Population:
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        return await populate(await SignedUp(http, f"c{secrets.token_hex(5)}").sign_up())


async def operations_of(served: Served) -> list[Operation]:
    async with httpx.AsyncClient(base_url=served.url) as http:
        return await read_operations(http)


def order_of(operation: Operation) -> tuple[bool, bool, bool]:
    return (
        any(word in operation.path for word in LAST),
        operation.method == "DELETE" or operation.path.endswith("/archive"),
        operation.method != "GET",
    )


def test_every_answer_is_one_that_the_document_promises(target: Target) -> None:
    document = httpx.get(f"{target.served.url}/openapi.json").json()
    for item in document["paths"].values():
        for op in item.values():
            op["responses"].pop("default", None)
    schema = schemathesis.openapi.from_dict(document)
    begun = time.monotonic()
    wrong = []
    for operation in sorted(asyncio.run(operations_of(target.served)), key=order_of):
        try:
            run_cases(target, schema[operation.path][operation.method], operation)
        except BaseExceptionGroup as group:
            wrong.append(f"{operation}: {group.exceptions[0]}")
    for k,v in STATS.items(): print(k, dict(v))
    for k,v in WRONG.items():
        print("=====", k)
        for x in sorted(v)[:4]: print("   ", x)
    assert wrong == []
    assert time.monotonic() - begun < RUN_S_MAX


def run_cases(target: Target, described: Any, operation: Operation) -> None:
    headers = target.headers(operation)

    @seed(SEED)
    @BOUNDED
    @given(case=described.as_strategy(), is_deep=st.booleans())
    def send(case: schemathesis.Case, is_deep: bool) -> None:  # noqa: FBT001  # hypothesis fills it
        if is_deep:
            target.deepen(operation, case, headers)
        response = case.call(
            base_url=target.served.url, headers=headers, session=target.session, timeout=10
        )
        if response.status_code == 422:
            print("422", operation, is_deep, [(e["code"],e["pointer"]) for e in response.json().get("errors",[])][:2], response.json()["code"], repr(case.body)[:600], flush=True)
        STATS[str(operation)][response.status_code] += 1
        try:
            case.validate_response(response, checks=CHECKS)
        except BaseException as e:
            WRONG[str(operation)].add(str(e)[:1500])

    send()
