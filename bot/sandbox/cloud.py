"""Several workspaces behind one address, as Slack has them: installing by OAuth, tokens that end, and leaving.

Each workspace is a `SlackDouble`. Tokens are single-use where Slack's are: a code, and a refresh token; using one again
is refused, and kept in `problems`.
"""

import asyncio
import base64
import html
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from aiohttp import web

from bot.sandbox.slack import BOT_USER, Acked, SlackDouble, _faulty
from bot.sandbox.slack import _arguments as arguments_of

Json = Any
APP_ID: Final = "A0"
PAGE: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Slack</title></head>
<body style="font:17px system-ui;max-width:32rem;margin:10vh auto">
<h1>Piecewise wants to access a workspace</h1><form method="get" action="/oauth/allow">
<input type="hidden" name="state" value="{state}"><input type="hidden" name="redirect_uri" value="{redirect}">
<p>It asks for: {scopes}</p>{teams}
<button name="answer" value="allow">Allow</button> <button name="answer" value="cancel" formnovalidate>Cancel</button>
</form></body></html>"""


@dataclass
class Grant:
    """A code or a refresh token: whose, and for which scopes."""

    team: str
    user: str
    scopes: set[str]
    redirect: str = ""


@dataclass
class SlackCloud:
    """Slack for several teams. `lifetime`: how long a token lives, in seconds."""

    client_id: str = "123.456"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - opens nothing but this double
    signing_secret: str = "sandbox-signing-secret"  # noqa: S105
    lifetime: float = 43_200
    teams: dict[str, SlackDouble] = field(default_factory=dict)
    codes: dict[str, Grant] = field(default_factory=dict)
    refreshes: dict[str, Grant] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)
    #: Tokens of installations that are no more, and whose they were: Slack says `account_inactive` to them.
    ended: dict[str, str] = field(default_factory=dict)
    installed: dict[str, str] = field(default_factory=dict)
    #: A refresh token may be used again so many seconds after its use ("a short grace period", docs.slack.dev:
    #: authentication/using-token-rotation).
    grace: float = 0
    used: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    #: While it is set to an event, a refresh is carried out and its answer held back until then; `holding` says so.
    hold: asyncio.Event | None = None
    holding: bool = False
    renewals: int = 0
    problems: list[str] = field(default_factory=list)
    base: str = ""
    _runner: web.AppRunner | None = None
    _session: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        """The Web API's address."""
        return f"{self.base}/api/"

    def add_team(self, team: str, name: str) -> SlackDouble:
        """Another workspace, without the app."""
        made = SlackDouble(
            team=team, team_name=name, bot_token=f"xoxb-none-{uuid.uuid4().hex}", signing_secret=self.signing_secret,
            file_delay=0.1,
        )  # fmt: skip
        made.scopes = set()
        self.teams[team] = made
        return made

    async def start(self) -> None:
        """Listens on loopback."""
        app = web.Application(client_max_size=30_000_000)
        app.add_routes(
            [
                web.get("/oauth/v2/authorize", self._authorize),
                web.get("/oauth/allow", self._allow),
                web.post("/api/{method}", self._api),
                web.get("/api/{method}", self._api),
                web.post("/{team}/upload/{file}", self._of_team),
                web.post("/{team}/commands/{token}", self._of_team),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._session = aiohttp.ClientSession()
        for name, team in self.teams.items():
            team.base, team._session = f"{self.base}/{name}", self._session  # noqa: SLF001 - its own parts

    async def stop(self) -> None:
        """Stops listening."""
        if self._session:
            await self._session.close()
        if self._runner:
            await self._runner.cleanup()

    def send_to(self, events_url: str) -> None:
        """Where the app takes what Slack sends."""
        for team in self.teams.values():
            team.events_url = events_url

    def every_problem(self) -> list[str]:
        """All breaches of Slack's rules, of any team."""
        return self.problems + [one for team in self.teams.values() for one in team.problems]

    # ---- Installing ---------------------------------------------------------------------------------------------

    async def _authorize(self, request: web.Request) -> web.Response:
        """Slack's own page: which workspace, and may it?"""
        if request.query.get("client_id") != self.client_id:
            self.problems.append("oauth: a foreign client id")
            return web.Response(status=400, text="invalid_client_id")
        only = " checked" if len(self.teams) == 1 else ""
        choices = "".join(
            f'<p><label><input type="radio" name="team" value="{name}" required{only}> '
            f"{html.escape(team.team_name)}</label></p>"
            for name, team in self.teams.items()
        )
        scopes = request.query.get("scope", "")
        shown = {
            "state": html.escape(request.query.get("state", "")),
            "redirect": html.escape(request.query["redirect_uri"]),
            "scopes": html.escape(scopes),
            "teams": choices + f'<input type="hidden" name="scope" value="{html.escape(scopes)}">',
        }
        return web.Response(text=PAGE.format(**shown), content_type="text/html")

    async def _allow(self, request: web.Request) -> web.Response:
        asked, back = request.query, request.query["redirect_uri"]
        if asked["answer"] != "allow" or asked.get("team") not in self.teams:
            raise web.HTTPFound(f"{back}?error=access_denied&state={asked['state']}")
        code, user = uuid.uuid4().hex, next(iter(self.teams[asked["team"]].users))
        self.codes[code] = Grant(asked["team"], user, set(asked["scope"].split(",")), back)
        raise web.HTTPFound(f"{back}?code={code}&state={asked['state']}")

    def _exchange(self, given: dict[str, Json]) -> dict[str, Json]:
        if (given.get("client_id"), given.get("client_secret")) != (self.client_id, self.client_secret):
            return {"ok": False, "error": "bad_client_secret"}
        renewing = given.get("grant_type") == "refresh_token"
        ticket = str(given.get("refresh_token") if renewing else given.get("code"))
        grant, until = self.used.get(ticket, (None, 0.0))
        if grant is not None and time.time() < until:
            return self._issue(grant)
        if ticket in self.spent:
            self.problems.append(f"oauth.v2.access: a {'refresh token' if renewing else 'code'} was used twice")
        grant = (self.refreshes if renewing else self.codes).pop(ticket, None)
        if grant is None or (not renewing and given.get("redirect_uri") != grant.redirect):
            return {"ok": False, "error": "invalid_refresh_token" if renewing else "invalid_code"}
        self.spent.add(ticket)
        if renewing:
            self.used[ticket] = grant, time.time() + self.grace
        self.renewals += renewing
        return self._issue(grant)

    def _issue(self, grant: Grant) -> dict[str, Json]:
        """A token that ends, and the only one with which the next can be had."""
        team = self.teams[grant.team]
        if team.token_ends != float("inf"):
            # Two tokens are good at a time; the oldest goes.
            team.older_tokens = {team.bot_token: team.token_ends}
        team.bot_token, team.token_ends = f"xoxe.xoxb-1-{uuid.uuid4().hex}", time.time() + self.lifetime
        team.scopes = set(grant.scopes)
        refresh = f"xoxe-1-{uuid.uuid4().hex}"
        self.refreshes[refresh] = grant
        self.installed[grant.team] = grant.user
        return {
            "ok": True, "app_id": APP_ID, "access_token": team.bot_token, "token_type": "bot",
            "scope": ",".join(sorted(grant.scopes)), "bot_user_id": BOT_USER, "expires_in": int(self.lifetime),
            "refresh_token": refresh, "team": {"id": grant.team, "name": team.team_name}, "enterprise": None,
            "is_enterprise_install": False, "authed_user": {"id": grant.user},
        }  # fmt: skip

    # ---- What the app calls -------------------------------------------------------------------------------------

    async def _api(self, request: web.Request) -> web.Response:
        if request.match_info["method"] == "oauth.v2.access":
            given = await arguments_of(request)
            basic = request.headers.get("Authorization", "")
            if basic.startswith("Basic "):
                login, _, password = base64.b64decode(basic[6:]).decode().partition(":")
                given |= {"client_id": login, "client_secret": password}
            answer = self._exchange(given)
            if self.hold is not None and given.get("grant_type") == "refresh_token":
                self.holding = True
                await self.hold.wait()
            return web.json_response(answer)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        for team in self.teams.values():
            if token == team.bot_token or token in team.older_tokens:
                return await team._api(request)  # noqa: SLF001 - its own parts
        return self._refuse(request.match_info["method"], token)

    def _refuse(self, method: str, token: str) -> web.Response:
        """A token that is not good; an outage comes first."""
        if token not in self.ended:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        team = self.teams[self.ended[token]]
        team.calls.append((method, {}))
        fault = team._take_fault(method)  # noqa: SLF001 - its own parts
        return _faulty(fault) if fault else web.json_response({"ok": False, "error": "account_inactive"})

    async def _of_team(self, request: web.Request) -> web.Response:
        team = self.teams[request.match_info["team"]]
        handle = team._upload if "file" in request.match_info else team._answer  # noqa: SLF001 - its own parts
        return await handle(request)

    async def uninstall(self, team: str) -> list[Acked]:
        """Somebody removes the app from a workspace: its tokens are no more, and both events come."""
        gone = self.teams[team]
        self.ended |= dict.fromkeys([gone.bot_token, *gone.older_tokens], team)
        gone.bot_token, gone.older_tokens = f"xoxb-none-{uuid.uuid4().hex}", {}
        self._forget(one for one, grant in self.refreshes.items() if grant.team == team)
        self.installed.pop(team, None)
        revoked = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT_USER]}}
        return [await gone.tell({"type": "app_uninstalled"}), await gone.tell(revoked)]

    def _forget(self, tickets: Iterable[str]) -> None:
        for one in list(tickets):
            del self.refreshes[one]
