"""Telephone numbers as E.164 has them: a plus sign, the country's code, no separators."""

import re
import unicodedata
from typing import Final

from domain.errors import InvalidFieldError
from domain.organisation.countries import CALLING_CODES

SEPARATORS: Final = re.compile(r"[\s()./-]")
E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
NATIONAL: Final = re.compile(r"0?([1-9][0-9]{5,10})")


def read_phone(number: str, country: str, pointer: str = "/phone") -> str:
    """Return the number in E.164; one without a country's code is a national number of `country`.

    Raises `InvalidFieldError` at `pointer` for what cannot be dialled.
    """
    written = SEPARATORS.sub("", unicodedata.normalize("NFKC", number))
    if written.startswith("00"):
        written = "+" + written[2:]
    national = NATIONAL.fullmatch(written)
    if national and country in CALLING_CODES:
        written = f"+{CALLING_CODES[country]}{national[1]}"
    if not E164.fullmatch(written):
        raise InvalidFieldError(
            pointer, "invalid_phone", "The telephone number is not one of E.164."
        )
    return written
