"""What people say behind `/mailalerts`, read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.alerts.words import parse_alerts
from handlers.errors import Refusal
from handlers.text import parsing
from storage.outbox import LONGEST_MUTE

#: A Thursday.
NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "verb", "target"),
    [
        ("", "settings", ""),
        ("on", "on", ""),
        ("ON", "on", ""),
        ("turn alerts on please", "on", ""),
        ("on for Spring lapsed", "on", "Spring lapsed"),
        ("turn on Spring", "on", "Spring"),
        ("Spring off", "off", "Spring"),
        ("notify me about the Holiday postcards campaign", "on", "Holiday postcards"),
        ("stop", "off", ""),
        ("unsubscribe from all campaigns", "off", ""),
        ("off all", "off", ""),
        ("what is on?", "list", ""),
        ("status", "list", ""),
        ("resume", "unmute", ""),
        ("settings", "settings", ""),
        ("Spring", "", "Spring"),
    ],
)
def test_verbs(text: str, verb: str, target: str) -> None:
    asked = parse_alerts(text, NOW)
    assert (asked.verb, asked.target if verb in ("on", "off", "") else "") == (verb, target)
    assert asked.sure == bool(verb)


@pytest.mark.parametrize(("text", "verb"), [("unmtue", "unmute"), ("sotp", "off"), ("strat", "on"), ("paus", "mute")])
def test_a_mistyped_verb_is_read_but_is_not_sure(text: str, verb: str) -> None:
    asked = parse_alerts(text, NOW)
    assert (asked.verb, asked.sure) == (verb, False)


MORNING = datetime(2026, 11, 27, 9, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("mute until the 31st", datetime(2026, 12, 31, 9, tzinfo=UTC)),
        ("mute until the 27th", MORNING),
        ("mute until 2026-11-30", MONDAY),
        ("mute until 9999-12-31", NOW + LONGEST_MUTE),
        ("mute until 2/30", None),
        ("mute until 2026-02-30", None),
        ("mute until 2019-01-01", None),
        ("mute until the 32nd", None),
        ("mute 30m", NOW + timedelta(minutes=30)),
        ("mute 2h", NOW + timedelta(hours=2)),
        ("mute for two hours", NOW + timedelta(hours=2)),
        ("snooze for half an hour", NOW + timedelta(minutes=30)),
        ("mute 3 days", NOW + timedelta(days=3)),
        ("pause for a week", NOW + timedelta(days=7)),
        ("mute 2 weeks", NOW + timedelta(days=14)),
        ("mute 999d", NOW + timedelta(days=90)),
        ("mute until tomorrow", MORNING),
        ("mute till tomorrow morning", MORNING),
        ("mute overnight", MORNING),
        ("mute until Monday", MONDAY),
        ("mute for the weekend", MONDAY),
        ("mute this channel until Monday morning", MONDAY),
        ("mute everything in here until Monday", MONDAY),
        ("mute alerts in this channel for two hours", NOW + timedelta(hours=2)),
        ("mute us here until tomorrow", MORNING),
        ("mute until Thursday", datetime(2026, 12, 3, 9, tzinfo=UTC)),
        ("mute until 5pm", datetime(2026, 11, 26, 17, tzinfo=UTC)),
        ("mute until 9", MORNING),
        ("mute until Dec 1", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("mute until 12/1", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("mute", None),
        ("mute 0h", None),
        ("mute banana", None),
        ("mute until Feb 31", None),
    ],
)
def test_mutes(text: str, until: datetime | None) -> None:
    assert parse_alerts(text, NOW).until == until


@given(text=st.text(max_size=200))
def test_nothing_typed_raises_anything_but_a_refusal(text: str) -> None:
    try:
        parse_alerts(parsing.clean(text), NOW)
    except Refusal as refusal:
        assert str(refusal)
