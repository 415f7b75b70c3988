"""A story told: the world outside and the processes of the bot, from a script, in one loop."""

import asyncio
import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any, Final

import structlog
from slack_sdk.oauth.installation_store.models.installation import Installation

import bot.scheduler
import handlers.alerts.delivery
from bot.front.oauth import Store as Installs
from handlers.context.ports import Person
from handlers.ingest import webhooks
from storage import workspaces
from storage.records import Batch, Change, Recipient, Source, Workspace, WorkspaceId
from storage.statuses import Status
from storage.vault import new_key
from tests.simulation import acts
from tests.simulation.invariants import check, hold
from tests.simulation.loop import Lane, Loop, made_up
from tests.simulation.mail import READINGS, Books, Letter, MailLine, MailWorld, booked
from tests.simulation.process import Parts, Process, Ticker, start
from tests.simulation.script import BEGAN, HOUR, Event
from tests.simulation.slack import STOPPED, SlackLine, SlackWorld, Team
from tests.simulation.store import Store, ask
from tests.simulation.waiting import wanted
from tests.simulation.weather import Trap, Weather

KEY: Final = new_key()
#: Seconds between the rounds of all jobs when all is calm again, and how many rounds there are at least.
PAUSES: Final = (1.0, 40.0, 400.0, 400.0, 1000.0, 1000.0, 3700.0, 3700.0, 3700.0)
AT_LEAST: Final = 3
#: What a piece costs when it is ordered, and when it is handed over.
ORDERED, SETTLED = Decimal("0.84"), Decimal("0.79")
#: What is done in the first of three such rounds only: nothing that is checked waits for it.
UPKEEP: Final = frozenset(
    {"inbox", "survey", "silence", "recount", "erase", "thin", "tidy", "renewals", "purge", "vacuum"}
)
#: Seconds without an event after which what must always hold is checked.
QUIET: Final = 60.0
#: How many times as long as all has been calm a process rests until it looks again.
LATER: Final = 4.0
NAMES: Final = ("Jane Smith", "Omar Haddad", "Li Wei", "Rosa Diaz", "Tom Becker")


@dataclass
class Tenant:
    """A customer: their team at Slack, and their books at the mail house."""

    number: int
    team: Team
    books: Books
    #: What our database calls it; 0 before it is installed.
    id: int = 0
    #: When it was first seen that the account was read, by the world's time.
    baseline: float | None = None
    #: From which sum on a second person must agree to a cancellation.
    above: int | None = None
    #: When the app was taken out.
    left: list[float] = field(default_factory=list)
    installs: int = 0


@dataclass
class Told:
    """A subscription as the world saw it in the database: since when, until when (None: still)."""

    tenant: int
    room: str
    campaign: int
    wants: frozenset[str]
    since: float
    until: float | None = None


@dataclass
class World:
    """One story. `trace` is what happened, in words; it is the same whenever the seed and the program are."""

    seed: int
    events: list[Event]
    store: Store
    loop: Loop = field(init=False)
    weather: Weather = field(init=False)
    slack: SlackWorld = field(init=False)
    mail: MailWorld = field(init=False)
    tenants: dict[int, Tenant] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    files: list[tuple[str, str, str]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    #: Webhook calls that were answered with 200, by number.
    acked: set[int] = field(default_factory=set)
    pressed: list[acts.Pressed] = field(default_factory=list)
    typed: list[acts.Typed] = field(default_factory=list)
    #: How often a process took Slack's word that a customer is gone.
    heard_left: Counter[int] = field(default_factory=Counter)
    #: The processes that were stopped for a while, by their names.
    stopped: set[str] = field(default_factory=set)
    #: The furthest that any process's clock was off.
    skewed: float = 0.0
    last_event: float = 0.0
    births: int = 0
    #: How often the database was away altogether.
    storms: int = 0
    #: What had been said and written when it was last checked what must always hold.
    held: object = None
    ended: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        self.loop = made_up(Random(f"loop {self.seed}"))
        self.stirred = self.loop.create_future()
        self.dice = Random(f"world {self.seed}")
        self.weather = Weather(self.loop, Random(f"weather {self.seed}"))
        self.slack = SlackWorld(self.weather, self)
        self.mail = MailWorld(self.weather, self)
        self.parts = Parts(
            self.store, self.weather,
            lambda clock, team, token: SlackLine(self.slack, self.slack.teams[team], token, clock),
            lambda clock, key: MailLine(self.mail, key, clock.now),
            self._refresh, (KEY,), self.mail.read,
        )  # fmt: skip

    # ---- Time and words ------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.loop.time())

    def note(self, words: str) -> None:
        self.trace.append(f"{self.now():%b %d %H:%M:%S} {words}")

    def fault(self, words: str) -> None:
        """An invariant is broken."""
        if words not in self.faults:
            self.faults.append(words)
            self.note(f"✗ {words}")

    @property
    def hash(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    # ---- Telling -------------------------------------------------------------------------------------------------

    def tell(self) -> "World":
        """Plays the whole story, and checks it."""
        with self._in_place():
            self.store.begin(self.now)
            try:
                self.loop.run(self._story())
            finally:
                # What is left open ends now, and what that says is no part of the story.
                self.closed = True
                self.loop.close()
        return self

    async def _story(self) -> None:
        for event in self.events:
            if event.at > self.loop.time():
                await asyncio.sleep(event.at - self.loop.time())
            if self.loop.time() - self.last_event > QUIET:
                hold(self)
            self._stir()
            self.note(f"— {event}")
            await getattr(self, f"on_{event.kind}")(*event.facts)
            self.look()
        await self._calm()
        check(self)

    def _stir(self) -> None:
        self.last_event = self.loop.time()
        stirred, self.stirred = self.stirred, self.loop.create_future()
        stirred.set_result(None)

    async def _calm(self) -> None:
        """Everything that was wrong is over: what is left to do is done."""
        self.note("— all is calm")
        self.weather.fair = True
        self.ended = True
        for process in list(self.processes):
            process.lane.paused = False
            process.clock.skew = timedelta(0)
        while len(self.processes) < 1:
            self._start()
        began = held = self.loop.time()
        for number, pause in enumerate(PAUSES):
            await asyncio.sleep(pause)
            # What was heard by a clock that was ahead counts as the newer until then.
            if number >= AT_LEAST and not self._is_open() and held - began > self.skewed:
                break
            held = self.loop.time()
            self.look()
            hold(self)
            process = self.processes[number % len(self.processes)]
            for name in process.ticker.jobs:
                if name in UPKEEP and number % AT_LEAST:
                    continue
                process.do(process.ticker.begun(name, self.loop.time()))
                await asyncio.sleep(0.5)
        await asyncio.sleep(130)

    def _is_open(self) -> bool:
        """Whether something is left to do."""
        left = "SELECT 1 FROM outbox WHERE sent_at IS NULL UNION ALL SELECT 1 FROM intents WHERE ended_at IS NULL"
        return ask(self.store, lambda connection: connection.exec_driver_sql(left).first() is not None)

    # ---- Processes -----------------------------------------------------------------------------------------------

    def _start(self) -> Process:
        self.births += 1
        made = start(f"process {self.births}", self.loop, Random(f"{self.seed} {self.births}"), BEGAN, self.parts)
        self.processes.append(made)
        made.do(self._ticking(made)).add_done_callback(self._ticked)
        return made

    def _ticked(self, ended: asyncio.Task[Any]) -> None:
        if not ended.cancelled() and ended.exception() is not None:
            self.fault(f"the timetable broke: {ended.exception()!r}")

    async def _ticking(self, process: Process) -> None:
        while not self.ended:
            calm = self.loop.time() - self.last_event
            pause = max(3.0, LATER * calm) * (0.5 + process.dice.random())
            # When nothing has happened for long it looks rarely, and soon again when something does.
            await asyncio.wait([self.stirred], timeout=pause)
            if not self.ended:
                await process.tick(wanted(self, process))

    def one(self) -> Process | None:
        """A process that could be reached."""
        able = [one for one in self.processes if not one.lane.paused]
        return self.dice.choice(able) if able else None

    # ---- What the world sees -------------------------------------------------------------------------------------

    def look(self) -> None:
        """Notes which subscriptions there are, and which accounts were read."""
        now = self.loop.time()
        by_id = {one.id: one.number for one in self.tenants.values()}
        seen: dict[tuple[int, str, int], frozenset[str]] = {}

        def work(connection: Any) -> None:
            for row in connection.exec_driver_sql(
                "SELECT workspace_id, channel, campaign_id, wants FROM subscriptions"
            ):
                seen[by_id[row[0]], row[1], row[2]] = frozenset(row[3].split(","))
            for row in connection.exec_driver_sql("SELECT id FROM workspaces WHERE baseline_at IS NOT NULL"):
                tenant = self.tenants[by_id[row[0]]]
                tenant.baseline = now if tenant.baseline is None else tenant.baseline

        ask(self.store, work)
        for one in self.told:
            if one.until is None and seen.pop((one.tenant, one.room, one.campaign), None) != one.wants:
                one.until = now
        self.told += [Told(*key, wants, now) for key, wants in seen.items()]

    # ---- Events --------------------------------------------------------------------------------------------------

    async def on_processes(self, number: int) -> None:
        for _ in range(number):
            self._start()

    async def on_weather(self, whom: str, rate: float) -> None:
        for name in self._names(whom):
            self.weather.rates[name] = rate

    async def on_storm(self, whom: str, seconds: float) -> None:
        self.storms += whom == "database"
        for name in self._names(whom):
            self.weather.storms[name] = self.loop.time() + seconds

    def _names(self, whom: str) -> list[str]:
        if whom != "database":
            return [whom]
        return [f"database of process {number}" for number in range(1, 30)]

    async def on_crash(self, number: int, seconds: float) -> None:
        if self.processes:
            self._crash(self.processes[number % len(self.processes)], seconds)

    def _crash(self, process: Process, seconds: float) -> None:
        self.note(f"{process.name} dies")
        self.processes.remove(process)
        self.loop.kill(process.lane)
        self._doubt(process, self.loop.time())
        # What it had sent a moment ago arrives all the same.
        self.loop.call_later(1.0, self._doubt, process, self.loop.time(), context=self.loop.outdoors())
        self.loop.call_later(seconds, self._again, context=self.loop.outdoors())

    def _again(self) -> None:
        if not self.ended:
            self.note(f"{self._start().name} is started")

    async def on_pause(self, number: int, seconds: float) -> None:
        if self.processes:
            self._pause(self.processes[number % len(self.processes)], seconds)

    def _pause(self, process: Process, seconds: float) -> None:
        if process.lane.paused:
            return
        self.note(f"{process.name} is stopped for {seconds:.0f} s")
        process.lane.paused = True
        self.stopped.add(process.name)
        stopped = self.loop.time()

        def go_on() -> None:
            if process.lane.paused:
                if seconds > STOPPED:
                    self._doubt(process, stopped)
                process.lane.paused = False
                self.note(f"{process.name} goes on")

        if seconds > STOPPED:
            self._doubt(process, stopped)
        self.loop.call_later(seconds, go_on, context=self.loop.outdoors())

    def _cut(self, process: Process, seconds: float) -> None:
        self.note(f"{process.name} loses the database for {seconds:.0f} s")
        self.weather.storms[f"database of {process.name}"] = self.loop.time() + seconds
        if seconds > STOPPED:
            # It alone is cut off: another takes its channels over, and cannot know what it could not write down.
            doubt = STOPPED, self._doubt, process, self.loop.time()
            self.loop.call_later(*doubt, context=self.loop.outdoors())

    async def on_trap(self, place: str, times: int, what: str, seconds: float) -> None:
        def spring(lane: Lane) -> None:
            process = next((one for one in self.processes if one.lane is lane), None)
            if process is not None:
                self.note(f"(at {place})")
                {"crash": self._crash, "pause": self._pause, "cut": self._cut}[what](process, seconds)

        self.weather.traps.append(Trap(place, times, spring))

    async def on_clock(self, number: int, seconds: float) -> None:
        if not self.processes:
            return
        self.skewed = max(self.skewed, abs(seconds))
        self.processes[number % len(self.processes)].clock.skew = timedelta(seconds=seconds)

    def _doubt(self, process: Process, since: float) -> None:
        """What it posted, and had not written down when it died or was stopped, may come again."""
        written = "SELECT message_ts FROM outbox WHERE message_ts IS NOT NULL UNION SELECT message_ts FROM cards"
        known = {row[0] for row in ask(self.store, lambda c: list(c.exec_driver_sql(written)))}
        for team in self.slack.teams.values():
            for room in team.rooms.values():
                for post in room.posts:
                    young = post.at > since - (HOUR if self.storms else 30.0)
                    if post.by == process.name and post.ts not in known and young:
                        post.doubted = True

    async def on_install(self, number: int) -> None:
        people = {
            "U0ANA": Person("Ana Ruiz", "America/Chicago", is_admin=True),
            "U0BEN": Person("Ben Park", "America/New_York", is_admin=True),
            "U0CAT": Person("Cat Moss", "Europe/Paris", is_admin=False),
        }
        team = self.slack.teams.setdefault(f"T{number}", Team(f"T{number}", people))
        books = self.mail.books.setdefault(f"key {number}", Books(f"key {number}", f"Customer {number}"))
        tenant = self.tenants.setdefault(number, Tenant(number, team, books))
        tenant.installs += 1
        token = f"xoxb-{number}-{tenant.installs}"
        team.tokens.add(token)
        await self._insist(partial(self._install, number, team.name, token))

    async def _install(self, number: int, team: str, token: str, process: Process) -> None:
        made = Installation(
            user_id="U0ANA", team_id=team, team_name=f"Customer {number}", bot_token=token, bot_id="B1",
            bot_user_id="U0BOT", bot_scopes=["chat:write"],
        )  # fmt: skip

        async def greet(workspace: Workspace) -> None:
            self.tenants[number].id = workspace.id

        await Installs(process.tenants, greet).async_save(made)

    async def on_connect(self, number: int) -> None:
        if number not in self.tenants:
            return

        async def work(process: Process) -> None:
            tenant = self.tenants[number]
            if not tenant.id:
                return
            await process.tenants.connect(WorkspaceId(tenant.id), tenant.books.key, "us", lambda _c, _a: True)

        await self._insist(work)

    async def _insist(self, work: Callable[[Process], Coroutine[Any, Any, None]]) -> None:
        """Somebody tries this, in whichever process they reach, until it is done."""
        for pause in (5, 20, 60, 300, 900, 3600, 4 * 3600, 8 * 3600, 24 * 3600):
            process = self.one()
            if process is not None:
                try:
                    async with asyncio.timeout(30):
                        await asyncio.shield(process.do(work(process)))
                    return
                except Exception as error:
                    self.note(f"(that failed: {type(error).__name__})")
            await asyncio.sleep(pause)

    async def on_book(self, number: int, campaign: int, size: int) -> None:
        tenant = self.tenants.get(number)
        books = self.mail.books.setdefault(f"key {number}", Books(f"key {number}", f"Customer {number}"))
        assert tenant is None or tenant.books is books
        ref = f"{7 + campaign}"
        books.campaigns[ref] = booked(ref, f"Campaign {ref} of {number}", self.now(), size)
        for piece in range(size):
            name = f"{100 * (campaign + 1) + piece}"
            who = Recipient(name=NAMES[piece % len(NAMES)], address=f"{piece} Main Street", city="Austin", region="TX")
            books.letters[name] = Letter(
                name, ref, self.now(), ORDERED, who, [(self.now(), Status.RECEIVED)]
            )  # fmt: skip

    async def on_move(self, number: int, ref: str, word: str, calls: tuple[float, ...]) -> None:
        books = self.mail.books.get(f"key {number}")
        letter = books.letters.get(ref) if books else None
        status = Status[word]
        if books is None or letter is None or letter.status is Status.CANCELLED or status <= letter.status:
            return
        if status is Status.CANCELLED and letter.status is not Status.RECEIVED:
            return
        letter.way.append((self.now(), status))
        books.unread = READINGS
        if status is Status.HANDED_OVER:
            # Postage is settled then.
            letter.cost = SETTLED
        change = Change(ref, status, self.now(), source=Source.WEBHOOK)
        for delay in calls:
            name = len(self.mail.calls) + 1
            self.mail.calls[name] = Batch(pieces=(letter.described(),), changes=(change,))
            self.loop.create_task(self._call(number, name, delay), context=self.loop.outdoors())

    async def _call(self, number: int, name: int, delay: float) -> None:
        """The mail house calls our webhook, and again while it is not answered well."""
        await asyncio.sleep(delay)
        for pause in (60.0, 600.0, 3600.0):
            tenant, process = self.tenants.get(number), self.one()
            if tenant is not None and tenant.id and process is not None:
                done = process.do(self._receive(process, tenant, name))
                await asyncio.wait([done], timeout=10)
                if done.done() and not done.exception() and done.result() == 200:
                    self.acked.add(name)
                    return
            await asyncio.sleep(pause)

    async def _receive(self, process: Process, tenant: Tenant, name: int) -> int:
        services = await process.tenants.of(WorkspaceId(tenant.id))
        workspace = await services.memory.read(workspaces.by_id, WorkspaceId(tenant.id))
        return await webhooks.receive(services, workspace, str(name).encode(), {})

    async def on_type(self, number: int, user: str, room: str, said: str) -> None:
        await acts.type_command(self, number, user, room, said)

    async def on_crowd(self, again: bool) -> None:
        await acts.crowd(self, again)

    async def on_press(self, number: int, user: str, action: str, about: str) -> None:
        self.loop.create_task(acts.press(self, number, user, action, about), context=self.loop.outdoors())

    async def on_rank(self, number: int, user: str, is_admin: bool) -> None:
        acts.rank(self, number, user, is_admin)

    async def on_rule(self, number: int, above: int) -> None:
        acts.rule(self, number, above)

    async def on_hours(self, number: int, room: str, *settings: Any) -> None:
        acts.hours(self, number, room, settings)

    async def on_leave(self, number: int, told: tuple[float, ...]) -> None:
        await acts.leave(self, number, told)

    async def on_close(self, number: int, room: str, how: str, seconds: float | None) -> None:
        acts.close(self, number, room, how, seconds)

    async def on_moment(self) -> None:
        """Nothing happens, but that the clock is looked at."""

    async def _refresh(self, token: str) -> Any:
        raise NotImplementedError

    # ---- What is put in the place of the real world --------------------------------------------------------------

    @contextmanager
    def _in_place(self) -> Iterator[None]:
        """The loop's time and the seed's chance stand where a process would ask the machine."""
        dice = Random(f"ids {self.seed}")
        clock = SimpleNamespace(clock_gettime=lambda _which: self.loop.time(), CLOCK_BOOTTIME=time.CLOCK_BOOTTIME)
        places: list[tuple[Any, str, Any]] = [
            (handlers.alerts.delivery, "time", clock),
            # While channels rest the sender looks forty times a second: five are enough where time is made up.
            (handlers.alerts.delivery, "BREATH", 0.2),
            (bot.scheduler, "AsyncIOScheduler", lambda **_: Ticker()),
            (uuid, "uuid4", lambda: uuid.UUID(int=dice.getrandbits(128), version=4)),
        ]
        before = [(where, name, getattr(where, name)) for where, name, _ in places]
        config = structlog.get_config()
        structlog.configure(processors=[self._log], cache_logger_on_first_use=False)
        try:
            for where, name, value in places:
                setattr(where, name, value)
            yield
        finally:
            for where, name, value in before:
                setattr(where, name, value)
            structlog.configure(**config)

    def _log(self, _logger: Any, level: str, said: Any) -> Any:
        if self.closed:
            raise structlog.DropEvent
        self.logs.append(dict(said))
        if level == "exception" or said["event"].endswith(".broke"):
            import traceback

            self.fault(f"{said['event']}: {traceback.format_exc(limit=-4)}")
        raise structlog.DropEvent
