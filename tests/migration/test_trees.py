"""Both trees: one head, phases in the file names, nothing removed while it is in use, no drift from the models."""

import re
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from domain.tables import TenantBase
from tenancy.bootstrap import upgrade_home
from tenancy.credentials import DatabaseRole
from tenancy.migrations import (
    REGISTRY_TREE,
    TENANT_TREE,
    Tree,
    configuration,
    head_revision,
    render_upgrade,
)
from tenancy.registry.models import RegistryBase
from tenancy.runtime import Tenancy
from tenancy.tenant import Home

CONTRACTING = re.compile(
    r"\bDROP\s+(?:TABLE|COLUMN|CONSTRAINT|FUNCTION)|\bSET\s+NOT\s+NULL|\bRENAME\b|\bALTER\s+COLUMN\s+\S+\s+TYPE",
    re.IGNORECASE,
)
both_trees = pytest.mark.parametrize(
    "tree", [REGISTRY_TREE, TENANT_TREE], ids=lambda tree: tree.name
)


@both_trees
def test_there_is_one_head(tree: Tree) -> None:
    assert len(ScriptDirectory.from_config(configuration(tree)).get_heads()) == 1


@both_trees
def test_every_revision_names_its_phase(tree: Tree) -> None:
    for script in ScriptDirectory.from_config(configuration(tree)).walk_revisions():
        assert re.search(r"_(expand|contract)_", script.path), script.path


@both_trees
def test_expanding_revision_removes_nothing(tree: Tree) -> None:
    for script in ScriptDirectory.from_config(configuration(tree)).walk_revisions():
        if "_expand_" in script.path:
            sql = render_upgrade(tree, str(script.down_revision or "base"), script.revision)
            assert CONTRACTING.findall(sql) == []


async def _drift(
    url_arguments: dict[str, Any], schema: str, metadata: Any, version_table: str
) -> list[Any]:
    engine = create_async_engine("postgresql+asyncpg://", connect_args=url_arguments)

    def compare(connection: Connection) -> list[Any]:
        if metadata.schema is None:
            connection.dialect.default_schema_name = schema
        options = {
            "version_table": version_table,
            "version_table_schema": metadata.schema,
            "compare_type": True,
            "include_schemas": metadata.schema is not None,
            "include_name": lambda name, kind, _parents: kind != "schema" or name in {schema, None},
        }
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )

    try:
        async with engine.connect() as connection:
            if metadata.schema is None:
                await connection.execute(text(f'SET search_path = "{schema}", extensions'))
            return await connection.run_sync(compare)
    finally:
        await engine.dispose()


async def test_pool_is_what_the_models_say(tenancy: Tenancy, main_server: Any) -> None:
    arguments = tenancy.credentials.connect_arguments(
        main_server, "clinic_pool", DatabaseRole.MIGRATOR
    )
    drift = await _drift(arguments, "pool", TenantBase.metadata, TENANT_TREE.version_table)
    assert [str(change)[:300] for change in drift] == []


async def test_registry_is_what_the_models_say(tenancy: Tenancy, main_server: Any) -> None:
    arguments = tenancy.credentials.connect_arguments(
        main_server, "clinic_registry", DatabaseRole.MIGRATOR
    )
    drift = await _drift(arguments, "registry", RegistryBase.metadata, REGISTRY_TREE.version_table)
    assert [str(change)[:300] for change in drift] == []


async def test_upgrade_of_a_current_home_does_nothing(tenancy: Tenancy) -> None:
    head = head_revision(TENANT_TREE)
    assert await upgrade_home(tenancy.pools, Home("main", "clinic_pool", "pool")) == (head, head)
