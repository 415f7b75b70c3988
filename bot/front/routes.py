"""What answers a request that Bolt has authorized: one look in a table, in front of Bolt's own search.

Bolt asks its listeners one after another whether a request is theirs, and fills in what each wants by the names of its
arguments; that took a third of an acknowledgement. What it does before that (whose request it is, addresses that Slack
verifies, the bot's own events) stays Bolt's. Its tasks are not tracked and its lazy listeners swallow exceptions, so
neither is used: what a listener acknowledged with is the answer.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncBoltContext
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

Body = Mapping[str, Any]
Listener = Callable[[AsyncAck, AsyncBoltContext, Body], Awaitable[None]]

SHORTCUTS: Final = frozenset(("shortcut", "message_action"))


@dataclass(frozen=True)
class Routes:
    """The listeners by what they answer; `other_form` answers forms that are in no table."""

    commands: Mapping[str, Listener]
    action: Listener
    forms: Mapping[str, Listener]
    other_form: Listener
    shortcuts: Mapping[str, Listener]
    events: Mapping[str, Listener]

    def of(self, body: Body) -> Listener | None:
        """The listener of a request whose shape was looked at (`payloads.require_slack`); None when it is nobody's."""
        if found := self.commands.get(body.get("command") or ""):
            return found
        kind = body.get("type")
        if kind == "event_callback":
            return self.events.get(body["event"]["type"])
        if kind == "block_actions":
            return self.action
        if kind in SHORTCUTS:
            return self.shortcuts.get(body.get("callback_id") or "")
        form = (body.get("view") or {}).get("callback_id") if kind == "view_submission" else None
        return None if form is None else self.forms.get(form, self.other_form)


class Router(AsyncMiddleware):
    """The last of Bolt's middlewares: it passes on what is nobody's, which Bolt then refuses."""

    def __init__(self, routes: Routes) -> None:
        self.routes = routes

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,  # noqa: ARG002 - the names are Bolt's
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002
    ) -> BoltResponse | None:
        """What the listener acknowledged with. An event's listener leaves that to us, for when it has returned."""
        listen = self.routes.of(req.body)
        if listen is None:
            return await next()
        ack = req.context.ack
        await listen(ack, req.context, req.body)
        return ack.response or await ack()
