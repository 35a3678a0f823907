"""The root of the command line: loads the module of a command only when it is asked for."""

import importlib
from typing import Any, Final

import rich_click as click

# Loading all of them takes seconds, most of them for the web framework and the database library.
COMMANDS: Final = {
    "serve": "app.cli.serve:serve",
    "demo": "app.cli.demo:demo",
    "migrate": "app.cli.migrate:migrate",
    "tenants": "app.cli.tenants:tenants",
    "moves": "app.cli.moves:moves",
    "servers": "app.cli.servers:servers",
    "operators": "app.cli.operators:operators",
    "openapi": "app.cli.openapi:openapi",
    "doctor": "app.cli.doctor:doctor",
}


class LazyGroup(click.RichGroup):
    """A group whose commands are imported by name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now; None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: Any = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="polyclinic", prog_name="polyclinic")
def clinic() -> None:
    """Run the backend that many clinics share, each kept apart in its own way."""
