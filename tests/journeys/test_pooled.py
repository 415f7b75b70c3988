"""PgBouncer between the bot and PostgreSQL: pooling by session it is served, by transaction it is refused at start.

Skipped where PgBouncer is not installed; with PIECEWISE_PGBOUNCER=required that is a failure.
"""

import asyncio
import gc
import os
import pwd
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from bot.app import running
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from storage.database import open_database
from storage.pooling import PooledByTransactionError
from tests.journeys.conftest import ANA, OPS, Stage, settings_for
from tests.processes import ran

SETTINGS = """
[databases]
* = host={folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 20
ignore_startup_parameters = options
"""

Pooler = Callable[[str, str], str]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("PgBouncer did not start")


@pytest.fixture
def pooler(tmp_path: Path) -> Iterator[Pooler]:
    """Starts PgBouncer in this mode before the PostgreSQL of an address; gives the address through it."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        if os.environ.get("PIECEWISE_PGBOUNCER") == "required":
            pytest.fail("PgBouncer is not installed")
        pytest.skip("no PgBouncer found: install it. It is no Python package, so `make test` cannot; CI must have it")
    with ExitStack() as stack:

        def start(url: str, mode: str) -> str:
            address, port = urlsplit(url), free_port()
            folder = Path(parse_qs(address.query)["host"][0])
            file = tmp_path / "pgbouncer.ini"
            file.write_text(SETTINGS.format(folder=folder, port=port, mode=mode))
            # It refuses to run as root; PostgreSQL's socket is for its own user.
            owner = pwd.getpwuid(folder.stat().st_uid).pw_name
            for one in (file, *file.parents[:3]):
                one.chmod(0o755)
            process = subprocess.Popen([program, "-q", *(["-u", owner] if os.getuid() == 0 else []), str(file)])
            stack.callback(process.wait)
            stack.callback(process.kill)
            until_it_listens(port, process)
            return f"postgresql://postgres@127.0.0.1:{port}{address.path}"

        yield start


@pytest.fixture
def mode() -> str:
    return "http"


@pytest.fixture
def database_url(postgres_url: str, pooler: Pooler) -> str:
    """Of the stage: through a pooler of sessions."""
    return pooler(postgres_url, "session")


async def test_through_a_pooler_of_sessions_mail_is_read_asked_for_and_told(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    assert "12 pieces" in answer.text
    await stage.say("/mailalerts", "on")
    piece = stage.stannp.pieces_of(222)[0]
    piece.move("returned", datetime.now(UTC))
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    assert await stage.stannp.call_webhook(address, stage.stannp.delivery([piece], 1)) == 200
    await stage.until(lambda: [m for m in stage.slack.messages if m.channel == OPS and "came back" in m.text])
    found = await stage.say("/mailtrack", str(piece.id), ANA)
    assert str(piece.id) in str(found.blocks)


@pytest.mark.parametrize("option", ["-c%20lock_timeout%3D4s", "-clock_timeout%3D4s", "--lock-timeout%3D4s"])
def test_what_a_connection_may_take_is_told_past_a_pooler_that_drops_it(database_url: str, option: str) -> None:
    database = open_database(f"{database_url}?options={option}")
    try:
        with database.reader.connect() as connection:
            told = [connection.scalar(text(f"SHOW {name}_timeout")) for name in ("statement", "lock")]
        assert told == ["8s", "4s"]
    finally:
        database.close()


def test_a_connection_that_cannot_be_told_is_closed(database_url: str) -> None:
    database = open_database(f"{database_url}?options=-c%20no_such_setting%3D4s")
    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always")
        with pytest.raises(DBAPIError, match="no_such_setting"):
            database.reader.connect()
        gc.collect()
    database.close()
    assert [str(one.message) for one in left_open if one.category is ResourceWarning] == []


@pytest.mark.parametrize("busy", [0, 3])
async def test_a_pooler_of_transactions_is_refused_at_start(
    postgres_url: str, pooler: Pooler, doubles: tuple[SlackDouble, StannpDouble], busy: int
) -> None:
    url = pooler(postgres_url, "transaction")
    others = open_database(url)
    held = [others.reader.connect() for _ in range(busy)]
    for one in held:
        one.execute(text("SELECT 1"))
    with pytest.raises(PooledByTransactionError, match="pool_mode = session"):
        async with running(settings_for(*doubles, url, "http")):
            pass
    for one in held:
        one.close()
    others.close()


async def test_each_command_says_why_it_refuses_a_pooler_of_transactions(
    postgres_url: str, pooler: Pooler, tmp_path: Path
) -> None:
    url = pooler(postgres_url, "transaction")
    for command in (["migrate"], ["recount"], ["check"]):
        code, said = await asyncio.to_thread(ran, command, os.environ | {"DATABASE_URL": url}, tmp_path)
        assert code == 1, command
        assert "pool_mode = session" in " ".join(said.split()), (command, said)
        assert "Traceback" not in said
