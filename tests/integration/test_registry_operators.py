"""Operators and their logins as the registry keeps them: lazy rotation, reuse, log-out, block."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tenancy.credentials import DatabaseRole
from tenancy.registry.errors import OperatorExistsError
from tenancy.registry.operators import LoginDetails
from tenancy.registry.records import SYSTEM
from tenancy.registry.store import RegistryStore
from tenancy.runtime import Tenancy


@pytest.fixture
def store(tenancy: Tenancy) -> RegistryStore:
    return tenancy.store


@pytest.fixture
async def owner(tenancy: Tenancy) -> AsyncIterator[Any]:
    """A connection that acts as the owner of the registry's tables."""
    connection = await tenancy.pools.connect(
        "main", tenancy.options.registry_database, DatabaseRole.MIGRATOR
    )
    await connection.execute("SET ROLE clinic_owner")
    yield connection
    await connection.close()


def login_details() -> LoginDetails:
    return LoginDetails(
        refresh_sha256=secrets.token_bytes(32), expires_at=datetime.now(UTC) + timedelta(days=7)
    )


@pytest.fixture
async def operator_id(store: RegistryStore) -> UUID:
    email = f"op{secrets.token_hex(4)}@example.com"
    return (await store.operators.add(email, "hash", "operator", SYSTEM)).id


async def test_operator_has_an_address_of_their_own(store: RegistryStore) -> None:
    email = f"op{secrets.token_hex(4)}@example.com"
    await store.operators.add(email, "hash", "support", SYSTEM)
    with pytest.raises(OperatorExistsError):
        await store.operators.add(email.upper(), "hash", "support", SYSTEM)


async def test_old_refresh_token_lives_until_the_new_one_is_used(
    store: RegistryStore, operator_id: UUID
) -> None:
    first, second, third = login_details(), login_details(), login_details()
    await store.operators.log_in(operator_id, first, None, SYSTEM)
    assert await store.operators.exchange(first.refresh_sha256, second) is not None
    # The answer was lost: the first token is presented again.
    assert await store.operators.exchange(first.refresh_sha256, login_details()) is not None
    exchanged = await store.operators.exchange(second.refresh_sha256, third)
    assert exchanged is not None
    assert await store.operators.at_work(operator_id, exchanged[1]) is not None
    # Now it is a copy in strange hands: the whole login ends.
    assert await store.operators.exchange(first.refresh_sha256, login_details()) is None
    assert await store.operators.exchange(third.refresh_sha256, login_details()) is None
    assert await store.operators.at_work(operator_id, exchanged[1]) is None


async def test_log_out_ends_every_token_of_that_login_only(
    store: RegistryStore, operator_id: UUID
) -> None:
    one, another = login_details(), login_details()
    session_id = await store.operators.log_in(operator_id, one, None, SYSTEM)
    kept = await store.operators.log_in(operator_id, another, None, SYSTEM)
    successor = login_details()
    await store.operators.exchange(one.refresh_sha256, successor)
    await store.operators.log_out(operator_id, session_id, SYSTEM)
    assert await store.operators.exchange(one.refresh_sha256, login_details()) is None
    assert await store.operators.exchange(successor.refresh_sha256, login_details()) is None
    assert await store.operators.at_work(operator_id, session_id) is None
    assert await store.operators.at_work(operator_id, kept) is not None


async def test_blocked_operator_is_out_at_once(
    store: RegistryStore, operator_id: UUID, owner: Any
) -> None:
    details = login_details()
    session_id = await store.operators.log_in(operator_id, details, None, SYSTEM)
    await owner.execute(
        "UPDATE registry.operator SET status = 'blocked' WHERE id = $1", operator_id
    )
    assert await store.operators.at_work(operator_id, session_id) is None
    assert await store.operators.exchange(details.refresh_sha256, login_details()) is None
