"""Texts within Slack's limits, and the checker that says so."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.limits import check_message, check_view
from handlers.text import messages
from handlers.text.buttons import NOTHING
from handlers.text.messages import clip, escape
from tests.strategies import (
    words_of,
)


@given(text=words_of, limit=st.integers(5, 60))
def test_clipping_keeps_the_limit_and_cuts_no_mark_in_half(text: str, limit: int) -> None:
    clipped = clip(escape(text), limit)
    assert len(clipped) <= limit
    assert not re.search(r"&[a-z]{0,3}…$", clipped)


def test_the_checker_finds_what_slack_would_refuse() -> None:
    wrong = [
        [messages.section("x" * 3000) | {"text": {"type": "mrkdwn", "text": "x" * 3001}}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "actions", "elements": []}],
        [{"type": "image", "alt_text": "x"}],
        [{"type": "made_up"}],
        [messages.divider()] * 51,
        [messages.actions(messages.button("a", "b", NOTHING), messages.button("a", "b", NOTHING))],
        [messages.actions(messages.button("a", "b", NOTHING) | {"value": "x" * 2001})],
    ]
    for blocks in wrong:
        assert check_message("text", blocks)
    assert check_message("", [messages.divider()])
    assert check_view({"type": "modal", "title": {"type": "plain_text", "text": "x" * 25}, "blocks": []})
