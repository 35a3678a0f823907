"""What `clinic demo` prints: where to look and what to try, ready to be copied into a shell."""

import json
from typing import Final
from urllib.parse import urlsplit

from app.demo.report import DEMO_FILE_NAME, DemoClinic, DemoReport

SIGN_UP: Final = {
    "name": "Clínica Test",
    "slug": "clinica-test",
    "admin_email": "admin@test.com",
    "password": "test1234",
}


def what_to_try(report: DemoReport) -> str:
    """Return the text; it holds the passwords of the demo's administrators."""
    parts = [
        "The clinics are ready, each kept apart in its own way:",
        "\n".join(_clinic_line(report, clinic) for clinic in report.clinics),
        _places(report),
        *(_requests(report, clinic) for clinic in report.clinics[:1]),
    ]
    return "\n\n".join(parts) + "\n"


def _places(report: DemoReport) -> str:
    return (
        f"The API and its documentation: {report.base_url}/docs\n"
        f"The operator of the platform:  {report.operator.email} / {report.operator.password}\n"
        f"All other logins:              {DEMO_FILE_NAME} in the data directory"
    )


def _clinic_line(report: DemoReport, clinic: DemoClinic) -> str:
    admin = clinic.users[0]
    return f"  {clinic.strategy:<9} {_url(report, clinic.host):<34} {admin.username} / {admin.password}"


def _requests(report: DemoReport, clinic: DemoClinic) -> str:
    """Return a walk through one clinic and a sign-up of another beside it."""
    admin = clinic.users[0]
    login = json.dumps({"username": admin.username, "password": admin.password})
    url = _url(report, clinic.host)
    sign_up = json.dumps(SIGN_UP, ensure_ascii=False)
    own_url = _url(report, clinic.host.replace(clinic.slug, SIGN_UP["slug"], 1))
    return f"""\
Log in, and list patients with the token:

  TOKEN=$(curl -s {url}/api/personnel/auth/login -H 'Content-Type: application/json' \\
    -d '{login}' | sed 's/.*"access": *"\\([^"]*\\)".*/\\1/')
  curl -s '{url}/api/v1/patients?limit=3' -H "Authorization: Bearer $TOKEN"

Sign up a clinic of your own; it works in the same second, at its own host name:

  curl -s {report.base_url}/api/tenants/signup -H 'Content-Type: application/json' \\
    -d '{sign_up}'
  curl -s {own_url}/api/tenants/validate"""


def _url(report: DemoReport, host: str) -> str:
    """Return the address of a clinic's own host: as the base address, at another name."""
    parts = urlsplit(report.base_url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}"
