"""A Stannp for polls: an account of so many pieces, answered from bytes that were made before, and moved on request.

Word: the number of pieces. It offers the account's report in pages, the report of its one campaign, and no timelines.
"""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta

from aiohttp import web

from tests.benchmarks.serving import serve

STATUSES = ("printing", "handed_over", "in_transit", "local_delivery", "delivered", "returned")


def row(number: int, stage: int, ordered: str) -> bytes:
    told = {
        "id": 30_000_000 + number, "timestamp": ordered, "status": STATUSES[stage], "type": "postcard", "format": "6x9",
        "dispatched": ordered if stage else None, "country": "US", "cost": 0.84, "postcode": str(10000 + number % 89999),
    }  # fmt: skip
    return json.dumps(told).encode()


async def main() -> None:
    number = int(sys.argv[1])
    ordered = (datetime.now(UTC) - timedelta(days=5)).strftime("%Y-%m-%d %H:%M:%S")
    stages = [0] * number
    rows = [row(n, 0, ordered) for n in range(number)]

    def answer(data: bytes) -> web.Response:
        return web.Response(body=b'{"success":true,"data":' + data + b"}", content_type="application/json")

    async def listed(request: web.Request) -> web.Response:
        first, size = int(request.query["offset"]), int(request.query["limit"])
        return answer(b"[" + b",".join(rows[first : first + size]) + b"]")

    async def placed(_request: web.Request) -> web.Response:
        return answer(b"[" + b",".join(rows) + b"]")

    async def campaigns(request: web.Request) -> web.Response:
        told = {"id": 1, "name": "Spring", "status": "running", "recipients": number, "type": "6x9-postcard"}
        return answer(json.dumps([] if int(request.query["offset"]) else [told]).encode())

    async def balance(_request: web.Request) -> web.Response:
        return answer(b'{"balance":"200.00"}')

    async def move(request: web.Request) -> web.Response:
        """Every so-and-so-many-th piece rises to its next status."""
        moved = range(int(request.query["first"]), number, int(request.query["every"]))
        for n in moved:
            stages[n] = min(stages[n] + 1, len(STATUSES) - 1)
            rows[n] = row(n, stages[n], ordered)
        return web.json_response(len(moved))

    async def refused(_request: web.Request) -> web.Response:
        return web.json_response({"success": False, "error": "You may not do this"}, status=403)

    app = web.Application()
    app.router.add_get("/v1/reporting/directMail/list/{first}/{last}", listed)
    app.router.add_get("/v1/reporting/campaignSingles/2", placed)
    app.router.add_get("/v1/campaigns/list", campaigns)
    app.router.add_get("/v1/accounts/balance", balance)
    app.router.add_get("/move", move)
    app.router.add_get("/v1/{rest:.*}", refused)
    await serve(app)


if __name__ == "__main__":
    asyncio.run(main())
