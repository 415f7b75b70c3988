"""Bolt's listeners: one table from what Slack sends to the handler that answers it, and the boundary round each.

Every request is acknowledged at once; the work goes on in a task of ours. Bolt's own tasks are not tracked and its
lazy listeners swallow exceptions, so neither is used: `process_before_response` makes the acknowledgement the answer.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError

from bot.front.dispatcher import Desk
from bot.tenants import Entry
from handlers.admin import erasing
from handlers.admin import log as audit_log
from handlers.admin import settings as admin_settings
from handlers.admin import view as admin_view
from handlers.alerts import actions as alerts_actions
from handlers.alerts import commands as alerts_commands
from handlers.cancel import actions as cancel_actions
from handlers.cancel import approvals
from handlers.context.lookups import Outdated
from handlers.context.services import Ask, Services
from handlers.errors import Outage
from handlers.home import actions as home_actions
from handlers.pieces import actions as pieces_actions
from handlers.returns import actions as returns_actions
from handlers.setup import actions as setup_actions
from handlers.status import actions as status_actions
from handlers.status import commands as status_commands
from handlers.text.buttons import IN_TURN, LOOKING, NAMELESS, Action, Form
from handlers.text.messages import pictures_in
from handlers.track import actions as track_actions
from handlers.track import commands as track_commands
from handlers.workflow import mentions
from handlers.workflow import steps as workflow_steps
from storage.records import ChannelId, Rules, UserId, Workspace

log = structlog.get_logger()

Body = Mapping[str, Any]

COMMANDS: Final[dict[str, Callable[[Services, Ask], Awaitable[None]]]] = {
    "/mailstatus": status_commands.mail_status,
    "/mailtrack": track_commands.mail_track,
    "/mailalerts": alerts_commands.mail_alerts,
}
EVENTS: Final = ("app_home_opened", "app_mention")
#: Slack cuts a message at 40,000 characters; its blocks may say the same again.
LONGEST_MESSAGE: Final = 80_000
#: The parts of a view that Slack takes; what else it holds is Slack's own.
SENT_BACK: Final = ("type", "callback_id", "private_metadata", "title", "submit", "close", "blocks")


async def _nothing(_services: Services, _ask: Ask, _value: str) -> None:
    """A button that only opens a page: Slack tells us of it, and wants no more than an acknowledgement."""


ACTIONS: Final[dict[Action, Callable[[Services, Ask, str], Awaitable[None]]]] = {
    Action.REFRESH: status_actions.refresh,
    Action.CHOOSE_RANGE: status_actions.refresh,
    Action.VIEW_DETAILS: pieces_actions.view_details,
    Action.DETAILS_NEXT: pieces_actions.turn_page,
    Action.DETAILS_FILTER: pieces_actions.choose_status,
    Action.DETAILS_EXPORT: pieces_actions.export,
    Action.HOME_RANGE: home_actions.choose_range,
    Action.HOME_FIRST: home_actions.choose_first,
    Action.HOME_LAST: home_actions.choose_last,
    Action.HOME_PAGE: home_actions.turn_page,
    Action.HOME_REFRESH: home_actions.look,
    Action.TRACK: track_actions.track_piece,
    Action.PICK_CAMPAIGN: status_actions.pick_campaign,
    Action.PICK_PIECE: track_actions.pick_piece,
    Action.CANCEL_PIECE: cancel_actions.cancel_one,
    Action.CANCEL_CAMPAIGN: cancel_actions.ask_cancel_campaign,
    Action.DELIVERY_CURVE: status_actions.delivery_curve,
    Action.RETURNS: returns_actions.open_desk,
    Action.RETURNS_RANGE: returns_actions.open_range,
    Action.RETURNS_PUSH: returns_actions.push_desk,
    Action.RETURNS_NEXT: returns_actions.turn_page,
    Action.RETURNS_MAP: returns_actions.show_map,
    Action.RETURN_OPEN: returns_actions.open_piece,
    Action.RETURN_CHECK: returns_actions.check_address,
    Action.RETURN_REASON: returns_actions.note_reason,
    Action.RETURN_HANDLED: returns_actions.mark_handled,
    Action.SHARE_PIECE: track_actions.share_piece,
    Action.ALERT_SETTINGS: alerts_actions.alert_settings,
    Action.OPEN_DASHBOARD: _nothing,
    Action.CONNECT: setup_actions.open_connect,
    Action.WEBHOOK: setup_actions.open_webhook,
    Action.NEW_WEBHOOK: setup_actions.new_webhook,
    Action.SETTINGS: admin_settings.open_settings,
    Action.AUDIT: audit_log.open_log,
    Action.AUDIT_OLDER: audit_log.older,
    Action.AUDIT_EXPORT: audit_log.export_log,
    Action.APPROVE: approvals.approve,
    Action.DECLINE: approvals.decline,
    Action.ERASE: erasing.erase,
}


HANDLERS: Final = {action.value: handler for action, handler in ACTIONS.items()}


async def _outdated(_services: Services, _ask: Ask, _value: str) -> None:
    raise Outdated


Enter = Callable[[str | None, str | None, bool], Awaitable[Entry | None]]


def build_bolt(client: AsyncWebClient, enter: Enter, desk: Desk, left: Callable[..., Awaitable[None]]) -> AsyncApp:
    """The Bolt app with all listeners. The most used command is registered first: Bolt tries them in order."""

    async def authorize(context: AsyncBoltContext, enterprise_id: str | None, team_id: str | None) -> Any:
        found = await enter(enterprise_id, team_id, bool(context.is_enterprise_install))
        if found is None:
            log.warning("listener.unknown_team")
            return None
        result = AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_id=found.bot_id, bot_user_id=found.bot_user,
            bot_token=found.token,
        )  # fmt: skip
        result["workspace"] = found.workspace
        return result

    app = AsyncApp(
        client=client,
        # Checked before anything is dispatched: see `Front.slack`. Twice would only be slower.
        signing_secret="checked-before",  # noqa: S106
        request_verification_enabled=False,
        process_before_response=True,
        authorize=authorize,
    )

    @app.error
    async def not_understood(error: Exception, body: Body) -> BoltResponse:
        """A listener acknowledges and starts work, and nothing else: what broke there is the request's own shape."""
        if isinstance(error, SQLAlchemyError):
            raise error
        if isinstance(error, Outage):
            # Without the workspace's token only the answer itself can be shown; the rest Slack is to repeat.
            said = {"response_type": "ephemeral", "text": str(error)}
            return BoltResponse(status=200, body=said) if body.get("command") else BoltResponse(status=503)
        log.warning("listener.not_understood", reason=type(error).__name__)
        return BoltResponse(status=400, body='{"error": "not understood"}')

    for name, handler in COMMANDS.items():
        app.command(name)(_command(desk, handler))
    # Also what no view shows any more: a button of an older version deserves an answer.
    app.action(re.compile(".*"))(_action(desk))
    for form, take in FORMS.items():
        app.view(form)(take(desk))
    app.shortcut("track_in_message")(_message_shortcut(desk))
    app.event("app_mention")(_mention(desk))
    app.event("function_executed")(_step(desk))
    app.event("link_shared")(_links(desk))
    app.event("app_home_opened")(_home(desk))
    app.event("app_uninstalled")(left)
    app.event("tokens_revoked")(left)
    return app


def _text(value: Any) -> str:
    """The text that Slack sends in this place, "" for none; anything else is not from Slack (TypeError)."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError
    return value


def _whose(context: AsyncBoltContext) -> Workspace:
    workspace = dict(context.authorize_result or {}).get("workspace")
    assert isinstance(workspace, Workspace)  # noqa: S101 - put there by `authorize`
    return workspace


def _is_foreign(context: AsyncBoltContext) -> bool:
    """Whether the payload itself says that somebody of another team acts (docs.slack.dev: apis/slack-connect)."""
    actor, home = context.actor_team_id, context.team_id
    shared = context.actor_enterprise_id and context.actor_enterprise_id == context.enterprise_id
    return bool(actor and home and actor != home and not shared)


def _command(desk: Desk, handler: Callable[[Services, Ask], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        await ack()
        ask = Ask(
            workspace=_whose(context),
            user=UserId(_text(body["user_id"])),
            channel=ChannelId(_text(body["channel_id"])),
            text=_text(body.get("text")),
            response_url=_text(body.get("response_url")),
            trigger_id=_text(body.get("trigger_id")),
            guest=_is_foreign(context),
            open_to_guests=handler in (status_commands.mail_status, track_commands.mail_track),
            nameless=handler is status_commands.mail_status,
        )
        # What opens a page cannot wait its turn: Slack lets it do so for three seconds only.
        in_turn = handler is not alerts_commands.mail_alerts
        desk.take(ask, f"command:{ask.trigger_id}", handler, in_turn=in_turn)

    return listen


def _action(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        await ack()
        pressed = body["actions"][0]
        ask = _pressed_by(context, body)
        place = ask.view_id or (body.get("container") or {}).get("message_ts", "")
        key, in_turn = f"action:{ask.trigger_id}", pressed["action_id"] in IN_TURN
        # Slack gives each click of a double click an id of its own.
        click = "" if in_turn else f"click:{ask.user}:{place}:{pressed['action_id']}:{_value(pressed)}"
        ask = replace(ask, click=click, open_to_guests=pressed["action_id"] in LOOKING)
        ask = replace(ask, nameless=pressed["action_id"] in NAMELESS)
        handler = HANDLERS.get(pressed["action_id"], _outdated)
        value = _value(pressed)
        desk.take(ask, key, lambda services, ask: handler(services, ask, value), in_turn=in_turn)

    return listen


def _value(pressed: Body) -> str:
    chosen = pressed.get("selected_option") or {}
    return str(pressed.get("value") or chosen.get("value") or pressed.get("selected_date") or "")


def _pressed_by(context: AsyncBoltContext, body: Body) -> Ask:
    container, view = body.get("container") or {}, body.get("view") or {}
    at_home = view.get("type") == "home"
    # Only the asker's own copy of an ephemeral message can be replaced, and only by its response_url.
    shared = "" if container.get("is_ephemeral") else _text(container.get("message_ts"))
    return Ask(
        workspace=_whose(context),
        user=UserId(_text(body["user"]["id"])),
        channel=ChannelId(_text((body.get("channel") or {}).get("id"))),
        response_url=_text(body.get("response_url")),
        trigger_id=_text(body.get("trigger_id")),
        message_ts=shared,
        pictures=pictures_in(body.get("message")) if shared else (),
        # Home is published to a person; what can be replaced by its id is a modal.
        view_id="" if at_home else _text(view.get("id")),
        view_hash=_text(view.get("hash")) if at_home else "",
        metadata=_text(view.get("private_metadata")),
        guest=_is_foreign(context),
    )


def _alerts_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        await ack()
        view = body["view"]
        ask = replace(_submitted(context, body), channel=ChannelId(_text(view["private_metadata"])), view_id="")
        values = view["state"]["values"]
        campaign = _text(values["campaign"]["campaign"]["selected_option"]["value"])
        wants = [_text(one["value"]) for one in values["wants"]["wants"].get("selected_options") or []]
        digest, quiet, alarm = (_chosen(values, name) for name in ("digest", "quiet", "alarm"))
        key = _view_key(body)
        desk.take(
            ask,
            key,
            lambda services, ask: alerts_actions.save_alerts(services, ask, campaign, wants, (digest, quiet, alarm)),
        )

    return listen


def _chosen(values: Body, name: str) -> str:
    return str(values.get(name, {}).get(name, {}).get("selected_option", {}).get("value", "off"))


def _cancel_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        await ack()
        view = body["view"]
        metadata = _text(view["private_metadata"])
        ask = replace(_submitted(context, body), channel=ChannelId(metadata.partition("|")[2]), view_id="")
        key = _view_key(body)
        desk.take(ask, key, lambda services, ask: cancel_actions.cancel_campaign(services, ask, metadata))

    return listen


def _details_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        view = body["view"]
        # A plain acknowledgement would close the modal: it stays as it is until the answer takes its place.
        await ack(response_action="update", view={key: view[key] for key in SENT_BACK if view.get(key)})
        typed = _text(view["state"]["values"]["search"]["asked"].get("value"))
        ask = replace(_submitted(context, body), text=typed, metadata=_text(view["private_metadata"]))
        key = _view_key(body)
        desk.take(ask, key, pieces_actions.search)

    return listen


def _account_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        view = body["view"]
        values = view["state"]["values"]
        key = str(values["key"]["key"].get("value") or "")
        region = _chosen(values, "region")
        await ack(response_action="update", view=setup_actions.trying("Mail account"))
        desk.take(
            _submitted(context, body),
            _view_key(body),
            lambda services, ask: setup_actions.connect(services, ask, key, region),
        )

    return listen


def _webhook_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        secret = str(body["view"]["state"]["values"]["secret"]["secret"].get("value") or "")
        await ack(response_action="update", view=setup_actions.trying("Webhook"))
        desk.take(
            _submitted(context, body),
            _view_key(body),
            lambda services, ask: setup_actions.save_webhook(services, ask, secret),
        )

    return listen


def _rules_form(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        values = body["view"]["state"]["values"]
        amount = str(values["above"]["above"].get("value") or "")
        cancellers, stewards = (
            admin_view.chosen(_chosen(values, one), _people(values, one)) for one in ("cancellers", "stewards")
        )
        made = Rules(cancellers, stewards)
        await ack(response_action="update", view=setup_actions.trying("Settings"))
        desk.take(
            _submitted(context, body),
            _view_key(body),
            lambda services, ask: admin_settings.save_settings(services, ask, made, amount),
        )

    return listen


def _people(values: Body, name: str) -> list[str]:
    chosen = values[f"{name}_people"]["people"].get("selected_users") or []
    return [str(one) for one in chosen]


def _submitted(context: AsyncBoltContext, body: Body) -> Ask:
    """Who submitted a modal, which stays open if it has a `view_id`."""
    user = UserId(_text(body["user"]["id"]))
    return Ask(_whose(context), user, ChannelId(""), view_id=_text(body["view"]["id"]), guest=_is_foreign(context))


def _view_key(body: Body) -> str:
    return f"view:{body.get('trigger_id') or body['view']['id']}"


def _message_shortcut(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        await ack()
        ask = Ask(
            workspace=_whose(context),
            user=UserId(_text(body["user"]["id"])),
            channel=ChannelId(_text((body.get("channel") or {}).get("id"))),
            text=_all_text(body.get("message") or {}),
            response_url=_text(body.get("response_url")),
            trigger_id=_text(body.get("trigger_id")),
            guest=_is_foreign(context),
        )
        desk.take(ask, f"shortcut:{ask.trigger_id}", track_commands.track_in_message)

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
    async def listen(context: AsyncBoltContext, body: Body, event: Body) -> None:
        if event.get("tab") != "home":
            return
        ask = Ask(_whose(context), UserId(_text(event["user"])), ChannelId(""), guest=_is_foreign(context))
        ask = replace(ask, view_hash=_text((event.get("view") or {}).get("hash")), open_to_guests=True)
        ask = replace(ask, nameless=True)
        desk.take(ask, f"event:{body['event_id']}", home_actions.look)

    return listen


def _step(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(context: AsyncBoltContext, body: Body, event: Body) -> None:
        name = event["function"]["callback_id"]
        if name not in workflow_steps.STEPS:
            return
        inputs = {key: str(value) for key, value in (event.get("inputs") or {}).items()}
        execution, token = _text(event["function_execution_id"]), _text(event.get("bot_access_token"))
        workspace = _whose(context)
        services = await desk.tenants.of(workspace.id)
        # Kept before Slack is answered: what it was told of once it does not tell again.
        number = await workflow_steps.keep_step(services, workspace, name, inputs, execution, token)
        ask = Ask(workspace, UserId(""), ChannelId(""))
        desk.take(ask, f"event:{body['event_id']}", partial(workflow_steps.begin_step, number=number))

    return listen


def _links(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(context: AsyncBoltContext, body: Body, event: Body) -> None:
        urls = [str(link["url"]) for link in event.get("links") or []]
        ask = Ask(
            _whose(context),
            UserId(_text(event["user"])),
            ChannelId(_text(event["channel"])),
            message_ts=_text(event["message_ts"]),
        )
        ask = replace(ask, guest=_is_foreign(context), open_to_guests=True, nameless=True)
        desk.take(ask, f"event:{body['event_id']}", lambda services, ask: workflow_steps.unfurl(services, ask, urls))

    return listen


def _mention(desk: Desk) -> Callable[..., Awaitable[None]]:
    async def listen(context: AsyncBoltContext, body: Body, event: Body) -> None:
        ask = Ask(
            workspace=_whose(context),
            user=UserId(_text(event["user"])),
            channel=ChannelId(_text(event["channel"])),
            text=re.sub(r"<@\w+(\|[^>]*)?>", "", _text(event.get("text"))),
            thread=_text(event.get("thread_ts") or event["ts"]),
            guest=_is_foreign(context),
            open_to_guests=True,
        )
        key = f"event:{body['event_id']}"
        desk.take(ask, key, mentions.mention, in_turn=True)

    return listen


#: Every modal that can be submitted, and what takes it.
FORMS: Final = {
    Form.ALERTS: _alerts_form,
    Form.CANCEL_CAMPAIGN: _cancel_form,
    Form.DETAILS: _details_form,
    Form.CONNECT: _account_form,
    Form.WEBHOOK: _webhook_form,
    Form.RULES: _rules_form,
}
