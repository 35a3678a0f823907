"""The table of moves, apart from the others of schema `registry`: the journal of what changes them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from tenancy.registry.models import RegistryBase


class MoveRow(RegistryBase):
    """One move of a clinic from a home to another; kept when the clinic is gone."""

    __tablename__ = "move"
    __table_args__ = (
        Index("uq_move_open", "tenant_id", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_move_tenant_id", "tenant_id", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    source_server: Mapped[str]
    source_database: Mapped[str]
    source_schema: Mapped[str]
    source_strategy: Mapped[str]
    source_epoch: Mapped[int] = mapped_column(BigInteger)
    target_server: Mapped[str]
    target_database: Mapped[str]
    target_schema: Mapped[str]
    target_strategy: Mapped[str]
    is_offline: Mapped[bool] = mapped_column(server_default=text("false"))
    grace_s: Mapped[int]
    status: Mapped[str] = mapped_column(server_default=text("'running'"))
    phase: Mapped[str] = mapped_column(server_default=text("'planned'"))
    wanted: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    worker: Mapped[str | None]
    heartbeat_at: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    report: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    waited_requests: Mapped[int] = mapped_column(server_default=text("0"))
    longest_wait_ms: Mapped[float] = mapped_column(server_default=text("0"))
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    decided_at: Mapped[datetime | None]
    grace_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
