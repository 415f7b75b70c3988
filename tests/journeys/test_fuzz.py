"""A short form of `make fuzz`, and the inputs that once broke something."""

import time
from typing import Any

import aiohttp
import pytest

from bot.sandbox.slack import encode, sign
from handlers.text.buttons import Action
from tests.fuzz.__main__ import attacked, settle
from tests.fuzz.seeds import action, command
from tests.house import ACME, house


async def test_a_few_thousand_damaged_inputs_break_nothing(postgres_url: str) -> None:
    found = await attacked(postgres_url, 2000, seed=11)
    assert found.faults == []
    assert found.sent == 2000
    assert {200, 400, 401, 404} <= set(found.statuses)


def found(slack: Any) -> list[tuple[str, Any, int]]:
    """Inputs that once broke something: what was sent, and what is answered now."""
    press = action(slack, Action.REFRESH, "1", "message")
    foreign = {"response_url": "http://127.0.0.1:9/slack.com", "team": {"id": "T0NOBODY"}}
    return [
        # Bolt posted its own refusal to any address when the workspace was unknown.
        ("interactive", press | foreign, 400),
        (
            "slash_commands",
            command(slack, "/mailstatus", "") | {"team_id": "T0NOBODY", "response_url": "http://10.0.0.1/"},
            400,
        ),
        # A team that is a number went to the database as one.
        ("interactive", press | {"team": {"id": 2**63}}, 400),
        ("interactive", press | {"team": True}, 400),
        ("interactive", press | {"actions": []}, 400),
        ("interactive", press | {"actions": True}, 400),
        ("interactive", press | {"channel": True}, 400),
        ("interactive", press | {"user": {"id": ["U0ANA"]}}, 400),
        ("interactive", press | {"trigger_id": "\x00"}, 400),
        ("interactive", press | {"trigger_id": "\ud800"}, 400),
        # "²" is a digit to Python, and no number.
        ("interactive", action(slack, Action.VIEW_DETAILS, "²", "message"), 200),
        ("interactive", action(slack, Action.HOME_PAGE, "²", "home"), 200),
        ("slash_commands", command(slack, "/mailtrack", "²²²"), 200),
    ]


async def test_what_once_broke_something_is_answered(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with house(postgres_url) as made, aiohttp.ClientSession() as session:
        await settle(made)
        for number, (kind, body, status) in enumerate(found(made.slack(ACME))):
            if body["trigger_id"] == "t.1":
                body["trigger_id"] = f"t.{number}"
            raw, content = encode(kind, body)
            headers = sign(made.cloud.signing_secret, raw, int(time.time())) | {"Content-Type": content}
            async with session.post(f"{made.public}/slack/events", data=raw, headers=headers) as answer:
                assert answer.status == status, (number, body)
        async with session.get(
            f"{made.public}/slack/install",
            data=b"{not json",
            headers={"Content-Type": "application/json"},
            allow_redirects=False,
        ) as page:
            assert page.status == 302
        await made.app.in_flight.drain(5)  # type: ignore[union-attr]
    assert "broke" not in caplog.text
