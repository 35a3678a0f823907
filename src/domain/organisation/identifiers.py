"""The documents of a person: added, replaced, never shared by two people of the clinic.

Whoever changes them holds the person's row (see `people`), so that two changes never mix.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from msgspec import Struct
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.errors import InvalidFieldError
from domain.organisation.errors import DuplicateDocumentError, InvalidDocumentError
from domain.organisation.identity_documents import Document, read_document
from domain.organisation.models import Patient, PersonIdentifier
from domain.organisation.person_schemas import IdentifierIn, IdentifierOut
from domain.tables import new_id
from tenancy.session import TenantSession

DOCUMENT_KEY: Final = "uq_person_identifier_tenant_id_kind_country_value"


class GivenDocument(Struct, frozen=True):
    """A document in its canonical form, and where in the request it was given."""

    document: Document
    is_primary: bool
    pointer: str


def read_identifiers(
    given: Sequence[IdentifierIn], default_country: str, pointer: str
) -> list[GivenDocument]:
    """Return the documents in canonical form; `pointer` is that of the list.

    Raises `InvalidDocumentError` at the field that is wrong, `InvalidFieldError` for one given twice.
    """
    documents: list[GivenDocument] = []
    for position, item in enumerate(given):
        here = f"{pointer}/{position}"
        try:
            document = read_document(item.kind, item.country or default_country, item.value)
        except InvalidDocumentError as error:
            raise InvalidDocumentError(error.code, here + error.pointer) from error
        if any(document == earlier.document for earlier in documents):
            raise InvalidFieldError(f"{here}/value", "duplicate")
        if item.is_primary and any(earlier.is_primary for earlier in documents):
            raise InvalidFieldError(f"{here}/is_primary", "duplicate")
        documents.append(GivenDocument(document, item.is_primary, here))
    return documents


async def identifiers_of(session: TenantSession, person_id: UUID) -> list[IdentifierOut]:
    """Return the person's documents, the primary one first."""
    row = PersonIdentifier
    found = await session.execute(
        select(row.id, row.kind, row.country, row.value, row.is_primary)
        .where(row.person_id == person_id)
        .order_by(row.is_primary.desc(), row.id)
    )
    return [IdentifierOut(**identifier._mapping) for identifier in found]  # noqa: SLF001  # SQLAlchemy's public name


async def replace_identifiers(
    session: TenantSession, person_id: UUID, given: Sequence[GivenDocument], author: UUID | None
) -> None:
    """Let the person have exactly these documents; those that stay keep their rows."""
    kept = {_document(old): old for old in await identifiers_of(session, person_id)}
    wanted = {new.document for new in given}
    gone = [old.id for document, old in kept.items() if document not in wanted]
    if gone:
        await session.execute(
            delete(PersonIdentifier)
            .where(PersonIdentifier.id.in_(gone))
            .execution_options(synchronize_session=False)
        )
    await add_identifiers(session, person_id, given, author)


async def add_identifiers(
    session: TenantSession, person_id: UUID, given: Sequence[GivenDocument], author: UUID | None
) -> None:
    """Give the person these documents besides those there are; one of all is the primary one.

    Raises `DuplicateDocumentError` when somebody else has one of them, also if they get it at this moment.
    """
    old = await identifiers_of(session, person_id)
    new = [item for item in given if item.document not in {_document(row) for row in old}]
    await _insert(session, person_id, new, author)
    primary = _primary(old, given)
    if primary is not None:
        await _set_primary(session, person_id, primary)


def _primary(old: Sequence[IdentifierOut], given: Sequence[GivenDocument]) -> Document | None:
    """Return the document to be made the primary one; None when it is so already or there is none."""
    chosen = [item.document for item in given if item.is_primary]
    if chosen:
        return chosen[0]
    if any(row.is_primary for row in old):
        return None
    everything = [_document(row) for row in old] + [item.document for item in given]
    return everything[0] if everything else None


async def _insert(
    session: TenantSession, person_id: UUID, given: Sequence[GivenDocument], author: UUID | None
) -> None:
    """Insert the documents; the unique key is waited for, so that a parallel request is seen too."""
    if not given:
        return
    # One order for everybody: two requests that share documents wait for each other only once.
    ordered = sorted(
        given, key=lambda item: (item.document.kind, item.document.country, item.document.value)
    )
    values = [
        {
            "id": new_id(),
            "person_id": person_id,
            "kind": item.document.kind,
            "country": item.document.country,
            "value": item.document.value,
            "is_primary": False,
            "created_by": author,
        }
        for item in ordered
    ]
    row = PersonIdentifier
    inserted = await session.execute(
        insert(row)
        .values(values)
        .on_conflict_do_nothing(constraint=DOCUMENT_KEY)
        .returning(row.kind, row.country, row.value)
    )
    done = {Document(kind, country, value) for kind, country, value in inserted}
    for item in given:
        if item.document not in done:
            raise await _duplicate(session, item)


async def _duplicate(session: TenantSession, item: GivenDocument) -> DuplicateDocumentError:
    """Return the refusal: it tells whose document it is by id, nothing else of that person."""
    row, document = PersonIdentifier, item.document
    found = await session.execute(
        select(row.person_id, Patient.id)
        .outerjoin(Patient, Patient.person_id == row.person_id)
        .where(
            row.kind == document.kind,
            row.country == document.country,
            row.value == document.value,
        )
    )
    owner = found.first()
    # Without an owner, whoever had it gave it up at this moment: still nothing that was inserted here.
    person_id, patient_id = (None, None) if owner is None else (owner[0], owner[1])
    return DuplicateDocumentError(f"{item.pointer}/value", person_id, patient_id)


async def _set_primary(session: TenantSession, person_id: UUID, primary: Document) -> None:
    row = PersonIdentifier
    is_chosen = (
        (row.kind == primary.kind) & (row.country == primary.country) & (row.value == primary.value)
    )
    for condition, value in ((row.is_primary & ~is_chosen, False), (is_chosen, True)):
        await session.execute(
            update(row)
            .where(row.person_id == person_id, condition)
            .values(is_primary=value)
            .execution_options(synchronize_session=False)
        )


def _document(row: IdentifierOut) -> Document:
    return Document(row.kind, row.country, row.value)
