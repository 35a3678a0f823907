"""Who can log in at a demo clinic: the staff and one patient, each with a password of this data directory's own."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from app.demo.people import ascii_name
from app.demo.specification import ClinicSpec, StaffSpec
from auth.password_policy import temporary_password
from auth.passwords import PasswordHasher
from domain.actor import Role


class DemoUser(Struct, frozen=True, kw_only=True):
    """One login, as `demo.json` shows it."""

    role: str
    username: str
    password: str


class Account(Struct, frozen=True):
    """A login and the hash of its password."""

    user: DemoUser
    password_hash: str


def demo_users(spec: ClinicSpec, passwords: Mapping[str, str]) -> tuple[DemoUser, ...]:
    """Return the clinic's logins, staff in order and the patient last.

    `passwords` holds the known ones by username; for the others new ones are made up.
    """
    return tuple(
        DemoUser(role=role, username=name, password=passwords.get(name) or temporary_password())
        for role, name in _usernames(spec)
    )


async def with_hashes(users: Sequence[DemoUser], hasher: PasswordHasher) -> list[Account]:
    """Return the logins with hashes of their passwords, made in the hasher's threads."""
    hashes = await asyncio.gather(*(hasher.hash(user.password) for user in users))
    return [Account(user, made) for user, made in zip(users, hashes, strict=True)]


def _usernames(spec: ClinicSpec) -> Iterator[tuple[str, str]]:
    """Yield role and username; usernames are e-mail addresses."""
    for staff in spec.staff:
        yield staff.role.value, f"{_mailbox(staff)}@{spec.email_domain}"
    yield Role.PATIENT.value, f"paciente@{spec.email_domain}"


def _mailbox(staff: StaffSpec) -> str:
    if staff.role is Role.ADMIN:
        return "admin"
    return f"{ascii_name(staff.given_names)}.{ascii_name(staff.family_name)}"
