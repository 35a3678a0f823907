"""Bodies of the login and user routes of the earlier systems; fields they do not know are ignored."""

from typing import Annotated, Any
from uuid import UUID

from msgspec import Meta, Struct, field

from auth.password_policy import PASSWORD_LENGTH_MAX
from auth.principal import TENANT_CLAIM
from auth.tokens import TOKEN_LENGTH_MAX
from controllers.auth import ClinicOut
from domain.actor import Role
from domain.identity.models import UserStatus
from domain.identity.schemas import BranchOfUser, UserListed

Name = Annotated[str, Meta(min_length=1, max_length=254)]
Password = Annotated[str, Meta(max_length=PASSWORD_LENGTH_MAX)]

SPANISH_TYPES = {
    Role.ADMIN.value: "ADMIN",
    Role.DENTIST.value: "ODONTOLOGO",
    Role.PATIENT.value: "PACIENTE",
}
"""The user types of the dental system; roles it did not have go by their own name in capitals."""


class SeedLoginIn(Struct, frozen=True, kw_only=True):
    """Name and password of the occupational system; `username` takes an e-mail too."""

    username: Name
    password: Password
    clinic: str | None = field(default=None, name=TENANT_CLAIM)


class SeedTokenIn(Struct, frozen=True, kw_only=True):
    """E-mail and password of the dental system."""

    email: Name
    password: Password


class SeedRefreshIn(Struct, frozen=True, kw_only=True):
    """A refresh token."""

    refresh: Annotated[str, Meta(max_length=TOKEN_LENGTH_MAX)]


class SeedUser(Struct, frozen=True, kw_only=True):
    """The user as the occupational system shows it."""

    id: UUID
    username: str
    email: str
    user_type: str
    must_change_password: bool


class SeedLoginOut(Struct, frozen=True, kw_only=True):
    """The answer to a login of the occupational system."""

    access: str
    refresh: str
    user: SeedUser
    tenant: ClinicOut


class SeedPair(Struct, frozen=True, kw_only=True):
    """The answer to a refresh; clients that read `access` alone go on with their first refresh token."""

    access: str
    refresh: str


class SeedProfile(Struct, frozen=True, kw_only=True):
    """The caller as the occupational system shows it, and what the caller may do."""

    id: UUID
    username: str
    email: str
    user_type: str
    settings: dict[str, Any]
    must_change_password: bool
    roles: list[Role]
    branches: list[BranchOfUser]
    permissions: list[str]


class Message(Struct, frozen=True, kw_only=True):
    """A sentence for people."""

    message: str


class Usuario(Struct, frozen=True, kw_only=True):
    """The user as the dental system shows it."""

    id: UUID
    email: str
    nombre: str
    apellido: str
    tipo_usuario: str


class UsuarioListed(Usuario, frozen=True, kw_only=True):
    """A user in a list of the dental system."""

    telefono: str
    activo: bool


class SeedTokenOut(Struct, frozen=True, kw_only=True):
    """The answer to a login of the dental system."""

    access: str
    refresh: str
    usuario: Usuario


def spanish_type(user_type: str) -> str:
    """Return the dental system's name for a role."""
    return SPANISH_TYPES.get(user_type, user_type.upper())


def usuario_of(user: UserListed) -> UsuarioListed:
    """Return the user as the dental system lists it."""
    return UsuarioListed(
        id=user.id,
        email=user.email or "",
        nombre=user.first_name,
        apellido=user.last_name,
        tipo_usuario=spanish_type(user.user_type),
        telefono=user.phone or "",
        activo=user.status == UserStatus.ACTIVE,
    )
