"""Inside one database both rows of a clinic change in one commit: the new home is never ready before the decision."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from clinics import Clinic
from moves import mover_of
from tenancy.mover.cutover import CutOver
from tenancy.mover.ends import HomeRows
from tenancy.mover.mover import MoveRequest
from tenancy.registry.move_records import MoveStatus
from tenancy.registry.records import PlatformActor
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

pytestmark = pytest.mark.usefixtures("no_move_left_open")

ROW, SCHEMA, DATABASE = StrategyName
STATES = "SELECT state FROM tenancy.tenant_home WHERE tenant_id = $1 ORDER BY state"


@pytest.mark.parametrize(
    ("target", "states"), [(SCHEMA, ["active", "loading"]), (DATABASE, ["active"])], ids=str
)
async def test_the_new_home_is_ready_with_the_decision(
    tenancy: Tenancy,
    make_clinic: Callable[..., Awaitable[Clinic]],
    monkeypatch: pytest.MonkeyPatch,
    target: StrategyName,
    states: list[str],
):
    clinic = await make_clinic(ROW)
    mover = mover_of(tenancy)
    request = MoveRequest(tenant_id=clinic.tenant_id, strategy=target)
    started = await mover.start(request, actor=PlatformActor())
    rows = HomeRows(tenancy.pools)
    decide, seen = CutOver._decide, list[Any]()

    async def seen_before(cut_over: CutOver) -> None:
        connection = await rows.connect(started.source.home)
        seen.extend(s for (s,) in await connection.fetch(STATES, clinic.tenant_id))
        await connection.close()
        await decide(cut_over)

    monkeypatch.setattr(CutOver, "_decide", seen_before)
    assert (await mover.work(started.id, stays=False)).status is MoveStatus.GRACE
    assert seen == states
