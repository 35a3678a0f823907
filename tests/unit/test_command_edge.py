"""Whatever goes wrong in a command becomes one line, and a bug says that it is one."""

import errno
import logging
import os
import socket

import asyncpg
import pytest
from sqlalchemy.exc import OperationalError

from app.cli.edge import OneLine, one_line, run_safely
from app.cli.errors import CommandError
from app.cli.options import read_settings
from app.cli.root import COMMANDS, clinic
from app.cli.serving import local_url, refuse_used_port
from app.postgres.errors import PostgresSpaceError
from app.settings import Settings, SettingsError
from tenancy.errors import UnknownTenantError
from tenancy.registry.errors import InvalidTenantFieldError


class WrappedError(Exception):
    """Stands for what SQLAlchemy puts round a driver's error."""


def wrapped(error):
    outer = WrappedError()
    outer.__cause__ = error
    return OperationalError("SELECT", {}, outer)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SettingsError("CLINIC_PORT", "bad"), "CLINIC_PORT: bad"),
        (UnknownTenantError(), "No clinic answers to this name."),
        (InvalidTenantFieldError("slug", "invalid_slug"), "(slug: invalid_slug)"),
        (PostgresSpaceError("the disk is full"), "the disk is full"),
        (asyncpg.InvalidCatalogNameError("no database x"), "run `clinic migrate`"),
        (wrapped(asyncpg.UndefinedTableError("no relation x")), "run `clinic migrate`"),
        (asyncpg.InvalidPasswordError("wrong"), "CLINIC_ROLE_SECRET"),
        (ConnectionResetError(), "the connection to PostgreSQL was lost"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), "/x: No space left on device"),
        (KeyError("two\nlines"), "internal error: KeyError"),
    ],
)
def test_every_error_is_one_line(error, words):
    line = one_line(error)
    assert words in line
    assert "\n" not in line


@pytest.fixture
def untouched_process(monkeypatch):
    """Commands set up the process that they run in; this one belongs to the tests."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    monkeypatch.setattr("os.environ", {})


@pytest.mark.usefixtures("untouched_process")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["tenants", "show"], 2, "Missing argument 'SLUG'"),
        (
            ["tenants", "list", "--data-dir", "/no/such/place"],
            1,
            "there are no clinics in /no/such/place",
        ),
        (["serve", "--port", "0"], 1, "CLINIC_PORT: expected a whole number >= 1"),
    ],
)
def test_bad_call_is_one_line_and_an_exit_code(arguments, code, words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["clinic", *arguments])
    with pytest.raises(SystemExit) as end:
        run_safely(clinic)
    output = capsys.readouterr()
    assert end.value.code == code
    assert words in output.err
    assert output.err.startswith("clinic: ")
    assert output.err.count("\n") == 1
    assert output.out == ""


@pytest.mark.usefixtures("untouched_process")
def test_mistyped_data_directory_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["clinic", "doctor", "--data-dir", str(tmp_path / "typo")])
    with pytest.raises(SystemExit):
        run_safely(clinic)
    assert list(tmp_path.iterdir()) == []


def test_log_line_of_a_command_has_no_traceback(monkeypatch):
    monkeypatch.setattr("os.environ", {})
    error = KeyError("x")
    info = (KeyError, error, error.__traceback__)
    record = logging.LogRecord("a", logging.ERROR, "f", 1, "lost\n%s", ("it",), info)
    assert OneLine("clinic: %(message)s").format(record) == "clinic: lost it"


def test_every_command_can_be_loaded():
    context = clinic.make_context("clinic", ["--help"], resilient_parsing=True)
    for name in COMMANDS:
        command = clinic.get_command(context, name)
        assert command is not None
        assert command.help


def test_options_win_over_the_environment_and_reach_other_processes(monkeypatch, tmp_path):
    environ = {"CLINIC_PORT": "9000", "CLINIC_WORKERS": "3"}
    monkeypatch.setattr("os.environ", environ)
    settings = read_settings(port=9001, workers=None, data_dir=tmp_path)
    assert (settings.port, settings.workers) == (9001, 3)
    assert os.environ["CLINIC_PORT"] == "9001"


def test_used_port_is_refused_even_if_its_user_would_share_it():
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CommandError, match=f"port {port} on 127.0.0.1 is in use"):
            refuse_used_port("127.0.0.1", port)
    refuse_used_port("127.0.0.1", port)


def test_address_that_is_not_ours_is_refused():
    with pytest.raises(CommandError, match=r"cannot listen on port 8000 of 192\.0\.2\.1"):
        refuse_used_port("192.0.2.1", 8000)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),  # noqa: S104  # the example
        ("::", "http://[::1]:8000"),
    ],
)
def test_server_on_every_address_is_reached_locally(host, url):
    secret = "s" * 32
    assert local_url(Settings(secret_key=secret, role_secret=secret, host=host)) == url
