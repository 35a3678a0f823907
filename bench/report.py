"""Writes results as Markdown: one section for each measurement, replaced by the next run of the same one."""

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.rounds import Result

TITLE = "# Figures\n\nWritten by `python -m bench` (see `bench/README.md`); ratios within a table were measured side by side in one run.\n"


def comparison_table(results: Sequence[Result]) -> str:
    """Return ratios first, then what they come from."""
    head = (
        "",
        "ratio of requests/s",
        "of rounds",
        "target",
        "ratio by CPU",
        "requests/s",
        "p50 / p99 ms",
        "CPU ms a request: application + PostgreSQL",
    )
    return plain_table(head, [_comparison_row(result, results[0]) for result in results])


def _comparison_row(result: Result, reference: Result) -> list[str]:
    outcomes = [sample.outcome for sample in result.samples]
    return [
        result.name,
        f"**{result.ratio:.2f}**",
        f"{min(result.ratios):.2f} - {max(result.ratios):.2f}",
        verdict(result.ratio, result.target),
        f"{reference.cpu_ms() / result.cpu_ms():.2f}",
        f"{result.rate:,.0f}",
        f"{median(o.p50_ms for o in outcomes):.1f} / {median(o.p99_ms for o in outcomes):.1f}",
        f"{result.application_ms():.2f} + {result.postgres_ms():.2f}",
    ]


def verdict(value: float, target: float | None, *, at_most: bool = False) -> str:
    """Return the target and whether the value reaches it; empty without one."""
    if target is None:
        return ""
    reached = value <= target if at_most else value >= target
    sign = "<=" if at_most else ">="
    return f"{sign} {target:g}: {'reached' if reached else 'missed'}"


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def write_section(path: Path, title: str, body: str) -> None:
    """Replace the section `title` of the file, or add it at the end; the other sections stay."""
    text = path.read_text(encoding="utf-8") if path.exists() else TITLE
    section = f"## {title}\n\n{_circumstances()}\n\n{body.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda _: section + "\n", text)
    else:
        text = f"{text.rstrip()}\n\n{section}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.rstrip() + "\n", encoding="utf-8")


def _circumstances() -> str:
    moment = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"{moment}, Python {platform.python_version()}, {os.cpu_count()} processors shared by load generator,"
        " application and PostgreSQL."
    )
