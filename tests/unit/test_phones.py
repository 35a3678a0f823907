"""Telephone numbers are kept as E.164, whatever people type."""

import pytest

from domain.errors import InvalidFieldError
from domain.organisation.phones import read_phone


@pytest.mark.parametrize(
    ("written", "country", "kept"),
    [
        ("+51987654321", "PE", "+51987654321"),
        ("+51 987 654 321", "CL", "+51987654321"),
        ("0051 (1) 765-4321", "PE", "+5117654321"),
        ("987 654 321", "PE", "+51987654321"),
        ("01 765 4321", "PE", "+5117654321"),
        ("9 8765 4321", "CL", "+56987654321"),
        ("7 123 4567", "BO", "+59171234567"),
    ],
)
def test_kept_as_e164(written: str, country: str, kept: str) -> None:
    assert read_phone(written, country) == kept


@pytest.mark.parametrize(
    "written",
    ["12345", "+0123456789", "call me", "+51 987 654 321 ext. 4", "+1234567890123456", "", "+"],
)
def test_refused_when_it_cannot_be_dialled(written: str) -> None:
    with pytest.raises(InvalidFieldError) as refusal:
        read_phone(written, "PE", "/person/phone")
    assert refusal.value.pointer == "/person/phone"
    assert refusal.value.code == "invalid_phone"


def test_national_number_needs_a_country_that_is_known() -> None:
    with pytest.raises(InvalidFieldError):
        read_phone("987654321", "JP")
