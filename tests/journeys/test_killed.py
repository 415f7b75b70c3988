"""What a killed process had begun is ended by the next one, and told once."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select, update

from bot.sandbox.slack import Fault, Posted, SlackDouble
from bot.sandbox.stannp import StannpDouble, Trouble
from bot.sandbox.world import World
from storage.database import open_database
from storage.schema.account_tables import intents
from storage.schema.tables import channels
from tests.journeys.conftest import ANA, OPS, everything
from tests.processes import Running, start_bot
from tests.rudeness import UNREAD, patience

ROOT = Path(__file__).parent.parent.parent
MANY = 100
#: Each once a day: on one database, calm or among one rude platform.
pytestmark = pytest.mark.turns
T = TypeVar("T")
PATIENCE = 45.0


@dataclass
class Company:
    """The doubles, and the processes that stand between them."""

    slack: SlackDouble
    stannp: StannpDouble
    world: World
    environment: dict[str, str]
    folder: Path
    stack: AsyncExitStack
    lines: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[Running]:
        process = await start_bot(["run"], self.environment, self.folder)
        ready = asyncio.Event()

        async def read() -> None:
            async for line in process.stdout:
                self.lines.append(line.decode())
                if "ready" in self.lines[-1]:
                    ready.set()
            ready.set()

        reading = asyncio.create_task(read())
        try:
            await asyncio.wait_for(ready.wait(), 40)
            assert process.returncode is None, "".join(self.lines)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            await reading

    async def start(self) -> Running:
        """Another process of the bot, ready."""
        return await self.stack.enter_async_context(self._process())

    async def until(self, what: Callable[[], T | None], seconds: float = PATIENCE) -> T:
        seconds *= patience(self.slack, self.stannp)
        end = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < end:
            if found := what():
                return found
            await asyncio.sleep(0.02)
        seen = [(m.channel, m.only_for, m.text[:160]) for m in self.slack.messages[-6:]]
        raise AssertionError(f"waited {seconds} s in vain: {self.stopped} stopped; seen: {seen}; {self.lines[-6:]}")

    def pass_time(self, seconds: float) -> None:
        """For whatever is leased, this time passes at once."""
        opened, past = open_database(self.environment["DATABASE_URL"]), timedelta(seconds=seconds)

        def work(connection: Connection) -> None:
            for table in (intents, channels):
                held = table.c.lease_until > datetime.now(UTC)
                for row in connection.execute(select(table).where(held)).all():
                    this = [column == getattr(row, column.name) for column in table.primary_key.columns]
                    connection.execute(update(table).where(*this).values(lease_until=row.lease_until - past))

        with closing(opened):
            opened.write(work)

    @property
    def stopped(self) -> int:
        return sum(piece.status == "cancelled" for piece in self.stannp.pieces_of(230))

    def summaries(self) -> list[str]:
        return [m.text for m in self.slack.messages if m.text.startswith("Cancelling Big drop:")]

    async def confirm(self) -> None:
        """Ana cancels the whole campaign, and confirms it."""
        await self.until(lambda: "GET reporting/campaignSingles/230" in self.stannp.requests)
        assert (await self.slack.command(ANA, OPS, "/mailstatus", "Big drop")).ok
        answer: Posted = await self.until(
            lambda: next((m for m in self.slack.messages if "cancel_campaign" in str(m.blocks)), None)
        )
        assert (await self.slack.press(ANA, answer, "cancel_campaign")).ok
        form = await self.until(
            lambda: next((v for v in self.slack.stack_of(ANA) if f"Cancel {MANY} pieces" in str(v.view)), None)
        )
        self.stannp.troubles.append(Trouble("postcards/", status=0, delay=0.4, times=100_000))
        assert (await self.slack.submit(ANA, form)).ok
        await self.until(lambda: self.stopped >= 6)


@pytest.fixture(params=["sqlite", "postgres"])
async def company(
    request: pytest.FixtureRequest, doubles: tuple[SlackDouble, StannpDouble], tmp_path: Path
) -> AsyncIterator[Company]:
    slack, stannp = doubles
    start = datetime.now(UTC) - timedelta(days=12)
    world = World(stannp, seed=3, now=start)
    world.add_campaign(230, "Big drop", start, MANY, leaves=timedelta(days=90))
    world.advance(start + timedelta(days=4))
    url = request.getfixturevalue(f"{request.param}_url")
    environment = {
        "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT),
        "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token, "SLACK_API_URL": slack.url,
        "STANNP_API_KEY": stannp.api_key, "STANNP_API_URL": stannp.url, "DATABASE_URL": url, "PIECEWISE_PORT": "0",
    }  # fmt: skip
    async with AsyncExitStack() as stack:
        yield Company(slack, stannp, world, environment, tmp_path, stack)


async def _finished(company: Company) -> None:
    """Every piece is stopped, asked for once, and that is told once."""
    company.stannp.troubles.clear()
    await company.until(lambda: company.stopped == MANY)
    await company.until(company.summaries)
    await asyncio.sleep(0.5)
    assert len(company.summaries()) == 1
    assert f"{MANY} cancelled" in company.summaries()[0]
    asked = [one for one in company.stannp.requests if one == "POST postcards/cancel"]
    assert len(asked) <= MANY + 4, "only what was on its way at the end may be asked for again"
    assert not [m.text for m in company.slack.messages if m.channel == f"D{ANA}"], "nothing is told piece by piece"


@pytest.mark.calm(*UNREAD)
async def test_a_cancellation_goes_on_after_sigterm(company: Company) -> None:
    process = await company.start()
    await company.confirm()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 25 * patience(company.slack, company.stannp)) == 0
    before = company.stopped
    assert before < MANY, "it stops between two pieces"
    assert not company.summaries()
    await company.start()
    await _finished(company)
    assert "Traceback" not in "".join(company.lines)


@pytest.mark.calm(*UNREAD)
async def test_a_cancellation_goes_on_after_sigkill(company: Company) -> None:
    process = await company.start()
    await company.confirm()
    process.kill()
    await process.wait()
    assert company.stopped < MANY
    await company.start()
    await _finished(company)


@pytest.mark.parametrize("company", ["postgres"], indirect=True)
@pytest.mark.calm(*UNREAD)
async def test_a_second_process_finishes_what_a_killed_one_began(company: Company) -> None:
    first = await company.start()
    await company.confirm()
    second = await company.start()
    first.kill()
    await first.wait()
    await _finished(company)
    assert second.returncode is None


async def answered(company: Company, name: str, text: str) -> Posted:
    """What Ana sees after a command."""
    before = len(company.slack.messages)
    assert (await company.slack.command(ANA, OPS, name, text)).ok
    return await company.until(
        lambda: next((m for m in company.slack.messages[before:] if m.only_for in (None, ANA)), None)
    )


async def read(company: Company) -> Running:
    """A process that has read the mail account."""
    process = await company.start()
    await company.until(lambda: "GET reporting/campaignSingles/230" in company.stannp.requests)
    return process


async def killed_within(company: Company, process: Running, fault: Fault) -> None:
    """The process dies while this call is on its way; Slack never took it. Another process follows."""
    await company.until(lambda: not fault.times)
    process.kill()
    await process.wait()
    await company.start()
    # A message that was under way is left to whoever may only be paused.
    company.pass_time(110)


def on_its_way(company: Company, method: str) -> Fault:
    fault = Fault(method, status=503, delay=5)
    company.slack.faults.append(fault)
    return fault


async def test_a_workflow_step_ends_though_its_process_was_killed(company: Company) -> None:
    process = await read(company)
    fault = on_its_way(company, "functions.completeSuccess")
    step = await company.slack.run_step("get_campaign_status", {"campaign": "Big drop"})
    await killed_within(company, process, fault)
    assert (await company.until(lambda: step.outputs))["pieces"] == f"{MANY}"
    await asyncio.sleep(3)  # the next look for what is open comes after two seconds
    assert [name for name, _ in company.slack.calls if name.startswith("functions.")] == ["functions.completeSuccess"]


async def test_an_export_arrives_though_its_process_was_killed(company: Company) -> None:
    process = await read(company)
    answer = await answered(company, "/mailstatus", "Big drop")
    assert (await company.slack.press(ANA, answer, "view_details")).ok
    form = await company.until(
        lambda: next((v for v in company.slack.stack_of(ANA) if "details_export" in str(v.view)), None)
    )
    fault = on_its_way(company, "files.completeUploadExternal")
    assert (await company.slack.press(ANA, form, "details_export")).ok
    await killed_within(company, process, fault)
    sent = await company.until(lambda: [m for m in company.slack.messages if "as asked for in" in m.text])
    assert company.slack.files[sent[0].files[0]].data.count(b"\n") == MANY + 1
    await asyncio.sleep(3)
    assert len([m for m in company.slack.messages if "as asked for in" in m.text]) == 1


async def test_who_erased_a_recipient_is_told_though_the_process_was_killed(company: Company) -> None:
    process = await read(company)
    piece = company.stannp.pieces_of(230)[0]
    shown = await answered(company, "/mailtrack", str(piece.id))
    fault = on_its_way(company, "response_url")
    assert (await company.slack.press(ANA, shown, "erase_recipient")).ok
    await killed_within(company, process, fault)
    await company.until(lambda: [m for m in company.slack.messages if "I no longer know who piece" in everything(m)])
    await asyncio.sleep(3)
    assert len([m for m in company.slack.messages if "I no longer know who piece" in everything(m)]) == 1
