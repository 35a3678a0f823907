"""What the registry gives out: frozen values, one for each kind of row."""

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from tenancy.tenant import (
    Placement,
    ResolvedTenant,
    StrategyName,
    Tenant,
    TenantId,
    TenantStatus,
)


class TenantRecord(Struct, frozen=True, kw_only=True):
    """A clinic with everything the platform knows of it; `placement` is None once it was purged."""

    id: TenantId
    slug: str
    name: str
    description: str | None
    vertical: str
    country: str
    timezone: str
    currency: str
    language: str
    admin_email: str
    phone: str | None
    plan: str
    status: TenantStatus
    status_changed_at: datetime
    backup_schedule: str | None
    listed_in_suggestions: bool
    legacy_id: str | None
    hostnames: tuple[str, ...]
    placement: Placement | None
    created_at: datetime
    updated_at: datetime
    version: int

    @property
    def tenant(self) -> Tenant:
        """The part of it that a request carries along."""
        return Tenant(
            id=self.id,
            slug=self.slug,
            name=self.name,
            vertical=self.vertical,
            country=self.country,
            timezone=self.timezone,
            currency=self.currency,
            language=self.language,
            status=self.status,
            hostnames=self.hostnames,
            created_at=self.created_at,
        )

    def resolved(self) -> ResolvedTenant | None:
        """Return the tenant with its placement, None when it has none."""
        return None if self.placement is None else ResolvedTenant(self.tenant, self.placement)


class PlanRecord(Struct, frozen=True, kw_only=True):
    """What a clinic may have; the first strategy is the default."""

    id: UUID
    code: str
    name: str
    kind: str
    price_minor: int
    currency: str
    duration_days: int
    max_users: int
    max_patients: int
    max_branches: int
    allowed_strategies: tuple[StrategyName, ...]
    is_active: bool

    @property
    def first_status(self) -> TenantStatus:
        """The status of a clinic that starts on this plan."""
        return TenantStatus.TRIAL if self.kind == "trial" else TenantStatus.ACTIVE


class ServerRecord(Struct, frozen=True, kw_only=True):
    """A database server and how many clinics are placed on it."""

    id: UUID
    name: str
    host: str
    port: int
    tls: bool
    tier: str
    capacity: int
    status: str
    placements: int


class OperatorRecord(Struct, frozen=True, kw_only=True):
    """Somebody who runs the platform."""

    id: UUID
    email: str
    role: str
    status: str
    last_login_at: datetime | None
    created_at: datetime


class PlatformActor(Struct, frozen=True, kw_only=True):
    """On whose behalf the platform is changed: an operator, a visitor who signs up, the system itself."""

    kind: str = "system"
    operator_id: UUID | None = None
    request_id: str | None = None
    ip: str | None = None


class PlatformEvent(Struct, frozen=True, kw_only=True):
    """One entry of the platform's audit trail; ids and codes only."""

    action: str
    entity_type: str
    entity_id: UUID | None = None
    tenant_id: TenantId | None = None
    details: dict[str, Any] = {}


SYSTEM = PlatformActor()
