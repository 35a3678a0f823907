"""Branches of the clinic and who works there."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, SkipValidation
from litestar.status_codes import HTTP_201_CREATED

from auth.guards import needs
from controllers.etag import IfMatch, required_version, tagged
from controllers.idempotency import idempotent
from controllers.modes import READ, WRITE
from controllers.paging import PAGE_LIMIT_DEFAULT, Cursor, Limit, page_request
from controllers.responses import problems
from domain.actor import Actor
from domain.clinic import ClinicProfile
from domain.organisation.branch_members import BranchMemberService
from domain.organisation.branches import BranchService
from domain.organisation.schemas import (
    BranchChanges,
    BranchIn,
    BranchMemberIn,
    BranchMemberOut,
    BranchOut,
)
from domain.paging import Page
from tenancy.session import TenantSession

PATH = "/api/v1/branches"

Branches = NamedDependency[SkipValidation[BranchService]]
Members = NamedDependency[SkipValidation[BranchMemberService]]


def provide_branches(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
    clinic: NamedDependency[SkipValidation[ClinicProfile]],
) -> BranchService:
    """Return the service of branches."""
    return BranchService(db_session, actor, clinic)


def provide_members(
    db_session: NamedDependency[SkipValidation[TenantSession]],
    actor: NamedDependency[SkipValidation[Actor]],
) -> BranchMemberService:
    """Return the service of memberships."""
    return BranchMemberService(db_session, actor)


class BranchController(Controller):
    """Branches (sedes) of the calling clinic."""

    path = PATH
    tags = ("branches",)
    dependencies = {  # noqa: RUF012  # read once by Litestar
        "branches": Provide(provide_branches, sync_to_thread=False),
        "members": Provide(provide_members, sync_to_thread=False),
    }

    @get(
        "/",
        operation_id="listBranches",
        guards=[needs("branches:read")],
        opt=READ,
        responses=problems(400, 401, 403),
    )
    async def list_branches(
        self,
        branches: Branches,
        is_active: FromQuery[bool | None] = None,
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[BranchOut]:
        """Return one page of the branches that the caller sees, by name."""
        return await branches.list_branches(is_active, page_request(limit, cursor))

    @post(
        "/",
        operation_id="createBranch",
        guards=[needs("branches:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 409, 422),
    )
    @idempotent
    async def create_branch(
        self, branches: Branches, data: JSONBody[BranchIn]
    ) -> Response[BranchOut]:
        """Open a branch."""
        branch = await branches.create_branch(data)
        return tagged(branch, branch.version, HTTP_201_CREATED, f"{PATH}/{branch.id}")

    @get(
        "/{branch_id:uuid}",
        operation_id="getBranch",
        guards=[needs("branches:read")],
        opt=READ,
        responses=problems(401, 403, 404),
    )
    async def get_branch(
        self, branches: Branches, branch_id: FromPath[UUID]
    ) -> Response[BranchOut]:
        """Return one branch."""
        branch = await branches.get_branch(branch_id)
        return tagged(branch, branch.version)

    @patch(
        "/{branch_id:uuid}",
        operation_id="updateBranch",
        guards=[needs("branches:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 422, 428),
    )
    async def change_branch(
        self,
        branches: Branches,
        branch_id: FromPath[UUID],
        data: JSONBody[BranchChanges],
        if_match: IfMatch = None,
    ) -> Response[BranchOut]:
        """Change a branch; the last active one stays active."""
        branch = await branches.change_branch(branch_id, data, required_version(if_match))
        return tagged(branch, branch.version)

    @delete(
        "/{branch_id:uuid}",
        operation_id="archiveBranch",
        guards=[needs("branches:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 409, 412, 428),
    )
    async def archive_branch(
        self, branches: Branches, branch_id: FromPath[UUID], if_match: IfMatch = None
    ) -> None:
        """Close a branch for good; not the last active one."""
        await branches.archive_branch(branch_id, required_version(if_match))

    @get(
        "/{branch_id:uuid}/members",
        operation_id="listBranchMembers",
        guards=[needs("branches:read")],
        opt=READ,
        responses=problems(400, 401, 403, 404),
    )
    async def list_members(
        self,
        members: Members,
        branch_id: FromPath[UUID],
        limit: Limit = PAGE_LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Page[BranchMemberOut]:
        """Return one page of the users who work at the branch."""
        return await members.list_members(branch_id, page_request(limit, cursor))

    @put(
        "/{branch_id:uuid}/members/{user_id:uuid}",
        operation_id="putBranchMember",
        guards=[needs("branches:write")],
        opt=WRITE,
        responses=problems(400, 401, 403, 404, 422),
    )
    async def put_member(
        self,
        members: Members,
        branch_id: FromPath[UUID],
        user_id: FromPath[UUID],
        data: JSONBody[BranchMemberIn],
    ) -> BranchMemberOut:
        """Let a user work at the branch; acts at once, so the user's access token must be renewed."""
        return await members.put_member(branch_id, user_id, data)

    @delete(
        "/{branch_id:uuid}/members/{user_id:uuid}",
        operation_id="removeBranchMember",
        guards=[needs("branches:write")],
        opt=WRITE,
        responses=problems(401, 403, 404),
    )
    async def remove_member(
        self, members: Members, branch_id: FromPath[UUID], user_id: FromPath[UUID]
    ) -> None:
        """Take the branch from a user; acts at once."""
        await members.remove_member(branch_id, user_id)
