"""Bolt's listeners: one table from what Slack sends to the handler that answers it, and the boundary round each.

Every request is acknowledged at once; the work goes on in a task of ours. Bolt's own tasks are not tracked and its
lazy listeners swallow exceptions, so neither is used: `process_before_response` makes the acknowledgement the answer.
"""

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection

from handlers import actions, automation, browsing, commands, desk, home
from handlers.lookups import Outdated
from handlers.messages import Message
from handlers.ports import Trouble
from handlers.services import Ask, Services
from handlers.views import words
from handlers.views.controls import Action, Form
from storage import leases, workspaces
from storage.records import ChannelId, UserId, Workspace

log = structlog.get_logger()

Body = Mapping[str, Any]
Work = Callable[[Ask], Awaitable[None]]

COMMANDS: Final[dict[str, Callable[[Services, Ask], Awaitable[None]]]] = {
    "/mailstatus": commands.mail_status,
    "/mailtrack": commands.mail_track,
    "/mailalerts": commands.mail_alerts,
}
EVENTS: Final = ("app_home_opened", "app_mention")
#: Slack cuts a message at 40,000 characters; its blocks may say the same again.
LONGEST_MESSAGE: Final = 80_000
#: The parts of a view that Slack takes; what else it holds is Slack's own.
SENT_BACK: Final = ("type", "callback_id", "private_metadata", "title", "submit", "close", "blocks")
#: The same person pressing the same button again within this time means it once.
DOUBLE_CLICK: Final = timedelta(seconds=1.5)


async def _nothing(_services: Services, _ask: Ask, _value: str) -> None:
    """A button that only opens a page: Slack tells us of it, and wants no more than an acknowledgement."""


ACTIONS: Final[dict[Action, Callable[[Services, Ask, str], Awaitable[None]]]] = {
    Action.REFRESH: actions.refresh,
    Action.CHOOSE_RANGE: actions.refresh,
    Action.VIEW_DETAILS: browsing.view_details,
    Action.DETAILS_NEXT: browsing.turn_page,
    Action.DETAILS_FILTER: browsing.choose_status,
    Action.DETAILS_EXPORT: browsing.export,
    Action.HOME_RANGE: home.choose_range,
    Action.HOME_FIRST: home.choose_first,
    Action.HOME_LAST: home.choose_last,
    Action.HOME_PAGE: home.turn_page,
    Action.HOME_REFRESH: home.look,
    Action.TRACK: actions.track_piece,
    Action.PICK_CAMPAIGN: actions.pick_campaign,
    Action.PICK_PIECE: actions.pick_piece,
    Action.CANCEL_PIECE: actions.cancel_one,
    Action.CANCEL_CAMPAIGN: actions.ask_cancel_campaign,
    Action.DELIVERY_CURVE: actions.delivery_curve,
    Action.RETURNS: desk.open_desk,
    Action.RETURNS_RANGE: desk.open_range,
    Action.RETURNS_PUSH: desk.push_desk,
    Action.RETURNS_NEXT: desk.turn_page,
    Action.RETURNS_MAP: desk.show_map,
    Action.RETURN_OPEN: desk.open_piece,
    Action.RETURN_CHECK: desk.check_address,
    Action.RETURN_REASON: desk.note_reason,
    Action.RETURN_HANDLED: desk.mark_handled,
    Action.SHARE_PIECE: actions.share_piece,
    Action.ALERT_SETTINGS: actions.alert_settings,
    Action.OPEN_DASHBOARD: _nothing,
}


#: Each of these changes what the next one builds upon, and none opens a page, which could not wait.
IN_TURN: Final = frozenset({Action.HOME_RANGE, Action.HOME_FIRST, Action.HOME_LAST, Action.HOME_PAGE})
HANDLERS: Final = {action.value: handler for action, handler in ACTIONS.items()}


async def _outdated(_services: Services, _ask: Ask, _value: str) -> None:
    raise Outdated


@dataclass
class InFlight:
    """The work under way: kept by a strong reference, and waited for when we stop."""

    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def is_running(self, name: str) -> bool:
        return any(task.get_name() == name for task in self.tasks)

    async def drain(self, seconds: float) -> None:
        """Waits for the work under way; what takes longer is given up."""
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=seconds)
        for task in list(self.tasks):
            log.warning("shutdown.given_up", task=task.get_name())
            task.cancel()


@dataclass(frozen=True)
class Desk:
    """Where requests arrive: whose they are, and what answers them."""

    services: Services
    workspace: Workspace
    in_flight: InFlight
    #: The last question of each person that is still being answered.
    last: dict[UserId, asyncio.Task[None]] = field(default_factory=dict)

    def take(self, ask: Ask, key: str, work: Work, *, in_turn: bool = False) -> None:
        """Starts the work of a request that was acknowledged; `in_turn`: after the same person's earlier ones."""
        before = self.last.get(ask.user) if in_turn else None
        task = self.in_flight.start(self._answer(ask, key, work, before), name=key)
        if in_turn:
            self.last[ask.user] = task
            task.add_done_callback(lambda done: self._forget(ask.user, done))

    def _forget(self, user: UserId, done: asyncio.Task[None]) -> None:
        if self.last.get(user) is done:
            del self.last[user]

    async def _answer(self, ask: Ask, key: str, work: Work, before: asyncio.Task[None] | None) -> None:
        """The boundary round every listener: whatever goes wrong reaches the asker in words."""
        reference = uuid.uuid4().hex[:8]
        if before is not None:
            await asyncio.wait([before])
        try:
            await self._answer_once(ask, key, work)
        except Exception:
            log.exception("listener.broke", reference=reference, key=key)
            await self._say(ask, words.failed(reference))

    async def _answer_once(self, ask: Ask, key: str, work: Work) -> None:
        now = self.services.clock.now()
        workspace = await self.services.memory.together(_admit, ask, key, now)
        if workspace is None:
            log.info("listener.repeated", key=key)
            return
        try:
            await work(replace(ask, workspace=workspace))
        except Trouble as trouble:
            log.info("listener.refused", key=key, reason=type(trouble).__name__, code=trouble.code)
            await self._say(ask, words.plain(str(trouble)))

    async def _say(self, ask: Ask, message: Message) -> None:
        try:
            await actions.refused(self.services, ask, message.text)
        except Trouble as trouble:
            log.warning("listener.unheard", reason=type(trouble).__name__, code=trouble.code)


def _admit(connection: Connection, ask: Ask, key: str, now: datetime) -> Workspace | None:
    """The workspace as it is now; None when this very request was handled before, or was a second click."""
    if not leases.first_time(connection, key, now):
        return None
    if ask.click and not leases.first_time(connection, ask.click, now, DOUBLE_CLICK):
        return None
    return workspaces.by_id(connection, ask.workspace.id)


def build_bolt(client: AsyncWebClient, signing_secret: str, desk: Desk) -> AsyncApp:
    """The Bolt app with all listeners. The most used command is registered first: Bolt tries them in order."""
    app = AsyncApp(
        client=client,
        signing_secret=signing_secret or "unused-in-socket-mode",
        process_before_response=True,
        # Checked before anything is dispatched: see `Front.slack`. Twice would only be slower.
        request_verification_enabled=False,
    )
    for name, handler in COMMANDS.items():
        app.command(name)(_command(desk, handler))
    # Also what no view shows any more: a button of an older version deserves an answer.
    app.action(re.compile(".*"))(_action(desk))
    app.view(Form.ALERTS)(_alerts_form(desk))
    app.view(Form.CANCEL_CAMPAIGN)(_cancel_form(desk))
    app.view(Form.DETAILS)(_details_form(desk))
    app.shortcut("track_in_message")(_message_shortcut(desk))
    app.event("app_mention")(_mention(desk))
    app.event("function_executed")(_step(desk))
    app.event("link_shared")(_links(desk))
    app.event("app_home_opened")(_home(desk))
    return app


def _command(desk: Desk, handler: Callable[[Services, Ask], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        ask = Ask(
            workspace=desk.workspace,
            user=UserId(body["user_id"]),
            channel=ChannelId(body["channel_id"]),
            text=body.get("text") or "",
            response_url=body.get("response_url", ""),
            trigger_id=body.get("trigger_id", ""),
        )
        # What opens a page cannot wait its turn: Slack lets it do so for three seconds only.
        in_turn = handler is not commands.mail_alerts
        desk.take(ask, f"command:{ask.trigger_id}", lambda ask: handler(desk.services, ask), in_turn=in_turn)

    return listen


def _action(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        pressed = body["actions"][0]
        ask = _pressed_by(desk, body)
        place = ask.view_id or (body.get("container") or {}).get("message_ts", "")
        # Slack gives each click of a double click an id of its own.
        ask = replace(ask, click=f"click:{ask.user}:{place}:{pressed['action_id']}:{_value(pressed)}")
        handler = HANDLERS.get(pressed["action_id"], _outdated)
        value = _value(pressed)
        key, in_turn = f"action:{ask.trigger_id}", pressed["action_id"] in IN_TURN
        desk.take(ask, key, lambda ask: handler(desk.services, ask, value), in_turn=in_turn)

    return listen


def _value(pressed: Body) -> str:
    chosen = pressed.get("selected_option") or {}
    return str(pressed.get("value") or chosen.get("value") or pressed.get("selected_date") or "")


def _pressed_by(desk: Desk, body: Body) -> Ask:
    container, view = body.get("container") or {}, body.get("view") or {}
    at_home = view.get("type") == "home"
    # Only the asker's own copy of an ephemeral message can be replaced, and only by its response_url.
    shared = "" if container.get("is_ephemeral") else container.get("message_ts", "")
    return Ask(
        workspace=desk.workspace,
        user=UserId(body["user"]["id"]),
        channel=ChannelId((body.get("channel") or {}).get("id", "")),
        response_url=body.get("response_url", ""),
        trigger_id=body.get("trigger_id", ""),
        message_ts=shared,
        # Home is published to a person; what can be replaced by its id is a modal.
        view_id="" if at_home else view.get("id", ""),
        view_hash=view.get("hash", "") if at_home else "",
        metadata=view.get("private_metadata", ""),
    )


def _alerts_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        view = body["view"]
        ask = Ask(desk.workspace, UserId(body["user"]["id"]), ChannelId(view["private_metadata"]))
        values = view["state"]["values"]
        campaign = values["campaign"]["campaign"]["selected_option"]["value"]
        wants = [one["value"] for one in values["wants"]["wants"].get("selected_options") or []]
        digest, quiet, alarm = (_chosen(values, name) for name in ("digest", "quiet", "alarm"))
        key = f"view:{body.get('trigger_id') or view['id']}"
        desk.take(
            ask, key, lambda ask: actions.save_alerts(desk.services, ask, campaign, wants, (digest, quiet, alarm))
        )

    return listen


def _chosen(values: Body, name: str) -> str:
    return str(values.get(name, {}).get(name, {}).get("selected_option", {}).get("value", "off"))


def _cancel_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        view = body["view"]
        metadata = view["private_metadata"]
        ask = Ask(desk.workspace, UserId(body["user"]["id"]), ChannelId(metadata.partition("|")[2]))
        key = f"view:{body.get('trigger_id') or view['id']}"
        desk.take(ask, key, lambda ask: actions.cancel_campaign(desk.services, ask, metadata))

    return listen


def _details_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, body: Body) -> None:
        view = body["view"]
        # A plain acknowledgement would close the modal: it stays as it is until the answer takes its place.
        await ack(response_action="update", view={key: view[key] for key in SENT_BACK if view.get(key)})
        typed = view["state"]["values"]["search"]["asked"].get("value") or ""
        ask = Ask(desk.workspace, UserId(body["user"]["id"]), ChannelId(""), typed)
        ask = replace(ask, view_id=view["id"], metadata=view["private_metadata"])
        key = f"view:{body.get('trigger_id') or view['id']}"
        desk.take(ask, key, lambda ask: browsing.search(desk.services, ask))

    return listen


def _message_shortcut(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        ask = Ask(
            workspace=desk.workspace,
            user=UserId(body["user"]["id"]),
            channel=ChannelId((body.get("channel") or {}).get("id", "")),
            text=_all_text(body.get("message") or {}),
            response_url=body.get("response_url", ""),
            trigger_id=body.get("trigger_id", ""),
        )
        desk.take(ask, f"shortcut:{ask.trigger_id}", lambda ask: commands.track_in_message(desk.services, ask))

    return listen


def _all_text(message: Body) -> str:
    """What a message says in its text and in its blocks: bots often say less in the text."""
    return f"{message.get('text') or ''} {' '.join(_texts(message.get('blocks') or []))}"[:LONGEST_MESSAGE]


def _texts(block: Any) -> Iterator[str]:
    if isinstance(block, Mapping):
        if isinstance(block.get("text"), str):
            yield block["text"]
        block = list(block.values())
    if isinstance(block, list):
        for inner in block:
            yield from _texts(inner)


def _home(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(body: Body, event: Body) -> None:
        if event.get("tab") != "home":
            return
        ask = Ask(desk.workspace, UserId(event["user"]), ChannelId(""))
        ask = replace(ask, view_hash=(event.get("view") or {}).get("hash", ""))
        desk.take(ask, f"event:{body['event_id']}", lambda ask: home.look(desk.services, ask))

    return listen


def _step(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(body: Body, event: Body) -> None:
        name = event["function"]["callback_id"]
        if name not in automation.STEPS:
            return
        inputs = {key: str(value) for key, value in (event.get("inputs") or {}).items()}
        execution, token = event["function_execution_id"], event.get("bot_access_token") or ""
        ask = Ask(desk.workspace, UserId(""), ChannelId(""))

        async def work(ask: Ask) -> None:
            await automation.run_step(desk.services, ask, name, inputs, execution, token)

        desk.take(ask, f"event:{body['event_id']}", work)

    return listen


def _links(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(body: Body, event: Body) -> None:
        urls = [str(link["url"]) for link in event.get("links") or []]
        ask = Ask(desk.workspace, UserId(event["user"]), ChannelId(event["channel"]), message_ts=event["message_ts"])
        desk.take(ask, f"event:{body['event_id']}", lambda ask: automation.unfurl(desk.services, ask, urls))

    return listen


def _mention(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(body: Body, event: Body) -> None:
        ask = Ask(
            workspace=desk.workspace,
            user=UserId(event["user"]),
            channel=ChannelId(event["channel"]),
            text=re.sub(r"<@\w+(\|[^>]*)?>", "", event.get("text") or ""),
            thread=event.get("thread_ts") or event["ts"],
        )
        key = f"event:{body['event_id']}"
        desk.take(ask, key, lambda ask: commands.mention(desk.services, ask), in_turn=True)

    return listen
