"""The composition root: the only file that knows concrete classes on both sides. Starts and stops everything."""

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import aiohttp
import structlog
from aiohttp import web
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.front.departures import departures
from bot.front.dispatcher import Dispatcher, InFlight
from bot.front.door import Door, Room, log_once, open_files
from bot.front.listeners import build_bolt
from bot.front.web import LIMITS, Front, build_metrics, build_web
from bot.metrics import Metrics
from bot.platforms import registry
from bot.platforms.kinds import AccountKeys, MailAccount, Platform
from bot.platforms.unconnected import Unconnected
from bot.scheduler import Timetable
from bot.settings import Mode, Settings, SettingsError
from bot.slack import client as slack
from bot.slack.client import Slack
from bot.tenants import AppCredentials, Many, Sole
from handlers.charts.drawing import warm_up
from handlers.context.inbox import Inflow
from handlers.context.intents import vault_of
from handlers.context.memory import Memory
from handlers.context.ports import Clock
from handlers.context.services import Renderer, Services
from handlers.errors import SlackDown, Trouble
from handlers.ingest.merging import Merger, end
from handlers.setup import actions as setup_actions
from handlers.setup.leaving import Leaving
from storage import intents, outbox, workspaces
from storage.database import READERS, Database, DatabaseDownError, database_time, open_database, sole_user
from storage.failures import is_locked, is_outage, reason_of
from storage.inbox import inbox_of
from storage.records import Workspace
from storage.schema import revision

if TYPE_CHECKING:
    from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow

    from bot.front.socket import Socket

log = structlog.get_logger()
T = TypeVar("T")

#: How long work under way may take when we are asked to stop.
DRAIN: Final = 20.0
#: And so long answers under way, before that.
FINISH: Final = 5.0
#: How long (in seconds) we wait at the start for a database that does not answer yet, and how often we ask.
START_PATIENCE, START_PAUSE = 60.0, 2.0
HELD: Final = "Somebody else holds what I need in the database: a migration, or another server that takes over."
WARM_UP_AFTER: Final = 3.0
SOCKET_PATIENCE: Final = 30.0
SLACK_TIMEOUT: Final = 15


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Part(StrEnum):
    """What a process does: everything, only what comes in, or only what goes out and by the clock."""

    ALL = "all"
    SERVE = "serve"
    WORK = "work"


@dataclass(frozen=True, repr=False)
class App:
    """A running Piecewise. `port` is where HTTP listens; `workspace` is the one that the settings name, if they do."""

    services: Services
    tenants: Sole | Many
    bolt: AsyncApp
    scheduler: AsyncIOScheduler
    in_flight: InFlight
    mode: Mode
    port: int
    metrics: Metrics
    #: Fetches what is needed first when all has started; done when it is there.
    warming: asyncio.Task[None]
    #: Where /metrics listens; 0 where it does not.
    metrics_port: int = 0

    @property
    def workspace(self) -> Workspace:
        """The one workspace that the settings name."""
        assert isinstance(self.tenants, Sole)  # noqa: S101 - asked only where there is one
        return self.tenants.workspace


def build_client(settings: Settings, session: aiohttp.ClientSession, token: str = "") -> AsyncWebClient:
    """Slack's client on our own session, and without retries of its own: a post that broke off may have arrived."""
    return AsyncWebClient(
        token=token or None, base_url=settings.slack_api_url, session=session, timeout=SLACK_TIMEOUT, retry_handlers=[]
    )


@dataclass(frozen=True)
class Sessions:
    """Connections that go out, in pools of their own: what is slow in one keeps nobody waiting in another."""

    asking: aiohttp.ClientSession
    telling: aiohttp.ClientSession
    mail: aiohttp.ClientSession
    #: What one workspace may take of each.
    each: Room


async def _connect_out(stack: AsyncExitStack, room: Room, *, many: bool) -> Sessions:
    async def pool(limit: int) -> aiohttp.ClientSession:
        return await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=limit)))

    return Sessions(await pool(room.asking), await pool(room.telling), await pool(room.mail), room.each(many=many))


def prepare_database(settings: Settings) -> Database:
    """Opens the database; a fresh SQLite file is migrated, anything else must serve this version (SchemaError)."""
    database = open_database(settings.database_url)
    database.require_sessions()
    require_schema(database)
    return database


def require_schema(database: Database) -> None:
    """Migrates a fresh SQLite file; raises SchemaError for anything else that does not serve this version."""
    if database.is_file and database.read(revision.state).revision is None:
        revision.migrate(database)
    revision.require(database)


async def answered(work: Callable[[], Awaitable[T]]) -> T:
    """What this gives, once the database can do it: it may be starting, or another one be taking over from it.

    Raises DatabaseDownError when that takes too long.
    """
    end = time.monotonic() + START_PATIENCE
    while True:
        try:
            return await work()
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            if time.monotonic() > end:
                raise DatabaseDownError(HELD if is_locked(error) else DatabaseDownError.__doc__) from None
            hint = HELD if is_locked(error) else " ".join(str(DatabaseDownError.__doc__).split())
            log.warning("database.waited_for", reason=reason_of(error), again_in=START_PAUSE, hint=hint)
        await asyncio.sleep(START_PAUSE)


async def await_database(database: Database) -> None:
    """Waits until it answers. Raises DatabaseDownError when that takes too long, and PooledByTransactionError where it
    could not be worked with."""

    async def ask() -> None:
        await asyncio.to_thread(database.read, database_time)
        await asyncio.to_thread(database.require_sessions)

    await answered(ask)


@asynccontextmanager
async def running(settings: Settings, part: Part = Part.ALL, told: Clock | None = None) -> AsyncIterator[App]:
    """Starts everything, and stops it in order: no new work, finish what is under way, close what is open.

    `told`: a clock in place of the real one, never behind it, also for a SQLite file.
    """
    clock: Clock = told or SystemClock()
    mode = settings.require_run()
    room = Room.of(open_files())
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_user(settings.database_url))
        database = open_database(settings.database_url, told.now if told else None)
        stack.callback(database.close)
        await await_database(database)
        await answered(partial(asyncio.to_thread, require_schema, database))
        memory, renderer, appender = _threads(stack, database)
        if database.is_file:
            await memory.write(_free_leases)
        sessions = await _connect_out(stack, room, many=settings.is_for_many())
        metrics = Metrics(memory)
        readings = {key: one.read_delivery for key, one in registry.PLATFORMS.items()}
        inflow = Inflow(inbox_of(database), appender, clock, readings, lag=metrics.inbox_lag.observe)
        merger = Merger(memory, inflow)
        # It writes who we are: that, too, may meet another database that is taking over.
        tenants, services = await answered(partial(_tenants, settings, sessions, memory, renderer, metrics, inflow))
        if isinstance(tenants, Many):
            stack.push_async_callback(tenants.drain, DRAIN)
        if part is not Part.SERVE:
            # When nothing comes in any more: what was taken is merged, also for an earlier version that comes next.
            stack.push_async_callback(end, merger, DRAIN)
        in_flight = InFlight()
        stack.push_async_callback(in_flight.drain, DRAIN)
        dispatcher = Dispatcher(tenants, memory, services.clock, in_flight, vault_of(services))
        client = build_client(settings, sessions.asking)
        leaving = Leaving(services, tenants)
        bolt = build_bolt(client, tenants.enter, dispatcher, departures(tenants, leaving, in_flight))
        handler = await _connect(stack, settings, bolt) if mode is Mode.SOCKET and part is not Part.WORK else None
        hears = part is not Part.WORK
        front = Front(
            services, tenants, metrics,
            bolt=bolt if mode is Mode.HTTP and hears else None,
            verifier=SignatureVerifier(settings.slack_signing_secret.get_secret_value()) if mode is Mode.HTTP else None,
            flow=_flow(settings, tenants, client, in_flight) if hears else None,
            takes_webhooks=hears,
            slack_api=settings.slack_api_url,
            slack_is_connected=_connection(handler),
        )  # fmt: skip
        port, metrics_port = (
            await _listen(stack, settings, front, room),
            await _show_metrics(stack, settings, front, room),
        )
        scheduler = _start_clock(
            stack, Timetable(services, tenants, in_flight, leaving, merger, settings.is_for_many()), part
        )
        warming = asyncio.create_task(_warm_up(services))
        stack.callback(warming.cancel)
        yield App(services, tenants, bolt, scheduler, in_flight, mode, port, metrics, warming, metrics_port)
        log.info("shutdown.begun", in_flight=len(in_flight.tasks))


def _free_leases(connection: Connection) -> None:
    """There is no other process: whoever held a lease is dead."""
    intents.free_leases(connection)
    outbox.free_leases(connection)


def _flow(
    settings: Settings, tenants: Sole | Many, client: AsyncWebClient, in_flight: InFlight
) -> "AsyncOAuthFlow | None":
    if isinstance(tenants, Sole):
        return None
    from bot.front.oauth import Store, build_flow  # noqa: PLC0415 - one team needs none of it

    async def greet(workspace: Workspace) -> None:
        async def work() -> None:
            try:
                await setup_actions.greet(await tenants.of(workspace.id), workspace)
            except Trouble as trouble:
                log.warning("welcome.untold", reason=type(trouble).__name__, code=trouble.code)

        in_flight.start(work(), name=f"welcome:{workspace.id}")

    return build_flow(Store(tenants, greet), _keys(settings), settings.piecewise_public_url, client)


def _keys(settings: Settings) -> AppCredentials:
    return AppCredentials(
        settings.slack_client_id, settings.slack_client_secret.get_secret_value(), settings.slack_api_url
    )


def _threads(stack: AsyncExitStack, database: Database) -> tuple[Memory, Renderer, Executor]:
    def pool(size: int, name: str) -> Executor:
        made = ThreadPoolExecutor(size, thread_name_prefix=name)
        stack.callback(made.shutdown)
        return made

    memory = Memory(database, pool(READERS, "reader"), pool(1, "writer"))
    return memory, Renderer(pool(1, "pen")), pool(1, "inbox")


async def _warm_up(services: Services) -> None:
    """Fetches what seals secrets, and matplotlib with its fonts: when all has started, before anybody waits for it."""
    await services.clock.sleep(WARM_UP_AFTER)
    for work in (vault_of(services).prepare, warm_up):
        await asyncio.get_running_loop().run_in_executor(services.renderer.drawing_thread, work)


async def _enter_workspace(
    settings: Settings, client: AsyncWebClient, memory: Memory, now: datetime
) -> tuple[Workspace, str, str]:
    """Whose bot this is, by its token, and the bot's own ids; raises Trouble when Slack refuses it."""
    try:
        team = await client.auth_test()
    except SlackApiError as error:
        raise slack.named(error) from None
    except (aiohttp.ClientError, TimeoutError):
        raise SlackDown from None
    _, currency = registry.named(settings).account(settings)

    def work(connection: Connection) -> Workspace:
        known = workspaces.ensure(connection, str(team["team_id"]), str(team["team"]), currency)
        facts = {"connected_at": known.connected_at or now, "removed_at": None, "purge_at": None}
        workspaces.note(connection, known.id, **facts)
        outbox.wake(connection, known.id)
        return workspaces.by_id(connection, known.id)

    return await memory.write(work), str(team.get("bot_id") or ""), str(team.get("user_id") or "")


async def _tenants(
    settings: Settings, sessions: Sessions, memory: Memory, renderer: Renderer, metrics: Metrics, inflow: Inflow
) -> tuple[Sole | Many, Services]:
    """Whose requests are answered: the settings' own workspace, or every one that installed us."""
    clock = inflow.clock

    def make_slack(client: AsyncWebClient, team: str) -> Slack:
        poster = build_client(settings, sessions.telling, client.token or "")
        return Slack(
            client, sessions.asking, clock, settings.piecewise_timezone, team, metrics, poster=poster,
            asking=asyncio.Semaphore(min(slack.ASKING, sessions.each.asking)),
            sending=asyncio.Semaphore(min(slack.SENDING, sessions.each.telling)),
        )  # fmt: skip

    def open_account(platform: Platform, keys: AccountKeys) -> MailAccount:
        return platform.open(sessions.mail, clock, keys, sessions.each.mail)

    def make_client(token: str) -> AsyncWebClient:
        return build_client(settings, sessions.asking, token)

    policy = settings.policy()
    if settings.is_for_many():
        nobody: Any = Unconnected(registry.USUAL)
        template = Services(memory, inflow, renderer, clock, policy, nobody, nobody)
        made = Many(
            template,
            settings.vault(),
            _keys(settings),
            registry.regions(settings),
            make_client,
            open_account,
            make_slack,
        )
        return made, template
    client = make_client(settings.slack_bot_token.get_secret_value())
    workspace, bot_id, bot_user = await _enter_workspace(settings, client, memory, clock.now())
    chosen = registry.named(settings)
    platform, messenger = open_account(chosen, chosen.account(settings)[0]), make_slack(client, workspace.team_id)
    services = Services(memory, inflow, renderer, clock, policy, platform, messenger)
    return Sole(services, workspace, bot_id, bot_user), services


async def _connect(stack: AsyncExitStack, settings: Settings, bolt: AsyncApp) -> "Socket":
    """Opens the socket to Slack; raises SlackDown when that takes too long (a wrong app token never says so)."""
    from bot.front.socket import Socket  # noqa: PLC0415 - by HTTP it is not needed

    handler = Socket(bolt, settings.slack_app_token.get_secret_value())
    stack.push_async_callback(handler.close_async)
    try:
        await asyncio.wait_for(handler.connect_async(), SOCKET_PATIENCE)  # type: ignore[no-untyped-call]
    except TimeoutError:
        raise SlackDown("Slack's Socket Mode did not open. Check SLACK_APP_TOKEN with: piecewise check") from None
    return handler


def _connection(handler: "Socket | None") -> Callable[[], Awaitable[bool]]:
    async def connected() -> bool:
        return handler is None or bool(await handler.client.is_connected())

    return connected


async def _listen(stack: AsyncExitStack, settings: Settings, front: Front, room: Room) -> int:
    runner = web.AppRunner(build_web(front), access_log=None, shutdown_timeout=FINISH, **LIMITS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None  # noqa: S101 - made by `setup`
    loop = asyncio.get_running_loop()
    log_once(loop)
    door = Door(runner.server, room.front, settings.piecewise_peer_connections)
    host, port = settings.piecewise_host, settings.piecewise_port
    return await _open_door(stack, door, host, port, f"PIECEWISE_HOST ({host}) and PIECEWISE_PORT ({port})")


async def _open_door(stack: AsyncExitStack, door: Door, host: str, port: int, named: str) -> int:
    """Listens there; gives the port. Raises SettingsError with the settings that name the place."""
    try:
        listening = await asyncio.get_running_loop().create_server(door, host, port)
    except OSError as error:
        taken = (
            "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        )
        raise SettingsError(f"{named}: the address {taken}. Choose another") from None
    stack.callback(listening.close)
    return int(listening.sockets[0].getsockname()[1])


async def _show_metrics(stack: AsyncExitStack, settings: Settings, front: Front, room: Room) -> int:
    address = settings.piecewise_metrics_address
    host, _, port = address.rpartition(":")
    if not host:
        return 0
    runner = web.AppRunner(build_metrics(front), access_log=None, shutdown_timeout=FINISH, **LIMITS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None  # noqa: S101 - made by `setup`
    door = Door(runner.server, room.metrics, room.metrics)
    return await _open_door(stack, door, host.strip("[]"), int(port), f"PIECEWISE_METRICS_ADDRESS ({address})")


def _start_clock(stack: AsyncExitStack, timetable: Timetable, part: Part) -> AsyncIOScheduler:
    scheduler = timetable.build(works=part is not Part.SERVE)
    scheduler.start()
    stack.callback(scheduler.shutdown, wait=False)
    stack.callback(asyncio.create_task(timetable.mind(scheduler)).cancel)
    if part is not Part.SERVE:
        stack.callback(asyncio.create_task(timetable.merge()).cancel)
    # It stops in the loop's next turn, and cancels what it began in this one: so it begins nothing more.
    stack.callback(scheduler.pause)
    stack.callback(timetable.sender.stop)
    stack.callback(timetable.services.stopping.set)
    return scheduler
