"""The composition root: builds the application from settings and everything that it is made of."""

import hashlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from litestar import Litestar, Response, get
from litestar.di import Provide
from litestar.types import ASGIApp

from app.cors import CrossOrigin, RegisteredOrigins
from app.dependencies import RequestDependencies, check_session_modes
from app.docs import get_openapi_json, name_aliases, openapi_config
from app.envelope import Envelope
from app.metrics import CONTENT_TYPE, RequestMetrics
from app.page_links import LinkedResponse
from app.postgres import server_for
from app.preparation import tenancy_options
from app.problem_documents import ErrorAnswers
from app.readiness import installed_release, readiness_of
from app.requests import ClinicRequest
from app.routes import CONTROLLERS
from app.settings import Settings
from app.telemetry import configure_logging, note_unexpected
from app.tenant_middleware import ResolveTenant
from app.unknown_clinic_page import UnknownClinicPage
from auth.middleware import Authenticate
from auth.password_policy import PasswordPolicy
from auth.passwords import PasswordHasher
from auth.rate_limits import RateLimitedError
from auth.tokens import SigningKey, TokenIssuer
from controllers.fingerprints import RequestFingerprints
from controllers.health import OPEN
from controllers.strictness import RefuseUnknownParameters, declared_parameters
from tenancy.mover.keeper import MoveKeeper
from tenancy.mover.mover import make_mover
from tenancy.moves import make_moves
from tenancy.platform import PlatformOptions, make_platform
from tenancy.registry.hostnames import normalise_hostname
from tenancy.registry.limits import SharedRateLimiter
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName

ISSUER: Final = "polyclinic"
KID_LENGTH: Final = 8
SECONDS_PER_MINUTE: Final = 60
SECONDS_PER_DAY: Final = 86_400


def create_app(
    settings: Settings | None = None,
    tenancy: Tenancy | None = None,
    route_handlers: Sequence[Any] = (),
) -> Litestar:
    """Return the application; `route_handlers` come beside the API's own.

    Without settings they are read from the environment and logging is set up: the way of a server's
    worker. A tenancy that is handed in is opened and closed by whoever made it.
    """
    if settings is None:
        settings = Settings.from_environment(os.environ)
        configure_logging(settings.log_level, settings.log_format)
    is_ours = tenancy is None
    tenancy = tenancy or make_tenancy(settings)
    base_domains = normal_base_domains(settings)
    metrics = RequestMetrics()
    tokens, hasher = make_token_issuer(settings), make_password_hasher(settings)
    request_dependencies = RequestDependencies(
        tenancy, tenancy.directory, base_domains, settings.trusted_proxy_hops
    )
    app = Litestar(
        route_handlers=[*CONTROLLERS, get_openapi_json, _metrics_route(metrics), *route_handlers],
        dependencies={
            **request_dependencies.providers(),
            **_process_dependencies(settings, tenancy, tokens, hasher),
        },
        middleware=[
            Authenticate(tokens),
            ResolveTenant(tenancy.directory, base_domains),
            RefuseUnknownParameters(),
        ],
        exception_handlers={Exception: ErrorAnswers(settings.language)},
        after_exception=[note_unexpected],
        lifespan=[_opened(tenancy)] if is_ours else [],
        on_shutdown=[hasher.close],
        openapi_config=openapi_config(installed_release(), settings.language),
        request_class=ClinicRequest,
        response_class=LinkedResponse,
        request_max_body_size=settings.request_body_bytes_max,
        logging_config=None,
        debug=False,
    )
    app.state.declared_parameters = declared_parameters(app.routes)
    check_session_modes(app)
    name_aliases(app)
    app.asgi_handler = _outer_layers(app.asgi_handler, settings, tenancy, metrics)
    return app


def make_tenancy(settings: Settings) -> Tenancy:
    """Return the tenancy of the server that runs already, not yet open."""
    postgres = server_for(settings)
    postgres.attach()
    return Tenancy(tenancy_options(settings, postgres.address))


def make_token_issuer(settings: Settings) -> TokenIssuer:
    """Return the issuer that signs with the secret key and still verifies what the previous ones signed."""
    return TokenIssuer(
        tuple(SigningKey(_kid(secret), secret) for secret in _secrets(settings)),
        issuer=ISSUER,
        access_ttl_s=settings.access_token_minutes * SECONDS_PER_MINUTE,
        refresh_ttl_s=settings.refresh_token_days * SECONDS_PER_DAY,
    )


def make_fingerprints(settings: Settings) -> RequestFingerprints:
    """Return what recognises repeated requests, also those that were kept under the previous secret keys."""
    return RequestFingerprints(_secrets(settings))


def make_password_hasher(settings: Settings) -> PasswordHasher:
    """Return the hasher with the configured costs."""
    return PasswordHasher(
        memory_kib=settings.argon2_memory_kib,
        time_cost=settings.argon2_time_cost,
        parallelism=settings.argon2_parallelism,
        hash_concurrency=settings.hash_concurrency,
        policy=PasswordPolicy(length_min=settings.password_length_min),
    )


def platform_options(settings: Settings) -> PlatformOptions:
    """Return what the settings decide about clinics that sign up."""
    return PlatformOptions(
        base_domains=normal_base_domains(settings),
        signup_policy=settings.signup_policy,
        signup_strategy=StrategyName(settings.signup_strategy),
        public_url=settings.public_url,
    )


def normal_base_domains(settings: Settings) -> tuple[str, ...]:
    """Return the base domains in the form in which host names are compared."""
    names = (normalise_hostname(domain) for domain in settings.base_domains)
    return tuple(name for name in names if name is not None)


def _secrets(settings: Settings) -> tuple[str, ...]:
    """Return the secret key and those that it replaced."""
    return (settings.secret_key, *settings.previous_secret_keys)


def _kid(secret: str) -> str:
    """Return a name for a key that tells keys apart and nothing about them."""
    return hashlib.sha256(f"kid:{secret}".encode()).hexdigest()[:KID_LENGTH]


def _process_dependencies(
    settings: Settings, tenancy: Tenancy, tokens: TokenIssuer, hasher: PasswordHasher
) -> Mapping[str, Provide]:
    """Return what is the same for every request of this process."""
    shared: dict[str, Any] = {
        "tokens": tokens,
        "password_hasher": hasher,
        "fingerprints": make_fingerprints(settings),
        "platform": make_platform(tenancy, platform_options(settings)),
        "moves": make_moves(tenancy),
        "rate_limiter": SharedRateLimiter(tenancy.store.engine, RateLimitedError),
        "readiness": readiness_of(tenancy, settings.registry_database),
    }
    return {name: _constant(value) for name, value in shared.items()}


def _constant(value: Any) -> Provide:
    def provide() -> Any:
        return value

    return Provide(provide, sync_to_thread=False)


def _metrics_route(metrics: RequestMetrics) -> Any:
    @get("/metrics", opt=OPEN, include_in_schema=False, sync_to_thread=False)
    def get_metrics() -> Response[bytes]:
        return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})

    return get_metrics


def _outer_layers(
    app: ASGIApp, settings: Settings, tenancy: Tenancy, metrics: RequestMetrics
) -> ASGIApp:
    """Wrap what must also see requests that no route matches."""
    base_domains = normal_base_domains(settings)
    origins = RegisteredOrigins(tenancy.directory, base_domains, settings.cors_origins)
    page = UnknownClinicPage(app, tenancy.directory, base_domains, settings.language)
    return Envelope(
        CrossOrigin(page, origins), metrics, behind_proxy=settings.trusted_proxy_hops > 0
    )


def _opened(tenancy: Tenancy) -> Any:
    @asynccontextmanager
    async def opened(_: Litestar) -> AsyncIterator[None]:
        async with tenancy:
            keeper = MoveKeeper(make_mover(tenancy), tenancy.store, tenancy.take_fence_waits)
            await keeper.open()
            try:
                yield
            finally:
                await keeper.close()

    return opened
