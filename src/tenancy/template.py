"""The database that new ones are copied from: equipped, with the tables of the newest revision, and nobody's.

It is a short cut and no more. Where it is missing, or in use, a database is made from the scripts instead.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from tenancy.credentials import MAINTENANCE_DATABASE, DatabaseRole
from tenancy.installer import Installer, database_script
from tenancy.migrations import TENANT_TREE, render_upgrade
from tenancy.pools import Pools
from tenancy.tenant import Home

NAME_BEGINS: Final = "clinic_template_"
DIGEST_LENGTH: Final = 16
TEMPLATE_LOCK: Final = (
    7306  # advisory lock class: two processes never make one server's template at once
)
LOCK_WAIT_S_MAX: Final = 30
"""Longer than a template takes to make; whoever waits longer for another process does without one."""

# Closed to connections is complete: it is the last thing that happens to a template.
_TEMPLATES = """
SELECT datname::text AS name, NOT datallowconn AS is_complete FROM pg_catalog.pg_database
WHERE pg_catalog.starts_with(datname::text, $1)
"""


def template_name(schema: str) -> str:
    """Return the name of the template that this release copies; it changes with anything that the scripts make."""
    scripts = [schema, database_script(), render_upgrade(TENANT_TREE, "base", "head")]
    digest = hashlib.sha256("\0".join(scripts).encode()).hexdigest()
    return f"{NAME_BEGINS}{digest[:DIGEST_LENGTH]}"


class Templates:
    """Makes and removes the template databases of servers; their home is `schema`."""

    def __init__(self, pools: Pools, installer: Installer, schema: str) -> None:
        self._pools = pools
        self._installer = installer
        self._schema = schema

    @property
    def name(self) -> str:
        """The template of this release, whether or not a server has it."""
        return template_name(self._schema)

    async def prepare(self, server: str) -> None:
        """Make the template of this release if the server has none; drop those of others, and half-made ones."""
        connection = await self._pools.connect(server, MAINTENANCE_DATABASE, DatabaseRole.MIGRATOR)
        try:
            await connection.execute(f"SET lock_timeout = '{LOCK_WAIT_S_MAX}s'")
            # A session's lock: it ends with this process, and the next one finds what was left half-made.
            await connection.execute(f"SELECT pg_catalog.pg_advisory_lock({TEMPLATE_LOCK}, 0)")
            present = await _present(connection)
            for name, is_complete in present.items():
                if name != self.name or not is_complete:
                    await self._installer.drop_database(server, name)
            if not present.get(self.name, False):
                await self._make(server)
        finally:
            await connection.close()

    async def _make(self, server: str) -> None:
        name = self.name
        await self._installer.create_database(server, name)
        await self._installer.equip_database(server, name)
        await self._installer.install_schema(Home(server, name, self._schema))
        await self._installer.close_database(server, name)


async def template_problems(connection: Any, expected: str) -> dict[str, str]:
    """Return what is wrong with the templates of a server, by database."""
    present = await _present(connection)
    problems = {
        name: "template database that nothing is copied from"
        for name, is_complete in present.items()
        if name != expected or not is_complete
    }
    if not present.get(expected, False):
        problems[expected] = "no template database: new ones are made slowly until the next migrate"
    return problems


async def _present(connection: Any) -> Mapping[str, bool]:
    return {
        row["name"]: row["is_complete"] for row in await connection.fetch(_TEMPLATES, NAME_BEGINS)
    }
