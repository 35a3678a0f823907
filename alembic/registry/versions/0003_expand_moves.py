"""The journal of moves.

Revision ID: 0003
Revises: 0002
"""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PHASE = "expand"
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"
SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    op.execute(LOCK_TIMEOUT)
    op.get_context().impl.static_output((SQL / "moves.sql").read_text(encoding="utf-8"))


def downgrade() -> None:
    op.execute(LOCK_TIMEOUT)
    op.execute("DROP TABLE registry.move")
