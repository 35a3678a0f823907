"""A clinic's settings, one resource a namespace."""

from litestar import Controller, Response, get, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody, SkipValidation

from auth.guards import needs
from controllers.etag import IfMatch, required_version, tagged
from controllers.modes import READ, WRITE
from controllers.responses import problems
from domain.actor import Actor
from domain.operations.settings import SettingsService
from domain.operations.settings_schemas import SettingsIn, SettingsOut
from tenancy.session import TenantSession

ClinicSettings = NamedDependency[SkipValidation[SettingsService]]


def provide_settings(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> SettingsService:
    """Return the service of this request."""
    return SettingsService(db_session, actor)


class SettingsController(Controller):
    """The namespaces `clinic`, `scheduling`, `ai` and `notifications`."""

    path = "/api/v1/settings"
    tags = ("settings",)
    dependencies = {  # noqa: RUF012  # Litestar reads it once
        "clinic_settings": Provide(provide_settings, sync_to_thread=False)
    }

    @get(
        "/{namespace:str}",
        guards=[needs("settings:read")],
        opt=READ,
        operation_id="getSettings",
        responses=problems(401, 403, 404),
    )
    async def get_settings(
        self, clinic_settings: ClinicSettings, namespace: FromPath[str]
    ) -> Response[SettingsOut]:
        """Return one namespace, defaults filled in; version 0 until something is set."""
        settings = await clinic_settings.get_namespace(namespace)
        return tagged(settings, settings.version)

    @put(
        "/{namespace:str}",
        guards=[needs("settings:write")],
        opt=WRITE,
        operation_id="putSettings",
        responses=problems(400, 401, 403, 404, 412, 422, 428),
    )
    async def put_settings(
        self,
        clinic_settings: ClinicSettings,
        namespace: FromPath[str],
        data: JSONBody[SettingsIn],
        if_match: IfMatch = None,
    ) -> Response[SettingsOut]:
        """Replace one namespace; what is left out goes back to its default."""
        settings = await clinic_settings.put_namespace(
            namespace, data.data, version=required_version(if_match)
        )
        return tagged(settings, settings.version)
