"""Texts within Slack's limits, and the checker that says so."""

import ast
import re
from html import unescape
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.limits import check_message, check_view
from handlers.errors import Refusal
from handlers.text import messages, short_answers
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


@given(words=words_of, by=st.sampled_from(["", "U0BEN"]))
def test_any_text_through_a_refusal_arrives_as_it_was_raised(words: str, by: str) -> None:
    said = short_answers.refusal(Refusal(f"“{words}”", by=by))
    shown = str(said.blocks[0]["text"]["text"])
    assert said.text == shown or len(said.text) > len(shown)
    own = f" It was <@{by}>." if by else ""
    assert unescape(said.text.removesuffix(own)) == f"“{words}”"
    assert not set("<>") & set(said.text.removesuffix(own)), "and nobody is mentioned"


def test_nobody_escapes_what_they_raise() -> None:
    root = Path(messages.__file__).parent.parent.parent
    raised = [
        f"{path.relative_to(root)}:{node.lineno}"
        for folder in ("bot", "handlers", "storage")
        for path in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise)
        and node.exc
        and re.search(r"\b(escape|quote|refusal)\(|<@", ast.unparse(node.exc))
    ]
    assert raised == []
