"""Which names a clinic may have as its sub-domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.registry.errors import InvalidTenantFieldError
from tenancy.registry.hostnames import normalise_hostname
from tenancy.registry.slugs import checked_slug, is_slug


@pytest.mark.parametrize(
    "slug", ["abc", "clinica-lima", "minera-abc", "a1b", "a-1", "x" * 40, "clinicademo1"]
)
def test_host_label_of_three_to_forty_characters_is_a_slug(slug: str) -> None:
    assert is_slug(slug)


@pytest.mark.parametrize(
    "slug",
    [
        "", "a", "ab", "x" * 41, "1abc", "-abc", "abc-", "Abc", "clínica", "a_b_c", "a.b", "a b", "abc\n", "\nabc",
        "abc;drop", 'abc"', "xn--fiqs8s", "ab--cd", "\uff41\uff42\uff43", "abc\u0000",
    ],
)  # fmt: skip
def test_anything_else_is_no_slug(slug: str) -> None:
    assert not is_slug(slug)


def test_slug_is_trimmed_and_lower_cased() -> None:
    assert checked_slug("  Clinica-Lima ") == "clinica-lima"


def test_refusal_names_the_field() -> None:
    with pytest.raises(InvalidTenantFieldError) as refusal:
        checked_slug("no such slug")
    assert refusal.value.pointer == "/slug"
    assert refusal.value.code == "invalid_slug"


@given(st.from_regex(r"[a-z][a-z0-9-]{1,38}[a-z0-9]", fullmatch=True))
def test_every_slug_makes_a_host_name_that_stays_as_it_is(slug: str) -> None:
    if is_slug(slug):
        assert normalise_hostname(f"{slug}.example.com") == f"{slug}.example.com"
