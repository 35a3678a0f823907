"""What the documents promise is what is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import rich_click as click
from click.testing import CliRunner

from app.cli import clinic

TEST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -q uv rust-just && .venv/bin/just test"
)
RECIPE = re.compile(r"^([a-z][a-z-]*)(?: [^:\n]*)?:(?!=)", re.MULTILINE)
NAMED_RECIPE = re.compile(r"(?:^|/)just ([a-z][a-z-]*)", re.MULTILINE)
NAMED_COMMAND = re.compile(r"(?:^|/)clinic ([a-z][a-z-]*(?: [a-z][a-z-]*)*)", re.MULTILINE)
PATH = re.compile(r"`([\w.-]+/[\w./-]+|[\w-]+\.(?:py|toml))(?:::(\w+))?`")


def documents(repository: Path) -> list[Path]:
    return [*repository.glob("*.md"), *(repository / "docs").rglob("*.md")]


def code_of(document: Path) -> str:
    """Return what the document shows as code, in lines or between words; prose may begin with `just` too."""
    parts = re.findall(
        r"^ *```\w*$(.*?)^ *```$|`([^`\n]+)`", document.read_text(), re.DOTALL | re.MULTILINE
    )
    return "\n".join(block or inline for block, inline in parts)


def command_names(group: click.Group, *words: str) -> Iterator[str]:
    """Yield every command as it is typed, without the groups."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from command_names(command, *words, name)
        else:
            yield " ".join([*words, name])


def test_ci_runs_the_test_command_of_the_readme(repository: Path) -> None:
    assert TEST_COMMAND in (repository / "README.md").read_text()
    assert TEST_COMMAND in (repository / ".ci" / "run").read_text()


def test_alembic_folder_does_not_shadow_the_package(repository: Path) -> None:
    assert not list((repository / "alembic").rglob("__init__.py"))


def test_links_of_the_documents_lead_somewhere(repository: Path) -> None:
    for document in documents(repository):
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_what_holds_a_decision_exists(repository: Path) -> None:
    for decision in (repository / "docs" / "adr").glob("*.md"):
        held_by = decision.read_text().partition("\n## Held by\n")[2]
        assert PATH.search(held_by), f"{decision.name}: nothing holds it"
        for path, name in PATH.findall(held_by):
            assert (repository / path).exists(), f"{decision.name}: {path}"
            assert name in (repository / path).read_text(), f"{decision.name}: {path}::{name}"


def test_recipes_that_documents_name_exist(repository: Path) -> None:
    recipes = set(RECIPE.findall((repository / "justfile").read_text()))
    named = {
        (document.name, recipe)
        for document in documents(repository)
        for recipe in NAMED_RECIPE.findall(code_of(document))
    }
    assert named
    assert {(document, recipe) for document, recipe in named if recipe not in recipes} == set()


def test_commands_that_documents_name_exist(repository: Path) -> None:
    named = {
        (document.name, command)
        for document in documents(repository)
        for command in NAMED_COMMAND.findall(code_of(document))
    }
    assert named
    for document, command in named:
        answer = CliRunner().invoke(clinic, [*command.split(), "--help"])
        assert answer.exit_code == 0, f"{document}: clinic {command}: {answer.output}"


def test_operators_find_every_command(repository: Path) -> None:
    named = set(NAMED_COMMAND.findall(code_of(repository / "docs" / "operators.md")))
    assert set(command_names(clinic)) - named == set()


def test_files_are_short(repository: Path) -> None:
    too_long = {
        str(file.relative_to(repository)): lines
        for folder in ("src", "tests", "bench")
        for file in (repository / folder).rglob("*.py")
        if ".venv" not in file.parts and (lines := len(file.read_text().splitlines())) > 300
    }
    assert too_long == {}
