"""What goes out: channels at Slack's pace, bursts folded into messages, and the turns that processes take."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, insert, select, text

from bot.app import SystemClock
from bot.platforms import registry
from bot.platforms.unconnected import Unconnected
from bot.slack.client import Slack
from handlers.alerts import cards
from handlers.alerts.delivery import OutboxSender
from handlers.alerts.facts import gather
from handlers.context.inbox import Inflow
from handlers.context.memory import Memory
from handlers.context.services import Policy, Renderer, Services
from handlers.text.messages import Message
from storage import outbox, workspaces
from storage.database import Database, open_database
from storage.inbox import inbox_of
from storage.ledger import apply as ledger
from storage.records import NO_CAMPAIGN, Batch, Campaign, Change, ChannelId, NotifyOn, Piece, UserId, WorkspaceId
from storage.schema import revision, tables
from storage.statuses import Status
from tests.benchmarks.harness import ROOT, Result, helper, judged
from tests.builders import a_batch, a_campaign, a_change, a_piece

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def prepared(url: str, channels: int) -> tuple[Database, WorkspaceId]:
    """A workspace with so many channels that are told of everything."""
    database = open_database(url)
    revision.migrate(database)
    workspace = database.write(workspaces.ensure, "T1", "Bench", "USD")
    database.write(workspaces.note, workspace.id, baseline_at=LONG_AGO)

    def subscribe(connection: Connection) -> None:
        for n in range(channels):
            key = workspace.id, ChannelId(f"C{n:05}"), NO_CAMPAIGN
            workspaces.subscribe(connection, *key, [NotifyOn.RETURNED], UserId("U1"), LONG_AGO)

    database.write(subscribe)
    return database, workspace.id


def returns(campaigns: list[int], each: int) -> Batch:
    """So many returned pieces of each of these campaigns."""
    facts: list[Campaign | Piece | Change] = []
    for number in campaigns:
        facts += [a_campaign(f"{number:04}", f"Campaign {number:04}")]
        for n in range(each):
            ref = f"{number}-{n}"
            facts += [a_piece(ref, f"{number:04}"), a_change(ref, Status.RETURNED)]
    return a_batch(*facts)


@dataclass(frozen=True)
class Anyone:
    """The same services for every workspace."""

    services: Services

    async def of(self, _workspace_id: Any) -> Services:
        return self.services

    def forget(self, _workspace_id: Any) -> None:
        """Nothing is kept of a workspace."""


async def served(database: Database, address: str) -> tuple[float, int, dict[str, int]]:
    """Seconds in which the sender tells everything, how many turns that took, and what the fake Slack counted."""
    readers, writer = ThreadPoolExecutor(4), ThreadPoolExecutor(1)
    memory = Memory(database, readers, writer)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        clock = SystemClock()
        client = AsyncWebClient("xoxb-1", base_url=address + "/api/", session=session, retry_handlers=[])
        # Its name is said in the news, and nothing is asked of it.
        nobody: Any = Unconnected(registry.USUAL)
        services = Services(memory, Inflow(inbox_of(database), writer, clock), Renderer(writer), clock, Policy(zone=ZoneInfo("UTC"), settle=timedelta(0)),
                            nobody, Slack(client, session, clock, "UTC"))  # fmt: skip
        begun = time.perf_counter()
        turns = await OutboxSender(services, Anyone(services)).serve()
        # The last second and a bit it only waits whether more becomes due.
        spent = time.perf_counter() - begun - 1.05
        async with session.get(address + "/report") as answer:
            counts = await answer.json()
    readers.shutdown()
    writer.shutdown()
    return spent, turns, counts


async def bench_pace(url: str, quick: bool) -> list[Result]:
    """Many channels, each with ten messages: five campaigns with a card and a return each."""
    channels, campaigns = (200, 2) if quick else (1000, 5)
    database, key = prepared(url, channels)
    for number in range(campaigns):
        database.write(ledger.apply, key, returns([number], 1), LONG_AGO + timedelta(days=1, seconds=number))
    ideal = 2 * campaigns - 1
    with helper("fakeslack", "paced") as (_process, ready):
        spent, _, counts = await served(database, f"http://127.0.0.1:{ready['port']}")
    assert counts["messages"] == channels * campaigns * 2, counts
    assert untold(database) == 0
    database.close()
    wrong = counts.get("too early", 0) + counts.get("out of order", 0)
    name = f"{channels:,} channels × {2 * campaigns} messages at one a second ÷ ideal"
    return [
        judged(name, spent, ideal, spent / ideal, 1.10, unit="s"),
        judged("of these, refused by Slack's pace or out of order", wrong, 0, wrong, 0, unit="messages"),
    ]


async def bench_fold(url: str, quick: bool) -> list[Result]:
    """Twenty rows for each channel, folded into one message each, beside the same client sending as many."""
    channels = 200 if quick else 1000
    database, key = prepared(url, channels)
    database.write(ledger.apply, key, returns([1], 20), LONG_AGO + timedelta(days=1))
    with_cards(database)
    with helper("fakeslack") as (_process, ready):
        address = f"http://127.0.0.1:{ready['port']}"
        spent, turns, counts = await served(database, address)
        length = counts["bytes"] // counts["messages"]
        rates = [await client_ceiling(address, channels, length) for _ in range(2)]
        async with aiohttp.ClientSession() as session, session.get(address + "/report") as answer:
            all_counts = await answer.json()
    assert turns == channels, turns
    assert counts["messages"] >= channels, counts
    theirs = (all_counts["bytes"] - counts["bytes"]) / (2 * channels)
    assert abs(theirs / length - 1) < 0.1, f"measured nothing: messages of {theirs:.0f} bytes beside ours of {length}"
    assert untold(database) == 0
    database.close()
    floor, mine = sum(rates) / 2, channels / spent
    return [
        judged(
            f"{channels * 20:,} rows folded into {channels:,} messages ÷ the same client with messages as large",
            mine,
            floor,
            mine / floor,
            0.25,
            at_least=True,
            unit="msg/s",
        )
    ]


def untold(database: Database) -> int:
    """Rows of news that were not told."""
    return int(
        database.read(lambda c: c.execute(text("SELECT count(*) FROM outbox WHERE sent_at IS NULL")).scalar_one())
    )


def with_cards(database: Database) -> None:
    """Each channel has its card already, and it is up to date: only the news is still to be told."""

    def work(connection: Connection) -> None:
        # Plain rows and tables, which earlier versions have too: two versions are compared by one and the same run.
        where = select(tables.outbox.c.workspace_id, tables.outbox.c.channel, tables.outbox.c.campaign_id).distinct()
        batches = [outbox.NewsBatch(*row, ()) for row in connection.execute(where).all()]
        for facts in gather(connection, batches):
            spent = cards.spent_line(facts.mix, facts.workspace.currency)
            row = {"workspace_id": facts.batch.workspace_id, "channel": facts.batch.channel}
            row |= {"campaign_id": facts.batch.campaign_id, "message_ts": "1.0"}
            row |= {"shows": cards.fingerprint(facts.campaign, facts.mix, spent)}
            connection.execute(insert(tables.cards).values(row))

    database.write(work)


#: Blocks of a message of ours that folds twenty returns.
BLOCKS = 11


async def client_ceiling(address: str, number: int, length: int) -> float:
    """Messages a second of Slack's client on a shared session, each of so many blocks and about so many bytes as ours."""
    each = (length - 260) // BLOCKS - 60
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * each}}
    message = Message("x" * 200, blocks=[section] * BLOCKS)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        client = AsyncWebClient("xoxb-1", base_url=address + "/api/", session=session, retry_handlers=[])
        waiting = iter(range(number))

        async def one() -> None:
            for n in waiting:
                await client.chat_postMessage(channel=f"D{n}", text=message.text, blocks=message.blocks)

        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(64)))
        return number / (time.perf_counter() - begun)


TICKER = """
import asyncio, sys, time
from datetime import timedelta
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from bot.scheduler import DEFAULTS
from storage import leases
from storage.database import open_database
from sqlalchemy import text
database, me, stall = open_database(sys.argv[1]), sys.argv[2], float(sys.argv[3])
every = timedelta(seconds=0.5)
def turn(c):
    if leases.win(c, "bench", me, every * 0.9):
        c.execute(text("INSERT INTO turns VALUES (:m, :t)"), {"m": me, "t": time.time()})
async def tick(): database.write(turn)
async def main():
    scheduler = AsyncIOScheduler(job_defaults=DEFAULTS)
    scheduler.add_job(tick, "interval", seconds=0.5)
    scheduler.start()
    print("up", flush=True)
    if stall:
        await asyncio.sleep(1.2)
        time.sleep(stall)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def bench_turns(url: str) -> list[Result]:
    """Three processes and one job: one stalls, then the one that ran last is killed."""
    database = open_database(url)
    revision.migrate(database)
    with database.writer.begin() as connection:
        connection.execute(text("CREATE TABLE turns (owner text, at float)"))

    def took() -> list[tuple[str, float]]:
        return database.read(
            lambda c: [tuple(r) for r in c.execute(text("SELECT owner, at FROM turns ORDER BY at")).all()]
        )

    def start(name: str, stall: float = 0) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", TICKER, url, name, str(stall)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        process.stdout.readline()
        return process

    alone = start("alone", stall=3)
    time.sleep(5)
    alone.kill()
    alone.wait()
    stalled = [at for _, at in took()]
    gaps = [b - a for a, b in itertools.pairwise(stalled)]
    assert max(gaps) > 2, f"measured nothing: the process did not stall: {gaps}"
    place = gaps.index(max(gaps))
    extra = sum(gap < 0.3 for gap in gaps[place : place + 2])
    crowd = {name: start(name) for name in ("a", "b", "c")}
    time.sleep(3)
    last = [owner for owner, _ in took() if owner in crowd][-1]
    os.kill(crowd[last].pid, signal.SIGKILL)
    killed = time.time()
    time.sleep(3)
    for process in crowd.values():
        process.kill()
        process.wait()
    after = [at for owner, at in took() if at > killed and owner != last]
    assert len(after) > 1, "measured nothing: nobody took over"
    double = [b - a for (_, a), (_, b) in itertools.pairwise(took()) if 0 < b - a < 0.25]
    database.close()
    return [
        judged("a job due in a 3 s stall: longest pause ÷ 3.5 s", max(gaps), 3.5, max(gaps) / 3.5, 1.1, unit="s"),
        judged(
            "turns taken twice, in a stall or by two processes",
            extra + len(double),
            0,
            extra + len(double),
            0,
            unit="turns",
        ),
        judged(
            "the runner is killed: next turn ÷ 1.5 s", after[0] - killed, 1.5, (after[0] - killed) / 1.5, 1, unit="s"
        ),
    ]
