"""`clinic serve` on the oldest PostgreSQL we promise, by URL, where the machine has its programs."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.postgres.external import MAJOR_MIN
from clinic_walk import walk_through
from second_server import SecondServer, installed_majors, server_of_binaries
from served import SignedUp, run_clinic, serving
from servers import throw_away_directory
from tenancy.tenant import StrategyName

SECRETS = {
    "CLINIC_SECRET_KEY": "signing key of the tests, long enough for every check",
    "CLINIC_ROLE_SECRET": "role secret of the tests, long enough for every check",
}
PROGRAMS = installed_majors().get(MAJOR_MIN)

pytestmark = pytest.mark.skipif(
    PROGRAMS is None,
    reason=f"PostgreSQL {MAJOR_MIN} is not installed (/usr/lib/postgresql/{MAJOR_MIN}/bin, pg_config)",
)


@pytest.fixture(scope="module")
def oldest() -> Iterator[SecondServer]:
    assert PROGRAMS is not None
    with server_of_binaries(PROGRAMS) as server:
        yield server


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with throw_away_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def settings(oldest: SecondServer) -> dict[str, str]:
    return {"CLINIC_DATABASE_URL": oldest.url, **SECRETS}


@pytest.mark.parametrize("strategy", list(StrategyName), ids=str)
async def test_clinic_of_each_strategy_signs_up_and_works(
    data_dir: Path, settings: dict[str, str], strategy: StrategyName
) -> None:
    with serving(data_dir, CLINIC_SIGNUP_STRATEGY=strategy, **settings) as served:
        async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
            ready = (await http.get("/health/ready")).json()
            assert ready["postgresql"].startswith(f"{MAJOR_MIN}.")
            clinic = await SignedUp(http, f"c{secrets.token_hex(5)}").sign_up()
            await walk_through(clinic)
        shown = run_clinic(data_dir, "tenants", "show", clinic.slug, "--json", **settings)
        assert json.loads(shown.stdout)["strategy"] == strategy


def test_nothing_is_left_to_migrate_and_doctor_is_content(
    data_dir: Path, settings: dict[str, str]
) -> None:
    # The first run prepares the server where this test runs alone.
    assert run_clinic(data_dir, "migrate", **settings).returncode == 0
    assert json.loads(run_clinic(data_dir, "migrate", "--json", **settings).stdout) == []
    migrated = run_clinic(data_dir, "migrate", "--every", "--json", **settings)
    homes = json.loads(migrated.stdout)
    assert homes
    assert {(home["before"] == home["after"], home["error"]) for home in homes} == {(True, None)}
    examined = run_clinic(data_dir, "doctor", "--json", **settings)
    assert json.loads(examined.stdout)["findings"] == []
    assert examined.returncode == 0
