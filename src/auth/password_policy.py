"""What a new password must be like."""

import secrets
from collections.abc import Iterable

from msgspec import Struct

PASSWORD_LENGTH_MIN = 8
PASSWORD_LENGTH_MAX = 256
"""Longer input is refused before it costs a hash."""

TEMPORARY_LENGTH = 14
_TEMPORARY_ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without the letters and digits that are read for one another."""


class PasswordPolicy(Struct, frozen=True):
    """The rules for new passwords; passwords that exist already are never judged by it."""

    length_min: int = PASSWORD_LENGTH_MIN

    def objection(self, password: str, *, names: Iterable[str | None] = ()) -> str | None:
        """Return the code of the first rule broken, or None.

        `names` are the account's own: e-mail (its local part counts too), username.
        Codes: `password_too_short`, `password_too_long`, `password_is_name`.
        """
        if len(password) < self.length_min:
            return "password_too_short"
        if len(password) > PASSWORD_LENGTH_MAX:
            return "password_too_long"
        folded = password.casefold().strip()
        taken = {part for name in names if name for part in _parts(name.casefold())}
        return "password_is_name" if folded in taken else None


def _parts(name: str) -> tuple[str, ...]:
    return (name, name.partition("@")[0])


def temporary_password() -> str:
    """Return a random password to be read out once and changed at the next login (80 bits)."""
    return "".join(secrets.choice(_TEMPORARY_ALPHABET) for _ in range(TEMPORARY_LENGTH))
