"""The table finds the very listener that Bolt's own search would."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltContext, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.front.routes import Body, Listener, Router, Routes

NAMES = st.sampled_from(("known", "other", "more", ""))
BODIES = st.one_of(
    st.fixed_dictionaries(
        {"command": st.sampled_from(("/known", "/more", "/unknown", "/knowns"))}, optional={"type": NAMES}
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(("block_actions", "shortcut", "message_action", "view_submission", "view_closed", "x"))},
        optional={
            "callback_id": NAMES,
            "actions": st.just([{"action_id": "any", "block_id": "", "type": "button"}]),
            "view": st.fixed_dictionaries({"type": st.just("modal")}, optional={"callback_id": NAMES}),
            "command": st.sampled_from(("/known", "/unknown")),
        },
    ).filter(lambda body: body["type"] != "block_actions" or "actions" in body),
    st.builds(
        lambda kind: {"type": "event_callback", "event": {"type": kind, "user": "U1"}},
        st.sampled_from(("known", "more", "unknown")),
    ),
    st.just({"type": "url_verification", "challenge": "c"}),
    st.just({"ssl_check": "1"}),
)  # fmt: skip


def listener(name: str) -> Listener:
    async def listen(ack: AsyncAck, context: AsyncBoltContext, body: Body) -> None:
        await ack(name)

    return listen


def routes() -> Routes:
    return Routes(
        commands={f"/{name}": listener(f"command {name}") for name in ("known", "more")},
        action=listener("action"),
        forms={name: listener(f"form {name}") for name in ("known", "more")},
        other_form=listener("other form"),
        shortcuts={name: listener(f"shortcut {name}") for name in ("known", "more")},
        events={name: listener(f"event {name}") for name in ("known", "more")},
    )


def by_table(bolt: AsyncApp) -> None:
    bolt.use(Router(routes()))


def by_search(bolt: AsyncApp) -> None:
    table = routes()
    for name, one in table.commands.items():
        bolt.command(name)(one)
    bolt.action(re.compile(".*"))(table.action)
    for name, one in table.forms.items():
        bolt.view(name)(one)
    bolt.view(re.compile(".*"))(table.other_form)
    for name, one in table.shortcuts.items():
        bolt.shortcut(name)(one)
    for name, one in table.events.items():
        bolt.event(name)(one)


async def answered(way: Callable[[AsyncApp], None], body: dict[str, Any]) -> tuple[int, str]:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="b")

    bolt = AsyncApp(
        client=AsyncWebClient(), signing_secret="s", request_verification_enabled=False, process_before_response=True,
        authorize=authorize,
    )  # fmt: skip
    way(bolt)
    response = await bolt.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))
    return response.status, response.body


@given(body=BODIES)
async def test_the_table_answers_as_bolts_own_search_would(body: dict[str, Any]) -> None:
    assert await answered(by_table, dict(body)) == await answered(by_search, dict(body))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"command": "/known"}, (200, "command known")),
        ({"type": "block_actions", "actions": [{"action_id": "a"}]}, (200, "action")),
        ({"type": "view_submission", "view": {"callback_id": "known", "type": "modal"}}, (200, "form known")),
        ({"type": "view_submission", "view": {"callback_id": "old", "type": "modal"}}, (200, "other form")),
        ({"type": "message_action", "callback_id": "more"}, (200, "shortcut more")),
        ({"type": "event_callback", "event": {"type": "more"}}, (200, "event more")),
        ({"command": "/unknown"}, (404, '{"error": "unhandled request"}')),
        ({"type": "url_verification", "challenge": "c"}, (200, '{"challenge": "c"}')),
    ],
)
async def test_each_kind_has_its_listener(body: dict[str, Any], found: tuple[int, str]) -> None:
    assert await answered(by_table, body) == found


async def test_what_its_listener_did_not_acknowledge_is_acknowledged_when_that_has_returned() -> None:
    async def quiet(_ack: AsyncAck, _context: AsyncBoltContext, _body: Body) -> None:
        pass

    table = routes()
    router = Router(Routes(table.commands, table.action, table.forms, table.other_form, {}, {"known": quiet}))
    request = AsyncBoltRequest(mode="socket_mode", body={"type": "event_callback", "event": {"type": "known"}})

    async def nobody() -> BoltResponse:
        raise AssertionError

    response = await router.async_process(req=request, resp=BoltResponse(status=200), next=nobody)
    assert response is not None
    assert (response.status, response.body) == (200, "")
