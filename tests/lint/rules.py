"""Small rules over the syntax tree of our own code, each with the message that tells the way out."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from auth.route_options import NAMES as OPTIONS

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
SQL_FOLDERS = ("src", "alembic", "config")


class Finding(NamedTuple):
    path: str
    line: int
    message: str


Rule = Callable[[str, ast.Module], Iterator[tuple[int, str]]]

KEYS = {
    "Index",
    "UniqueConstraint",
    "ExcludeConstraint",
    "ForeignKeyConstraint",
    "PrimaryKeyConstraint",
}
SESSION_SET = re.compile(
    r"(?:^|;)\s*SET\s+(?!LOCAL\b)(?!ROLE\b|CONSTRAINTS\b)[a-z_.]+\s*(?:=|TO)", re.IGNORECASE
)
SQL_COMMENT = r"--[^\n]*|/\*.*?\*/"
SQL_LITERAL = r"'(?:[^']|'')*'"
SQL_TOKEN = re.compile(f"{SQL_COMMENT}|{SQL_LITERAL}", re.DOTALL)
STATEMENT_START = r"(?:\A|;|\$\w*\$|'|\b(?:BEGIN|THEN|ELSE|LOOP)\b)\s*"
SQL_SESSION_SET = re.compile(
    rf"{STATEMENT_START}\bSET\s+(?!LOCAL\b|CONSTRAINTS\b)\w"
    r"|\bset_config\s*\((?:[^()]|\([^()]*\))*,\s*false\s*\)",
    re.IGNORECASE,
)
OUTLIVES = "SET without LOCAL outlives the transaction on a pooled connection"

STRATEGY_MODULES = "tenancy.strategies."
ASKS_FOR_A_STRATEGY = {"app/demo/clinics.py", "controllers/seed_platform.py"}
"""A demonstration of each, and a route of old whose companies always got a database of their own."""


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def no_commit_outside_tenancy(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if path.startswith("tenancy/"):
        return
    for call in _calls(tree):
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"commit", "rollback"}:
            yield call.lineno, "only tenancy ends a transaction: flush instead"


def no_tenant_id_above_tenancy(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if not path.startswith(("controllers/", "domain/")) or path == "domain/tables.py":
        return
    allowed = _constraint_nodes(tree) if path.endswith("/models.py") else set()
    for node in ast.walk(tree):
        if node in allowed:
            continue
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
        if isinstance(node, ast.Constant) and node.value == "tenant_id":
            name = "tenant_id"
        if name == "tenant_id":
            yield node.lineno, "the database fills and checks tenant_id: leave it out"


def _constraint_nodes(tree: ast.Module) -> set[ast.AST]:
    """Everything inside `__table_args__`, keys and indexes: table definitions may name the column."""
    inside: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in KEYS:
            inside.update(ast.walk(node))
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == "__table_args__" for t in node.targets
        ):
            inside.update(ast.walk(node))
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "tenant_id":
            inside.update(ast.walk(node))
    return inside


def no_engine_outside_tenancy(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if path.startswith("tenancy/"):
        return
    for call in _calls(tree):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in {
            "create_async_engine",
            "create_engine",
            "async_sessionmaker",
            "sessionmaker",
            "AsyncSession",
        }:
            yield call.lineno, "only tenancy opens engines and sessions: ask for the injected one"


def no_raw_sql_above_tenancy(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if not path.startswith(("controllers/", "domain/", "auth/")):
        return
    if path == "domain/tables.py" or path.endswith("/models.py"):
        return
    for call in _calls(tree):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        if name in {"text", "exec_driver_sql", "literal_column"}:
            yield call.lineno, "raw SQL stays in tenancy, migrations and table definitions"


def no_database_errors_in_controllers(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if not path.startswith("controllers/"):
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if f"{name}.".startswith(("sqlalchemy.exc.", "asyncpg.")):
                yield (
                    node.lineno,
                    "tenancy and the domain say what went wrong in errors of their own",
                )


def no_session_level_set(_path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for match in SESSION_SET.finditer(node.value):
                if "app." in match.group() or "search_path" in match.group().lower():
                    yield node.lineno, OUTLIVES


def no_session_level_set_in_sql(source: str) -> Iterator[tuple[int, str]]:
    """Attributes of functions, roles and databases and the SET of an UPDATE begin no statement: they may be."""
    for match in SQL_SESSION_SET.finditer(SQL_TOKEN.sub(_without_comment, source)):
        yield source.count("\n", 0, match.end()) + 1, OUTLIVES


def _without_comment(token: re.Match[str]) -> str:
    """Keep literals, which may be SQL to be run; of comments keep the length and the lines."""
    text = token.group()
    return text if text.startswith("'") else re.sub(r"[^\n]", " ", text)


def no_option_spelled_out(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if path == "auth/route_options.py":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in OPTIONS:
            yield node.lineno, "options of routes are spelled in auth/route_options.py alone"


def strategies_know_themselves(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Allow names of strategies where one is asked for, as data; nowhere else may code depend on which one it is."""
    if path.startswith("tenancy/strategies/"):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(STRATEGY_MODULES):
            yield node.lineno, "only the table of strategies is for others: ask the Strategy"
        if path not in ASKS_FOR_A_STRATEGY and _names_a_strategy(node):
            yield node.lineno, "what depends on the strategy is a member of the Strategy: ask it"
        if isinstance(node, ast.Compare) and _compares_strategies(node):
            yield node.lineno, "what depends on the strategy is a member of the Strategy: ask it"
        if isinstance(node, ast.Match) and _is_strategy(node.subject):
            yield node.lineno, "what depends on the strategy is a member of the Strategy: ask it"


def _names_a_strategy(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "StrategyName"
        and node.attr.isupper()
    )


def _is_strategy(node: ast.expr) -> bool:
    if isinstance(node, ast.Attribute) and node.attr in {"name", "value"}:
        node = node.value
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return str(name) == "strategy" or str(name).endswith("_strategy") or _names_a_strategy(node)


def _compares_strategies(node: ast.Compare) -> bool:
    operands = [node.left, *node.comparators]
    if any(isinstance(one, ast.Constant) and one.value is None for one in operands):
        return False
    literal = isinstance(node.comparators[-1], ast.Tuple | ast.List | ast.Set)
    is_membership = any(isinstance(operator, ast.In | ast.NotIn) for operator in node.ops)
    return any(map(_is_strategy, operands)) and (literal or not is_membership)


RULES: tuple[Rule, ...] = (
    strategies_know_themselves,
    no_commit_outside_tenancy,
    no_tenant_id_above_tenancy,
    no_engine_outside_tenancy,
    no_raw_sql_above_tenancy,
    no_database_errors_in_controllers,
    no_session_level_set,
    no_option_spelled_out,
)


def check(path: str, source: str, rules: tuple[Rule, ...] = RULES) -> list[Finding]:
    tree = ast.parse(source)
    return [Finding(path, line, message) for rule in rules for line, message in rule(path, tree)]


def check_sql(path: str, source: str) -> list[Finding]:
    return [Finding(path, *found) for found in no_session_level_set_in_sql(source)]


def check_all() -> list[Finding]:
    findings: list[Finding] = []
    for file in sorted(SOURCE.rglob("*.py")):
        path = file.relative_to(SOURCE).as_posix()
        findings.extend(check(path, file.read_text(encoding="utf-8")))
    for folder in SQL_FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.sql")):
            path = file.relative_to(ROOT).as_posix()
            findings.extend(check_sql(path, file.read_text(encoding="utf-8")))
    return findings
