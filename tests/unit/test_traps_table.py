"""The table of traps names tests that there are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`((?:[\w./]+/)?test_\w+\.py)::(test_\w+)`")
TABLE = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
TRAPS = [line for line in TABLE.splitlines() if line.startswith("| ") and "| Trap |" not in line]


def named_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


@pytest.mark.parametrize("line", [line for line in TRAPS if not line.startswith("| ---")])
def test_a_trap_names_a_test_that_there_is(line: str) -> None:
    ((file, name),) = NAMED.findall(line)
    path = ROOT / file if file.startswith("tests/") else ROOT / "tests" / "mover" / file
    assert name in named_tests(path)
    assert line.rsplit("|", 2)[1].strip() in {"yes", "no", "-"}


def test_every_test_of_a_trap_stands_in_a_file_of_the_table() -> None:
    named = {Path(file).name for file, _ in NAMED.findall(TABLE)}
    files = {path.name for path in (ROOT / "tests" / "mover").glob("test_traps_*.py")}
    assert files <= named
