"""What a process remembers of the registry: for how long, how much, what a change does to it, what an outage does."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from fake_registry import Clock, FakeRegistry, make_record
from tenancy.registry.directory import NOBODY_MAX, NOBODY_TTL_S, TenantDirectory
from tenancy.registry.errors import RegistryUnavailableError
from tenancy.registry.records import TenantRecord
from tenancy.tenant import Home, Server, TenantStatus

TTL_S = 60.0


async def never() -> Any:
    raise ConnectionRefusedError


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lima() -> TenantRecord:
    return make_record("lima")


@pytest.fixture
def cusco() -> TenantRecord:
    return make_record("cusco")


@pytest.fixture
def registry(lima: TenantRecord, cusco: TenantRecord) -> FakeRegistry:
    return FakeRegistry(lima, cusco)


@pytest.fixture
def directory(registry: FakeRegistry, clock: Clock) -> TenantDirectory:
    return TenantDirectory(registry, listen=never, ttl_s=TTL_S, entries_max=4, clock=clock)


async def test_tenants_are_found_by_id_slug_and_hostname(
    directory: TenantDirectory, lima: TenantRecord, cusco: TenantRecord
) -> None:
    assert await directory.by_id(lima.id) == lima.resolved()
    assert await directory.by_slug("cusco") == cusco.resolved()
    assert await directory.by_hostname("lima.localhost") == lima.resolved()
    assert await directory.by_slug("puno") is None


async def test_remembered_answer_asks_nobody(
    directory: TenantDirectory, registry: FakeRegistry
) -> None:
    for _ in range(3):
        await directory.by_slug("lima")
    assert registry.asked == 1


async def test_answer_is_asked_for_again_after_its_time(
    directory: TenantDirectory, registry: FakeRegistry, clock: Clock
) -> None:
    await directory.by_slug("lima")
    clock.now += TTL_S
    await directory.by_slug("lima")
    assert registry.asked == 2


async def test_one_load_serves_all_who_wait(
    directory: TenantDirectory, registry: FakeRegistry
) -> None:
    registry.gate = asyncio.Event()
    waiting = [asyncio.create_task(directory.by_slug("lima")) for _ in range(20)]
    await asyncio.sleep(0)
    registry.gate.set()
    answers = await asyncio.gather(*waiting)
    assert registry.asked == 1
    assert len({answer.tenant.id for answer in answers if answer}) == 1


async def test_caller_who_gives_up_takes_nothing_from_the_others(
    directory: TenantDirectory, registry: FakeRegistry
) -> None:
    registry.gate = asyncio.Event()
    first = asyncio.create_task(directory.by_slug("lima"))
    second = asyncio.create_task(directory.by_slug("lima"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    registry.gate.set()
    assert await second is not None
    assert first.cancelled()


async def test_nobody_is_remembered_for_seconds_only(
    directory: TenantDirectory, registry: FakeRegistry, clock: Clock
) -> None:
    assert await directory.by_slug("puno") is None
    registry.records.append(make_record("puno"))
    assert await directory.by_slug("puno") is None
    clock.now += NOBODY_TTL_S
    assert await directory.by_slug("puno") is not None


async def test_any_change_ends_what_was_nobody(
    directory: TenantDirectory, registry: FakeRegistry
) -> None:
    assert await directory.by_slug("puno") is None
    puno = make_record("puno")
    registry.records.append(puno)
    directory.forget(puno.id)
    assert await directory.by_slug("puno") is not None


async def test_names_of_nobody_do_not_push_clinics_out(
    directory: TenantDirectory, registry: FakeRegistry
) -> None:
    await directory.by_slug("lima")
    for number in range(NOBODY_MAX + 10):
        await directory.by_slug(f"nobody{number}")
    asked = registry.asked
    await directory.by_slug("lima")
    assert registry.asked == asked


async def test_longest_unused_entry_leaves_first(
    directory: TenantDirectory, registry: FakeRegistry
) -> None:
    registry.records += [make_record(f"c{number}") for number in range(3)]
    for slug in ["lima", "cusco", "c0", "c1", "lima", "c2"]:
        await directory.by_slug(slug)
    asked = registry.asked
    await directory.by_slug("lima")
    assert registry.asked == asked
    await directory.by_slug("cusco")
    assert registry.asked == asked + 1


async def test_change_of_one_clinic_is_seen_under_each_of_its_names(
    directory: TenantDirectory, registry: FakeRegistry, lima: TenantRecord
) -> None:
    await directory.by_id(lima.id)
    await directory.by_slug("lima")
    await directory.by_hostname("lima.localhost")
    await directory.by_slug("cusco")
    registry.records[0] = structs.replace(lima, status=TenantStatus.SUSPENDED)
    directory.forget(lima.id)
    for found in (
        await directory.by_id(lima.id),
        await directory.by_slug("lima"),
        await directory.by_hostname("lima.localhost"),
    ):
        assert found is not None
        assert found.tenant.status is TenantStatus.SUSPENDED
    asked = registry.asked
    await directory.by_slug("cusco")
    assert registry.asked == asked


async def test_answer_older_than_the_change_is_not_remembered(
    directory: TenantDirectory, registry: FakeRegistry, lima: TenantRecord
) -> None:
    registry.gate = asyncio.Event()
    before = asyncio.create_task(directory.by_slug("lima"))
    await asyncio.sleep(0)
    directory.forget(lima.id)
    after = asyncio.create_task(directory.by_slug("lima"))
    await asyncio.sleep(0)
    registry.gate.set()
    await asyncio.gather(before, after)
    assert registry.asked == 2


async def test_archived_and_purged_clinics_are_unknown(
    registry: FakeRegistry, directory: TenantDirectory
) -> None:
    registry.records += [
        make_record("archived", status=TenantStatus.ARCHIVED),
        make_record("purged", placement=None),
    ]
    assert await directory.by_slug("archived") is None
    assert await directory.by_slug("purged") is None


async def test_outage_leaves_what_was_known(
    directory: TenantDirectory, registry: FakeRegistry, clock: Clock, lima: TenantRecord
) -> None:
    await directory.by_slug("lima")
    await directory.server("main")
    registry.is_down = True
    clock.now += 10 * TTL_S
    directory.expire_all()
    assert await directory.by_slug("lima") == lima.resolved()
    assert (await directory.server("main")) == registry.servers["main"]
    with pytest.raises(RegistryUnavailableError):
        await directory.by_slug("cusco")
    with pytest.raises(RegistryUnavailableError):
        await directory.server("other")


async def test_registry_that_came_back_is_believed(
    directory: TenantDirectory, registry: FakeRegistry, lima: TenantRecord
) -> None:
    await directory.by_slug("lima")
    registry.is_down = True
    directory.expire_all()
    await directory.by_slug("lima")
    registry.is_down = False
    registry.records[0] = structs.replace(lima, name="Lima Norte")
    found = await directory.by_slug("lima")
    assert found is not None
    assert found.tenant.name == "Lima Norte"


async def test_home_that_moved_is_learned_under_each_name(
    directory: TenantDirectory, registry: FakeRegistry, lima: TenantRecord
) -> None:
    await directory.by_id(lima.id)
    await directory.by_slug("lima")
    assert lima.placement is not None
    newer = structs.replace(lima.placement, home=Home("main", "clinic_t_1", "clinic"), epoch=2)
    directory.learn(newer)
    directory.learn(structs.replace(lima.placement, epoch=1))
    for found in (await directory.by_id(lima.id), await directory.by_slug("lima")):
        assert found is not None
        assert found.placement == newer
    assert registry.asked == 2


async def test_refreshed_answer_is_the_registrys(
    directory: TenantDirectory, registry: FakeRegistry, lima: TenantRecord
) -> None:
    await directory.by_id(lima.id)
    assert lima.placement is not None
    moved = structs.replace(lima.placement, epoch=7)
    registry.records[0] = structs.replace(lima, placement=moved)
    found = await directory.refreshed(lima.id)
    assert found is not None
    assert found.placement.epoch == 7
    registry.is_down = True
    assert await directory.refreshed(lima.id) == found


async def test_server_that_moved_is_asked_for_again_when_told(
    directory: TenantDirectory, registry: FakeRegistry
) -> None:
    await directory.server("main")
    registry.servers["main"] = Server(name="main", host="new", port=5432)
    assert (await directory.server("main")).host == "old"  # type: ignore[union-attr]
    directory._hear("servers")
    assert (await directory.server("main")).host == "new"  # type: ignore[union-attr]
    assert await directory.server("nowhere") is None
