"""SQL that changes the scope by itself is refused before it is sent."""

import pytest

from tenancy.errors import ForbiddenStatementError
from tenancy.pools import StatementCheck

REFUSED = [
    "SET app.tenant_id = 'x'",
    "SET LOCAL app.tenant_id = 'x'",
    "select set_config('app.tenant_id', $1, true)",
    "SELECT 1; SET ROLE clinic_owner",
    "RESET ROLE",
    "reset all",
    "DISCARD ALL",
    "SET search_path TO pool",
    "SET SESSION AUTHORIZATION clinic_migrator",
    "COMMIT",
    "ROLLBACK; BEGIN",
    "COPY patient TO STDOUT",
    "DO $$ BEGIN PERFORM 1; END $$",
    "SELECT tenancy.enter($1, 1, 'rw', null, null)",
    "SELECT pg_catalog.set_config($1, $2, true)",
    "/* hidden */ SET ROLE clinic_owner",
    "-- hidden\nSET ROLE clinic_owner",
    "SELECT current_setting('app.tenant_id')",
]
ALLOWED = [
    "SELECT patient.id FROM patient WHERE patient.id = $1::UUID",
    "UPDATE branch SET name=$1 WHERE id = $2",
    "INSERT INTO tenant_setting (namespace) VALUES ($1)",
    "SAVEPOINT sa_savepoint_1",
    "SELECT service.offset_min, service.setting FROM service",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_statement_that_changes_the_scope_is_refused(statement: str) -> None:
    with pytest.raises(ForbiddenStatementError):
        StatementCheck()(None, None, statement)


@pytest.mark.parametrize("statement", ALLOWED)
def test_ordinary_statement_passes_twice(statement: str) -> None:
    check = StatementCheck()
    check(None, None, statement)
    check(None, None, statement)
