"""What the rules need to know of the clinic itself, handed in from the registry."""

from zoneinfo import ZoneInfo

from msgspec import Struct


class ClinicProfile(Struct, frozen=True, kw_only=True):
    """Name, vertical and defaults of the calling clinic."""

    slug: str
    name: str
    vertical: str
    country: str
    timezone: str
    currency: str
    language: str

    @property
    def zone(self) -> ZoneInfo:
        """The clinic's time zone, used where a branch has none."""
        return ZoneInfo(self.timezone)
