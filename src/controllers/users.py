"""The clinic's users, as administrators keep them."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter, SkipValidation
from litestar.status_codes import HTTP_200_OK, HTTP_201_CREATED

from auth.guards import needs
from auth.passwords import PasswordHasher
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor, Role
from domain.identity.models import UserStatus
from domain.identity.schemas import (
    RoleIn,
    TemporaryPassword,
    UserChanges,
    UserFilter,
    UserIn,
    UserListed,
    UserOut,
)
from domain.identity.user_actions import UserActions
from domain.identity.users import UserService
from domain.paging import Page
from tenancy.session import TenantSession

SEARCH_LENGTH_MAX = 100

Users = NamedDependency[SkipValidation[UserService]]
Actions = NamedDependency[SkipValidation[UserActions]]
Hasher = NamedDependency[SkipValidation[PasswordHasher]]
Search = Annotated[
    str | None,
    QueryParameter(
        max_length=SEARCH_LENGTH_MAX,
        description="Parts of username, e-mail or names; all must occur.",
    ),
]


def provide_users(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> UserService:
    """Return the service that keeps accounts."""
    return UserService(db_session, actor)


def provide_user_actions(users: Users) -> UserActions:
    """Return the service that changes status, roles and passwords."""
    return UserActions(users)


def _tagged(user: UserOut) -> Response[UserOut]:
    return tagged(user, user.version)


class UserController(Controller):
    """Users of the calling clinic."""

    path = "/api/v1/users"
    tags = ("users",)
    dependencies = {  # noqa: RUF012  # read once by Litestar
        "users": Provide(provide_users, sync_to_thread=False),
        "user_actions": Provide(provide_user_actions, sync_to_thread=False),
    }

    @get(
        "/",
        operation_id="listUsers",
        guards=[needs("users:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_users(  # noqa: PLR0913, PLR0917  # one argument a query parameter
        self,
        users: Users,
        status: FromQuery[UserStatus | None] = None,
        role: FromQuery[Role | None] = None,
        branch: FromQuery[UUID | None] = None,
        branch_id: FromQuery[UUID | None] = None,
        q: Search = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[UserListed]:
        """Return one page of users; `branch` is another name of `branch_id`."""
        wanted = UserFilter(status=status, role=role, branch_id=branch_id or branch, q=q)
        return await users.list_users(wanted, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createUser",
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_user(
        self, users: Users, data: JSONBody[UserIn], password_hasher: Hasher
    ) -> Response[UserOut]:
        """Add a user, who awaits approval unless created as active."""
        user = await users.create_user(data, password_hasher)
        return tagged(user, user.version, HTTP_201_CREATED, f"/api/v1/users/{user.id}")

    @get(
        "/{user_id:uuid}",
        operation_id="getUser",
        guards=[needs("users:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_user(self, users: Users, user_id: FromPath[UUID]) -> Response[UserOut]:
        """Return one user."""
        return _tagged(await users.get_user(user_id))

    @patch(
        "/{user_id:uuid}",
        operation_id="updateUser",
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(401, 403, 404, 409, 412, 422, 428),
    )
    async def change_user(
        self,
        users: Users,
        user_id: FromPath[UUID],
        data: JSONBody[UserChanges],
        if_match: IfMatch = None,
    ) -> Response[UserOut]:
        """Change a user's account; status, roles and password have actions of their own."""
        return _tagged(await users.change_user(user_id, data, required_version(if_match)))

    @post(
        "/{user_id:uuid}/approve",
        operation_id="approveUser",
        status_code=HTTP_200_OK,
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(401, 403, 404, 409, 412, 422, 428),
    )
    @idempotent
    async def approve(
        self, user_actions: Actions, user_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[UserOut]:
        """Let a pending user in."""
        return _tagged(await user_actions.approve(user_id, required_version(if_match)))

    @post(
        "/{user_id:uuid}/block",
        operation_id="blockUser",
        status_code=HTTP_200_OK,
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(401, 403, 404, 409, 412, 428),
    )
    @idempotent
    async def block(
        self, user_actions: Actions, user_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[UserOut]:
        """Shut a user out at once."""
        return _tagged(await user_actions.block(user_id, required_version(if_match)))

    @post(
        "/{user_id:uuid}/unblock",
        operation_id="unblockUser",
        status_code=HTTP_200_OK,
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(401, 403, 404, 412, 428),
    )
    @idempotent
    async def unblock(
        self, user_actions: Actions, user_id: FromPath[UUID], if_match: IfMatch = None
    ) -> Response[UserOut]:
        """Let a blocked user in again; lifts the lock after failed logins too."""
        return _tagged(await user_actions.unblock(user_id, required_version(if_match)))

    # Not under an Idempotency-Key: the answer would be kept, and with it the password.
    @post(
        "/{user_id:uuid}/reset-password",
        operation_id="resetUserPassword",
        status_code=HTTP_200_OK,
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(401, 403, 404, 412, 428),
    )
    async def reset_password(
        self,
        user_actions: Actions,
        user_id: FromPath[UUID],
        password_hasher: Hasher,
        if_match: IfMatch = None,
    ) -> Response[TemporaryPassword]:
        """Return a temporary password, shown this once, and end the user's sessions."""
        version = required_version(if_match)
        answer = await user_actions.reset_password(user_id, version, password_hasher)
        response = tagged(answer, answer.user.version)
        response.headers["Cache-Control"] = "no-store"
        return response

    @post(
        "/{user_id:uuid}/roles",
        operation_id="giveRole",
        status_code=HTTP_200_OK,
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(401, 403, 404, 412, 422, 428),
    )
    @idempotent
    async def give_role(
        self,
        user_actions: Actions,
        user_id: FromPath[UUID],
        data: JSONBody[RoleIn],
        if_match: IfMatch = None,
    ) -> Response[UserOut]:
        """Give the user a role; it acts at once."""
        version = required_version(if_match)
        return _tagged(await user_actions.give_role(user_id, data.role, version))

    @delete(
        "/{user_id:uuid}/roles/{role:str}",
        operation_id="takeRole",
        status_code=HTTP_200_OK,
        guards=[needs("users:write")],
        opt=WRITE,
        responses=problems(401, 403, 404, 409, 412, 428),
    )
    async def take_role(
        self,
        user_actions: Actions,
        user_id: FromPath[UUID],
        role: FromPath[Role],
        if_match: IfMatch = None,
    ) -> Response[UserOut]:
        """Take a role from the user; it acts at once."""
        version = required_version(if_match)
        return _tagged(await user_actions.take_role(user_id, role, version))
