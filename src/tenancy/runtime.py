"""Everything tenancy needs in one process, opened and closed together; made by the composition root."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self

from msgspec import Struct

from tenancy.admission import Admission, AdmissionLimits
from tenancy.credentials import Credentials, DatabaseRole
from tenancy.entrance import Entrance, PlacementHints
from tenancy.errors import NoTenantError, ServerUnavailableError, UnknownTenantError
from tenancy.fence import FenceQueues, FenceWaits
from tenancy.homes import Homes
from tenancy.installer import Installer
from tenancy.modes import Login, Mode
from tenancy.pools import PoolLimits, Pools
from tenancy.registry.directory import TenantDirectory
from tenancy.registry.store import RegistryStore
from tenancy.session import TenantSession, open_session
from tenancy.strategies import all_strategies
from tenancy.tenant import Placement, Server, StrategyName, TenantId

CLOSE_S_MAX: Final = 5.0
"""The driver itself waits without limit for a server that has stopped answering, one connection after the other."""

log = logging.getLogger(__name__)


class TenancyOptions(Struct, frozen=True, kw_only=True):
    """What the composition root decides about tenancy."""

    main_server: Server
    role_secret: str
    registry_database: str = "clinic_registry"
    pool_database: str = "clinic_pool"
    pool_limits: PoolLimits = PoolLimits()
    admission_limits: AdmissionLimits = AdmissionLimits()
    move_wait_s_max: float = 10.0
    cache_s_max: float = 60.0


class Tenancy:
    """Opens tenant sessions; owns the pools, the registry and the cache of placements."""

    def __init__(self, options: TenancyOptions) -> None:
        self.options = options
        self.credentials = Credentials(options.role_secret)
        self.pools = Pools(self.credentials, self._server, self._is_dedicated, options.pool_limits)
        self.registry_engine = self.pools.registry_engine(
            options.main_server, options.registry_database
        )
        self.store = RegistryStore(self.registry_engine)
        self.directory = TenantDirectory(
            self.store,
            listen=self._listening_connection,
            ttl_s=options.cache_s_max,
        )
        self.installer = Installer(self.pools)
        self.homes = Homes(self.pools)
        self.strategies = all_strategies(self.installer, self.pools, options.pool_database)
        self._admission = Admission(options.admission_limits)
        self._fences = FenceQueues(options.admission_limits.queue_max)
        self._hints = PlacementHints(self._placement, self._fresh_placement, self.directory.learn)

    def take_fence_waits(self) -> dict[TenantId, FenceWaits]:
        """Return how many transactions waited at each clinic's fence since the last call."""
        return self._fences.take_waits()

    async def open(self) -> None:
        """Start listening for changes of the registry."""
        await self.directory.open()

    async def __aenter__(self) -> Self:
        """Open, and close at the end of the block."""
        await self.open()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Stop listening and close every connection; those of servers that do not answer are left behind in the end."""
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await self.directory.close()
                await self.pools.close()
                await self.registry_engine.dispose()
        except TimeoutError:
            log.warning("connections could not be closed in %.0f s and are dropped", CLOSE_S_MAX)

    @asynccontextmanager
    async def session(
        self, tenant_id: TenantId | None, mode: Mode, login: Login | None = None
    ) -> AsyncIterator[TenantSession]:
        """Yield a session of the tenant: committed at the end, rolled back and closed on any error.

        No input or output happens before its first statement. Raises `NoTenantError` without a tenant.
        """
        if tenant_id is None:
            raise NoTenantError
        session = open_session(
            Entrance(
                tenant_id,
                mode=mode,
                login=login,
                hints=self._hints,
                pools=self.pools,
                admission=self._admission,
                fences=self._fences,
                wait_s_max=self.options.move_wait_s_max,
            )
        )
        try:
            yield session
            await session.commit()
        except BaseException:
            # Shielded: a cancelled request must still give its connection and its place back.
            await asyncio.shield(asyncio.ensure_future(session.close()))
            raise
        await session.close()

    async def _placement(self, tenant_id: TenantId) -> Placement:
        resolved = await self.directory.by_id(tenant_id)
        if resolved is None:
            raise UnknownTenantError
        return resolved.placement

    async def _fresh_placement(self, tenant_id: TenantId) -> Placement:
        resolved = await self.directory.refreshed(tenant_id)
        if resolved is None:
            raise UnknownTenantError
        return resolved.placement

    def _is_dedicated(self, name: StrategyName) -> bool:
        return self.strategies[name].is_dedicated

    async def _server(self, name: str) -> Server:
        """Return how a server is reached; our own is known even while the registry is not."""
        if name == self.options.main_server.name:
            return self.options.main_server
        server = await self.directory.server(name)
        if server is None:
            raise ServerUnavailableError(f"unknown server {name}")
        return server

    async def _listening_connection(self) -> object:
        """Return a driver connection of its own on the registry, for LISTEN."""
        return await self.pools.connect(
            self.options.main_server.name, self.options.registry_database, DatabaseRole.REGISTRY
        )
