"""How names are made comparable: the same folding in the database, for what is stored, and here, for what is sought.

Only ASCII is lowered by rule and the accented letters of the region by a table, so that the result depends on no
server's locale: a clinic that moves to another server keeps the same text.
"""

import re
import unicodedata
from typing import Final

from msgspec import Struct

ACCENTED: Final = "ÁÀÂÄÃÅáàâäãåÉÈÊËéèêëÍÌÎÏíìîïÓÒÔÖÕóòôöõÚÙÛÜúùûüÑñÇçÝý"
PLAIN: Final = "aaaaaaaaaaaaeeeeeeeeiiiiiiiioooooooooouuuuuuuunnccyy"
SEPARATORS: Final = "-'\u2019.,\u00b7"

FOLD: Final = str.maketrans(
    {
        **{letter: letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
        **dict(zip(ACCENTED, PLAIN, strict=True)),
        **dict.fromkeys(SEPARATORS, " "),
    }
)

SEARCH_TEXT: Final = (
    "translate(lower((' ' || given_names || ' ' || family_name || coalesce(' ' || second_family_name, '')"
    " || coalesce(' ' || phone, '')) COLLATE \"C\"),"
    f" '{ACCENTED}{SEPARATORS.replace(chr(39), chr(39) * 2)}', '{PLAIN}{' ' * len(SEPARATORS)}')"
)
"""The expression of `person.search_text`: every word of the names, then the phone, each after a space."""

WORDS_MAX: Final = 6
"""Words of a query that are looked for; the rest is ignored."""

NOT_IN_NUMBERS: Final = re.compile(r"[^A-Z0-9]")
PURE_NUMBER: Final = re.compile(r"[+()./-]*[0-9][0-9+()./-]*")


class Sought(Struct, frozen=True):
    """What a query asks for: beginnings of names, whole or partial numbers, and words that may be either."""

    names: list[str]
    numbers: list[str]
    mixed: list[str]

    @property
    def is_nothing(self) -> bool:
        """Whether there is no letter and no digit in the query."""
        return not (self.names or self.numbers or self.mixed)


def folded(text: str) -> str:
    """Return the text as the database folds it: composed, lower case, without accents."""
    return unicodedata.normalize("NFC", text).translate(FOLD)


def tidy(text: str) -> str:
    """Return a name as it is stored: composed letters, single spaces."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def read_query(query: str) -> Sought:
    """Return what the first words of a query ask for; digits side by side are one number: `+51 987 654 321`."""
    names: list[str] = []
    pure: list[str] = []
    mixed: list[str] = []
    was_pure = False
    for word in query.split()[:WORDS_MAX]:
        is_pure = PURE_NUMBER.fullmatch(word) is not None
        if is_pure and was_pure:
            pure[-1] += as_number(word)
        elif is_pure:
            pure.append(as_number(word))
        elif as_number(word) and any(character.isdigit() for character in word):
            mixed.append(word)
        else:
            names += folded(word).split()
        was_pure = is_pure
    return Sought(names=names[:WORDS_MAX], numbers=pure, mixed=mixed)


def as_number(word: str) -> str:
    """Return the word as documents are stored: capitals and digits only."""
    return NOT_IN_NUMBERS.sub("", unicodedata.normalize("NFKC", word).upper())
