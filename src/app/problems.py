"""The one table from error class to status, code and text. A class that is not in it is a bug of ours: 500."""

from typing import Final

from litestar.exceptions import HTTPException
from msgspec import Struct

from app.resolution import TenantMismatchError, TenantNotResolvedError
from auth import errors as auth
from auth.rate_limits import RateLimitedError
from controllers import errors as request
from domain import errors as clinic
from domain import paging
from domain.identity import errors as identity
from domain.operations import errors as operations
from domain.organisation import errors as organisation
from domain.scheduling import errors as scheduling
from tenancy import bootstrap, migrations
from tenancy import errors as tenancy
from tenancy.mover import errors as mover
from tenancy.registry import errors as registry


class ProblemRow(Struct, frozen=True):
    """What is answered for one class of errors; `message` names its text where the code's does not fit."""

    status: int
    code: str
    message: str = ""
    retry_after_s: int | None = None

    @property
    def message_key(self) -> str:
        """The key of the detail's text."""
        return self.message or self.code


INTERNAL: Final = ProblemRow(500, "internal_error")
UNAVAILABLE: Final = ProblemRow(503, "server_unavailable", retry_after_s=1)
RETRY: Final = ProblemRow(503, "retry", retry_after_s=1)
INVALID: Final = ProblemRow(422, "validation_error")
BAD_REQUEST: Final = ProblemRow(400, "bad_request")

PROBLEMS: Final[dict[type[Exception], ProblemRow]] = {
    # the request itself
    request.RequestError: BAD_REQUEST,
    request.IfMatchRequiredError: ProblemRow(428, "if_match_required"),
    request.InvalidIfMatchError: ProblemRow(400, "bad_request", "invalid_if_match"),
    request.InvalidIdempotencyKeyError: ProblemRow(400, "bad_request", "invalid_idempotency_key"),
    request.IdempotencyKeyRequiredError: ProblemRow(400, "bad_request", "idempotency_key_required"),
    request.UnknownQueryParameterError: ProblemRow(400, "bad_request", "unknown_query_parameter"),
    # whose request it is
    TenantNotResolvedError: ProblemRow(400, "tenant_not_resolved"),
    TenantMismatchError: ProblemRow(403, "tenant_mismatch"),
    auth.AuthError: ProblemRow(403, "forbidden"),
    auth.NotAuthenticatedError: ProblemRow(401, "invalid_token"),
    auth.MissingTokenError: ProblemRow(401, "invalid_token", "missing_token"),
    auth.InvalidTokenError: ProblemRow(401, "invalid_token"),
    auth.TokenExpiredError: ProblemRow(401, "token_expired"),
    auth.PermissionDeniedError: ProblemRow(403, "forbidden"),
    auth.PasswordChangeRequiredError: ProblemRow(403, "password_change_required"),
    RateLimitedError: ProblemRow(429, "rate_limited"),
    # the way to the clinic's home
    tenancy.TenancyError: INTERNAL,
    tenancy.NoTenantError: ProblemRow(400, "tenant_not_resolved"),
    tenancy.UnknownTenantError: ProblemRow(404, "tenant_not_found"),
    tenancy.TenantNotReadyError: ProblemRow(503, "tenant_provisioning", retry_after_s=2),
    tenancy.TenantSuspendedError: ProblemRow(403, "tenant_suspended"),
    tenancy.TenantMovingError: ProblemRow(503, "tenant_moving", retry_after_s=1),
    tenancy.LoginEndedError: ProblemRow(401, "session_ended"),
    tenancy.ClinicBusyError: ProblemRow(429, "rate_limited", "clinic_busy", retry_after_s=1),
    tenancy.ServerUnavailableError: UNAVAILABLE,
    tenancy.ForbiddenStatementError: INTERNAL,
    tenancy.HomeServesError: INTERNAL,
    bootstrap.ServerNotPreparedError: UNAVAILABLE,
    migrations.NewerRevisionError: UNAVAILABLE,
    migrations.HomeBusyError: UNAVAILABLE,
    # the network behind it
    ConnectionError: UNAVAILABLE,
    TimeoutError: UNAVAILABLE,
    # the registry
    registry.RegistryError: ProblemRow(409, "invalid_transition"),
    registry.RegistryUnavailableError: UNAVAILABLE,
    registry.InvalidTenantFieldError: INVALID,
    registry.SlugTakenError: ProblemRow(409, "slug_taken"),
    # The route that an earlier system called answered 400 here.
    registry.SubdomainExistsError: ProblemRow(400, "slug_taken"),
    registry.ReservedSlugError: ProblemRow(409, "slug_taken", "reserved_slug"),
    registry.NameTakenError: ProblemRow(409, "duplicate", "name_taken"),
    registry.LegacyIdTakenError: ProblemRow(409, "duplicate"),
    registry.UnknownPlanError: ProblemRow(422, "invalid_reference", "unknown_plan"),
    registry.StrategyNotAllowedError: ProblemRow(422, "validation_error", "strategy_not_allowed"),
    registry.UnknownServerError: ProblemRow(422, "invalid_reference", "unknown_server"),
    registry.ServerNameTakenError: ProblemRow(409, "duplicate"),
    registry.ServerFullError: ProblemRow(503, "server_unavailable", "server_full"),
    registry.SignUpClosedError: ProblemRow(403, "forbidden", "sign_up_closed"),
    registry.InvalidTenantStatusError: ProblemRow(409, "invalid_transition"),
    registry.StaleTenantError: ProblemRow(412, "stale_version"),
    registry.ProvisioningLostError: ProblemRow(503, "tenant_provisioning", retry_after_s=2),
    registry.OperatorExistsError: ProblemRow(409, "duplicate"),
    registry.MoveOpenError: ProblemRow(409, "move_in_progress"),
    # moves from home to home
    mover.MoveError: INTERNAL,
    mover.MoveRefusedError: ProblemRow(409, "move_refused"),
    mover.MoveInProgressError: ProblemRow(409, "move_in_progress"),
    mover.UnknownMoveError: ProblemRow(404, "not_found", "unknown_move"),
    mover.MoveStateError: ProblemRow(409, "invalid_transition", "move_state"),
    mover.WayBackGoneError: ProblemRow(409, "invalid_transition", "move_state"),
    mover.TooManyWatchersError: ProblemRow(
        429, "rate_limited", "too_many_watchers", retry_after_s=5
    ),
    mover.AttemptLostError: ProblemRow(409, "move_in_progress"),
    mover.FenceBusyError: RETRY,
    mover.NotDrainedError: RETRY,
    mover.MismatchError: INTERNAL,
    mover.StreamError: INTERNAL,
    mover.SlotLostError: INTERNAL,
    mover.TablesChangedError: INTERNAL,
    # the clinic's rules
    clinic.ClinicError: INVALID,
    clinic.NotFoundError: ProblemRow(404, "not_found"),
    clinic.DuplicateError: ProblemRow(409, "duplicate"),
    clinic.InvalidFieldError: INVALID,
    clinic.InvalidReferenceError: ProblemRow(422, "invalid_reference"),
    clinic.StaleVersionError: ProblemRow(412, "stale_version"),
    clinic.InvalidTransitionError: ProblemRow(409, "invalid_transition"),
    clinic.ForbiddenError: ProblemRow(403, "forbidden"),
    clinic.BranchForbiddenError: ProblemRow(403, "branch_forbidden"),
    paging.InvalidCursorError: BAD_REQUEST,
    # identity
    identity.InvalidCredentialsError: ProblemRow(401, "invalid_credentials"),
    identity.UserNotAuthorizedError: ProblemRow(403, "user_not_authorized"),
    identity.UserBlockedError: ProblemRow(403, "user_blocked"),
    identity.UserPendingApprovalError: ProblemRow(403, "user_pending_approval"),
    identity.InvalidRefreshTokenError: ProblemRow(401, "invalid_token"),
    identity.LastAdminError: ProblemRow(409, "invalid_transition", "last_admin"),
    identity.WeakPasswordError: INVALID,
    identity.WrongPasswordError: INVALID,
    # organisation
    organisation.LastActiveBranchError: ProblemRow(409, "invalid_transition", "last_branch"),
    organisation.BrokenReferenceError: ProblemRow(422, "invalid_reference"),
    organisation.InvalidDocumentError: INVALID,
    organisation.DuplicateDocumentError: ProblemRow(409, "duplicate", "duplicate_document"),
    organisation.PatientMergedError: ProblemRow(409, "invalid_transition", "patient_merged"),
    # scheduling
    scheduling.AppointmentConflictError: ProblemRow(409, "appointment_conflict"),
    scheduling.StatusChangeError: ProblemRow(409, "invalid_transition"),
    scheduling.NoShowTooEarlyError: ProblemRow(409, "invalid_transition", "no_show_too_early"),
    scheduling.FinalAppointmentError: ProblemRow(409, "invalid_transition", "appointment_final"),
    scheduling.TooLateToCancelError: ProblemRow(409, "invalid_transition", "too_late_to_cancel"),
    scheduling.InvalidTimeError: INVALID,
    scheduling.NonexistentTimeError: INVALID,
    scheduling.OutsideAvailabilityError: INVALID,
    scheduling.OverlappingRulesError: INVALID,
    # operations
    operations.IdempotencyKeyReusedError: ProblemRow(422, "idempotency_key_reused"),
    operations.IdempotencyInProgressError: ProblemRow(
        409, "idempotency_in_progress", retry_after_s=1
    ),
    operations.UnknownNamespaceError: ProblemRow(404, "not_found", "unknown_namespace"),
}

HTTP_PROBLEMS: Final[dict[int, ProblemRow]] = {
    400: BAD_REQUEST,
    401: ProblemRow(401, "invalid_token"),
    403: ProblemRow(403, "forbidden"),
    404: ProblemRow(404, "not_found", "no_route"),
    405: ProblemRow(405, "method_not_allowed"),
    413: ProblemRow(413, "body_too_large"),
    429: ProblemRow(429, "rate_limited", retry_after_s=1),
    503: UNAVAILABLE,
}
"""What the framework itself raises, by status."""


def row_of(error: Exception) -> ProblemRow:
    """Return the row of the error's class, or of its nearest base that has one."""
    if isinstance(error, HTTPException):
        return HTTP_PROBLEMS.get(
            error.status_code, BAD_REQUEST if error.status_code < INTERNAL.status else INTERNAL
        )
    for kind in type(error).__mro__:
        row = PROBLEMS.get(kind)
        if row is not None:
            return row
    return INTERNAL
