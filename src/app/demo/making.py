"""Makes the demo: provisions the three clinics with all their rows, and the operator.

`clinic demo` calls `seed_demo(tools, base_url=..., known=read_demo_file(path), progress=...)`, hands the report to
`write_demo_file(path, report)` before it serves, and prints `what_to_try(report)`. Started again, whatever is there
stays as it is; logins whose passwords are known no more, because the file was lost, get new ones.
"""

import asyncio
from collections.abc import Callable, Sequence
from secrets import token_hex
from typing import Final

from msgspec import Struct

from app.demo.accounts import DemoUser, demo_users, with_hashes
from app.demo.clinics import DEMO_CLINICS
from app.demo.errors import NotADemoClinicError
from app.demo.report import DemoClinic, DemoOperator, DemoReport
from app.demo.seed import SeededClinic, change_passwords, seed_clinic
from app.demo.specification import ClinicSpec
from auth.password_policy import temporary_password
from auth.passwords import PasswordHasher
from domain.clock import Clock, utc_now
from tenancy.errors import UnknownTenantError
from tenancy.modes import Mode
from tenancy.platform import NewTenant, Platform, TenantRecord
from tenancy.registry.records import SYSTEM
from tenancy.runtime import Tenancy
from tenancy.session import TenantSession
from tenancy.tenant import TenantStatus

OPERATOR_EMAIL: Final = "operator@polyclinic.example"
OPERATOR_ROLE: Final = "superadmin"
MARK: Final = "demo-"
"""Begins the `legacy_id` of a demo clinic in the registry, so that nobody's own clinic is taken for one."""

Progress = Callable[[str, int, int], None]
"""Called after each step with what was done, how many steps are done and how many there are."""


class DemoTools(Struct, frozen=True, kw_only=True):
    """What the demo is made with."""

    platform: Platform
    tenancy: Tenancy
    hasher: PasswordHasher
    clinics: tuple[ClinicSpec, ...] = DEMO_CLINICS
    clock: Clock = utc_now


async def seed_demo(
    tools: DemoTools, *, base_url: str, known: DemoReport | None, progress: Progress
) -> DemoReport:
    """Make what is missing of the demo and report all of it; `known` is what an earlier run has reported.

    Raises `NotADemoClinicError` and what `Platform.create` raises.
    """
    maker = _DemoMaker(tools, known, progress)
    try:
        async with asyncio.TaskGroup() as tasks:
            clinics = [tasks.create_task(maker.clinic(spec)) for spec in tools.clinics]
    except ExceptionGroup as group:
        # The first failure has cancelled the others; it is the one to tell of.
        raise group.exceptions[0] from None
    return DemoReport(
        base_url=base_url.rstrip("/"),
        # Last, so that a run that is interrupted leaves no operator whose password nobody knows.
        operator=await maker.operator(),
        clinics=tuple(made for clinic in clinics if (made := clinic.result()) is not None),
    )


class _DemoMaker:
    """Makes one part of the demo after another, or several at once."""

    def __init__(self, tools: DemoTools, known: DemoReport | None, progress: Progress) -> None:
        self._platform = tools.platform
        self._tenancy = tools.tenancy
        self._hasher = tools.hasher
        self._clock = tools.clock
        self._steps = len(tools.clinics) + 1
        self._known = known
        self._progress = progress
        self._done = 0

    async def clinic(self, spec: ClinicSpec) -> DemoClinic | None:
        """Return the clinic, made if it is not there; None for one that was purged since."""
        passwords = self._known.passwords(spec.slug) if self._known else {}
        users = demo_users(spec, passwords)
        record = await self._existing(spec)
        if record is None:
            record = await self._made(spec, users)
        elif record.placement is None:
            self._advance(f"{spec.slug}: purged")
            return None
        else:
            unknown = [user for user in users if user.username not in passwords]
            lost = await self._renewed(record, unknown)
            users = tuple(user for user in users if user.username not in lost)
            self._advance(f"{spec.slug}: as it was")
        assert record.placement is not None
        return DemoClinic(
            slug=spec.slug,
            strategy=record.placement.strategy.value,
            host=record.hostnames[0],
            tenant_id=str(record.id),
            users=users,
        )

    async def operator(self) -> DemoOperator:
        """Return the operator, added if there is none whose password is known."""
        known = self._known.operator if self._known else None
        email = known.email if known else OPERATOR_EMAIL
        is_there = await self._platform.operators.credentials(email) is not None
        if known is None or not is_there:
            password = known.password if known else temporary_password()
            if is_there:
                # Somebody's login whose password is not ours to change.
                email = email.replace("@", f"-{token_hex(4)}@")
            await self._platform.operators.add(
                email, await self._hasher.hash(password), OPERATOR_ROLE, SYSTEM
            )
            known = DemoOperator(email=email, password=password)
        self._advance("operator")
        return known

    async def _existing(self, spec: ClinicSpec) -> TenantRecord | None:
        """Return the demo's clinic; what an interrupted set-up has left of one does not count."""
        try:
            record = await self._platform.tenant_by_slug(spec.slug)
        except UnknownTenantError:
            return None
        if record.legacy_id != MARK + spec.slug:
            raise NotADemoClinicError(spec.slug)
        return None if record.status is TenantStatus.PROVISIONING else record

    async def _made(self, spec: ClinicSpec, users: Sequence[DemoUser]) -> TenantRecord:
        accounts = await with_hashes(users, self._hasher)
        seeded = SeededClinic()

        async def seed(session: TenantSession) -> None:
            nonlocal seeded
            seeded = await seed_clinic(session, spec, accounts, self._clock())

        record = await self._platform.create(_request(spec, users[0]), seed)
        self._advance(
            f"{spec.slug}: {seeded.patients} patients, {seeded.appointments} appointments"
        )
        return record

    async def _renewed(self, record: TenantRecord, users: Sequence[DemoUser]) -> set[str]:
        """Set the passwords of these users; return the names of those who are there no more."""
        if not users:
            return set()
        accounts = await with_hashes(users, self._hasher)
        async with self._tenancy.session(record.id, Mode.WRITE) as session:
            found = await change_passwords(session, accounts)
        return {user.username for user in users} - found

    def _advance(self, what: str) -> None:
        self._done += 1
        self._progress(what, self._done, self._steps)


def _request(spec: ClinicSpec, admin: DemoUser) -> NewTenant:
    return NewTenant(
        name=spec.name,
        slug=spec.slug,
        admin_email=admin.username,
        vertical=spec.vertical,
        country=spec.country,
        timezone=spec.timezone,
        currency=spec.currency,
        plan=spec.plan,
        strategy=spec.strategy,
        description=spec.description,
        phone=spec.phone,
        legacy_id=MARK + spec.slug,
    )
