"""Which language a reader wants, and a text in both. The texts themselves are in `texts.py`."""

from typing import Final, Literal

from msgspec import Struct

Language = Literal["es", "en"]

DEFAULT_LANGUAGE: Final[Language] = "es"
RANGES_MAX: Final = 20
"""Language ranges read of one Accept-Language header; the rest is ignored."""


class Text(Struct, frozen=True):
    """One text in Spanish and in English."""

    es: str
    en: str

    def read(self, language: Language) -> str:
        """Return the text in this language."""
        return self.en if language == "en" else self.es


def preferred_language(
    accept_language: str | None, default: Language = DEFAULT_LANGUAGE
) -> Language:
    """Return the language of ours that the header (RFC 9110, 12.5.4) prefers, else the default."""
    best: Language = default
    best_weight = 0.0
    for item in (accept_language or "").split(",")[:RANGES_MAX]:
        tag, _, parameter = item.strip().partition(";")
        weight = _weight(parameter)
        primary = tag.strip().lower().partition("-")[0]
        if primary == "es" and weight > best_weight:
            best, best_weight = "es", weight
        elif primary == "en" and weight > best_weight:
            best, best_weight = "en", weight
    return best


def _weight(parameter: str) -> float:
    """Return the q-value of one language range; what cannot be read weighs nothing."""
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if name.strip().lower() == "q" and 0.0 <= weight <= 1.0 else 0.0
