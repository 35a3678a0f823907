"""Every controller of the API."""

from typing import Any, Final

from controllers.appointments import AppointmentController
from controllers.audit_events import AuditEventController
from controllers.auth import AuthController
from controllers.availability import FreeSlotController, PractitionerHoursController
from controllers.availability_exceptions import (
    BranchExceptionController,
    ExceptionController,
    PractitionerExceptionController,
)
from controllers.branches import BranchController
from controllers.health import HealthController
from controllers.patients import PatientController
from controllers.platform_auth import PlatformAuthController
from controllers.platform_moves import PlatformMoveController
from controllers.platform_tenants import PlatformTenantController
from controllers.practitioners import PractitionerController
from controllers.rooms import RoomController
from controllers.seed_agenda import SeedAgendaController
from controllers.seed_auth import SeedPersonnelController, SeedTokenController, SeedUserController
from controllers.seed_platform import SeedPlatformController
from controllers.services import ServiceCategoryController, ServiceController
from controllers.settings import SettingsController
from controllers.specialties import SpecialtyController
from controllers.tenants import TenantController
from controllers.users import UserController
from controllers.visits import VisitController

CLINIC: Final[tuple[Any, ...]] = (
    AuthController,
    UserController,
    BranchController,
    RoomController,
    SpecialtyController,
    PractitionerController,
    PractitionerHoursController,
    PractitionerExceptionController,
    BranchExceptionController,
    ExceptionController,
    PatientController,
    ServiceCategoryController,
    ServiceController,
    FreeSlotController,
    AppointmentController,
    VisitController,
    AuditEventController,
    SettingsController,
)
SEEDS: Final[tuple[Any, ...]] = (
    SeedPersonnelController,
    SeedTokenController,
    SeedUserController,
    SeedAgendaController,
    SeedPlatformController,
)
PLATFORM: Final[tuple[Any, ...]] = (
    TenantController,
    PlatformAuthController,
    PlatformTenantController,
    PlatformMoveController,
)
CONTROLLERS: Final[tuple[Any, ...]] = (HealthController, *CLINIC, *SEEDS, *PLATFORM)
