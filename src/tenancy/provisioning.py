"""Sets up new clinics in recorded steps, each with a way back: a crash leaves nothing that is not removed or finished.

The truth about a set-up is the tenant's status `provisioning` and the claim on it, a lock that dies with its holder.
Whoever finds such a tenant unclaimed takes it back, whatever step it had reached.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from enum import StrEnum
from typing import Final, Protocol

from msgspec import Struct

from tenancy.errors import ServerUnavailableError
from tenancy.home_connection import HomeConnection
from tenancy.home_failures import NO_HOMES_YET, SERVER_GONE
from tenancy.homes import Homes
from tenancy.modes import Mode
from tenancy.registry.errors import (
    LegacyIdTakenError,
    NameTakenError,
    SlugTakenError,
    UnknownPlanError,
)
from tenancy.registry.records import PlatformActor, PlatformEvent
from tenancy.registry.requests import NewTenant, TenantDraft, checked_draft, chosen_strategy
from tenancy.registry.steps import Claim, Journal, Reservation
from tenancy.registry.store import RegistryStore
from tenancy.session import TenantSession
from tenancy.strategy import Strategy
from tenancy.tenant import Placement, StrategyName, Tenant, TenantId, TenantStatus

SETUPS_AT_ONCE_MAX: Final = 2
"""Each holds a registry connection while it works; the registry's pool must be able to serve them and the rest."""
SETUP_WAIT_S_MAX: Final = 10.0
SETUP_S_MAX: Final = 45.0
"""Less than the time after which the registry ends an idle transaction, and the claim with it."""
FIRST_EPOCH: Final = 1
VISITOR: Final = "visitor"
ACTIVATED: Final = "activated"
"""The last failpoint: the clinic is open and nothing is taken back any more."""

log = logging.getLogger(__name__)


class Step(StrEnum):
    """The steps of a set-up, in order; their names are those of the failpoints too."""

    RESERVE = "reserve"
    PREPARE = "prepare"
    INSTALL = "install"
    OPEN = "open"
    SEED = "seed"
    ACTIVATE = "activate"


Seed = Callable[[TenantSession], Awaitable[None]]
Failpoint = Callable[[str], None]


def nothing_happens(_name: str) -> None:
    """Pass a failpoint unharmed."""


class OpensSessions(Protocol):
    """Tenancy, as far as the first rows of a clinic need it."""

    def session(
        self, tenant_id: TenantId, mode: Mode
    ) -> AbstractAsyncContextManager[TenantSession]:
        """Open a session of the tenant for one transaction."""


class ProvisioningParts(Struct, frozen=True, kw_only=True):
    """What a set-up works with."""

    store: RegistryStore
    strategies: Mapping[StrategyName, Strategy]
    homes: Homes
    sessions: OpensSessions
    forget: Callable[[TenantId], None]
    """Tells this process that what it remembers of a tenant is old."""
    base_domain: str
    """Where new clinics get their sub-domain."""


class _Plan(Struct, frozen=True, kw_only=True):
    """One set-up, decided: what is written where."""

    draft: TenantDraft
    plan_code: str
    status: TenantStatus
    reservation: Reservation
    actor: PlatformActor

    @property
    def placement(self) -> Placement:
        return self.reservation.placement


class Provisioner:
    """Makes clinics, and takes back what others left half-made."""

    def __init__(self, parts: ProvisioningParts, reached: Failpoint = nothing_happens) -> None:
        self._parts = parts
        self._records = parts.store.provisioning
        self._reached = reached
        self._turns = asyncio.Semaphore(SETUPS_AT_ONCE_MAX)

    async def create(self, request: NewTenant, seed: Seed) -> Tenant:
        """Make the clinic ready for use; `seed` adds its first rows in a session of its own.

        Raises `InvalidTenantFieldError`, `SlugTakenError`, `NameTakenError`, `LegacyIdTakenError`,
        `ReservedSlugError`, `UnknownPlanError`, `StrategyNotAllowedError`, `UnknownServerError`, `ServerFullError`,
        `ServerUnavailableError`; whatever is raised, nothing of the clinic is left behind.
        """
        try:
            async with asyncio.timeout(SETUP_WAIT_S_MAX):
                await self._turns.acquire()
        except TimeoutError:
            raise ServerUnavailableError from None
        try:
            async with asyncio.timeout(SETUP_S_MAX):
                return await self._create(request, seed)
        except (TimeoutError, *SERVER_GONE) as error:
            raise ServerUnavailableError from error
        finally:
            self._turns.release()

    async def sweep(self) -> list[TenantId]:
        """Take back every set-up that was left behind; return the tenants that were.

        What cannot be taken back now, as its server is down, is left for the next time.
        """
        return [
            tenant_id
            for tenant_id in await self._records.unfinished()
            if await self._take_back_quietly(tenant_id)
        ]

    async def _create(self, request: NewTenant, seed: Seed) -> Tenant:
        plan = await self._decide(request)
        try:
            return await self._set_up(plan, seed)
        except (SlugTakenError, NameTakenError, LegacyIdTakenError):
            if not await self._take_back_rivals(plan):
                raise
        return await self._set_up(plan, seed)

    async def _decide(self, request: NewTenant) -> _Plan:
        """Choose plan, strategy, server and home."""
        store = self._parts.store
        terms = await store.plans.by_code(request.plan)
        is_visitor = request.actor.kind == VISITOR
        if terms is None or not terms.is_active or (is_visitor and terms.kind == "custom"):
            raise UnknownPlanError
        name = chosen_strategy(request, terms)
        strategy = self._parts.strategies[name]
        draft = checked_draft(request, terms.id)
        server = await store.servers.choose(strategy.server_tiers, request.server)
        placement = Placement(
            tenant_id=draft.id,
            strategy=name,
            home=strategy.home_for(draft.id, server.name),
            epoch=FIRST_EPOCH,
        )
        reservation = Reservation(
            columns=draft.columns,
            hostname=f"{draft.columns['slug']}.{self._parts.base_domain}",
            placement=placement,
            server_id=server.id,
        )
        # Nobody has paid when a visitor signs up, whatever the plan.
        status = TenantStatus.TRIAL if is_visitor else terms.first_status
        return _Plan(
            draft=draft,
            plan_code=terms.code,
            status=status,
            reservation=reservation,
            actor=request.actor,
        )

    async def _set_up(self, plan: _Plan, seed: Seed) -> Tenant:
        """Run the steps; on any failure, also a cancelled one, take them back and raise what went wrong."""
        try:
            async with self._records.claim(plan.draft.id) as claim:
                assert claim is not None
                await self._run(claim, plan, seed)
        except BaseException:
            # A task of its own, so that a second cancellation does not leave the clinic half-removed.
            await asyncio.shield(asyncio.ensure_future(self._take_back_quietly(plan.draft.id)))
            raise
        self._parts.forget(plan.draft.id)
        return plan.draft.tenant(plan.status, plan.reservation.hostname)

    async def _run(self, claim: Claim, plan: _Plan, seed: Seed) -> None:
        """Go through the steps, as the runbook tells them. Each can be found begun, done or both by who takes it back."""
        home, strategy = plan.placement.home, self._parts.strategies[plan.placement.strategy]
        journal = self._records.journal(plan.draft.id)
        connection = self._parts.homes.connection(home)
        if not strategy.is_dedicated:
            # Its database is there already: connecting takes as long as the reservation.
            connection.begin()
        try:
            self._reached(Step.RESERVE)
            await self._records.reserve(plan.reservation, Step.RESERVE, Step.PREPARE)

            self._reached(Step.PREPARE)
            await strategy.prepare(home)
            journal.advance(Step.PREPARE, Step.INSTALL)

            self._reached(Step.INSTALL)
            await strategy.install(home, connection)
            journal.advance(Step.INSTALL, Step.OPEN)

            self._reached(Step.OPEN)
            await self._parts.homes.open(plan.placement, connection)
            connection.begin_to_close()
            journal.advance(Step.OPEN, Step.SEED)

            self._reached(Step.SEED)
            async with self._parts.sessions.session(plan.draft.id, Mode.WRITE) as session:
                await seed(session)
            await journal.written()
        finally:
            await _leave(connection, journal)

        self._reached(Step.ACTIVATE)
        await claim.activate(
            plan.status, (Step.SEED, Step.ACTIVATE), plan.actor, _created_event(plan)
        )
        self._reached(ACTIVATED)

    async def _take_back_rivals(self, plan: _Plan) -> bool:
        """Take back the unfinished clinics that hold this one's names; return whether any was."""
        names = plan.reservation
        rivals = await self._records.unfinished_rivals(names.columns, names.hostname)
        return bool([rival for rival in rivals if await self._take_back(rival)])

    async def _take_back_quietly(self, tenant_id: TenantId) -> bool:
        """As `_take_back`, where an error must not stop what goes on; a later sweep finds what is left."""
        try:
            return await self._take_back(tenant_id)
        except Exception as error:  # noqa: BLE001  # whatever it is, the caller has something more important to do
            # The class alone: a database's message may quote what was entered.
            log.warning("set-up of %s could not be taken back: %s", tenant_id, type(error).__name__)
            return False

    async def _take_back(self, tenant_id: TenantId) -> bool:
        """Undo every step of an unfinished set-up in reverse, unless a living process works on it."""
        async with self._records.claim(tenant_id) as claim:
            if claim is None or not await self._records.is_unfinished(tenant_id):
                return False
            record = await self._parts.store.tenants.by_id(tenant_id)
            if record is not None and record.placement is not None:
                await self._remove_home(record.placement)
            self._reached(f"undo_{Step.RESERVE}")
            await self._records.erase(tenant_id)
        self._parts.forget(tenant_id)
        return True

    async def _remove_home(self, placement: Placement) -> None:
        self._reached(f"undo_{Step.OPEN}")
        # A database that was not made yet, or has not got its homes yet, holds no home to close.
        with suppress(*NO_HOMES_YET):
            await self._parts.homes.close(placement.tenant_id, placement.home)
        self._reached(f"undo_{Step.INSTALL}")
        await self._parts.strategies[placement.strategy].remove(placement.tenant_id, placement.home)


async def _leave(connection: HomeConnection, journal: Journal) -> None:
    """See to it before anybody takes the steps back: no connection is left at the home, no note comes late."""
    try:
        await connection.close()
    finally:
        await journal.close()


def _created_event(plan: _Plan) -> PlatformEvent:
    return PlatformEvent(
        action="create",
        entity_type="tenant",
        entity_id=plan.draft.id,
        tenant_id=plan.draft.id,
        details={
            "plan": plan.plan_code,
            "strategy": plan.placement.strategy.value,
            "server": plan.placement.home.server,
        },
    )
