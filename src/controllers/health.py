"""Whether the service is alive and ready, and whether a clinic's database answers."""

from typing import Any, Final, Protocol

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Struct
from sqlalchemy import select

from auth.rate_limits import RateLimiter
from controllers.modes import NO_TENANT, PUBLIC, READ
from controllers.responses import problems
from tenancy.session import TenantSession

PING_LIMIT: Final = 60
PING_WINDOW_S: Final = 60

OPEN: Final[dict[str, Any]] = {**PUBLIC, **NO_TENANT}


class Health(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: str = "ok"


class About(Struct, frozen=True, kw_only=True):
    """What answers here."""

    status: str = "ok"
    name: str = "Polyclinic"
    release: str
    docs: str = "/docs"


class Revisions(Struct, frozen=True, kw_only=True):
    """The schema revision that the code was made for, and the one that is installed."""

    newest: str
    installed: str | None


class ReadinessReport(Struct, frozen=True, kw_only=True):
    """What is running; `revisions` are those of the registry and of the shared clinics' tables."""

    status: str = "ready"
    release: str
    postgresql: str
    registry: Revisions
    tenant: Revisions


class Readiness(Protocol):
    """Looks whether requests can be served."""

    @property
    def release(self) -> str:
        """The installed release."""

    async def report(self) -> ReadinessReport:
        """Return what is running; raise when PostgreSQL cannot be reached or holds no registry."""


class HealthController(Controller):
    """Probes for people and for orchestrators; no token is asked for."""

    tags = ("health",)

    @get("/", opt=OPEN, operation_id="getAbout")
    async def get_about(self, readiness: NamedDependency[SkipValidation[Readiness]]) -> About:
        """Say what answers here."""
        return About(release=readiness.release)

    @get("/health/live", opt=OPEN, operation_id="getLive")
    async def get_live(self) -> Health:
        """Answer as long as the process runs."""
        return Health()

    @get("/health/ready", opt=OPEN, operation_id="getReady", responses=problems(503))
    async def get_ready(
        self, readiness: NamedDependency[SkipValidation[Readiness]]
    ) -> ReadinessReport:
        """Answer 200 once requests can be served, with the release and the revisions."""
        return await readiness.report()

    @get(
        "/me",
        opt={**PUBLIC, **READ},
        operation_id="pingClinic",
        responses=problems(400, 404, 429, 503),
    )
    async def ping_clinic(
        self,
        db_session: NamedDependency[SkipValidation[TenantSession]],
        rate_limiter: NamedDependency[SkipValidation[RateLimiter]],
        client_address: NamedDependency[str],
    ) -> Health:
        """Answer when the clinic named by the host has a database that answers."""
        bucket = f"ping:{client_address}"
        await rate_limiter.hit(bucket, limit=PING_LIMIT, window_s=PING_WINDOW_S)
        await db_session.execute(select(1))
        return Health()
