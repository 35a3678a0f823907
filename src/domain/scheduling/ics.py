"""One appointment as an iCalendar object (RFC 5545): UTC stamps, CRLF, lines folded at 75 octets, a stable UID."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec import Struct

from domain.scheduling.transitions import AppointmentStatus

LINE_OCTETS_MAX: Final = 75
PRODUCT: Final = "-//Polyclinic//Appointments//EN"
EVENT_STATUS: Final = {
    AppointmentStatus.PENDING: "TENTATIVE",
    AppointmentStatus.CANCELLED: "CANCELLED",
    AppointmentStatus.NO_SHOW: "CANCELLED",
}
"""Every other status is CONFIRMED."""


class CalendarEntry(Struct, frozen=True, kw_only=True):
    """What a calendar may know: when, where and with whom; never why."""

    id: UUID
    starts_at: datetime
    ends_at: datetime
    status: str
    sequence: int
    changed_at: datetime
    clinic_slug: str
    clinic_name: str
    location: str
    language: str


def calendar(entry: CalendarEntry) -> bytes:
    """Return the entry as a calendar with one event, in UTF-8."""
    word = "Appointment" if entry.language == "en" else "Cita"
    status = EVENT_STATUS.get(AppointmentStatus(entry.status), "CONFIRMED")
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        f"PRODID:{PRODUCT}",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        "BEGIN:VEVENT",
        f"UID:{entry.id}@{entry.clinic_slug}.polyclinic",
        f"DTSTAMP:{_stamp(entry.changed_at)}",
        f"LAST-MODIFIED:{_stamp(entry.changed_at)}",
        f"SEQUENCE:{entry.sequence}",
        f"DTSTART:{_stamp(entry.starts_at)}",
        f"DTEND:{_stamp(entry.ends_at)}",
        f"STATUS:{status}",
        f"SUMMARY:{_text(f'{word} — {entry.clinic_name}')}",
        f"LOCATION:{_text(entry.location)}",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return b"".join(_folded(line) for line in lines)


def _stamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """Return a TEXT value with its special characters escaped; other control characters are dropped."""
    escaped = value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    one_line = escaped.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\\n")
    return "".join(c for c in one_line if c == "\t" or (c >= " " and c != "\x7f"))


def _folded(line: str) -> bytes:
    """Return the content line with its CRLF, cut between characters so that no piece is over 75 octets."""
    pieces: list[bytes] = []
    piece = b""
    for character in line:
        octets = character.encode()
        if len(piece) + len(octets) > LINE_OCTETS_MAX:
            pieces.append(piece)
            piece = b" "
        piece += octets
    return b"\r\n".join([*pieces, piece]) + b"\r\n"
