"""The shapes in which operators ask for moves and see them; the command line shows the same."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from controllers.platform_tenant_shapes import Code, PlacementOut, shown_placement
from tenancy.moves import (
    GRACE_HOURS_DEFAULT,
    GRACE_HOURS_MAX,
    MovePreview,
    MoveProgress,
    MoveRecord,
    MoveRequest,
    MoveStatus,
    PreflightReport,
    grace_seconds,
    tenant_of,
)
from tenancy.tenant import StrategyName, TenantId

GraceHours = Annotated[
    float,
    Meta(ge=0, le=GRACE_HOURS_MAX, description="How long the way back is kept."),
]


class MoveIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to and how; without a server the clinic stays on its own."""

    strategy: StrategyName
    server: Code | None = None
    grace_hours: GraceHours = GRACE_HOURS_DEFAULT
    keeps_way_back: bool = False
    is_offline: bool = False
    is_forced: bool = False
    dry_run: bool = False

    def request(self, tenant: UUID) -> MoveRequest:
        """Return what is asked of the mover."""
        return MoveRequest(
            tenant_id=TenantId(tenant),
            strategy=self.strategy,
            server=self.server,
            is_offline=self.is_offline,
            grace_s=grace_seconds(self.grace_hours),
            keeps_way_back=self.keeps_way_back,
            is_forced=self.is_forced,
        )


class MovePreviewOut(Struct, frozen=True, kw_only=True):
    """What a move would do and take; with refusals it would not be started."""

    tenant: UUID
    source: PlacementOut
    target: PlacementOut
    is_offline: bool
    report: PreflightReport


class MovedTableOut(Struct, frozen=True, kw_only=True):
    """One table as both homes had it; the hash does not depend on the order of the rows."""

    name: str
    rows: int
    hash: str


class MoveReportOut(Struct, frozen=True, kw_only=True):
    """What came of a move; what it has not come to yet is null."""

    pause_ms: float | None
    cut_overs: int | None
    rollback_pause_ms: float | None
    waited_requests: int
    longest_wait_ms: float
    tables: list[MovedTableOut]


class MoveOut(Struct, frozen=True, kw_only=True):
    """A move as operators see it."""

    id: UUID
    tenant: UUID
    source: PlacementOut
    target: PlacementOut
    status: MoveStatus
    phase: str
    wanted: str | None
    is_offline: bool
    grace_hours: float
    attempt: int
    worker: str | None
    heartbeat_at: datetime | None
    progress: MoveProgress | None
    report: MoveReportOut
    error: str | None
    created_at: datetime
    decided_at: datetime | None
    grace_until: datetime | None
    ended_at: datetime | None


SAME_AS_RECORDED = (
    "id",
    "status",
    "phase",
    "wanted",
    "is_offline",
    "attempt",
    "worker",
    "heartbeat_at",
    "error",
    "created_at",
    "decided_at",
    "grace_until",
    "ended_at",
)


def shown_move(record: MoveRecord) -> MoveOut:
    """Return the move as operators see it."""
    return MoveOut(
        **{name: getattr(record, name) for name in SAME_AS_RECORDED},
        tenant=tenant_of(record),
        source=shown_placement(record.source),
        target=shown_placement(record.target),
        grace_hours=record.grace_s / grace_seconds(1),
        progress=read_progress(record),
        report=shown_report(record),
    )


def shown_preview(preview: MovePreview) -> MovePreviewOut:
    """Return what a move would do as operators see it."""
    plan = preview.plan
    return MovePreviewOut(
        tenant=tenant_of(plan),
        source=shown_placement(plan.source),
        target=shown_placement(plan.target),
        is_offline=plan.is_offline,
        report=preview.report,
    )


def shown_report(record: MoveRecord) -> MoveReportOut:
    """Return what the journal keeps of the outcome, as operators see it."""
    report = record.report
    tables: dict[str, Any] = report.get("tables", {})
    return MoveReportOut(
        pause_ms=report.get("pause_ms"),
        cut_overs=report.get("cut_overs"),
        rollback_pause_ms=report.get("rollback_pause_ms"),
        waited_requests=record.waited_requests,
        longest_wait_ms=record.longest_wait_ms,
        tables=[
            MovedTableOut(name=name, rows=table["rows"], hash=table["hash"])
            for name, table in sorted(tables.items())
        ],
    )


def read_progress(record: MoveRecord) -> MoveProgress | None:
    """Return how far the move was at its last heartbeat; None before the first."""
    return msgspec.convert(record.progress, MoveProgress) if record.progress else None
