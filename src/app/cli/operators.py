"""`clinic operators`: who runs the platform."""

import sys
from datetime import datetime
from pathlib import Path

import rich_click as click
from msgspec import Struct

from app.cli.errors import CommandError
from app.cli.options import data_dir_option, existing_settings, json_option
from app.cli.output import print_fields, print_rows
from app.cli.workplace import Workplace, run_job
from auth.password_policy import PasswordPolicy, temporary_password
from tenancy.registry.records import SYSTEM

ROLES = ("superadmin", "operator", "support", "auditor")


class OperatorRow(Struct, frozen=True, kw_only=True):
    """An operator as the command line shows it."""

    email: str
    role: str
    status: str
    last_login_at: datetime | None


class NewOperator(Struct, frozen=True, kw_only=True):
    """A new operator; `password` is None unless it was made up here."""

    email: str
    role: str
    password: str | None


@click.group()
def operators() -> None:
    """Keep the list of those who run the platform."""


@operators.command("create")
@click.option("--email", required=True, help="Logs in with it.")
@click.option("--role", type=click.Choice(ROLES), default="operator", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
@data_dir_option
def create(
    email: str, role: str, password_stdin: bool, as_json: bool, data_dir: Path | None
) -> None:
    """Add an operator; without --password-stdin a password is made up and shown this once."""
    settings = existing_settings(data_dir)
    made_up = None if password_stdin else temporary_password()
    password = made_up or sys.stdin.readline().rstrip("\n")
    objection = PasswordPolicy(settings.password_length_min).objection(password, names=(email,))
    if objection is not None:
        raise CommandError(f"the password is not accepted: {objection}")

    async def add(workplace: Workplace) -> None:
        password_hash = await workplace.hasher.hash(password)
        await workplace.platform.operators.add(email, password_hash, role, SYSTEM)

    run_job(settings, add)
    print_fields(NewOperator(email=email, role=role, password=made_up), as_json=as_json)


@operators.command("list")
@json_option
@data_dir_option
def list_operators(as_json: bool, data_dir: Path | None) -> None:
    """List the operators."""

    async def read(workplace: Workplace) -> list[OperatorRow]:
        return [
            OperatorRow(
                email=record.email,
                role=record.role,
                status=record.status,
                last_login_at=record.last_login_at,
            )
            for record in await workplace.platform.operators.all()
        ]

    rows = run_job(existing_settings(data_dir), read)
    print_rows(rows, OperatorRow, as_json=as_json)
