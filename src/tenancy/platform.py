"""The public face of registry and provisioning: what the platform API, sign-up and the command line may do to tenants."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import Struct, structs
from sqlalchemy.exc import SQLAlchemyError

from tenancy.errors import UnknownTenantError
from tenancy.provisioning import (
    VISITOR,
    Failpoint,
    Provisioner,
    ProvisioningParts,
    Seed,
    nothing_happens,
)
from tenancy.registry.directory import TenantDirectory
from tenancy.registry.errors import (
    RegistryUnavailableError,
    SignUpClosedError,
    SlugTakenError,
    SubdomainExistsError,
)
from tenancy.registry.hostnames import HOSTNAME_LENGTH_MAX, label_under, normalise_hostname
from tenancy.registry.operators import LoginDetails, OperatorRecords
from tenancy.registry.records import OperatorRecord, PlatformActor, TenantRecord
from tenancy.registry.repeats import KeyHolder, RepeatRecords
from tenancy.registry.requests import NewTenant, checked_fields, timezone_of
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy
from tenancy.tenant import ResolvedTenant, StrategyName, Tenant, TenantStatus

__all__ = [
    "VISITOR",
    "KeyHolder",
    "LoginDetails",
    "NewTenant",
    "OperatorRecord",
    "OperatorRecords",
    "Platform",
    "PlatformActor",
    "PlatformOptions",
    "RegistryUnavailableError",
    "RepeatRecords",
    "Seed",
    "SlugTakenError",
    "SubdomainExistsError",
    "TenantRecord",
    "Validation",
    "make_platform",
    "timezone_of",
]

LOGIN_PATH: Final = "/ingreso"
"""The page of the frontends; it stays as it was."""

SUGGESTIONS_MAX: Final = 3
SIMILARITY_MIN: Final = 0.3
"""Of trigrams; what PostgreSQL itself takes for similar."""

IN_USE: Final = frozenset({TenantStatus.TRIAL, TenantStatus.ACTIVE, TenantStatus.PAST_DUE})


class PlatformOptions(Struct, frozen=True, kw_only=True):
    """What the operators of the platform have decided."""

    base_domains: tuple[str, ...]
    signup_policy: Literal["open", "closed"]
    signup_strategy: StrategyName
    public_url: str = ""
    """How the platform is reached from outside, when that differs from what requests show (scheme and port count)."""


class Validation(Struct, frozen=True, kw_only=True):
    """Whether a host belongs to a clinic that can be used: its tenant, or why not and which ones are like it."""

    tenant: Tenant | None = None
    reason: Literal["not_found", "suspended", "provisioning"] = "not_found"
    host: str = ""
    suggestions: tuple[str, ...] = ()


class Platform:
    """Tenants as the platform sees them: found, made, changed, suspended."""

    def __init__(
        self,
        store: RegistryStore,
        directory: TenantDirectory,
        provisioner: Provisioner,
        options: PlatformOptions,
    ) -> None:
        self._store = store
        self._directory = directory
        self._provisioner = provisioner
        self._options = options
        self.operators: OperatorRecords = store.operators
        self.repeats: RepeatRecords = store.repeats

    async def validate(self, host: str) -> Validation:
        """Tell whether `host` (as in the Host header) is that of a clinic; suggest others if nobody has it."""
        hostname = normalise_hostname(host)
        found = None if hostname is None else await self._at_host(hostname)
        status = found.tenant.status if found is not None else None
        if found is not None and status in IN_USE:
            return Validation(tenant=found.tenant, host=hostname or host)
        if status is TenantStatus.SUSPENDED:
            return Validation(reason="suspended", host=hostname or host)
        if status is TenantStatus.PROVISIONING:
            return Validation(reason="provisioning", host=hostname or host)
        suggestions = () if hostname is None else await self._similar(hostname)
        return Validation(host=hostname or host[:HOSTNAME_LENGTH_MAX], suggestions=suggestions)

    async def sign_up(self, request: NewTenant, seed: Seed) -> Tenant:
        """Make a clinic for a visitor; raise `SignUpClosedError` and what `Provisioner.create` raises."""
        self.check_sign_up()
        preferred = structs.replace(request, preferred_strategy=self._options.signup_strategy)
        return await self._provisioner.create(preferred, seed)

    def login_url(self, hostname: str, seen_url: str) -> str:
        """Return where a clinic's people log in: scheme and port of the public address, else of `seen_url`."""
        parts = urlsplit(self._options.public_url or seen_url)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{hostname}{port}{LOGIN_PATH}"

    def check_sign_up(self) -> None:
        """Raise `SignUpClosedError` unless clinics may sign up by themselves."""
        if self._options.signup_policy != "open":
            raise SignUpClosedError

    async def create(self, request: NewTenant, seed: Seed) -> TenantRecord:
        """Make a clinic for an operator; raise what `Provisioner.create` raises."""
        tenant = await self._provisioner.create(request, seed)
        return await self.tenant(tenant.id)

    async def sweep(self) -> int:
        """Take back the set-ups that were left behind; return how many there were."""
        return len(await self._provisioner.sweep())

    async def tenants(
        self, *, limit: int, after: UUID | None = None, status: TenantStatus | None = None
    ) -> Sequence[TenantRecord]:
        """Return at most `limit` tenants in the order of their ids, beginning after `after`."""
        return await self._store.tenants.page(limit=limit, after=after, status=status)

    async def tenant(self, tenant_id: UUID) -> TenantRecord:
        """Return the tenant, whatever its status; raise `UnknownTenantError`."""
        return _known(await self._store.tenants.by_id(tenant_id))

    async def tenant_by_slug(self, slug: str) -> TenantRecord:
        """Return the tenant with this slug, whatever its status; raise `UnknownTenantError`."""
        return _known(await self._store.tenants.by_slug(slug))

    async def change(
        self, tenant_id: UUID, changes: Mapping[str, Any], *, version: int, actor: PlatformActor
    ) -> TenantRecord:
        """Change what is known of a tenant if it still has `version`.

        Raises `InvalidTenantFieldError`, `UnknownTenantError`, `StaleTenantError`, `NameTakenError`.
        """
        checked = checked_fields(dict(changes))
        record = await self._store.tenants.change(tenant_id, checked, version=version, actor=actor)
        self._directory.forget(record.id)
        return record

    async def suspend(
        self, tenant_id: UUID, *, actor: PlatformActor, version: int | None = None
    ) -> TenantRecord:
        """Let the clinic be read only; raise `InvalidTenantStatusError` unless it is in use."""
        return await self._change_status(
            tenant_id, TenantStatus.SUSPENDED, IN_USE, version=version, actor=actor
        )

    async def resume(
        self, tenant_id: UUID, *, actor: PlatformActor, version: int | None = None
    ) -> TenantRecord:
        """Let a suspended clinic work again as before; raise `InvalidTenantStatusError` if it is not suspended."""
        await self._store.statuses.resume(tenant_id, version=version, actor=actor)
        return await self._of_new_status(tenant_id)

    async def archive(
        self, tenant_id: UUID, *, actor: PlatformActor, version: int | None = None
    ) -> TenantRecord:
        """Hide the clinic from everybody; its rows stay. Raise `InvalidTenantStatusError` while it is set up."""
        allowed = IN_USE | {TenantStatus.SUSPENDED, TenantStatus.CANCELLED}
        return await self._change_status(
            tenant_id, TenantStatus.ARCHIVED, allowed, version=version, actor=actor
        )

    async def _change_status(
        self,
        tenant_id: UUID,
        to: TenantStatus,
        allowed: frozenset[TenantStatus],
        *,
        version: int | None,
        actor: PlatformActor,
    ) -> TenantRecord:
        await self._store.statuses.change(
            tenant_id, to=to, allowed=allowed, version=version, actor=actor
        )
        return await self._of_new_status(tenant_id)

    async def _of_new_status(self, tenant_id: UUID) -> TenantRecord:
        record = await self.tenant(tenant_id)
        # The other processes are told by the registry; this one knows it before its answer is sent.
        self._directory.forget(record.id)
        return record

    async def _at_host(self, hostname: str) -> ResolvedTenant | None:
        found = await self._directory.by_hostname(hostname)
        label = self._label(hostname)
        return await self._directory.by_slug(label) if found is None and label else found

    async def _similar(self, hostname: str) -> tuple[str, ...]:
        label = self._label(hostname) or hostname.partition(".")[0]
        try:
            similar = await self._store.tenants.similar_hostnames(
                label, limit=SUGGESTIONS_MAX, similarity_min=SIMILARITY_MIN
            )
        except (SQLAlchemyError, OSError, TimeoutError):
            return ()
        return tuple(similar)

    def _label(self, hostname: str) -> str | None:
        labels = (label_under(hostname, domain) for domain in self._options.base_domains)
        return next((label for label in labels if label), None)


def make_platform(
    tenancy: Tenancy, options: PlatformOptions, reached: Failpoint = nothing_happens
) -> Platform:
    """Return the platform of one process; new clinics get sub-domains of the first base domain."""
    provisioner = Provisioner(
        ProvisioningParts(
            store=tenancy.store,
            strategies=tenancy.strategies,
            homes=tenancy.homes,
            sessions=tenancy,
            forget=tenancy.directory.forget,
            base_domain=options.base_domains[0],
        ),
        reached,
    )
    return Platform(tenancy.store, tenancy.directory, provisioner, options)


def _known(record: TenantRecord | None) -> TenantRecord:
    if record is None:
        raise UnknownTenantError
    return record
