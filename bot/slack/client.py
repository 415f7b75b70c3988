"""Slack's Web API for one workspace: `handlers.context.ports.Messenger`, with every error code a named failure."""

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.urls import is_slacks
from handlers.context.ports import AccessBarred, Clock, FileToSend, Person
from handlers.errors import (
    ChannelClosed,
    FileRefused,
    HomeChanged,
    MessageGone,
    MessageRefused,
    NotInChannel,
    PersonUnknown,
    PictureRefused,
    Refusal,
    ScopeMissing,
    SlackBusy,
    SlackDown,
    SlackRefused,
    Trouble,
    WorkspaceGone,
)
from handlers.text.messages import Message, Picture

log = structlog.get_logger()

#: What JSON may hold instead of an object.
NO_OBJECT: Final = (list, str, int, float, type(None))

#: Slack's own words (docs.slack.dev, errors of each method) and what they mean to us. A code that we have not
#: met may pass: only a fault of the channel or of the message is final (`handlers.errors.LASTING`), and what one
#: message meets again and again (`handlers.alerts.delivery.ENOUGH`).
CODES: Final[dict[str, type[Refusal]]] = {
    "not_in_channel": NotInChannel,
    "channel_not_found": NotInChannel,
    "user_not_in_channel": NotInChannel,
    "messages_tab_disabled": ChannelClosed,
    "is_archived": ChannelClosed,
    "restricted_action": ChannelClosed,
    "restricted_action_read_only_channel": ChannelClosed,
    "restricted_action_thread_only_channel": ChannelClosed,
    "restricted_action_non_threadable_channel": ChannelClosed,
    "restricted_action_thread_locked": ChannelClosed,
    "invalid_blocks": MessageRefused,
    "invalid_blocks_format": MessageRefused,
    "msg_blocks_too_long": MessageRefused,
    "msg_too_long": MessageRefused,
    "no_text": MessageRefused,
    "invalid_arguments": MessageRefused,
    "metadata_too_large": MessageRefused,
    "missing_scope": ScopeMissing,
    "account_inactive": WorkspaceGone,
    "token_revoked": WorkspaceGone,
    "token_expired": WorkspaceGone,
    "invalid_auth": WorkspaceGone,
    "not_authed": WorkspaceGone,
    # Whatever is asked meets these (docs.slack.dev: common errors): no fault of a message or a channel; they may pass.
    "access_denied": AccessBarred,
    "accesslimited": AccessBarred,
    "ekm_access_denied": AccessBarred,
    "enterprise_is_restricted": AccessBarred,
    "no_permission": AccessBarred,
    "not_allowed_token_type": AccessBarred,
    "org_login_required": AccessBarred,
    "team_access_not_granted": AccessBarred,
    "two_factor_setup_required": AccessBarred,
    "message_not_found": MessageGone,
    "cant_update_message": MessageGone,
    "edit_window_closed": MessageGone,
    "hash_conflict": HomeChanged,
    "file_not_found": PictureRefused,
    "storage_limit_reached": PictureRefused,
}
DOWN: Final = frozenset(
    {"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)
#: No waiting time that Slack names is believed beyond this: one wrong header would silence a channel for years.
LONGEST_WAIT: Final = 3600.0
#: "Wait for no time at all" would have us ask without end.
SHORTEST_WAIT: Final = 1.0
#: What a record says of a guest: of a few channels, and of one.
GUEST_FLAGS: Final = ("is_restricted", "is_ultra_restricted")
#: Seconds.
PERSON_KEPT: Final = 3600.0
PEOPLE_KEPT: Final = 5000
#: The longest wait that a waiting person is put through when Slack asks us to slow down, all tries together.
PATIENCE: Final = 5.0
UPLOAD_TIMEOUT: Final = aiohttp.ClientTimeout(total=300)
ANSWER_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
#: Calls of one workspace at once: for people who wait, and posts. Its own others wait; those of another do not.
ASKING: Final = 40
SENDING: Final = 100
Request = Callable[[], Awaitable[AsyncSlackResponse]]
T = TypeVar("T")


class Meter(Protocol):
    """Who counts our calls."""

    def called(self, seconds: float, outcome: str) -> None:
        """A call ended: ok, rate_limited, down or refused."""
        ...


@dataclass
class Slack:
    """One workspace's Slack. Nothing is sent twice by itself, except when Slack said that it did not take it (429), and
    what is the same when it is done again."""

    client: AsyncWebClient
    session: aiohttp.ClientSession
    clock: Clock
    default_zone: str
    #: Whose people belong to the team: its id, and its organization's; "" takes all for insiders.
    team: str = ""
    meter: Meter | None = None
    #: Who was looked up, with when, by the clock that nobody sets: one set back must not make rights last.
    people: dict[str, tuple[float, Person]] = field(default_factory=dict)
    #: Posts, edits and files have connections of their own: whoever waits for a modal does not wait for them.
    poster: AsyncWebClient | None = None
    asking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ASKING))
    sending: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SENDING))

    @property
    def _poster(self) -> AsyncWebClient:
        return self.poster or self.client

    async def post(self, channel: str, message: Message, *, thread: str | None = None, broadcast: bool = False) -> str:
        sent = await self._send(
            lambda: self._poster.chat_postMessage(
                channel=channel,
                text=message.text,
                blocks=message.blocks,
                unfurl_links=False,
                thread_ts=thread,
                reply_broadcast=broadcast if thread else None,
            )
        )
        return str(sent["ts"])

    async def edit(self, channel: str, ts: str, message: Message) -> None:
        # Text without blocks would remove the blocks: both always go together.
        await _twice(
            lambda: self._send(
                lambda: self._poster.chat_update(channel=channel, ts=ts, text=message.text, blocks=message.blocks)
            )
        )

    async def answer(self, response_url: str, message: Message, *, replace: bool = False) -> None:
        if not is_slacks(response_url, self.client.base_url):
            raise SlackRefused("Slack named an address for the answer that is not its own.")
        body = {
            "response_type": "ephemeral",
            "replace_original": replace,
            "text": message.text,
            "blocks": list(message.blocks),
        }
        await self._patiently(lambda: self._answer(response_url, body), self.asking)

    async def _answer(self, response_url: str, body: dict[str, Any]) -> None:
        async with (
            _outages_named(),
            self.session.post(response_url, json=body, timeout=ANSWER_TIMEOUT, allow_redirects=False) as response,
        ):
            if response.status == 429:  # noqa: PLR2004 - HTTP
                raise SlackBusy(retry_after=_seconds(response.headers.get("Retry-After")))
            if response.status >= 500:  # noqa: PLR2004 - HTTP
                raise SlackDown(code=str(response.status))
            if response.status != 200:  # noqa: PLR2004 - HTTP
                raise SlackRefused(code=(await response.text())[:100])

    async def whisper(self, channel: str, user: str, message: Message, *, thread: str | None = None) -> None:
        await self._call(
            lambda: self.client.chat_postEphemeral(
                channel=channel,
                user=user,
                text=message.text,
                blocks=message.blocks,
                thread_ts=thread,
            )
        )

    async def upload(self, picture: Picture) -> str:
        # Without a channel the file stays the bot's own: the message that shows it makes it visible to its readers.
        done = await self._send(
            lambda: self._poster.files_upload_v2(
                content=picture.png, filename=picture.filename, title=picture.title, alt_txt=picture.alt[:1000]
            )
        )
        files = done.get("files") or []
        if not files:
            raise PictureRefused
        return str(files[0]["id"])

    async def delete_file(self, file_id: str) -> None:
        with contextlib.suppress(PictureRefused):
            await _twice(lambda: self._call(lambda: self.client.files_delete(file=file_id)))

    async def open_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        opened = await self._call(lambda: self.client.views_open(trigger_id=trigger_id, view=view))
        return str(opened["view"]["id"])

    async def push_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        pushed = await self._call(lambda: self.client.views_push(trigger_id=trigger_id, view=view))
        return str(pushed["view"]["id"])

    async def update_view(self, view_id: str, view: dict[str, Any]) -> None:
        await _twice(lambda: self._call(lambda: self.client.views_update(view_id=view_id, view=view)))

    async def publish_home(self, user: str, view: dict[str, Any], seen: str) -> str:
        shown = await _twice(
            lambda: self._call(lambda: self.client.views_publish(user_id=user, view=view, hash=seen or None))
        )
        return str(shown["view"].get("hash") or "")

    async def send_file(self, user: str, file: FileToSend) -> None:
        opened = await self._send(lambda: self._poster.conversations_open(users=user))
        try:
            await self._upload(opened["channel"]["id"], file)
        except (SlackRefused, PictureRefused) as refused:
            # Of a file they say the wrong thing: that a message or a picture was refused.
            raise FileRefused(code=refused.code) from None

    async def _upload(self, channel: str, file: FileToSend) -> None:
        length = file.content.seek(0, io.SEEK_END)
        place = await self._send(lambda: self._poster.files_getUploadURLExternal(filename=file.filename, length=length))
        file.content.seek(0)
        if not is_slacks(place["upload_url"], self.client.base_url):
            raise SlackRefused("Slack named an address for the file that is not its own.")
        # The SDK's own helper reads the whole file into memory first.
        async with (
            _outages_named(),
            (self._poster.session or self.session).post(
                place["upload_url"], data=file.content, timeout=UPLOAD_TIMEOUT, allow_redirects=False
            ) as response,
        ):
            if response.status != 200:  # noqa: PLR2004 - HTTP
                raise SlackDown(code=str(response.status))
        await self._send(
            lambda: self._poster.files_completeUploadExternal(
                files=[{"id": place["file_id"], "title": file.title}],
                channel_id=channel,
                initial_comment=file.comment,
            )
        )

    async def complete_step(self, execution: str, token: str | None, outputs: Mapping[str, str]) -> None:
        await self._call(
            lambda: self.client.functions_completeSuccess(
                function_execution_id=execution, outputs=dict(outputs), **_instead(token)
            )
        )

    async def fail_step(self, execution: str, token: str | None, why: str) -> None:
        await self._call(
            lambda: self.client.functions_completeError(function_execution_id=execution, error=why, **_instead(token))
        )

    async def unfurl(self, channel: str, ts: str, shown: Mapping[str, Message]) -> None:
        unfurls = {url: {"blocks": list(message.blocks)} for url, message in shown.items()}
        await _twice(lambda: self._call(lambda: self.client.chat_unfurl(channel=channel, ts=ts, unfurls=unfurls)))

    async def test(self) -> None:
        await self._call(self.client.auth_test)

    async def person(self, user: str, *, since: datetime | None = None) -> Person:
        kept, now, elapsed = self.people.get(user), self.clock.now(), self.clock.elapsed()
        if kept and elapsed - kept[0] <= (PERSON_KEPT if since is None else (now - since).total_seconds()):
            return kept[1]
        found = await _twice(lambda: self._call(lambda: self.client.users_info(user=user)))
        person = replace(self._person(user, found["user"]), as_of=now)
        if len(self.people) >= PEOPLE_KEPT:
            self.people.clear()
        self.people[user] = (elapsed, person)
        return person

    def _person(self, asked: str, user: Any) -> Person:
        """Raises PersonUnknown where Slack's "ok" comes with a record of somebody else, or of nobody."""
        outside = self._is_outside(user) if isinstance(user, dict) and user.get("id") == asked else None
        if outside is None:
            log.warning("person.not_described", user=asked)
            raise PersonUnknown
        name = user.get("real_name") or user.get("name") or "somebody"
        admin = user.get("is_admin") is True or user.get("is_owner") is True
        return Person(str(name), str(user.get("tz") or self.default_zone), admin and not outside, outside)

    def _is_outside(self, user: dict[str, Any]) -> bool | None:
        """Of another team (docs.slack.dev: apis/slack-connect), or a guest with a channel or a few; None where the
        record does not say so: each of a member has both flags and a team (api.slack.com/types/user)."""
        team, organization = user.get("team_id"), user.get("enterprise_user") or {}
        if not (isinstance(team, str) and team and isinstance(organization, dict)):
            return None
        if user.get("is_stranger") or any(user.get(flag) is True for flag in GUEST_FLAGS):
            return True
        if self.team and self.team not in (team, organization.get("enterprise_id")):
            return True
        return False if all(user.get(flag) is False for flag in GUEST_FLAGS) else None

    async def _call(self, ask: Request) -> AsyncSlackResponse:
        return await self._patiently(lambda: self._once(ask), self.asking)

    async def _send(self, ask: Request) -> AsyncSlackResponse:
        return await self._patiently(lambda: self._once(ask), self.sending)

    async def _patiently(self, call: Callable[[], Awaitable[T]], places: asyncio.Semaphore) -> T:
        left = PATIENCE
        while True:
            try:
                async with places:
                    return await call()
            except SlackBusy as busy:
                # In a crowd the second try may be too early, too.
                if busy.retry_after is None:
                    raise
                left -= busy.retry_after
                if left < 0:
                    raise
                await self.clock.sleep(busy.retry_after)

    async def _once(self, ask: Request) -> AsyncSlackResponse:
        began, outcome = time.monotonic(), "ok"
        try:
            async with _outages_named():
                try:
                    return await ask()
                except SlackApiError as error:
                    raise named(error) from None
                except AttributeError as error:
                    # The SDK takes any JSON, or a page, for an object. Whether it was done is not known.
                    if error.name != "get" or not isinstance(error.obj, NO_OBJECT):
                        raise
                    raise SlackDown(code="no object") from None
        except SlackBusy:
            outcome = "rate_limited"
            raise
        except Trouble as trouble:
            outcome = "down" if isinstance(trouble, SlackDown) else "refused"
            raise
        finally:
            if self.meter is not None:
                self.meter.called(time.monotonic() - began, outcome)


async def _twice(call: Request) -> AsyncSlackResponse:
    """For what is the same when it is done again: an answer that was lost on its way is asked for once more, else
    people are told that Slack could not be reached, beside the change that Slack made."""
    try:
        return await call()
    except SlackDown:
        return await call()


def named(error: SlackApiError) -> Trouble:
    """Slack's refusal under our own name. A code that we have not met is a refusal, and is logged."""
    response = error.response
    # Behind a broken gateway the body is a page of HTML, and the SDK hands it on as text.
    body = response.data if isinstance(response.data, dict) else {}
    code, status, headers = str(body.get("error") or ""), response.status_code, response.headers
    if status == 429 or code in ("ratelimited", "rate_limited"):  # noqa: PLR2004 - HTTP
        return SlackBusy(code=code, retry_after=_seconds(headers.get("Retry-After")))
    if status >= 500 or code in DOWN:  # noqa: PLR2004 - HTTP
        return SlackDown(code=code or str(status))
    if code == "invalid_blocks" and "invalid slack file" in str(body.get("errors")):
        return PictureRefused(code=code)
    if CODES.get(code) is MessageRefused:
        log.warning("slack.refused_message", code=code)
        return MessageRefused(f"Slack refused the message ({code}).", code=code)
    if code in CODES:
        return CODES[code](code=code)
    log.warning("slack.unknown_code", code=code, status=status)
    return SlackRefused(f"Slack refused the message ({code or 'no reason given'}).", code=code)


def _instead(token: str | None) -> dict[str, str]:
    return {"token": token} if token else {}


def _seconds(value: str | None) -> float:
    named = float(value) if value and value.isascii() and value.isdigit() else SHORTEST_WAIT
    return min(max(named, SHORTEST_WAIT), LONGEST_WAIT)


@asynccontextmanager
async def _outages_named() -> AsyncIterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError, SlackRequestError) as error:
        raise SlackDown(code=type(error).__name__) from None


#: What installs by HTTP need besides.
HTTP_SCOPES: Final = {
    "links:read": "HTTP: sees links to the mail platform's dashboard, and no others",
    "links:write": "HTTP: shows a campaign's numbers under such a link",
}
#: The bot scopes, each with its reason. `manifest.yml`, docs/approve.md and `piecewise check` are tested against it.
SCOPES: Final = {
    "app_mentions:read": "answers `@Piecewise where is …?` in threads, where slash commands cannot be used",
    "chat:write": "posts answers and news",
    "commands": "offers /mailstatus, /mailtrack and /mailalerts",
    "files:write": "uploads the pie, and deletes the one that *Refresh* or another range replaced",
    "im:write": "sends an exported file in a direct message",
    "users:read": "knows the asker's time zone, and who is an admin and so may cancel",
}
