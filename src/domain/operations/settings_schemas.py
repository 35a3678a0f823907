"""What each namespace of a clinic's settings holds, with its defaults and limits."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct, field

TextLine = Annotated[str, Meta(max_length=200)]
Minutes = Annotated[int, Meta(ge=0, le=525_600)]
LocalTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class ClinicSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the clinic presents itself to its patients."""

    display_name: TextLine = ""
    phone: Annotated[str, Meta(max_length=20)] = ""
    email: TextLine = ""
    website: TextLine = ""
    address: Annotated[str, Meta(max_length=500)] = ""
    appointment_notice: Annotated[str, Meta(max_length=2000)] = ""


class SchedulingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How appointments are offered and asked for."""

    default_duration_min: Annotated[int, Meta(ge=5, le=480)] = 30
    portal_requests_allowed: bool = True
    portal_notice_min: Minutes = 60
    portal_cancel_notice_min: Minutes = 120
    portal_days_ahead_max: Annotated[int, Meta(ge=1, le=730)] = 90


class AiSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which language model the clinic's assistant uses, and how."""

    model: Literal[
        "gpt-3.5-turbo",
        "gpt-4",
        "gpt-4-turbo",
        "claude-3-haiku",
        "claude-3-sonnet",
        "claude-3-opus",
    ] = "gpt-3.5-turbo"
    max_tokens: Annotated[int, Meta(ge=1, le=200_000)] = 4000
    temperature: Annotated[float, Meta(ge=0, le=2)] = 0.7


class NotificationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When and by which channels patients are reminded."""

    reminders_enabled: bool = False
    reminder_before_min: Annotated[list[Minutes], Meta(max_length=5)] = field(
        default_factory=lambda: [2880, 120]
    )
    channels: Annotated[list[Literal["email", "sms", "whatsapp"]], Meta(max_length=3)] = field(
        default_factory=lambda: ["email"]
    )
    quiet_from: LocalTime = "21:00"
    quiet_until: LocalTime = "08:00"


NAMESPACES: Final[dict[str, type[Struct]]] = {
    "clinic": ClinicSettings,
    "scheduling": SchedulingSettings,
    "ai": AiSettings,
    "notifications": NotificationSettings,
}


class SettingsIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole namespace; what is left out goes back to its default."""

    data: dict[str, Any]


class SettingsOut(Struct, frozen=True, kw_only=True):
    """One namespace as it holds; version 0 means that nothing was set yet."""

    namespace: str
    data: dict[str, Any]
    version: int
