"""`clinic openapi`: the document of the API, without a server."""

import secrets

import rich_click as click

from app.cli.output import print_json
from app.docs import openapi_document
from app.factory import create_app
from app.preparation import tenancy_options
from app.settings import SECRET_LENGTH_MIN, Settings
from tenancy.runtime import Tenancy
from tenancy.tenant import Server

NOWHERE = Server(name="main", host="localhost", port=1)


@click.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    # Built from the defaults, whatever the environment says: the document is the same on every machine.
    throw_away = secrets.token_hex(SECRET_LENGTH_MIN)
    settings = Settings(secret_key=throw_away, role_secret=throw_away)
    app = create_app(settings, Tenancy(tenancy_options(settings, NOWHERE)))
    print_json(openapi_document(app))
