"""A registry in memory, for what is built on the registry: it can be slow, it can be down, it counts questions."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from tenancy.registry.records import TenantRecord
from tenancy.tenant import Home, Placement, Server, StrategyName, TenantId, TenantStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make_record(slug: str, **fields: Any) -> TenantRecord:
    tenant_id = TenantId(uuid4())
    values: dict[str, Any] = {
        "id": tenant_id, "slug": slug, "name": slug, "description": None, "vertical": "dental", "country": "PE",
        "timezone": "America/Lima", "currency": "PEN", "language": "es", "admin_email": "a@b.example", "phone": None,
        "plan": "prueba", "status": TenantStatus.ACTIVE, "status_changed_at": NOW, "backup_schedule": None,
        "listed_in_suggestions": True, "legacy_id": None, "hostnames": (f"{slug}.localhost",),
        "placement": Placement(
            tenant_id=tenant_id, strategy=StrategyName.ROW, home=Home("main", "pool", "pool"), epoch=1
        ),
        "created_at": NOW, "updated_at": NOW, "version": 1,
    }  # fmt: skip
    return TenantRecord(**(values | fields))


class FakeRegistry:
    """Tenants in memory; can be slow, can be down; counts what it is asked."""

    def __init__(self, *records: TenantRecord) -> None:
        self.records = list(records)
        self.servers = {"main": Server(name="main", host="old", port=5432)}
        self.asked = 0
        self.is_down = False
        self.gate: asyncio.Event | None = None

    @property
    def tenants(self) -> "FakeRegistry":
        return self

    async def _answer(self, found: list[TenantRecord]) -> TenantRecord | None:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.is_down:
            raise ConnectionRefusedError
        return found[0] if found else None

    async def by_id(self, tenant_id: UUID) -> TenantRecord | None:
        return await self._answer([r for r in self.records if r.id == tenant_id])

    async def by_slug(self, slug: str) -> TenantRecord | None:
        return await self._answer([r for r in self.records if r.slug == slug])

    async def by_hostname(self, hostname: str) -> TenantRecord | None:
        return await self._answer([r for r in self.records if hostname in r.hostnames])

    async def server(self, name: str) -> Server | None:
        self.asked += 1
        if self.is_down:
            raise ConnectionRefusedError
        return self.servers.get(name)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now
