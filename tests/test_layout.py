"""What the documents promise is what is there."""

import re
from pathlib import Path

TEST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -q uv rust-just && .venv/bin/just test"
)


def test_ci_runs_the_test_command_of_the_readme(repository: Path) -> None:
    assert TEST_COMMAND in (repository / "README.md").read_text()
    assert TEST_COMMAND in (repository / ".ci" / "run").read_text()


def test_alembic_folder_does_not_shadow_the_package(repository: Path) -> None:
    assert not list((repository / "alembic").rglob("__init__.py"))


def test_links_of_the_documents_lead_somewhere(repository: Path) -> None:
    for document in [*repository.glob("*.md"), *(repository / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_files_are_short(repository: Path) -> None:
    too_long = {
        str(file.relative_to(repository)): lines
        for folder in ("src", "tests", "bench")
        for file in (repository / folder).rglob("*.py")
        if ".venv" not in file.parts and (lines := len(file.read_text().splitlines())) > 300
    }
    assert too_long == {}
