"""Rows of lists of appointments become Structs by position: each column must stand where its field does."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from domain.organisation.branch_scope import Reach
from domain.scheduling.appointment_lists import (
    COMPUTED,
    agenda_list,
    appointments_in,
    entries_in,
    shown_appointments,
)
from domain.scheduling.appointment_schemas import AgendaEntry, AppointmentOut

LIMA = ZoneInfo("America/Lima")
MOMENT = datetime(2026, 3, 2, 15, tzinfo=UTC)
TIMES = {"starts_at", "ends_at"}


def row_of(columns: list[str]) -> list[Any]:
    """Return a row whose values are their columns' names, but for moments and the branch's zone."""
    return [
        MOMENT if name in TIMES else "America/Lima" if name == "timezone" else name
        for name in columns
    ]


def columns_of(statement: Any) -> list[str]:
    return [column.name for column in statement.selected_columns]


def test_every_field_of_an_appointment_is_the_column_of_its_name() -> None:
    made: Any = appointments_in(LIMA)(tuple(row_of(columns_of(shown_appointments()))))  # type: ignore[arg-type]
    for name in set(AppointmentOut.__struct_fields__) - TIMES - COMPUTED:
        assert getattr(made, name) == name
    assert (made.starts_at, made.starts_at.tzinfo) == (MOMENT, LIMA)
    assert (made.ends_at, made.ends_at.tzinfo) == (MOMENT, LIMA)


def test_every_field_of_the_agenda_is_the_column_of_its_name() -> None:
    selected = list(agenda_list(Reach.EVERYTHING, frozenset())._first.selected_columns)
    row = row_of([column.name for column in selected])
    for position, column in enumerate(selected):
        if column.table.name in {"patient_person", "practitioner_person"}:
            row[position] = f"{column.table.name}.{column.name}"
    made: Any = entries_in(LIMA)(tuple(row))  # type: ignore[arg-type]
    names = {"patient_name", "practitioner_name"}
    for name in set(AgendaEntry.__struct_fields__) - TIMES - names:
        assert getattr(made, name) == name
    for person in ("patient", "practitioner"):
        parts = ("given_names", "family_name", "second_family_name")
        expected = " ".join(f"{person}_person.{part}" for part in parts)
        assert getattr(made, f"{person}_name") == expected
    assert (made.starts_at.tzinfo, made.ends_at.tzinfo) == (LIMA, LIMA)
