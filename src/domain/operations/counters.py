"""Numbers that people read: without gaps, counted per clinic or per branch."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from domain.operations.models import DocumentCounter
from domain.tables import new_id
from tenancy.session import TenantSession

COUNTER_KEY = "uq_document_counter_tenant_id_kind_branch_id"


async def next_number(
    session: TenantSession,
    kind: str,
    *,
    branch_id: UUID | None = None,
    prefix: str = "",
    width: int = 6,
) -> str:
    """Return the counter's next number as text; the counter begins at 1 with this prefix.

    The counter's row stays locked to the transaction's end, so that a number is given once and a
    roll-back leaves no gap; the prefix kept in the row wins over the argument.
    """
    statement = (
        insert(DocumentCounter)
        .values(id=new_id(), kind=kind, branch_id=branch_id, prefix=prefix, next_value=2)
        .on_conflict_do_update(
            constraint=COUNTER_KEY, set_={"next_value": DocumentCounter.next_value + 1}
        )
        .returning(DocumentCounter.prefix, DocumentCounter.next_value)
    )
    kept_prefix, next_value = (await session.execute(statement)).one()
    return f"{kept_prefix}{next_value - 1:0{width}d}"
