"""The status before a suspension, and the answers given under an Idempotency-Key.

Revision ID: 0002
Revises: 0001
"""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PHASE = "expand"
SQL = Path(__file__).resolve().parents[1] / "sql"


def upgrade() -> None:
    script = (SQL / "repeats_and_resumes.sql").read_text(encoding="utf-8")
    op.get_context().impl.static_output(script)


def downgrade() -> None:
    message = "what was added stays until a contracting revision takes it away"
    raise SystemExit(message)
