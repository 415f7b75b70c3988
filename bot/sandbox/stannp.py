"""A double of Stannp's API v1 over HTTP. It answers in any of the forms that were seen, and can be slow or rude.

What Stannp's documents leave open, and an account may meet one day, is switched on by its `rude` (see `Rude`).

Not documented, so chosen here: a cancel that comes too late is `success: false` with HTTP 200; a piece of a campaign
may be cancelled singly while it is `received`.
"""

import asyncio
import base64
import io
import json
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import aiohttp
from aiohttp import web

from bot.platforms.stannp import wire
from bot.sandbox.rude import FOR_EVER, HUGE, OPTIONAL, REFUSALS, SHORT_PAGE, SLOW, Rude

Json = Any
__all__ = ["REFUSALS", "MailCampaign", "Mailpiece", "Rude", "StannpDouble", "Trouble"]
ORDER: Final = ("received", "printing", "handed_over", "in_transit", "local_delivery", "delivered", "returned")


@dataclass
class Mailpiece:
    """A piece at the mail house. `scans` are (moment, word, place), oldest first."""

    id: int
    campaign_id: int
    created: datetime
    firstname: str
    lastname: str
    address1: str
    city: str
    county: str
    postcode: str
    kind: str = "postcard"
    format: str = "6x9"
    company: str = ""
    cost: Decimal = Decimal("0.84")
    status: str = "received"
    dispatched: datetime | None = None
    scans: list[tuple[datetime, str, str]] = field(default_factory=list)

    def move(self, status: str, moment: datetime, place: str = "", *, scanned: bool = True) -> None:
        """The piece reaches a status; `scanned` says whether its timeline shows it."""
        # Stannp tells whole seconds: a moment with a fraction would be another one to who knows it from elsewhere.
        moment = moment.replace(microsecond=0)
        self.status = status
        if status in ("handed_over", "dispatched"):
            self.dispatched = moment
        if scanned:
            self.scans.append((moment, status, place))


@dataclass
class MailCampaign:
    """A campaign at the mail house."""

    id: int
    name: str
    status: str
    created: datetime
    send_date: str | None = None
    kind: str = "6x9-postcard"
    #: What it will cost, while it has no pieces yet.
    price: Decimal = Decimal(0)


@dataclass
class Trouble:
    """What the next requests under a path meet instead of an answer."""

    path: str
    status: int = 500
    body: str = "<html>Bad gateway</html>"
    delay: float = 0
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    #: The request is carried out, but its answer is lost.
    after: bool = False


@dataclass(repr=False)
class StannpDouble:
    """One mail account. Start it with `start()`; `url` is then its API's address."""

    api_key: str = "sandbox-key"
    email: str = "ops@acme.example"
    webhook_secret: str = "sandbox-webhook-secret"  # noqa: S105 - opens nothing but this double
    balance: Decimal = Decimal("214.42")
    campaigns: dict[int, MailCampaign] = field(default_factory=dict)
    pieces: dict[int, Mailpiece] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    per_minute: int = 300
    used: int = 0
    #: Which reports this account answers: "directMail/list", "list", or none.
    reports: tuple[str, ...] = ("directMail/list", "list")
    offers_singles: bool = True
    #: Wraps answers twice, as several of Stannp's pages show.
    double_wrapped: bool = False
    #: Ids and money as text or as numbers; both were seen.
    ids_as_text: bool = False
    #: Put in place of rows, or beside them: what a broken or hostile answer would hold.
    extra_rows: list[Json] = field(default_factory=list)
    on_cancel: Callable[[Mailpiece], None] | None = None
    #: What else this account does otherwise than one would wish.
    rude: Rude = field(default_factory=Rude)
    #: The last webhook call, and the paths that were refused once (see `Rude`).
    called: tuple[bytes, str] | None = None
    refused_once: set[str] = field(default_factory=set)
    #: How often a webhook was called.
    posts: int = 0
    #: The moment by which it dates what it does.
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    base: str = ""
    _runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"{self.base}/v1"

    async def start(self, port: int = 0) -> None:
        """Listens on loopback."""
        app = web.Application(middlewares=[self._gate])
        app.add_routes([
            web.get("/v1/users/me", self._me),
            web.get("/v1/accounts/balance", self._balance),
            web.get("/v1/campaigns/list", self._campaign_list),
            web.get("/v1/campaigns/get/{id}", self._campaign),
            web.post("/v1/campaigns/delete", self._delete_campaign),
            web.get("/v1/reporting/campaignSingles/{id}", self._singles),
            web.get("/v1/reporting/directMail/list/{start}/{end}", self._newer_list),
            web.get("/v1/reporting/list/{start}/{end}", self._classic_list),
            web.get("/v1/reporting/summary/{start}/{end}", self._summary),
            web.get("/v1/{kind:letters|postcards}/get/{id}", self._piece),
            web.post("/v1/addresses/validate", self._validate),
            web.post("/v1/{kind:letters|postcards}/cancel", self._cancel),
        ])  # fmt: skip
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Counts, troubles, checks the key, and says how many requests are left."""
        path = request.path.removeprefix("/v1/")
        self.requests.append(f"{request.method} {path}")
        self.used += 1
        trouble = self._take_trouble(path)
        if trouble and trouble.delay:
            await asyncio.sleep(trouble.delay)
        if trouble and trouble.status and not trouble.after:
            return web.Response(status=trouble.status, text=trouble.body, headers=trouble.headers)
        expected = "Basic " + base64.b64encode(f"{self.api_key}:".encode()).decode()
        if request.headers.get("Authorization") != expected:
            return self._refuse("You need an API key or token to access this service", 401)
        response = self._be_rude(path)
        if self.rude.slow:
            await asyncio.sleep(SLOW)
        if response is None and self.rude.huge and path.startswith(("campaigns/list", "reporting/")):
            return await _pour(request)
        response = response or await handler(request)
        if trouble and trouble.after:
            return web.Response(status=trouble.status, text=trouble.body)
        response.headers["X-RateLimit-Limit"] = str(self.per_minute)
        response.headers["X-RateLimit-Remaining"] = str(max(self.per_minute - self.used, 0))
        response.headers["X-RateLimit-Reset"] = "1764043200" if self.rude.odd_limits else "1"
        return response

    def _be_rude(self, path: str) -> web.StreamResponse | None:
        """What is answered instead, if this account refuses the path."""
        kind = "/".join(path.split("/")[:2])
        status = self.rude.refuses(path)
        once = self.rude.busy_first and kind in OPTIONAL and kind not in self.refused_once
        if once and not status:
            self.refused_once.add(kind)
            status = 429
        if not status:
            return None
        if status >= 500:  # noqa: PLR2004 - HTTP
            return web.Response(status=status, text="<html>Server error</html>")
        response = self._refuse("Not found" if status == 404 else "You may not do this", status)  # noqa: PLR2004 - HTTP
        if status == 429:  # noqa: PLR2004 - HTTP
            response.headers["Retry-After"] = str(FOR_EVER if self.rude.busy_first else 30)
        return response

    def _take_trouble(self, path: str) -> Trouble | None:
        for trouble in self.troubles:
            if path.startswith(trouble.path) and trouble.times > 0:
                trouble.times -= 1
                return trouble
        return None

    def _answer(self, data: Json) -> web.Response:
        body = {"success": True, "data": data}
        return web.json_response({"success": True, "data": body} if self.double_wrapped else body)

    @staticmethod
    def _refuse(text: str, status: int = 200) -> web.Response:
        return web.json_response({"success": False, "error": text}, status=status)

    def _id(self, number: int) -> Json:
        return str(number) if self.ids_as_text else number

    async def _me(self, _request: web.Request) -> web.Response:
        return self._answer({"account_id": "1", "email": self.email, "user_id": "1"})

    async def _balance(self, _request: web.Request) -> web.Response:
        return self._answer({"balance": f"{self.balance:.4f}"})

    def campaign_row(self, campaign: MailCampaign) -> dict[str, Json]:
        mine = self.pieces_of(campaign.id)
        return {
            "id": str(campaign.id),
            "name": campaign.name,
            "type": campaign.kind,
            "status": campaign.status,
            "send_date": campaign.send_date,
            "created": campaign.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "updated": campaign.created.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "recipients": str(len(mine)),
            "dispatched": "0",
            "cost": str(sum((piece.cost for piece in mine), Decimal(0)) or campaign.price),
        }

    def pieces_of(self, campaign_id: int) -> list[Mailpiece]:
        """A campaign's pieces."""
        return [piece for piece in self.pieces.values() if piece.campaign_id == campaign_id]

    async def _campaign_list(self, request: web.Request) -> web.Response:
        rows = [self.campaign_row(campaign) for campaign in self.campaigns.values()]
        return self._answer(
            rows if self.rude.no_offset else _page(rows, request)[: SHORT_PAGE if self.rude.short_pages else None]
        )

    async def _campaign(self, request: web.Request) -> web.Response:
        campaign = self.campaigns.get(int(request.match_info["id"]))
        return self._answer(self.campaign_row(campaign)) if campaign else self._refuse("Campaign not found", 404)

    async def _delete_campaign(self, request: web.Request) -> web.Response:
        form = await request.post()
        campaign = self.campaigns.get(int(str(form["id"])))
        if campaign is None:
            return self._refuse("Campaign not found", 404)
        if campaign.status not in ("draft", "approved", "provisioned"):
            return self._refuse("This campaign has been booked")
        del self.campaigns[campaign.id]
        return self._answer(True)

    async def _singles(self, request: web.Request) -> web.Response:
        if not self.offers_singles:
            return self._refuse("Not found", 404)
        mine = self.pieces_of(int(request.match_info["id"]))
        # A production client reads no more than these from it.
        rows = [
            {"id": self._id(p.id), "recipient_id": p.id, "status": p.status, "dispatched": _naive(p.dispatched)}
            for p in mine
        ]
        return self._answer([*rows, *self.extra_rows])

    async def _newer_list(self, request: web.Request) -> web.Response:
        if "directMail/list" not in self.reports:
            return web.Response(status=404, text="Not Found")
        rows = [self._list_row(piece) for piece in self._between(request)]
        if self.rude.endless:
            rows = [row | {"id": int(request.query["offset"]) + n} for n, row in enumerate(rows * 500, 900_000_000)]
            return self._answer(rows[:500])
        return self._answer([*_page(rows, request)[: SHORT_PAGE if self.rude.short_pages else None], *self.extra_rows])

    async def _classic_list(self, request: web.Request) -> web.Response:
        if "list" not in self.reports:
            return web.Response(status=404, text="Not Found")
        rows = [self._list_row(piece) | {"address": piece.address1} for piece in self._between(request)]
        return self._answer({"singles": [*rows, *self.extra_rows]})

    def _between(self, request: web.Request) -> list[Mailpiece]:
        first, last = request.match_info["start"][:10], request.match_info["end"][:10]
        found = [piece for piece in self.pieces.values() if first <= piece.created.strftime("%Y-%m-%d") <= last]
        return sorted(found, key=lambda piece: piece.id)

    def _list_row(self, piece: Mailpiece) -> dict[str, Json]:
        return self.rude.row(self._row(piece))

    def _row(self, piece: Mailpiece) -> dict[str, Json]:
        return {
            "id": self._id(piece.id),
            "timestamp": _naive(piece.created),
            "status": piece.status,
            "type": piece.kind,
            "format": piece.format,
            "dispatched": _naive(piece.dispatched),
            "country": "US",
            "cost": str(piece.cost) if self.ids_as_text else float(piece.cost),
            "postcode": piece.postcode,
        }

    async def _summary(self, request: web.Request) -> web.Response:
        found = self._between(request)
        counts = {word: sum(p.status == word for p in found) for word in (*ORDER, "cancelled") if word != "in_transit"}
        return self._answer({"total": len(found), **counts})

    def _wanted(self, request: web.Request, ref: str) -> Mailpiece | None:
        piece = self.pieces.get(int(ref)) if ref.isdigit() else None
        return piece if piece is not None and request.match_info["kind"].startswith(piece.kind) else None

    async def _piece(self, request: web.Request) -> web.Response:
        piece = self._wanted(request, request.match_info["id"])
        return self._answer(self.detail(piece)) if piece else self._refuse("Not found", 404)

    def detail(self, piece: Mailpiece) -> dict[str, Json]:
        """Everything about a piece, with its timeline."""
        scans = [{"status": word, "date": _naive(when), "location": where} for when, word, where in piece.scans]
        return self._row(piece) | {
            "account_id": 5,
            "campaign_id": self._id(piece.campaign_id),
            "firstname": piece.firstname,
            "lastname": piece.lastname,
            "company": piece.company,
            "address1": piece.address1,
            "address2": "",
            "city": piece.city,
            "county": piece.county,
            "mailpiece_id": piece.id,
            "tracking": self.rude.scans(scans),
        }

    async def _validate(self, request: web.Request) -> web.Response:
        """Addresses on even numbers of a street are deliverable here; the register writes streets in capitals."""
        form = await request.post()
        address = str(form.get("address1", ""))
        if not address:
            return self._refuse("address1 is required")
        number = address.split(" ", 1)[0]
        known = {
            "address1": address.upper(),
            "address2": "",
            "address3": "",
            "city": str(form.get("city", "")).upper(),
            "county": form.get("state", ""),
            "postcode": form.get("zipcode", ""),
            "country": form.get("country", ""),
            "is_valid": number.isdigit() and int(number) % 2 == 0,
        }
        return self._answer(known)

    async def _cancel(self, request: web.Request) -> web.Response:
        form = await request.post()
        piece = self._wanted(request, str(form["id"]))
        if piece is None:
            return self._refuse("Not found", 404)
        if self.on_cancel:
            self.on_cancel(piece)
        if piece.status != "received":
            return self._refuse("This item has already been processed")
        piece.move("cancelled", self.now())
        self.balance += piece.cost
        return self._answer(1)

    def delivery(self, pieces: list[Mailpiece], retries: int = 0) -> bytes:
        """A webhook call about these pieces: its body, as Stannp would send it."""
        rows = [self.rude.told(self._row(piece)) for piece in pieces]
        return self._call("mailpiece_status", retries=retries, mailpieces=rows)

    def campaign_delivery(self, campaigns: list[MailCampaign]) -> bytes:
        """A webhook call about these campaigns. Its objects have no name and no count (API reference, "Objects")."""
        rows = [self.rude.campaign(self.campaign_row(campaign)) for campaign in campaigns]
        return self._call("campaign_status", campaigns=rows)

    def _call(self, event: str, webhook_id: int = 1234, retries: int = 0, **more: Json) -> bytes:
        body = {"webhook_id": webhook_id, "event": event, "created": _naive(self.now()), "retries": retries}
        return json.dumps({**body, **more}).encode()

    async def shake_hands(self, address: str) -> int:
        """What Stannp does when somebody adds a webhook: without a 200 it is not added. Gives the HTTP status."""
        raw = self._call("test_url", webhook_id=0)
        signed = "" if self.rude.handshake_unsigned else wire.sign(raw, self.webhook_secret)
        return await self._post(address, raw, signed)

    async def call_webhook(self, address: str, raw: bytes, signature: str | None = None) -> int:
        """Sends a webhook call, signed unless told otherwise; gives the HTTP status."""
        signed = wire.sign(raw, self.webhook_secret) if signature is None else signature
        status = await self._post(address, raw, signed)
        if self.rude.webhooks_repeated:
            status = max(status, await self._post(address, raw, signed))
        if self.rude.webhooks_late and self.called:
            status = max(status, await self._post(address, *self.called))
        self.called = (raw, signed)
        return status

    async def _post(self, address: str, raw: bytes, signed: str) -> int:
        self.posts += 1
        headers = {"Content-Type": "application/json"} | ({"X-Stannp-Signature": signed} if signed else {})
        async with (
            aiohttp.ClientSession() as session,
            session.post(address, data=io.BytesIO(raw), headers=headers) as response,
        ):
            return response.status


def _naive(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else None


def _page(rows: list[Json], request: web.Request) -> list[Json]:
    offset, limit = int(request.query.get("offset", 0)), int(request.query.get("limit", 1000))
    return rows[offset : offset + limit]


async def _pour(request: web.Request) -> web.StreamResponse:
    """Four hundred megabytes of blanks, as gzip."""
    response = web.StreamResponse(headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})
    await response.prepare(request)
    async for chunk in _blanks(HUGE):
        await response.write(chunk)
    return response


async def _blanks(number: int) -> AsyncIterator[bytes]:
    packer, blanks = zlib.compressobj(1, wbits=31), b" " * 1_000_000
    for _ in range(number // len(blanks)):
        yield packer.compress(blanks)
        await asyncio.sleep(0)
    yield packer.compress(b'{"success":true,"data":[]}') + packer.flush()
