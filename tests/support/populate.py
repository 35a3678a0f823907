"""One of each resource of a clinic, made through its API, and a valid request for every operation that names one."""

import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, time, timedelta
from typing import Any

import httpx

from clinics import Clinic
from operations import Operation
from surgeries import next_weekday

UUID_TEXT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MONDAY = next_weekday(1)

KINDS = {
    "actor": "admin",
    "category": "category",
    "entity_id": "patient",
    "exception_id": "exception",
    "guardian_person_id": "guardian_person",
    "into_id": "kept_patient",
    "odontologo": "practitioner",
    "paciente": "patient",
    "servicio": "service",
    "session_id": "session",
}
"""What a parameter or a field names, where that is not its name without `_id`."""

PLAIN_PATH_VALUES = {"role": "nurse", "namespace": "clinic"}

ROUTE_KINDS = {
    "mergePatient": {"patient_id": "merged_patient"},
    "rescheduleAppointment": {"appointment_id": "moved_appointment"},
    "createPractitioner": {"person_id": "kept_person", "user_id": "portal_user"},
    "createPatient": {"person_id": "practitioner_person", "user_id": "portal_user"},
    "updatePatient": {"user_id": "another_portal_user"},
}
"""Where an operation uses a resource up, it gets one of its own."""

QUERIES: dict[str, dict[str, str]] = {
    "getAgenda": {"date": MONDAY.isoformat()},
    "findFreeSlots": {
        "practitioner_id": "practitioner",
        "branch_id": "branch",
        "from": MONDAY.isoformat(),
        "to": (MONDAY + timedelta(days=1)).isoformat(),
    },
}
"""What operations ask for besides; the name of a kind stands for its id."""


def kind_of(operation: Operation, name: str) -> str:
    """Which resource this parameter or field of the operation names."""
    own = ROUTE_KINDS.get(operation.id, {})
    return own.get(name) or KINDS.get(name) or name.removesuffix("_id")


class Population:
    """A clinic's resources: `ids` by kind, and everything its answers have told of it."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.mark = f"Marca{secrets.token_hex(4)}"
        self.document = f"{secrets.randbelow(10**8):08d}"
        self.ids: dict[str, str] = {"admin": str(clinic.admin_id)}
        self.known_ids: set[str] = {
            str(clinic.tenant_id),
            str(clinic.admin_id),
            str(clinic.branch_id),
        }
        self._slots = -1

    async def make(self, kind: str, path: str, body: dict[str, Any], method: str = "POST") -> Any:
        """Create one; its id is kept under `kind`."""
        answer = await self.clinic.request(method, path, json=body)
        assert answer.status_code in {200, 201}, f"{path}: {answer.text}"
        self.known_ids |= set(UUID_TEXT.findall(answer.text))
        made = answer.json()
        self.ids[kind] = made.get("id", "")
        return made

    def slot(self) -> dict[str, str]:
        """A period that nothing else here uses; the first one is on MONDAY."""
        self._slots += 1
        start = datetime.combine(MONDAY + timedelta(days=self._slots), time(9))
        return {
            "starts_at": start.isoformat(),
            "ends_at": (start + timedelta(minutes=30)).isoformat(),
        }

    def urls(self, operation: Operation, others: Mapping[str, str] | None = None) -> str:
        """The operation's URL with this clinic's ids; `others` replace some by name."""
        values = {
            name: PLAIN_PATH_VALUES.get(name) or self.ids[kind_of(operation, name)]
            for name in operation.path_names
            if name not in (others or {})
        }
        return operation.url({**values, **(others or {})})

    def query(self, operation: Operation) -> dict[str, str]:
        """The query that the operation cannot do without."""
        wanted = QUERIES.get(operation.id, {})
        return {name: self.ids.get(value, value) for name, value in wanted.items()}

    def bodies(self, operation: Operation) -> list[dict[str, Any]]:
        """Valid bodies of the operation; together they have every field that names something."""
        if not operation.has_body:
            return [{}]
        make = BODIES[operation.id]
        bodies = make(self)
        return bodies if isinstance(bodies, list) else [bodies]

    def references(self, operation: Operation, *names: str) -> dict[str, str]:
        return {name: self.ids[kind_of(operation, name)] for name in names}

    async def version(self, url: str) -> str:
        """The ETag to send as If-Match for an action on `url`."""
        path = versioned(url)
        answer = await self.clinic.get(path) if path else None
        return '"1"' if answer is None else answer.headers.get("ETag", '"1"')


def versioned(url: str) -> str:
    """The URL of the resource whose version an action on `url` needs; empty where there is none."""
    resource = UUID_TEXT.search(url)
    if resource is None or "/auth/" in url:
        return url if "/settings/" in url else ""
    return url if url.endswith("/availability") else url[: resource.end()]


async def populate(clinic: Clinic) -> Population:
    """Make one of each resource in the clinic and return them."""
    made = Population(clinic)
    await _staff_and_places(made)
    await _people(made)
    await _agenda(made)
    sessions = await clinic.get("/api/v1/auth/sessions")
    made.ids["session"] = sessions.json()["items"][0]["id"]
    events = await clinic.get("/api/v1/audit-events", params={"limit": 100})
    made.known_ids |= set(UUID_TEXT.findall(sessions.text + events.text))
    return made


async def _staff_and_places(made: Population) -> None:
    mark = made.mark
    await made.make("branch", "/api/v1/branches", {"name": mark, "code": mark})
    await made.make("room", "/api/v1/rooms", {"branch_id": made.ids["branch"], "name": mark})
    await made.make("specialty", "/api/v1/specialties", {"name": mark, "code": mark})
    for kind, role in (
        ("user", "dentist"),
        ("portal_user", "patient"),
        ("another_portal_user", "patient"),
    ):
        body = {"email": f"{kind}@{mark.lower()}.example", "roles": [role], "first_name": mark}
        await made.make(kind, "/api/v1/users", body)
    path = f"/api/v1/branches/{made.ids['branch']}/members/{made.ids['user']}"
    await made.make("member", path, {"is_default": True}, method="PUT")


async def _people(made: Population) -> None:
    person = {"given_names": made.mark, "family_name": "Zafiro"}
    references = {"user_id": made.ids["user"], "specialty_id": made.ids["specialty"]}
    practitioner = await made.make(
        "practitioner", "/api/v1/practitioners", {"person": person, **references}
    )
    documents = [{"kind": "dni", "country": "PE", "value": made.document}]
    patient = await made.make(
        "patient", "/api/v1/patients", {**person, "guardian": person, "identifiers": documents}
    )
    made.ids["practitioner_person"] = practitioner["person_id"]
    made.ids["person"] = patient["person_id"]
    made.ids["guardian_person"] = patient["guardian_person_id"]
    for kind in ("merged_patient", "kept_patient"):
        one = await made.make(kind, "/api/v1/patients", person)
        made.ids[kind.replace("patient", "person")] = one["person_id"]


async def _agenda(made: Population) -> None:
    mark, ids = made.mark, made.ids
    await made.make("category", "/api/v1/service-categories", {"name": mark})
    service = {"category_id": ids["category"], "code": mark, "name": mark, "duration_min": 30}
    await made.make("service", "/api/v1/services", service)
    hours = {"branch_id": ids["branch"], "rules": [_RULE]}
    path = f"/api/v1/practitioners/{ids['practitioner']}/availability"
    put = await made.clinic.put(path, hours, headers={"If-Match": await made.version(path)})
    assert put.status_code == 200, put.text
    made.known_ids |= set(UUID_TEXT.findall(put.text))
    for kind in ("appointment", "moved_appointment"):
        await made.make(kind, "/api/v1/appointments", _appointment(made))
    closed = {**made.slot(), "kind": "closed", "reason": mark}
    await made.make("exception", f"/api/v1/branches/{ids['branch']}/exceptions", closed)
    path = f"/api/v1/practitioners/{ids['practitioner']}/exceptions"
    await made.make("exception", path, {**closed, **made.slot()})


_RULE = {"weekday": 1, "start_local": "09:00", "end_local": "13:00"}


def _appointment(made: Population) -> dict[str, Any]:
    names = ("patient", "practitioner", "branch", "room", "service")
    references = {f"{name}_id": made.ids[name] for name in names}
    return {**references, **made.slot(), "reason_text": made.mark}


def _cita(made: Population) -> dict[str, Any]:
    return {
        "odontologo": made.ids["practitioner"],
        "paciente": made.ids["patient"],
        "servicio": made.ids["service"],
        "fecha_hora": made.slot()["starts_at"],
        "motivo_tipo": "CONSULTA",
        "motivo": made.mark,
    }


def _fresh(made: Population) -> str:
    return f"{made.mark}{secrets.token_hex(3)}"


Body = dict[str, Any]

BODIES: dict[str, Callable[[Population], Body | list[Body]]] = {
    "changeOwnPassword": lambda _: {"current_password": "x", "new_password": "y"},
    "createUser": lambda p: {
        "email": f"{_fresh(p).lower()}@users.example",
        "roles": ["nurse"],
        "person_id": p.ids["person"],
    },
    "updateUser": lambda p: {"bio": p.mark, "person_id": p.ids["person"]},
    "giveRole": lambda _: {"role": "nurse"},
    "createBranch": lambda p: {"name": p.mark, "code": _fresh(p)},
    "updateBranch": lambda p: {"name": p.mark},
    "putBranchMember": lambda _: {"is_default": False},
    "createRoom": lambda p: {"branch_id": p.ids["branch"], "name": _fresh(p)},
    "updateRoom": lambda p: {"name": _fresh(p)},
    "createSpecialty": lambda p: {"name": _fresh(p), "code": _fresh(p)},
    "updateSpecialty": lambda p: {"name": _fresh(p)},
    "createPractitioner": lambda p: {
        "person_id": p.ids["kept_person"],
        "user_id": p.ids["portal_user"],
        "specialty_id": p.ids["specialty"],
    },
    "updatePractitioner": lambda p: {
        "user_id": p.ids["user"],
        "specialty_id": p.ids["specialty"],
    },
    "createPatient": lambda p: [
        {
            "given_names": p.mark,
            "family_name": "Zafiro",
            "guardian_person_id": p.ids["guardian_person"],
            "user_id": p.ids["portal_user"],
        },
        {"person_id": p.ids["practitioner_person"]},
    ],
    "updatePatient": lambda p: {
        "guardian_person_id": p.ids["guardian_person"],
        "user_id": p.ids["another_portal_user"],
    },
    "mergePatient": lambda p: {"into_id": p.ids["kept_patient"]},
    "createServiceCategory": lambda p: {"name": _fresh(p)},
    "updateServiceCategory": lambda p: {"name": _fresh(p)},
    "createService": lambda p: {
        "category_id": p.ids["category"],
        "code": secrets.token_hex(4),
        "name": p.mark,
        "duration_min": 30,
    },
    "updateService": lambda p: {"category_id": p.ids["category"]},
    "putAvailability": lambda p: {"branch_id": p.ids["branch"], "rules": [_RULE]},
    "createPractitionerException": lambda p: {**p.slot(), "kind": "closed"},
    "createBranchException": lambda p: {**p.slot(), "kind": "closed"},
    "updateAvailabilityException": lambda p: {"reason": p.mark},
    "createAppointment": _appointment,
    "updateAppointment": lambda p: {"room_id": p.ids["room"], "service_id": p.ids["service"]},
    "rescheduleAppointment": lambda p: {
        **p.slot(),
        "practitioner_id": p.ids["practitioner"],
        "room_id": p.ids["room"],
    },
    "confirmAppointment": lambda p: {"note": p.mark},
    "arriveAppointment": lambda p: {"note": p.mark},
    "startAppointment": lambda p: {"note": p.mark},
    "completeAppointment": lambda p: {"note": p.mark},
    "missAppointment": lambda p: {"note": p.mark},
    "cancelAppointment": lambda p: {"cancel_reason": p.mark},
    "seedCreateCita": _cita,
    "putSettings": lambda p: {"data": {"display_name": p.mark}},
}
"""Operation -> a body, or several where fields exclude each other."""


def told(answer: httpx.Response) -> set[str]:
    """Every id in an answer's body and in the headers that may name something."""
    headers = (answer.headers.get(name, "") for name in ("location", "link", "etag"))
    return set(UUID_TEXT.findall(answer.text + "".join(headers)))
