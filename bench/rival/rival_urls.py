"""The rival's routes: the agenda of a day, login and sign-up, as django-ninja's documentation would write them."""

import uuid
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import jwt
from clinics.models import Clinic, Domain
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db import transaction
from django.db.models import DateField, DateTimeField, F, Func
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import path
from django.utils import timezone
from django_tenants.utils import tenant_context
from ninja import NinjaAPI, Schema
from ninja.security import HttpBearer
from tables import models

OFFSET_MAX = timedelta(hours=14)
ENTRIES_MAX = 500
SESSION_DAYS = 7


class Bearer(HttpBearer):
    """The token check of the product: signature, issuer, audience, clinic, and the login session behind it."""

    def authenticate(self, request: HttpRequest, token: str) -> dict | None:
        try:
            claims = jwt.decode(
                token,
                settings.SECRET_KEY,
                algorithms=["HS256"],
                audience=settings.TOKEN_AUDIENCE,
                issuer=settings.TOKEN_ISSUER,
            )
        except jwt.PyJWTError:
            return None
        if claims["tenant_id"] != str(request.tenant.id):
            return None
        if settings.CHECKS_LOGIN_SESSION and not login_is_alive(claims):
            return None
        return claims


def login_is_alive(claims: dict) -> bool:
    return models.AuthSession.objects.filter(
        id=claims["sid"],
        revoked_at=None,
        expires_at__gt=timezone.now(),
        user__status="active",
        user__access_version=claims["av"],
    ).exists()


api = NinjaAPI(auth=Bearer(), docs_url=None, openapi_url=None)


class AgendaEntry(Schema):
    id: uuid.UUID
    starts_at: datetime
    ends_at: datetime
    status: str
    branch_id: uuid.UUID
    room_id: uuid.UUID | None
    practitioner_id: uuid.UUID
    practitioner_name: str
    patient_id: uuid.UUID
    patient_name: str
    service_id: uuid.UUID | None
    reason_type: str
    reason_text: str
    is_overbooked: bool
    version: int


class AgendaPage(Schema):
    items: list[AgendaEntry]
    next_cursor: str | None


LISTED = (
    "id",
    "starts_at",
    "ends_at",
    "status",
    "branch_id",
    "room_id",
    "practitioner_id",
    "patient_id",
    "service_id",
    "reason_type",
    "reason_text",
    "is_overbooked",
    "version",
)
NAME_PARTS = ("given_names", "family_name", "second_family_name")


@api.get("/appointments/agenda", response=AgendaPage)
def agenda(request: HttpRequest, date: date, branch_id: uuid.UUID):  # noqa: ARG001  # django-ninja's signature
    midnight = datetime.combine(date, time(), tzinfo=UTC)
    rows = (
        models.Appointment.objects.annotate(
            local_day=Cast(
                Func(
                    F("branch__timezone"),
                    F("starts_at"),
                    function="timezone",
                    output_field=DateTimeField(),
                ),
                DateField(),
            )
        )
        .filter(
            branch_id=branch_id,
            starts_at__gte=midnight - OFFSET_MAX,
            starts_at__lt=midnight + timedelta(days=1) + OFFSET_MAX,
            local_day=date,
        )
        .order_by("starts_at", "id")
        .values(
            *LISTED,
            "branch__timezone",
            *(f"patient__person__{part}" for part in NAME_PARTS),
            *(f"practitioner__person__{part}" for part in NAME_PARTS),
        )[:ENTRIES_MAX]
    )
    return {"items": [entry(row) for row in rows], "next_cursor": None}


def entry(row: dict) -> dict:
    zone = ZoneInfo(row["branch__timezone"])
    return {
        **row,
        "starts_at": row["starts_at"].astimezone(zone),
        "ends_at": row["ends_at"].astimezone(zone),
        "patient_name": full_name(row, "patient"),
        "practitioner_name": full_name(row, "practitioner"),
    }


def full_name(row: dict, whose: str) -> str:
    parts = (row[f"{whose}__person__{part}"] for part in NAME_PARTS)
    return " ".join(part for part in parts if part)


class SignUpIn(Schema):
    name: str
    slug: str
    admin_email: str
    password: str


@api.post("/tenants/signup", auth=None, response={201: dict})
def sign_up(request: HttpRequest, data: SignUpIn):  # noqa: ARG001  # as above
    clinic = Clinic(id=uuid.uuid4(), slug=data.slug, name=data.name)
    clinic.schema_name = f"t_{clinic.id.hex}"
    clinic.save(verbosity=0)
    Domain.objects.create(
        domain=f"{data.slug}.{settings.BASE_DOMAIN}", tenant=clinic, is_primary=True
    )
    with tenant_context(clinic), transaction.atomic():
        first_rows(data)
    return 201, {"id": str(clinic.id), "slug": clinic.slug}


def first_rows(data: SignUpIn) -> None:
    now = timezone.now()
    stamps = {"created_at": now, "updated_at": now, "version": 1}
    user = models.UserAccount.objects.create(
        id=uuid.uuid4(),
        username=data.admin_email,
        email=data.admin_email,
        password_hash=make_password(data.password),
        password_scheme="argon2id",
        must_change_password=False,
        status="active",
        access_version=1,
        first_name="",
        last_name="",
        language="es",
        notifications_enabled=True,
        settings={},
        failed_logins=0,
        **stamps,
    )
    models.UserRole.objects.create(id=uuid.uuid4(), user=user, role="admin", created_at=now)
    branch = models.Branch.objects.create(
        id=uuid.uuid4(),
        name="Sede principal",
        code="PRINCIPAL",
        timezone="America/Lima",
        is_active=True,
        **stamps,
    )
    models.BranchMember.objects.create(
        id=uuid.uuid4(), branch=branch, user=user, is_default=True, created_at=now
    )


class LoginIn(Schema):
    username: str
    password: str


@api.post("/login", auth=None, response={200: dict, 401: dict})
def log_in(request: HttpRequest, data: LoginIn):  # noqa: ARG001  # as above
    user = models.UserAccount.objects.filter(username=data.username).first()
    if user is None or not check_password(data.password, user.password_hash):
        return 401, {}
    return 200, {"id": str(user.id)}


urlpatterns = [path("api/v1/", api.urls)]
