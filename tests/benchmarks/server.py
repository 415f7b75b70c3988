"""The bot as a process to send load to, with the floors beside it on the same kind of server. Prints its ports.

Words: the database's address, then any of: alone (one transaction for each webhook), bare (acknowledge, and do no
work), queries (acknowledge, and two queries), bulk=N (a large batch is merged meanwhile, over and over), serve or work
(a part of the bot alone). `/done`, beside the floors, tells what was really done, so that whoever measures can see that it
was; what still waits in the inbox; and how late the calls were
merged (the 99th percentile, in milliseconds).
"""

import asyncio
import json
import logging
import os
import sys
from collections import Counter
from typing import Any

from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.signature import SignatureVerifier

from bot.app import App, Part, running
from bot.front.dispatcher import Dispatcher, _admit
from bot.front.listeners import COMMANDS
from bot.front.listeners import _command as command_listener
from bot.platforms.stannp import wire
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from bot.telemetry import set_up_logging
from handlers.charts.drawing import warm_up
from handlers.context.inbox import Inflow
from handlers.context.intents import vault_of
from storage.queries import mail as queries
from storage.records import CampaignId
from tests.benchmarks import data
from tests.benchmarks.harness import p99
from tests.benchmarks.serving import listen
from tests.journeys.conftest import people_and_places, settings_for

#: Commands whose work began (`taken`), second queries that were answered (`looked`), changes of a bulk that are kept.
done: Counter[str] = Counter()


async def floor(slack_secret: str, stannp_secret: str, inflow: Inflow) -> int:
    lags: list[float] = []
    inflow.lag = lags.append

    async def tell(_request: web.Request) -> web.Response:
        waiting = await asyncio.to_thread(inflow.inbox.waiting)
        late = round(1000 * p99(lags)) if lags else 0
        return web.json_response(done | {"waiting": sum(one.calls for one in waiting.values()), "late": late})

    verifier = SignatureVerifier(slack_secret)

    async def slack(request: web.Request) -> web.Response:
        raw = await request.read()
        return web.Response(status=200 if verifier.is_valid_request(raw.decode(), dict(request.headers)) else 401)

    async def stannp(request: web.Request) -> web.Response:
        raw = await request.read()
        good = wire.sign(raw, stannp_secret) == request.headers.get("X-Stannp-Signature")
        return web.json_response({}, status=200 if good else 401)

    app = web.Application()
    app.router.add_post("/slack/events", slack)
    app.router.add_post("/webhooks/stannp", stannp)
    app.router.add_get("/done", tell)
    return await listen(app)


async def plain_bolt(app: App, secret: str) -> int:
    """Bolt as its own pages show it, with our listener of the one command that is asked."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> Any:
        found = await app.tenants.enter(enterprise_id, team_id, False)
        assert found is not None
        result = AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=found.token)
        result["workspace"] = found.workspace
        return result

    bolt = AsyncApp(client=app.bolt.client, signing_secret=secret, process_before_response=True, authorize=authorize)
    services = app.services
    dispatcher = Dispatcher(app.tenants, services.memory, services.clock, app.in_flight, vault_of(services))
    bolt.command("/mailstatus")(command_listener(dispatcher, COMMANDS["/mailstatus"]))
    return await listen(bolt.web_app(path="/slack/events"))


async def merge_for_ever(app: App, account: data.Account) -> None:
    seed = 100
    while True:
        for batch in data.batches(data.heard(account, 20_000, seed), 2_000):
            applied = await app.services.memory.learn(account.workspace_id, batch, app.services.clock.now())
            done["merged"] += applied.recorded
        seed += 1


async def main() -> None:
    set_up_logging("console", logging.ERROR)
    url, *words = sys.argv[1:]
    slack, stannp = SlackDouble(), StannpDouble(per_minute=10_000_000)
    await slack.start()
    await stannp.start()
    people_and_places(slack)
    part = next((one for one in Part if one in words), Part.ALL)
    async with running(settings_for(slack, stannp, url, "http"), part) as app:
        await app.in_flight.drain(20)
        # Else matplotlib would be loaded in the middle of a measurement.
        await asyncio.get_running_loop().run_in_executor(app.services.renderer.drawing_thread, warm_up)
        if "alone" in words:
            app.services.inflow.group.limit = 1
        if "bare" in words:
            Dispatcher.take = nothing_more  # type: ignore[assignment,method-assign]
        if "queries" in words:
            Dispatcher.take = two_queries  # type: ignore[assignment,method-assign]
        assert app.workspace.team_id == data.TEAM
        with_bulk = [w for w in words if w.startswith("bulk=")]
        tasks = []
        if with_bulk:
            account = data.Account(app.services.memory.database, url, app.workspace.id, int(with_bulk[0][5:]))
            tasks.append(asyncio.create_task(merge_for_ever(app, account)))
        secrets = slack.signing_secret, stannp.webhook_secret
        ports = {"port": app.port, "floor": await floor(*secrets, app.services.inflow), "secrets": secrets}
        ports["pid"] = os.getpid()
        if "bare" in words:
            ports["plain"] = await plain_bolt(app, slack.signing_secret)
        print(json.dumps(ports), flush=True)
        await asyncio.Event().wait()


def nothing_more(_desk: Dispatcher, _ask: Any, _key: str, _work: Any, **_more: Any) -> None:
    done["taken"] += 1


def two_queries(dispatcher: Dispatcher, request: Any, key: str, _work: Any, **_more: Any) -> None:
    async def look() -> None:
        memory = dispatcher.memory
        done["taken"] += 1
        workspace = await memory.write_grouped(_admit, request, key, dispatcher.clock.now())
        assert workspace is not None, f"{key} was handled before"
        mix = await memory.read(queries.mix, workspace.id, CampaignId(1))
        done["looked"] += mix.total > 0

    dispatcher.in_flight.start(look(), name=key)


if __name__ == "__main__":
    asyncio.run(main())
