"""What is read out of a search query."""

import pytest

from domain.organisation.search_text import ACCENTED, PLAIN, folded, read_query, tidy


@pytest.mark.parametrize(
    ("query", "names", "numbers", "mixed"),
    [
        ("pérez", ["perez"], [], []),
        ("  José   MUÑOZ ", ["jose", "munoz"], [], []),
        ("O'Higgins-Peña", ["o", "higgins", "pena"], [], []),
        ("12.345.678-5", [], ["123456785"], []),
        ("+51 987 654 321", [], ["51987654321"], []),
        ("987 perez 654", ["perez"], ["987", "654"], []),
        ("ab123456 quispe", ["quispe"], [], ["ab123456"]),
        ("12.531.909-K", [], [], ["12.531.909-K"]),
        ("--", [], [], []),
        ("", [], [], []),
        ("%_", ["%_"], [], []),
    ],
)
def test_names_and_numbers_are_told_apart(
    query: str, names: list[str], numbers: list[str], mixed: list[str]
) -> None:
    sought = read_query(query)
    assert (sought.names, sought.numbers, sought.mixed) == (names, numbers, mixed)
    assert sought.is_nothing == (not names and not numbers and not mixed)


@pytest.mark.parametrize("word", ["a", "a1", "a-b-c-d", "1 x"])
def test_a_query_is_bounded(word: str) -> None:
    sought = read_query(f"{word} " * 50)
    assert len(sought.names) <= 6
    assert len(sought.numbers) + len(sought.mixed) <= 6


def test_composed_and_decomposed_letters_are_the_same() -> None:
    assert folded("Nun\u0303ez") == folded("Ñúñez".replace("ú", "u")) == "nunez"
    assert tidy(" Jose\u0301  Luis ") == "José Luis"


def test_every_accented_letter_has_its_plain_one() -> None:
    assert len(ACCENTED) == len(PLAIN) == len(set(ACCENTED))
