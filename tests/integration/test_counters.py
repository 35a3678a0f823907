"""Numbers without gaps and without doubles, for the clinic or for a branch."""

import asyncio
from uuid import uuid4

import pytest

from clinics import Clinic
from domain.operations.counters import next_number
from tenancy.modes import Mode
from tenancy.runtime import Tenancy


async def take(tenancy: Tenancy, clinic: Clinic, kind: str, **options: object) -> str:
    async with tenancy.session(clinic.tenant_id, Mode.WRITE) as session:
        return await next_number(session, kind, **options)  # type: ignore[arg-type]


async def test_parallel_takers_get_every_number_once(tenancy: Tenancy, clinic_a: Clinic) -> None:
    kind = uuid4().hex
    numbers = await asyncio.gather(*(take(tenancy, clinic_a, kind) for _ in range(20)))
    assert sorted(numbers) == [f"{n:06d}" for n in range(1, 21)]


async def test_a_roll_back_leaves_no_gap(tenancy: Tenancy, clinic_a: Clinic) -> None:
    class OddError(Exception):
        pass

    async def take_and_fail(kind: str) -> None:
        async with tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
            await next_number(session, kind)
            raise OddError

    kind = uuid4().hex
    await take(tenancy, clinic_a, kind)
    with pytest.raises(OddError):
        await take_and_fail(kind)
    assert await take(tenancy, clinic_a, kind) == "000002"


async def test_branches_and_clinics_count_for_themselves(
    tenancy: Tenancy, clinic_a: Clinic, clinic_b: Clinic
) -> None:
    kind = uuid4().hex
    assert await take(tenancy, clinic_a, kind, prefix="R-", width=3) == "R-001"
    assert await take(tenancy, clinic_a, kind, branch_id=clinic_a.branch_id) == "000001"
    assert await take(tenancy, clinic_b, kind) == "000001"
    assert await take(tenancy, clinic_a, kind, prefix="other") == "R-000002"
