"""A new clinic is complete or it is not there: in each strategy, after every failure, beside every rival."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select

from domain.identity.models import UserAccount
from domain.organisation.models import Branch
from set_ups import Leftovers, provisioner_of, seed, wanted
from tenancy.credentials import DatabaseRole
from tenancy.modes import Mode
from tenancy.provisioning import Provisioner, Step
from tenancy.registry.errors import NameTakenError, SlugTakenError
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.session import TenantSession
from tenancy.tenant import StrategyName, Tenant, TenantId, TenantStatus


@pytest.fixture
def provisioner(tenancy: Tenancy) -> Provisioner:
    return provisioner_of(tenancy)


@pytest.fixture
async def leftovers(
    tenancy: Tenancy, administrator: Callable[..., Awaitable[asyncpg.Connection]]
) -> AsyncIterator[Leftovers]:
    registry = await administrator(tenancy.options.registry_database)
    pool = await administrator(tenancy.options.pool_database)
    yield Leftovers(tenancy, registry, pool)
    await registry.close()
    await pool.close()


async def count(tenancy: Tenancy, tenant_id: TenantId, model: Any) -> int:
    async with tenancy.session(tenant_id, Mode.READ) as session:
        return int(await session.scalar(select(func.count()).select_from(model)) or 0)


async def test_new_clinic_is_ready(
    tenancy: Tenancy, provisioner: Provisioner, leftovers: Leftovers, placement: StrategyName
) -> None:
    request = wanted(placement)
    other = await provisioner.create(wanted(placement), seed)
    made = await provisioner.create(request, seed)
    assert (made.slug, made.status) == (request.slug, TenantStatus.ACTIVE)
    assert made.hostnames == (f"{request.slug}.localhost",)
    resolved = await tenancy.directory.by_hostname(f"{request.slug}.localhost")
    assert resolved is not None
    assert resolved.tenant.id == made.id
    assert resolved.tenant.status is TenantStatus.ACTIVE
    assert resolved.placement.strategy is placement
    assert await leftovers.states(made.id) == dict.fromkeys(Step, "done")
    for clinic in (made, other):
        assert await count(tenancy, clinic.id, UserAccount) == 1
        assert await count(tenancy, clinic.id, Branch) == 1


async def test_names_of_homes_come_from_the_id_alone(
    tenancy: Tenancy, provisioner: Provisioner, placement: StrategyName
) -> None:
    made = await provisioner.create(
        wanted(placement, slug=f"drop-table-{secrets.token_hex(3)}"), seed
    )
    resolved = await tenancy.directory.by_id(made.id)
    assert resolved is not None
    home = resolved.placement.home
    assert made.slug not in f"{home.database}{home.schema}"
    assert home == tenancy.strategies[placement].home_for(made.id, "main")


async def test_creation_is_audited(
    tenancy: Tenancy, provisioner: Provisioner, administrator: Callable[..., Awaitable[Any]]
) -> None:
    actor = PlatformActor(kind="visitor", request_id="r-1", ip="192.0.2.1")
    made = await provisioner.create(wanted(plan="prueba", actor=actor), seed)
    registry = await administrator(tenancy.options.registry_database)
    events = await registry.fetch(
        "SELECT action, actor_kind, request_id, ip FROM registry.platform_audit_event WHERE tenant_id = $1",
        made.id,
    )
    await registry.close()
    assert [tuple(event) for event in events] == [("create", "visitor", "r-1", "192.0.2.1")]


class PlannedError(Exception):
    pass


@pytest.mark.parametrize("step", list(Step), ids=str)
async def test_failure_in_any_step_leaves_nothing(
    tenancy: Tenancy, leftovers: Leftovers, placement: StrategyName, step: Step
) -> None:
    def fail(reached: str) -> None:
        if reached == step:
            raise PlannedError

    request = wanted(placement)
    with pytest.raises(PlannedError):
        await provisioner_of(tenancy, fail).create(request, seed)
    if step is not Step.RESERVE:
        tried = await leftovers.last_tried()
        assert await leftovers.of(tried) == []
        assert set((await leftovers.states(tried)).values()) == {"undone"}
    assert (await provisioner_of(tenancy).create(request, seed)).slug == request.slug


async def test_failing_seed_leaves_nothing(
    provisioner: Provisioner, leftovers: Leftovers, placement: StrategyName
) -> None:
    async def fail_late(session: TenantSession) -> None:
        await seed(session)
        raise PlannedError

    request = wanted(placement)
    with pytest.raises(PlannedError):
        await provisioner.create(request, fail_late)
    assert await leftovers.of(await leftovers.last_tried()) == []
    assert await provisioner.create(request, seed)


async def test_cancelled_set_up_leaves_nothing(
    provisioner: Provisioner, leftovers: Leftovers, placement: StrategyName
) -> None:
    seeding = asyncio.Event()

    async def hang(session: TenantSession) -> None:
        await seed(session)
        seeding.set()
        await asyncio.Event().wait()

    request = wanted(placement)
    task = asyncio.create_task(provisioner.create(request, hang))
    await seeding.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await leftovers.of(await leftovers.last_tried()) == []
    assert await provisioner.create(request, seed)


async def test_set_up_in_work_is_nobodys_to_take_back(
    tenancy: Tenancy, placement: StrategyName
) -> None:
    seeding, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session: TenantSession) -> None:
        seeding.set()
        await go_on.wait()
        await seed(session)

    request = wanted(placement)
    first = asyncio.create_task(provisioner_of(tenancy).create(request, slow))
    await seeding.wait()
    rival = provisioner_of(tenancy)
    with pytest.raises(SlugTakenError):
        await rival.create(request, seed)
    with pytest.raises(NameTakenError):
        await rival.create(wanted(placement, name=request.name), seed)
    assert await rival.sweep() == []
    go_on.set()
    assert (await first).status is TenantStatus.ACTIVE


async def test_one_of_many_gets_the_slug(tenancy: Tenancy) -> None:
    slug = f"c{secrets.token_hex(5)}"
    outcomes = await asyncio.gather(
        *(provisioner_of(tenancy).create(wanted(slug=slug), seed) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Tenant) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, SlugTakenError) for outcome in outcomes) == 3


async def end_claims(tenancy: Tenancy, administrator: Callable[..., Awaitable[Any]]) -> None:
    """End every claim, as a registry server does that restarts."""
    registry = await administrator(tenancy.options.registry_database)
    await registry.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1 AND datname = $2"
        " AND state = 'idle in transaction'",
        DatabaseRole.REGISTRY.value,
        tenancy.options.registry_database,
    )
    await registry.close()


@pytest.mark.parametrize("lost", ["before its rows", "after its rows"])
async def test_set_up_that_lost_its_claim_leaves_no_trace(
    tenancy: Tenancy,
    leftovers: Leftovers,
    administrator: Callable[..., Awaitable[Any]],
    placement: StrategyName,
    lost: str,
) -> None:
    seeding, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session: TenantSession) -> None:
        if lost == "after its rows":
            await seed(session)
        seeding.set()
        await go_on.wait()
        if lost == "before its rows":
            await seed(session)

    request = wanted(placement)
    first = asyncio.create_task(provisioner_of(tenancy).create(request, slow))
    await seeding.wait()
    tried = await leftovers.last_tried()
    await end_claims(tenancy, administrator)
    second = asyncio.create_task(provisioner_of(tenancy).create(request, seed))
    # The second one takes the first one's work back; rows of an open transaction it has to wait for.
    await asyncio.sleep(0.2)
    go_on.set()
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(outcomes[0], Exception)
    assert not isinstance(outcomes[0], AssertionError)
    assert isinstance(outcomes[1], Tenant)
    assert await leftovers.of(tried) == []
    assert await count(tenancy, outcomes[1].id, UserAccount) == 1
