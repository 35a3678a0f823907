"""The page that a browser sees at a sub-domain no clinic has; programs get a problem document instead."""

from collections.abc import Sequence
from html import escape
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy.exc import SQLAlchemyError

from app.messages import Language, Text, preferred_language
from app.request_state import header
from app.resolution import Directory, find, host_candidate
from tenancy.errors import TenancyError
from tenancy.tenant import TenantStatus

API_PREFIX: Final = "/api"
HTML: Final = "text/html"

TITLE: Final = Text("Organización no encontrada", "Organisation not found")
MESSAGE: Final = Text(
    "El subdominio <strong>{host}</strong> no existe.",
    "The sub-domain <strong>{host}</strong> does not exist.",
)
BACK: Final = Text("← Volver al inicio", "← Back to the start")

PAGE: Final = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1rem }}
h1 {{ font-size: 1.6rem }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{message}</p>
<p><a href="{home}">{back}</a></p>
</body>
</html>
"""


class UnknownClinicPage:
    """Answers page loads at unknown hosts, also where no route matches; lets everything else pass."""

    def __init__(
        self,
        app: ASGIApp,
        directory: Directory,
        base_domains: Sequence[str],
        default_language: Language,
    ) -> None:
        self._app = app
        self._directory = directory
        self._base_domains = tuple(base_domains)
        self._default_language = default_language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404 with the page, or pass the request on."""
        host = header(scope, b"host") or ""
        if not _loads_page(scope) or not await self._is_unknown(host):
            await self._app(scope, receive, send)
            return
        language = preferred_language(header(scope, b"accept-language"), self._default_language)
        body = unknown_clinic_page(host, self._home_of(host), language).encode()
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"Host"),
        ]
        await send({"type": "http.response.start", "status": 404, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _is_unknown(self, host: str) -> bool:
        candidate = host_candidate(host, self._base_domains)
        if candidate is None or candidate.is_optional:
            return False
        try:
            found = await find(candidate, self._directory)
        except (TenancyError, SQLAlchemyError, OSError):
            return False
        return found is None or found.tenant.status is TenantStatus.ARCHIVED

    def _home_of(self, host: str) -> str:
        """Return the address of the base domain that the host is under, with the host's port."""
        name, colon, port = host.partition(":")
        base = next((b for b in self._base_domains if name.lower().rstrip(".").endswith(b)), "")
        return f"//{base}{colon}{port}/"


def unknown_clinic_page(host: str, home: str, language: Language) -> str:
    """Return the page; the host comes from the request and is shown escaped."""
    return PAGE.format(
        language=language,
        title=TITLE.read(language),
        message=MESSAGE.read(language).format(host=escape(host.partition(":")[0])),
        home=escape(home, quote=True),
        back=BACK.read(language),
    )


def _loads_page(scope: Scope) -> bool:
    if scope["type"] != ScopeType.HTTP or scope.get("method") not in {"GET", "HEAD"}:
        return False
    path: str = scope["path"]
    is_api = path == API_PREFIX or path.startswith(f"{API_PREFIX}/")
    return not is_api and HTML in (header(scope, b"accept") or "").lower()
