"""The ledger of migrations.

Revision ID: 0005
Revises: 0004
"""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PHASE = "expand"
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    op.execute(LOCK_TIMEOUT)
    op.get_context().impl.static_output((SQL / "home_revisions.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    op.execute(LOCK_TIMEOUT)
    op.execute("DROP TABLE registry.home_revision")
