<%!
    import re

    PHASES = ("expand", "contract")

    def phase_of(message):
        """Return the first word of a revision's message, which must be its phase."""
        phase = re.split(r"[\W_]", message.strip().lower(), maxsplit=1)[0]
        if phase not in PHASES:
            raise ValueError("a revision's message begins with its phase: expand_... or contract_...")
        return phase

    def quoted(value):
        """Return a revision id as a Python literal in double quotes."""
        return "None" if value is None else '"%s"' % value
%>"""${message.replace("_", " ").capitalize()}.

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from alembic import op
${imports if imports else ""}
revision = ${quoted(up_revision)}
down_revision = ${quoted(down_revision)}
branch_labels = None
depends_on = None

PHASE = "${phase_of(message)}"
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"


def upgrade() -> None:
    # A table lock that is not had at once must not make the clinics' requests queue behind it.
    op.execute(LOCK_TIMEOUT)
% if upgrades and upgrades != "pass":
    ${upgrades}
% endif


def downgrade() -> None:
    op.execute(LOCK_TIMEOUT)
% if downgrades and downgrades != "pass":
    ${downgrades}
% endif
