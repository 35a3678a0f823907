"""What the rules about the organisation and its people can refuse."""

from uuid import UUID

from domain.errors import (
    DuplicateError,
    InvalidFieldError,
    InvalidReferenceError,
    InvalidTransitionError,
)


class LastActiveBranchError(InvalidTransitionError):
    """The clinic would be left without an active branch."""


class BrokenReferenceError(InvalidReferenceError):
    """The field at `pointer` names something that the clinic does not have (any more)."""

    def __init__(self, pointer: str) -> None:
        super().__init__()
        self.pointer = pointer
        self.code = "invalid_reference"


class InvalidDocumentError(InvalidFieldError):
    """The number is not one that this kind of document can have; `code` says what is wrong."""

    def __init__(self, code: str, pointer: str = "/value") -> None:
        super().__init__(pointer, code, type(self).__doc__ or "")


class DuplicateDocumentError(DuplicateError):
    """Another person of the clinic has this document; only that person's ids are told."""

    def __init__(self, pointer: str, person_id: UUID | None, patient_id: UUID | None) -> None:
        super().__init__(person_id=person_id, patient_id=patient_id)
        self.pointer = pointer
        self.code = "duplicate"


class PatientMergedError(InvalidTransitionError):
    """The patient was merged into another one and is not changed any more."""

    def __init__(self, merged_into_id: UUID | None) -> None:
        super().__init__(merged_into_id=merged_into_id)
