"""Tenants, their names and places, servers, plans, operators, provisioning, audit.

Revision ID: 0001
Revises:
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PHASE = "expand"
SQL = Path(__file__).resolve().parents[1] / "sql"
PARTS = ("tables", "rules", "seeds", "grants")


def upgrade() -> None:
    for part in PARTS:
        script = (SQL / f"control_plane_{part}.sql").read_text(encoding="utf-8")
        op.get_context().impl.static_output(script)


def downgrade() -> None:
    message = "the first revision is not taken back: drop the registry instead"
    raise SystemExit(message)
