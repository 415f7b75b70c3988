"""The bot as a process to send load to, with the floors beside it on the same kind of server. Prints its ports.

Words: the database's address, then any of: alone (one transaction for each webhook), bare (acknowledge, and do no
work), queries (acknowledge, and two queries), bulk (a large batch is merged meanwhile, over and over).
"""

import asyncio
import json
import logging
import sys
from typing import Any

from aiohttp import web
from slack_sdk.signature import SignatureVerifier

from bot import wire
from bot.app import App, running
from bot.desk import Desk, _admit
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from bot.telemetry import set_up_logging
from handlers.charts import warm_up
from storage import enquiries
from storage.records import CampaignId
from tests.benchmarks import data
from tests.journeys.conftest import people_and_places, settings_for


async def floor(slack_secret: str, stannp_secret: str) -> int:
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
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return int(runner.addresses[0][1])


async def merge_for_ever(app: App, account: data.Account) -> None:
    seed = 100
    while True:
        for batch in data.batches(data.heard(account, 20_000, seed), 2_000):
            await app.services.memory.learn(account.workspace_id, batch, app.services.clock.now())
        seed += 1


async def main() -> None:
    set_up_logging("console", logging.ERROR)
    url, *words = sys.argv[1:]
    slack, stannp = SlackDouble(), StannpDouble(per_minute=10_000_000)
    await slack.start()
    await stannp.start()
    people_and_places(slack)
    async with running(settings_for(slack, stannp, url, "http")) as app:
        await app.in_flight.drain(20)
        # Else matplotlib would be loaded in the middle of a measurement.
        await asyncio.get_running_loop().run_in_executor(app.services.studio.pen, warm_up)
        if "alone" in words:
            app.services.intake.group.limit = 1
        if "bare" in words:
            Desk.take = lambda *_a, **_k: None  # type: ignore[assignment,method-assign]
        if "queries" in words:
            Desk.take = two_queries  # type: ignore[assignment,method-assign]
        with_bulk = [w for w in words if w.startswith("bulk=")]
        tasks = []
        if with_bulk:
            account = data.Account(app.services.memory.database, url, app.workspace.id, int(with_bulk[0][5:]))
            tasks.append(asyncio.create_task(merge_for_ever(app, account)))
        secrets = slack.signing_secret, stannp.webhook_secret
        ports = {"port": app.port, "floor": await floor(*secrets), "secrets": secrets}
        print(json.dumps(ports), flush=True)
        await asyncio.Event().wait()


def two_queries(desk: Desk, ask: Any, key: str, _work: Any, **_more: Any) -> None:
    async def look() -> None:
        memory = desk.memory
        await memory.together(_admit, ask, key, desk.clock.now())
        await memory.read(enquiries.mix, desk.workspace.id, CampaignId(1))

    desk.in_flight.start(look(), name=key)


if __name__ == "__main__":
    asyncio.run(main())
