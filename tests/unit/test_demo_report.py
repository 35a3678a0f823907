"""`demo.json` and the text that `clinic demo` prints."""

import json
import stat
from pathlib import Path

import pytest

from app.demo.accounts import DemoUser
from app.demo.introduction import what_to_try
from app.demo.report import (
    DemoClinic,
    DemoOperator,
    DemoReport,
    read_demo_file,
    write_demo_file,
)


@pytest.fixture
def report() -> DemoReport:
    return DemoReport(
        base_url="http://localhost:8123",
        operator=DemoOperator(email="operator@polyclinic.example", password="of the operator"),
        clinics=(
            DemoClinic(
                slug="sonrisa",
                strategy="row",
                host="sonrisa.localhost",
                tenant_id="01938000-0000-7000-8000-000000000000",
                users=(DemoUser(role="admin", username="admin@sonrisa.example", password="it's"),),
            ),
        ),
    )


def test_file_has_the_promised_shape(report: DemoReport, tmp_path: Path) -> None:
    write_demo_file(tmp_path / "demo.json", report)
    assert json.loads((tmp_path / "demo.json").read_text()) == {
        "base_url": "http://localhost:8123",
        "operator": {"email": "operator@polyclinic.example", "password": "of the operator"},
        "clinics": [
            {
                "slug": "sonrisa",
                "strategy": "row",
                "host": "sonrisa.localhost",
                "tenant_id": "01938000-0000-7000-8000-000000000000",
                "users": [
                    {"role": "admin", "username": "admin@sonrisa.example", "password": "it's"}
                ],
            }
        ],
    }


def test_file_is_its_owners_alone_and_replaced_in_one_step(
    report: DemoReport, tmp_path: Path
) -> None:
    path = tmp_path / "demo.json"
    path.write_text("from before")
    path.chmod(0o644)
    write_demo_file(path, report)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["demo.json"]
    assert read_demo_file(path) == report


@pytest.mark.parametrize("content", ["", "{", "{}", '{"base_url": 1}', "\xff"])
def test_file_that_cannot_be_used_counts_as_lost(content: str, tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_bytes(content.encode("latin-1"))
    assert read_demo_file(tmp_path / "demo.json") is None


def test_missing_file_is_no_error(tmp_path: Path) -> None:
    assert read_demo_file(tmp_path / "demo.json") is None


def test_text_names_the_clinics_own_hosts_with_the_port(report: DemoReport) -> None:
    text = what_to_try(report)
    assert "http://sonrisa.localhost:8123/api/personnel/auth/login" in text
    assert "http://clinica-test.localhost:8123/api/tenants/validate" in text
    assert "http://localhost:8123/docs" in text
    assert "operator@polyclinic.example / of the operator" in text
