"""Answers the bot on a port of loopback that is free."""

import asyncio
import json

from aiohttp import web


async def listen(app: web.Application) -> int:
    """Serves while the loop runs; gives the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    # As many callers may arrive at once as a benchmark has.
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
    return int(runner.addresses[0][1])


async def serve(app: web.Application) -> None:
    """For a process of its own: prints the port as JSON, and serves until it is ended."""
    print(json.dumps({"port": await listen(app)}), flush=True)
    await asyncio.Event().wait()
