"""One crowd takes no more than its share: connections that say nothing, and what only the operator may read."""

import asyncio
import contextlib
import json
import resource
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from rapidfuzz import process
from sqlalchemy import func, select

from bot.sandbox.slack import Channel, Fault, SlackDouble, User
from bot.sandbox.stannp import StannpDouble, Trouble
from handlers.context import matching
from handlers.ingest import poll as polling
from handlers.text import short_answers
from storage import workspaces
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.records import WorkspaceId
from storage.schema.tables import campaigns
from tests.house import ACME, BOLT, House, all_merged, free_port, house
from tests.journeys.conftest import ANA, OPS
from tests.journeys.test_process import environment

__all__ = ["environment"]

FILES, MUTE = 1024, 1134
FEW_FILES, CROWD = 200, 120
ASKED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
HALF = b"GET /healthz HTTP/1.1\r\nHo"


async def test_the_metrics_have_an_address_of_their_own(sqlite_url: str) -> None:
    async with house(sqlite_url) as made, aiohttp.ClientSession() as session:
        # A proxy that names nobody for whom it asks.
        async with session.get(f"{made.public}/metrics") as answer:
            assert answer.status == 404, f"/metrics answers a proxy: {answer.status}"
        assert made.app is not None
        async with session.get(f"http://127.0.0.1:{made.app.metrics_port}/metrics") as answer:
            assert "piecewise_outbox_depth" in await answer.text()


async def mute_connections(port: int, number: int, held: contextlib.AsyncExitStack) -> None:
    for _ in range(number):
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.5):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            held.callback(writer.close)


@contextlib.asynccontextmanager
async def with_few_files(
    environment: dict[str, str], slack: SlackDouble, folder: Path, files: int
) -> AsyncIterator[Path]:
    """A bot of its own that may open so many files, and that Slack reaches; gives its log."""
    port, log = free_port(), folder / "log.txt"
    env = environment | {"SLACK_SIGNING_SECRET": slack.signing_secret, "PIECEWISE_PORT": str(port)}
    del env["SLACK_APP_TOKEN"]
    slack.events_url = f"http://127.0.0.1:{port}/slack/events"
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", f'ulimit -n {files} && exec "$0" -m bot run', sys.executable,
            env=env, cwd=folder, stdout=written, stderr=written,
        )  # fmt: skip
    try:
        async with asyncio.timeout(30):
            while "ready" not in log.read_text():
                await asyncio.sleep(0.05)
        yield log
    finally:
        process.kill()
        await process.wait()


def port_of(slack: SlackDouble) -> int:
    return urlsplit(slack.events_url).port or 0


async def five_commands(slack: SlackDouble) -> list[bool]:
    """Which of five commands are acknowledged in time."""
    acked = []
    for _ in range(5):
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(3):
                acked.append((await slack.command(ANA, OPS, "/mailtrack", "help")).ok)
    return acked


async def test_connections_that_say_nothing_leave_room_for_those_that_do(
    environment: dict[str, str], doubles: tuple[SlackDouble, StannpDouble], tmp_path: Path
) -> None:
    slack = doubles[0]
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * MUTE:
        pytest.skip(f"this machine lets one process open no {2 * MUTE} files")
    async with with_few_files(environment, slack, tmp_path, FILES) as log, contextlib.AsyncExitStack() as held:
        await mute_connections(port_of(slack), MUTE, held)
        acked, size = await five_commands(slack), log.stat().st_size
        assert (acked, size < 50_000) == ([True] * 5, True), f"acknowledged {acked}, the log has {size} bytes"


@pytest.mark.parametrize("then", [b"", HALF], ids=["silent", "half a request"])
async def test_connections_that_asked_once_leave_room_for_others(
    environment: dict[str, str], doubles: tuple[SlackDouble, StannpDouble], tmp_path: Path, then: bytes
) -> None:
    slack = doubles[0]
    async with with_few_files(environment, slack, tmp_path, FEW_FILES), contextlib.AsyncExitStack() as held:
        for _ in range(CROWD):
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(slack))
                    held.callback(writer.close)
                    writer.write(ASKED)
                    await reader.read(1000)
                    writer.write(then)
        acked = await five_commands(slack)
        assert acked == [True] * 5, f"acknowledged {acked}"


async def ends(reader: asyncio.StreamReader, seconds: float = 5) -> bool:
    """Whether the other side closes it within this time."""
    with contextlib.suppress(TimeoutError, ConnectionError):
        return await asyncio.wait_for(reader.read(), seconds) == b""
    return False


async def test_one_outside_address_holds_so_many_connections_and_who_says_nothing_is_closed(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.front import door

    monkeypatch.setattr(door, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(door, "outside_address", lambda _peer: "203.0.113.9")
    async with house(sqlite_url, piecewise_peer_connections=3) as made, contextlib.AsyncExitStack() as held:
        readers = []
        for _ in range(4):
            reader, writer = await asyncio.open_connection("127.0.0.1", made.settings.piecewise_port)
            held.callback(writer.close)
            readers.append(reader)
        assert await ends(readers[3], 0.5), "a fourth connection was let in"
        # Half of a head is no request.
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        assert all(await asyncio.gather(*(ends(reader) for reader in readers[:3])))
        async with aiohttp.ClientSession() as session, session.get(f"{made.public}/healthz") as answer:
            assert answer.status == 200


async def test_half_a_request_has_a_deadline_also_after_a_whole_one(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.front import door

    monkeypatch.setattr(door, "HEAD_SECONDS", 1.0)
    async with house(sqlite_url) as made, contextlib.AsyncExitStack() as held:

        async def connected() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", made.settings.piecewise_port)
            held.callback(writer.close)
            writer.write(ASKED)
            assert b"200 OK" in await reader.read(1000)
            return reader, writer

        (reader, writer), (other, slow), (kept, asking) = [await connected() for _ in range(3)]
        writer.write(HALF)
        # A body that was not asked for, and never ends.
        slow.write(ASKED.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nhalf"))
        assert b"200 OK" in await other.read(1000)
        slow.write(b"of")
        assert all(await asyncio.gather(ends(reader, 3), ends(other, 3))), "waited for"
        asking.write(ASKED)
        assert b"200 OK" in await kept.read(1000), "who has nothing to ask yet may stay"


async def test_the_metrics_have_a_door_of_their_own(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.front import door

    monkeypatch.setattr(door, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(door, "METRICS", 2)
    async with house(sqlite_url) as made, contextlib.AsyncExitStack() as held:
        assert made.app is not None
        readers = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection("127.0.0.1", made.app.metrics_port)
            held.callback(writer.close)
            readers.append(reader)
            await asyncio.sleep(0.05)
        assert await ends(readers[0], 0.5), "the longest silent one makes room"
        assert all(await asyncio.gather(*(ends(reader) for reader in readers[1:]))), "silent for ever"
        address = f"http://127.0.0.1:{made.app.metrics_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(address) as answer:
            assert answer.status == 200


async def test_one_slow_workspace_leaves_connections_to_the_others(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bot.app

    # A small machine: twenty connections to Slack for those who wait.
    monkeypatch.setattr(bot.app, "open_files", lambda: 200)
    async with house(database_url) as made:
        for team in (ACME, BOLT):
            await made.install(team)
        slow = made.slack(ACME)
        slow.faults.append(Fault("users.info", delay=4, times=100))
        for n in range(40):
            slow.add_user(User(f"U0P{n}", f"Person {n}"))
        await asyncio.gather(*(slow.command(f"U0P{n}", "C0MAIL", "/mailtrack", "none") for n in range(40)))
        began = asyncio.get_running_loop().time()
        await made.say(BOLT, "/mailstatus", "help")
        took = asyncio.get_running_loop().time() - began
        slow.faults.clear()
        assert took < 3, "it waited for another's"


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        (("203.0.113.9", 1), ""), (("8.8.8.8", 1), "8.8.8.8"), (("::ffff:8.8.8.8", 1, 0, 0), "8.8.8.8"),
        (("2001:4860::8", 1, 0, 0), "2001:4860::/64"),
        (("2001:4860:0:0:ffff::9%eth0", 1, 0, 0), "2001:4860::/64"), (("2001:4860:0:1::8", 1, 0, 0), "2001:4860:0:1::/64"),
        (("fd00::8", 1, 0, 0), ""), (("127.0.0.1", 1), ""), (("10.1.2.3", 1), ""), ("", ""),
    ],
)  # fmt: skip
def test_a_proxy_on_a_private_address_is_not_counted(peer: object, counted: str) -> None:
    from bot.front.door import outside_address

    assert outside_address(peer) == counted


@pytest.fixture
async def two(postgres_url: str, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """Both companies, installed and connected, and read every second."""
    async with house(postgres_url, piecewise_poll_seconds=getattr(request, "param", 1)) as made:
        for team in (ACME, BOLT):
            await made.install(team)
            await made.connect(team)
        yield made


async def id_of(two: House, team: str) -> WorkspaceId:
    return (await two.tenants.template.memory.read(workspaces.by_team, team)).id


async def test_slow_posts_of_one_workspace_keep_no_modal_of_another_from_opening(two: House) -> None:
    slack = two.slack(ACME)
    for number in range(150):
        slack.add_channel(Channel(f"C0SLOW{number}", f"slow-{number}"))
    slack.faults.append(Fault("chat.postMessage", delay=10, times=150))
    services = await two.tenants.of(await id_of(two, ACME))
    posts = [asyncio.create_task(services.slack.post(f"C0SLOW{n}", short_answers.plain("news"))) for n in range(150)]
    try:
        # As many as may be under way.
        await two.until(lambda: slack.faults[0].times <= 150 - 20)
        assert (await two.slack(BOLT).command("U0BOB", "C0MAIL", "/mailalerts")).ok
        await two.until(lambda: "Mail alerts" in str(two.slack(BOLT).stack_of("U0BOB")), 2.5)
    finally:
        for post in posts:
            post.cancel()
        await asyncio.gather(*posts, return_exceptions=True)


async def test_a_slow_mail_account_leaves_no_other_unread(two: House) -> None:
    def polls(team: str) -> int:
        return two.mail[team].requests.count("GET campaigns/list")

    await two.until(lambda: polls(ACME) and polls(BOLT))
    two.mail[ACME].troubles.append(Trouble("", status=0, delay=12, times=99))
    slow = len(two.mail[ACME].requests)
    await two.until(lambda: len(two.mail[ACME].requests) > slow)
    before = polls(BOLT)
    try:
        await two.until(lambda: polls(BOLT) >= before + 3, 9)
    finally:
        two.mail[ACME].troubles.clear()
    assert polls(ACME) <= polls(BOLT), "its turn is not begun again while it lasts"


async def test_who_is_slow_holds_a_place_for_a_moment_and_waits_among_the_slow_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bot import lanes

    for name, value in (("PATIENCE", 0.05), ("AT_ONCE", 2), ("SLOW", 1), ("OVERTIME", 3)):
        monkeypatch.setattr(lanes, name, value)
    made, hold, stopped, done = lanes.Lanes(), asyncio.Event(), [], []

    async def work(key: str, *, slow: bool) -> None:
        try:
            async with made.place(key, seconds=60):
                if slow:
                    await hold.wait()
            done.append(key)
        except lanes.TookTooLong:
            stopped.append(key)

    slow = [asyncio.create_task(work(f"slow{n}", slow=True)) for n in range(6)]
    await asyncio.sleep(0.3)
    assert len(stopped) == 3, "of six slow ones three go on, and the others are stopped"
    await asyncio.wait_for(work("quick", slow=False), 1)
    again = [asyncio.create_task(work(key, slow=True)) for key in stopped]
    await asyncio.sleep(0.02)
    await asyncio.wait_for(asyncio.gather(*(work(f"quick{n}", slow=False) for n in range(4))), 1)
    assert made.slow.locked()
    hold.set()
    await asyncio.gather(*slow, *again)
    assert len(done) == 3 + 5 + 3


async def test_a_work_s_own_timeout_is_no_limit_that_was_reached(
    two: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:

    async def breaks(*_: object) -> None:
        raise TimeoutError("one inside the work")

    monkeypatch.setattr(polling, "poll", breaks)
    assert two.app is not None
    job = two.app.scheduler.get_job("poll")
    caplog.clear()
    await two.tenants.template.memory.write(lambda c: c.exec_driver_sql("DELETE FROM leases").rowcount)
    await job.func(*job.args, **job.kwargs)
    await two.until(lambda: "tick.broke" in caplog.text)
    assert "one inside the work" in caplog.text
    assert "turn.stopped" not in caplog.text


async def flood(two: House, team: str, number: int) -> None:
    """So many campaigns, each told by a call that this tenant may sign."""
    key, mail = await id_of(two, team), two.mail[team]
    await two.tenants.keep_webhook_secret(key, mail.webhook_secret)
    address = await two.tenants.webhook(key)

    def call(first: int) -> bytes:
        told = [{"id": str(10_000 + n), "name": f"Flood {n}", "status": "draft"} for n in range(first, first + 50)]
        return json.dumps({"event": "campaign_status", "campaigns": told}).encode()

    calls = (mail.call_webhook(address, call(first)) for first in range(0, number, 50))
    assert set(await asyncio.gather(*calls)) == {200}
    assert two.app is not None
    await all_merged(two.app)


async def test_a_workspace_has_so_many_campaigns_and_a_person_sees_that_there_are_no_more(
    two: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_CAMPAIGNS", 100, raising=False)
    await flood(two, ACME, 500)
    key = await id_of(two, ACME)
    counted = select(func.count()).select_from(campaigns).where(campaigns.c.workspace_id == key)
    number = await two.tenants.template.memory.read(lambda connection: connection.scalar(counted) or 0)
    assert number <= 100, f"{number} campaigns are known"
    slack = two.slack(ACME)
    assert (await slack.open_home("U0ANA")).ok
    await two.until(lambda: "as many as I keep" in str(slack.homes["U0ANA"].view))


@pytest.mark.parametrize("two", [3600], indirect=True)
async def test_no_question_makes_the_loop_walk_through_every_campaign(
    two: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await id_of(two, ACME)
    app = two.app
    assert app is not None
    app.scheduler.pause()
    await two.until(lambda: not app.in_flight.is_running("tick:poll"))
    await flood(two, ACME, 2000)
    await polling.poll(await two.tenants.of(key), key)
    made: list[str] = []
    alike: list[tuple[int, str]] = []
    real, extract = queries._campaign, process.extract

    def counting(row: Any) -> Any:
        made.append(threading.current_thread().name)
        return real(row)

    def extracting(key: str, names: list[str], **more: Any) -> Any:
        alike.append((len(names), threading.current_thread().name))
        return extract(key, names, **more)

    monkeypatch.setattr(queries, "_campaign", counting)
    monkeypatch.setattr(process, "extract", extracting)
    monkeypatch.setattr(matching, "LOOKED_AT", 300, raising=False)
    built = {}
    for asked in ("Acme Outdoors spring", "Fould 12x", "help", ""):
        made.clear()
        await two.say(ACME, "/mailstatus", asked)
        built[asked] = len(made)
    made.clear()
    assert (await two.slack(ACME).open_home("U0ANA")).ok
    await two.until(lambda: "Acme Outdoors spring" in str(two.slack(ACME).homes["U0ANA"].view))
    built["home"] = len(made)
    assert max(built.values()) < 500, f"campaigns made for each question: {built}"
    assert alike
    # Of three hundred names, a few words each.
    assert all(number <= 1200 and "reader" in where for number, where in alike), alike
