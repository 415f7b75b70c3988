"""The fleet on two PostgreSQL servers: killed, paused, cut off, with wrong clocks, and from one server to the other.

Meanwhile Ana cancels small campaigns, as a person would: what she was told is under way ends, whole, and is told once.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import aiohttp
from sqlalchemy import func, select

from bot.sandbox.slack import Acked, Channel, Posted, View
from storage.database import Database, database_time
from storage.schema.account_tables import intents
from storage.statuses import Status
from tests.chaos.cluster import Cluster
from tests.chaos.fleet import PARTS, Fleet
from tests.chaos.story import PATIENCE, Verdict
from tests.processes import Begun
from tests.storage.lines import Line, line_to_port

ANA, DESK = "U0ANA", "C0DESK"
#: How long, in seconds, a process stands still or is cut off from the database: beyond every lease, or not.
STILL = (1.0, 4.0, 12.0, 40.0)
#: How wrong a machine's clock is, in seconds: within a lease and beyond it, to both sides.
SKEWS = (-130.0, -20.0, 20.0, 130.0)
#: Ana's campaigns are of so many pieces, and she waits so many seconds for an answer, so often.
FEW, WAIT, TRIES = 4, 12.0, 6
FIRST_OF_HERS = 900


@dataclass
class Failover(Fleet):
    """`trouble` counts what may repeat a message: a kill, a pause and a failover between a sending and its record."""

    cluster: Cluster | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    lines: dict[int, list[Line]] = field(default_factory=dict)
    skews: dict[int, float] = field(default_factory=dict)
    #: The places of processes that stand still or are cut off now.
    away: set[int] = field(default_factory=set)
    resting: set[asyncio.Task[None]] = field(default_factory=set)
    #: Ana's campaigns, and what her form was answered; "" when she did not come so far.
    answers: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.verdict.kind = "2 serve + 2 work, failover"

    async def tell(self) -> Verdict:
        async with self.stack:
            return await super().tell()

    async def _begin(self) -> None:
        self.slack.add_channel(Channel(DESK, "desk"))
        assert self.cluster
        for place in range(len(PARTS)):
            ways = [await self.stack.enter_async_context(line_to_port(port)) for port in self.cluster.ports]
            self.lines[place] = ways
        await super()._begin()

    async def _start_one(self, place: int) -> None:
        # Each process has lines of its own to the two servers, and a machine whose clock may be wrong.
        hosts = "&".join(f"host={line.host}" for line in self.lines[place])
        environment = self._environment(self.ports[place]) | {
            "DATABASE_URL": f"postgresql://postgres:@/postgres?{hosts}"
        }
        module = ["tests.chaos.skewed", str(skew)] if (skew := self.skews.get(place, 0.0)) else ["bot"]
        self.processes[place] = await self._spawn(environment, *module, "run", PARTS[place])

    async def _torment(self) -> None:
        working = asyncio.create_task(self._ana())
        ways: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (8, self._kill), (4, self._pause), (3, self._cut_off), (2, self._wrong_clock), (2, self._fail_over),
            (1, self._rude_slack), (1, self._rude_platform), (1, self._cut_sockets),
        ]  # fmt: skip
        chances, acts = [chance for chance, _ in ways], [act for _, act in ways]
        await self._fail_over()
        while self.verdict.kills < self.kills:
            await asyncio.sleep(1.0 + self.dice.random() * 4.0)
            await self.dice.choices(acts, chances)[0]()
        working.cancel()
        await asyncio.gather(working, *self.resting, return_exceptions=True)

    def _count(self, what: str) -> None:
        self.verdict.kills += 1
        self.verdict.outages[what] += 1

    async def _kill(self) -> None:
        place = self.dice.randrange(len(PARTS))
        self.skews.pop(place, None)
        await self._start_again(place)
        self._count(f"killed {PARTS[place]}")

    async def _start_again(self, place: int) -> None:
        victim = self.processes[place]
        if victim.returncode is None:
            victim.kill()
            await victim.wait()
        await self._start_one(place)

    async def _wrong_clock(self) -> None:
        place = self.dice.randrange(len(PARTS))
        self.skews[place] = self.dice.choice(SKEWS)
        await self._start_again(place)
        self._count("clock wrong")

    async def _pause(self) -> None:
        place = self.dice.randrange(len(PARTS))
        process, span = self.processes[place], self.dice.choice(STILL)
        if process.returncode is None and place not in self.away:
            process.send_signal(signal.SIGSTOP)
            self._rest(place, span, lambda: _go_on(process))
            self._count(f"paused {span:.0f} s")

    async def _cut_off(self) -> None:
        place, span = self.dice.randrange(len(PARTS)), self.dice.choice(STILL)
        if place not in self.away:
            for line in self.lines[place]:
                line.freeze()
            self._rest(place, span, lambda: _thaw(self.lines[place]))
            self._count(f"cut off {span:.0f} s")

    def _rest(self, place: int, span: float, after: Callable[[], object]) -> None:
        async def wait() -> None:
            try:
                await asyncio.sleep(span)
            finally:
                after()
                self.away.discard(place)

        self.away.add(place)
        task = asyncio.create_task(wait())
        self.resting.add(task)
        task.add_done_callback(self.resting.discard)

    async def _fail_over(self) -> None:
        """The primary hangs for a moment and is gone; the standby takes over, and a new one is made."""
        cluster = self.cluster
        assert cluster
        if self.dice.random() < 0.5:
            await asyncio.to_thread(cluster.hang)
            await asyncio.sleep(self.dice.random() * 8)
        await asyncio.to_thread(cluster.promote)
        began = time.monotonic()
        self._count("failover")
        await self._until_taken()
        self.verdict.back.append(time.monotonic() - began)
        await asyncio.to_thread(cluster.add_standby)

    async def _until_taken(self) -> None:
        """A webhook of a piece that did not move is taken by one of the two that serve."""
        raw = self.stannp.delivery([next(iter(self.stannp.pieces.values()))])
        async with aiohttp.ClientSession() as session:
            while await self._send(session, raw) != 200:
                await asyncio.sleep(0.1)

    async def _ana(self) -> None:
        """Ana cancels one small campaign after the other. What takes too long she lets be."""
        number = FIRST_OF_HERS
        while True:
            start = datetime.now().astimezone() - timedelta(days=4)
            self.world.add_campaign(number, f"Stop {number}", start, FEW, leaves=timedelta(days=400))
            await asyncio.sleep(4)
            self.answers[number] = await self._cancel(number)
            number += 1

    async def _cancel(self, number: int) -> str:
        """What her form was answered; "" when she did not come so far, or Slack told her that it did not work."""
        name = f"Stop {number}"
        answer: Posted | None = await self._tried(
            lambda: self.slack.command(ANA, DESK, "/mailstatus", name), lambda: self._offered(name)
        )
        if answer is None:
            return ""
        form: View | None = await self._tried(
            lambda: self.slack.press(ANA, answer, "cancel_campaign"), lambda: self._form(name)
        )
        acked = await self.slack.submit(ANA, form) if form else None
        return f"{acked.body or 'closed'}" if acked and acked.ok else ""

    async def _tried(self, step: Callable[[], Awaitable[Acked]], seen: Callable[[], Any]) -> Any:
        """What Ana sees after this step. She tries it again when Slack says that it did not work, or nothing comes."""
        for _ in range(TRIES):
            if (await step()).ok and (found := await self._seen(seen)):
                return found
            await asyncio.sleep(1)
        return None

    def _form(self, name: str) -> View | None:
        mine = (view for view in self.slack.stack_of(ANA) if name in str(view.view) and "Cancel" in str(view.view))
        return next(mine, None)

    def _offered(self, name: str) -> Posted | None:
        mine = (m for m in self.slack.messages if name in m.text + str(m.blocks) and "cancel_campaign" in str(m.blocks))
        return next(mine, None)

    async def _seen(self, what: Callable[[], Any]) -> Any:
        end = time.monotonic() + WAIT
        while time.monotonic() < end and not (found := what()):
            await asyncio.sleep(0.1)
        return found

    def _read_by_ana(self) -> list[str]:
        return [m.text[:200] for m in self.slack.messages if ANA in (m.channel, m.only_for)][-12:]

    async def _until(self, what: Callable[[], Any], name: str, seconds: float = PATIENCE) -> Any:
        try:
            return await super()._until(what, name, seconds)
        except AssertionError as error:
            assert self.cluster
            error.add_note(self.cluster.doing())
            error.add_note(self._read(_described))
            raise

    async def _calm_down(self) -> None:
        self.skews.clear()
        await super()._calm_down()
        # What was taken by several that died is taken again after a longer pause each time.
        await self._until(lambda: not self._read(_open_intents), "the intents", self._read(_longest_pause) + PATIENCE)

    async def _stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        for process in self.processes.values():
            _go_on(process)
        await super()._stop(how)

    def _judge(self) -> None:
        told = [m.text for m in self.slack.messages if m.text.startswith("Cancelling Stop")]
        for number, answer in self.answers.items():
            self._judge_intent(number, answer, [text for text in told if f"Stop {number}:" in text])
        # What she stopped is told to her, and is no news to the channels; answers are none either.
        for number in self.answers:
            for piece in self.stannp.pieces_of(number):
                del self.stannp.pieces[piece.id]
        self.slack.messages = [m for m in self.slack.messages if m.channel not in (DESK, ANA) and m.text not in told]
        # Whoever serves answers when it is asked, and waits when Slack says so; news alone keeps to a message a second.
        hurried = [problem for problem in self.slack.problems if problem.endswith("a second in desk")]
        self.slack.problems = [problem for problem in self.slack.problems if problem not in hurried]
        if hurried:
            self.verdict.intents["answers that Slack told to wait"] += len(hurried)
        super()._judge()
        self.verdict.wrong += [
            f"{span:.0f} s until a webhook was taken again" for span in self.verdict.back if span > 30
        ]

    def _judge_intent(self, number: int, answer: str, summaries: list[str]) -> None:
        gone = [piece for piece in self.stannp.pieces_of(number) if piece.status == "cancelled"]
        for piece in gone:
            self.reached.setdefault(str(piece.id), set()).add(Status.CANCELLED)
        # A form that stays open and says why is an answer, too: then nothing was begun.
        accepted = answer != "" and "errors" not in answer and "update" not in answer
        self.verdict.intents["under way" if accepted else "done untold" if gone else "not taken"] += 1
        if accepted and len(gone) < FEW:
            self.verdict.lost.append(
                f"Stop {number}: {len(gone)} of {FEW} were stopped; {answer}; {self._read_by_ana()}"
            )
        if gone and len(gone) < FEW:
            self.verdict.wrong.append(f"Stop {number}: stopped in part")
        if gone and not summaries:
            self.verdict.lost.append(f"Stop {number}: nobody was told")
        self.verdict.repeated += max(len(summaries) - 1, 0)


def _go_on(process: Begun) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGCONT)


def _thaw(lines: list[Line]) -> None:
    for line in lines:
        line.thaw()


def _longest_pause(database: Database) -> float:
    """In how many seconds the last of the open intents may be taken again: its pause is over then, and so is the lease of
    whoever died while it told something."""
    with database.reader.connect() as connection:
        now = database_time(connection)
        last = connection.execute(
            select(func.max(intents.c.next_at), func.max(intents.c.lease_until)).where(intents.c.ended_at.is_(None))
        ).one()
    return max((moment - now).total_seconds() for moment in (now, *last) if moment)


def _described(database: Database) -> str:
    """The open intents, for who looks for the cause."""
    open_ones = select(intents).where(intents.c.ended_at.is_(None))
    with database.reader.connect() as connection:
        now = database_time(connection)
        return (
            "\n".join(
                f"{row.id} {row.kind} next {row.next_at} lease {row.lease_until} tries {row.tries} told {row.told}"
                for row in connection.execute(open_ones)
            )
            + f"\nat {now}"
        )


def _open_intents(database: Database) -> int:
    """A form that nobody confirmed waits for a person (without `next_at`), and there is nothing to do for it."""
    unended = select(intents.c.id).where(intents.c.ended_at.is_(None), intents.c.next_at.is_not(None))
    return len(database.read(lambda c: c.execute(unended).all()))
