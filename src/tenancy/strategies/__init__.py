"""The table of strategies: name to implementation, nothing else."""

from tenancy.installer import Installer
from tenancy.pools import Pools
from tenancy.strategies.database import DatabaseStrategy
from tenancy.strategies.row import RowStrategy
from tenancy.strategies.schema import SchemaStrategy
from tenancy.strategy import Strategy
from tenancy.tenant import StrategyName


def all_strategies(
    installer: Installer, pools: Pools, pool_database: str
) -> dict[StrategyName, Strategy]:
    """Return every strategy by its name."""
    strategies: list[Strategy] = [
        RowStrategy(installer, pools, pool_database),
        SchemaStrategy(installer, pool_database),
        DatabaseStrategy(installer, pools),
    ]
    return {strategy.name: strategy for strategy in strategies}
