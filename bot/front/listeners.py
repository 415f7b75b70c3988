"""Bolt's listeners: the wings' tables, merged, and one way from what Slack sends to the handler that answers it.

Every request is read into a typed value, acknowledged, and answered in a task of ours; what changes something is kept
before it is acknowledged (`handlers.asked`). `bot.front.routes` finds the listener.
"""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.authorization.async_authorize import AsyncAuthorize
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError

from bot.front import payloads
from bot.front.dispatcher import Dispatcher
from bot.front.payloads import NotFromSlackError, read
from bot.front.routes import Body, Listener, Router, Routes
from bot.tenants import Installed
from handlers.asked import PRESSES, TABLE, Given
from handlers.context.services import Request, Services
from handlers.context.table import Command, Filled, Press, Submission
from handlers.errors import Outage, Outdated, Trouble
from handlers.home import actions as home_actions
from handlers.text import short_answers
from handlers.text.messages import pictures_in
from handlers.track import commands as track_commands
from handlers.workflow import mentions, steps
from storage.records import ChannelId, UserId, Workspace

log = structlog.get_logger()

COMMANDS: Final = TABLE.commands
EVENTS: Final = ("app_home_opened", "app_mention")


async def _outdated(_services: Services, _ask: Request, _value: str) -> None:
    raise Outdated


#: Also what no view shows any more deserves an answer: a button of an older version.
OUTDATED: Final = Press(_outdated)


async def _gone(_services: Services, _ask: Request, _filled: Filled) -> None:
    raise Outdated


GONE: Final = Submission(_gone)

Enter = Callable[[str | None, str | None, bool], Awaitable[Installed | None]]


def build_bolt(client: AsyncWebClient, enter: Enter, dispatcher: Dispatcher, left: Listener) -> AsyncApp:
    """The Bolt app with all listeners."""

    app = AsyncApp(
        # Unnamed, it reads the source of whatever called it, to find one.
        name="piecewise",
        client=client,
        # Checked before anything is dispatched: see `Front.slack`. Twice would only be slower.
        signing_secret="checked-before",  # noqa: S106
        request_verification_enabled=False,
        authorize=Authorize(enter),  # type: ignore[arg-type]  # its type forgets that None means "not installed"
    )
    app.error(_broke)
    app.use(Router(routes(dispatcher, left)))
    return app


class Authorize(AsyncAuthorize):
    """Whose request it is, by the workspace that Slack names. Bolt calls its own kind without filling in arguments."""

    def __init__(self, enter: Enter) -> None:
        self.enter = enter

    async def __call__(
        self, *, context: AsyncBoltContext, enterprise_id: str | None, team_id: str | None, **_more: str | None
    ) -> AuthorizeResult | None:
        """None when it did not install us."""
        found = await self.enter(enterprise_id, team_id, bool(context.is_enterprise_install))
        if found is None:
            log.warning("listener.unknown_team")
            return None
        result = AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_id=found.bot_id, bot_user_id=found.bot_user,
            bot_token=found.token,
        )  # fmt: skip
        result["workspace"] = found.workspace
        return result


def routes(dispatcher: Dispatcher, left: Listener) -> Routes:
    """What answers what. `left`: hears of events that may mean that we were removed."""
    return Routes(
        commands={name: _command(dispatcher, command) for name, command in COMMANDS.items()},
        action=_action(dispatcher),
        forms={form: _form(dispatcher, submission) for form, submission in TABLE.forms.items()},
        other_form=_form(dispatcher, GONE),
        shortcuts={"track_in_message": _message_shortcut(dispatcher)},
        events={
            "app_mention": _mention(dispatcher),
            "function_executed": _step(dispatcher),
            "link_shared": _links(dispatcher),
            "app_home_opened": _home(dispatcher),
            "app_uninstalled": left,
            "tokens_revoked": left,
        },
    )


async def _broke(error: Exception, body: Body) -> BoltResponse:
    """A listener reads, acknowledges and starts work, and no more: what broke is the request, or a fault of ours."""
    if isinstance(error, SQLAlchemyError):
        raise error
    if isinstance(error, NotFromSlackError):
        log.warning("listener.not_from_slack", places=str(error))
        return BoltResponse(status=400, body='{"error": "not understood"}')
    if isinstance(error, Outage):
        # Without the workspace's token only the answer itself can be shown; the rest Slack is to repeat.
        return _said(body, short_answers.refusal(error).text, 503)
    if isinstance(error, Trouble):
        log.info("listener.refused", reason=type(error).__name__, code=error.code)
        return _said(body, short_answers.refusal(error).text, 400)
    reference = uuid.uuid4().hex[:8]
    log.error("listener.broke", reference=reference, exc_info=error)
    return _said(body, short_answers.failed(reference).text, 500)


def _said(body: Body, text: str, status: int) -> BoltResponse:
    if not body.get("command"):
        return BoltResponse(status=status)
    return BoltResponse(status=200, body={"response_type": "ephemeral", "text": text})


def _whose(context: AsyncBoltContext) -> Workspace:
    workspace = dict(context.authorize_result or {}).get("workspace")
    assert isinstance(workspace, Workspace)  # noqa: S101 - put there by `authorize`
    return workspace


def _is_foreign(context: AsyncBoltContext) -> bool:
    """Whether the payload itself says that somebody of another team acts (docs.slack.dev: apis/slack-connect)."""
    actor, home_team = context.actor_team_id, context.team_id
    shared = context.actor_enterprise_id and context.actor_enterprise_id == context.enterprise_id
    return bool(actor and home_team and actor != home_team and not shared)


def _asked(context: AsyncBoltContext, user: str, channel: str = "", **more: Any) -> Request:
    return Request(_whose(context), UserId(user), ChannelId(channel), guest=_is_foreign(context), **more)


def _id_of(trigger: str) -> str:
    """What tells a repeated request from another; one that came without is taken for one of its own."""
    return trigger or uuid.uuid4().hex


def _command(dispatcher: Dispatcher, command: Command) -> Listener:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        typed = read(payloads.Typed, body)
        await ack()
        request = _asked(
            context, typed.user_id, typed.channel_id, text=typed.text, response_url=typed.response_url,
            trigger_id=typed.trigger_id, open_to_guests=command.for_guests, nameless=command.nameless,
            channel_name=typed.channel_name,
        )  # fmt: skip
        dispatcher.take(request, f"command:{_id_of(typed.trigger_id)}", command.handler, in_turn=not command.opens_page)

    return listen


def _action(dispatcher: Dispatcher) -> Listener:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        pressed = read(payloads.Pressed, body)
        request, element = _pressed_by(context, pressed, body), pressed.actions[0]
        press = PRESSES.get(element.action_id, OUTDATED)
        value = element.carried()
        place = request.view_id or (pressed.container.message_ts if pressed.container else "")
        # Slack gives each click of a double click an id of its own.
        click = "" if press.in_turn else f"click:{request.user}:{place}:{element.action_id}:{value}"
        request = replace(request, click=click, open_to_guests=press.for_guests, nameless=press.nameless)
        handler, key = press.handler, f"action:{_id_of(request.trigger_id)}"
        kept = await dispatcher.keep(request, Given(element.action_id, value), key) if press.kept else None
        await ack()
        if kept is None and press.kept:
            return
        request = replace(request, kept=kept)
        dispatcher.take(
            request, key, lambda services, request: handler(services, request, value), in_turn=press.in_turn
        )

    return listen


def _pressed_by(context: AsyncBoltContext, pressed: payloads.Pressed, body: Body) -> Request:
    container, view = pressed.container or payloads.NOWHERE, pressed.view or payloads.NO_VIEW
    at_home = view.type == "home"
    # Only the asker's own copy of an ephemeral message can be replaced, and only by its response_url.
    shared = "" if container.is_ephemeral else container.message_ts
    return _asked(
        context, pressed.user.id, pressed.channel.id if pressed.channel else "",
        response_url=pressed.response_url,
        trigger_id=pressed.trigger_id,
        message_ts=shared,
        block_id=pressed.actions[0].block_id,
        pictures=pictures_in(body.get("message")) if shared else (),
        # Home is published to a person; what can be replaced by its id is a modal.
        view_id="" if at_home else view.id,
        view_hash=view.hash if at_home else "",
        metadata=view.private_metadata,
    )  # fmt: skip


def _form(dispatcher: Dispatcher, submission: Submission) -> Listener:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        submitted = read(payloads.Submitted, body)
        filled = submitted.filled(body)
        # A form that closed can be answered in its channel alone.
        view_id = submitted.view.id if submission.meanwhile else ""
        request = _asked(context, submitted.user.id, _channel_of(submission, filled), view_id=view_id)
        key = f"view:{_id_of(submitted.trigger_id or submitted.view.id)}"
        given = Given(submitted.view.callback_id, filled=filled)
        kept = await dispatcher.keep(request, given, key) if submission.kept else None
        if submission.meanwhile is None:
            await ack()
        else:
            await ack(response_action="update", view=submission.meanwhile(filled))
        if kept is None and submission.kept:
            return
        request = replace(request, kept=kept)
        dispatcher.take(request, key, lambda services, request: submission.handler(services, request, filled))

    return listen


def _channel_of(submission: Submission, filled: Filled) -> str:
    """The channel that a form carries; "" where one of another version says it otherwise: who sent it is told alone."""
    try:
        return submission.channel(filled)
    except Outdated:
        return ""


def _message_shortcut(dispatcher: Dispatcher) -> Listener:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        chosen = read(payloads.Chosen, body)
        await ack()
        request = _asked(
            context, chosen.user.id, chosen.channel.id if chosen.channel else "", text=chosen.text(),
            response_url=chosen.response_url, trigger_id=chosen.trigger_id,
        )  # fmt: skip
        dispatcher.take(request, f"shortcut:{_id_of(request.trigger_id)}", track_commands.track_in_message)

    return listen


def _home(dispatcher: Dispatcher) -> Listener:
    async def listen(_ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        opened = read(payloads.HomeOpened, body)
        if opened.event.tab != "home":
            return
        seen = opened.event.view.hash if opened.event.view else ""
        request = _asked(context, opened.event.user, view_hash=seen, open_to_guests=True, nameless=True)
        dispatcher.take(request, f"event:{opened.event_id}", home_actions.look)

    return listen


def _step(dispatcher: Dispatcher) -> Listener:
    async def listen(_ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        asked = read(payloads.Executed, body)
        name = asked.event.function.callback_id
        if name not in steps.STEPS:
            return
        workspace = _whose(context)
        services = await dispatcher.tenants.of(workspace.id)
        # Kept before Slack is answered: what it was told of once it does not tell again.
        number = await steps.keep_step(
            services, workspace, name, asked.inputs(), asked.event.function_execution_id, asked.event.bot_access_token
        )
        request = Request(workspace, UserId(""), ChannelId(""))
        dispatcher.take(request, f"event:{asked.event_id}", partial(steps.begin_step, number=number))

    return listen


def _links(dispatcher: Dispatcher) -> Listener:
    async def listen(_ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        shared = read(payloads.Shared, body)
        urls = [link.url for link in shared.event.links or []]
        request = _asked(
            context, shared.event.user, shared.event.channel, message_ts=shared.event.message_ts, open_to_guests=True,
            nameless=True,
        )  # fmt: skip
        dispatcher.take(
            request, f"event:{shared.event_id}", lambda services, request: steps.unfurl(services, request, urls)
        )

    return listen


def _mention(dispatcher: Dispatcher) -> Listener:
    async def listen(_ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        said = read(payloads.Mentioned, body)
        thread = said.event.thread_ts or said.event.ts
        request = _asked(
            context, said.event.user, said.event.channel, text=said.text(), thread=thread, open_to_guests=True
        )
        dispatcher.take(request, f"event:{said.event_id}", mentions.mention, in_turn=True)

    return listen
