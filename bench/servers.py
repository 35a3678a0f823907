"""The servers under measurement: the product, and the reference without tenancy. Both are Granian, run the same way."""

import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from app.metrics import MULTIPROCESS_VARIABLE
from bench.ground import WORKERS, Ground
from bench.plain_app import CHECKS_LOGIN
from bench.processes import ServerProcess, free_port, serving

PRODUCT_FACTORY = "app.factory:create_app"
PLAIN_FACTORY = "bench.plain_app:create_plain_app"


def granian_command(target: str, port: int, *, workers: int = WORKERS) -> list[str]:
    """Return the command that serves an ASGI factory as the product's own `serve` does."""
    options = {
        "--interface": "asgi",
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": str(workers),
        "--loop": "uvloop",
        "--runtime-mode": "st",
        "--log-level": "warning",
    }
    flat = [part for pair in options.items() for part in pair]
    return [sys.executable, "-m", "granian", *flat, "--no-ws", "--factory", target]


def product_server(
    ground: Ground,
    *,
    name: str = "product",
    workers: int = WORKERS,
    environ: Mapping[str, str] | None = None,
) -> AbstractAsyncContextManager[ServerProcess]:
    """Serve the product on this ground."""
    return _granian(ground, name, PRODUCT_FACTORY, workers, environ or {})


def plain_server(
    ground: Ground,
    *,
    name: str = "plain",
    workers: int = WORKERS,
    checks_login: bool = True,
    environ: Mapping[str, str] | None = None,
) -> AbstractAsyncContextManager[ServerProcess]:
    """Serve the reference on this ground."""
    settings = {CHECKS_LOGIN: "1" if checks_login else "0", **(environ or {})}
    return _granian(ground, name, PLAIN_FACTORY, workers, settings)


def _granian(
    ground: Ground, name: str, target: str, workers: int, environ: Mapping[str, str]
) -> AbstractAsyncContextManager[ServerProcess]:
    port = free_port()
    # Workers share their metrics through files, as the product's own server has it.
    metrics = tempfile.mkdtemp(prefix=f"{name}-metrics-", dir=ground.logs)
    return serving(
        name,
        granian_command(target, port, workers=workers),
        port=port,
        log_directory=ground.logs,
        environ=ground.environ | {MULTIPROCESS_VARIABLE: metrics} | dict(environ),
    )
