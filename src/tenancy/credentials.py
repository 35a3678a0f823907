"""The database roles and their passwords, derived from one secret so that no role's password is another's."""

import base64
import hashlib
import hmac
from enum import StrEnum

from tenancy.tenant import Server

CONNECT_S_MAX = 5.0

MAINTENANCE_DATABASE = "postgres"
"""The database that every server has: what concerns a whole server is asked and done there."""


SEES_ALL_OR_NOTHING = {"row_security": "off"}
"""Makes a statement that row-level security would cut short an error: a mover without BYPASSRLS found no rows, copied
none, compared none with none, and moved an empty clinic."""


class DatabaseRole(StrEnum):
    """The login roles of `config/postgres/roles.sql`."""

    APP = "clinic_app"
    MIGRATOR = "clinic_migrator"
    REGISTRY = "clinic_registry"
    MOVER = "clinic_mover"


class Credentials:
    """Knows how to log in to a server as one of our roles."""

    def __init__(self, role_secret: str) -> None:
        self._secret = role_secret.encode()

    def password(self, role: DatabaseRole) -> str:
        """Return the role's password: HMAC-SHA256 of its name under the role secret, base64url."""
        digest = hmac.new(self._secret, role.value.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def connect_arguments(
        self, server: Server, database: str, role: DatabaseRole
    ) -> dict[str, object]:
        """Return the keyword arguments of `asyncpg.connect` for this role on this database."""
        settings = {"application_name": f"polyclinic {role.value}"}
        if role is DatabaseRole.MOVER:
            settings |= SEES_ALL_OR_NOTHING
        return {
            "host": server.host,
            "port": server.port,
            "user": role.value,
            "password": self.password(role),
            "database": database,
            "ssl": "verify-full" if server.tls else False,
            "timeout": CONNECT_S_MAX,
            "server_settings": settings,
        }
