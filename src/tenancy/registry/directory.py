"""What a worker process remembers of the registry: bounded, short-lived, fresher by notifications, usable without it.

A placement from here is a hint: the home itself decides, so an old answer costs a detour and never a wrong write.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

from msgspec import structs
from sqlalchemy.exc import SQLAlchemyError

from tenancy.errors import TenancyError
from tenancy.registry.errors import RegistryUnavailableError
from tenancy.registry.notices import Connect, RegistryNotices
from tenancy.registry.records import TenantRecord
from tenancy.tenant import Placement, ResolvedTenant, Server, TenantId, TenantStatus

ENTRIES_MAX: Final = 50_000
NOBODY_TTL_S: Final = 3.0
NOBODY_MAX: Final = 2_000
"""Names that belong to nobody are kept apart, so that asking for random ones cannot push the clinics out."""

SERVERS_NOTICE: Final = "servers"

_FAILURES = (SQLAlchemyError, OSError, TimeoutError, TenancyError)
"""What a lookup raises when the registry cannot be asked."""

Key = tuple[str, str | UUID]


class TenantSource(Protocol):
    """Where tenants are looked up when they are not remembered."""

    async def by_id(self, tenant_id: UUID) -> TenantRecord | None:
        """Return the tenant, None when there is none."""

    async def by_slug(self, slug: str) -> TenantRecord | None:
        """Return the tenant with this slug."""

    async def by_hostname(self, hostname: str) -> TenantRecord | None:
        """Return the tenant at this host name."""


class Registry(Protocol):
    """The part of the store that the directory remembers."""

    @property
    def tenants(self) -> TenantSource:
        """The tenants."""

    async def server(self, name: str) -> Server | None:
        """Return how the server is reached, None when there is none."""


class _Entry:
    """One answer and the moment after which it is asked for again."""

    __slots__ = ("expires_at", "resolved")

    def __init__(self, resolved: ResolvedTenant, expires_at: float) -> None:
        self.resolved = resolved
        self.expires_at = expires_at


class TenantDirectory:
    """Finds tenants by id, slug and host name, mostly from memory.

    Archived clinics and those without a placement are unknown here.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        listen: Connect,
        ttl_s: float,
        entries_max: int = ENTRIES_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._notices = RegistryNotices(listen, self._hear, self.expire_all)
        self._ttl_s = ttl_s
        self._entries_max = entries_max
        self._clock = clock
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._keys: dict[TenantId, set[Key]] = {}
        self._nobody: dict[Key, float] = {}
        self._loads: dict[Key, asyncio.Task[ResolvedTenant | None]] = {}
        self._servers: dict[str, Server] = {}
        self._servers_before: dict[str, Server] = {}

    async def open(self) -> None:
        """Begin to listen for changes; returns at once, whether the registry answers or not."""
        await self._notices.start()

    async def close(self) -> None:
        """Stop listening; what is under way is given up."""
        await self._notices.stop()
        loads, self._loads = list(self._loads.values()), {}
        for load in loads:
            load.cancel()
        await asyncio.gather(*loads, return_exceptions=True)

    async def listening(self) -> None:
        """Return once changes are heard."""
        await self._notices.listening()

    async def by_id(self, tenant_id: UUID) -> ResolvedTenant | None:
        """Return the tenant, None when there is none; raise `RegistryUnavailableError` when nobody can tell."""
        return await self._find(("id", tenant_id))

    async def by_slug(self, slug: str) -> ResolvedTenant | None:
        """Return the tenant with this slug; as `by_id`."""
        return await self._find(("slug", slug))

    async def by_hostname(self, hostname: str) -> ResolvedTenant | None:
        """Return the tenant at this normalised host name; as `by_id`."""
        return await self._find(("hostname", hostname))

    async def refreshed(self, tenant_id: UUID) -> ResolvedTenant | None:
        """Return the tenant as the registry has it now; what was known of it if the registry does not answer."""
        self._loads.pop(("id", tenant_id), None)
        for key in self._keys.get(TenantId(tenant_id), ()):
            self._entries[key].expires_at = -math.inf
        return await self.by_id(tenant_id)

    async def server(self, name: str) -> Server | None:
        """Return how a server is reached, None when there is none; raise `RegistryUnavailableError`."""
        known = self._servers
        if name not in known:
            try:
                server = await self._registry.server(name)
            except _FAILURES as error:
                if name in self._servers_before:
                    return self._servers_before[name]
                raise RegistryUnavailableError from error
            if server is None:
                return None
            known[name] = server
        return known[name]

    def learn(self, placement: Placement) -> None:
        """Take note of a newer home that a home has told of."""
        for key in self._keys.get(placement.tenant_id, ()):
            entry = self._entries[key]
            if entry.resolved.placement.epoch < placement.epoch:
                entry.resolved = structs.replace(entry.resolved, placement=placement)

    def forget(self, tenant_id: TenantId) -> None:
        """Drop what is remembered of a tenant, and who was found to be nobody: it may be this one now."""
        self._loads.clear()
        self._nobody.clear()
        for key in self._keys.pop(tenant_id, ()):
            del self._entries[key]

    def forget_servers(self) -> None:
        """Ask for the servers again; until the registry answers, what was known of them holds."""
        # A new dictionary, so that an answer that is under way does not get into it.
        self._servers_before |= self._servers
        self._servers = {}

    def expire_all(self) -> None:
        """Ask for everything again at its next use; until the registry answers, what was known holds."""
        self._loads.clear()
        self._nobody.clear()
        self.forget_servers()
        for entry in self._entries.values():
            entry.expires_at = -math.inf

    def _hear(self, payload: str) -> None:
        if payload == SERVERS_NOTICE:
            self.forget_servers()
            return
        try:
            self.forget(TenantId(UUID(payload)))
        except ValueError:
            self.expire_all()

    async def _find(self, key: Key) -> ResolvedTenant | None:
        entry = self._entries.get(key)
        now = self._clock()
        if entry is not None and entry.expires_at > now:
            self._entries.move_to_end(key)
            return entry.resolved
        if self._nobody.get(key, -math.inf) > now:
            return None
        return await self._load(key, entry)

    async def _load(self, key: Key, known: _Entry | None) -> ResolvedTenant | None:
        """Ask the registry, once for all who wait for the same key; fall back to what is known."""
        task = self._loads.get(key)
        if task is None:
            task = self._loads[key] = asyncio.create_task(self._ask(key))
            task.add_done_callback(_look_at_result)
        try:
            # One caller that gives up must not take the answer away from the others.
            return await asyncio.shield(task)
        except _FAILURES as error:
            if known is not None:
                return known.resolved
            raise RegistryUnavailableError from error

    async def _ask(self, key: Key) -> ResolvedTenant | None:
        me = asyncio.current_task()
        try:
            record = await self._look_up(key)
        except BaseException:
            if self._loads.get(key) is me:
                del self._loads[key]
            raise
        usable = record is not None and record.status is not TenantStatus.ARCHIVED
        resolved = record.resolved() if record is not None and usable else None
        # Whoever was told of a change since this question was asked has taken it off the list: its answer is old.
        if self._loads.get(key) is me:
            del self._loads[key]
            self._remember(key, resolved)
        return resolved

    async def _look_up(self, key: Key) -> TenantRecord | None:
        kind, value = key
        tenants = self._registry.tenants
        if isinstance(value, UUID):
            return await tenants.by_id(value)
        return await (tenants.by_slug(value) if kind == "slug" else tenants.by_hostname(value))

    def _remember(self, key: Key, resolved: ResolvedTenant | None) -> None:
        self._drop(key)
        if resolved is None:
            if len(self._nobody) >= NOBODY_MAX:
                self._nobody.clear()
            self._nobody[key] = self._clock() + NOBODY_TTL_S
            return
        self._entries[key] = _Entry(resolved, self._clock() + self._ttl_s)
        self._keys.setdefault(resolved.tenant.id, set()).add(key)
        while len(self._entries) > self._entries_max:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            tenant_id = entry.resolved.tenant.id
            self._keys[tenant_id].discard(key)
            if not self._keys[tenant_id]:
                del self._keys[tenant_id]


def _look_at_result(task: asyncio.Task[ResolvedTenant | None]) -> None:
    """Take note of a failure that nobody waits for any more, so that asyncio does not report it as lost."""
    if not task.cancelled():
        task.exception()
