"""Moves as the journal has them: where one stands, what is known of it, how it is written down."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from msgspec import Struct

from tenancy.tenant import Home, Placement, StrategyName, TenantId


class MoveStatus(StrEnum):
    """Where a move stands."""

    RUNNING = "running"
    GRACE = "grace"
    ROLLING_BACK = "rolling_back"
    FINISHING = "finishing"
    ABORTING = "aborting"
    FINISHED = "finished"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"

    @property
    def is_ended(self) -> bool:
        """Whether nothing is to be done any more."""
        return self in {MoveStatus.FINISHED, MoveStatus.ROLLED_BACK, MoveStatus.ABORTED}


class MoveRecord(Struct, frozen=True, kw_only=True):
    """One line of the journal."""

    id: UUID
    tenant_id: TenantId
    source: Placement
    target: Placement
    is_offline: bool
    grace_s: int
    status: MoveStatus
    phase: str
    wanted: str | None
    attempt: int
    worker: str | None
    heartbeat_at: datetime | None
    progress: dict[str, Any]
    report: dict[str, Any]
    waited_requests: int
    longest_wait_ms: float
    error: str | None
    created_at: datetime
    decided_at: datetime | None
    grace_until: datetime | None
    ended_at: datetime | None


def journal_row(
    move_id: UUID, source: Placement, target: Placement, *, is_offline: bool, grace_s: int
) -> dict[str, Any]:
    """Return the columns of a new move."""
    return {
        "id": move_id,
        "tenant_id": source.tenant_id,
        **_place("source", source),
        "source_epoch": source.epoch,
        **_place("target", target),
        "is_offline": is_offline,
        "grace_s": grace_s,
    }


def _place(side: str, placement: Placement) -> dict[str, str]:
    return {
        f"{side}_server": placement.home.server,
        f"{side}_database": placement.home.database,
        f"{side}_schema": placement.home.schema,
        f"{side}_strategy": placement.strategy.value,
    }


def move_record(columns: dict[str, Any]) -> MoveRecord:
    """Return a journal row as a record; takes `columns` apart."""
    tenant_id = TenantId(columns["tenant_id"])
    epoch = columns.pop("source_epoch")
    placements: dict[str, Any] = {}
    for side, its_epoch in (("source", epoch), ("target", epoch + 1)):
        server, database, schema, strategy = (
            columns.pop(f"{side}_{part}") for part in ("server", "database", "schema", "strategy")
        )
        placements[side] = Placement(
            tenant_id=tenant_id,
            strategy=StrategyName(strategy),
            home=Home(server, database, schema),
            epoch=its_epoch,
        )
    columns["status"] = MoveStatus(columns["status"])
    return MoveRecord(**columns, **placements)
