"""No table's keys can reach out of its clinic: the metadata of all 21 is looked at."""

import pytest
from sqlalchemy import ForeignKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from domain.identity import models as identity
from domain.operations import models as operations
from domain.organisation import models as organisation
from domain.scheduling import models as scheduling
from domain.tables import TenantBase

PACKAGES = (identity, organisation, scheduling, operations)
TABLES = list(TenantBase.metadata.sorted_tables)
EXPECTED = {
    "user_account", "user_role", "auth_session",
    "branch", "branch_member", "room", "specialty", "person", "person_identifier", "practitioner", "patient",
    "service_category", "service", "availability_rule", "availability_exception", "appointment", "appointment_event",
    "audit_event", "idempotency_record", "document_counter", "tenant_setting",
}  # fmt: skip

each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def test_increment_one_has_its_tables() -> None:
    assert {table.name for table in TABLES} == EXPECTED


@each_table
def test_primary_key_begins_with_the_tenant(table: Table) -> None:
    assert table.primary_key.columns.keys()[0] == "tenant_id"
    assert len(table.primary_key.columns) > 1


@each_table
def test_tenant_comes_from_the_transaction(table: Table) -> None:
    column = table.columns["tenant_id"]
    assert not column.nullable
    assert "app.tenant_id" in str(column.server_default.arg)


@each_table
def test_every_key_and_index_includes_the_tenant(table: Table) -> None:
    for constraint in table.constraints:
        if isinstance(constraint, (UniqueConstraint, ExcludeConstraint)):
            assert "tenant_id" in constraint.columns, constraint.name
        if isinstance(constraint, ForeignKeyConstraint):
            assert constraint.column_keys[0] == "tenant_id", constraint.name
            assert constraint.elements[0].column.name == "tenant_id", constraint.name
    for index in table.indexes:
        if index.unique:
            assert "tenant_id" in index.columns, index.name


@each_table
def test_ids_are_made_by_the_application(table: Table) -> None:
    if "id" in table.columns:
        assert table.columns["id"].server_default is None
        assert table.columns["id"].default is not None
    assert all(column.identity is None for column in table.columns)
