"""Options that several commands share, and the settings that result from them and the environment."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from app.settings import Settings, variable_of

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Data directory instead of CLINIC_DATA_DIR.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def serving_options(command: CommandT) -> CommandT:
    """Add the options of commands that serve."""
    for option in (
        data_dir_option,
        click.option("--workers", type=int, help="Processes instead of CLINIC_WORKERS."),
        click.option("--port", type=int, help="Port instead of CLINIC_PORT."),
        click.option("--host", help="Address instead of CLINIC_HOST."),
    ):
        command = option(command)
    return command


def read_settings(**options: Any) -> Settings:
    """Return the settings of the environment with the given options on top; an option that is None was not given.

    The options go into the environment too, so that the processes we start read the same settings.
    """
    _into_environment(options)
    return Settings.from_environment(os.environ)


def existing_settings(data_dir: Path | None) -> Settings:
    """As `read_settings`, refusing a data directory in which there is nothing yet: it was mistyped."""
    _into_environment({"data_dir": data_dir})
    return Settings.from_environment(os.environ, is_new_allowed=False)


def _into_environment(options: Mapping[str, Any]) -> None:
    for field, value in options.items():
        if value is not None:
            os.environ[variable_of(field)] = str(value)
