"""A Stannp of many accounts that remembers nothing: each answer is made from the account's key, the number of the piece
and the time. Words: the pieces of an account, and the seconds in which each of them rises once."""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta

import aiohttp
from aiohttp import web

from tests.benchmarks.serving import serve

STATUSES = ("printing", "handed_over", "in_transit", "local_delivery", "delivered")


def piece(account: int, number: int, age: float, step: float, ordered: str) -> dict[str, object]:
    """How a piece stands: it began at one of three, and rises at a moment of its own in each step."""
    stage = min(number % 3 + int(age / step + number * 0.618034 % 1), len(STATUSES) - 1)
    return {
        "id": account * 1_000_000 + number, "timestamp": ordered, "status": STATUSES[stage], "type": "postcard",
        "format": "6x9", "dispatched": ordered if stage else None, "country": "US", "cost": 0.84, "postcode": "78701",
    }  # fmt: skip


async def main() -> None:
    number, step, began = int(sys.argv[1]), float(sys.argv[2]), time.monotonic()
    ordered = (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%d %H:%M:%S")
    counted = {"requests": 0, "rows": 0, "polls": 0}

    def account_of(request: web.Request) -> int:
        counted["requests"] += 1
        return int(aiohttp.BasicAuth.decode(request.headers["Authorization"]).login.removeprefix("key-"))

    async def listed(request: web.Request) -> web.Response:
        account, first = account_of(request), int(request.query["offset"])
        age, last = time.monotonic() - began, min(first + int(request.query["limit"]), number)
        rows = [piece(account, n, age, step, ordered) for n in range(first, last)]
        counted["rows"] += len(rows)
        return web.json_response({"success": True, "data": rows})

    async def campaigns(request: web.Request) -> web.Response:
        account_of(request)
        counted["polls"] += request.query["offset"] == "0"
        return web.json_response({"success": True, "data": []})

    async def balance(request: web.Request) -> web.Response:
        account_of(request)
        return web.json_response({"success": True, "data": {"balance": "200.00"}})

    async def refused(request: web.Request) -> web.Response:
        account_of(request)
        return web.json_response({"success": False, "error": "You may not do this"}, status=403)

    async def tell(_request: web.Request) -> web.Response:
        return web.json_response(counted)

    app = web.Application()
    app.router.add_get("/counted", tell)
    app.router.add_get("/v1/reporting/directMail/list/{first}/{last}", listed)
    app.router.add_get("/v1/campaigns/list", campaigns)
    app.router.add_get("/v1/accounts/balance", balance)
    app.router.add_get("/v1/{rest:.*}", refused)
    await serve(app)


if __name__ == "__main__":
    asyncio.run(main())
