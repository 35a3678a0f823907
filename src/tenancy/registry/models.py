"""The tables of schema `registry`: the control plane. They hold no clinical data and no clinic user.

The law is the SQL in `alembic/registry`; a test compares it with these models.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "registry"

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class RegistryBase(DeclarativeBase):
    """Base of the registry's tables; all of them name their schema."""

    metadata = MetaData(schema=SCHEMA, naming_convention=_NAMING)
    type_annotation_map = {  # noqa: RUF012  # read once by SQLAlchemy
        str: Text(),
        bytes: LargeBinary(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        list[str]: ARRAY(Text()),
        UUID: Uuid(),
    }


class VersionedRow:
    """What rows that people change have: two times and the version that is their ETag."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=91)
    version: Mapped[int] = mapped_column(server_default=text("1"), sort_order=92)


class PlanRow(VersionedRow, RegistryBase):
    """What a clinic pays for, its quotas and the strategies it may have; the first one is the default."""

    __tablename__ = "plan"
    __table_args__ = (UniqueConstraint("code"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    code: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    price_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    duration_days: Mapped[int]
    max_users: Mapped[int] = mapped_column(server_default=text("10"))
    max_patients: Mapped[int] = mapped_column(server_default=text("500"))
    max_branches: Mapped[int] = mapped_column(server_default=text("3"))
    max_documents: Mapped[int] = mapped_column(server_default=text("1000"))
    max_storage_mb: Mapped[int] = mapped_column(server_default=text("1000"))
    max_agents: Mapped[int] = mapped_column(server_default=text("10"))
    allowed_strategies: Mapped[list[str]]
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))


class ReservedSlugRow(RegistryBase):
    """A name that no clinic may take, and why."""

    __tablename__ = "reserved_slug"

    slug: Mapped[str] = mapped_column(primary_key=True)
    why: Mapped[str]


class TenantRow(VersionedRow, RegistryBase):
    """One clinic."""

    __tablename__ = "tenant"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    slug: Mapped[str]
    name: Mapped[str]
    description: Mapped[str | None]
    vertical: Mapped[str]
    country: Mapped[str]
    timezone: Mapped[str]
    currency: Mapped[str]
    language: Mapped[str]
    admin_email: Mapped[str]
    phone: Mapped[str | None]
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id"), index=True)
    status: Mapped[str]
    status_changed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    backup_schedule: Mapped[str | None]
    listed_in_suggestions: Mapped[bool] = mapped_column(server_default=text("true"))
    legacy_id: Mapped[str | None]
    status_before_suspension: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("slug"),
        UniqueConstraint("legacy_id"),
        Index("uq_tenant_name", text("lower(name)"), unique=True),
        Index("ix_tenant_provisioning", "id", postgresql_where=text("status = 'provisioning'")),
        Index(
            "ix_tenant_slug_trigram",
            "slug",
            postgresql_using="gist",
            postgresql_ops={"slug": "extensions.gist_trgm_ops"},
        ),
    )


class TenantDomainRow(RegistryBase):
    """A host name at which a clinic answers: lower case, without port or trailing dot, IDNA-encoded."""

    __tablename__ = "tenant_domain"
    __table_args__ = (
        UniqueConstraint("hostname"),
        Index(
            "uq_tenant_domain_primary",
            "tenant_id",
            unique=True,
            postgresql_where=text("is_primary"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenant.id", ondelete="CASCADE"), index=True)
    hostname: Mapped[str]
    kind: Mapped[str]
    is_primary: Mapped[bool] = mapped_column(server_default=text("false"))
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DatabaseServerRow(VersionedRow, RegistryBase):
    """One PostgreSQL server that may hold tenants; no password is kept here, at most the name of a secret."""

    __tablename__ = "database_server"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    host: Mapped[str]
    port: Mapped[int]
    tls: Mapped[bool] = mapped_column(server_default=text("false"))
    pooler_host: Mapped[str | None]
    pooler_port: Mapped[int | None]
    dsn_secret_ref: Mapped[str | None]
    tier: Mapped[str] = mapped_column(server_default=text("'shared'"))
    capacity: Mapped[int] = mapped_column(server_default=text("1000"))
    status: Mapped[str] = mapped_column(server_default=text("'open'"))


class PlacementRow(RegistryBase):
    """Where the registry believes a clinic's home is."""

    __tablename__ = "placement"
    __table_args__ = (
        Index(
            "uq_placement_home",
            "server_id",
            "database_name",
            "schema_name",
            unique=True,
            postgresql_where=text("strategy <> 'row'"),
        ),
    )

    tenant_id: Mapped[UUID] = mapped_column(
        ForeignKey("tenant.id", ondelete="CASCADE"), primary_key=True
    )
    server_id: Mapped[UUID] = mapped_column(ForeignKey("database_server.id"), index=True)
    database_name: Mapped[str]
    strategy: Mapped[str]
    schema_name: Mapped[str]
    epoch: Mapped[int] = mapped_column(BigInteger)
    since: Mapped[datetime] = mapped_column(server_default=func.now())


class ProvisioningStepRow(RegistryBase):
    """How far the set-up of a clinic came; kept when the set-up was taken back."""

    __tablename__ = "provisioning_step"

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    step: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(server_default=text("1"))
    error: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class OperatorRow(VersionedRow, RegistryBase):
    """Somebody who runs the platform; never a user of a clinic."""

    __tablename__ = "operator"
    __table_args__ = (UniqueConstraint("email"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    password_hash: Mapped[str]
    role: Mapped[str]
    totp_secret_ref: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default=text("'active'"))
    last_login_at: Mapped[datetime | None]


class OperatorSessionRow(RegistryBase):
    """One refresh token of an operator, known by its hash; a family is one login and what was rotated from it."""

    __tablename__ = "operator_session"
    __table_args__ = (UniqueConstraint("refresh_sha256"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    operator_id: Mapped[UUID] = mapped_column(
        ForeignKey("operator.id", ondelete="CASCADE"), index=True
    )
    refresh_sha256: Mapped[bytes]
    family_id: Mapped[UUID] = mapped_column(index=True)
    parent_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("operator_session.id", ondelete="SET NULL"), index=True
    )
    issued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    first_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None]
    user_agent: Mapped[str | None]
    ip: Mapped[str | None]


class PlatformAuditEventRow(RegistryBase):
    """Who did what to the platform; only grows."""

    __tablename__ = "platform_audit_event"
    __table_args__ = (Index("ix_platform_audit_event_tenant_id", "tenant_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    actor_id: Mapped[UUID | None]
    actor_kind: Mapped[str]
    action: Mapped[str]
    entity_type: Mapped[str]
    entity_id: Mapped[UUID | None]
    tenant_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    ip: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class RateLimitRow(RegistryBase):
    """How often something happened in one window of time; unlogged, so a crash may forget it."""

    __tablename__ = "rate_limit"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012  # SQLAlchemy's protocol

    bucket: Mapped[bytes] = mapped_column(primary_key=True)
    window_start: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    count: Mapped[int] = mapped_column(server_default=text("0"))


class IdempotencyRecordRow(RegistryBase):
    """The answer that a POST to the platform under an `Idempotency-Key` got; `status_code` is null while it is made."""

    __tablename__ = "idempotency_record"

    caller_id: Mapped[UUID] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    method: Mapped[str]
    path: Mapped[str]
    fingerprint: Mapped[bytes]
    attempt: Mapped[UUID]
    held_until: Mapped[datetime]
    status_code: Mapped[int | None]
    response_headers: Mapped[dict[str, Any] | None]
    response_body: Mapped[bytes | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)
