"""Identity documents: published numbers are accepted, wrong ones refused, one spelling kept."""

import pytest

from domain.organisation.errors import InvalidDocumentError
from domain.organisation.identity_documents import Document, read_document

# As printed by the authorities, their manuals, or the banks and libraries that publish test numbers.
PUBLISHED = [
    ("dni", "PE", "10117410", "10117410"),
    # 3x1 + 7x1 + 6x1 + 5x7 + 4x4 + 3x1 = 70, 70 mod 11 = 4: digit 2, letter G.
    ("dni", "PE", "10117410-2", "10117410"),
    ("dni", "PE", "10117410-G", "10117410"),
    ("ce", "PE", "001234567", "001234567"),
    # From the right 7x2 + 5x3 + 9x4 + 6x5 + 8x6 + 6x7 + 0x2 + 3x3 = 194, 194 mod 11 = 7, 11 - 7 = 4.
    ("run", "CL", "30.686.957-4", "306869574"),
    ("run", "CL", "12.531.909-2", "125319092"),
    ("run", "CL", "11.111.111-1", "111111111"),
    ("run", "CL", "9.868.503-0", "98685030"),
    ("run", "CL", "09.868.503-0", "98685030"),
    ("cc", "CO", "52.123.456", "52123456"),
    ("cc", "CO", "1.020.304.050", "1020304050"),
    ("nit", "CO", "213.123.432-1", "2131234321"),
    ("nit", "CO", "890.903.938-8", "8909039388"),
    ("nit", "CO", "899.999.068-1", "8999990681"),
    ("ci", "BO", "1234567", "1234567"),
    ("ci", "BO", "1234567 SC", "1234567"),
    ("ci", "BO", "LP-1234567", "1234567"),
    ("ci", "BO", "1234567-1A CB", "12345671A"),
    ("ci", "EC", "171430710-3", "1714307103"),
    ("ci", "UY", "1.234.567-2", "12345672"),
    ("curp", "MX", "BOXW310820HNERXN09", "BOXW310820HNERXN09"),
    ("rfc", "MX", "GODE 561231 GR8", "GODE561231GR8"),
    ("rfc", "MX", "COMG-600703", "COMG600703"),
    ("passport", "PE", "ab 123-4567", "AB1234567"),
]  # fmt: skip

REFUSED = [
    ("dni", "PE", "10117410-3", "invalid_check_digit"),
    ("dni", "PE", "1011741", "invalid_format"),
    ("run", "CL", "30.686.957-5", "invalid_check_digit"),
    ("run", "CL", "30.686.957-K", "invalid_check_digit"),
    ("run", "CL", "76.086.A28-5", "invalid_format"),
    ("cc", "CO", "123456789", "invalid_format"),
    ("cc", "CO", "2020304050", "invalid_format"),
    ("nit", "CO", "213.123.432-5", "invalid_check_digit"),
    ("ci", "BO", "12", "invalid_format"),
    ("ci", "EC", "1714307104", "invalid_check_digit"),
    ("ci", "EC", "9914307103", "invalid_format"),
    ("ci", "UY", "1.234.567-1", "invalid_check_digit"),
    ("curp", "MX", "BOXW310820HNERXN08", "invalid_check_digit"),
    ("curp", "MX", "BOXW313120HNERXN09", "invalid_check_digit"),
    ("curp", "MX", "BOXW310820HZZRXN09", "invalid_format"),
    ("rfc", "MX", "GODE561331GR8", "invalid_check_digit"),
    ("passport", "PE", "A1", "invalid_format"),
    ("other", "PE", "--", "invalid_format"),
    ("other", "PE", "9" * 33, "invalid_format"),
]


@pytest.mark.parametrize(("kind", "country", "written", "kept"), PUBLISHED)
def test_published_numbers_are_kept_in_one_spelling(
    kind: str, country: str, written: str, kept: str
) -> None:
    assert read_document(kind, country, written) == Document(kind, country, kept)


@pytest.mark.parametrize(("kind", "country", "written", "code"), REFUSED)
def test_impossible_numbers_are_refused_with_a_code(
    kind: str, country: str, written: str, code: str
) -> None:
    with pytest.raises(InvalidDocumentError) as refusal:
        read_document(kind, country, written)
    assert (refusal.value.code, refusal.value.pointer) == (code, "/value")


def test_rut_of_a_person_is_the_run() -> None:
    assert read_document("RUT", "cl", "12.531.909-2") == read_document("run", "CL", "125319092")


def test_unknown_kind_becomes_other_in_one_spelling() -> None:
    assert read_document("cedula_militar", "PE", "ab-12 34") == Document("other", "PE", "AB1234")


def test_known_kind_of_a_country_without_rules_keeps_its_name() -> None:
    assert read_document("ci", "PY", "4.123.456") == Document("ci", "PY", "4123456")


def test_full_width_digits_are_digits() -> None:
    assert read_document("dni", "PE", "\uff11\uff10\uff11\uff11\uff17\uff14\uff11\uff10").value == "10117410"  # fmt: skip


def test_unknown_country_is_refused_at_its_field() -> None:
    with pytest.raises(InvalidDocumentError) as refusal:
        read_document("dni", "XX", "10117410")
    assert (refusal.value.code, refusal.value.pointer) == ("unknown_country", "/country")
