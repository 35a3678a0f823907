"""The server's roles and who is a member of whom, against `config/postgres/roles.sql`."""

from typing import Any

from tenancy.credentials import DatabaseRole

OWNER = "clinic_owner"
ROLES = frozenset({role.value for role in DatabaseRole} | {OWNER})
MEMBERSHIP = (OWNER, DatabaseRole.MIGRATOR.value)
MEMBERSHIPS_ALLOWED = frozenset({MEMBERSHIP, ("pg_signal_backend", OWNER)})
"""Granted role and member; the second is there only where the administrator may grant it."""

ROLES_QUERY = """
SELECT rolname, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb, rolreplication
FROM pg_catalog.pg_roles WHERE rolname LIKE 'clinic\\_%'
"""

# Whoever made a role with CREATEROLE is its member by itself, and could do all that the role may anyway.
MEMBERSHIPS_QUERY = """
SELECT DISTINCT g.rolname AS granted, m.rolname AS member, a.admin_option
FROM pg_catalog.pg_auth_members a
  JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
WHERE m.rolname = ANY ($1::text[])
   OR (g.rolname = ANY ($1::text[]) AND NOT m.rolsuper AND NOT m.rolcreaterole)
ORDER BY granted, member, admin_option
"""


async def role_problems(connection: Any) -> list[str]:
    """Return what is wrong with the roles of this server."""
    return [
        *_attribute_problems(await connection.fetch(ROLES_QUERY)),
        *_membership_problems(await connection.fetch(MEMBERSHIPS_QUERY, sorted(ROLES))),
    ]


def _attribute_problems(rows: list[Any]) -> list[str]:
    roles = {row["rolname"]: row for row in rows}
    problems = [f"missing role {name}" for name in sorted(ROLES - roles.keys())]
    for name, row in roles.items():
        if row["rolsuper"] or row["rolcreaterole"]:
            problems.append(f"role {name} has too many powers")
        if row["rolcreatedb"] and name != DatabaseRole.MIGRATOR:
            problems.append(f"role {name} can create databases")
        if row["rolreplication"] and name != DatabaseRole.MOVER:
            problems.append(f"role {name} can replicate")
        if row["rolbypassrls"] and name != DatabaseRole.MOVER:
            problems.append(f"role {name} bypasses row-level security")
    if OWNER in roles and roles[OWNER]["rolcanlogin"]:
        problems.append(f"role {OWNER} can log in")
    return problems


def _membership_problems(rows: list[Any]) -> list[str]:
    problems = []
    present = set()
    for row in rows:
        granted, member = pair = (row["granted"], row["member"])
        present.add(pair)
        if pair not in MEMBERSHIPS_ALLOWED:
            problems.append(f"role {member} is a member of {granted}")
        elif row["admin_option"]:
            problems.append(f"role {member} may grant {granted} to others")
    if MEMBERSHIP not in present:
        problems.append(f"role {MEMBERSHIP[1]} is not a member of {MEMBERSHIP[0]}")
    return problems
