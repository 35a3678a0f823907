"""A platform of its own on the tests' server, with a clinic of each strategy, and the next release to bring it to."""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from app.postgres import PostgresServer
from app.preparation import prepare_server, tenancy_options
from app.settings import Settings
from clinics import Clinic, ClinicMaker
from releases import forget_rendered, newer_tree
from tenancy import migrations
from tenancy.runtime import Tenancy
from tenancy.tenant import Home, StrategyName


@pytest.fixture
def older(settings: Settings) -> Settings:
    """Settings of a platform of its own on the same server, so that no other test meets its revisions."""
    suffix = secrets.token_hex(4)
    return replace(
        settings,
        registry_database=f"clinic_registry_{suffix}",
        pool_database=f"clinic_pool_{suffix}",
    )


@pytest.fixture
def next_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The same code with one more tenant revision; undone by the yielded object."""
    newer = newer_tree(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "migrations_directory", lambda: newer)
        forget_rendered()
        yield patch
    forget_rendered()


@pytest.fixture
async def fleet(
    older: Settings, postgres: PostgresServer
) -> AsyncIterator[tuple[Tenancy, dict[StrategyName, Home]]]:
    await prepare_server(older, postgres)
    async with Tenancy(tenancy_options(older, postgres.address)) as tenancy:
        maker = ClinicMaker(tenancy, older, httpx.AsyncClient())
        homes = {}
        for strategy in StrategyName:
            clinic: Clinic = await maker.make(f"u{secrets.token_hex(5)}", strategy)
            resolved = await tenancy.directory.by_id(clinic.tenant_id)
            assert resolved is not None
            homes[strategy] = resolved.placement.home
        yield tenancy, homes
