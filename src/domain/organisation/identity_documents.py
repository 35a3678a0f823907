"""Identity documents of persons: one canonical form for each number, refused where its check digit tells it is wrong."""

import re
import unicodedata
from enum import StrEnum
from typing import Final

from msgspec import Struct

from domain.organisation.countries import COUNTRIES
from domain.organisation.document_schemes import ANY_NUMBER, PASSPORT, SCHEMES, Scheme
from domain.organisation.errors import InvalidDocumentError

SEPARATORS: Final = re.compile(r"[^A-Z0-9Ñ]")
COMPACT_LENGTH_MAX: Final = 32


class DocumentKind(StrEnum):
    """The kinds that are told apart; any other is kept as `other`."""

    DNI = "dni"
    CE = "ce"
    CI = "ci"
    RUN = "run"
    CC = "cc"
    TI = "ti"
    RC = "rc"
    NIT = "nit"
    CURP = "curp"
    RFC = "rfc"
    PASSPORT = "passport"
    OTHER = "other"


KINDS: Final = frozenset(DocumentKind)

ALIASES: Final = {("rut", "CL"): DocumentKind.RUN}
"""A person's RUT is the RUN under the name of the tax office: one document, to be found as one."""


class Document(Struct, frozen=True):
    """A document in the form in which it is stored and compared."""

    kind: str
    country: str
    value: str


def compact(number: str) -> str:
    """Return the number as capitals and digits, without the separators people write."""
    return SEPARATORS.sub("", unicodedata.normalize("NFKC", number).upper())


def read_document(kind: str, country: str, number: str) -> Document:
    """Return the document in its canonical form; raise `InvalidDocumentError` when it cannot exist.

    An unknown kind becomes `other`; a known kind of a country whose rules are not known here keeps its name.
    """
    country = country.upper()
    if country not in COUNTRIES:
        raise InvalidDocumentError("unknown_country", "/country")
    known = _kind(kind.lower(), country)
    scheme = _scheme(known, country)
    value = compact(number)
    if len(value) > COMPACT_LENGTH_MAX or not scheme.shape.fullmatch(value):
        raise InvalidDocumentError("invalid_format")
    if not scheme.is_valid(value):
        raise InvalidDocumentError("invalid_check_digit")
    return Document(known.value, country, scheme.kept(value))


def make_valid(kind: str, country: str, serial: int) -> str:
    """Return the `serial`th made-up number of this kind: always the same one, valid, and of no other serial.

    Serials from 0 to 4,999,999 give different numbers. For demonstrations and tests.
    """
    country = country.upper()
    return _scheme(_kind(kind.lower(), country), country).example(serial)


def _kind(kind: str, country: str) -> DocumentKind:
    if kind in KINDS:
        return DocumentKind(kind)
    return ALIASES.get((kind, country), DocumentKind.OTHER)


def _scheme(kind: DocumentKind, country: str) -> Scheme:
    if kind is DocumentKind.PASSPORT:
        return PASSPORT
    return SCHEMES.get((kind, country), ANY_NUMBER)
