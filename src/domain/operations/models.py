"""Tables of the clinic's own running: audit trail, idempotency records, document counters, settings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from domain.tables import CURRENT_TENANT, TenantBase, new_id, tenant_key, tenant_reference


class AuditEvent(TenantBase):
    """Who did what to which row, reads of clinical data included; the database refuses to change it.

    No foreign keys: an event outlives what it speaks of.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        tenant_key(),
        CheckConstraint(
            "actor_kind IN ('user', 'system', 'anonymous', 'service', 'operator')",
            name="actor_kind",
        ),
        Index(None, "tenant_id", "at", "id"),
        Index(None, "tenant_id", "entity_type", "entity_id", "at"),
        Index(None, "tenant_id", "actor_id", "at"),
    )

    tenant_id: Mapped[UUID] = mapped_column(server_default=CURRENT_TENANT)
    id: Mapped[UUID] = mapped_column(default=new_id, insert_sentinel=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    actor_id: Mapped[UUID | None]
    actor_kind: Mapped[str]
    action: Mapped[str]
    entity_type: Mapped[str]
    entity_id: Mapped[UUID | None]
    branch_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    ip: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __mapper_args__ = {"primary_key": ["id"], "eager_defaults": False}  # noqa: RUF012  # SQLAlchemy's protocol


class IdempotencyRecord(TenantBase):
    """The answer that a POST under an `Idempotency-Key` got; `status_code` is null while it is made.

    `body_sha256` is keyed (HMAC-SHA-256): a body may hold a password. No foreign key: a key may also be a service's, which is known to the registry alone.
    """

    __tablename__ = "idempotency_record"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "user_id", "key"),)

    tenant_id: Mapped[UUID] = mapped_column(server_default=CURRENT_TENANT)
    user_id: Mapped[UUID] = mapped_column()
    key: Mapped[str] = mapped_column()
    method: Mapped[str]
    path: Mapped[str]
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    status_code: Mapped[int | None]
    response_headers: Mapped[dict[str, Any] | None]
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]

    __mapper_args__ = {"primary_key": ["user_id", "key"], "eager_defaults": False}  # noqa: RUF012  # SQLAlchemy's protocol


class DocumentCounter(TenantBase):
    """The next number of one kind of document, for the clinic or for one branch."""

    __tablename__ = "document_counter"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "kind", "branch_id", postgresql_nulls_not_distinct=True),
        tenant_reference("branch_id", "branch"),
        CheckConstraint("next_value >= 1", name="next_value"),
    )

    tenant_id: Mapped[UUID] = mapped_column(server_default=CURRENT_TENANT)
    id: Mapped[UUID] = mapped_column(default=new_id, insert_sentinel=True)
    kind: Mapped[str]
    branch_id: Mapped[UUID | None]
    prefix: Mapped[str] = mapped_column(server_default=text("''"))
    next_value: Mapped[int]

    __mapper_args__ = {"primary_key": ["id"], "eager_defaults": False}  # noqa: RUF012  # SQLAlchemy's protocol


class TenantSetting(TenantBase):
    """One namespace of the clinic's settings; its shape is in `settings_schemas`."""

    __tablename__ = "tenant_setting"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "namespace"),)

    tenant_id: Mapped[UUID] = mapped_column(server_default=CURRENT_TENANT)
    namespace: Mapped[str] = mapped_column()
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())
    updated_by: Mapped[UUID | None]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {  # noqa: RUF012  # SQLAlchemy's protocol
        "primary_key": ["namespace"],
        "eager_defaults": False,
    }
