"""Where a pooler in front of a server is reached.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PHASE = "expand"
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"


def upgrade() -> None:
    # Takes ACCESS EXCLUSIVE for an instant: columns without a default rewrite nothing.
    op.execute(LOCK_TIMEOUT)
    op.execute(
        "ALTER TABLE registry.database_server ADD COLUMN pooler_host text, ADD COLUMN pooler_port integer,"
        " ADD CONSTRAINT ck_database_server_pooler"
        " CHECK ((pooler_host IS NULL) = (pooler_port IS NULL) AND pooler_port BETWEEN 1 AND 65535)"
    )


def downgrade() -> None:
    op.execute(LOCK_TIMEOUT)
    op.execute(
        "ALTER TABLE registry.database_server DROP COLUMN pooler_host, DROP COLUMN pooler_port"
    )
