"""Whose request this is: from Host, headers, body and token to one clinic, or to a refusal; never to a default.

What a request says is turned into candidates by pure functions; all that are present must name one clinic.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol
from uuid import UUID

from msgspec import Struct

from tenancy.errors import (
    TenantNotReadyError,
    TenantSuspendedError,
    UnknownTenantError,
)
from tenancy.registry.hostnames import label_under, normalise_hostname
from tenancy.registry.slugs import is_slug
from tenancy.tenant import ResolvedTenant, TenantStatus

UUID_TEXT: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class ResolutionError(Exception):
    """The request does not say in one voice which clinic it is for."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or type(self).__doc__ or "")


class TenantNotResolvedError(ResolutionError):
    """Nothing in the request names a clinic."""


class TenantMismatchError(ResolutionError):
    """Host, headers, body and token do not name the same clinic."""


class Candidate(Struct, frozen=True):
    """One way in which a request names its clinic; `is_optional` when an unknown name says nothing."""

    hostname: str | None = None
    slug: str | None = None
    tenant_id: UUID | None = None
    is_optional: bool = False


class Directory(Protocol):
    """Where clinics are looked up; a name that nobody has is None or an `UnknownTenantError`."""

    async def by_hostname(self, hostname: str) -> ResolvedTenant | None:
        """Return the clinic that this host name is registered for."""

    async def by_slug(self, slug: str) -> ResolvedTenant | None:
        """Return the clinic with this slug."""

    async def by_id(self, tenant_id: UUID) -> ResolvedTenant | None:
        """Return the clinic with this id."""


def host_candidate(host: str | None, base_domains: Sequence[str]) -> Candidate | None:
    """Return what the Host header names: nothing for an IP address or a base domain itself.

    Under a base domain the name must be known; any other host may as well be the API's own.
    """
    hostname = normalise_hostname(host) if host else None
    if hostname is None or hostname in base_domains:
        return None
    under = any(hostname.endswith(f".{base}") for base in base_domains)
    return Candidate(
        hostname=hostname, slug=_slug_under(hostname, base_domains), is_optional=not under
    )


def named_candidate(value: str | None, base_domains: Sequence[str]) -> Candidate | None:
    """Return what a header or the body names, by slug, host name or uuid; nothing if it is blank."""
    name = (value or "").strip().lower()
    if not name:
        return None
    if UUID_TEXT.fullmatch(name):
        return Candidate(tenant_id=UUID(name))
    if is_slug(name):
        return Candidate(slug=name)
    hostname = normalise_hostname(name)
    if hostname is None:
        return Candidate()
    return Candidate(hostname=hostname, slug=_slug_under(hostname, base_domains))


def _slug_under(hostname: str, base_domains: Sequence[str]) -> str | None:
    """Return the one label before a base domain; None if the name is deeper or elsewhere."""
    labels = (label_under(hostname, base) for base in base_domains)
    return next((label for label in labels if label), None)


async def find(candidate: Candidate, directory: Directory) -> ResolvedTenant | None:
    """Return the clinic that the candidate names; of host name and slug, the host name comes first."""
    lookups: list[tuple[Callable[[Any], Awaitable[ResolvedTenant | None]], Any]] = [
        (directory.by_id, candidate.tenant_id),
        (directory.by_hostname, candidate.hostname),
        (directory.by_slug, candidate.slug),
    ]
    for look_up, name in lookups:
        if name is None:
            continue
        try:
            found = await look_up(name)
        except UnknownTenantError:
            continue
        if found is not None:
            return found
    return None


async def resolve(
    candidates: Iterable[Candidate | None], directory: Directory
) -> ResolvedTenant | None:
    """Return the one clinic that all present candidates name; None when there is no candidate.

    Raises `UnknownTenantError` for a name that no clinic has and `TenantMismatchError` for two clinics.
    """
    resolved: ResolvedTenant | None = None
    for candidate in candidates:
        if candidate is None:
            continue
        found = await find(candidate, directory)
        if found is None:
            if candidate.is_optional:
                continue
            raise UnknownTenantError
        if resolved is not None and resolved.tenant.id != found.tenant.id:
            raise TenantMismatchError
        resolved = found
    return resolved


def check_status(status: TenantStatus, *, writes: bool, is_public: bool) -> None:
    """Let the request pass if the clinic's status allows it.

    A suspended clinic is read only, but its people may log in; a cancelled one lets nobody log in.
    Raises `TenantNotReadyError`, `TenantSuspendedError`, `UnknownTenantError` (archived).
    """
    if status is TenantStatus.PROVISIONING:
        raise TenantNotReadyError
    if status is TenantStatus.ARCHIVED:
        raise UnknownTenantError
    if status is TenantStatus.CANCELLED and (writes or is_public):
        raise TenantSuspendedError
    if status is TenantStatus.SUSPENDED and writes and not is_public:
        raise TenantSuspendedError
