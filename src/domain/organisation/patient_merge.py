"""Two records of one human being become one: the other stays as a pointer to it.

What other packages keep about patients is brought along by their own `MergeStep`, handed in by who builds the service.
"""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, aliased

from domain.errors import InvalidFieldError, InvalidTransitionError
from domain.identity.models import UserAccount
from domain.organisation.errors import BrokenReferenceError
from domain.organisation.models import (
    Patient,
    PatientStatus,
    PersonIdentifier,
    Practitioner,
)
from domain.organisation.patients import PatientService
from domain.organisation.person_schemas import PatientOut
from tenancy.session import TenantSession

MergeStep = Callable[[TenantSession, UUID, UUID], Awaitable[None]]
"""`await step(session, from_id, into_id)` re-points one table's rows from one patient to the other.

Both patients' rows are locked and nobody books for them; the step runs in the merger's transaction, after all other
rows were changed (it may take locks that come after those of rows), and may refuse by raising.
"""


class PatientMerger:
    """Merges patients; every step of it in one transaction."""

    def __init__(self, patients: PatientService, steps: Sequence[MergeStep] = ()) -> None:
        self._patients = patients
        self._session = patients.session
        self._steps = tuple(steps)

    async def merge(self, patient_id: UUID, into_id: UUID, version: int) -> PatientOut:
        """Merge a patient who still has `version` into another one and return that one.

        Raises `NotFoundError`, `PatientMergedError`, `BrokenReferenceError` without the other one, and
        `InvalidTransitionError` when the other one is not active.
        """
        if patient_id == into_id:
            raise InvalidFieldError("/into_id", "invalid")
        await self._lock(patient_id, into_id)
        gone = await self._patients.get_row(patient_id)
        stays = await self._session.get(Patient, into_id)
        if stays is None:
            raise BrokenReferenceError("/into_id")
        if stays.status != PatientStatus.ACTIVE:
            raise InvalidTransitionError
        await self._close(gone, stays, version)
        await self._patients.people.touch(stays.person_id, but=into_id)
        await self._bring_person_along(gone.person_id, stays.person_id)
        for step in self._steps:
            await step(self._session, patient_id, into_id)
        return await self._patients.show_patient(into_id)

    async def _lock(self, *patient_ids: UUID) -> None:
        """Take both rows (FOR NO KEY UPDATE) in the order of their ids, so that two mergers never wait in a ring."""
        await self._session.execute(
            select(Patient.id)
            .where(Patient.id.in_(patient_ids))
            .order_by(Patient.id)
            .with_for_update(key_share=True)
        )

    async def _close(self, gone: Patient, stays: Patient, version: int) -> None:
        """Mark the one, and let the other have the portal login and everybody merged into the one before."""
        login = gone.user_id
        closed = {
            "status": PatientStatus.MERGED.value,
            "merged_into_id": stays.id,
            "archived_at": gone.archived_at or self._patients.now(),
            "user_id": None if stays.user_id is None else login,
        }
        await self._patients.change_row(gone, closed, version=version, action="merge")
        guardian = stays.guardian_person_id
        kept = {
            "updated_at": self._patients.now(),
            "user_id": stays.user_id or login,
            # The guardian turned out to be the patient: nobody is their own.
            "guardian_person_id": None if guardian == gone.person_id else guardian,
        }
        await self._patients.change_row(stays, kept, version=stays.version, action="receive_merge")
        await self._repoint(Patient.merged_into_id, gone.id, stays.id)

    async def _bring_person_along(self, old: UUID, new: UUID) -> None:
        """Let documents, dependants, accounts and the practitioner of the one person be those of the other."""
        row = PersonIdentifier
        primary = aliased(row)
        has_primary = exists().where(primary.person_id == new, primary.is_primary)
        await self._session.execute(
            update(row)
            .where(row.person_id == old)
            .values(person_id=new, is_primary=row.is_primary & ~has_primary)
            .execution_options(synchronize_session=False)
        )
        await self._repoint(Patient.guardian_person_id, old, new)
        await self._repoint(UserAccount.person_id, old, new)
        is_practitioner = await self._session.scalar(
            select(Practitioner.id).where(
                Practitioner.person_id == new, Practitioner.archived_at.is_(None)
            )
        )
        if is_practitioner is None:
            await self._repoint(Practitioner.person_id, old, new)

    async def _repoint(
        self,
        column: InstrumentedAttribute[UUID | None] | InstrumentedAttribute[UUID],
        old: UUID,
        new: UUID,
    ) -> None:
        """Let every row that names the one in `column` name the other; its version grows with it."""
        table = column.class_
        await self._session.execute(
            update(table)
            .where(column == old)
            .values({column: new, table.version: table.version + 1, table.updated_at: func.now()})
            .execution_options(synchronize_session=False)
        )
