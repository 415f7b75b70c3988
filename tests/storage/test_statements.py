"""The statements in files: each is taken by both databases that it is for, each is used, and none is in Python again."""

import ast
import importlib
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest
from sqlalchemy import Connection, Date, TextClause

import storage
from storage.database import Database
from storage.dialects import is_postgresql
from storage.ledger import stage
from storage.ledger.pieces import PERSONAL
from storage.schema.tables import Moment
from storage.statements import FOLDER, MARK, Sql

ROOT = Path(storage.__file__).parent
FILES = sorted(Path(str(FOLDER)).glob("*.sql"))
#: Something of the kind that each parameter is, where neither its type nor a fixed value says so.
MADE_UP: dict[str, Any] = {
    "workspace": 1, "campaign": 1, "after": 0, "piece": 1, "upto": 9, "limit": 5, "start": 0, "size": 5, "part": 0, "parts": 2, "top": 0,
    "status": 10, "tries": 3, "key": "a", "end": "b", "zip": "1", "zip_end": "2", "ref": "1", "channel": "C1", "rows": "[]", "told": "{}", "refs": ["1"], "prints": [1],
    "most": 5, "share": 5, "workspaces": [1], "without": [],
}  # fmt: skip


def statements() -> dict[str, Sql]:
    """All that the modules of storage have loaded, by where they stand."""
    found: dict[str, Sql] = {}
    for module in walk_packages([str(ROOT)], "storage."):
        if "migrations" in module.name:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            many = value.values() if isinstance(value, dict) else [value]
            found |= {f"{module.name}.{name}.{n}": one for n, one in enumerate(many) if isinstance(one, Sql)}
    return found


def without_words(file: Path) -> str:
    lines = file.read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("--") and not line.endswith(MARK))


def values_of(statement: TextClause) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, bound in statement._bindparams.items():
        if bound.value is not None:
            continue
        if isinstance(bound.type, Moment):
            made[name] = datetime(2026, 1, 1, tzinfo=UTC)
        elif isinstance(bound.type, Date):
            made[name] = date(2026, 1, 1)
        else:
            made[name] = [1] if bound.expanding else MADE_UP[name]
    return made


@pytest.mark.parametrize("where", sorted(statements()))
def test_each_is_taken_by_the_databases_that_it_is_for(database: Database, where: str) -> None:
    one = statements()[where]

    def tried(connection: Connection) -> bool:
        statement = one.postgresql if is_postgresql(connection) else one.sqlite
        if statement is not None:
            stage.begin(connection)
            connection.execute(statement, values_of(statement))
        return statement is not None

    assert database.write(tried) or one.sqlite is None or one.postgresql is None


def test_none_is_unused_and_each_says_what_it_decides() -> None:
    said = {one.text for each in statements().values() for one in (each.sqlite, each.postgresql) if one is not None}
    assert [file.name for file in FILES if without_words(file) not in said] == []
    assert [file.name for file in FILES if not file.read_text().startswith("-- ")] == []


def test_two_files_of_one_name_differ() -> None:
    both = [
        (file, file.with_name(file.name.replace(".postgresql", ""))) for file in FILES if ".postgresql" in file.name
    ]
    assert [one.name for one, other in both if other.exists() and without_words(one) == without_words(other)] == []


def test_no_rank_is_written_as_a_number() -> None:
    found = [file.name for file in FILES if re.search(r"status (=|<>|>=|IN) \(?[1-9]", without_words(file))]
    assert found == []


def test_what_is_erased_is_the_same_here_and_there() -> None:
    file = without_words(ROOT / "sql/blank_erased.sql")
    assert tuple(re.findall(r"(\w+) = ''", file)) == PERSONAL


def _texts(tree: ast.AST) -> Iterator[ast.Constant]:
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documented:
            yield node


def test_no_long_statement_is_in_python_and_none_is_rewritten_there() -> None:
    for path in ROOT.rglob("*.py"):
        if "migrations" in path.parts:
            continue
        for node in _texts(ast.parse(path.read_text())):
            is_sql = re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", str(node.value))
            assert not (is_sql and str(node.value).strip().count("\n") > 2), f"{path}:{node.lineno}"
    rewriting = [
        p.name for p in (ROOT / "database.py", ROOT / "statements.py") if re.search(r"re\.sub|\.sub\(", p.read_text())
    ]
    assert rewriting == ["database.py"], "the one that reads DATABASE_URL"
