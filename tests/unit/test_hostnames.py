"""Host names as clients send them, in one form; and what is under a base domain (decisions D11, D12)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenancy.registry.hostnames import label_under, normalise_hostname


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("clinica-lima.example.com", "clinica-lima.example.com"),
        ("Clinica-LIMA.Example.COM", "clinica-lima.example.com"),
        ("clinica-lima.example.com:8000", "clinica-lima.example.com"),
        ("clinica-lima.example.com.", "clinica-lima.example.com"),
        ("clinica-lima.example.com.:443", "clinica-lima.example.com"),
        (" localhost ", "localhost"),
        ("clinicademo1.localhost:8000", "clinicademo1.localhost"),
        ("clínica.example.com", "xn--clnica-4va.example.com"),
        ("CLÍNICA.example.com", "xn--clnica-4va.example.com"),
        ("\uff43\uff4c\uff49\uff4e\uff49\uff43.example.com", "clinic.example.com"),
    ],
)
def test_host_is_kept_in_one_form(host: str, name: str) -> None:
    assert normalise_hostname(host) == name


@pytest.mark.parametrize(
    "host",
    [
        "", ".", "..", "a..b", "-a.com", "a-.com", "a_b.com", "a b.com", "a/b", "user@host", "host:port", "host:123456",
        "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "::1", "a" * 64 + ".com", "a." * 130 + "com", "x" * 600,
        "a.com\r\nX: y", "a\u0000.com", "\u2603\ufe0f\u200d.com",
    ],
)  # fmt: skip
def test_what_is_no_host_name_is_no_candidate(host: str) -> None:
    assert normalise_hostname(host) is None


@given(st.text(max_size=80))
def test_normal_form_is_stable(host: str) -> None:
    name = normalise_hostname(host)
    if name is not None:
        assert normalise_hostname(name) == name
        assert name == name.lower()
        assert name.isascii()


@pytest.mark.parametrize(
    ("hostname", "label"),
    [
        ("clinica-lima.ejemplo.com", "clinica-lima"),
        ("evilejemplo.com", None),
        ("ejemplo.com", None),
        ("a.b.ejemplo.com", None),
        ("clinica.ejemplo.com.evil.com", None),
        (".ejemplo.com", None),
    ],
)
def test_exactly_one_label_stands_under_a_base_domain(hostname: str, label: str | None) -> None:
    assert (label_under(hostname, "ejemplo.com") or None) == label


def test_localhost_is_a_base_domain_too() -> None:
    assert label_under("sonrisa.localhost", "localhost") == "sonrisa"
    assert label_under("localhost", "localhost") is None
