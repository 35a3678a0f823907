"""The agenda routes that the earlier systems' frontends call, in their shapes; fields they do not know are ignored."""

from datetime import date
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromQuery, JSONBody, SkipValidation
from litestar.status_codes import HTTP_201_CREATED

from auth.guards import needs
from controllers.appointments import PATH as APPOINTMENTS_PATH
from controllers.etag import tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.paging import Page
from domain.scheduling.seed_agenda import CitaFilter, CitaIn, CitaOut, SeedAgendaService
from tenancy.session import TenantSession

SeedAgenda = NamedDependency[SkipValidation[SeedAgendaService]]


def provide_seed_agenda(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> SeedAgendaService:
    """Return the service of citas."""
    return SeedAgendaService(db_session, actor, clinic)


class SeedAgendaController(Controller):
    """Citas of the dental system."""

    path = "/api"
    tags = ("seeds",)
    dependencies = {"seed_agenda": Provide(provide_seed_agenda, sync_to_thread=False)}  # noqa: RUF012  # read once by Litestar

    @post(
        "/agenda/citas",
        operation_id="seedCreateCita",
        guards=[needs("appointments:request")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_cita(
        self, seed_agenda: SeedAgenda, data: JSONBody[CitaIn]
    ) -> Response[CitaOut]:
        """Book an appointment."""
        booked = await seed_agenda.book(data)
        location = f"{APPOINTMENTS_PATH}/{booked.cita.id}"
        return tagged(booked.cita, booked.version, HTTP_201_CREATED, location)

    @get(
        ["/agenda/citas", "/citas"],
        operation_id="seedListCitas",
        guards=[needs("appointments:read")],
        opt=READ,
        responses=problems(400, 401, 403, 422),
    )
    async def list_citas(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        seed_agenda: SeedAgenda,
        odontologo: FromQuery[UUID | None] = None,
        paciente: FromQuery[UUID | None] = None,
        fecha: FromQuery[date | None] = None,
        estado: FromQuery[str | None] = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[CitaOut]:
        """Return one page of appointments, the latest first."""
        wanted = CitaFilter(odontologo=odontologo, paciente=paciente, fecha=fecha, estado=estado)
        return await seed_agenda.list_citas(wanted, page_request(limit, cursor))
