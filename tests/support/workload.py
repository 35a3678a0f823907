"""A clinic at work, checkable to the last write: transfers between accounts, each with its line in the ledger."""

import asyncio
import random
from collections import Counter
from uuid import UUID

from sqlalchemy import Integer, cast, func, select, update

from domain.operations.models import AuditEvent, TenantSetting
from domain.tables import new_id
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import TenantId

ACCOUNTS = 20
OPENING_BALANCE = 1_000
TRANSFER = "bench_transfer"


class Workload:
    """Writers and readers of one clinic. What was acknowledged is remembered, and so is what failed or was slow."""

    def __init__(self, tenancy: Tenancy, tenant_id: TenantId, *, seed: int = 1) -> None:
        self._tenancy = tenancy
        self._tenant_id = tenant_id
        self._chance = random.Random(seed)
        self.acknowledged: dict[UUID, tuple[int, int, int]] = {}
        self.unknown: set[UUID] = set()
        self.failures: list[BaseException] = []
        self.write_ms: list[float] = []
        self.read_ms: list[float] = []
        self.tolerated: tuple[type[BaseException], ...] = ()
        """Errors that a fault test brings about itself; a write that meets one may or may not have happened."""

    async def prepare(self) -> None:
        """Make the accounts."""
        async with self._tenancy.session(self._tenant_id, Mode.WRITE) as session:
            for number in range(ACCOUNTS):
                session.add(
                    TenantSetting(
                        namespace=f"account-{number}", data={"balance": OPENING_BALANCE}, version=1
                    )
                )

    async def write(self) -> None:
        """Transfer an amount between two accounts, with a line in the ledger."""
        first, second = sorted(self._chance.sample(range(ACCOUNTS), 2))
        amount, line = self._chance.randint(-50, 50), new_id()
        started = asyncio.get_running_loop().time()
        self.unknown.add(line)
        try:
            async with self._tenancy.session(self._tenant_id, Mode.WRITE) as session:
                for account, change in ((first, -amount), (second, amount)):
                    balance = cast(TenantSetting.data["balance"].astext, Integer) + change
                    await session.execute(
                        update(TenantSetting)
                        .where(TenantSetting.namespace == f"account-{account}")
                        .values(data=func.jsonb_build_object("balance", balance))
                        .execution_options(synchronize_session=False)
                    )
                session.add(
                    AuditEvent(
                        id=line,
                        actor_kind="system",
                        action=TRANSFER,
                        entity_type="account",
                        details={"from": first, "to": second, "amount": amount},
                    )
                )
        except self.tolerated:
            return
        except Exception as error:  # noqa: BLE001  # every failure is what the test looks for
            self.failures.append(error)
            return
        self.unknown.discard(line)
        self.acknowledged[line] = (first, second, amount)
        self.write_ms.append((asyncio.get_running_loop().time() - started) * 1000)

    async def read(self) -> None:
        """Read all balances; their sum never changes."""
        started = asyncio.get_running_loop().time()
        try:
            async with self._tenancy.session(self._tenant_id, Mode.READ) as session:
                balances = await session.scalars(
                    select(cast(TenantSetting.data["balance"].astext, Integer)).where(
                        TenantSetting.namespace.like("account-%")
                    )
                )
                assert sum(balances) == ACCOUNTS * OPENING_BALANCE
        except self.tolerated:
            return
        except Exception as error:  # noqa: BLE001  # as above
            self.failures.append(error)
            return
        self.read_ms.append((asyncio.get_running_loop().time() - started) * 1000)

    async def run(
        self, stop: asyncio.Event, *, writers: int = 4, readers: int = 2, pause_s: float = 0.02
    ) -> None:
        """Write and read until `stop` is set."""

        async def repeat(step) -> None:
            while not stop.is_set():
                await step()
                await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.5))

        async with asyncio.TaskGroup() as group:
            for _ in range(writers):
                group.create_task(repeat(self.write))
            for _ in range(readers):
                group.create_task(repeat(self.read))

    async def check(self) -> None:
        """Hold every acknowledged write against what the clinic has: exactly once each, and the sums agree."""
        if self.failures:
            raise AssertionError(self.failures[:3]) from self.failures[0]
        async with self._tenancy.session(self._tenant_id, Mode.READ) as session:
            lines = (
                await session.execute(
                    select(AuditEvent.id, AuditEvent.details).where(AuditEvent.action == TRANSFER)
                )
            ).all()
            rows = (
                await session.execute(
                    select(
                        TenantSetting.namespace,
                        cast(TenantSetting.data["balance"].astext, Integer),
                    ).where(TenantSetting.namespace.like("account-%"))
                )
            ).all()
        there = dict(lines)
        assert len(there) == len(lines)
        lost = set(self.acknowledged) - set(there)
        assert not lost, f"{len(lost)} acknowledged writes are lost"
        assert set(there) <= set(self.acknowledged) | self.unknown
        replayed = Counter(dict.fromkeys(range(ACCOUNTS), OPENING_BALANCE))
        for details in there.values():
            replayed[details["from"]] -= details["amount"]
            replayed[details["to"]] += details["amount"]
        assert {int(name.partition("-")[2]): balance for name, balance in rows} == dict(replayed)
