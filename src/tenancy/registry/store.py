"""The registry as its users see it: one object for each kind of thing that it keeps."""

from sqlalchemy.ext.asyncio import AsyncEngine

from tenancy.registry.home_revisions import HomeRevisions
from tenancy.registry.moves import MoveRecords
from tenancy.registry.operators import OperatorRecords
from tenancy.registry.repeats import RepeatRecords
from tenancy.registry.servers import PlanRecords, ServerRecords
from tenancy.registry.statuses import StatusRecords
from tenancy.registry.steps import ProvisioningRecords
from tenancy.registry.tenants import TenantRecords
from tenancy.tenant import Server


class RegistryStore:
    """Reads and writes the control plane as `clinic_registry`; who made the engine disposes of it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.tenants = TenantRecords(engine)
        self.statuses = StatusRecords(engine)
        self.repeats = RepeatRecords(engine)
        self.servers = ServerRecords(engine)
        self.plans = PlanRecords(engine)
        self.operators = OperatorRecords(engine)
        self.moves = MoveRecords(engine)
        self.home_revisions = HomeRevisions(engine)
        self.provisioning = ProvisioningRecords(engine)

    async def server(self, name: str) -> Server | None:
        """Return how the server is reached, None when there is none."""
        return await self.servers.by_name(name)
