"""Ends a move of which the journal alone speaks: the registry was restored from a backup, and the clinic has moved on."""

import logging
from typing import Any

from tenancy.mover.ends import HomeRows
from tenancy.mover.parts import MoverParts
from tenancy.mover.plan import MovePlan, StreamNames
from tenancy.mover.slots import Replication
from tenancy.registry.move_records import MoveStatus
from tenancy.tenant import Placement

TOLD = "the homes speak of a later move: the journal is older than they are"

log = logging.getLogger(__name__)


class OutdatedMove:
    """A move that has ended long since; its homes are another one's business now and are left as they are."""

    def __init__(self, parts: MoverParts, plan: MovePlan) -> None:
        self._parts = parts
        self._plan = plan
        self._rows = HomeRows(parts.pools)

    async def end(self, report: dict[str, Any]) -> MoveStatus:
        """Tell the registry where the clinic is, remove the streams of this move, and close it, with the reason."""
        plan, moves = self._plan, self._parts.store.moves
        found = await self.whereabouts()
        if found is not None:
            await self._parts.store.tenants.place(found)
            self._parts.forget(plan.tenant_id)
        for placement, names in (
            (plan.source, StreamNames.forward(plan.move_id)),
            (plan.target, StreamNames.reverse(plan.move_id)),
        ):
            await Replication(self._parts.pools, placement.home).withdraw(names)
        where = "no home has it" if found is None else f"the clinic is at {_told(found)}"
        log.warning("move %s: %s; %s", plan.move_id, TOLD, where)
        await moves.note(plan.move_id, error=f"{TOLD}; {where}")
        await moves.end(plan.move_id, MoveStatus.ABORTED, report=report)
        return MoveStatus.ABORTED

    async def whereabouts(self) -> Placement | None:
        """Return where the clinic's homes say that it is: the one with the highest epoch that takes it in.

        Homes are named by the clinic's id, so that every place where it can be is known. Raises
        `ServerUnavailableError` while one of them cannot be asked.
        """
        tenant_id = self._plan.tenant_id
        found: Placement | None = None
        for server in await self._parts.store.servers.all():
            for name, strategy in self._parts.strategies.items():
                home = strategy.home_for(tenant_id, server.name)
                place = Placement(tenant_id=tenant_id, strategy=name, home=home, epoch=0)
                row = await self._rows.settled(place)
                if row is None or row.state != "active":
                    continue
                if found is None or row.epoch > found.epoch:
                    found = Placement(
                        tenant_id=tenant_id, strategy=name, home=home, epoch=row.epoch
                    )
        return found


def _told(placement: Placement) -> str:
    home = placement.home
    return f"{placement.strategy.value} {home.server}/{home.database}/{home.schema}"
