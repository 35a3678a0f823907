"""The shape every tenant table has: composite key, tenant default, row metadata.

`tenant_id` is filled by the database from the transaction's scope; nothing above this file names it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from uuid_utils.compat import uuid7

CURRENT_TENANT = text("(nullif(current_setting('app.tenant_id', true), '')::uuid)")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

new_id: Callable[[], UUID] = uuid7


class TenantBase(DeclarativeBase):
    """Base of all tenant tables; has no schema, the transaction's search path says where they are."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  # read once by SQLAlchemy
        str: Text(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
        UUID: Uuid(),
        int: Integer(),
    }


class TenantRow:
    """`(tenant_id, id)` as key in the table, `id` alone as key of the mapper."""

    tenant_id: Mapped[UUID] = mapped_column(server_default=CURRENT_TENANT, sort_order=-20)
    id: Mapped[UUID] = mapped_column(default=new_id, insert_sentinel=True, sort_order=-19)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)
    created_by: Mapped[UUID | None] = mapped_column(sort_order=92)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805  # SQLAlchemy's protocol
        """Map by `id` alone, so that `get(id)` works; eager defaults only where they are read."""
        return {"primary_key": [cls.id], "eager_defaults": False}


class VersionedRow(TenantRow):
    """A row that people change: `version` is its ETag and grows with each update."""

    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=func.now(), sort_order=91
    )
    updated_by: Mapped[UUID | None] = mapped_column(sort_order=93)
    version: Mapped[int] = mapped_column(Integer, nullable=False, sort_order=94)
    archived_at: Mapped[datetime | None] = mapped_column(sort_order=95)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:  # noqa: N805  # SQLAlchemy's protocol
        """As `TenantRow`, and every UPDATE says which version it saw."""
        return {
            "primary_key": [cls.id],
            "eager_defaults": False,
            "version_id_col": cls.version,
        }


def tenant_key() -> PrimaryKeyConstraint:
    """Return the primary key that every tenant table has."""
    return PrimaryKeyConstraint("tenant_id", "id")


def tenant_reference(
    column: str, target: str, *, on_delete: str | None = None
) -> ForeignKeyConstraint:
    """Return a foreign key that cannot leave the tenant: `(tenant_id, column)` to `target(tenant_id, id)`.

    A nullable column takes `on_delete="SET NULL (column)"`; `tenant_id` itself is never nulled.
    """
    return ForeignKeyConstraint(
        ["tenant_id", column], [f"{target}.tenant_id", f"{target}.id"], ondelete=on_delete
    )


Money = BigInteger
"""Amounts in minor units (`*_minor`), with their ISO 4217 currency beside them."""
