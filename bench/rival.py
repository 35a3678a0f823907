"""The rival: django-tenants with django-ninja, the same endpoint on the same data, as fast as its settings make it.

It lives in a virtual environment of its own (`just bench-setup`), runs from a copy of `bench/rival`, and has a database
of its own on the same PostgreSQL.
"""

import asyncio
import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
from msgspec import Struct

from app.factory import ISSUER
from auth.tokens import Audience
from bench.copies import Destination, ModelTable, write_copies
from bench.ground import WORKERS, Ground
from bench.processes import REPOSITORY, BenchError, ServerProcess, free_port, inherited, serving
from bench.rival_tables import described
from domain.tables import TenantBase

VENV = REPOSITORY / "bench" / ".venv"
SOURCE = REPOSITORY / "bench" / "rival"
DATABASE = "bench_rival"
ROLE = "bench_rival"
MODEL_SCHEMA = "rival_model"
STATE_NAME = "rival.json"
THREADS = 4
COMMAND_S_MAX = 600


class RivalClinic(Struct, frozen=True, kw_only=True):
    """One clinic on the rival's side."""

    number: int
    slug: str
    tenant_id: UUID
    schema: str

    @property
    def host(self) -> str:
        return f"{self.slug}.localhost"


class Rival(Struct, frozen=True, kw_only=True):
    """The rival's installation on a ground."""

    password: str
    clinics: list[RivalClinic]

    def environ(self, ground: Ground) -> dict[str, str]:
        """Return the variables that `rival_settings` reads."""
        settings = ground.settings
        return {
            "DJANGO_SETTINGS_MODULE": "rival_settings",
            "RIVAL_SECRET_KEY": settings.secret_key,
            "RIVAL_TOKEN_ISSUER": ISSUER,
            "RIVAL_TOKEN_AUDIENCE": Audience.CLINIC.value,
            "RIVAL_BASE_DOMAIN": settings.base_domains[0],
            "RIVAL_DATABASE": DATABASE,
            "RIVAL_DATABASE_HOST": ground.postgres.host,
            "RIVAL_DATABASE_PORT": str(ground.postgres.port),
            "RIVAL_DATABASE_USER": ROLE,
            "RIVAL_DATABASE_PASSWORD": self.password,
            "RIVAL_ARGON2_MEMORY_KIB": str(settings.argon2_memory_kib),
            "RIVAL_ARGON2_TIME_COST": str(settings.argon2_time_cost),
            "RIVAL_ARGON2_PARALLELISM": str(settings.argon2_parallelism),
        }


def program(name: str) -> str:
    """Return a program of the rival's virtual environment; raise `BenchError` where it is missing."""
    path = VENV / "bin" / name
    if not path.exists():
        raise BenchError(f"{path} is missing: run `just bench-setup`")
    return str(path)


async def make_rival(ground: Ground, clinics: int, model: Sequence[ModelTable]) -> Rival:
    """Return the rival with as many clinics, each a copy of the model; what was kept on this ground is used again."""
    state = ground.directory / STATE_NAME
    if state.exists():
        kept = msgspec.json.decode(state.read_bytes(), type=Rival)
        if len(kept.clinics) >= clinics:
            return kept
    rival = Rival(
        password=secrets.token_urlsafe(16),
        clinics=[_clinic(number) for number in range(1, clinics + 1)],
    )
    await _make_database(ground, rival.password)
    _copy_project(ground)
    await _run(ground, rival, ["manage.py", "makemigrations", "clinics", "tables"])
    await _run(ground, rival, ["manage.py", "migrate_schemas", "--shared"])
    await _make_clinics(ground, rival)
    await _fill(ground, rival, model)
    state.write_bytes(msgspec.json.encode(rival))
    return rival


def rival_server(
    ground: Ground,
    rival: Rival,
    *,
    name: str = "rival",
    with_granian: bool = False,
    threads: int = THREADS,
    environ: Mapping[str, str] | None = None,
) -> AbstractAsyncContextManager[ServerProcess]:
    """Serve the rival with gunicorn (threads, kept connections) or with Granian's WSGI interface."""
    port = free_port()
    make = _granian_command if with_granian else _gunicorn_command
    return serving(
        name,
        make(port, threads),
        port=port,
        log_directory=ground.logs,
        environ=rival.environ(ground) | dict(environ or {}),
        directory=project(ground),
    )


def project(ground: Ground) -> Path:
    """Return where the rival's project is run from."""
    return ground.directory / "rival"


def _gunicorn_command(port: int, threads: int) -> list[str]:
    return [
        program("gunicorn"),
        "rival_wsgi:application",
        *("--bind", f"127.0.0.1:{port}"),
        *("--workers", str(WORKERS)),
        *("--worker-class", "gthread"),
        *("--threads", str(threads)),
        *("--keep-alive", "60"),
        *("--log-level", "warning"),
    ]


def _granian_command(port: int, threads: int) -> list[str]:
    return [
        program("granian"),
        *("--interface", "wsgi"),
        *("--host", "127.0.0.1"),
        *("--port", str(port)),
        *("--workers", str(WORKERS)),
        *("--blocking-threads", str(threads)),
        *("--log-level", "warning"),
        "rival_wsgi:application",
    ]


def _clinic(number: int) -> RivalClinic:
    tenant_id = uuid4()
    return RivalClinic(
        number=number, slug=f"rival-{number:04}", tenant_id=tenant_id, schema=f"t_{tenant_id.hex}"
    )


async def _make_database(ground: Ground, password: str) -> None:
    connection = await ground.administrator()
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await connection.execute(f"DROP ROLE IF EXISTS {ROLE}")
        await connection.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'")
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {ROLE}")
    finally:
        await connection.close()


def _copy_project(ground: Ground) -> None:
    shutil.rmtree(project(ground), ignore_errors=True)
    shutil.copytree(SOURCE, project(ground), ignore=shutil.ignore_patterns("__pycache__"))
    description = json.dumps(described(list(TenantBase.metadata.sorted_tables)), indent=1)
    (project(ground) / "tables" / "tables.json").write_text(description, encoding="utf-8")


async def _make_clinics(ground: Ground, rival: Rival) -> None:
    wanted = [
        {"id": str(uuid4()), "slug": "public", "schema": "public"},
        {"id": str(uuid4()), "slug": "rival-model", "schema": MODEL_SCHEMA},
        *({"id": str(c.tenant_id), "slug": c.slug, "schema": c.schema} for c in rival.clinics),
    ]
    await _run(ground, rival, ["make_clinics.py"], given=json.dumps(wanted).encode())


async def _fill(ground: Ground, rival: Rival, model: Sequence[ModelTable]) -> None:
    tables = _without_unknown_columns(model)
    connection = await ground.administrator(DATABASE)
    try:
        for clinic in rival.clinics:
            destination = Destination(clinic.number, None)
            await write_copies(connection, clinic.schema, tables, [destination])
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _without_unknown_columns(model: Sequence[ModelTable]) -> list[ModelTable]:
    """Leave out tables and columns that the rival's models do not have."""
    known = {
        table["name"]: {column["name"] for column in table["columns"]}
        for table in described(list(TenantBase.metadata.sorted_tables))
    }
    reduced = []
    for table in model:
        if table.name not in known:
            continue
        kept = [n for n, column in enumerate(table.columns) if column in known[table.name]]
        reduced.append(
            ModelTable(
                table.name,
                tuple(table.columns[n] for n in kept),
                table.uuid_columns,
                tuple(tuple(row[n] for n in kept) for row in table.rows),
            )
        )
    return reduced


async def _run(
    ground: Ground, rival: Rival, arguments: Sequence[str], *, given: bytes = b""
) -> None:
    process = await asyncio.create_subprocess_exec(
        program("python"),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=project(ground),
        env=inherited() | rival.environ(ground),
    )
    async with asyncio.timeout(COMMAND_S_MAX):
        output, _ = await process.communicate(given)
    if process.returncode:
        raise BenchError(f"{' '.join(arguments)} failed:\n{output.decode(errors='replace')}")
