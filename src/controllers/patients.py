"""Patients of the clinic. Reading a single one leaves an audit event."""

from datetime import date
from typing import Annotated, Final
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from auth.guards import needs
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import AUDITED_READ, READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.organisation.models import PatientStatus
from domain.organisation.patient_merge import MergeStep, PatientMerger
from domain.organisation.patient_schemas import (
    MergeIn,
    PatientChanges,
    PatientFilter,
    PatientIn,
    TimelineEvent,
)
from domain.organisation.patient_timeline import PatientTimelineService
from domain.organisation.patients import PatientService
from domain.organisation.person_schemas import PatientListed, PatientOut
from domain.paging import Page
from domain.scheduling.patient_merge_step import merge_appointments
from tenancy.session import TenantSession

PATH = "/api/v1/patients"
SEARCH_LENGTH_MAX: Final = 100
NUMBER_LENGTH_MAX: Final = 64

MERGE_STEPS: tuple[MergeStep, ...] = (merge_appointments,)
"""What a merger brings along besides the person: each package that keeps rows of patients adds its step here."""

Patients = NamedDependency[SkipValidation[PatientService]]
Merger = NamedDependency[SkipValidation[PatientMerger]]
Timeline = NamedDependency[SkipValidation[PatientTimelineService]]
Search = Annotated[
    str | None,
    QueryParameter(
        max_length=SEARCH_LENGTH_MAX,
        description="Beginnings of names, a document, a phone or a record number; all words must fit.",
    ),
]
DocumentNumber = Annotated[
    str | None,
    QueryParameter(
        max_length=NUMBER_LENGTH_MAX, description="The whole number of a document, however written."
    ),
]


def provide_patients(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> PatientService:
    """Return the service of patients."""
    return PatientService(db_session, actor, clinic)


def provide_merger(patients: Patients) -> PatientMerger:
    """Return the service that makes one of two patients."""
    return PatientMerger(patients, MERGE_STEPS)


def provide_timeline(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> PatientTimelineService:
    """Return the service of timelines."""
    return PatientTimelineService(db_session, actor)


class PatientController(Controller):
    """Patients of the calling clinic; portal users see themselves."""

    path = PATH
    tags = ("patients",)
    dependencies = {  # noqa: RUF012  # read once by Litestar
        "patients": Provide(provide_patients, sync_to_thread=False),
        "merger": Provide(provide_merger, sync_to_thread=False),
        "timeline": Provide(provide_timeline, sync_to_thread=False),
    }

    @get(
        "/",
        operation_id="listPatients",
        guards=[needs("patients:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_patients(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        patients: Patients,
        q: Search = None,
        document: DocumentNumber = None,
        birth_date: FromQuery[date | None] = None,
        status: FromQuery[PatientStatus] = PatientStatus.ACTIVE,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[PatientListed]:
        """Return one page of patients, the newest first; active ones unless `status` says otherwise."""
        wanted = PatientFilter(q=q, document=document, birth_date=birth_date, status=status)
        return await patients.list_patients(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createPatient",
        guards=[needs("patients:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_patient(
        self, patients: Patients, data: JSONBody[PatientIn]
    ) -> Response[PatientOut]:
        """Register a patient under the next record number."""
        patient = await patients.create_patient(data)
        return tagged(patient, patient.version, HTTP_201_CREATED, f"{PATH}/{patient.id}")

    @get(
        "/{patient_id:uuid}",
        operation_id="getPatient",
        guards=[needs("patients:read")],
        opt=AUDITED_READ,
        responses=problems(401, 403, 404),
    )
    async def get_patient(
        self, patients: Patients, patient_id: FromPath[UUID]
    ) -> Response[PatientOut]:
        """Return one patient."""
        patient = await patients.read_patient(patient_id)
        return tagged(patient, patient.version)

    @patch(
        "/{patient_id:uuid}",
        operation_id="updatePatient",
        guards=[needs("patients:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_patient(
        self,
        patients: Patients,
        patient_id: FromPath[UUID],
        data: JSONBody[PatientChanges],
        if_match: IfMatch = None,
    ) -> Response[PatientOut]:
        """Change a patient; `identifiers` replaces the documents, `add_identifiers` adds to them."""
        patient = await patients.change_patient(patient_id, data, required_version(if_match))
        return tagged(patient, patient.version)

    @delete(
        "/{patient_id:uuid}",
        operation_id="archivePatient",
        guards=[needs("patients:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 428),
    )
    async def archive_patient(
        self, patients: Patients, patient_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Archive a patient; PATCH with `status` brings them back."""
        await patients.archive_patient(patient_id, required_version(if_match))

    @post(
        "/{patient_id:uuid}/merge",
        operation_id="mergePatient",
        status_code=HTTP_200_OK,
        guards=[needs("patients:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    @idempotent
    async def merge_patient(
        self,
        merger: Merger,
        patient_id: FromPath[UUID],
        data: JSONBody[MergeIn],
        if_match: IfMatch = None,
    ) -> Response[PatientOut]:
        """Merge this patient into another one; answers with the one who stays."""
        patient = await merger.merge(patient_id, data.into_id, required_version(if_match))
        return tagged(patient, patient.version)

    @get(
        "/{patient_id:uuid}/timeline",
        operation_id="listPatientTimeline",
        guards=[needs("patients:read")],
        opt=READ,
        responses=problems(400, 401, 403, 404),
    )
    async def list_timeline(
        self,
        timeline: Timeline,
        patient_id: FromPath[UUID],
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[TimelineEvent]:
        """Return one page of what happened to the patient's record, the newest first."""
        return await timeline.list_events(patient_id, page_request(limit, cursor))
