"""Each rule finds what it must and leaves the rest alone; our own code passes all of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from lint.rules import SQL_FOLDERS, check, check_all, check_sql

ROOT = Path(__file__).resolve().parents[2]

OFFENCES = [
    ("domain/x/service.py", "await session.commit()"),
    ("controllers/x.py", "await db_session.rollback()"),
    ("domain/x/service.py", "select(A).where(A.tenant_id == t)"),
    ("controllers/x.py", "row['tenant_id']"),
    ("app/x.py", "create_async_engine('postgresql://')"),
    ("domain/x/service.py", "AsyncSession(engine)"),
    ("domain/x/service.py", "await session.execute(text('select 1'))"),
    ("controllers/x.py", "from sqlalchemy.exc import SQLAlchemyError"),
    ("controllers/x.py", "from sqlalchemy import exc"),
    ("controllers/x.py", "import asyncpg.exceptions"),
    ("tenancy/x.py", "await c.execute('SET search_path = a')"),
    ("controllers/x.py", "opt = {'no_tenant': True}"),
    ("tenancy/fleet/homes.py", "from tenancy.strategies.row import POOL_SCHEMA"),
    ("tenancy/fleet/homes.py", "chosen = StrategyName.ROW"),
    ("app/x.py", "if placement.strategy is chosen: pass"),
    ("app/x.py", "if 'row' == strategy.name: pass"),
    ("app/x.py", "if placement.strategy in {'row', 'schema'}: pass"),
    ("app/demo/clinics.py", "if strategy != StrategyName.ROW: pass"),
    ("domain/x.py", "match strategy:\n    case 'row': pass"),
    ("tenancy/x.py", "await c.execute(\"select 1; SET app.tenant_id = 'x'\")"),
]

INNOCENT = [
    ("tenancy/session.py", "await session.commit()"),
    ("domain/x/models.py", "__table_args__ = (UniqueConstraint('tenant_id', 'code'),)"),
    ("domain/x/service.py", "await session.flush()"),
    ("controllers/x.py", "from sqlalchemy import select"),
    ("tenancy/x.py", "from sqlalchemy.exc import SQLAlchemyError"),
    ("tenancy/x.py", "await c.execute('SET LOCAL search_path = a')"),
    ("tenancy/strategies/row.py", "name = StrategyName.ROW"),
    ("tenancy/x.py", "from tenancy.strategies import all_strategies"),
    ("app/demo/clinics.py", "strategy = StrategyName.ROW"),
    ("tenancy/x.py", "if request.strategy is not None and request.strategy in allowed: pass"),
]


SQL_OFFENCES = [
    "SET search_path = pool;",
    "CREATE TABLE a ();\n-- why\nset ROLE clinic_owner;",
    "SELECT 1; SET SESSION lock_timeout = '5s';",
    "DO $$ BEGIN SET app.tenant_id = 'x'; END $$;",
    (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN\n"
        "  IF true THEN SET search_path TO a; END IF; END $body$;"
    ),
    "DO $$ BEGIN EXECUTE 'SET search_path = a'; END $$;",
    "SELECT pg_catalog.set_config('search_path', format('%I', a), false);",
    "/* SET LOCAL\n */ SET search_path = a;",
]

SQL_INNOCENT = [
    "SET LOCAL search_path = pool; SET CONSTRAINTS ALL DEFERRED;",
    "CREATE FUNCTION f() RETURNS boolean LANGUAGE plpgsql\n  SET lock_timeout = '5s' AS $$ BEGIN RETURN true; END $$;",
    "ALTER ROLE clinic_app SET statement_timeout = '30s';",
    "ALTER TABLE a ALTER COLUMN b SET DEFAULT 1;",
    "UPDATE a\n  SET b = 1;",
    "INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE\n SET b = 2;",
    "-- SET search_path = a;\nSELECT 1; -- it's said; SET search_path = a",
    "SELECT pg_catalog.set_config('search_path', format('%I', a), true);",
    "COMMENT ON TABLE a IS 'what is set; nothing';",
]


@pytest.mark.parametrize("source", SQL_OFFENCES)
def test_session_level_set_is_found_in_sql(source: str) -> None:
    found = check_sql("alembic/tenant/sql/x.sql", source)
    assert len(found) == 1
    assert "set" in source.splitlines()[found[0].line - 1].lower()


@pytest.mark.parametrize("source", SQL_INNOCENT)
def test_innocent_sql_passes(source: str) -> None:
    assert check_sql("alembic/tenant/sql/x.sql", source) == []


@pytest.mark.parametrize("folder", SQL_FOLDERS)
def test_planted_set_is_found_in_every_folder_of_sql(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = tmp_path / folder / "deep" / "x.sql"
    planted.parent.mkdir(parents=True)
    planted.write_text("SET search_path = a;")
    monkeypatch.setattr("lint.rules.ROOT", tmp_path)
    assert [finding.path for finding in check_all()] == [f"{folder}/deep/x.sql"]


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
