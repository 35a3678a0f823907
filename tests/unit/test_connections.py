"""How many connections the workers may open is counted with everything that opens one."""

import pytest

from app.cli.connections import needed_for_clinics, needed_on_main
from app.settings import Settings
from tenancy.pools import REGISTRY_POOL_SIZE
from tenancy.provisioning import SETUPS_AT_ONCE_MAX


@pytest.fixture
def two_workers() -> Settings:
    return Settings.from_environment(
        {
            "CLINIC_WORKERS": "2",
            "CLINIC_CONNECTIONS_MAX_PER_WORKER": "40",
            "CLINIC_POOL_SIZE_SHARED": "12",
            "CLINIC_POOL_SIZE_DEDICATED": "4",
        }
    )


@pytest.mark.parametrize(("capacity", "in_pools"), [(1, 16), (7, 40), (1000, 40)])
def test_set_ups_are_counted_beside_the_pools(
    two_workers: Settings, capacity: int, in_pools: int
) -> None:
    assert needed_for_clinics(two_workers, capacity) == 2 * (in_pools + SETUPS_AT_ONCE_MAX)


def test_main_server_is_counted_with_registry_listener_and_readiness(two_workers: Settings) -> None:
    registry = REGISTRY_POOL_SIZE + 2
    assert needed_on_main(two_workers, is_pooled=False) == 2 * (40 + SETUPS_AT_ONCE_MAX + registry)
    assert needed_on_main(two_workers, is_pooled=True) == 2 * (SETUPS_AT_ONCE_MAX + registry)
