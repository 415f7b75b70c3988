"""One word for one thing: what docs/glossary.md says not to say stands in no answer, no view, no README and no docs."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
#: These hold what people type, in whatever words.
HEARD: Final = frozenset({"parsing.py", "ranges.py", "understanding.py", "sides.py", "codec.py"})


def avoided() -> dict[str, str]:
    """Each word that is not to be said, and the one that is."""
    found: dict[str, str] = {}
    for line in (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[2] not in ("", "not", "---"):
            found |= {one.strip(): cells[0] for one in cells[2].split(",")}
    return found


def spoken() -> Iterator[tuple[str, str]]:
    """Where something is said, and what: the literals of what people read, each refusal, and the docs."""
    folder = ROOT / "handlers"
    files = [*folder.rglob("*view.py"), *(folder / "text").glob("*.py"), folder / "forecast/words.py"]
    for path in sorted({one for one in files if one.name not in HEARD} | {folder / "errors.py"}):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        skipped = set() if path.name == "errors.py" else docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
                # A name within the program is no word that people read.
                if re.fullmatch(r"[a-z_]+", node.value):
                    continue
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        if path.name != "glossary.md":
            text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
            for number, line in enumerate(text.splitlines(), 1):
                yield f"{path.name}, line {number} of its prose", re.sub(r"`[^`]*`", "", line)


@cache
def everything_spoken() -> list[tuple[str, str]]:
    """Read once for all words."""
    return list(spoken())


def docstrings(tree: ast.AST) -> set[int]:
    """The constants that are read by programmers alone."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    bodies = [node.body[0] for node in ast.walk(tree) if isinstance(node, kinds) and node.body]
    return {id(first.value) for first in bodies if isinstance(first, ast.Expr)}


def faults(word: str) -> list[str]:
    """Where a word stands, as a word of its own."""
    pattern = re.compile(rf"(?<![\w/<:.-]){re.escape(word)}(?![\w/>-])", re.IGNORECASE)
    return [f"{where}: {text.strip()[:120]}" for where, text in everything_spoken() if pattern.search(text)]


@pytest.mark.parametrize(("word", "instead"), sorted(avoided().items()))
def test_nobody_says_it_otherwise(word: str, instead: str) -> None:
    found = faults(word)
    assert found == [], f"say “{instead}”, not “{word}”"


def test_what_is_looked_for_would_be_found() -> None:
    assert len(avoided()) >= 20
    assert faults("came back")
    assert faults("asks us to wait"), "a refusal is its class's docstring"
    assert faults("live card"), "a view"
    assert faults("returns desk"), "the docs"
