"""The clinic's short name: one label of a host name (RFC 1035), from 3 to 40 characters."""

import re

from tenancy.registry.errors import InvalidTenantFieldError

SLUG_PATTERN = r"^[a-z][a-z0-9-]{1,38}[a-z0-9]$"
SLUG_LENGTH_MAX = 40

_SLUG = re.compile(SLUG_PATTERN)


def is_slug(value: str) -> bool:
    """Return whether `value` can be a clinic's slug; reserved ones are known to the registry alone.

    Two hyphens in third and fourth place are kept for encoded international names (RFC 5891, 4.2.3.1): a clinic
    called `xn--...` would be shown as another word.
    """
    return _SLUG.fullmatch(value) is not None and value[2:4] != "--"


def checked_slug(value: str) -> str:
    """Return the slug, lower-cased and without blanks around it; raise `InvalidTenantFieldError`."""
    slug = value.strip().lower()
    if not is_slug(slug):
        raise InvalidTenantFieldError("slug", "invalid_slug")
    return slug
