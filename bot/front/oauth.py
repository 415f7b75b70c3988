"""Installing from a web page: Slack's OAuth with our own memory behind it. A cookie binds the state to the browser.

The flow is Bolt's. Its stores are not used: they keep tokens in the clear, in columns too short for sealed ones.
"""

import html
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging import Logger, getLogger
from typing import Any, Final

import structlog
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.response import BoltResponse
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.installation_store.models.installation import Installation
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection

from bot.slack.client import HTTP_SCOPES, SCOPES
from bot.slack.urls import INSTALL, REDIRECT
from bot.tenants import AppCredentials, Many
from storage import audit, outbox, troubles, workspaces
from storage import secrets as sealed_secrets
from storage.audit import Act
from storage.records import Workspace
from storage.secrets import SecretKind
from storage.troubles import Kind

log = structlog.get_logger()

#: An installation that was begun in a browser must end within this time.
BEGUN_FOR: Final = timedelta(minutes=10)
#: What Bolt calls its reasons, and what a person reads. Whatever else comes from the address is not repeated.
REASONS: Final = {
    "access_denied": "The installation was cancelled in Slack. Nothing was changed.",
    "invalid_browser": "This page was opened in another browser than the one that began, or cookies are switched off.",
    "invalid_state": "This took longer than ten minutes, or the page was opened a second time.",
}
OTHERWISE: Final = "Slack did not confirm the installation."
PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Piecewise</title>
<style>body{{font:17px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1.5rem;color:#1d1c1d}}
h1{{font-size:1.6rem}}a{{color:#0b5cad}}@media(prefers-color-scheme:dark){{body{{background:#1a1d21;color:#e8e8e8}}
a{{color:#7cb7ff}}}}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"""


@dataclass
class Store(AsyncInstallationStore, AsyncOAuthStateStore):
    """What Bolt's flow keeps: installations, sealed, and those begun in a browser."""

    tenants: Many
    greet: Callable[[Workspace], Awaitable[None]]

    @property
    def logger(self) -> Logger:
        return getLogger("piecewise.installs")

    async def async_issue(self, *_args: Any, **_kwargs: Any) -> str:
        state = secrets.token_urlsafe(32)
        template = self.tenants.template
        await template.memory.write(sealed_secrets.begin, state, template.clock.now() + BEGUN_FOR)
        return state

    async def async_consume(self, state: str) -> bool:
        template = self.tenants.template
        return await template.memory.write(sealed_secrets.consume, state, template.clock.now())

    async def async_save(self, installation: Installation) -> None:
        """Keeps the token, sealed, and greets whoever installed us."""
        template = self.tenants.template
        workspace = await template.memory.write(self._save, installation, template.clock.now())
        self.tenants.forget(workspace.id)
        log.info("installed", workspace=workspace.id, whole=bool(installation.is_enterprise_install))
        await self.greet(workspace)

    def _save(self, connection: Connection, made: Installation, now: datetime) -> Workspace:
        """An organization is one workspace of ours: its people share a mail account."""
        whole = bool(made.is_enterprise_install)
        team, name = (made.enterprise_id, made.enterprise_name) if whole else (made.team_id, made.team_name)
        known = workspaces.ensure(connection, str(team), str(name or team), "")
        facts = {
            "installer": made.user_id, "installed_at": now, "leaving_at": None, "removed_at": None, "purge_at": None,
        }  # fmt: skip
        workspaces.note(connection, known.id, **facts)
        kept: dict[str, Any] = {
            "token": made.bot_token, "bot_id": made.bot_id, "bot_user": made.bot_user_id,
            "scopes": ",".join(made.bot_scopes or []),
        }  # fmt: skip
        if made.bot_refresh_token:
            kept |= {"refresh": made.bot_refresh_token, "ends": float(made.bot_token_expires_at or 0)}
        sealed_secrets.keep_secret(connection, self.tenants.vault, known.id, SecretKind.SLACK, kept, now)
        troubles.end(connection, known.id, Kind.TOKEN)
        outbox.wake(connection, known.id)
        audit.note(connection, known.id, made.user_id or "", Act.INSTALLED, now, detail=kept["scopes"])
        return workspaces.by_id(connection, known.id)


def build_flow(store: Store, keys: AppCredentials, public_url: str, client: AsyncWebClient) -> AsyncOAuthFlow:
    """The two pages of an installation."""
    settings = AsyncOAuthSettings(
        client_id=keys.client_id,
        client_secret=keys.client_secret,
        scopes=sorted(SCOPES | HTTP_SCOPES),
        redirect_uri=f"{public_url}{REDIRECT}",
        install_path=INSTALL,
        redirect_uri_path=REDIRECT,
        install_page_rendering_enabled=False,
        authorization_url=keys.api_url.removesuffix("api/") + "oauth/v2/authorize",
        callback_options=AsyncCallbackOptions(success=_succeeded, failure=_failed),
        installation_store=store,
        state_store=store,
        state_expiration_seconds=int(BEGUN_FOR.total_seconds()),
    )
    return AsyncOAuthFlow(settings=settings, client=client)


def page(title: str, body: str, status: int = 200) -> BoltResponse:
    """A page for people. Title and body are ours, never a visitor's."""
    text = PAGE.format(title=html.escape(title), body=body)
    return BoltResponse(status=status, body=text, headers={"Content-Type": "text/html; charset=utf-8"})


async def _succeeded(args: AsyncSuccessArgs) -> BoltResponse:
    team = html.escape(args.installation.team_name or args.installation.enterprise_name or "your workspace")
    link = f"slack://app?team={args.installation.team_id or ''}&id={args.installation.app_id or ''}&tab=home"
    return page(
        "Piecewise is installed",
        f"<p>It now lives in <b>{team}</b>. Next: connect your mail account, in three steps, in its <b>Home</b>.</p>"
        f'<p><a href="{html.escape(link)}">Open it in Slack</a>, or find <b>Piecewise</b> under <b>Apps</b> there.</p>',
    )


async def _failed(args: AsyncFailureArgs) -> BoltResponse:
    log.info("install.failed", reason=args.reason if args.reason in REASONS else "other")
    why = REASONS.get(args.reason, OTHERWISE)
    again = f'<p>{html.escape(why)}</p><p><a href="{INSTALL}">Begin again</a></p>'
    return page("Piecewise was not installed", again, args.suggested_status_code)
