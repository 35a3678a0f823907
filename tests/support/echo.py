"""Read-your-writes, as one client sees it."""

import asyncio
from contextlib import suppress

from sqlalchemy import select, update

from domain.operations.models import TenantSetting
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import TenantId

PACE_S = 0.05


class Echo:
    """One client who reads after each of its writes, and must find what was acknowledged to it."""

    def __init__(self, tenancy: Tenancy, tenant_id: TenantId) -> None:
        self._tenancy = tenancy
        self._tenant_id = tenant_id
        self.tolerated: tuple[type[BaseException], ...] = ()
        self.heard = 0

    async def prepare(self) -> None:
        async with self._tenancy.session(self._tenant_id, Mode.WRITE) as session:
            session.add(TenantSetting(namespace="echo", data={"said": 0}, version=1))

    async def run(self, stop: asyncio.Event) -> None:
        said = 0
        while not stop.is_set():
            said += 1
            with suppress(*self.tolerated):
                await self._say(said)
                assert await self._hear() >= said, "an acknowledged write is not read"
                self.heard = said
            await asyncio.sleep(PACE_S)

    async def _say(self, number: int) -> None:
        async with self._tenancy.session(self._tenant_id, Mode.WRITE) as session:
            await session.execute(
                update(TenantSetting)
                .where(TenantSetting.namespace == "echo")
                .values(data={"said": number})
                .execution_options(synchronize_session=False)
            )

    async def _hear(self) -> int:
        async with self._tenancy.session(self._tenant_id, Mode.READ) as session:
            found = await session.scalar(
                select(TenantSetting.data).where(TenantSetting.namespace == "echo")
            )
        assert found is not None
        return int(found["said"])
