"""The HTTP routes: Slack's one address, Stannp's webhook, and whether we are well."""

import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.signature import SignatureVerifier
from sqlalchemy.exc import SQLAlchemyError

from handlers import pictures, webhooks
from handlers.pictures import PictureGone
from handlers.ports import Overloaded
from handlers.services import Services
from storage import schema
from storage.records import Workspace

log = structlog.get_logger()

#: Slack's largest payloads are views of 250 kB; Stannp sends at most 50 objects a call.
BODY_CAP: Final = 1_000_000
#: Slack's signatures are good for five minutes; so many of them are remembered.
SIGNATURES_KEPT: Final = 20_000


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
    """What the routes need. Without a `bolt` Slack does not come by HTTP; without a secret Stannp does not."""

    services: Services
    workspace: Workspace
    bolt: AsyncApp | None
    verifier: SignatureVerifier | None
    takes_webhooks: bool
    slack_is_connected: Callable[[], Awaitable[bool]]
    replays: Replays = field(default_factory=Replays)

    async def slack(self, request: web.Request) -> web.Response:
        """Everything that Slack sends."""
        assert self.bolt is not None  # noqa: S101 - the route exists only with it
        assert self.verifier is not None  # noqa: S101
        raw = await request.read()
        signature = request.headers.get("X-Slack-Signature", "")
        if not self._is_genuine(raw, request, signature) or not self.replays.is_first(signature):
            return web.json_response({"error": "invalid signature"}, status=401)
        response = await to_aiohttp_response(await self.bolt.async_dispatch(await to_bolt_request(request)))
        if response.status >= 500:  # noqa: PLR2004 - HTTP
            # Slack may repeat what failed within the same second, and so with the same signature.
            self.replays.forget(signature)
        return response

    def _is_genuine(self, raw: bytes, request: web.Request, signature: str) -> bool:
        assert self.verifier is not None  # noqa: S101 - see above
        stamp = request.headers.get("X-Slack-Request-Timestamp", "")
        # The verifier reads the stamp as a number and the body as text, and raises on anything else.
        if not (stamp.isascii() and stamp.isdecimal()) or len(stamp) > 12 or not signature.isascii():  # noqa: PLR2004 - seconds until the year 33658
            return False
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return False
        return self.verifier.is_valid(body=body, timestamp=stamp, signature=signature)

    async def stannp(self, request: web.Request) -> web.Response:
        """Stannp's webhook. 503 only when nothing could be kept: five failures in a day silently end the calls."""
        raw = await request.read()
        headers = dict(request.headers)
        try:
            status = await webhooks.receive(self.services, self.workspace, raw, headers)
        except Overloaded:
            log.warning("webhook.overloaded")
            return web.json_response({"error": "busy"}, status=503, headers={"Retry-After": "5"})
        except SQLAlchemyError as error:
            log.error("webhook.not_kept", reason=type(error).__name__)  # noqa: TRY400 - each of a crowd would say it
            return web.json_response({"error": "not stored"}, status=503)
        return web.json_response({}, status=status)

    async def picture(self, request: web.Request) -> web.Response:
        """A pie by its signed address."""
        services = self.services
        try:
            pie = pictures.opened(services.policy.picture_key, request.match_info["token"], services.clock.now())
        except PictureGone:
            raise web.HTTPNotFound from None
        headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=await services.studio.pie(pie), content_type="image/png", headers=headers)

    async def healthy(self, _request: web.Request) -> web.Response:
        """Alive."""
        return web.json_response({"ok": True})

    async def ready(self, _request: web.Request) -> web.Response:
        """Whether work can be done: the database is at this version's schema, and Slack is connected."""
        try:
            revision = await self.services.memory.read(schema.current)
        except SQLAlchemyError:
            revision = None
        checks = {"database": revision == schema.HEAD, "slack": await self.slack_is_connected()}
        return web.json_response(checks, status=200 if all(checks.values()) else 503)


@web.middleware
async def boundary(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """The boundary round every route: nothing of what broke goes outside but a reference."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception:
        reference = uuid.uuid4().hex[:8]
        log.exception("route.broke", reference=reference, path=request.path)
        return web.json_response({"error": "something went wrong", "reference": reference}, status=500)


def build_web(front: Front) -> web.Application:
    """The routes that this process offers."""
    app = web.Application(client_max_size=BODY_CAP, middlewares=[boundary])
    app.router.add_get("/healthz", front.healthy)
    app.router.add_get("/readyz", front.ready)
    if front.services.policy.public_url:
        app.router.add_get("/pictures/{token}", front.picture)
    if front.bolt is not None:
        app.router.add_post("/slack/events", front.slack)
    if front.takes_webhooks:
        app.router.add_post("/webhooks/stannp", front.stannp)
    return app
