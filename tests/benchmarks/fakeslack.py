"""A Slack for load: takes one message a second and channel, counts what comes too early and what is out of order."""

import asyncio
import sys
import time
from collections import Counter

from aiohttp import web

from tests.benchmarks.serving import serve


async def main() -> None:
    paced = "paced" in sys.argv
    last: dict[str, float] = {}
    seen: dict[str, str] = {}
    count: Counter[str] = Counter()
    numbers = iter(range(10**9))

    async def post(request: web.Request) -> web.Response:
        form = await request.json() if request.content_type == "application/json" else await request.post()
        channel, now = str(form["channel"]), time.monotonic()
        if paced and now - last.get(channel, 0) < 0.999:
            count["too early"] += 1
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "1"})
        last[channel] = now
        text = str(form["text"])
        # Campaigns are numbered in the order in which their news was written.
        order = text.rpartition("Campaign ")[2].split(":")[0].split()[0] if "Campaign " in text else ""
        if order and order < seen.get(channel, ""):
            count["out of order"] += 1
        seen[channel] = order or seen.get(channel, "")
        count["messages"] += 1
        count["bytes"] += request.content_length or 0
        return web.json_response({"ok": True, "ts": f"1.{next(numbers):09}", "channel": channel})

    async def report(_request: web.Request) -> web.Response:
        return web.json_response(count)

    app = web.Application()
    app.router.add_post("/api/chat.postMessage", post)
    app.router.add_post("/api/chat.update", post)
    app.router.add_get("/report", report)
    await serve(app)


if __name__ == "__main__":
    asyncio.run(main())
