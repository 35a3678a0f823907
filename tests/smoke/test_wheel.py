"""The wheel holds all that an installed `clinic` reads, and finds it there."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling builds the wheel")

from hatchling.builders.wheel import WheelBuilder

RUN_S_MAX = 60
PACKAGES = {"app", "auth", "controllers", "domain", "tenancy"}
READ_AT_RUN_TIME = (
    "tenancy/_alembic/alembic.ini",
    "tenancy/_alembic/script.py.mako",
    "tenancy/_alembic/registry/env.py",
    "tenancy/_alembic/tenant/env.py",
    "tenancy/_postgres/roles.sql",
    "tenancy/sql/database.sql",
)

# Run with nothing of the checkout on the path: `-S` leaves out the editable installation too.
INSTALLED = """
import sys
sys.path += sys.argv[1:]
from pathlib import Path

import tenancy
from tenancy.bootstrap import roles_script
from tenancy.credentials import Credentials
from tenancy.migrations import REGISTRY_TREE, TENANT_TREE, migrations_directory, render_upgrade

home = Path(tenancy.__file__).parent
assert home == Path(sys.argv[1]) / "tenancy", home
assert migrations_directory() == home / "_alembic", migrations_directory()
assert "CREATE ROLE clinic_owner" in roles_script(Credentials("a secret"))
assert "CREATE TABLE" in render_upgrade(REGISTRY_TREE, "base", "head")
assert "CREATE TABLE" in render_upgrade(TENANT_TREE, "base", "head")
import app.cli
print("found all")
"""


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    (built,) = WheelBuilder(str(repository)).build(directory=str(directory), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_top_level_is_our_packages_alone(names: list[str]) -> None:
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == PACKAGES


def test_files_read_at_run_time_are_inside(names: list[str]) -> None:
    assert [name for name in READ_AT_RUN_TIME if name not in names] == []


@pytest.mark.parametrize("tree", ["registry", "tenant"])
def test_every_revision_and_its_sql_are_inside(
    names: list[str], repository: Path, tree: str
) -> None:
    source = repository / "alembic"
    files = [
        file
        for folder, pattern in (("versions", "*.py"), ("sql", "*.sql"))
        for file in (source / tree / folder).glob(pattern)
    ]
    assert {file.suffix for file in files} == {".py", ".sql"}
    inside = {f"tenancy/_alembic/{file.relative_to(source).as_posix()}" for file in files}
    assert inside - set(names) == set()


def test_packages_are_marked_as_typed(names: list[str]) -> None:
    assert [name for name in PACKAGES if f"{name}/py.typed" not in names] == []


def test_command_is_declared(wheel: Path, names: list[str]) -> None:
    (declared,) = [name for name in names if name.endswith(".dist-info/entry_points.txt")]
    assert "clinic = app.cli:main" in zipfile.ZipFile(wheel).read(declared).decode().splitlines()


def test_unpacked_wheel_finds_its_files(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    libraries = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", INSTALLED, str(installed), *libraries],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "found all\n"), done.stderr
