"""Made-up documents: valid, always the same, never the same for two serials; one wrong digit is noticed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.organisation.document_schemes import SCHEMES
from domain.organisation.errors import InvalidDocumentError
from domain.organisation.identity_documents import make_valid, read_document

SERIALS = st.integers(min_value=0, max_value=4_999_999)
EVERY_SCHEME = [*SCHEMES, ("passport", "PE"), ("other", "US")]

# Where every digit weighs something that no other digit makes up for.
DETECTS_ANY_WRONG_DIGIT = [("run", "CL"), ("ci", "EC")]
# Where an even weight hides the change of a digit by 5, or two remainders share a digit.
DETECTS_WRONG_CHECK_DIGIT = [("ci", "UY"), ("curp", "MX"), ("nit", "CO")]


@pytest.mark.parametrize(("kind", "country"), EVERY_SCHEME)
@given(serial=SERIALS)
def test_made_up_number_is_valid_and_canonical(kind: str, country: str, serial: int) -> None:
    number = make_valid(kind, country, serial)
    assert read_document(kind, country, number).value == number
    assert make_valid(kind, country, serial) == number


@pytest.mark.parametrize(("kind", "country"), EVERY_SCHEME)
@given(serials=st.sets(SERIALS, min_size=2, max_size=20))
def test_two_serials_never_give_one_number(kind: str, country: str, serials: set[int]) -> None:
    assert len({make_valid(kind, country, serial) for serial in serials}) == len(serials)


@pytest.mark.parametrize(("kind", "country"), DETECTS_ANY_WRONG_DIGIT)
@given(serial=SERIALS, data=st.data())
def test_one_wrong_digit_is_refused(
    kind: str, country: str, serial: int, data: st.DataObject
) -> None:
    number = make_valid(kind, country, serial)
    # A leading zero more or less is another spelling, not a wrong digit: the first one is left alone.
    position = data.draw(st.integers(min_value=1, max_value=len(number) - 1))
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != number[position]]))
    with pytest.raises(InvalidDocumentError):
        read_document(kind, country, number[:position] + digit + number[position + 1 :])


@pytest.mark.parametrize(("kind", "country"), DETECTS_WRONG_CHECK_DIGIT)
@given(serial=SERIALS, data=st.data())
def test_wrong_check_digit_is_refused(
    kind: str, country: str, serial: int, data: st.DataObject
) -> None:
    number = make_valid(kind, country, serial)
    digit = data.draw(st.sampled_from([d for d in "0123456789" if d != number[-1]]))
    with pytest.raises(InvalidDocumentError):
        read_document(kind, country, number[:-1] + digit)


@given(serial=SERIALS, character=st.sampled_from("0123456789ABCDEFGHIJK"))
def test_dni_takes_two_check_characters_and_no_other(serial: int, character: str) -> None:
    number = make_valid("dni", "PE", serial)
    accepted = {c for c in "0123456789ABCDEFGHIJK" if _is_accepted(number + c)}
    assert len(accepted) == 2
    assert _is_accepted(number + character) == (character in accepted)


def _is_accepted(number: str) -> bool:
    try:
        read_document("dni", "PE", number)
    except InvalidDocumentError:
        return False
    return True
