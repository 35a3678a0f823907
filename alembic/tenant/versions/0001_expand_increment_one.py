"""Identity, organisation, scheduling and operations: the first 21 tables of a clinic.

Revision ID: 0001
Revises:
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SQL = Path(__file__).resolve().parents[1] / "sql"
PARTS = ("tables", "identity", "organisation", "scheduling", "operations", "protection")


def upgrade() -> None:
    for part in PARTS:
        script = (SQL / f"increment_one_{part}.sql").read_text(encoding="utf-8")
        op.get_context().impl.static_output(script)


def downgrade() -> None:
    message = "the first revision is not taken back: drop the home instead"
    raise SystemExit(message)
