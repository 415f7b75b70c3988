"""The composition root: the only file that knows concrete classes on both sides. Starts and stops everything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import aiohttp
import structlog
from aiohttp import web
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot import slack
from bot.listeners import Desk, InFlight, build_bolt
from bot.scheduler import Timetable
from bot.settings import Mode, Settings
from bot.slack import Slack
from bot.stannp import Stannp
from bot.web import Front, build_web
from handlers.charts import warm_up
from handlers.intake import Intake
from handlers.memory import Memory
from handlers.ports import SlackDown
from handlers.services import Services, Studio
from storage import schema, workspaces
from storage.database import READERS, Database, open_database, sole_user
from storage.records import Workspace

log = structlog.get_logger()

#: How long work under way may take when we are asked to stop.
DRAIN: Final = 20.0
WARM_UP_AFTER: Final = 3.0
SOCKET_PATIENCE: Final = 30.0
SLACK_TIMEOUT: Final = 15


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True)
class App:
    """A running Piecewise. `port` is where HTTP listens."""

    services: Services
    workspace: Workspace
    bolt: AsyncApp
    scheduler: AsyncIOScheduler
    in_flight: InFlight
    mode: Mode
    port: int


def build_client(settings: Settings, session: aiohttp.ClientSession) -> AsyncWebClient:
    """Slack's client on our own session, and without retries of its own: a post that broke off may have arrived."""
    token = settings.slack_bot_token.get_secret_value()
    return AsyncWebClient(
        token=token, base_url=settings.slack_api_url, session=session, timeout=SLACK_TIMEOUT, retry_handlers=[]
    )


def prepare_database(settings: Settings) -> Database:
    """Opens the database; a fresh SQLite file is migrated, anything else must be at head (SchemaOldError)."""
    database = open_database(settings.database_url)
    if database.writer.dialect.name == "sqlite" and database.read(schema.current) is None:
        schema.migrate(database)
    schema.require_head(database)
    return database


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[App]:
    """Starts everything, and stops it in order: no new work, finish what is under way, close what is open."""
    mode = settings.require_run()
    async with AsyncExitStack() as stack:
        stack.enter_context(sole_user(settings.database_url))
        database = prepare_database(settings)
        stack.callback(database.close)
        memory, studio = _threads(stack, database)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = build_client(settings, session)
        workspace = await _enter_workspace(settings, client, memory)
        services = _services(settings, session, client, memory, studio)
        in_flight = InFlight()
        stack.push_async_callback(in_flight.drain, DRAIN)
        desk = Desk(services, workspace, in_flight)
        bolt = build_bolt(client, settings.slack_signing_secret.get_secret_value(), desk)
        handler = await _connect(stack, settings, bolt) if mode is Mode.SOCKET else None
        port = await _listen(stack, settings, Front(
            services, workspace,
            bolt=bolt if mode is Mode.HTTP else None,
            verifier=SignatureVerifier(settings.slack_signing_secret.get_secret_value()) if mode is Mode.HTTP else None,
            takes_webhooks=bool(settings.stannp_webhook_secret.get_secret_value()),
            slack_is_connected=_connection(handler),
        ))  # fmt: skip
        scheduler = _start_clock(stack, Timetable(services, workspace, in_flight))
        warming = asyncio.create_task(_warm_up(services))
        stack.callback(warming.cancel)
        yield App(services, workspace, bolt, scheduler, in_flight, mode, port)
        log.info("shutdown.begun", in_flight=len(in_flight.tasks))


def _threads(stack: AsyncExitStack, database: Database) -> tuple[Memory, Studio]:
    def pool(size: int, name: str) -> Executor:
        made = ThreadPoolExecutor(size, thread_name_prefix=name)
        stack.callback(made.shutdown)
        return made

    return Memory(database, pool(READERS, "reader"), pool(1, "writer")), Studio(pool(1, "pen"))


async def _warm_up(services: Services) -> None:
    """Fetches matplotlib and its fonts before anybody asks for a picture, but not while the rest is starting."""
    await services.clock.sleep(WARM_UP_AFTER)
    await asyncio.get_running_loop().run_in_executor(services.studio.pen, warm_up)


async def _enter_workspace(settings: Settings, client: AsyncWebClient, memory: Memory) -> Workspace:
    """Whose bot this is, by its token; raises Trouble when Slack refuses it."""
    try:
        team = await client.auth_test()
    except SlackApiError as error:
        raise slack.named(error) from None
    except (aiohttp.ClientError, TimeoutError):
        raise SlackDown from None
    return await memory.write(workspaces.ensure, str(team["team_id"]), str(team["team"]), settings.stannp_currency)


def _services(
    settings: Settings, session: aiohttp.ClientSession, client: AsyncWebClient, memory: Memory, studio: Studio
) -> Services:
    clock = SystemClock()
    platform = Stannp(
        session, clock, settings.stannp_api_url, settings.stannp_api_key.get_secret_value(),
        settings.stannp_webhook_secret.get_secret_value(),
    )  # fmt: skip
    messenger = Slack(client, session, clock, settings.piecewise_timezone)
    return Services(memory, Intake(memory, clock), studio, clock, settings.policy(), platform, messenger)


async def _connect(stack: AsyncExitStack, settings: Settings, bolt: AsyncApp) -> AsyncSocketModeHandler:
    """Opens the socket to Slack; raises SlackDown when that takes too long (a wrong app token never says so)."""
    handler = AsyncSocketModeHandler(bolt, settings.slack_app_token.get_secret_value())
    stack.push_async_callback(handler.close_async)
    try:
        await asyncio.wait_for(handler.connect_async(), SOCKET_PATIENCE)  # type: ignore[no-untyped-call]
    except TimeoutError:
        raise SlackDown("Slack's Socket Mode did not open. Check SLACK_APP_TOKEN with: piecewise check") from None
    return handler


def _connection(handler: AsyncSocketModeHandler | None) -> Callable[[], Awaitable[bool]]:
    async def connected() -> bool:
        return handler is None or bool(await handler.client.is_connected())

    return connected


async def _listen(stack: AsyncExitStack, settings: Settings, front: Front) -> int:
    runner = web.AppRunner(build_web(front), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.piecewise_host, settings.piecewise_port)
    await site.start()
    return int(runner.addresses[0][1])


def _start_clock(stack: AsyncExitStack, timetable: Timetable) -> AsyncIOScheduler:
    scheduler = timetable.build()
    scheduler.start()
    stack.callback(scheduler.shutdown, wait=False)
    stack.callback(timetable.courier.stop)
    return scheduler
