"""Requests about patients that several test files make."""

import secrets
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select

from clinics import Clinic
from domain.actor import Role
from domain.operations.models import AuditEvent
from domain.organisation.identity_documents import make_valid
from tenancy.modes import Mode
from tenancy.runtime import Tenancy

PATIENTS = "/api/v1/patients"


def dni() -> dict[str, Any]:
    return {
        "kind": "dni",
        "country": "PE",
        "value": make_valid("dni", "PE", secrets.randbelow(4_999_999)),
    }


def somebody(**fields: Any) -> dict[str, Any]:
    return {
        "given_names": "José Luis",
        "family_name": f"Peña{secrets.token_hex(3)}",
        "second_family_name": "Flores",
        "birth_date": "1990-05-17",
        "identifiers": [dni()],
    } | fields


async def created(clinic: Clinic, role: Role = Role.OPERATOR, **fields: Any) -> dict[str, Any]:
    body = fields if "person_id" in fields else somebody(**fields)
    answer = await clinic.post(PATIENTS, body, role=role)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def change(clinic: Clinic, patient: dict[str, Any], **changes: Any) -> httpx.Response:
    return await clinic.patch(
        f"{PATIENTS}/{patient['id']}", changes, headers={"If-Match": f'"{patient["version"]}"'}
    )


async def listed(clinic: Clinic, role: Role = Role.OPERATOR, **query: Any) -> list[str]:
    answer = await clinic.get(PATIENTS, role=role, params={"limit": 100} | query)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def portal_user(clinic: Clinic) -> tuple[str, str]:
    """Return id and access token of a new portal user."""
    user_id, username = await clinic.add_user(Role.PATIENT)
    return str(user_id), (await clinic.login(username)).json()["access"]


async def audited(tenancy: Tenancy, clinic: Clinic, patient_id: str) -> list[str]:
    async with tenancy.session(clinic.tenant_id, Mode.READ) as session:
        found = await session.scalars(
            select(AuditEvent.action)
            .where(AuditEvent.entity_id == UUID(patient_id))
            .order_by(AuditEvent.at, AuditEvent.id)
        )
        return list(found)
