"""One noisy clinic waits in its own lane; the others are served."""

import asyncio
from uuid import uuid4

import pytest

from tenancy.admission import Admission, AdmissionLimits
from tenancy.errors import ClinicBusyError
from tenancy.tenant import TenantId

LIMITS = AdmissionLimits(concurrency_max=2, queue_max=3, wait_s_max=0.2)


def tenant() -> TenantId:
    return TenantId(uuid4())


async def test_places_are_given_up_to_the_limit_and_then_queued() -> None:
    admission, noisy = Admission(LIMITS), tenant()
    await admission.acquire(noisy)
    await admission.acquire(noisy)
    waiting = asyncio.create_task(admission.acquire(noisy))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    admission.release(noisy)
    await asyncio.wait_for(waiting, 0.1)


async def test_other_clinics_do_not_wait_for_a_noisy_one() -> None:
    admission, noisy, quiet = Admission(LIMITS), tenant(), tenant()
    await admission.acquire(noisy)
    await admission.acquire(noisy)
    await asyncio.wait_for(admission.acquire(quiet), 0.1)


async def test_full_queue_and_long_wait_are_refused() -> None:
    admission, noisy = Admission(LIMITS), tenant()
    for _ in range(2):
        await admission.acquire(noisy)
    waiting = [asyncio.create_task(admission.acquire(noisy)) for _ in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(ClinicBusyError):
        await admission.acquire(noisy)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, ClinicBusyError) for result in results)


async def test_waiters_are_served_in_order() -> None:
    admission, noisy = Admission(LIMITS), tenant()
    for _ in range(2):
        await admission.acquire(noisy)
    served: list[int] = []

    async def wait(number: int) -> None:
        await admission.acquire(noisy)
        served.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(3)]
    await asyncio.sleep(0.01)
    for _ in range(3):
        admission.release(noisy)
        await asyncio.sleep(0.01)
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2]


async def test_cancelled_waiter_loses_no_place() -> None:
    admission, noisy = Admission(LIMITS), tenant()
    for _ in range(2):
        await admission.acquire(noisy)
    waiting = asyncio.create_task(admission.acquire(noisy))
    await asyncio.sleep(0.01)
    # The place is granted and the waiter cancelled in the same turn of the loop.
    admission.release(noisy)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if waiting.cancelled():
        await asyncio.wait_for(admission.acquire(noisy), 0.1)
    admission.release(noisy)
    admission.release(noisy)
    assert admission._lanes == {}


async def test_nothing_is_kept_of_a_clinic_at_rest() -> None:
    admission = Admission(LIMITS)
    for _ in range(100):
        one = tenant()
        await admission.acquire(one)
        admission.release(one)
    assert admission._lanes == {}
