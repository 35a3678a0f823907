"""What a clinic gets from its country when it does not say otherwise: time zone and currency."""

from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from tenancy.registry.errors import InvalidTenantFieldError


class CountryDefaults(Struct, frozen=True):
    """The zone of most people there (IANA) and the currency (ISO 4217)."""

    timezone: str
    currency: str


COUNTRIES: Final[dict[str, CountryDefaults]] = {
    "AR": CountryDefaults("America/Argentina/Buenos_Aires", "ARS"),
    "BO": CountryDefaults("America/La_Paz", "BOB"),
    "BR": CountryDefaults("America/Sao_Paulo", "BRL"),
    "CL": CountryDefaults("America/Santiago", "CLP"),
    "CO": CountryDefaults("America/Bogota", "COP"),
    "CR": CountryDefaults("America/Costa_Rica", "CRC"),
    "CU": CountryDefaults("America/Havana", "CUP"),
    "DO": CountryDefaults("America/Santo_Domingo", "DOP"),
    "EC": CountryDefaults("America/Guayaquil", "USD"),
    "ES": CountryDefaults("Europe/Madrid", "EUR"),
    "GT": CountryDefaults("America/Guatemala", "GTQ"),
    "HN": CountryDefaults("America/Tegucigalpa", "HNL"),
    "MX": CountryDefaults("America/Mexico_City", "MXN"),
    "NI": CountryDefaults("America/Managua", "NIO"),
    "PA": CountryDefaults("America/Panama", "PAB"),
    "PE": CountryDefaults("America/Lima", "PEN"),
    "PR": CountryDefaults("America/Puerto_Rico", "USD"),
    "PY": CountryDefaults("America/Asuncion", "PYG"),
    "SV": CountryDefaults("America/El_Salvador", "USD"),
    "US": CountryDefaults("America/New_York", "USD"),
    "UY": CountryDefaults("America/Montevideo", "UYU"),
    "VE": CountryDefaults("America/Caracas", "VES"),
}


def country_defaults(country: str, timezone: str | None, currency: str | None) -> CountryDefaults:
    """Return zone and currency as given, else as usual in the country.

    Raises `InvalidTenantFieldError` for a country that we know no defaults of when they were not given.
    """
    usual = COUNTRIES.get(country)
    if usual is not None:
        return CountryDefaults(timezone or usual.timezone, currency or usual.currency)
    if timezone is None or currency is None:
        raise InvalidTenantFieldError("country", "unknown_country")
    return CountryDefaults(timezone, currency)


def is_timezone(name: str) -> bool:
    """Return whether the IANA database knows a zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
