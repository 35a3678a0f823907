"""Tables of the clinic's users: accounts, their roles, and the chain of refresh tokens behind each login."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from domain.tables import TenantBase, TenantRow, VersionedRow, tenant_key, tenant_reference


class UserStatus(StrEnum):
    """Where an account stands: only active users can log in."""

    PENDING = "pending"
    ACTIVE = "active"
    BLOCKED = "blocked"
    DISABLED = "disabled"


class UserAccount(VersionedRow, TenantBase):
    """One user of one clinic; `access_version` grows whenever tokens already issued must lose their power."""

    __tablename__ = "user_account"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "email"),
        UniqueConstraint("tenant_id", "username"),
        UniqueConstraint("tenant_id", "legacy_id"),
        tenant_reference("person_id", "person", on_delete="SET NULL (person_id)"),
        CheckConstraint("status IN ('pending', 'active', 'blocked', 'disabled')", name="status"),
        CheckConstraint(
            "password_scheme IN ('argon2id', 'aspnet_identity')", name="password_scheme"
        ),
        CheckConstraint(
            "(password_hash IS NULL) = (password_scheme IS NULL)", name="password_complete"
        ),
        CheckConstraint("status <> 'active' OR password_hash IS NOT NULL", name="active_password"),
        CheckConstraint("email = lower(email) AND strpos(email, '@') > 1", name="email"),
        # A username with an @ is the account's own e-mail, so that a name at login means one account.
        CheckConstraint(
            "username <> '' AND username = lower(username)"
            " AND (strpos(username, '@') = 0 OR (email IS NOT NULL AND username = email))",
            name="username",
        ),
        CheckConstraint("failed_logins >= 0", name="failed_logins"),
        CheckConstraint("access_version >= 1", name="access_version"),
        Index(None, "tenant_id", "status"),
        Index(None, "tenant_id", "person_id"),
    )

    username: Mapped[str]
    email: Mapped[str | None]
    email_verified_at: Mapped[datetime | None]
    password_hash: Mapped[str | None]
    password_scheme: Mapped[str | None]
    password_changed_at: Mapped[datetime | None]
    must_change_password: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str]
    access_version: Mapped[int] = mapped_column(server_default=text("1"))
    first_name: Mapped[str] = mapped_column(server_default=text("''"))
    last_name: Mapped[str] = mapped_column(server_default=text("''"))
    phone: Mapped[str | None]
    language: Mapped[str] = mapped_column(server_default=text("'es'"))
    timezone: Mapped[str | None]
    avatar_document_id: Mapped[UUID | None]
    bio: Mapped[str | None]
    notifications_enabled: Mapped[bool] = mapped_column(server_default=text("true"))
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    person_id: Mapped[UUID | None]
    legacy_id: Mapped[str | None]
    last_login_at: Mapped[datetime | None]
    failed_logins: Mapped[int] = mapped_column(server_default=text("0"))
    locked_until: Mapped[datetime | None]

    roles: Mapped[list["UserRole"]] = relationship(viewonly=True, lazy="raise")


class UserRole(TenantRow, TenantBase):
    """A role that a user has in the clinic."""

    __tablename__ = "user_role"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint(
            "tenant_id", "user_id", "role", "branch_id", postgresql_nulls_not_distinct=True
        ),
        tenant_reference("user_id", "user_account", on_delete="CASCADE"),
        tenant_reference("branch_id", "branch"),
        CheckConstraint(
            "role IN ('admin', 'dentist', 'doctor', 'nurse', 'operator', 'digitizer', 'auditor', 'patient')",
            name="role",
        ),
        Index(None, "tenant_id", "role"),
    )

    user_id: Mapped[UUID]
    role: Mapped[str]
    branch_id: Mapped[UUID | None]


class AuthSession(TenantRow, TenantBase):
    """One refresh token. All tokens that descend from one login are a family and end together.

    A token is dead once a child of it was used; that it is dead is derived, so that there is one truth.
    """

    __tablename__ = "auth_session"
    __table_args__ = (
        tenant_key(),
        UniqueConstraint("tenant_id", "refresh_sha256"),
        tenant_reference("user_id", "user_account", on_delete="CASCADE"),
        tenant_reference("parent_id", "auth_session", on_delete="SET NULL (parent_id)"),
        CheckConstraint("octet_length(refresh_sha256) = 32", name="refresh_sha256"),
        CheckConstraint("expires_at > issued_at", name="expires_at"),
        CheckConstraint("(revoked_at IS NULL) = (revoke_reason IS NULL)", name="revoke_reason"),
        Index(None, "tenant_id", "user_id", "expires_at"),
        Index(None, "tenant_id", "family_id"),
        Index(None, "tenant_id", "parent_id"),
    )

    user_id: Mapped[UUID]
    refresh_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    family_id: Mapped[UUID]
    parent_id: Mapped[UUID | None]
    issued_at: Mapped[datetime]
    first_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoke_reason: Mapped[str | None]
    user_agent: Mapped[str | None]
    ip: Mapped[str | None]
