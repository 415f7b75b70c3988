"""What Slack sends is read in each of the shapes in which it was seen, and nothing else is taken for it."""

from typing import Any

import pytest

from bot.front import payloads
from bot.front.payloads import NotFromSlackError, Pressed, Submitted, Typed, read, require_clean, require_slack
from handlers.errors import Outdated

FORM: dict[str, Any] = {
    "type": "view_submission",
    "user": {"id": "U1"},
    "view": {"id": "V1", "private_metadata": "5|C1"},
}
PRESS: dict[str, Any] = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "a", "value": "1"}]}


@pytest.mark.parametrize(
    "state", [{}, {"state": None}, {"state": []}, {"state": {"values": []}}, {"state": {"values": None}}]
)
def test_a_form_without_inputs_is_read_whatever_stands_where_they_would_be(state: dict[str, Any]) -> None:
    body = FORM | {"view": FORM["view"] | state}
    require_slack(body)
    filled = read(Submitted, body).filled(body)
    assert (filled.metadata, dict(filled.fields)) == ("5|C1", {})


@pytest.mark.parametrize("empty", [[], None, {}])
def test_an_event_may_hold_an_empty_list_for_an_empty_object(empty: Any) -> None:
    require_slack({"event_id": "E1", "event": {"type": "tokens_revoked", "tokens": empty}})
    event = {
        "type": "function_executed",
        "function": {"callback_id": "x"},
        "function_execution_id": "F",
        "inputs": empty,
    }
    body = {"event_id": "E1", "event": event}
    require_slack(body)
    assert read(payloads.Executed, body).inputs() == {}


@pytest.mark.parametrize("user", [{}, {"id": None}, {"id": ""}, {"id": 7}, None, "U1"])
@pytest.mark.parametrize(("shape", "body"), [(Pressed, PRESS), (Submitted, FORM)])
def test_nobody_presses_or_submits_without_a_name(shape: Any, body: dict[str, Any], user: Any) -> None:
    with pytest.raises(NotFromSlackError, match="user"):
        read(shape, body | {"user": user})
    with pytest.raises(NotFromSlackError):
        read(Typed, {"user_id": "", "channel_id": "C1"})


@pytest.mark.parametrize(
    "body",
    [
        {"type": "event_callback", "event": None},
        {"type": "event_callback"},
        {"type": "event_callback", "event": {"type": "tokens_revoked", "tokens": {"bot": 5}}},
        {"type": "event_callback", "event": {"type": "tokens_revoked", "tokens": [1]}},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": []},
        {"type": "block_actions", "user": {"id": "U1"}, "actions": None},
        {"type": "block_actions", "authorizations": [None]},
    ],
)
def test_what_bolt_or_a_listener_would_break_on_is_refused_before(body: dict[str, Any]) -> None:
    with pytest.raises(NotFromSlackError):
        require_slack(body)


def test_what_a_database_cannot_keep_is_refused_and_what_only_looks_like_it_is_not() -> None:
    for text in ('{"text": "\\u0000"}', '{"text": "\\ud800"}', '{"text": "\x00"}'):
        with pytest.raises(ValueError):  # noqa: PT011 - which kind, nobody asks
            require_clean(text)
    require_clean('{"text": "type \\\\u0000, or \\ud83d\\ude00"}')


def test_a_refusal_names_the_place_and_nothing_of_what_stood_there() -> None:
    with pytest.raises(NotFromSlackError) as refused:
        read(Typed, {"user_id": {"secret": "x0xb"}, "channel_id": "C1"})
    assert str(refused.value) == "user_id"
    assert refused.value.__cause__ is None


def test_a_field_that_a_form_of_another_version_lacks_is_not_taken_for_an_empty_one() -> None:
    # Without it the limit above which a second person approves would have been removed.
    with pytest.raises(Outdated):
        read(Submitted, FORM).filled(FORM)["above"]
