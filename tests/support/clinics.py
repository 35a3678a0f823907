"""Clinics for tests: provisioned as the product provisions them, with users of every role and their tokens."""

import secrets
from typing import Any
from uuid import UUID

import httpx

from app.settings import Settings
from auth.passwords import HashScheme
from domain.actor import Role
from domain.identity.first_admin import create_first_admin
from domain.identity.models import UserAccount, UserRole, UserStatus
from domain.organisation.first_branch import create_first_branch
from domain.organisation.models import BranchMember
from domain.tables import new_id
from tenancy.modes import Mode
from tenancy.provisioning import Provisioner, ProvisioningParts
from tenancy.registry.requests import NewTenant
from tenancy.runtime import Tenancy
from tenancy.session import TenantSession
from tenancy.tenant import StrategyName, TenantId

PASSWORD = "a password of the tests"
# argon2id of PASSWORD, cheap on purpose (8 MiB, one pass): what it costs is no part of what is tested.
PASSWORD_HASH = "$argon2id$v=19$m=8192,t=1,p=1$JywuL0RFa2t+JySk5ZQJow$pKi6ifJAcz/3b+GznXr8z4fULqZvr8ZYB67OAB4sKm0"


class Clinic:
    """One clinic under test and the way to talk to it."""

    def __init__(
        self,
        tenancy: Tenancy,
        api: httpx.AsyncClient,
        *,
        tenant_id: TenantId,
        slug: str,
        admin_id: UUID,
        branch_id: UUID,
    ) -> None:
        self._tenancy = tenancy
        self._api = api
        self.tenant_id = tenant_id
        self.slug = slug
        self.host = f"{slug}.localhost"
        self.admin_id = admin_id
        self.branch_id = branch_id
        self.admin_username = f"admin@{slug}.example"
        self.password = PASSWORD
        self._usernames = {Role.ADMIN: self.admin_username}
        self._tokens: dict[str, str] = {}

    async def request(
        self, method: str, path: str, *, role: Role | str | None = Role.ADMIN, **options: Any
    ) -> httpx.Response:
        """Send a request at the clinic's host name as a user of `role`; None sends no token."""
        headers = {"Host": self.host, **options.pop("headers", {})}
        if role is not None:
            headers.setdefault("Authorization", f"Bearer {await self.token(role)}")
        return await self._api.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", path, **options)

    async def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return await self.request("POST", path, json=json, **options)

    async def patch(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.request("PATCH", path, json=json, **options)

    async def put(self, path: str, json: Any, **options: Any) -> httpx.Response:
        return await self.request("PUT", path, json=json, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.request("DELETE", path, **options)

    async def login(self, username: str, password: str | None = None) -> httpx.Response:
        body = {"username": username, "password": password or self.password}
        return await self.request("POST", "/api/personnel/auth/login", role=None, json=body)

    async def token(self, role: Role | str = Role.ADMIN) -> str:
        """Return an access token of a user of `role`, who is made on first use."""
        role = Role(role)
        username = await self.username(role)
        if username not in self._tokens:
            answer = await self.login(username)
            assert answer.status_code == 200, answer.text
            self._tokens[username] = answer.json()["access"]
        return self._tokens[username]

    async def username(self, role: Role) -> str:
        if role not in self._usernames:
            self._usernames[role] = (await self.add_user(role))[1]
        return self._usernames[role]

    def forget_tokens(self) -> None:
        """Log in anew at the next request: the test ended sessions."""
        self._tokens.clear()

    async def add_user(self, role: Role, *, in_first_branch: bool = True) -> tuple[UUID, str]:
        """Add an active user straight to the tables; return id and username."""
        user_id, username = new_id(), f"{role}-{secrets.token_hex(4)}"
        async with self._tenancy.session(self.tenant_id, Mode.WRITE) as session:
            session.add(
                UserAccount(
                    id=user_id,
                    username=username,
                    email=f"{username}@{self.slug}.example",
                    password_hash=PASSWORD_HASH,
                    password_scheme=HashScheme.ARGON2ID.value,
                    status=UserStatus.ACTIVE.value,
                )
            )
            await session.flush()
            session.add(UserRole(user_id=user_id, role=role.value))
            if in_first_branch:
                session.add(
                    BranchMember(branch_id=self.branch_id, user_id=user_id, is_default=True)
                )
            await session.flush()
        return user_id, username


class ClinicMaker:
    """Provisions clinics."""

    def __init__(self, tenancy: Tenancy, settings: Settings, api: httpx.AsyncClient) -> None:
        self._tenancy = tenancy
        self._api = api
        self._provisioner = Provisioner(
            ProvisioningParts(
                store=tenancy.store,
                strategies=tenancy.strategies,
                homes=tenancy.homes,
                sessions=tenancy,
                forget=tenancy.directory.forget,
                base_domain=settings.base_domains[0],
            )
        )

    async def make(self, slug: str, strategy: StrategyName, **fields: Any) -> Clinic:
        """Provision a clinic; further `fields` are those of `NewTenant`."""
        made: dict[str, UUID] = {}
        timezone = fields.get("timezone", "America/Lima")

        async def seed(session: TenantSession) -> None:
            made["admin"] = await create_first_admin(
                session, email=f"admin@{slug}.example", password_hash=PASSWORD_HASH
            )
            made["branch"] = await create_first_branch(
                session, name="Sede principal", timezone=timezone, member_user_id=made["admin"]
            )

        request = NewTenant(
            name=fields.pop("name", f"Clinic {slug}"),
            slug=slug,
            admin_email=f"admin@{slug}.example",
            plan=fields.pop("plan", "empresa"),
            strategy=strategy,
            server="main",
            **{**fields, "timezone": timezone},
        )
        tenant = await self._provisioner.create(request, seed)
        return Clinic(
            self._tenancy,
            self._api,
            tenant_id=tenant.id,
            slug=slug,
            admin_id=made["admin"],
            branch_id=made["branch"],
        )
