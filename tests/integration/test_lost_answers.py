"""A home whose server dies right after it has said where the clinic is: what it said still holds."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import select

from clinics import Clinic
from domain.organisation.models import Branch
from hand_move import move_by_hand
from tenancy.modes import Mode
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName


@pytest.mark.parametrize(
    "lost",
    [
        # What the driver says when the server's last words lie behind its answer.
        asyncpg.InternalClientError(
            "cannot switch to state 15; another operation (2) is in progress"
        ),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection due to unexpected postmaster exit"),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_the_clinic_is_found_where_a_dying_server_said(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
    lost: Exception,
) -> None:
    clinic = await make_clinic(StrategyName.ROW)
    resolved = await tenancy.directory.by_id(clinic.tenant_id)
    assert resolved is not None
    await move_by_hand(tenancy, resolved.placement, StrategyName.SCHEMA)
    execute, failed = asyncpg.Connection.execute, []

    async def loses_the_rollback(self: Any, query: str, *args: Any, **options: Any) -> Any:
        if query == "ROLLBACK" and not failed:
            failed.append(query)
            raise lost
        return await execute(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", loses_the_rollback)
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = (await session.scalars(select(Branch.id))).all()

    assert failed
    assert found
