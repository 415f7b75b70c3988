"""Which mail account and which Slack a workspace has: one from the settings, or thousands, opened from the vault.

The workspace is always an argument. What is opened is kept for half a minute, so that a removal is seen everywhere
at once enough; a token that is about to end is renewed before it is used, by one process at a time.
"""

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.platforms.kinds import AccountKeys, MailAccount, Platform, Region
from bot.platforms.registry import USUAL, region_names
from bot.platforms.unconnected import Unconnected
from bot.slack.client import Slack, named
from bot.slack.tokens import ends_of, keep_new, refuse_new, token_of
from handlers.context.ports import (
    Account,
    Also,
    MailPlatform,
    OfAccount,
    nothing,
)
from handlers.context.services import Services
from handlers.errors import Outage, Removed, SecretClosed, SlackDown, Trouble, WorkspaceGone
from handlers.setup.leaving import ENDED
from storage import secrets as sealed_secrets
from storage import troubles, workspaces
from storage.failures import is_outage
from storage.records import Workspace, WorkspaceId
from storage.secrets import SecretKind
from storage.troubles import Kind
from storage.vault import Vault, VaultError
from storage.workspaces import WorkspaceUnknownError

log = structlog.get_logger()

#: What was opened is looked at again after this time (in seconds).
KEPT_FOR: Final = 30.0
#: What the operator does about a secret that does not open.
OPEN_IT: Final = "Add the key that sealed it to PIECEWISE_ENCRYPTION_KEYS, then look with: piecewise check"
#: Workspaces whose clients are kept open in one process.
KEPT: Final = 5000
#: A token is renewed so long before it ends (Slack's rotated tokens live for twelve hours): when Slack refuses, so long
#: is left for a person to install us again.
RENEW_BEFORE: Final = timedelta(hours=6)
#: What ends sooner than this cannot wait.
SOON: Final = timedelta(seconds=30)
#: After this time (a little more than a call to Slack may take) who asked for a token without an end counts as dead.
RENEWAL: Final = timedelta(seconds=20)
#: So long after a refusal Slack is asked again.
REFUSED: Final = timedelta(minutes=10)
#: How long (in seconds) is looked again for what is open already, while the database hangs.
LOOK_SECONDS: Final = 1.5
#: Who finds another process renewing waits so long (in seconds), as long as its own token is no more.
LOOKS: Final = 40
LOOK: Final = 0.25
TOKEN_BYTES: Final = 32


@dataclass(frozen=True)
class AppCredentials:
    """What a client for Slack is made of, but for the token."""

    client_id: str
    client_secret: str = field(repr=False)
    api_url: str = "https://slack.com/api/"


@dataclass(frozen=True)
class Sole:
    """The one workspace that the settings name."""

    services: Services
    workspace: Workspace
    bot_id: str = ""
    bot_user: str = ""

    async def of(self, workspace_id: WorkspaceId) -> Services:
        if workspace_id != self.workspace.id:
            raise WorkspaceGone
        return self.services

    async def enter(self, _enterprise: str | None, team: str | None, whole: bool) -> "Installed | None":
        """The workspace, unless Slack speaks for another that installed the same app."""
        ours = whole or team in (None, self.workspace.team_id)
        return Installed(self.workspace, self.bot_id, self.bot_user) if ours else None

    async def number_of(self, enterprise: str | None, team: str | None, whole: bool) -> WorkspaceId | None:
        """See `Many.number_of`."""
        found = await self.enter(enterprise, team, whole)
        return found.workspace.id if found else None

    def forget(self, _workspace_id: WorkspaceId) -> None:
        return


@dataclass(frozen=True)
class Installed:
    """A workspace that Slack speaks for, and the bot there."""

    workspace: Workspace
    bot_id: str = ""
    bot_user: str = ""
    token: str = field(default="", repr=False)


@dataclass
class Opened:
    """A workspace's services, with what they were made from."""

    services: Services
    workspace: Workspace
    slack: dict[str, Any] = field(repr=False)
    #: Slack's secret as it is kept.
    sealed: str = field(repr=False)
    account: dict[str, Any] | None = field(repr=False)
    #: By the clock that nobody sets.
    looked_at: float


@dataclass
class Many:
    """Every workspace that installed us. `template` is what they share; its Slack and platform are never used."""

    template: Services
    vault: Vault
    keys: AppCredentials
    regions: dict[str, tuple[Platform, Region]]
    make_client: Callable[[str], AsyncWebClient]
    open_account: Callable[[Platform, AccountKeys], MailAccount]
    make_slack: Callable[[AsyncWebClient, str], Slack]
    #: Renewals under way, and until when another one may wait (by the clock that nobody sets).
    renewing: set[asyncio.Task[Opened]] = field(default_factory=set)
    not_before: dict[WorkspaceId, float] = field(default_factory=dict)
    opened: OrderedDict[WorkspaceId, Opened] = field(default_factory=OrderedDict)
    numbers: dict[str, WorkspaceId] = field(default_factory=dict)
    #: Whose secrets did not open when they were looked at last.
    closed: set[WorkspaceId] = field(default_factory=set)

    # ---- Whose a request is -------------------------------------------------------------------------------------

    async def enter(self, enterprise: str | None, team: str | None, whole: bool) -> Installed | None:
        """The workspace that Slack names; None when it did not install us. An organization is one workspace."""
        for name in _in_order(enterprise, team, whole):
            if (found := await self._known(name)) is not None:
                slack = found.slack
                return Installed(found.workspace, slack.get("bot_id", ""), slack.get("bot_user", ""), slack["token"])
        return None

    async def number_of(self, enterprise: str | None, team: str | None, whole: bool) -> WorkspaceId | None:
        """The number of the workspace that `enter` gives, also while its secret does not open."""
        for name in _in_order(enterprise, team, whole):
            try:
                found = await self.template.memory.read(workspaces.by_team, name)
            except WorkspaceUnknownError:
                continue
            if found.removed_at is None:
                return found.id
        return None

    async def _known(self, team: str) -> Opened | None:
        try:
            if team not in self.numbers:
                workspace = await self.template.memory.read(workspaces.by_team, team)
                if len(self.numbers) >= KEPT:
                    self.numbers.clear()
                self.numbers[team] = workspace.id
            return await self._open(self.numbers[team])
        except (WorkspaceUnknownError, Removed, WorkspaceGone):
            self.numbers.pop(team, None)
            return None

    async def by_webhook(self, token: str) -> tuple[Services, Workspace]:
        """Whose webhook this is; raises WorkspaceUnknownError. Only the token's digest is compared, and by an index."""
        key = digest(token)
        workspace = await self.template.memory.read(workspaces.by_webhook, key)
        return (await self._open(workspace.id)).services, workspace

    # ---- Its services -------------------------------------------------------------------------------------------

    async def of(self, workspace_id: WorkspaceId) -> Services:
        """See `Tenants.of`. Renews a token that is about to end."""
        found = await self._open(workspace_id)
        if self._is_ending(found):
            found = await self._renew(found)
        return found.services

    def forget(self, workspace_id: WorkspaceId) -> None:
        """What was opened is opened anew the next time."""
        self.opened.pop(workspace_id, None)

    def _now(self) -> datetime:
        return self.template.clock.now()

    async def _open(self, workspace_id: WorkspaceId) -> Opened:
        kept = self.opened.get(workspace_id)
        if kept is not None and self.template.clock.elapsed() - kept.looked_at < KEPT_FOR:
            return kept
        try:
            # Slack waits three seconds; what was opened before is good for an answer that says what is wrong.
            async with asyncio.timeout(None if kept is None else LOOK_SECONDS):
                workspace, sealed, slack, account = await self.template.memory.read(_look, self.vault, workspace_id)
        except VaultError:
            self.closed.add(workspace_id)
            # The traceback would say nothing, and each request of a crowd would say it.
            log.error("secret.closed", workspace=workspace_id, do=OPEN_IT)  # noqa: TRY400
            raise SecretClosed from None
        except (SQLAlchemyError, TimeoutError) as error:
            if kept is None or not (is_outage(error) or isinstance(error, TimeoutError)):
                raise
            return kept
        self.closed.discard(workspace_id)
        if workspace.removed_at is not None:
            self.forget(workspace_id)
            raise Removed
        if slack is None or sealed is None:
            raise WorkspaceGone
        made = self._made(workspace, sealed, slack, account, kept)
        self.opened[workspace_id] = made
        self.opened.move_to_end(workspace_id)
        if len(self.opened) > KEPT:
            self.opened.popitem(last=False)
        return made

    def _made(
        self,
        workspace: Workspace,
        sealed: str,
        slack: dict[str, Any],
        account: dict[str, Any] | None,
        kept: Opened | None,
    ) -> Opened:
        """What did not change goes on being used: the clients know people, and how fast they may ask."""
        same = kept is not None and kept.slack == slack
        messenger = kept.services.slack if kept and same else self._messenger(workspace, slack)
        unchanged = kept is not None and kept.account == account
        platform = kept.services.platform if kept and unchanged else self._platform(account)
        services = replace(self.template, slack=messenger, platform=platform, accounts=self)
        return Opened(services, workspace, slack, sealed, account, self.template.clock.elapsed())

    def _messenger(self, workspace: Workspace, slack: dict[str, Any]) -> Slack:
        return self.make_slack(self.make_client(slack["token"]), workspace.team_id)

    def _platform(self, account: dict[str, Any] | None) -> MailPlatform:
        if not account or not account.get("key"):
            return Unconnected(USUAL)
        platform, region = self.regions[account["region"]]
        return self.open_account(platform, AccountKeys(region.url, account["key"], account.get("webhook_secret", "")))

    # ---- Tokens that end ----------------------------------------------------------------------------------------

    def _is_ending(self, found: Opened) -> bool:
        ends, now = ends_of(found.slack), self._now()
        if ends is None or ends - now >= RENEW_BEFORE:
            return False
        # Lately tried in vain: as long as the token is good, that can wait.
        elapsed = self.template.clock.elapsed()
        return ends <= now + SOON or self.not_before.get(found.workspace.id, elapsed) <= elapsed

    async def _renew(self, found: Opened) -> Opened:
        """A new token in the place of one that is about to end. Of all processes, one asks Slack for it."""
        workspace_id, before = found.workspace.id, found.slack
        for _ in range(LOOKS):
            if await self.template.memory.write(sealed_secrets.begin_renewal, workspace_id, found.sealed, RENEWAL):
                # It goes on when who asked for it does not: what Slack answers must be recorded.
                task = asyncio.create_task(self._exchange(found))
                self.renewing.add(task)
                task.add_done_callback(self.renewing.discard)
                return await asyncio.shield(task)
            self.forget(workspace_id)
            found = await self._open(workspace_id)
            ends = ends_of(before)
            if found.slack != before or (ends is not None and ends > self._now() + SOON):
                # Done, or the old one is still good: the other process may take its time.
                return found
            await self.template.clock.sleep(LOOK)
        raise SlackDown

    async def _exchange(self, found: Opened) -> Opened:
        """Asks Slack for a new token, records it, and only then lets the old one go.

        Slack takes a refresh token again for a short time after its first use, and the old token stays good until it
        ends (docs.slack.dev: authentication/using-token-rotation). So an answer that was lost is asked for once more,
        and who must install us again has hours to do so.
        """
        workspace_id = found.workspace.id
        try:
            answer = await self.make_client("").oauth_v2_access(
                client_id=self.keys.client_id,
                client_secret=self.keys.client_secret,
                grant_type="refresh_token",
                refresh_token=found.slack["refresh"],
            )
        except SlackApiError as error:
            trouble = named(error)
            log.warning("token.not_renewed", workspace=workspace_id, code=trouble.code)
            if isinstance(trouble, Outage) and trouble.code not in ENDED:
                return self._while_it_lasts(found, SlackDown(code=trouble.code), RENEWAL)
            await self.template.memory.write(refuse_new, workspace_id, found.sealed, ends_of(found.slack), self._now())
            return self._while_it_lasts(found, WorkspaceGone(code=trouble.code), REFUSED)
        except (aiohttp.ClientError, TimeoutError):
            return self._while_it_lasts(found, SlackDown(), RENEWAL)
        try:
            new = token_of(answer.data, self._now())
        except SlackDown as trouble:
            log.warning("token.not_renewed", workspace=workspace_id, code=trouble.code)
            return self._while_it_lasts(found, trouble, RENEWAL)
        renewed = found.slack | new | {"before": {name: found.slack[name] for name in ("token", "ends")}}
        if await self._record(workspace_id, found.slack["refresh"], renewed):
            await self._prove(workspace_id, renewed)
        return await self._open(workspace_id)

    async def _record(self, workspace_id: WorkspaceId, refresh: str, renewed: dict[str, Any]) -> bool:
        """Keeps it, for as long as that takes; gives whether, for there may be a newer installation."""
        while True:
            try:
                kept = await self.template.memory.write(
                    keep_new, self.vault, workspace_id, refresh, renewed, self._now()
                )
            except SQLAlchemyError as error:
                if not is_outage(error):
                    raise
                log.error("token.not_recorded", workspace=workspace_id, reason=type(error).__name__)  # noqa: TRY400 - said each second
                await self.template.clock.sleep(1)
            else:
                self.forget(workspace_id)
                log.info("token.renewed" if kept else "token.outrun", workspace=workspace_id)
                return kept

    async def _prove(self, workspace_id: WorkspaceId, renewed: dict[str, Any]) -> None:
        """The old token goes when the new one works. Should Slack refuse that, the old one stays while it lasts."""
        proven = {name: value for name, value in renewed.items() if name != "before"}
        try:
            await self.make_client(renewed["token"]).auth_test()
        except SlackApiError as error:
            trouble = named(error)
            log.warning("token.not_proven", workspace=workspace_id, code=trouble.code)
            if isinstance(trouble, Outage):
                return
            proven |= renewed["before"]
            self._wait_with(workspace_id, RENEWAL)
        except (aiohttp.ClientError, TimeoutError):
            return
        await self._record(workspace_id, renewed["refresh"], proven)

    async def drain(self, seconds: float) -> None:
        """Waits for renewals under way, whose answers must be recorded; what takes longer is given up."""
        if self.renewing:
            await asyncio.wait(set(self.renewing), timeout=seconds)
        for task in list(self.renewing):
            log.error("token.given_up", do="It is taken up again at the next start.")
            task.cancel()

    def _wait_with(self, workspace_id: WorkspaceId, pause: timedelta) -> None:
        self.not_before[workspace_id] = self.template.clock.elapsed() + pause.total_seconds()

    def _while_it_lasts(self, found: Opened, trouble: Trouble, pause: timedelta) -> Opened:
        """There is no new token: the old one is used until it ends, and only then is that a trouble."""
        ends, now = ends_of(found.slack), self._now()
        self._wait_with(found.workspace.id, pause)
        if ends is not None and ends <= now:
            raise trouble
        return found

    # ---- The mail account ---------------------------------------------------------------------------------------

    async def connect(self, workspace_id: WorkspaceId, key: str, region: str, also: OfAccount) -> Account:
        """See `Accounts.connect`."""
        platform, place = self.regions[region]
        owner, balance, _ = await self.open_account(platform, AccountKeys(place.url, key)).introduce()
        now, made = self._now(), Account(owner, balance, place.currency)
        facts: dict[str, Any] = {"connected_at": now, "currency": place.currency}
        facts |= {} if balance is None else {"balance": balance, "balance_at": now}
        await self._change(workspace_id, {"key": key, "region": region}, lambda c: also(c, made), **facts)
        return made

    async def webhook(self, workspace_id: WorkspaceId) -> str:
        """See `Accounts.webhook`."""
        account = (await self._open(workspace_id)).account or {}
        token = account.get("webhook_token")
        return self._address(account, token) if token else await self.new_webhook(workspace_id)

    async def new_webhook(self, workspace_id: WorkspaceId, also: Also = nothing) -> str:
        """See `Accounts.new_webhook`."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        await self._change(workspace_id, {"webhook_token": token}, also, webhook_key=digest(token))
        return self._address((await self._open(workspace_id)).account or {}, token)

    def _address(self, account: Mapping[str, Any], token: str) -> str:
        public = self.template.policy.public_url
        platform = self.regions[account["region"]][0] if "region" in account else USUAL
        return f"{public}/webhooks/{platform.profile.key}/{token}" if public else ""

    def region_names(self) -> Mapping[str, str]:
        """See `Accounts.region_names`."""
        return region_names()

    async def keep_webhook_secret(self, workspace_id: WorkspaceId, secret: str, also: Also = nothing) -> None:
        """See `Accounts.keep_webhook_secret`."""
        await self._change(workspace_id, {"webhook_secret": secret}, also)

    async def _change(self, workspace_id: WorkspaceId, change: dict[str, str], also: Also, **facts: Any) -> None:
        now = self._now()

        def work(connection: Connection) -> None:
            if not also(connection):
                return
            kept = sealed_secrets.secret(connection, self.vault, workspace_id, SecretKind.ACCOUNT) or {}
            sealed_secrets.keep_secret(connection, self.vault, workspace_id, SecretKind.ACCOUNT, kept | change, now)
            if "key" in change:
                troubles.end(connection, workspace_id, Kind.KEY)
            if facts:
                workspaces.note(connection, workspace_id, **facts)

        await self.template.memory.write(work)
        self.forget(workspace_id)

    async def keep(self, workspace_id: WorkspaceId, place: SecretKind, value: dict[str, Any]) -> None:
        """Keeps a secret, and uses it from now on."""
        await self.template.memory.write(
            sealed_secrets.keep_secret, self.vault, workspace_id, place, value, self._now()
        )
        self.forget(workspace_id)


def _in_order(enterprise: str | None, team: str | None, whole: bool) -> list[str]:
    """The names under which a workspace may be known, the likely one first."""
    names = (enterprise, team) if whole else (team, enterprise)
    return [name for name in names if isinstance(name, str) and name]


def digest(token: str) -> str:
    """What is kept of a webhook's token for finding it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _look(
    connection: Connection, vault: Vault, workspace_id: WorkspaceId
) -> tuple[Workspace, str | None, dict[str, Any] | None, dict[str, Any] | None]:
    workspace = workspaces.by_id(connection, workspace_id)
    sealed = sealed_secrets.sealed(connection, workspace_id, SecretKind.SLACK)
    slack = sealed_secrets.opened(vault, workspace_id, SecretKind.SLACK, sealed)
    return workspace, sealed, slack, sealed_secrets.secret(connection, vault, workspace_id, SecretKind.ACCOUNT)
