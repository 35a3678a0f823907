"""The reader's language: what is asked for, else the default."""

import pytest

from app.field_texts import FIELDS
from app.messages import Text, preferred_language
from app.texts import DETAILS, TITLES


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "es"),
        ("", "es"),
        ("en", "en"),
        ("EN-us", "en"),
        ("fr, de", "es"),
        ("es-PE, en;q=0.9", "es"),
        ("es;q=0.4, en;q=0.5", "en"),
        ("en;q=0", "es"),
        ("en;q=nonsense", "es"),
        ("en;q=7", "es"),
        ("en, es", "en"),
        (",;,=;q", "es"),
    ],
)
def test_the_preferred_language_is_read_from_the_header(header: str | None, language: str) -> None:
    assert preferred_language(header) == language


def test_who_names_no_language_of_ours_gets_the_default() -> None:
    assert preferred_language("fr", "en") == "en"


@pytest.mark.parametrize(
    "catalogue", [TITLES, DETAILS, FIELDS], ids=["titles", "details", "fields"]
)
def test_every_text_is_in_both_languages(catalogue: dict[str, Text]) -> None:
    for key, text in catalogue.items():
        assert text.es.strip(), key
        assert text.en.strip(), key
