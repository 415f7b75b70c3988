"""The house rules that a program can check."""

import ast
import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import tests.benchmarks
import tests.chaos
import tests.fuzz
import tests.simulation
from bot.platforms.registry import PLATFORMS
from handlers.alerts import notices
from handlers.alerts import view as alerts_view
from handlers.asked import TABLE
from handlers.context.table import Press, Table, merged
from handlers.text.buttons import Action, Form
from handlers.text.status_styles import STYLES
from storage.statuses import LIFECYCLE, NOTABLE, Status

ROOT = Path(__file__).parent.parent
FOLDERS = ("bot", "handlers", "storage")
SOURCES = sorted(chain.from_iterable((ROOT / folder).rglob("*.py") for folder in FOLDERS))
BOUNDARIES = {"bot/front/dispatcher.py", "bot/front/web.py", "bot/scheduler.py", "handlers/alerts/delivery.py"}


@cache
def parsed(path: Path) -> ast.Module:
    """Read once for all tests, none of which changes it."""
    return ast.parse(path.read_text(encoding="utf-8"))


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in SOURCES:
        yield path.relative_to(ROOT).as_posix(), parsed(path)


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in trees():
        if "migrations" not in path:
            yield from ((path, n) for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_the_layers_hold() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_broad_excepts_stand_at_the_four_boundaries_alone() -> None:
    broad = [
        path
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]
    assert sorted(broad) == sorted(BOUNDARIES)


def test_no_file_holds_both_sides_of_a_merge() -> None:
    # Scripts and styles of the sandbox's page are read by no Python, and by a browser in few tests.
    mark = re.compile(r"^(<{7}|>{7}|\|{7}) ", re.MULTILINE)
    kinds = (".py", ".js", ".css", ".html", ".md", ".sql", ".toml", ".yml", ".txt")
    folders = ("bot", "handlers", "storage", "tests", "docs", "scripts", ".github")
    files = [one for folder in folders for one in (ROOT / folder).rglob("*") if one.suffix in kinds]
    assert any(one.suffix == ".js" for one in files)
    written = {one: one.read_text(encoding="utf-8", errors="replace") for one in [*files, *ROOT.glob("*.md")]}
    assert [one.relative_to(ROOT) for one, text in written.items() if mark.search(text)] == []


def test_functions_are_short() -> None:
    lengths = {f"{path}:{node.name}": (node.end_lineno or 0) - node.lineno + 1 for path, node in functions()}
    assert median(lengths.values()) <= 10
    assert {name: length for name, length in lengths.items() if length > 60} == {}


def test_no_file_is_long() -> None:
    # The doubles play a whole platform each, and are read as one.
    long = {p.relative_to(ROOT).as_posix(): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 460}
    assert set(long) <= {"bot/sandbox/slack.py", "bot/sandbox/stannp.py"}


PROBE = """
import socket, sys, threading, importlib, os
def refuse(*a, **k): raise RuntimeError("a socket at import")
socket.socket = type("S", (socket.socket,), {"__init__": refuse})
before = set(threading.enumerate())
for name in sys.argv[1:]: importlib.import_module(name)
assert set(threading.enumerate()) == before, "a thread at import"
assert not os.listdir("."), "a file at import"
heavy = {"matplotlib", "PIL", "numpy", "cryptography"} & set(sys.modules)
assert not heavy, f"{heavy} imported before the first picture, forecast or secret"
"""


#: What loads matplotlib, and is itself loaded with the first picture.
PAINTERS = tuple(
    f"handlers/charts/{path.name}"
    for path in (ROOT / "handlers" / "charts").glob("*.py")
    if re.search(r"^(?:from matplotlib|from handlers\.charts import canvas)", path.read_text(), re.MULTILINE)
)
#: What loads numpy, and is itself loaded with the first forecast (see `handlers.forecast.later`).
RECKONERS = tuple(f"handlers/forecast/{name}.py" for name in ("draws", "past"))


def test_importing_everything_does_nothing(tmp_path: Path) -> None:
    names = [
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for path in SOURCES
        if "migrations" not in path.parts and not path.as_posix().endswith(PAINTERS + RECKONERS)
    ]
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    work = tmp_path / "empty"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *names], cwd=work, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_who_draws_pictures_knows_of_no_database() -> None:
    """A process that draws is ready in a second; loading the database's library would take it as long again."""
    asked = "import sys, handlers.charts.drawing; print({'sqlalchemy', 'aiohttp', 'slack_sdk'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_can_be_pressed_is_what_is_listened_for() -> None:
    assert set(TABLE.actions) == set(Action)
    assert set(TABLE.forms) == set(Form)
    used = "".join(path.read_text() for path in (ROOT / "handlers").rglob("*.py") if path.name != "table.py")
    for name in chain(Action, Form):
        assert f"{type(name).__name__}.{name.name}" in used, f"{name} is on no view"


def test_no_two_wings_answer_the_same() -> None:
    async def answer(_services: Any, _ask: Any, _value: str) -> None: ...

    one, other = Table(actions={Action.TRACK: Press(answer)}), Table(actions={Action.TRACK: Press(answer)})
    with pytest.raises(ValueError, match="other: somebody else has track_piece"):
        merged({"one": one, "other": other})


def test_one_module_asks_which_database_it_is() -> None:
    asking = {path for path, tree in trees() if "dialect.name" in ast.unparse(tree) and "migrations" not in path}
    assert asking == {"storage/dialects.py"}


def test_what_only_long_runs_use_can_be_imported() -> None:
    for package in (tests.benchmarks, tests.chaos, tests.fuzz, tests.simulation):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            if not found.name.endswith(("__main__", "test_simulation")):
                importlib.import_module(found.name)


def test_every_status_has_a_name_a_color_a_meaning_and_a_place() -> None:
    assert set(STYLES) == set(LIFECYCLE) == set(Status)
    assert set(notices.ASKED) == set(alerts_view.VERBS) == set(NOTABLE)
    assert len({style.color for style in STYLES.values()}) == len(Status)


def test_only_its_own_folder_names_a_mail_platform() -> None:
    names = [name for one in PLATFORMS.values() for name in (one.profile.key, one.profile.name.casefold())]
    own = ("bot/platforms/", "bot/sandbox/")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in SOURCES
        if any(name in path.read_text(encoding="utf-8").casefold() for name in names)
    }
    assert {path for path in found if not path.startswith(own)} == set(), "take it from `services.platform.name`"


def test_no_transaction_can_hold_a_network_call() -> None:
    # Work in a transaction is plain functions on threads: nothing awaitable is ever handed to the database.
    for path, tree in trees():
        if path.startswith("storage/"):
            assert not [n for n in ast.walk(tree) if isinstance(n, (ast.AsyncFunctionDef, ast.Await))], path


#: Of British spellings those that were met here. "Cancelled" is Stannp's own word, and stays.
BRITISH = (
    r"(?i)[a-z]*(?:organis|authoris|recognis|synchronis|normalis|colour|behaviour|neighbour|centre\b|labelled)[a-z]*"
)


def test_code_and_prose_are_spelled_as_in_america() -> None:
    prose = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "manifest.yml", *(ROOT / "docs").rglob("*.md")]
    found = {
        (path.relative_to(ROOT).as_posix(), word)
        for path in (*SOURCES, *prose)
        for word in re.findall(BRITISH, path.read_text(encoding="utf-8"))
    }
    assert found == set()
