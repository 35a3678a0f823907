"""What sign-up and the platform's own routes share when a clinic is made: its first administrator's password."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from auth.password_policy import temporary_password
from auth.passwords import PasswordHasher
from domain.identity.errors import WeakPasswordError
from domain.new_clinic import first_rows
from tenancy.platform import NewTenant, Seed, timezone_of

MadeT = TypeVar("MadeT")


class AdminPassword(Struct, frozen=True):
    """The first administrator's password; one that we made up is shown once and must be changed."""

    password: str
    is_temporary: bool = False

    @property
    def to_show(self) -> str | None:
        """The password if it was made up, None if the caller knows it."""
        return self.password if self.is_temporary else None


def admin_password(hasher: PasswordHasher, email: str, given: str | None) -> AdminPassword:
    """Return the given password or a temporary one; raise `WeakPasswordError`."""
    if given is None:
        return AdminPassword(temporary_password(), is_temporary=True)
    objection = hasher.policy.objection(given, names=(email.strip().lower(),))
    if objection is not None:
        raise WeakPasswordError(objection)
    return AdminPassword(given)


async def set_up_clinic(
    request: NewTenant,
    admin: AdminPassword,
    hasher: PasswordHasher,
    make: Callable[[NewTenant, Seed], Awaitable[MadeT]],
) -> MadeT:
    """Make the clinic with its administrator and first branch; the password is hashed while its home is made."""
    hashing = asyncio.ensure_future(hasher.hash(admin.password))
    try:
        seed = first_rows(
            admin_email=request.admin_email,
            password_hash=hashing,
            timezone=timezone_of(request),
            must_change_password=admin.is_temporary,
        )
        return await make(request, seed)
    finally:
        hashing.cancel()
        await asyncio.gather(hashing, return_exceptions=True)
