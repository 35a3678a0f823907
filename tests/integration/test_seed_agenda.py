"""The agenda as the earlier systems' frontends use it: `citas`, in their names, with and without trailing slash."""

import secrets
from typing import Any
from uuid import uuid4

import pytest

from clinics import Clinic
from domain.actor import Role
from domain.organisation.models import BranchMember, Practitioner
from domain.tables import new_id
from surgeries import APPOINTMENTS, Surgery, another_branch, bearer, next_weekday, surgery_at
from tenancy.modes import Mode

CITAS = "/api/agenda/citas/"
MONDAY = next_weekday(1)
NINE = f"{MONDAY}T09:00:00"


def cita(surgery: Surgery, fecha_hora: str = NINE, **changes: Any) -> dict[str, Any]:
    return {
        "odontologo": str(surgery.practitioner_id),
        "paciente": str(surgery.patient_id),
        "fecha_hora": fecha_hora,
        "motivo_tipo": "CONSULTA",
        "motivo": "Revisión general",
    } | changes


@pytest.mark.parametrize("path", [CITAS, CITAS.rstrip("/")])
async def test_cita_is_booked_and_shown_in_its_own_names(clinic_a: Clinic, path: str) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(path, cita(surgery))
    assert answer.status_code == 201, answer.text
    booked = answer.json()
    assert answer.headers["Location"] == f"{APPOINTMENTS}/{booked['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert booked == {
        "id": booked["id"],
        "odontologo": str(surgery.practitioner_id),
        "paciente": str(surgery.patient_id),
        "fecha_hora": f"{NINE}-05:00",
        "fecha_hora_fin": f"{MONDAY}T09:30:00-05:00",
        "motivo_tipo": "CONSULTA",
        "motivo": "Revisión general",
        "estado": "PENDIENTE",
        "pagada": False,
    }
    canonical = (await clinic_a.get(answer.headers["Location"])).json()
    assert (canonical["reason_type"], canonical["reason_text"]) == (
        "consultation",
        "Revisión general",
    )
    assert canonical["branch_id"] == str(clinic_a.branch_id)


async def test_example_of_the_earlier_system_still_works(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(CITAS, cita(surgery, "2024-12-01T10:00:00", color="azul"))
    assert answer.status_code == 201, answer.text
    assert answer.json()["fecha_hora"] == "2024-12-01T10:00:00-05:00"


@pytest.mark.parametrize(
    ("motivo", "canonical"),
    [
        ("CONSULTA", "consultation"),
        ("URGENCIA", "emergency"),
        ("CONTROL", "control"),
        ("PROCEDIMIENTO", "procedure"),
        ("otro", "other"),
    ],
)
async def test_motivo_goes_both_ways(clinic_a: Clinic, motivo: str, canonical: str) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(CITAS, cita(surgery, motivo_tipo=motivo))
    assert answer.json()["motivo_tipo"] == motivo.upper()
    shown = await clinic_a.get(answer.headers["Location"])
    assert shown.json()["reason_type"] == canonical


async def test_estado_follows_the_life_of_the_appointment(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    booked = (await clinic_a.post(CITAS, cita(surgery))).json()
    appointment = (await clinic_a.get(f"{APPOINTMENTS}/{booked['id']}")).json()
    query = {"odontologo": str(surgery.practitioner_id)}
    for action, estado in [
        ("confirm", "CONFIRMADA"),
        ("arrive", "CONFIRMADA"),
        ("start", "CONFIRMADA"),
        ("complete", "ATENDIDA"),
    ]:
        appointment = (await surgery.act(appointment, action)).json()
        listed = (await clinic_a.get(CITAS, params=query | {"estado": estado})).json()["items"]
        assert [(each["id"], each["estado"]) for each in listed] == [(booked["id"], estado)]
    other = await surgery.book(f"{MONDAY}T11:00:00")
    await surgery.act(other, "cancel")
    listed = (await clinic_a.get(CITAS, params=query | {"estado": "CANCELADA"})).json()["items"]
    assert [each["id"] for each in listed] == [other["id"]]


@pytest.mark.parametrize("path", ["/api/citas/", "/api/citas", CITAS, CITAS.rstrip("/")])
async def test_list_is_newest_first_under_each_name(clinic_a: Clinic, path: str) -> None:
    surgery = await surgery_at(clinic_a)
    hours = ("09:00:00", "11:00:00", "10:00:00")
    for hour in hours:
        await clinic_a.post(CITAS, cita(surgery, f"{MONDAY}T{hour}"))
    query = {"odontologo": str(surgery.practitioner_id), "fecha": str(MONDAY), "unknown": "1"}
    answer = await clinic_a.get(path, params=query, headers={"X-Organization-ID": clinic_a.slug})
    assert answer.status_code == 200, answer.text
    shown = [each["fecha_hora"][11:19] for each in answer.json()["items"]]
    assert shown == sorted(hours, reverse=True)
    nothing = await clinic_a.get(path, params=query | {"paciente": str(uuid4())})
    assert nothing.json()["items"] == []


async def test_service_gives_the_length(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    category = await clinic_a.post("/api/v1/service-categories", {"name": secrets.token_hex(4)})
    body = {
        "category_id": category.json()["id"],
        "code": secrets.token_hex(4),
        "name": "Endodoncia",
        "duration_min": 90,
    }
    service = (await clinic_a.post("/api/v1/services", body)).json()
    answer = await clinic_a.post(CITAS, cita(surgery, servicio=service["id"]))
    assert answer.json()["fecha_hora_fin"] == f"{MONDAY}T10:30:00-05:00"


async def test_cita_is_at_the_branch_of_the_practitioner_on_its_wall_clock(
    clinic_a: Clinic,
) -> None:
    surgery = await surgery_at(clinic_a)
    branch_id = await another_branch(clinic_a, "America/Mexico_City")
    user_id, _ = await clinic_a.add_user(Role.DENTIST, in_first_branch=False)
    await surgery.add(BranchMember(branch_id=branch_id, user_id=user_id, is_default=True))
    async with clinic_a._tenancy.session(clinic_a.tenant_id, Mode.WRITE) as session:
        practitioner = await session.get_one(Practitioner, surgery.practitioner_id)
        practitioner.user_id = user_id
    answer = await clinic_a.post(CITAS, cita(surgery))
    assert answer.json()["fecha_hora"] == f"{NINE}-06:00"
    shown = await clinic_a.get(answer.headers["Location"])
    assert shown.json()["branch_id"] == str(branch_id)


async def test_conflict_is_the_same_problem_as_everywhere(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    await clinic_a.post(CITAS, cita(surgery))
    answer = await clinic_a.post(CITAS, cita(surgery, f"{MONDAY}T09:15:00"))
    assert answer.status_code == 409
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert (problem["code"], problem["title"]) == ("appointment_conflict", "Horario ocupado")
    assert problem["instance"] == CITAS
    assert problem["conflicts"][0]["resource"] == "practitioner"
    assert problem["conflicts"][0]["starts_at"] == f"{NINE}-05:00"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"fecha_hora": "mañana"}, "/fecha_hora"),
        ({"fecha_hora": "0001-01-01T00:00:00"}, "/fecha_hora"),
        ({"motivo_tipo": "FIESTA"}, "/motivo_tipo"),
        ({"odontologo": 2}, "/odontologo"),
        ({"servicio": str(new_id())}, "/servicio"),
        ({"paciente": str(new_id())}, "/paciente"),
        ({"odontologo": str(new_id())}, "/odontologo"),
    ],
)
async def test_impossible_cita_is_refused_at_its_field(
    clinic_a: Clinic, changes: dict[str, Any], pointer: str
) -> None:
    surgery = await surgery_at(clinic_a)
    answer = await clinic_a.post(CITAS, cita(surgery, **changes))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_same_key_books_once(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    answers = [await clinic_a.post(CITAS, cita(surgery), headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_portal_user_books_and_lists_own_ones_only(clinic_a: Clinic) -> None:
    surgery = await surgery_at(clinic_a)
    _, patient_id, token = await surgery.portal_user()
    await clinic_a.post(CITAS, cita(surgery, f"{MONDAY}T10:00:00"))
    own = await clinic_a.post(CITAS, cita(surgery, paciente=str(patient_id)), headers=bearer(token))
    assert own.status_code == 201, own.text
    others = await clinic_a.post(CITAS, cita(surgery, f"{MONDAY}T12:00:00"), headers=bearer(token))
    assert others.status_code == 403
    past = cita(surgery, "2024-12-01T10:00:00", paciente=str(patient_id))
    assert (await clinic_a.post(CITAS, past, headers=bearer(token))).status_code == 422
    listed = await clinic_a.get(CITAS, headers=bearer(token))
    assert [each["id"] for each in listed.json()["items"]] == [own.json()["id"]]


async def test_other_clinic_sees_and_books_nothing_of_it(
    clinic_a: Clinic, clinic_b: Clinic
) -> None:
    ours, theirs = await surgery_at(clinic_a), await surgery_at(clinic_b)
    await clinic_a.post(CITAS, cita(ours))
    listed = await clinic_b.get(CITAS, params={"odontologo": str(ours.practitioner_id)})
    assert listed.json()["items"] == []
    for foreign in ({"odontologo": str(ours.practitioner_id)}, {"paciente": str(ours.patient_id)}):
        answer = await clinic_b.post(CITAS, cita(theirs, **foreign))
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_reference")
