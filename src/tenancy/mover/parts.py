"""What a move works with, handed in by the composition root."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from tenancy.installer import Installer
from tenancy.mover.phases import Reached, nothing_happens
from tenancy.pools import Pools
from tenancy.registry.store import RegistryStore
from tenancy.strategy import Strategy
from tenancy.tenant import StrategyName, TenantId


class MoverParts(Struct, frozen=True, kw_only=True):
    """The parts of one process; `worker` names it in the journal."""

    pools: Pools
    store: RegistryStore
    installer: Installer
    strategies: Mapping[StrategyName, Strategy]
    worker: str
    forget: Callable[[TenantId], None]
    """Drops what this process believes about a clinic's place."""
    reached: Reached = nothing_happens
