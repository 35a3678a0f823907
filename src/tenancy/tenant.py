"""Who a tenant is and where its rows are: frozen values, no behaviour."""

from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

TenantId = NewType("TenantId", UUID)


class StrategyName(StrEnum):
    """How a tenant's rows are kept apart from those of the others."""

    ROW = "row"
    SCHEMA = "schema"
    DATABASE = "database"


class ServerTier(StrEnum):
    """For which clinics a server is meant: for any, or for those with a database of their own."""

    SHARED = "shared"
    DEDICATED = "dedicated"


class TenantStatus(StrEnum):
    """Where a tenant stands in its life; the effects are in the registry's documentation."""

    PROVISIONING = "provisioning"
    TRIAL = "trial"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    SUSPENDED = "suspended"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class Home(Struct, frozen=True):
    """The place where a tenant's rows are."""

    server: str
    database: str
    schema: str


class Placement(Struct, frozen=True, kw_only=True):
    """What the registry believes about a tenant's home. A hint: the home itself is the truth."""

    tenant_id: TenantId
    strategy: StrategyName
    home: Home
    epoch: int


class Tenant(Struct, frozen=True, kw_only=True):
    """One clinic as the registry knows it, without anything clinical."""

    id: TenantId
    slug: str
    name: str
    vertical: str
    country: str
    timezone: str
    currency: str
    language: str
    status: TenantStatus
    hostnames: tuple[str, ...] = ()
    created_at: datetime | None = None


class ResolvedTenant(Struct, frozen=True):
    """A tenant and the hint where its rows are."""

    tenant: Tenant
    placement: Placement


class Server(Struct, frozen=True, kw_only=True):
    """One PostgreSQL server that may hold tenants; `host` is a name, an address or a socket directory.

    Where a pooler in transaction mode stands in front of it, requests go there; all else goes to PostgreSQL itself.
    """

    name: str
    host: str
    port: int
    tls: bool = False
    pooler_host: str | None = None
    pooler_port: int | None = None

    @property
    def is_pooled(self) -> bool:
        """Tell whether requests reach this server through a pooler."""
        return self.pooler_host is not None

    @property
    def for_requests(self) -> "Server":
        """Return the address that requests go to: the pooler's, where there is one."""
        if self.pooler_host is None or self.pooler_port is None:
            return self
        return replace(self, host=self.pooler_host, port=self.pooler_port)
