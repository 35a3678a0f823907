"""A clinic's settings by namespace: defaults until something is set, checked before it is kept."""

import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.errors import InvalidFieldError, StaleVersionError
from domain.operations.errors import UnknownNamespaceError
from domain.operations.models import TenantSetting
from domain.operations.settings_schemas import NAMESPACES, SettingsOut
from domain.service import ClinicService
from tenancy.session import TenantSession

ENTITY: Final = "tenant_setting"
WHERE_IN_DATA: Final = re.compile(r" - at `\$\.?(.*)`$")

SettingsT = TypeVar("SettingsT", bound=Struct)


class SettingsService(ClinicService):
    """The clinic's settings."""

    async def get_namespace(self, namespace: str) -> SettingsOut:
        """Return the namespace with defaults filled in; raise `UnknownNamespaceError` if there is none."""
        shape = _shape(namespace)
        stored, version = await _stored(self.session, namespace)
        data = msgspec.to_builtins(_filled(stored, shape))
        return SettingsOut(namespace=namespace, data=data, version=version)

    async def put_namespace(
        self, namespace: str, data: dict[str, Any], *, version: int
    ) -> SettingsOut:
        """Replace the namespace if it still has `version` (0: never set).

        Raises `InvalidFieldError` for a value that the namespace does not take and `StaleVersionError`.
        """
        checked = msgspec.to_builtins(_checked(data, _shape(namespace)))
        written = (
            await self._insert(namespace, checked)
            if version == 0
            else await self._update(namespace, checked, version)
        )
        if written is None:
            raise StaleVersionError((await _stored(self.session, namespace))[1])
        await self.audit("update", ENTITY, None, namespace=namespace, version=written)
        return SettingsOut(namespace=namespace, data=checked, version=written)

    async def _insert(self, namespace: str, data: dict[str, Any]) -> int | None:
        statement = (
            insert(TenantSetting)
            .values(namespace=namespace, data=data, updated_by=self.actor.user_id, version=1)
            .on_conflict_do_nothing()
            .returning(TenantSetting.version)
        )
        return (await self.session.execute(statement)).scalar_one_or_none()

    async def _update(self, namespace: str, data: dict[str, Any], version: int) -> int | None:
        statement = (
            update(TenantSetting)
            .where(TenantSetting.namespace == namespace, TenantSetting.version == version)
            .values(
                data=data,
                updated_by=self.actor.user_id,
                updated_at=func.now(),
                version=version + 1,
            )
            .returning(TenantSetting.version)
            .execution_options(synchronize_session=False)
        )
        return (await self.session.execute(statement)).scalar_one_or_none()


async def read_settings(
    session: TenantSession, namespace: str, shape: type[SettingsT]
) -> SettingsT:
    """Return a namespace as its Struct, for the rules that depend on it."""
    return _filled((await _stored(session, namespace))[0], shape)


async def _stored(session: TenantSession, namespace: str) -> tuple[dict[str, Any], int]:
    statement = select(TenantSetting.data, TenantSetting.version).where(
        TenantSetting.namespace == namespace
    )
    row = (await session.execute(statement)).one_or_none()
    return ({}, 0) if row is None else (row.data, row.version)


def _shape(namespace: str) -> type[Struct]:
    shape = NAMESPACES.get(namespace)
    if shape is None:
        raise UnknownNamespaceError
    return shape


def _filled(stored: dict[str, Any], shape: type[SettingsT]) -> SettingsT:
    """Return what is stored over the defaults; a field that a newer release dropped is left out."""
    known = {name: stored[name] for name in shape.__struct_fields__ if name in stored}
    return msgspec.convert(known, shape)


def _checked(data: dict[str, Any], shape: type[SettingsT]) -> SettingsT:
    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        where = WHERE_IN_DATA.search(str(error))
        inside = where[1].replace(".", "/").replace("[", "/").replace("]", "") if where else ""
        pointer = f"/data/{inside}" if inside else "/data"
        raise InvalidFieldError(pointer, "invalid", WHERE_IN_DATA.sub("", str(error))) from error
