"""The first rows of a demo clinic: everything at once, in the one transaction in which the clinic is set up."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import insert, select, update

from app.demo.accounts import Account
from app.demo.agenda import plan_agenda
from app.demo.clinics import PATIENTS
from app.demo.identifiers import new_ids
from app.demo.organisation_rows import OrganisationRows
from app.demo.people import make_people
from app.demo.scheduling_rows import SchedulingRows
from app.demo.specification import ClinicSpec
from auth.passwords import HashScheme
from domain.actor import SYSTEM
from domain.audit import record_audit_event
from domain.identity.models import UserAccount
from domain.organisation.models import Patient
from tenancy.session import TenantSession


class SeededClinic(Struct, frozen=True, kw_only=True):
    """How much a clinic was filled with; nothing where it had patients already."""

    patients: int = 0
    appointments: int = 0


async def seed_clinic(
    session: TenantSession, spec: ClinicSpec, accounts: Sequence[Account], now: datetime
) -> SeededClinic:
    """Fill an empty clinic; one that has patients is left alone. `accounts` are those of `demo_users`, in order."""
    if await session.scalar(select(Patient.id).limit(1)) is not None:
        return SeededClinic()
    people = make_people(spec, PATIENTS)
    bookings = plan_agenda(spec, people, now)
    ids = new_ids(spec, len(people))
    organisation = OrganisationRows(spec, ids, accounts=accounts, people=people, now=now)
    scheduling = SchedulingRows(spec, ids, bookings, now)
    for table, rows in [*organisation.all(), *scheduling.all()]:
        await session.execute(insert(table), rows)
    counts = {"patients": len(people), "appointments": len(bookings)}
    await record_audit_event(session, SYSTEM, "seed", "clinic", None, counts)
    return SeededClinic(**counts)


async def change_passwords(session: TenantSession, accounts: Sequence[Account]) -> set[str]:
    """Give users new passwords, which ends the validity of their tokens; return the usernames that were found."""
    found: set[str] = set()
    for account in accounts:
        changed = await session.scalars(
            update(UserAccount)
            .where(UserAccount.username == account.user.username)
            .values(
                password_hash=account.password_hash,
                password_scheme=HashScheme.ARGON2ID.value,
                access_version=UserAccount.access_version + 1,
                version=UserAccount.version + 1,
            )
            .returning(UserAccount.username)
        )
        found.update(changed)
    return found
