"""The HTTP routes: Slack's one address, each mail platform's webhook, and whether we are well."""

import asyncio
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier
from sqlalchemy.exc import SQLAlchemyError

from bot.front import payloads
from bot.front.door import request_of
from bot.front.payloads import NotFromSlackError
from bot.metrics import Metrics
from bot.platforms.registry import PLATFORMS
from bot.slack.urls import INSTALL, REDIRECT, is_slacks
from bot.tenants import Many, Sole
from handlers.charts import addresses
from handlers.charts.addresses import PictureGone
from handlers.context.services import Services
from handlers.errors import NotConnected, Overloaded, Removed, SecretClosed, WorkspaceGone
from handlers.ingest import webhooks
from storage.database import prove_writable
from storage.failures import reason_of
from storage.records import Workspace
from storage.schema import revision
from storage.workspaces import WorkspaceUnknownError

if TYPE_CHECKING:
    from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow

log = structlog.get_logger()

#: Slack's largest payloads are views of 250 kB; a mail platform's call of 50 objects is smaller.
BODY_CAP: Final = 1_000_000
#: Slack's signatures are good for five minutes; so many of them are remembered.
SIGNATURES_KEPT: Final = 20_000


BODY_SECONDS: Final = 10
#: Whoever asks whether we are ready does not wait for long.
READY_SECONDS: Final = 2
FIELDS: Final = 100
#: aiohttp's limits. A connection that has sent no whole head of a request by then is closed.
LIMITS: Final[dict[str, Any]] = {
    "keepalive_timeout": 30, "max_line_size": 8190, "max_field_size": 8190, "max_headers": 100,
}  # fmt: skip
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Strict-Transport-Security": "max-age=31536000",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
#: The pages of an installation have a style of their own, and nothing else.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
}


@dataclass
class Replays:
    """Signatures that were used. Each carries its own timestamp, which Slack's check lets live for five minutes."""

    used: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def is_first(self, signature: str) -> bool:
        if signature in self.used:
            return False
        self.used[signature] = None
        if len(self.used) > SIGNATURES_KEPT:
            self.used.popitem(last=False)
        return True

    def forget(self, signature: str) -> None:
        self.used.pop(signature, None)


@dataclass(frozen=True)
class Front:
    """What the routes need. Without a `bolt` Slack does not come by HTTP; without a secret no mail platform does."""

    services: Services
    tenants: Sole | Many
    metrics: Metrics
    bolt: AsyncApp | None
    verifier: SignatureVerifier | None
    flow: "AsyncOAuthFlow | None"
    takes_webhooks: bool
    slack_api: str
    slack_is_connected: Callable[[], Awaitable[bool]]
    replays: Replays = field(default_factory=Replays)

    async def slack(self, request: web.Request) -> web.Response:
        """Everything that Slack sends."""
        assert self.bolt is not None  # noqa: S101 - the route exists only with it
        began = time.monotonic()
        raw = await read_body(request)
        signature = request.headers.get("X-Slack-Signature", "")
        if not self._is_genuine(raw, request, signature) or not self.replays.is_first(signature):
            return web.json_response({"error": "invalid signature"}, status=401)
        try:
            body = understood(raw, request.content_type)
        except NotFromSlackError as error:
            log.warning("slack.not_understood", places=str(error))
            return web.json_response({"error": "not understood"}, status=400)
        if not names_only(body, self.slack_api):
            log.warning("slack.foreign_address")
            return web.json_response({"error": "not understood"}, status=400)
        answered = 500
        try:
            response = await to_aiohttp_response(await self.bolt.async_dispatch(_as_bolt_reads(body)))
            answered = response.status
        except SQLAlchemyError as error:
            log.error("slack.not_admitted", reason=reason_of(error))  # noqa: TRY400 - each of a crowd would say it
            response = web.json_response({"error": "try again"}, status=503)
        finally:
            if answered >= 500:  # noqa: PLR2004 - HTTP
                # Slack may repeat what failed within the same second, and so with the same signature.
                self.replays.forget(signature)
        self.metrics.acks.observe(time.monotonic() - began)
        return response

    def _is_genuine(self, raw: bytes, request: web.Request, signature: str) -> bool:
        assert self.verifier is not None  # noqa: S101 - there with `bolt`
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        # The verifier reads the stamp as a number and the body as text, and raises on anything else.
        if not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 12 or not signature.isascii():  # noqa: PLR2004 - seconds until the year 33658
            return False
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return False
        return self.verifier.is_valid(body=body, timestamp=stamp, signature=signature)

    async def mail(self, request: web.Request) -> web.Response:
        """A mail platform's webhook. 503 only when nothing could be kept: a few failures may silently end the calls."""
        answer = await self._mail(request)
        self.metrics.answered(answer.status)
        return answer

    async def _mail(self, request: web.Request) -> web.Response:
        raw = await read_body(request)
        try:
            services, workspace = await self._called(request.match_info.get("token", ""))
            # Its headers find a name in whatever case.
            status = await webhooks.receive(services, workspace, raw, request.headers)
        except (WorkspaceUnknownError, Removed, WorkspaceGone, NotConnected):
            return web.json_response({"error": "not found"}, status=404)
        except SecretClosed:
            # Said by who could not open it. To be told again is better than to lose it.
            return web.json_response({"error": "not now"}, status=503)
        except Overloaded:
            log.warning("webhook.overloaded")
            return web.json_response({"error": "busy"}, status=503, headers={"Retry-After": "5"})
        except SQLAlchemyError as error:
            log.error("webhook.not_kept", reason=reason_of(error))  # noqa: TRY400 - each of a crowd would say it
            return web.json_response({"error": "not stored"}, status=503)
        return web.Response(body=b"{}", status=status, content_type="application/json")

    async def _called(self, token: str) -> tuple[Services, Workspace]:
        """Whose mail account calls; raises WorkspaceUnknownError."""
        if isinstance(self.tenants, Sole):
            return self.tenants.services, self.tenants.workspace
        return await self.tenants.by_webhook(token)

    async def install(self, request: web.Request) -> web.Response:
        """The first page of an installation: leads to Slack's."""
        assert self.flow is not None  # noqa: S101 - the route exists only with it
        return await self._page(self.flow.handle_installation, request)

    async def installed(self, request: web.Request) -> web.Response:
        """Slack leads the browser back here."""
        assert self.flow is not None  # noqa: S101 - the route exists only with it
        return await self._page(self.flow.handle_callback, request)

    @staticmethod
    async def _page(
        handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]], request: web.Request
    ) -> web.Response:
        # What a browser sends besides is not looked at.
        asked = AsyncBoltRequest(body="", query=request.query_string, headers={**request.headers})
        response = await to_aiohttp_response(await handle(asked))
        response.headers.update(PAGE_HEADERS)
        for name, cookie in response.cookies.items():
            # Without it another site could make a browser begin an installation.
            response.cookies[name]["samesite"] = cookie["samesite"] or "Lax"
        return response

    async def show_metrics(self, _request: web.Request) -> web.Response:
        """For Prometheus, at an address of its own."""
        if isinstance(self.tenants, Many):
            self.metrics.closed.set(len(self.tenants.closed))
        text = await self.metrics.text(self.services)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def picture(self, request: web.Request) -> web.Response:
        """A pie by its signed address."""
        services = self.services
        try:
            pie = addresses.opened(services.policy.picture_key, request.match_info["token"], services.clock.now())
        except PictureGone:
            raise web.HTTPNotFound from None
        headers = {"Cache-Control": "private, max-age=3600"}
        return web.Response(body=await services.renderer.pie(pie), content_type="image/png", headers=headers)

    async def healthy(self, _request: web.Request) -> web.Response:
        """Alive."""
        return web.json_response({"ok": True})

    async def _database_serves(self) -> bool:
        """Whether it answers, serves this version, and takes writes again if the last one failed or hangs."""
        memory = self.services.memory
        try:
            async with asyncio.timeout(READY_SECONDS):
                if not memory.database.is_well():
                    await memory.write(prove_writable)
                    await memory.on_writer(self.services.inflow.inbox.prove)
                return (await memory.read(revision.state)).serves
        except (SQLAlchemyError, TimeoutError):
            return False

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether work can be done: the database serves this version, and Slack is connected."""
        checks = {"database": await self._database_serves(), "slack": await self.slack_is_connected()}
        return web.json_response(checks, status=200 if all(checks.values()) else 503)


async def read_body(request: web.Request) -> bytes:
    """The body, if it comes within a few seconds: who sends it byte by byte is not waited for.

    What does not unpack is refused as what it is: nobody has looked at a signature yet.
    """
    try:
        if request.content.is_eof():
            # It came with its head, as nearly all do: there is nothing to wait for.
            return await request.read()
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except web.RequestPayloadError:
        refusal = web.HTTPBadRequest()
        # Where the next request would begin, nobody knows.
        refusal.force_close()
        raise refusal from None


def understood(raw: bytes, content_type: str) -> dict[str, Any]:
    """The body in one of the three shapes that Slack sends: JSON, a form with a payload, or a plain form.

    Raises NotFromSlackError for anything else, and where it is not what Bolt reads of any request.
    """
    try:
        text = raw.decode()
        fields = _fields(text) if content_type != "application/json" else {"payload": text}
        if "payload" not in fields:
            # A command: texts alone, which its listener reads before it answers.
            return {name: value for name, value in fields.items() if name in payloads.FORM}
        body = _object(fields["payload"])
    except (ValueError, TypeError, RecursionError) as error:
        raise NotFromSlackError(type(error).__name__) from None
    payloads.require_slack(body)
    return payloads.without_empty(body)


def _as_bolt_reads(body: dict[str, Any]) -> AsyncBoltRequest:
    """The body as it was read here, for Bolt reads nothing anew: a form in which somebody typed "payload" it would take
    for one that has such a field. What comes by HTTP and down a socket goes the same way."""
    if not body.get("response_url", True):
        # Bolt would call an address for answers that is empty, for a workspace that it does not know.
        body = {name: value for name, value in body.items() if name != "response_url"}
    return AsyncBoltRequest(mode="socket_mode", body=body)


def _object(text: str) -> dict[str, Any]:
    payloads.require_clean(text)
    body = json.loads(text)
    if not isinstance(body, dict):
        raise TypeError
    return body


def _fields(text: str) -> dict[str, Any]:
    fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS))
    if not fields or ("payload" not in fields and any("\x00" in value for value in fields.values())):
        raise ValueError
    return fields


def names_only(body: dict[str, Any], api: str) -> bool:
    """Whether every address for answers is Slack's own. Bolt itself calls them, for a workspace that is unknown."""
    named = [body["response_url"]] if body.get("response_url") else []
    named += [one.get("response_url") for one in body.get("response_urls") or []]
    return all(isinstance(one, str) and is_slacks(one, api) for one in named)


@web.middleware
async def boundary(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The boundary round every route: nothing of what broke goes outside but a reference."""
    try:
        with request_of(request):
            return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        reference = uuid.uuid4().hex[:8]
        # The pattern, not the path: that may hold a token.
        log.exception("route.broke", reference=reference, route=pattern_of(request))
        return web.json_response({"error": "something went wrong", "reference": reference}, status=500)


def pattern_of(request: web.Request) -> str:
    """The route as it is written here, without what stands in its places."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else "none"


async def harden(_request: web.Request, response: web.StreamResponse) -> None:
    """What every answer says to browsers."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.popall("Server", None)


def build_web(front: Front) -> web.Application:
    """The routes that this process offers."""
    app = web.Application(client_max_size=BODY_CAP, middlewares=[boundary])
    app.on_response_prepare.append(harden)
    app.router.add_get("/healthz", front.healthy)
    app.router.add_get("/readyz", front.ready)
    if front.services.policy.public_url:
        app.router.add_get("/pictures/{token}", front.picture)
    if front.bolt is not None:
        app.router.add_post("/slack/events", front.slack)
    if front.flow is not None:
        app.router.add_get(INSTALL, front.install, allow_head=False)
        app.router.add_get(REDIRECT, front.installed, allow_head=False)
    if front.takes_webhooks:
        many = isinstance(front.tenants, Many)
        for key in PLATFORMS:
            app.router.add_post(f"/webhooks/{key}/{{token}}" if many else f"/webhooks/{key}", front.mail)
    return app


def build_metrics(front: Front) -> web.Application:
    """What only the operator may read, and no proxy passes on: it listens somewhere else."""
    app = web.Application(middlewares=[boundary])
    app.on_response_prepare.append(harden)
    app.router.add_get("/metrics", front.show_metrics)
    return app
