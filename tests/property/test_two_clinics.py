"""Two clinics interleave on a pool of one or two connections; each sees what a plain dict of its own would show.

Errors, roll-backs, savepoints, cancelled requests, bulk statements and dead connections come in any order.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.postgres import PostgresServer
from app.preparation import prepare_server, tenancy_options
from app.settings import Settings
from clinics import ClinicMaker
from domain.organisation.models import Specialty
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.session import TenantSession
from tenancy.tenant import StrategyName, TenantId

EXAMPLES = 10
STEPS = 30

keys = st.sampled_from([f"k{n}" for n in range(6)])
codes = st.sampled_from([f"code {n}" for n in range(4)])
which = st.sampled_from([0, 1])

Rows = dict[str, str]


class GivenUpError(Exception):
    """What a handler raises in the middle of its work."""


async def add(session: TenantSession, key: str, code: str) -> None:
    await session.execute(insert(Specialty).values(id=uuid7(), name=key, code=code, version=1))


async def rows(session: TenantSession) -> Rows:
    found = await session.execute(select(Specialty.name, Specialty.code))
    return {row.name: row.code for row in found}


class TwoClinics(RuleBasedStateMachine):
    """`model[n]` is what clinic n must hold."""

    def __init__(self, make: Callable[[], Tenancy], clinics: list[TenantId]) -> None:
        super().__init__()
        self.clinics = clinics
        self.model: list[Rows] = [{}, {}]
        self.loop = asyncio.new_event_loop()
        self.tenancy = make()
        self.run(self.tenancy.open())
        for number in (0, 1):
            self.run(self.clear(number))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    def session(self, number: int, mode: Mode = Mode.WRITE) -> Any:
        return self.tenancy.session(self.clinics[number], mode)

    async def clear(self, number: int) -> None:
        async with self.session(number) as session:
            await session.execute(delete(Specialty))

    @rule(number=which, key=keys, code=codes)
    def add_a_row(self, number: int, key: str, code: str) -> None:
        async def work() -> None:
            async with self.session(number) as session:
                await add(session, key, code)

        if key in self.model[number]:
            with pytest.raises(IntegrityError):
                self.run(work())
        else:
            self.run(work())
            self.model[number][key] = code

    @rule(number=which, code=codes)
    def change_all_rows_at_once(self, number: int, code: str) -> None:
        async def work() -> None:
            async with self.session(number) as session:
                await session.execute(update(Specialty).values(code=code))

        self.run(work())
        self.model[number] = dict.fromkeys(self.model[number], code)

    @rule(number=which, key=keys)
    def delete_a_row(self, number: int, key: str) -> None:
        async def work() -> None:
            async with self.session(number) as session:
                await session.execute(delete(Specialty).where(Specialty.name == key))

        self.run(work())
        self.model[number].pop(key, None)

    @rule(number=which, key=keys, code=codes)
    def give_up_in_the_middle(self, number: int, key: str, code: str) -> None:
        async def work() -> None:
            async with self.session(number) as session:
                await session.execute(delete(Specialty))
                await add(session, key, code)
                raise GivenUpError

        with pytest.raises(GivenUpError):
            self.run(work())

    @rule(number=which, key=keys, code=codes)
    def recover_at_a_savepoint(self, number: int, key: str, code: str) -> None:
        async def work() -> None:
            async with self.session(number) as session:
                await session.execute(delete(Specialty).where(Specialty.name == key))
                await add(session, key, code)
                with pytest.raises(IntegrityError):
                    async with session.begin_nested():
                        await add(session, key, code)
                assert (await rows(session))[key] == code

        self.run(work())
        self.model[number][key] = code

    @rule(number=which, key=keys, code=codes, delay_ms=st.sampled_from([0, 0.2, 0.5, 1, 2, 4]))
    def cancel_at_any_moment(self, number: int, key: str, code: str, delay_ms: float) -> None:
        """What was cancelled has happened or not; which of the two, the clinic's own rows tell."""

        async def work() -> None:
            async with self.session(number) as session:
                await session.execute(delete(Specialty).where(Specialty.name == key))
                await add(session, key, code)

        async def cancelled() -> Rows:
            task = asyncio.create_task(work())
            await asyncio.sleep(delay_ms / 1000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with self.session(number, Mode.READ) as session:
                return await rows(session)

        before, after = self.model[number], {**self.model[number], key: code}
        found = self.run(cancelled())
        assert found in (before, after)
        self.model[number] = found

    @rule(key=keys, code=codes)
    def write_in_both_at_once(self, key: str, code: str) -> None:
        async def work(number: int) -> None:
            async with self.session(number) as session:
                await session.execute(delete(Specialty).where(Specialty.name == key))
                await asyncio.sleep(0)
                await add(session, key, f"{code} of {number}")
                assert (await rows(session))[key] == f"{code} of {number}"

        async def all_at_once() -> list[BaseException | None]:
            writers = (work(0), work(1), work(0), work(1))
            return await asyncio.gather(*writers, return_exceptions=True)

        # Two writers of one clinic may both have deleted before either added; nothing else may fail.
        failures = [failure for failure in self.run(all_at_once()) if failure is not None]
        assert all(isinstance(failure, IntegrityError) for failure in failures), failures
        for number in (0, 1):
            self.model[number] = {
                **self.model[number],
                key: self.read(number).get(key, ""),
            }
            assert self.model[number][key] == f"{code} of {number}"

    @rule()
    def lose_every_pooled_connection(self) -> None:
        async def work() -> None:
            for pool in self.tenancy.pools._pools.values():
                async with pool.engine.connect() as connection:
                    raw = await connection.get_raw_connection()
                    raw.driver_connection.terminate()

        self.run(work())

    def read(self, number: int) -> Rows:
        async def work() -> Rows:
            async with self.session(number, Mode.READ) as session:
                return await rows(session)

        return self.run(work())

    @invariant()
    def each_clinic_shows_its_own_dict(self) -> None:
        assert [self.read(0), self.read(1)] == self.model

    @invariant()
    def nothing_is_held_between_requests(self) -> None:
        assert self.tenancy._admission._lanes == {}
        assert all(pool.in_use == 0 for pool in self.tenancy.pools._pools.values())

    def teardown(self) -> None:
        self.run(self.tenancy.close())
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


async def two_clinics(
    settings: Settings, postgres: PostgresServer, strategy: StrategyName
) -> list[TenantId]:
    await prepare_server(settings, postgres)
    async with Tenancy(tenancy_options(settings, postgres.address)) as tenancy:
        maker = ClinicMaker(tenancy, settings, httpx.AsyncClient())
        made = [await maker.make(f"p{secrets.token_hex(5)}", strategy) for _ in range(2)]
    return [clinic.tenant_id for clinic in made]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("connections", [1, 2])
def test_two_clinics_never_mix(
    postgres: PostgresServer, settings: Settings, placement: StrategyName, connections: int
) -> None:
    options = tenancy_options(settings, postgres.address)
    limits = replace(options.pool_limits, shared_size=connections, dedicated_size=connections)
    clinics = asyncio.run(two_clinics(settings, postgres, placement))

    def make() -> Tenancy:
        return Tenancy(replace(options, pool_limits=limits))

    run_state_machine_as_test(
        lambda: TwoClinics(make, clinics),
        settings=hypothesis_settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
