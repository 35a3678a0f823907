"""What a login leaves in the tables: accounts and audit events."""

import asyncio
import time
from typing import Any
from uuid import UUID

from sqlalchemy import select, update

from clinics import Clinic
from domain.identity.models import UserAccount
from domain.operations.models import AuditEvent
from tenancy.modes import Mode
from tenancy.runtime import Tenancy

# Version 2 hash of "my password" (dotnet/aspnetcore, PasswordHasherTest).

LEGACY_HASH = "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A=="


async def room_in_this_minute() -> None:
    """Failures are counted by the minute of the clock: begin where the test ends in the same one."""
    left_s = 60 - time.time() % 60
    if left_s < 10:
        await asyncio.sleep(left_s)


async def stored(tenancy: Tenancy, clinic: Clinic, user_id: UUID) -> UserAccount:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        user = await session.get(UserAccount, user_id)
        assert user is not None
        return user


async def change_stored(tenancy: Tenancy, clinic: Clinic, user_id: UUID, **values: Any) -> None:
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        await session.execute(update(UserAccount).where(UserAccount.id == user_id).values(**values))


async def events(tenancy: Tenancy, clinic: Clinic, user_id: UUID | None) -> list[AuditEvent]:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = await session.scalars(
            select(AuditEvent).where(AuditEvent.entity_id == user_id).order_by(AuditEvent.id)
        )
        return list(found)
