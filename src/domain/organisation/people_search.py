"""Finding people by what somebody types: beginnings of names, documents, phones, record numbers.

Under a row-level policy PostgreSQL uses an index only for conditions that cannot leak, which LIKE is not, and has no
statistics for the others. So documents are compared in a way that may use its index, and names are looked for in an
index that holds all that is needed (`ix_person_tenant_id_search_text_id`), read for one clinic from end to end without
the table: 10 to 20 ms at 50,000 people. How many bear a name decides how the rest is found, which the planner cannot
know: few are handed over by id, many are met soon when the list is walked. Either takes a few milliseconds more.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    CompoundSelect,
    Select,
    Uuid,
    any_,
    false,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute

from domain.organisation.identity_documents import compact
from domain.organisation.models import Patient, Person, PersonIdentifier
from domain.organisation.search_text import as_number, folded, read_query
from tenancy.session import TenantSession

FEW_MAX: Final = 500
"""People whose ids are sent back to the database; more of them are so dense that a list meets them soon."""


async def matches(
    session: TenantSession,
    person_id: InstrumentedAttribute[UUID],
    query: str,
    *,
    names_only: bool = False,
) -> list[ColumnElement[bool]]:
    """Return conditions on a column with person ids: every word of the query fits the person.

    With `names_only` a number fits nobody: who may not see documents and phones must not guess them either.
    """
    sought = read_query(query)
    if sought.is_nothing or (names_only and sought.numbers):
        return [false()]
    found: list[Select[UUID] | CompoundSelect[Any]] = [_by_number(n) for n in sought.numbers]
    for word in sought.mixed:
        by_name = _by_names(folded(word).split())
        found.append(by_name if names_only else union_all(by_name, *_numbered(as_number(word))))
    conditions: list[ColumnElement[bool]] = [person_id.in_(people) for people in found]
    if sought.names:
        conditions.append(await _named(session, person_id, sought.names))
    return conditions


def has_document(person_id: InstrumentedAttribute[UUID], number: str) -> ColumnElement[bool]:
    """Return the condition that the person has a document with exactly this number, of whatever kind."""
    return person_id.in_(
        select(PersonIdentifier.person_id).where(PersonIdentifier.value == compact(number))
    )


async def _named(
    session: TenantSession, person_id: InstrumentedAttribute[UUID], beginnings: list[str]
) -> ColumnElement[bool]:
    """Return the condition that the person bears these names: by their ids while they are few."""
    people = _by_names(beginnings)
    ids = (await session.scalars(people.limit(FEW_MAX + 1))).all()
    if len(ids) > FEW_MAX:
        return person_id.in_(people)
    return person_id == any_(literal(ids, ARRAY(Uuid)))


def _by_names(words: list[str]) -> Select[UUID]:
    beginnings = (Person.search_text.contains(f" {word}", autoescape=True) for word in words)
    return select(Person.id).where(*beginnings)


def _by_number(number: str) -> CompoundSelect[Any]:
    """Return people with this document, record number, or a phone that contains the number."""
    by_phone = select(Person.id).where(Person.search_text.contains(number))
    return union_all(*_numbered(number), by_phone)


def _numbered(number: str) -> tuple[Select[UUID], Select[UUID]]:
    """Return people with a document that begins like this, and patients with this record number."""
    return (
        select(PersonIdentifier.person_id).where(*_begins_with(PersonIdentifier.value, number)),
        select(Patient.person_id).where(Patient.record_number == number),
    )


def _begins_with(
    column: InstrumentedAttribute[str], beginning: str
) -> tuple[ColumnElement[bool], ...]:
    """Return `beginning <= column < next beginning` in the collation "C", which an index answers."""
    following = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    return column >= beginning, column < following
