"""`demo.json`: where the demo is served and who can log in; the one place where its passwords are kept."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from app.demo.accounts import DemoUser

DEMO_FILE_NAME: Final = "demo.json"
PRIVATE_FILE_MODE: Final = 0o600


class DemoOperator(Struct, frozen=True, kw_only=True):
    """The platform's operator of the demo, a superadmin."""

    email: str
    password: str


class DemoClinic(Struct, frozen=True, kw_only=True):
    """One clinic and its logins; `host` comes without port."""

    slug: str
    strategy: str
    host: str
    tenant_id: str
    users: tuple[DemoUser, ...]


class DemoReport(Struct, frozen=True, kw_only=True):
    """All that somebody needs to try the demo; `base_url` ends without a slash."""

    base_url: str
    operator: DemoOperator
    clinics: tuple[DemoClinic, ...]

    def passwords(self, slug: str) -> Mapping[str, str]:
        """Return the known passwords of one clinic by username."""
        return {
            user.username: user.password
            for clinic in self.clinics
            if clinic.slug == slug
            for user in clinic.users
        }


def read_demo_file(path: Path) -> DemoReport | None:
    """Return what an earlier demo wrote; None where there is nothing, or nothing that can be used."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=DemoReport)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_demo_file(path: Path, report: DemoReport) -> None:
    """Replace the file in one step; nobody but its owner can read it. Raises `OSError`."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE), "wb"
        ) as file:
            file.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
