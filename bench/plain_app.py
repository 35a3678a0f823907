"""The reference: the same application without tenancy.

The same controllers, services, token check, guards, error answers and outer layer; but one clinic, found nowhere
because it is the only one; a plain SQLAlchemy session on an engine with the same pool; tables without row-level
security. The login session is checked by a query of its own in the request's transaction, as an application without
`tenancy.enter` would do it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from litestar import Litestar
from litestar.di import Provide
from sqlalchemy import bindparam, func, literal, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from app.dependencies import AnyRequest, CallingActor, Clinic, RequestDependencies
from app.envelope import Envelope
from app.factory import make_fingerprints, make_token_issuer
from app.metrics import RequestMetrics
from app.postgres import server_for
from app.problem_documents import ErrorAnswers
from app.settings import Settings
from app.telemetry import configure_logging, note_unexpected
from auth.errors import InvalidTokenError
from auth.middleware import Authenticate
from auth.principal import Principal
from bench.plain_database import ONLY_CLINIC, PLAIN_DATABASE
from controllers.appointments import AppointmentController
from controllers.strictness import RefuseUnknownParameters, declared_parameters
from domain.clinic import ClinicProfile
from domain.identity.models import AuthSession, UserAccount
from tenancy.credentials import Credentials, DatabaseRole
from tenancy.session import TenantSession

CHECKS_LOGIN = "BENCH_CHECKS_LOGIN"

CLINIC = ClinicProfile(
    slug="only",
    name="Only clinic",
    vertical="dental",
    country="PE",
    timezone="America/Lima",
    currency="PEN",
    language="es",
)

LOGIN_ALIVE = (
    select(literal(1))
    .select_from(AuthSession)
    .join(UserAccount, UserAccount.id == AuthSession.user_id)
    .where(
        AuthSession.id == bindparam("session_id"),
        AuthSession.revoked_at.is_(None),
        AuthSession.expires_at > func.now(),
        UserAccount.status == "active",
        UserAccount.access_version == bindparam("access_version"),
    )
)


class PlainDependencies(RequestDependencies):
    """The providers of the application, three of them without tenancy."""

    def __init__(self, engine: AsyncEngine, *, checks_login: bool) -> None:
        self._engine = engine
        self._checks_login = checks_login
        self._trusted_proxy_hops = 0

    async def db_session(self, request: AnyRequest, clinic: Clinic) -> AsyncIterator[TenantSession]:
        """Yield a plain session: committed at the end, rolled back on any error."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            if self._checks_login:
                await _require_live_login(session, request.scope["user"])
            yield TenantSession(session)

    async def clinic(self, request: AnyRequest, actor: CallingActor) -> ClinicProfile:
        return CLINIC

    async def clinic_id(self, request: AnyRequest) -> UUID:
        return ONLY_CLINIC


async def _require_live_login(session: AsyncSession, principal: Principal) -> None:
    alive = await session.scalar(
        LOGIN_ALIVE,
        {"session_id": principal.session_id, "access_version": principal.access_version},
    )
    if alive is None:
        raise InvalidTokenError


def create_plain_app() -> Litestar:
    """Return the application as a server's worker has it."""
    settings = Settings.from_environment(os.environ)
    configure_logging(settings.log_level, settings.log_format)
    engine = _engine(settings)
    dependencies = PlainDependencies(engine, checks_login=os.environ.get(CHECKS_LOGIN) != "0")
    fingerprints = make_fingerprints(settings)
    app = Litestar(
        route_handlers=[AppointmentController],
        dependencies={
            **dependencies.providers(),
            "fingerprints": Provide(lambda: fingerprints, sync_to_thread=False),
        },
        middleware=[Authenticate(make_token_issuer(settings)), RefuseUnknownParameters()],
        exception_handlers={Exception: ErrorAnswers(settings.language)},
        after_exception=[note_unexpected],
        lifespan=[_disposed(engine)],
        openapi_config=None,
        request_max_body_size=settings.request_body_bytes_max,
        logging_config=None,
        debug=False,
    )
    app.state.unexpected_errors = []
    app.state.declared_parameters = declared_parameters(app.routes)
    app.asgi_handler = Envelope(app.asgi_handler, RequestMetrics(), behind_proxy=False)
    return app


def _engine(settings: Settings) -> AsyncEngine:
    postgres = server_for(settings)
    postgres.attach()
    credentials = Credentials(settings.role_secret)
    return create_async_engine(
        "postgresql+asyncpg://",
        connect_args=credentials.connect_arguments(
            postgres.address, PLAIN_DATABASE, DatabaseRole.APP
        ),
        pool_size=settings.pool_size_shared,
        max_overflow=0,
        pool_use_lifo=True,
    )


def _disposed(engine: AsyncEngine):
    @asynccontextmanager
    async def disposed(_: Litestar) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    return disposed
