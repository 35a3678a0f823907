"""The command `clinic`. Commands are thin: they parse, call one function of the program and print."""

from app.cli.edge import run_safely
from app.cli.root import clinic

__all__ = ["clinic", "main"]


def main() -> None:
    """Run the command line; every error is one line on stderr and a non-zero exit code."""
    run_safely(clinic)
