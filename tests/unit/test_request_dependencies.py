"""What handlers are handed: one session that ends as the request does, and who acts from where."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar, get, post
from litestar.di import NamedDependency
from litestar.exceptions import ImproperlyConfiguredException
from litestar.params import SkipValidation

from app.dependencies import RequestDependencies, check_session_modes
from app.problem_documents import ErrorAnswers
from app.tenant_middleware import ResolveTenant
from controllers.modes import NO_TENANT, PUBLIC, READ, TENANT_IN_BODY, WRITE
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.errors import NotFoundError, StaleVersionError
from known_clinics import BASES, A, Directory
from tenancy.modes import Login, Mode

Session = NamedDependency[SkipValidation[Any]]


class Tenancy:
    """Opens sessions that are plain lists, and remembers how each one ended."""

    def __init__(self) -> None:
        self.opened: list[tuple[UUID, Mode, Login | None]] = []
        self.endings: list[object] = []
        self.commit_error: Exception | None = None

    @asynccontextmanager
    async def session(
        self, tenant_id: UUID, mode: Mode, login: Login | None = None
    ) -> AsyncIterator[Any]:
        self.opened.append((tenant_id, mode, login))
        try:
            yield []
        except BaseException as error:
            self.endings.append(type(error))
            raise
        if self.commit_error is not None:
            raise self.commit_error
        self.endings.append("committed")


@get("/read", opt={**PUBLIC, **READ})
async def read(db_session: Session, clinic: NamedDependency[SkipValidation[ClinicProfile]]) -> str:
    assert db_session == []
    return clinic.slug


@post("/fail", opt={**PUBLIC, **WRITE})
async def fail(db_session: Session) -> None:
    assert db_session == []
    raise NotFoundError


@post("/login", opt={**PUBLIC, **WRITE, **TENANT_IN_BODY})
async def log_in(db_session: Session, clinic_id: NamedDependency[SkipValidation[UUID]]) -> str:
    assert db_session == []
    return str(clinic_id)


@get("/who", opt={**PUBLIC, **NO_TENANT})
async def who(
    actor: NamedDependency[SkipValidation[Actor]], client_address: NamedDependency[str]
) -> dict[str, Any]:
    return {"kind": actor.kind, "ip": actor.ip, "address": client_address}


def application(tenancy: Tenancy, handlers: list[Any], hops: int = 0) -> Litestar:
    providers = RequestDependencies(tenancy, Directory(), BASES, hops).providers()  # type: ignore[arg-type]
    return Litestar(
        handlers,
        dependencies=providers,
        middleware=[ResolveTenant(Directory(), BASES)],
        exception_handlers={Exception: ErrorAnswers("es")},
        openapi_config=None,
        logging_config=None,
    )


def client_of(app: Litestar) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app)
    return httpx.AsyncClient(transport=transport, base_url="http://clinica-a.localhost")


@pytest.fixture
def tenancy() -> Tenancy:
    return Tenancy()


@pytest.fixture
def client(tenancy: Tenancy) -> httpx.AsyncClient:
    return client_of(application(tenancy, [read, fail, log_in, who]))


async def test_a_session_is_the_clinics_and_ends_committed(
    client: httpx.AsyncClient, tenancy: Tenancy
) -> None:
    assert (await client.get("/read")).text == "clinica-a"
    assert tenancy.opened == [(A.tenant.id, Mode.READ, None)]
    assert tenancy.endings == ["committed"]


async def test_an_error_of_the_handler_reaches_the_session_and_the_caller(
    client: httpx.AsyncClient, tenancy: Tenancy
) -> None:
    assert (await client.post("/fail")).status_code == 404
    assert tenancy.endings == [NotFoundError]


async def test_a_failed_commit_is_an_answer_like_any_other(
    client: httpx.AsyncClient, tenancy: Tenancy
) -> None:
    tenancy.commit_error = StaleVersionError(7)
    answer = await client.get("/read")
    assert answer.status_code == 412
    assert answer.headers["etag"] == '"7"'


@pytest.mark.parametrize(
    "body", [{"tenant_id": "clinica-a"}, {"tenant_id": None}, {}, [], "x", None]
)
async def test_a_body_may_repeat_the_host_or_say_nothing(
    client: httpx.AsyncClient, body: Any
) -> None:
    assert (await client.post("/login", json=body)).text == str(A.tenant.id)


async def test_a_body_names_the_clinic_where_the_host_does_not(client: httpx.AsyncClient) -> None:
    host = {"Host": "127.0.0.1"}
    assert (
        await client.post("/login", json={"tenant_id": "clinica-b"}, headers=host)
    ).status_code == 201
    assert (await client.post("/login", json={}, headers=host)).json()[
        "code"
    ] == "tenant_not_resolved"
    assert (await client.post("/login", json={"tenant_id": "x"}, headers=host)).status_code == 404
    assert (await client.post("/login", json={"tenant_id": "clinica-b"})).status_code == 403


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "not an address", "127.0.0.1"),
        (1, "2001:DB8::1", "2001:db8::1"),
        (1, None, "127.0.0.1"),
    ],
)
async def test_only_what_our_own_proxies_wrote_is_believed(
    tenancy: Tenancy, hops: int, forwarded: str | None, address: str
) -> None:
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    answer = await client_of(application(tenancy, [who], hops)).get("/who", headers=headers)
    assert answer.json() == {"kind": "anonymous", "ip": address, "address": address}


@pytest.mark.parametrize("opt", [PUBLIC, {**READ, **NO_TENANT}], ids=["no mode", "no clinic"])
def test_a_session_without_a_mode_or_a_clinic_stops_the_start(tenancy: Tenancy, opt: Any) -> None:
    @get("/careless", opt=opt)
    async def careless(db_session: Session) -> None:
        assert db_session

    with pytest.raises(ImproperlyConfiguredException, match="db_session"):
        check_session_modes(application(tenancy, [careless]))


def test_the_routes_of_these_tests_may_start(tenancy: Tenancy) -> None:
    check_session_modes(application(tenancy, [read, fail, log_in, who]))
