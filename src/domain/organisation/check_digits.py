"""The check digits of Latin American identity documents. Every function takes what stands before the check digit."""

from collections.abc import Sequence
from typing import Final

DNI_WEIGHTS: Final = (3, 2, 7, 6, 5, 4, 3, 2)
DNI_DIGITS: Final = "65432110987"
DNI_LETTERS: Final = "KJIHGFEDCBA"
RUN_WEIGHTS: Final = (2, 3, 4, 5, 6, 7, 2, 3, 4, 5)
NIT_WEIGHTS: Final = (3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71)
UY_WEIGHTS: Final = (2, 9, 8, 7, 6, 3, 4)
CURP_LETTERS: Final = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
CURP_LENGTH: Final = 18


def dni_check_characters(digits: str) -> str:
    """Return the digit and the letter that may follow the 8 digits of a Peruvian DNI (modulus 11)."""
    remainder = _weighted(digits, DNI_WEIGHTS) % 11
    return DNI_DIGITS[remainder] + DNI_LETTERS[remainder]


def run_check_character(digits: str) -> str:
    """Return the check digit, or K, of a Chilean RUN or RUT (modulus 11, from the right)."""
    return "0K987654321"[_weighted(digits[::-1], RUN_WEIGHTS) % 11]


def nit_check_digit(digits: str) -> str:
    """Return the check digit of a Colombian NIT (modulus 11 over prime weights, from the right)."""
    return "01987654321"[_weighted(digits[::-1], NIT_WEIGHTS) % 11]


def ecuador_check_digit(digits: str) -> str:
    """Return the check digit of an Ecuadorian cédula (modulus 10, every other digit doubled)."""
    doubled = (int(digit) * (2 - position % 2) for position, digit in enumerate(digits))
    return str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)  # noqa: PLR2004  # cross-sum of two digits


def uruguay_check_digit(digits: str) -> str:
    """Return the check digit of a Uruguayan cédula of 7 digits (modulus 10)."""
    return str(-_weighted(digits, UY_WEIGHTS) % 10)


def curp_check_digit(letters: str) -> str:
    """Return the check digit of a Mexican CURP (modulus 10 over its 17 characters)."""
    weights = range(CURP_LENGTH, 1, -1)
    total = sum(
        CURP_LETTERS.index(letter) * weight for letter, weight in zip(letters, weights, strict=True)
    )
    return str(-total % 10)


def _weighted(digits: str, weights: Sequence[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))
