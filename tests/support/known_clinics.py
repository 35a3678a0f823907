"""Two clinics and a directory that knows them, for tests without a database."""

from uuid import NAMESPACE_DNS, UUID, uuid5

from tenancy.errors import UnknownTenantError
from tenancy.tenant import (
    Home,
    Placement,
    ResolvedTenant,
    StrategyName,
    Tenant,
    TenantId,
    TenantStatus,
)

BASES = ("clinics.example", "localhost")


def tenant(slug: str, *hostnames: str) -> ResolvedTenant:
    # The same in every process: tests are named after it.
    tenant_id = TenantId(uuid5(NAMESPACE_DNS, slug))
    return ResolvedTenant(
        Tenant(
            id=tenant_id,
            slug=slug,
            name=slug,
            vertical="dental",
            country="PE",
            timezone="America/Lima",
            currency="PEN",
            language="es",
            status=TenantStatus.ACTIVE,
            hostnames=hostnames,
        ),
        Placement(
            tenant_id=tenant_id,
            strategy=StrategyName.ROW,
            home=Home("main", "clinic_pool", "pool"),
            epoch=1,
        ),
    )


A = tenant("clinica-a", "citas.clinica-a.pe")
B = tenant("clinica-b")


class Directory:
    """Knows A and B; says None or raises, as registries may."""

    def __init__(self, *, raises: bool = False) -> None:
        self.raises = raises

    def _answer(self, found: list[ResolvedTenant]) -> ResolvedTenant | None:
        if not found and self.raises:
            raise UnknownTenantError
        return found[0] if found else None

    async def by_hostname(self, hostname: str) -> ResolvedTenant | None:
        return self._answer([t for t in (A, B) if hostname in t.tenant.hostnames])

    async def by_slug(self, slug: str) -> ResolvedTenant | None:
        return self._answer([t for t in (A, B) if t.tenant.slug == slug])

    async def by_id(self, tenant_id: UUID) -> ResolvedTenant | None:
        return self._answer([t for t in (A, B) if t.tenant.id == tenant_id])
