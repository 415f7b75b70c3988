"""A webhook call is kept before it is answered and merged afterwards: whatever happens in between, it is not lost, and
what is told of it is decided by when it was heard."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import Connection, create_engine, func, select
from typer.testing import CliRunner

from bot.__main__ import app as command_line
from bot.app import App, Part, running
from bot.cli.check import check
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from storage import aside
from storage.inbox import Call, inbox_of
from storage.queries import mail as queries
from storage.schema.tables import outbox, pieces
from storage.statuses import Status
from tests.house import all_merged
from tests.journeys.conftest import Stage, everything, settings_for
from tests.journeys.test_file import WORDS, as_any_build, holding

UNKNOWN = 700_001
CHANGES = "SELECT piece_id, status, moment_key, occurred_at, recorded_at FROM changes ORDER BY 1, 2, 3"


def a_call(stannp: StannpDouble, number: int = UNKNOWN, **more: Any) -> bytes:
    """A call about a piece that nobody has met."""
    row = {"id": number, "timestamp": "2026-02-01 09:00:00", "status": "delivered", "type": "postcard", **more}
    return json.dumps({"webhook_id": 1, "event": "mailpiece_status", "mailpieces": [row]}).encode()


def address(app: App) -> str:
    return f"http://127.0.0.1:{app.port}/webhooks/stannp"


async def status_of(app: App, ref: int) -> Status | None:
    found = await app.services.memory.read(queries.find_pieces, app.workspace.id, str(ref), 1)
    return found[0].status if found else None


async def waiting(app: App) -> int:
    sums = await asyncio.to_thread(app.services.inflow.inbox.waiting)
    return sum(one.calls for one in sums.values())


@asynccontextmanager
async def nothing_merged(app: App) -> AsyncIterator[None]:
    """Meanwhile the thread that merges is busy with something else."""
    gate = threading.Event()
    held = asyncio.create_task(app.services.memory.on_writer(gate.wait, 30))
    try:
        yield
    finally:
        gate.set()
        await held


async def test_a_call_is_answered_while_the_ledger_is_locked_and_merged_afterwards(stage: Stage) -> None:
    def lock(connection: Any) -> None:
        connection.exec_driver_sql("UPDATE workspaces SET name = name")
        locked.set()
        gate.wait(30)

    gate, locked = threading.Event(), threading.Event()
    held = asyncio.create_task(stage.app.services.memory.write(lock))
    await asyncio.to_thread(locked.wait, 10)
    assert await stage.stannp.call_webhook(address(stage.app), a_call(stage.stannp)) == 200
    assert not held.done()
    assert (await waiting(stage.app) > 0, await status_of(stage.app, UNKNOWN)) == (True, None)
    gate.set()
    await held
    await stage.merged()
    assert await status_of(stage.app, UNKNOWN) is Status.DELIVERED


async def test_who_subscribes_while_a_call_waits_is_not_told_of_it(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    piece.move("returned", datetime.now(UTC))
    memory, inbox = stage.app.services.memory, stage.app.services.inflow.inbox
    heard_at = datetime.now(UTC)
    await stage.say("/mailalerts", "on")
    # It was heard before, and comes to be merged only now.
    call = Call(stage.app.workspace.id, heard_at, "stannp", stage.stannp.delivery([piece]))
    await asyncio.to_thread(inbox.append, [call])
    stage.app.services.inflow.arrived.set()
    await stage.merged()
    assert await status_of(stage.app, piece.id) is Status.RETURNED
    assert await memory.read(lambda c: c.scalar(select(func.count()).select_from(outbox))) == 0


async def test_a_signed_call_that_nobody_can_read_is_taken_and_set_aside(stage: Stage) -> None:
    for raw in (b"not json", b"[" * 10_000, b"\xff\x00", a_call(stage.stannp)):
        assert await stage.stannp.call_webhook(address(stage.app), raw) == 200
    await stage.merged()
    found = await stage.app.services.memory.read(aside.look)
    assert found is not None
    assert (found.number, found.newest.reason) == (3, "unreadable: PayloadRefused")
    assert await status_of(stage.app, UNKNOWN) is Status.DELIVERED


async def test_what_was_taken_is_merged_before_the_process_ends(
    doubles: tuple[SlackDouble, StannpDouble], database_url: str, mode: str
) -> None:
    slack, stannp = doubles
    async with running(settings_for(slack, stannp, database_url, mode)) as app:
        database = app.services.memory.database
        async with nothing_merged(app):
            calls = (stannp.call_webhook(address(app), a_call(stannp, UNKNOWN + n)) for n in range(40))
            assert set(await asyncio.gather(*calls)) == {200}
            app.scheduler.pause()
    left = inbox_of(database).waiting()
    known = database.read(lambda c: c.scalar(select(func.count()).where(pieces.c.ref.like("7000%"))))
    database.close()
    assert (left, known) == ({}, 40)


async def test_what_a_process_that_died_had_taken_is_merged_at_the_next_start(
    doubles: tuple[SlackDouble, StannpDouble], database_url: str, mode: str
) -> None:
    slack, stannp = doubles
    settings = settings_for(slack, stannp, database_url, mode)
    async with running(settings) as app:
        key = app.workspace.id
    database = app.services.memory.database
    heard = [Call(key, datetime.now(UTC), "stannp", a_call(stannp, UNKNOWN + n)) for n in range(3)]
    inbox_of(database).append(heard)
    database.close()
    async with running(settings) as app:
        await all_merged(app)
        assert await status_of(app, UNKNOWN + 2) is Status.DELIVERED
        app.scheduler.pause()


async def test_what_is_merged_twice_changes_nothing(stage: Stage) -> None:
    await stage.say("/mailalerts", "on")
    inbox, piece = stage.app.services.inflow.inbox, stage.stannp.pieces_of(222)[0]
    piece.move("returned", datetime.now(UTC))
    call = Call(stage.app.workspace.id, datetime.now(UTC), "stannp", stage.stannp.delivery([piece]))
    rows = []
    for _ in range(2):
        # As after a crash between the commit of a merge and the deletion of what it merged.
        await asyncio.to_thread(inbox.append, [call])
        stage.app.services.inflow.arrived.set()
        await stage.merged()
        rows.append(await stage.app.services.memory.read(lambda c: c.exec_driver_sql(CHANGES).all()))
    assert rows[0] == rows[1]
    memory = stage.app.services.memory
    assert await memory.read(lambda c: c.scalar(select(func.count()).select_from(outbox))) == 1


async def test_of_two_processes_one_takes_and_the_other_merges(
    doubles: tuple[SlackDouble, StannpDouble], postgres_url: str
) -> None:
    slack, stannp = doubles
    settings = settings_for(slack, stannp, postgres_url, "http")
    async with AsyncExitStack() as stack:
        serving = await stack.enter_async_context(running(settings, Part.SERVE))
        assert await stannp.call_webhook(address(serving), a_call(stannp)) == 200
        assert (await waiting(serving), await status_of(serving, UNKNOWN)) == (stannp.posts, None)
        working = await stack.enter_async_context(running(settings, Part.WORK))
        await all_merged(working)
        assert await status_of(serving, UNKNOWN) is Status.DELIVERED
        calls = (stannp.call_webhook(address(serving), a_call(stannp, UNKNOWN + n)) for n in range(30))
        assert set(await asyncio.gather(*calls)) == {200}
        await all_merged(working)
        assert await status_of(serving, UNKNOWN + 29) is Status.DELIVERED
        working.scheduler.pause()


@pytest.mark.parametrize("mode", ["http"])
async def test_who_is_forgotten_stands_in_no_file_though_a_call_still_waited(
    doubles: tuple[SlackDouble, StannpDouble], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    as_any_build(monkeypatch)
    slack, stannp = doubles
    url = f"sqlite:///{tmp_path}/mail.db"
    async with running(settings_for(slack, stannp, url, mode)) as app:
        named: dict[str, Any] = {"firstname": "Wilhelmina", "lastname": "Quackenbush", "address1": "77 Xylophone Alley"}
        assert await stannp.call_webhook(address(app), a_call(stannp, **named)) == 200
        await all_merged(app)
        key = app.workspace.id
        app.scheduler.pause()
    database = app.services.memory.database
    # It was told again, and the process was killed before that was merged.
    inbox_of(database).append([Call(key, datetime.now(UTC), "stannp", a_call(stannp, **named))])
    database.close()
    assert any("-inbox" in one for one in holding(tmp_path, WORDS))
    # Somebody looks at the files meanwhile, so that their logs outlive the command.
    watching = [sqlite3.connect(tmp_path / name) for name in ("mail.db", "mail.db-inbox")]
    for one, name in zip(watching, ("pieces", "inbox"), strict=True):
        one.execute(f"SELECT count(*) FROM {name}").fetchone()
    for name, value in {"DATABASE_URL": url, "SLACK_BOT_TOKEN": "xoxb-1", "STANNP_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    done = await asyncio.to_thread(CliRunner().invoke, command_line, ["forget", str(UNKNOWN)])
    for one in watching:
        one.close()
    assert done.exit_code == 0, done.output
    assert holding(tmp_path, WORDS) == set()


async def test_how_long_calls_wait_is_measured(stage: Stage) -> None:
    async with nothing_merged(stage.app):
        assert await stage.stannp.call_webhook(address(stage.app), a_call(stage.stannp)) == 200
        text = (await stage.app.metrics.text(stage.app.services)).decode()
        assert "piecewise_inbox_calls 0.0" not in text
    await stage.merged()
    text = (await stage.app.metrics.text(stage.app.services)).decode()
    assert "piecewise_inbox_calls 0.0" in text
    assert "piecewise_inbox_age_seconds 0.0" in text
    assert "piecewise_inbox_lag_seconds_count" in text
    assert "Delivered" in everything(await stage.say("/mailtrack", str(UNKNOWN)))


@pytest.mark.parametrize("pairing", ["http-postgres"], indirect=True)
async def test_what_was_merged_leaves_the_files_of_the_database_while_the_bot_runs(stage: Stage) -> None:
    app = stage.app
    body = a_call(stage.stannp, firstname="Wilhelmina")
    call = Call(app.workspace.id, datetime.now(UTC), "stannp", body)
    await asyncio.to_thread(app.services.inflow.inbox.append, [call])
    await all_merged(app)

    def size(connection: Connection) -> Any:
        return connection.exec_driver_sql("SELECT pg_relation_size('inbox')").scalar()

    assert await app.services.memory.read(size)
    job = app.scheduler.get_job("vacuum")
    # Another holds it: that it was to be done is not that it was.
    other = create_engine(app.services.memory.database.writer.url)
    with other.begin() as holding_it:
        holding_it.exec_driver_sql("LOCK TABLE inbox IN SHARE UPDATE EXCLUSIVE MODE")
        await job.func(*job.args, **job.kwargs)
        while app.in_flight.is_running("tick:vacuum"):
            await asyncio.sleep(0.05)
    other.dispose()
    assert await app.services.memory.read(size)
    await job.func(*job.args, **job.kwargs)
    while await app.services.memory.read(size):
        await asyncio.sleep(0.05)


async def test_a_damaged_inbox_is_named_by_the_check_and_in_the_log_with_what_to_do(
    doubles: tuple[SlackDouble, StannpDouble], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slack, stannp = doubles
    settings, path = settings_for(slack, stannp, f"sqlite:///{tmp_path}/mail.db", "http"), tmp_path / "mail.db-inbox"
    async with running(settings) as app:
        assert await stannp.call_webhook(address(app), a_call(stannp)) == 200
        await all_merged(app)
        app.scheduler.pause()
    assert [one for one in await check(settings) if one.what == "Inbox"] == []
    path.write_bytes(b"This is no database. " * 500)
    (found,) = [one for one in await check(settings) if one.what == "Inbox"]
    assert not found.ok
    assert str(path) in found.text
    assert "move this file" in found.text
    async with running(settings) as app, aiohttp.ClientSession(f"http://127.0.0.1:{app.port}") as client:
        assert await stannp.call_webhook(address(app), a_call(stannp)) == 503
        async with client.get("/readyz") as ready:
            assert ready.status == 503
        app.scheduler.pause()
    assert caplog.text.count("inbox.damaged") == 1
    assert "move this file" in caplog.text
    path.rename(tmp_path / "elsewhere")
    async with running(settings) as app:
        assert await stannp.call_webhook(address(app), a_call(stannp)) == 200
        app.scheduler.pause()
