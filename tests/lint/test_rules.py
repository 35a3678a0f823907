"""Each rule finds what it must and leaves the rest alone; our own code passes all of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from lint.rules import check, check_all

ROOT = Path(__file__).resolve().parents[2]

OFFENCES = [
    ("domain/x/service.py", "await session.commit()"),
    ("controllers/x.py", "await db_session.rollback()"),
    ("domain/x/service.py", "select(A).where(A.tenant_id == t)"),
    ("controllers/x.py", "row['tenant_id']"),
    ("app/x.py", "create_async_engine('postgresql://')"),
    ("domain/x/service.py", "AsyncSession(engine)"),
    ("domain/x/service.py", "await session.execute(text('select 1'))"),
    ("tenancy/x.py", "await c.execute('SET search_path = a')"),
    ("controllers/x.py", "opt = {'no_tenant': True}"),
    ("tenancy/x.py", "await c.execute(\"select 1; SET app.tenant_id = 'x'\")"),
]

INNOCENT = [
    ("tenancy/session.py", "await session.commit()"),
    ("domain/x/models.py", "__table_args__ = (UniqueConstraint('tenant_id', 'code'),)"),
    ("domain/x/service.py", "await session.flush()"),
    ("tenancy/x.py", "await c.execute('SET LOCAL search_path = a')"),
]


@pytest.mark.parametrize(("path", "source"), OFFENCES)
def test_offence_is_found(path: str, source: str) -> None:
    wrapped = f"async def f():\n    {source}\n" if "await" in source else source
    assert check(path, wrapped)


@pytest.mark.parametrize(("path", "source"), INNOCENT)
def test_innocent_code_passes(path: str, source: str) -> None:
    wrapped = f"async def f():\n    {source}\n" if "await" in source else source
    assert check(path, wrapped) == []


def test_our_code_keeps_every_rule() -> None:
    assert [f"{f.path}:{f.line}: {f.message}" for f in check_all()] == []


def test_imports_keep_the_contracts() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
