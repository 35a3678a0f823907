"""iCalendar files (RFC 5545): folding, escaping, UTC, a UID that stays."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from domain.scheduling.ics import LINE_OCTETS_MAX, CalendarEntry, calendar

SANTIAGO = ZoneInfo("America/Santiago")


def entry(**changes: object) -> CalendarEntry:
    values: dict[str, object] = {
        "id": UUID("01930000-0000-7000-8000-000000000001"),
        "starts_at": datetime(2027, 4, 5, 9, tzinfo=SANTIAGO),
        "ends_at": datetime(2027, 4, 5, 9, 30, tzinfo=SANTIAGO),
        "status": "confirmed",
        "sequence": 2,
        "changed_at": datetime(2027, 4, 1, 8, tzinfo=SANTIAGO),
        "clinic_slug": "sonrisa",
        "clinic_name": "Clínica Sonrisa",
        "location": "Sede Ñuñoa",
        "language": "es",
    }
    return CalendarEntry(**(values | changes))


def lines(content: bytes) -> list[str]:
    """The content lines, unfolded as a reader does it."""
    return content.replace(b"\r\n ", b"").decode().split("\r\n")


def test_event_is_in_utc_with_its_own_uid() -> None:
    content = lines(calendar(entry()))
    assert content[0] == "BEGIN:VCALENDAR"
    assert content[-2:] == ["END:VCALENDAR", ""]
    assert "DTSTART:20270405T130000Z" in content
    assert "DTEND:20270405T133000Z" in content
    assert "DTSTAMP:20270401T110000Z" in content
    assert "UID:01930000-0000-7000-8000-000000000001@sonrisa.polyclinic" in content
    assert "SEQUENCE:2" in content
    assert "SUMMARY:Cita — Clínica Sonrisa" in content


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("pending", "TENTATIVE"),
        ("arrived", "CONFIRMED"),
        ("cancelled", "CANCELLED"),
        ("no_show", "CANCELLED"),
    ],
)
def test_status_is_one_of_the_calendar(status: str, shown: str) -> None:
    assert f"STATUS:{shown}" in lines(calendar(entry(status=status)))


def test_special_characters_are_escaped_and_cannot_add_lines() -> None:
    content = lines(calendar(entry(location="A; B, C\\D\r\nATTENDEE:x\x00")))
    assert "LOCATION:A\\; B\\, C\\\\D\\nATTENDEE:x" in content
    assert not any(line.startswith("ATTENDEE") for line in content)


@given(some.text(alphabet=some.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_lines_are_folded_at_75_octets_between_characters(name: str) -> None:
    content = calendar(entry(clinic_name=name))
    assert content.endswith(b"\r\n")
    physical = content[:-2].split(b"\r\n")
    assert all(len(line) <= LINE_OCTETS_MAX for line in physical)
    assert all(line.decode() for line in physical)
    escaped = name.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    assert f"SUMMARY:Cita — {escaped}" in lines(content)
