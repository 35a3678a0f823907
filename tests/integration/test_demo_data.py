"""The demo's clinics on a real server: complete, apart, and the same when the demo is started again."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from msgspec import structs
from sqlalchemy import exists, func, select
from sqlalchemy.orm import aliased

from app.demo.clinics import DEMO_CLINICS, PATIENTS
from app.demo.errors import NotADemoClinicError
from app.demo.making import DemoTools, seed_demo
from app.demo.report import DemoClinic, DemoReport
from app.demo.seed import SeededClinic, seed_clinic
from app.factory import make_password_hasher, platform_options
from app.settings import Settings
from auth.passwords import HashScheme, StoredPassword
from clinics import Clinic
from domain.actor import Role
from domain.clock import utc_now
from domain.identity.models import UserAccount
from domain.organisation.identity_documents import read_document
from domain.organisation.models import Branch, Patient, Person, PersonIdentifier, Practitioner
from domain.scheduling.models import Appointment, AppointmentEvent
from tenancy.modes import Mode
from tenancy.platform import make_platform
from tenancy.runtime import Tenancy
from tenancy.tenant import StrategyName, TenantId

BASE_URL = "http://localhost:8000"
# Of their own names, so that no other test meets them.
CLINICS = tuple(
    structs.replace(spec, slug=f"{spec.slug}-seeded", name=f"{spec.name} of the tests")
    for spec in DEMO_CLINICS
)


def ignore_progress(_what: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture(scope="module")
def tools(tenancy: Tenancy, settings: Settings) -> DemoTools:
    return DemoTools(
        platform=make_platform(tenancy, platform_options(settings)),
        tenancy=tenancy,
        hasher=make_password_hasher(settings),
        clinics=CLINICS,
    )


@pytest.fixture(scope="module")
async def report(tools: DemoTools) -> DemoReport:
    return await seed_demo(tools, base_url=f"{BASE_URL}/", known=None, progress=ignore_progress)


@pytest.fixture(params=range(len(CLINICS)), ids=[spec.slug for spec in CLINICS])
def clinic(request: pytest.FixtureRequest, report: DemoReport) -> DemoClinic:
    return report.clinics[request.param]


@pytest.fixture
def read(tenancy: Tenancy, clinic: DemoClinic) -> Callable[..., Awaitable[Any]]:
    """Reads in the clinic under test, as the application does."""

    async def rows(statement: Any) -> Any:
        tenant_id = TenantId(UUID(clinic.tenant_id))
        async with tenancy.session(tenant_id, Mode.READ) as session:
            return (await session.execute(statement)).all()

    return rows


@pytest.fixture
def log_in(api: httpx.AsyncClient) -> Callable[..., Awaitable[httpx.Response]]:
    async def post(clinic: DemoClinic, username: str, password: str) -> httpx.Response:
        return await api.post(
            "/api/personnel/auth/login",
            json={"username": username, "password": password},
            headers={"Host": clinic.host},
        )

    return post


async def count(read: Callable[..., Awaitable[Any]], table: Any) -> int:
    return (await read(select(func.count()).select_from(table)))[0][0]


async def test_each_strategy_has_its_clinic(report: DemoReport) -> None:
    assert [clinic.strategy for clinic in report.clinics] == list(StrategyName)
    assert [clinic.host for clinic in report.clinics] == [f"{s.slug}.localhost" for s in CLINICS]
    assert report.base_url == BASE_URL


async def test_clinic_is_complete_and_sees_nobody_elses(
    read: Callable[..., Awaitable[Any]], clinic: DemoClinic
) -> None:
    spec = next(spec for spec in CLINICS if spec.slug == clinic.slug)
    assert await count(read, Patient) == PATIENTS
    assert await count(read, Person) == PATIENTS + len(spec.staff)
    assert await count(read, UserAccount) == len(spec.staff) + 1
    assert await count(read, Branch) == len(spec.branches)
    assert await count(read, Practitioner) == sum(s.specialty is not None for s in spec.staff)
    assert await count(read, Appointment) > 400


async def test_documents_kept_are_those_that_the_service_would_keep(
    read: Callable[..., Awaitable[Any]],
) -> None:
    rows = await read(
        select(PersonIdentifier.kind, PersonIdentifier.country, PersonIdentifier.value)
    )
    assert len(rows) == len(set(rows)) == PATIENTS + 12
    for kind, country, value in rows:
        assert read_document(kind, country, value).value == value


async def test_no_practitioner_room_or_patient_is_booked_twice(
    read: Callable[..., Awaitable[Any]],
) -> None:
    other = aliased(Appointment)
    for resource in ("practitioner_id", "room_id", "patient_id"):
        twice = select(Appointment.id).where(
            ~Appointment.is_overbooked,
            exists().where(
                ~other.is_overbooked,
                other.id != Appointment.id,
                getattr(other, resource) == getattr(Appointment, resource),
                other.starts_at < Appointment.ends_at,
                other.ends_at > Appointment.starts_at,
            ),
        )
        assert await read(twice) == [], resource


async def test_last_event_of_each_appointment_is_its_status(
    read: Callable[..., Awaitable[Any]],
) -> None:
    last = (
        select(AppointmentEvent.to_status)
        .where(AppointmentEvent.appointment_id == Appointment.id)
        .order_by(AppointmentEvent.at.desc(), AppointmentEvent.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    assert await read(select(Appointment.id).where(Appointment.status.is_distinct_from(last))) == []
    overbooked = await read(select(Appointment.overbook_reason).where(Appointment.is_overbooked))
    assert overbooked
    assert all(reason for (reason,) in overbooked)


async def test_users_of_every_role_can_log_in(
    clinic: DemoClinic, log_in: Callable[..., Awaitable[httpx.Response]]
) -> None:
    assert {user.role for user in clinic.users} == {role.value for role in Role}
    for user in clinic.users:
        answer = await log_in(clinic, user.username, user.password)
        assert answer.status_code == 200, (user.role, answer.text)


async def test_staff_of_one_clinic_cannot_log_in_at_another(
    report: DemoReport, log_in: Callable[..., Awaitable[httpx.Response]]
) -> None:
    first, second, _ = report.clinics
    answer = await log_in(second, first.users[0].username, first.users[0].password)
    assert answer.status_code == 401


async def test_next_patient_goes_on_with_the_record_numbers(
    clinic: DemoClinic, api: httpx.AsyncClient, log_in: Callable[..., Awaitable[httpx.Response]]
) -> None:
    admin = clinic.users[0]
    token = (await log_in(clinic, admin.username, admin.password)).json()["access"]
    answer = await api.post(
        "/api/v1/patients",
        json={"given_names": "Nueva", "family_name": "Paciente"},
        headers={"Host": clinic.host, "Authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["record_number"] == f"{PATIENTS + 1:06d}"


async def test_operator_is_a_superadmin_with_the_reported_password(
    report: DemoReport, tools: DemoTools
) -> None:
    found = await tools.platform.operators.credentials(report.operator.email)
    assert found is not None
    operator, password_hash = found
    assert operator.role == "superadmin"
    stored = StoredPassword(password_hash, HashScheme.ARGON2ID.value)
    assert (await tools.hasher.verify(stored, report.operator.password)).matches


async def test_started_again_it_stays_as_it_is(tools: DemoTools, report: DemoReport) -> None:
    operators = await tools.platform.operators.all()
    steps: list[tuple[str, int, int]] = []
    again = await seed_demo(
        tools,
        base_url="http://localhost:9001",
        known=report,
        progress=lambda *step: steps.append(step),
    )
    assert again == structs.replace(report, base_url="http://localhost:9001")
    assert await tools.platform.operators.all() == operators
    assert [(done, total) for _, done, total in steps] == [(1, 4), (2, 4), (3, 4), (4, 4)]


async def test_lost_file_gets_new_passwords_and_the_old_ones_end(
    tools: DemoTools, log_in: Callable[..., Awaitable[httpx.Response]]
) -> None:
    spec = structs.replace(CLINICS[0], slug="sonrisa-lost", name="Clinic of the lost file")
    one = structs.replace(tools, clinics=(spec,))
    first = await seed_demo(one, base_url=BASE_URL, known=None, progress=ignore_progress)
    again = await seed_demo(one, base_url=BASE_URL, known=None, progress=ignore_progress)
    before, after = first.clinics[0], again.clinics[0]
    assert after.tenant_id == before.tenant_id
    for old, new in zip(before.users, after.users, strict=True):
        assert (new.role, new.username) == (old.role, old.username)
    admin = after.users[0]
    assert (await log_in(after, admin.username, admin.password)).status_code == 200
    lost = before.users[0].password
    assert (await log_in(after, admin.username, lost)).status_code == 401
    # A login of somebody else may have the operator's name: it is left as it is.
    assert again.operator.email != first.operator.email


async def test_clinic_of_somebody_else_is_not_taken_for_the_demos(
    tools: DemoTools, make_clinic: Callable[..., Awaitable[Clinic]]
) -> None:
    own = await make_clinic(StrategyName.ROW)
    spec = structs.replace(CLINICS[0], slug=own.slug)
    with pytest.raises(NotADemoClinicError, match=own.slug):
        await seed_demo(
            structs.replace(tools, clinics=(spec,)),
            base_url=BASE_URL,
            known=None,
            progress=ignore_progress,
        )


async def test_clinic_with_patients_is_not_seeded_again(
    tenancy: Tenancy, report: DemoReport
) -> None:
    tenant_id = TenantId(UUID(report.clinics[1].tenant_id))
    async with tenancy.session(tenant_id, Mode.WRITE) as session:
        assert await seed_clinic(session, CLINICS[1], [], utc_now()) == SeededClinic()
