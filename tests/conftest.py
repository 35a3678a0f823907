"""One real PostgreSQL for the whole run, three strategies, two clinics, real commits."""

import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from litestar import Litestar

from app.factory import create_app
from app.preparation import prepare_server, tenancy_options
from app.settings import Settings
from clinics import Clinic, ClinicMaker
from servers import running_server, throw_away_directory
from tenancy.runtime import Tenancy
from tenancy.tenant import Server, StrategyName

ROLE_SECRET = "role secret of the tests, long enough for every check"
SECRET_KEY = "signing key of the tests, long enough for every check"

for name in [name for name in os.environ if name.startswith("CLINIC_")]:
    del os.environ[name]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A running PostgreSQL server of the tests' own."""
    with throw_away_directory() as directory, running_server(directory) as server:
        yield server


@pytest.fixture(scope="session")
def main_server(postgres: Any) -> Server:
    return postgres.address


@pytest.fixture(scope="session")
def administrator(postgres: Any) -> Callable[..., Awaitable[asyncpg.Connection]]:
    """Connects as the server's administrator, to look where nobody else may."""

    async def connect(database: str = "postgres") -> asyncpg.Connection:
        return await asyncpg.connect(**(postgres.administrator | {"database": database}))

    return connect


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.from_environment(
        {
            "CLINIC_DATA_DIR": str(tmp_path_factory.mktemp("data")),
            "CLINIC_SECRET_KEY": SECRET_KEY,
            "CLINIC_ROLE_SECRET": ROLE_SECRET,
            "CLINIC_BASE_DOMAINS": "localhost,clinics.example",
            "CLINIC_ARGON2_MEMORY_KIB": "8192",
            "CLINIC_ARGON2_TIME_COST": "1",
        }
    )


@pytest.fixture(scope="session")
async def another_tenancy(postgres: Any, settings: Settings) -> Callable[..., Awaitable[Tenancy]]:
    """Makes one more process' worth of tenancy, with its own pools and caches; use it with `async with`."""
    await prepare_server(settings, postgres)

    async def make(*, move_wait_s_max: float = 10.0, **pool_limits: Any) -> Tenancy:
        options = tenancy_options(settings, postgres.address)
        limits = msgspec.structs.replace(options.pool_limits, **pool_limits)
        return Tenancy(
            msgspec.structs.replace(options, pool_limits=limits, move_wait_s_max=move_wait_s_max)
        )

    return make


@pytest.fixture(scope="session")
async def tenancy(another_tenancy: Callable[..., Awaitable[Tenancy]]) -> AsyncIterator[Tenancy]:
    async with await another_tenancy() as opened:
        yield opened


@pytest.fixture(scope="session")
async def app(settings: Settings, tenancy: Tenancy) -> AsyncIterator[Litestar]:
    application = create_app(settings, tenancy)
    async with application.lifespan():
        yield application


@pytest.fixture(autouse=True)
def no_unexpected_error(request: pytest.FixtureRequest) -> Iterator[None]:
    """An error that no handler expected fails the test that caused it, not only its answer."""
    if "app" not in request.fixturenames:
        yield
        return
    application: Litestar = request.getfixturevalue("app")
    application.state.unexpected_errors = []
    yield
    if "expects_bugs" not in request.keywords:
        assert application.state.unexpected_errors == []


@pytest.fixture(scope="session")
async def api(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the same loop as the application: requests sent together run together."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture(scope="module", params=list(StrategyName), ids=str)
def placement(request: pytest.FixtureRequest) -> StrategyName:
    """The same test on each strategy."""
    return StrategyName(request.param)


@pytest.fixture(scope="session")
async def make_clinic(
    tenancy: Tenancy, settings: Settings, api: httpx.AsyncClient
) -> Callable[..., Awaitable[Clinic]]:
    """Provisions a clinic with its first admin and branch; a name is made up unless given."""
    maker = ClinicMaker(tenancy, settings, api)

    async def make(placement: StrategyName, **fields: Any) -> Clinic:
        slug = fields.pop("slug", None) or f"c{secrets.token_hex(5)}"
        return await maker.make(slug, placement, **fields)

    return make


@pytest.fixture(scope="module")
async def clinic_a(
    placement: StrategyName, make_clinic: Callable[..., Awaitable[Clinic]]
) -> Clinic:
    return await make_clinic(placement)


@pytest.fixture(scope="module")
async def clinic_b(
    placement: StrategyName, make_clinic: Callable[..., Awaitable[Clinic]]
) -> Clinic:
    return await make_clinic(placement)


@pytest.fixture(scope="session")
def repository() -> Path:
    return Path(__file__).resolve().parents[1]
