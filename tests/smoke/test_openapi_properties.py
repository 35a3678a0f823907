"""The OpenAPI document against the running server: whatever is sent, no 500 and nothing the document does not say.

Schemathesis makes the requests; half of them get ids, versions and references that exist, to come further than 404.
"""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any
from uuid import uuid4

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from operations import Operation, read_operations
from populate import BODIES, PLAIN_PATH_VALUES, Population, kind_of, populate, versioned
from served import Served, SignedUp, run_clinic, serving
from servers import throw_away_directory

EXAMPLES = {GenerationMode.POSITIVE: 12, GenerationMode.NEGATIVE: 5}
"""How often each operation is asked with what fits the document, and with what does not."""

ANSWER_S_MAX = 10.0
TEST_S_MAX = 200
SEED = 20_261_121

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
LAST = ("refresh", "password", "logout", "login", "token", "signup")
"""What ends or uses up the logins of the others comes after them."""

ANY_TIME = ("429", "503")
"""What no operation has to declare: too many requests, and not now."""


class Way(StrEnum):
    """How far a request is helped along."""

    RAW = "raw"
    DEEP = "deep"
    MENDED = "mended"


BOUNDED = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def new_clinic() -> dict[str, Any]:
    slug = f"c{secrets.token_hex(5)}"
    return {"name": slug, "slug": slug, "admin_email": "admin@test.com"}


NEW: dict[str, Callable[[], dict[str, Any]]] = {
    "signUp": lambda: {**new_clinic(), "password": "test1234"},
    "createTenant": new_clinic,
}
"""Valid bodies of operations that make clinics."""


class Target:
    """A clinic at a server with something of everything in it, and who may do everything there."""

    def __init__(
        self, served: Served, population: Population, other_tenant_id: str, operator: str
    ) -> None:
        self.served = served
        self.population = population
        self.other_tenant_id = other_tenant_id
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

    def deepen(self, operation: Operation, case: schemathesis.Case) -> None:
        """Let the case name what exists, at its present version."""
        known = {**PLAIN_PATH_VALUES, **self._references(operation, operation.path_ids)}
        case.path_parameters = {**case.path_parameters, **known}
        query = {**case.query, **self.population.query(operation)}
        case.query = {**query, **self._references(operation, query.keys() & operation.query_ids)}
        if isinstance(case.body, dict):
            named = self._references(operation, case.body.keys() & operation.body_ids)
            case.body = {**case.body, **named}

    def mend(self, operation: Operation, case: schemathesis.Case) -> None:
        """Let the case have a valid body but for one field, which stays as it was made up."""
        if not isinstance(case.body, dict) or operation.id not in {*BODIES, *NEW}:
            return
        valid = NEW[operation.id]() if operation.id in NEW else self.population.bodies(operation)[0]
        name = next((name for name in case.body if name not in operation.body_ids), None)
        case.body = valid if name is None else {**valid, name: case.body[name]}

    def version(self, url: str, headers: dict[str, str]) -> str:
        """The ETag to send with an action on `url`."""
        read = self.session.get(
            self.served.url + versioned(url), headers=headers, timeout=ANSWER_S_MAX
        )
        return str(read.headers.get("ETag", '"1"'))

    def _references(self, operation: Operation, names: Iterable[str]) -> dict[str, str]:
        # No move that exists: the events of one that runs go on for minutes.
        ids = {**self.population.ids, "tenant": self.other_tenant_id, "move": str(uuid4())}
        return {name: ids[kind_of(operation, name)] for name in names}

    def _log_in(self, path: str, who: dict[str, str], password: str) -> str:
        headers = {"Host": self.population.clinic.host}
        body = {**who, "password": password}
        answer = httpx.post(self.served.url + path, headers=headers, json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access"])


OPERATOR = "operator@platform.example"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with throw_away_directory() as directory, serving(directory) as server:
        yield server


@pytest.fixture(scope="module")
def operator_password(served: Served) -> str:
    options = ("--email", OPERATOR, "--role", "superadmin", "--json")
    made = run_clinic(served.data_dir, "operators", "create", *options)
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["password"])


@pytest.fixture
def target(served: Served, operator_password: str) -> Target:
    """A clinic of its own for each test: the requests archive and block what they find."""
    population, other_tenant_id = asyncio.run(populated(served))
    return Target(served, population, other_tenant_id, operator_password)


async def populated(served: Served) -> tuple[Population, str]:
    """A clinic with something of everything, and the id of another one for operators to suspend."""
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        clinic, other = [
            await SignedUp(http, f"c{secrets.token_hex(5)}").sign_up() for _ in range(2)
        ]
        return await populate(clinic), str(other.tenant_id)


async def operations_of(served: Served) -> list[Operation]:
    async with httpx.AsyncClient(base_url=served.url) as http:
        return await read_operations(http)


def order_of(operation: Operation) -> tuple[bool, bool, bool]:
    return (
        any(word in operation.path for word in LAST),
        operation.method == "DELETE" or operation.path.endswith("/archive"),
        operation.method != "GET",
    )


@pytest.fixture
def document(target: Target) -> dict[str, Any]:
    """The document without its "default" answers, which would allow every status there is."""
    read: dict[str, Any] = httpx.get(f"{target.served.url}/openapi.json").json()
    for item in read["paths"].values():
        for described in item.values():
            shape = described["responses"].pop("default")
            described["responses"] |= dict.fromkeys(ANY_TIME, shape)
    return read


@pytest.mark.timeout(TEST_S_MAX)
@pytest.mark.parametrize("mode", list(EXAMPLES), ids=str)
def test_every_answer_is_one_that_the_document_promises(
    target: Target, document: dict[str, Any], mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    wrong = []
    for operation in sorted(asyncio.run(operations_of(target.served)), key=order_of):
        if mode is GenerationMode.NEGATIVE and not operation.takes_anything:
            continue
        described = schema[operation.path][operation.method]
        try:
            run_cases(target, operation, described.as_strategy(mode), EXAMPLES[mode])
        except BaseExceptionGroup as group:
            wrong.append(f"{operation}: {group.exceptions[0]}")
    assert wrong == []


def run_cases(
    target: Target, operation: Operation, cases: SearchStrategy[schemathesis.Case], count: int
) -> None:
    headers = target.headers(operation)

    @seed(SEED)
    @settings(BOUNDED, max_examples=count)
    @given(case=cases, way=st.sampled_from(Way))
    def send(case: schemathesis.Case, way: Way) -> None:
        if way is not Way.RAW:
            target.deepen(operation, case)
        if way is Way.MENDED:
            target.mend(operation, case)
        if way is not Way.RAW and "If-Match" in operation.headers:
            case.headers["If-Match"] = target.version(case.formatted_path, headers)
        response = case.call(
            base_url=target.served.url,
            headers=headers,
            session=target.session,
            timeout=ANSWER_S_MAX,
        )
        case.validate_response(response, checks=CHECKS)

    send()
