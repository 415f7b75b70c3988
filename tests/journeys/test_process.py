"""`piecewise` as a process: runs, checks, refuses, and stops cleanly."""

import asyncio
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble, Trouble
from storage import aside
from storage.database import DatabaseDownError, open_database
from storage.records import WorkspaceId
from storage.schema import revision
from tests.journeys.conftest import ANA, OPS, a_small_world, settings_for
from tests.processes import start_bot
from tests.storage.lines import by, line_to

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def environment(doubles: tuple[SlackDouble, StannpDouble], tmp_path: Path) -> dict[str, str]:
    slack, stannp = doubles
    a_small_world(stannp)
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "PYTHONPATH": str(ROOT),
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.url,
        "STANNP_API_KEY": stannp.api_key,
        "STANNP_API_URL": stannp.url,
        "DATABASE_URL": f"sqlite:///{tmp_path}/run.db",
        "PIECEWISE_PORT": "0",
    }


async def piecewise(environment: dict[str, str], cwd: Path, *words: str) -> tuple[int, str]:
    process = await start_bot(words, environment, cwd)
    said = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said


@pytest.fixture
async def started(environment: dict[str, str], tmp_path: Path) -> AsyncIterator[Any]:
    process = await start_bot(["run"], environment, tmp_path)
    lines: list[str] = []

    async def read() -> None:
        async for line in process.stdout:
            lines.append(line.decode())

    reading = asyncio.create_task(read())
    async with asyncio.timeout(30):
        while not any("ready" in line for line in lines):
            assert process.returncode is None, "".join(lines)
            await asyncio.sleep(0.05)
    yield process, lines
    if process.returncode is None:
        process.kill()
    await process.wait()
    await reading


async def test_it_answers_and_a_sigterm_lets_work_under_way_finish(
    started: Any, doubles: tuple[SlackDouble, StannpDouble]
) -> None:
    process, lines = started
    slack, stannp = doubles
    async with asyncio.timeout(20):
        while "GET reporting/campaignSingles/222" not in stannp.requests:
            await asyncio.sleep(0.05)
    stannp.troubles.append(Trouble("reporting/campaignSingles", status=0, delay=1.5, times=1))
    assert (await slack.command(ANA, OPS, "/mailstatus", "Spring lapsed")).ok
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 25) == 0
    assert [m for m in slack.messages if "12 pieces" in m.text]
    log = "".join(lines)
    assert "stopped" in log
    assert "Traceback" not in log
    for secret in (slack.bot_token, slack.app_token, stannp.api_key):
        assert secret not in log


async def test_a_signal_in_the_moment_of_ready_ends_it_cleanly(environment: dict[str, str], tmp_path: Path) -> None:
    process = await start_bot(["run"], environment, tmp_path)
    async for line in process.stdout:
        if b"ready" in line:
            process.send_signal(signal.SIGTERM)
            break
    said = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said


async def test_a_second_process_on_the_same_file_is_refused(
    started: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    code, said = await piecewise(environment, tmp_path, "run")
    assert code == 1
    assert "Another Piecewise already uses this SQLite file" in said
    assert started[0].returncode is None


async def test_check_says_line_by_line_what_is_well(environment: dict[str, str], tmp_path: Path) -> None:
    code, said = await piecewise(environment, tmp_path, "check")
    assert code == 0, said
    for what in ("Settings", "Slack bot token", "Slack scopes", "Clock", "Slack Socket Mode", "Database", "Stannp key"):
        assert f"ok  {what}" in said


async def test_check_says_what_to_do(
    environment: dict[str, str], tmp_path: Path, doubles: tuple[SlackDouble, StannpDouble]
) -> None:
    doubles[0].scopes.discard("files:write")
    wrong = {
        "STANNP_API_KEY": "wrong",
        "SLACK_APP_TOKEN": "xapp-wrong",
        "DATABASE_URL": "postgresql://u:planted@127.0.0.1:1/x",
    }
    code, said = await piecewise(environment | wrong, tmp_path, "check")
    assert code == 1
    for remedy in ("missing: files:write", "STANNP_API_KEY", "token", "DATABASE_URL"):
        assert remedy in said
    assert "planted" not in said


async def test_check_gives_each_problem_its_line_and_no_name_of_a_class(
    environment: dict[str, str], tmp_path: Path
) -> None:
    wrong = {"PIECEWISE_PORT": "x", "STANNP_CURRENCY": "?", "PIECEWISE_TIMEZON": "UTC"}
    code, said = await piecewise(environment | wrong, tmp_path, "check")
    assert code == 1
    for name in ("PIECEWISE_PORT", "STANNP_CURRENCY", "PIECEWISE_TIMEZON: did you mean PIECEWISE_TIMEZONE?"):
        assert sum(name in line for line in said.splitlines()) == 1, said
    away = {"SLACK_API_URL": "http://127.0.0.1:1/api/", "STANNP_API_URL": "http://127.0.0.1:1/v1"}
    away |= {"DATABASE_URL": "postgresql://u:planted@127.0.0.1:1/x"}
    code, said = await piecewise(environment | away, tmp_path, "check")
    assert (code, re.findall(r"\w*(?:Error|Exception|Refused|Down)\b", said)) == (1, []), said
    assert said.count("(connection refused)") >= 2, said
    assert "Stannp cannot be reached right now. Is this machine online?" in said
    assert "nobody listens there" in said
    found = json.loads((await piecewise(environment | {"PIECEWISE_PORT": "x"}, tmp_path, "check", "--json"))[1])
    assert (found["ok"], found["findings"][0]["text"]) == (False, "PIECEWISE_PORT must be a whole number")


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "STANNP_API_KEY"])
async def test_run_refuses_what_is_missing_by_name(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    del environment[name]
    code, said = await piecewise(environment, tmp_path, "run")
    assert (code, "Traceback" in said) == (1, False)
    assert name in said


async def test_run_refuses_a_wrong_token_and_an_unreachable_slack(environment: dict[str, str], tmp_path: Path) -> None:
    for change in ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, {"SLACK_API_URL": "http://127.0.0.1:1/api/"}):
        code, said = await piecewise(environment | change, tmp_path, "run")
        assert (code, "Traceback" in said) == (1, False)
        assert "Slack" in said


async def test_postgresql_is_migrated_by_its_own_command(
    environment: dict[str, str], tmp_path: Path, postgres: str
) -> None:
    from sqlalchemy import text

    from storage.database import open_database

    admin = open_database(postgres)
    with admin.reader.connect() as connection:
        # It may be made a second time today, among rude platforms.
        connection.execute(text("DROP DATABASE IF EXISTS fresh WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE fresh"))
    admin.close()
    environment["DATABASE_URL"] = postgres.replace("/postgres?", "/fresh?")
    code, said = await piecewise(environment, tmp_path, "run")
    assert (code, "piecewise migrate" in said) == (1, True)
    code, said = await piecewise(environment, tmp_path, "migrate")
    assert (code, f"Schema empty → {revision.HEAD}." in said) == (0, True)
    assert "nothing to do" in (await piecewise(environment, tmp_path, "migrate"))[1]
    assert f"schema {revision.HEAD}" in (await piecewise(environment, tmp_path, "check"))[1]


@pytest.mark.parametrize("address", ["taken", "203.0.113.7:9464", "no-such-host.invalid:9464"])
async def test_a_metrics_address_that_cannot_be_had_is_named(
    environment: dict[str, str], tmp_path: Path, address: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        if address == "taken":
            address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = await piecewise(environment | {"PIECEWISE_METRICS_ADDRESS": address}, tmp_path, "run")
    assert (code, "Traceback" in said) == (1, False)
    assert f"PIECEWISE_METRICS_ADDRESS ({address})" in said


async def test_what_was_set_aside_long_ago_is_said_and_is_no_failure(
    environment: dict[str, str], tmp_path: Path
) -> None:
    database = open_database(environment["DATABASE_URL"])
    revision.migrate(database)
    for days, code in ((3, 0), (0, 1)):
        at = datetime.now(UTC) - timedelta(days=days)
        database.write(aside.keep, WorkspaceId(1), [aside.Refused(f"piece-{days}", "22021")], at)
        found, said = await piecewise(environment, tmp_path, "check")
        assert (found, f"piece-{days}" in said) == (code, True), said
    database.close()


async def test_migrate_waits_for_a_database_that_is_starting(
    environment: dict[str, str], tmp_path: Path, postgres_url: str
) -> None:
    async with line_to(postgres_url) as line:
        line.freeze()
        environment["DATABASE_URL"] = by(postgres_url, line)
        migrating = asyncio.create_task(piecewise(environment, tmp_path, "migrate"))
        await asyncio.sleep(12)
        line.thaw()
        code, said = await migrating
    assert (code, "nothing to do" in said) == (0, True), said


async def test_the_manifest_is_printed_for_both_ways(environment: dict[str, str], tmp_path: Path) -> None:
    assert "socket_mode_enabled: true" in (await piecewise(environment, tmp_path, "manifest"))[1]
    code, said = await piecewise(environment, tmp_path, "manifest", "--url", "https://mail.example/")
    assert (code, "request_url: https://mail.example/slack/events" in said) == (0, True)
    assert (await piecewise(environment, tmp_path, "manifest", "--url", "http://x"))[0] == 1


AT_ONCE = "import bot.app; bot.app.START_PATIENCE = 1; from bot.__main__ import main; main()"


@pytest.mark.parametrize("words", [("-c", AT_ONCE, "run"), ("-c", AT_ONCE, "migrate"), ("-m", "bot", "recount")])
async def test_a_database_that_is_not_there_is_named_in_one_sentence(
    environment: dict[str, str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    environment["DATABASE_URL"] = "postgresql://piecewise:planted@127.0.0.1:9/piecewise"
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=environment, cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    lines = [line for line in out.decode().splitlines() if "database.waited_for" not in line]
    assert process.returncode == 1
    assert lines == ["✗ " + " ".join(str(DatabaseDownError.__doc__).split())]
    waited = [line for line in out.decode().splitlines() if "database.waited_for" in line]
    assert words[-1] == "recount" or waited
    assert all("Is it running, and are host, user and password in DATABASE_URL right?" in line for line in waited)


async def test_who_starts_while_another_server_takes_over_waits_for_it(
    environment: dict[str, str], tmp_path: Path, postgres_url: str
) -> None:
    """What the server before held is let go of when that is known to be gone; who starts writes who it is."""
    environment["DATABASE_URL"] = postgres_url
    engine = create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    said: list[str] = []
    with engine.connect() as connection:
        connection.execute(text("LOCK TABLE workspaces IN ACCESS EXCLUSIVE MODE"))
        process = await start_bot(["run"], environment, tmp_path)
        async with asyncio.timeout(60):
            async for line in process.stdout:
                said.append(line.decode())
                if "55P03" in said[-1]:
                    connection.rollback()
                if "ready" in said[-1]:
                    break
    engine.dispose()
    process.kill()
    await process.wait()
    assert "ready" in said[-1], said
    assert [line for line in said if "database.waited_for" in line and "Somebody else holds" in line]


async def test_jobs_that_come_due_while_it_stops_are_not_begun_and_not_logged_as_errors(
    doubles: tuple[SlackDouble, StannpDouble], sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    from bot.app import running

    async with running(settings_for(*doubles, sqlite_url, "http")) as app:
        for job in app.scheduler.get_jobs():
            job.modify(next_run_time=app.services.clock.now())
    assert [record.getMessage() for record in caplog.records if record.name.startswith("apscheduler")] == []


async def test_whoever_waits_for_one_process_learns_how_it_ended(environment: dict[str, str], tmp_path: Path) -> None:
    process = await start_bot(["--version"], environment, tmp_path)
    waiting = asyncio.gather(process.wait(), process.wait(), asyncio.to_thread(process.ended))
    assert list(await asyncio.wait_for(waiting, 30)) == [0, 0, 0]
