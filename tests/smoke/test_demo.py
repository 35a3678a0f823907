"""`clinic demo` as a process: it tells who can log in, they can, and started again it serves what is there."""

import json
import re
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from domain.actor import Role
from served import CLINIC, LOOPBACK, Served, _end, environment, free_port, run_clinic
from servers import throw_away_directory

STRATEGIES = {"sonrisa": "row", "arequipa": "schema", "minera-abc": "database"}


@contextmanager
def demo(data_dir: Path) -> Iterator[Served]:
    """Yield a demo that is ready; at the end nothing of it runs any more."""
    port = free_port()
    with (data_dir / "served.log").open("ab") as log:
        process = subprocess.Popen(
            [CLINIC, "demo", "--host", LOOPBACK, "--port", str(port), "--workers", "1"],
            env=environment(data_dir, {}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    running = Served(data_dir, port, process)
    try:
        running.wait_until_ready()
        yield running
    finally:
        _end(running)


def report_of(running: Served) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((running.data_dir / "demo.json").read_text())
    return report


def log_in(running: Served, host: str, user: dict[str, str]) -> httpx.Response:
    login = {"username": user["username"], "password": user["password"]}
    headers = {"Host": host}
    return httpx.post(f"{running.url}/api/v1/auth/login", headers=headers, json=login, timeout=30)


def refused_logins(running: Served, report: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return what was answered to those who could not log in with what the report says."""
    return {
        (clinic["slug"], user["username"]): answer.text
        for clinic in report["clinics"]
        for user in clinic["users"]
        if (answer := log_in(running, clinic["host"], user)).status_code != 200
    }


def staff_of(running: Served, clinic: dict[str, Any]) -> list[str]:
    """Return the ids of a clinic's practitioners, as its administrator sees them."""
    admin = next(user for user in clinic["users"] if user["role"] == Role.ADMIN)
    access = log_in(running, clinic["host"], admin).json()["access"]
    answer = httpx.get(
        f"{running.url}/api/v1/practitioners",
        params={"limit": 100},
        headers={"Host": clinic["host"], "Authorization": f"Bearer {access}"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with throw_away_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator[Served]:
    with demo(data_dir) as process:
        yield process


@pytest.fixture(scope="module")
def report(running: Served) -> dict[str, Any]:
    return report_of(running)


def test_report_has_the_agreed_keys_and_no_others(running: Served, report: dict[str, Any]) -> None:
    assert report.keys() == {"base_url", "operator", "clinics"}
    assert report["base_url"] == running.url
    assert report["operator"].keys() == {"email", "password"}
    for clinic in report["clinics"]:
        assert clinic.keys() == {"slug", "strategy", "host", "tenant_id", "users"}
        assert clinic["host"] == f"{clinic['slug']}.localhost"
        assert str(UUID(clinic["tenant_id"])) == clinic["tenant_id"]
        for user in clinic["users"]:
            assert user.keys() == {"role", "username", "password"}


def test_there_is_a_clinic_for_each_strategy(report: dict[str, Any]) -> None:
    assert {clinic["slug"]: clinic["strategy"] for clinic in report["clinics"]} == STRATEGIES


def test_every_clinic_has_a_user_of_every_role(report: dict[str, Any]) -> None:
    for clinic in report["clinics"]:
        assert {user["role"] for user in clinic["users"]} == {role.value for role in Role}


@pytest.mark.usefixtures("running")
def test_report_is_for_its_owner_alone(data_dir: Path) -> None:
    assert stat.S_IMODE((data_dir / "demo.json").stat().st_mode) == 0o600


def test_everybody_in_the_report_can_log_in(running: Served, report: dict[str, Any]) -> None:
    assert refused_logins(running, report) == {}
    answer = httpx.post(
        f"{running.url}/api/v1/platform/auth/login", json=report["operator"], timeout=30
    )
    assert answer.status_code == 200, answer.text


def test_login_of_one_clinic_is_refused_at_another(running: Served, report: dict[str, Any]) -> None:
    first, second = report["clinics"][:2]
    assert log_in(running, second["host"], first["users"][0]).status_code == 401


def test_commands_given_the_data_directory_act_on_the_running_demo(
    running: Served, report: dict[str, Any]
) -> None:
    listed = run_clinic(running.data_dir, "tenants", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert {row["slug"]: (row["id"], row["strategy"]) for row in json.loads(listed.stdout)} == {
        clinic["slug"]: (clinic["tenant_id"], clinic["strategy"]) for clinic in report["clinics"]
    }
    healthy = run_clinic(running.data_dir, "doctor")
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    assert running.process.poll() is None


def test_the_move_that_the_readme_shows_is_one_that_the_demo_allows(
    running: Served, repository: Path
) -> None:
    (shown,) = re.findall(r"clinic (tenants move [^`]+)`", (repository / "README.md").read_text())
    foreseen = run_clinic(running.data_dir, *shlex.split(shown), "--dry-run")
    assert foreseen.returncode == 0, foreseen.stdout + foreseen.stderr


def test_second_demo_on_the_directory_is_refused_and_changes_nothing(
    running: Served, report: dict[str, Any]
) -> None:
    refused = run_clinic(running.data_dir, "demo", "--port", str(free_port()))
    assert refused.returncode == 1, refused.stdout
    assert refused.stderr.startswith(f"clinic: {running.data_dir} is being served already")
    assert len(refused.stderr.splitlines()) == 1
    assert report_of(running) == report
    assert httpx.get(f"{running.url}/health/ready", timeout=5).status_code == 200


def test_started_again_it_serves_what_is_there(running: Served, report: dict[str, Any]) -> None:
    """The last test: it ends what the others use."""
    staff = {clinic["slug"]: staff_of(running, clinic) for clinic in report["clinics"]}
    assert all(staff.values())
    assert running.stop() == 0

    with demo(running.data_dir) as again:
        assert again.url != running.url
        assert report_of(again) == {**report, "base_url": again.url}
        assert refused_logins(again, report) == {}
        assert {c["slug"]: staff_of(again, c) for c in report["clinics"]} == staff
        assert again.stop() == 0
