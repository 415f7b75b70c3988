"""A SQLite file as an operator treats it: deleted, replaced, linked, used twice, and searched for who was forgotten."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from bot.__main__ import app as command_line
from bot.app import running
from bot.platforms.stannp import wire
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from storage import privacy, workspaces
from storage.database import open_database, sole_user
from storage.files import DatabaseBusyError
from storage.ledger import apply as ledger
from storage.queries.mail import find_pieces
from storage.schema import revision
from tests.builders import JANE, START, a_batch, a_campaign, a_change, a_piece
from tests.house import all_merged
from tests.journeys.conftest import settings_for


def webhook(secret: str, number: int) -> tuple[bytes, dict[str, str]]:
    piece = {"id": number, "timestamp": "2026-02-01 09:00:00", "status": "delivered", "type": "postcard"}
    body = json.dumps({"webhook_id": 1, "event": "mailpiece_status", "mailpieces": [piece]}).encode()
    return body, {"X-Stannp-Signature": wire.sign(body, secret), "Content-Type": "application/json"}


@pytest.mark.parametrize("name", ["mail.db", "mail.db-wal"])
@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_file_that_is_gone_is_seen_at_once_and_nothing_is_taken_for_kept(
    doubles: tuple[SlackDouble, StannpDouble], tmp_path: Path, how: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    slack, stannp = doubles
    path, aside = tmp_path / name, tmp_path / "aside.db"
    settings = settings_for(slack, stannp, f"sqlite:///{tmp_path}/mail.db", "http")
    async with running(settings) as app, aiohttp.ClientSession(f"http://127.0.0.1:{app.port}") as client:

        async def tell(number: int) -> int:
            body, headers = webhook(stannp.webhook_secret, number)
            async with client.post("/webhooks/stannp", data=body, headers=headers) as answer:
                return answer.status

        async def ready() -> int:
            async with client.get("/readyz") as answer:
                return answer.status

        assert (await tell(1), await ready()) == (200, 200)
        path.rename(aside)
        if how == "replaced":
            path.write_bytes(aside.read_bytes())
        assert [await tell(2), await tell(3), await ready()] == [503, 503, 503]
        # It was moved, and comes back: what was refused can be told again.
        aside.rename(path)
        assert [await tell(2), await ready()] == [200, 200]
        await all_merged(app)
        assert (
            len(await asyncio.to_thread(app.services.memory.database.read, find_pieces, app.workspace.id, "2", 1)) == 1
        )
        app.scheduler.pause()
    assert caplog.text.count("database.file_gone") == 1


def test_a_log_that_is_taken_away_is_an_outage_and_stopping_keeps_what_it_held(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/mail.db"
    database = open_database(url)
    revision.migrate(database)
    database.write(workspaces.ensure, "T1", "Acme", "USD")
    for end in ("-wal", "-shm"):
        (tmp_path / f"mail.db{end}").unlink()
    for work in (database.read, database.write):
        with pytest.raises(OperationalError):
            work(workspaces.every)
    assert not database.is_well()
    database.close()
    with closing(open_database(url)) as again:
        assert [one.team_id for one in again.read(workspaces.every)] == ["T1"]
        assert again.write(workspaces.ensure, "T2", "Beta", "USD").team_id == "T2"


def test_a_log_that_goes_with_the_last_connection_is_no_loss(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/mail.db")
    revision.migrate(database)
    for team in ("T1", "T2"):
        database.write(workspaces.ensure, team, "Acme", "USD")
        database.reader.dispose()
        database.writer.dispose()
        assert not (tmp_path / "mail.db-wal").exists()
    assert len(database.read(workspaces.every)) == 2
    database.close()


@pytest.mark.parametrize("link", ["symlink", "hard link", "linked folder"])
def test_one_file_is_used_by_one_process_whatever_it_is_called(tmp_path: Path, link: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    path, other = folder / "mail.db", tmp_path / "other.db"
    path.touch()
    if link == "symlink":
        other.symlink_to(path)
    elif link == "hard link":
        other.hardlink_to(path)
    else:
        (tmp_path / "elsewhere").symlink_to(folder)
        other = tmp_path / "elsewhere" / "mail.db"
    held = "import sys, time; from storage.database import sole_user\nwith sole_user(sys.argv[1]): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", held, f"sqlite:///{path}"], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        with process.stdout as said:
            assert said.readline() == "held\n"
        with pytest.raises(DatabaseBusyError), sole_user(f"sqlite:///{other}"):
            pass
    finally:
        process.kill()
        process.wait()
    with sole_user(f"sqlite:///{other}"):
        pass


def holding(folder: Path, words: list[str]) -> set[str]:
    """Which of these words stand in which file of the database, in clear."""
    files = [one for one in folder.iterdir() if one.name.startswith("mail.db")]
    return {f"{word} in {one.name}" for one in files for word in words if word.encode() in one.read_bytes()}


def as_any_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite as most builds have it: what is deleted is not overwritten unless it is asked for."""
    connect = sqlite3.connect

    def plain(*words: Any, **more: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(*words, **more)
        made.execute("PRAGMA secure_delete=OFF")
        return made

    monkeypatch.setattr(sqlite3.dbapi2, "connect", plain)
    monkeypatch.setattr(sqlite3, "connect", plain)


def many_pieces() -> Any:
    return a_batch(
        a_campaign(), *(a_piece(str(n)) for n in range(1, 200)), a_piece("9001", recipient=SOMEBODY), a_change("9001")
    )


SOMEBODY = type(JANE)(name="Wilhelmina Quackenbush", address="77 Xylophone Alley", city="Austin", postcode="78701")
WORDS = ["Wilhelmina", "wilhelmina", "Xylophone", "xylophone", "Quackenbush", "quackenbush"]


def test_forget_leaves_no_trace_in_the_file_nor_in_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    as_any_build(monkeypatch)
    url = f"sqlite:///{tmp_path}/mail.db"
    database = open_database(url)
    revision.migrate(database)
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    database.write(ledger.apply, workspace.id, many_pieces(), START)
    database.close()
    assert holding(tmp_path, WORDS)
    # Somebody looks at the file meanwhile, so that its log outlives the command.
    watching = sqlite3.connect(tmp_path / "mail.db")
    watching.execute("SELECT count(*) FROM pieces").fetchone()
    for name, value in {"DATABASE_URL": url, "SLACK_BOT_TOKEN": "xoxb-1", "STANNP_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command_line, ["forget", "9001"])
    assert done.exit_code == 0, done.output
    assert holding(tmp_path, WORDS) == set()
    watching.close()


def test_what_is_erased_while_the_bot_runs_leaves_its_log_at_the_next_clearing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_any_build(monkeypatch)
    database = open_database(f"sqlite:///{tmp_path}/mail.db")
    revision.migrate(database)
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    database.write(ledger.apply, workspace.id, many_pieces(), START)
    piece = database.read(find_pieces, workspace.id, "9001", 1)[0]
    database.write(privacy.erase_piece, workspace.id, piece.id)
    database.checkpoint()
    assert any("-wal" in one for one in holding(tmp_path, WORDS))
    assert database.clear_log()
    assert holding(tmp_path, WORDS) == set()
    database.close()
    assert [one.name for one in tmp_path.iterdir()] == ["mail.db"]
