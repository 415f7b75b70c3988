"""Whole sentences behind `/mailalerts`: a guess changes nothing, and leads to what would."""

import contextlib

import pytest

from handlers.errors import Refusal
from handlers.text.buttons import Action, AlertsDo
from handlers.text.codec import read
from storage.statuses import Status
from tests.handlers.alerts.test_commands import say, settings, told
from tests.handlers.conftest import Office, pressable


def offered(office: Office) -> list[str]:
    buttons = pressable(office.slack.last.shown.blocks)
    return [read(AlertsDo, value).verb if action == Action.ALERTS_DO else action for action, value in buttons]


@pytest.mark.parametrize(
    "typed",
    [
        "digest at 8am", "digest 8am", "morning digest at 8", "no digest please", "turn off the digest",
        "quiet from 6pm to 8am", "quiet hours 22-7", "alarm at 5%", "set the alarm to 10%", "weekly report on fridays",
        "stop the weekly report", "no weekly summary", "don't tell us about deliveries",
        "we don't want returns in the channel", "when is the digest?",
    ],
)  # fmt: skip
async def test_a_setting_in_words_is_offered_with_how_it_is_now(office: Office, typed: str) -> None:
    await say(office, "on")
    before, log = (told(office), settings(office)), office.log()
    said = await say(office, typed)
    assert (told(office), settings(office), office.log()) == (*before, log)
    assert offered(office) == [Action.ALERT_SETTINGS], said
    assert "Now: a digest at 9:00 AM, no quiet hours, an alarm above 5% returns" in said


@pytest.mark.parametrize("typed", ["are alerts on?", "is it on", "is anything on", "did somebody turn this off?"])
@pytest.mark.parametrize("on", [True, False])
async def test_a_question_is_answered_and_changes_nothing(office: Office, typed: str, on: bool) -> None:
    if on:
        await say(office, "on")
    before, log = told(office), office.log()
    said = await say(office, typed)
    assert (told(office), office.log()) == (before, log)
    assert ("gets alerts for all campaigns" if on else "gets no alerts yet") in said


QUESTIONS = [
    "any alerts on?",
    "alerts on?",
    "alerts off?",
    "everything off?",
    "Spring lapsed on?",
    "on?",
    "OFF ?!",
    "“alerts on?”",
]
WISHES = ["can you turn alerts on?", "turn alerts off?", "mute?", "mute 2h?", "unmute?", "tell us about Spring lapsed?",
          "off for 2 hours?", "stop Spring lapsed?", "Spring lapsed in home by Dec 12?", "all alerts off, please?"]  # fmt: skip


@pytest.mark.parametrize("typed", [*QUESTIONS, *WISHES])
@pytest.mark.parametrize("on", [True, False])
async def test_whatever_ends_in_a_question_mark_changes_nothing(office: Office, typed: str, on: bool) -> None:
    await office.campaign(Status.DELIVERED)
    if on:
        await say(office, "on")
    before, log = told(office), office.log()
    with contextlib.suppress(Refusal):
        await say(office, typed)
    assert (told(office), office.log()) == (before, log)


@pytest.mark.parametrize("typed", QUESTIONS)
async def test_who_asks_what_is_on_reads_it(office: Office, typed: str) -> None:
    await office.campaign(Status.DELIVERED)
    assert "gets no alerts yet" in await say(office, typed)
    await say(office, "on")
    assert "gets alerts for all campaigns" in await say(office, typed)


@pytest.mark.parametrize(
    ("typed", "verb"),
    [
        ("can you turn alerts on?", "on"),
        ("turn alerts off?", "off"),
        ("stop Spring lapsed?", "off"),
        ("mute 2h?", "mute"),
    ],
)
async def test_who_asks_for_a_change_gets_its_button(office: Office, typed: str, verb: str) -> None:
    await office.campaign(Status.DELIVERED)
    await say(office, "on")
    await say(office, typed)
    assert verb in offered(office)


@pytest.mark.parametrize("typed", ["what's on?", "whats on", "what’s on here?", "what is on?"])
async def test_what_is_on_is_listed(office: Office, typed: str) -> None:
    await say(office, "on")
    assert "gets alerts for all campaigns" in await say(office, typed)


@pytest.mark.parametrize("typed", ["how do I turn this off?", "how can we turn it off", "should we turn this off?"])
async def test_who_asks_how_to_turn_it_off_gets_the_button(office: Office, typed: str) -> None:
    await say(office, "on")
    log = office.log()
    await say(office, typed)
    assert office.log() == log
    assert offered(office) == ["off"]


@pytest.mark.parametrize(
    "typed", ["stop for today", "off until monday", "no alerts today", "stop for 2 hours", "no alerts this weekend"]
)
async def test_a_stop_that_has_an_end_is_offered_as_a_mute(office: Office, typed: str) -> None:
    await office.campaign(Status.DELIVERED, name="Holiday drop")
    await say(office, "on")
    log = office.log()
    said = await say(office, typed)
    assert "campaign" not in said
    assert "mute" in offered(office), said
    assert office.log() == log


async def test_a_campaign_that_is_called_like_a_day_is_stopped(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED, name="Today")
    await say(office, "on Today")
    assert [one.campaign_id for one in told(office)] == [campaign.id]
    await say(office, "stop today")
    assert told(office) == []


async def test_to_tell_and_no_longer_to_tell_of_a_campaign(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED)
    await say(office, "only tell me about Spring lapsed")
    assert told(office) == []
    assert offered(office) == ["only"], "what else is on is not touched by a guess"
    await say(office, "tell me about Spring lapsed")
    assert [one.campaign_id for one in told(office)] == [campaign.id]
    await say(office, "stop telling us about Spring lapsed")
    assert told(office) == []


@pytest.mark.parametrize("typed", ["unpause", "resume", "unmute", "turn it back on"])
async def test_where_alerts_are_off_they_are_one_click_away(office: Office, typed: str) -> None:
    await say(office, "on")
    await say(office, "off")
    await say(office, typed)
    assert told(office) or offered(office) == ["again"]


@pytest.mark.parametrize("typed", ["too many messages", "not now", "delete", "we get spammed"])
async def test_what_is_not_understood_leads_to_the_settings_too(office: Office, typed: str) -> None:
    await say(office, "on")
    log = office.log()
    await say(office, typed)
    assert office.log() == log
    assert offered(office)[-1] == Action.ALERT_SETTINGS


async def test_these_alerts_are_those_of_the_channel(office: Office) -> None:
    await say(office, "on")
    await say(office, "can you stop these alerts please")
    assert told(office) == []


@pytest.mark.parametrize("typed", ["unmute", "unpause", "resume"])
async def test_where_nothing_is_muted_nothing_is_unmuted(office: Office, typed: str) -> None:
    await say(office, "on")
    log = office.log()
    assert "Nothing is muted here." in await say(office, typed)
    assert office.log() == log
    assert office.slack.last.way == "answer"
