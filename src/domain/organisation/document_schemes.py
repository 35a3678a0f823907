"""How the identity documents of each country are written, checked and made up for demonstrations.

A number is looked at in its compact form: capitals and digits only. Sources: RENIEC (DNI), Registro Civil (RUN), DIAN (NIT),
RENAPO (CURP), SAT (RFC), SEGIP (CI of Bolivia), the civil registries of Ecuador, Colombia and Uruguay, ICAO 9303.
"""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Final

from msgspec import Struct

from domain.organisation import check_digits

DEPARTMENTS: Final = "LP|SC|CB|OR|PT|CH|TJ|BE|PD"
STATES: Final = "AS|BC|BS|CC|CH|CL|CM|CS|DF|DG|GR|GT|HG|JC|MC|MN|MS|NE|NL|NT|OC|PL|QR|QT|SL|SP|SR|TC|TL|TS|VZ|YN|ZS"
CONSONANTS: Final = "BCDFGHJKLMNPQRSTVWXYZ"
NAME_STARTS: Final = ("ROGM", "PELA", "GOHL", "MAVC", "SATR", "FOCD", "DIBS", "NUXP")
BIRTHS_FROM: Final = date(1950, 1, 1)
BIRTH_DAYS: Final = 18_000
CENTURY_AT: Final = 16
"""Position in a CURP: a digit for the years until 1999, a letter afterwards."""


class Scheme(Struct, frozen=True):
    """One kind of document: its shape, what of it is kept, its check and an example for each serial number."""

    shape: re.Pattern[str]
    example: Callable[[int], str]
    is_valid: Callable[[str], bool] = lambda _: True
    kept: Callable[[str], str] = lambda number: number
    """From the compact form to the one that is stored and compared; applied after the check."""


def spread(serial: int, size: int) -> int:
    """Return a number below `size` that looks arbitrary; serials below `size` never meet.

    7919 is prime and divides none of the sizes used here, so the multiplication only shuffles.
    """
    return serial * 7919 % size


def _dni_is_valid(number: str) -> bool:
    return len(number) == 8 or number[8] in check_digits.dni_check_characters(number[:8])  # noqa: PLR2004  # without its check character


def _run_is_valid(number: str) -> bool:
    return number[-1] == check_digits.run_check_character(number[:-1])


def _run_example(serial: int) -> str:
    digits = str(5_000_000 + spread(serial, 20_000_000))
    return digits + check_digits.run_check_character(digits)


def _nit_is_valid(number: str) -> bool:
    return number[-1] == check_digits.nit_check_digit(number[:-1])


def _nit_example(serial: int) -> str:
    digits = str(800_000_000 + spread(serial, 100_000_000))
    return digits + check_digits.nit_check_digit(digits)


def _bolivia_kept(number: str) -> str:
    """Drop the issuing department, which is no part of the number since 2016."""
    return re.sub(rf"^(?:{DEPARTMENTS})|(?:{DEPARTMENTS})$", "", number).lstrip("0")


def _ecuador_is_valid(number: str) -> bool:
    return number[-1] == check_digits.ecuador_check_digit(number[:-1])


def _ecuador_example(serial: int) -> str:
    province, rest = divmod(spread(serial, 24 * 6_000_000), 6_000_000)
    digits = f"{province + 1:02d}{rest:07d}"
    return digits + check_digits.ecuador_check_digit(digits)


def _uruguay_is_valid(number: str) -> bool:
    padded = number.zfill(8)
    return padded[-1] == check_digits.uruguay_check_digit(padded[:-1])


def _uruguay_example(serial: int) -> str:
    digits = str(1_000_000 + spread(serial, 5_000_000))
    return digits + check_digits.uruguay_check_digit(digits)


def _curp_is_valid(number: str) -> bool:
    century = "19" if number[CENTURY_AT].isdigit() else "20"
    return _is_date(century + number[4:10]) and number[-1] == check_digits.curp_check_digit(
        number[:-1]
    )


def _rfc_is_valid(number: str) -> bool:
    return _is_date("19" + number[4:10]) or _is_date("20" + number[4:10])


def _is_date(digits: str) -> bool:
    try:
        date.fromisoformat(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
    except ValueError:
        return False
    return True


def _mexican(serial: int) -> tuple[str, date, int]:
    """Return the beginning of a name, a birth date and what is left of the serial number to tell apart."""
    rest, day = divmod(spread(serial, BIRTH_DAYS * 1000), BIRTH_DAYS)
    return NAME_STARTS[serial % len(NAME_STARTS)], BIRTHS_FROM + timedelta(days=day), rest


def _curp_example(serial: int) -> str:
    start, born, rest = _mexican(serial)
    inner = "".join(CONSONANTS[rest // 21**place % 21] for place in range(3))
    century = "0" if born.year < 2000 else "A"  # noqa: PLR2004  # the year in which RENAPO changed it
    number = f"{start}{born:%y%m%d}{'HM'[serial % 2]}DF{inner}{century}"
    return number + check_digits.curp_check_digit(number)


def _rfc_example(serial: int) -> str:
    start, born, rest = _mexican(serial)
    return f"{start}{born:%y%m%d}{rest:03d}"


ANY_NUMBER: Final = Scheme(re.compile(r"[A-Z0-9Ñ]{3,32}"), lambda serial: f"X{serial:07d}")
"""What is asked of a document that we know no rule for."""

PASSPORT: Final = Scheme(re.compile(r"[A-Z0-9]{5,15}"), lambda serial: f"P{serial:08d}")
FOREIGNER_CARD: Final = Scheme(re.compile(r"[A-Z0-9]{6,12}"), lambda serial: f"{serial:09d}")

SCHEMES: Final[dict[tuple[str, str], Scheme]] = {
    ("dni", "PE"): Scheme(
        re.compile(r"[0-9]{8}[0-9A-K]?"),
        lambda serial: f"{10_000_000 + spread(serial, 80_000_000):08d}",
        is_valid=_dni_is_valid,
        kept=lambda number: number[:8],
    ),
    ("ce", "PE"): FOREIGNER_CARD,
    ("run", "CL"): Scheme(
        re.compile(r"0*[1-9][0-9]{5,8}[0-9K]"),
        _run_example,
        is_valid=_run_is_valid,
        kept=lambda number: number.lstrip("0"),
    ),
    ("cc", "CO"): Scheme(
        re.compile(r"0*(?:[1-9][0-9]{2,7}|1[0-9]{9})"),
        lambda serial: str(1_000_000_000 + spread(serial, 200_000_000)),
        kept=lambda number: number.lstrip("0"),
    ),
    ("ti", "CO"): Scheme(
        re.compile(r"[0-9]{10,11}"),
        lambda serial: str(1_050_000_000 + spread(serial, 100_000_000)),
    ),
    ("nit", "CO"): Scheme(re.compile(r"[1-9][0-9]{6,10}"), _nit_example, is_valid=_nit_is_valid),
    ("ci", "BO"): Scheme(
        re.compile(
            rf"(?:{DEPARTMENTS})?0*[1-9][0-9]{{3,9}}(?:[0-9][A-Z])?|0*[1-9][0-9]{{3,9}}(?:[0-9][A-Z])?(?:{DEPARTMENTS})"
        ),
        lambda serial: str(1_000_000 + spread(serial, 9_000_000)),
        kept=_bolivia_kept,
    ),
    ("ci", "EC"): Scheme(
        re.compile(r"(?:0[1-9]|1[0-9]|2[0-4]|30|50)[0-6][0-9]{7}"),
        _ecuador_example,
        is_valid=_ecuador_is_valid,
    ),
    ("ci", "UY"): Scheme(
        re.compile(r"[0-9]{6,8}"),
        _uruguay_example,
        is_valid=_uruguay_is_valid,
        kept=lambda number: number.zfill(8),
    ),
    ("curp", "MX"): Scheme(
        re.compile(
            rf"[A-Z][AEIOUX][A-Z]{{2}}[0-9]{{6}}[HMX](?:{STATES})[{CONSONANTS}]{{3}}[0-9A-Z][0-9]"
        ),
        _curp_example,
        is_valid=_curp_is_valid,
    ),
    ("rfc", "MX"): Scheme(
        re.compile(r"[A-ZÑ]{4}[0-9]{6}(?:[A-Z0-9]{3})?"), _rfc_example, is_valid=_rfc_is_valid
    ),
}
