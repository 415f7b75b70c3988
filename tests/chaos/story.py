"""One chaotic story on one database: mail moves, the program is killed again and again, and the truth is known.

The program runs as a process of its own, over real sockets, between the two doubles that live in this process. All
chance comes from one seed; what the machine's timing adds is not repeatable, and need not be.
"""

import asyncio
import os
import random
import resource
import signal
import socket
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import select

from bot.platforms.stannp.wire import sign
from bot.platforms.stannp.words import ALIASES
from bot.sandbox.slack import Channel, Fault, SlackDouble
from bot.sandbox.stannp import ORDER, Mailpiece, StannpDouble, Trouble
from bot.sandbox.world import World
from storage import outbox as outbox_of
from storage import workspaces
from storage.database import Database, open_database
from storage.ledger import tallies as tally
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, UserId
from storage.schema import revision
from storage.schema.tables import cards, outbox, pieces
from storage.statuses import NOTABLE, Status
from tests.journeys.conftest import people_and_places
from tests.processes import Begun, begin

ROOT = Path(__file__).parent.parent.parent
CHANNELS = ("C0OPS", "C0SALES", "C0NORTH")
SIZE = 600
PATIENCE = 90.0


@dataclass
class Verdict:
    """What the oracle found. `repeated` are messages that were sent and then sent again."""

    kind: str
    kills: int = 0
    outages: Counter[str] = field(default_factory=Counter)
    webhooks: Counter[int] = field(default_factory=Counter)
    pieces: int = 0
    told: int = 0
    messages: int = 0
    lost: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    repeated: int = 0
    #: What people asked for: how often it was under way, done without their being told so, or not taken.
    intents: Counter[str] = field(default_factory=Counter)
    #: Seconds from each promotion of a standby until a webhook was taken again.
    back: list[float] = field(default_factory=list)

    @property
    def well(self) -> bool:
        return not self.lost and not self.wrong and self.repeated <= self.kills


@dataclass(repr=False)
class Story:
    """The program under test and all that happens to it."""

    url: str
    seed: int
    kills: int
    restart_database: Callable[[], None] | None = None
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="chaos")))
    slack: SlackDouble = field(default_factory=lambda: SlackDouble(file_delay=0.05))
    stannp: StannpDouble = field(default_factory=lambda: StannpDouble(per_minute=1_000_000))
    process: Begun | None = None
    #: What each piece has reached, and what of it a webhook has told. The account itself shows only the last of it.
    reached: dict[str, set[Status]] = field(default_factory=dict)
    said: dict[str, set[Status]] = field(default_factory=dict)
    queue: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    over: bool = False
    #: How many seconds late a scan may be told, at most.
    late: int = 3000

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.verdict = Verdict("SQLite" if self.url.startswith("sqlite") else "PostgreSQL")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self.port: int = taken.getsockname()[1]

    async def tell(self) -> Verdict:
        """The whole story, from a quiet start to the oracle's verdict."""
        await self.slack.start()
        await self.stannp.start()
        try:
            await self._begin()
            senders = [asyncio.create_task(self._send_webhooks()) for _ in range(4)]
            moving = asyncio.create_task(self._move_mail())
            await self._torment()
            moving.cancel()
            await self._calm_down()
            self.over = True
            await asyncio.gather(moving, *senders, return_exceptions=True)
            await self._stop()
            self._judge()
        finally:
            await self._stop()
            await self.slack.stop()
            await self.stannp.stop()
        return self.verdict

    def _furnish(self) -> None:
        people_and_places(self.slack)
        self.slack.add_channel(Channel("C0NORTH", "north"))
        start = datetime.now(UTC) - timedelta(days=9)
        self.world = World(self.stannp, seed=self.seed, now=start)
        for number in range(3):
            self.world.add_campaign(500 + number, f"Drop {number}", start, SIZE // 3, leaves=timedelta(days=400))

    async def _begin(self) -> None:
        self._furnish()
        database = open_database(self.url)
        revision.migrate(database)
        workspace = database.write(workspaces.ensure, "T0ACME", "Acme", "USD")
        now = datetime.now(UTC)
        for channel, wants in zip(
            CHANNELS, ([*NotifyOn], [NotifyOn.RETURNED], [NotifyOn.RETURNED, NotifyOn.DELIVERED]), strict=True
        ):
            key = workspace.id, ChannelId(channel), NO_CAMPAIGN
            database.write(workspaces.subscribe, *key, wants, UserId("U0ANA"), now)
        database.close()
        await self._start()
        # What the first poll finds is history: news begins after it.
        await self._until(lambda: self._read(lambda d: d.read(workspaces.every)[0].baseline_at), "the first poll")

    def _read(self, look: Callable[[Database], Any]) -> Any:
        database = open_database(self.url)
        try:
            return look(database)
        finally:
            database.close()

    async def _until(self, what: Callable[[], Any], name: str, seconds: float = PATIENCE) -> Any:
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            if found := what():
                return found
            await asyncio.sleep(0.1)
        raise AssertionError(
            f"{self.verdict.kind}: waited {seconds} s for {name}; the log is {self.folder / 'log.txt'}"
        )

    async def _start(self) -> None:
        self.process = await self._launch(self.port)

    def _environment(self, port: int) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT),
            "SLACK_BOT_TOKEN": self.slack.bot_token, "SLACK_APP_TOKEN": self.slack.app_token, "SLACK_API_URL": self.slack.url,
            "STANNP_API_KEY": self.stannp.api_key, "STANNP_API_URL": self.stannp.url,
            "STANNP_WEBHOOK_SECRET": self.stannp.webhook_secret, "DATABASE_URL": self.url, "PIECEWISE_PORT": str(port),
            "PIECEWISE_POLL_SECONDS": "2", "PIECEWISE_SETTLE_SECONDS": "0", "PIECEWISE_FRESH_SECONDS": "0",
        }  # fmt: skip

    def _program(self) -> tuple[str, ...]:
        return "bot", "run"

    async def _launch(self, port: int, *words: str) -> Begun:
        return await self._spawn(self._environment(port), *self._program(), *words)

    async def _spawn(self, environment: dict[str, str], module: str, *words: str) -> Begun:
        with (self.folder / "log.txt").open("ab") as log:
            return await asyncio.to_thread(begin, words, environment, self.folder, log.fileno(), module)

    async def _stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(how)
            await self.process.wait()

    async def _move_mail(self) -> None:
        """Pieces move at the mail house; some of it is told by webhook: late, twice, and in disorder."""
        held: list[tuple[bytes, list[tuple[str, Status]]]] = []
        mailed = list(self.stannp.pieces.values())
        while True:
            piece = self.dice.choice(mailed)
            self._move(piece)
            told = [piece, *self.dice.sample(mailed, 2)]
            if self.dice.random() < 0.7:
                news = [(str(one.id), ALIASES[one.status]) for one in told]
                held += [(self.stannp.delivery(told), news)] * self.dice.choice((1, 1, 2))
            if len(held) > 4 or self.dice.random() < 0.3:
                self.dice.shuffle(held)
                for raw, news in held:
                    self.queue.put_nowait(raw)
                    for ref, status in news:
                        self.said.setdefault(ref, set()).add(status)
                held.clear()
            await asyncio.sleep(self.dice.random() * 0.12)

    def _move(self, piece: Mailpiece) -> None:
        rank = ORDER.index(piece.status) if piece.status in ORDER else len(ORDER)
        if piece.status == "received" and self.dice.random() < 0.05:
            word = "cancelled"
        elif piece.status in ("cancelled", "returned") or (piece.status == "delivered" and self.dice.random() < 0.7):
            return
        else:
            # Scans are missed, and some pieces go straight home.
            word = ORDER[min(rank + self.dice.choice((1, 1, 1, 2, 3)), len(ORDER) - 1)]
        moment = datetime.now(UTC) - timedelta(seconds=self.dice.randrange(self.late))
        piece.move(word, moment, scanned=self.dice.random() < 0.8)
        self.reached.setdefault(str(piece.id), set()).add(ALIASES[word])

    async def _send_webhooks(self) -> None:
        """As Stannp does it: again until it is taken."""
        async with aiohttp.ClientSession() as session:
            while not (self.over and self.queue.empty()):
                try:
                    raw = await asyncio.wait_for(self.queue.get(), 0.3)
                except TimeoutError:
                    continue
                while (status := await self._send(session, raw)) != 200:
                    self.verdict.webhooks[status] += 1
                    await asyncio.sleep(0.2)
                self.verdict.webhooks[200] += 1

    def _door(self) -> int:
        return self.port

    async def _send(self, session: aiohttp.ClientSession, raw: bytes) -> int:
        headers = {"X-Stannp-Signature": sign(raw, self.stannp.webhook_secret), "Content-Type": "application/json"}
        address = f"http://127.0.0.1:{self._door()}/webhooks/stannp"
        try:
            async with session.post(
                address, data=raw, headers=headers, timeout=aiohttp.ClientTimeout(total=20)
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    async def _torment(self) -> None:
        """Kills at random moments; between them the outside fails in all its ways."""
        ways: list[Callable[[], Awaitable[None]]] = [self._rude_slack, self._rude_platform, self._cut_sockets]
        if self.restart_database:
            ways.append(self._restart_database)
        else:
            ways.append(self._fill_disk)
        while self.verdict.kills < self.kills:
            await asyncio.sleep(1.0 + self.dice.random() * 2.2)
            if self.dice.random() < 0.35:
                await self.dice.choice(ways)()
            await self._stop(signal.SIGKILL)
            self.verdict.kills += 1
            await self._start()

    async def _rude_slack(self) -> None:
        error, status = self.dice.choice((("ratelimited", 429), ("", 500), ("", 503)))
        method = self.dice.choice(("chat.postMessage", "chat.update"))
        wait = 1 if status == 429 else None
        self.slack.faults.append(Fault(method, error, status, retry_after=wait, times=self.dice.randrange(1, 4)))
        self.verdict.outages[f"Slack {status}"] += 1

    async def _rude_platform(self) -> None:
        trouble = self.dice.choice(
            (Trouble("", 500, times=3), Trouble("", 0, delay=1.0, times=2), Trouble("", 429, times=2))
        )
        self.stannp.troubles.append(trouble)
        self.verdict.outages["mail platform"] += 1

    async def _cut_sockets(self) -> None:
        for one in list(self.slack.sockets):
            await one.close()
        self.verdict.outages["sockets cut"] += 1

    async def _restart_database(self) -> None:
        assert self.restart_database
        await asyncio.to_thread(self.restart_database)
        self.verdict.outages["PostgreSQL restarted"] += 1

    async def _fill_disk(self) -> None:
        """No file of the program may grow any more, for a while: what a full disk does to it."""
        assert self.process
        for most in (4096, resource.RLIM_INFINITY):
            if self.process.returncode is not None:
                # A process that cannot write at its start ends with the reason.
                break
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
            await asyncio.sleep(0.8)
        self.verdict.outages["disk full"] += 1

    async def _calm_down(self) -> None:
        """The outside is well again; everything that waits is done, and the account has been read once more."""
        self.slack.faults.clear()
        self.stannp.troubles.clear()
        # A sender that was killed held its channels, and nobody takes them over before its lease has ended: as though
        # two minutes passed in which nothing ran.
        await self._stop()
        self._read(lambda d: d.write(outbox_of.free_leases))
        await self._start()
        await self._until(self.queue.empty, "the webhooks")
        # Not by the time that they say: a clock may have been wrong. The first may have begun before.
        polls: list[datetime | None] = []

        def settled() -> bool:
            polled = self._read(lambda d: d.read(workspaces.every)[0].polled_at)
            if polled not in polls:
                polls.append(polled)
            return len(polls) > 2 and not self._unsent()

        await self._until(settled, "the last poll and the last message")

    def _unsent(self) -> int:
        unsent = select(outbox.c.id).where(outbox.c.sent_at.is_(None))
        return len(self._read(lambda d: d.read(lambda c: c.execute(unsent).all())))

    def _judge(self) -> None:
        verdict, mailed = self.verdict, self.stannp.pieces
        stand, told, kept, drift = self._read(_everything)
        verdict.pieces, verdict.told = len(stand), len(told)
        for piece in mailed.values():
            ref = str(piece.id)
            truth = max([*self.reached.get(str(piece.id), ()), Status.RECEIVED])
            self.said.setdefault(ref, set()).add(truth)
            if ref not in stand:
                verdict.lost.append(f"piece {ref}")
            elif stand[ref] != truth:
                verdict.wrong.append(f"piece {ref}: {stand[ref]} and not {truth.name}")
        verdict.wrong += [f"counts: {one}" for one in drift]
        there = {message.ts: message for message in self.slack.messages}
        rows = {(row.channel, row.ref, row.status): row for row in told}
        for ref, reached in self.said.items():
            for status in reached & set(NOTABLE):
                for channel in CHANNELS:
                    row = rows.get((channel, ref, status))
                    if row is None or row.refusal or row.message_ts not in there:
                        verdict.lost.append(f"{status.name} of {ref} in {channel}: {row and row.refusal}")
        verdict.wrong += [
            f"told though it never happened: {key}" for key in rows if key[2] not in self.reached.get(key[1], ())
        ]
        ours = [message for message in self.slack.messages if message.only_for is None]
        verdict.messages = len(ours)
        recorded = {row.message_ts for row in told} | kept
        verdict.repeated = sum(message.ts not in recorded for message in ours)
        verdict.wrong += [f"Slack's rules: {problem}" for problem in self.slack.problems]


def _everything(database: Database) -> tuple[dict[str, int], list[Any], set[str], list[Any]]:
    with database.reader.connect() as connection:
        stand = {row.ref: row.status for row in connection.execute(select(pieces.c.ref, pieces.c.status)).all()}
        columns = outbox.c.channel, outbox.c.status, outbox.c.refusal, outbox.c.message_ts, pieces.c.ref
        rows = connection.execute(select(*columns).join(pieces, pieces.c.id == outbox.c.piece_id)).all()
        kept = set(connection.scalars(select(cards.c.message_ts)).all())
        workspace = workspaces.every(connection)[0]
        return stand, list(rows), kept, tally.drift(connection, workspace.id)
