"""Steps of workflows and links to the dashboard: what is told, of what, and what ends a step."""

import re
from dataclasses import replace
from typing import Any

import pytest

from handlers.context.access import GuestsLook
from handlers.errors import SlackDown, SlackRefused
from handlers.workflow import mentions, steps
from storage import intents
from storage.statuses import FINAL, Status
from tests.handlers.conftest import OPS, Office


async def step(office: Office, name: str, inputs: dict[str, str]) -> Any:
    """What Slack is told at the end of this step."""
    number = await steps.keep_step(office.services, office.workspace, name, inputs, "Fx1", "xwfp")
    await steps.begin_step(office.services, office.request(), number)
    return office.slack.steps[-1]


async def test_a_campaigns_numbers_are_told_to_the_next_step(office: Office) -> None:
    await office.campaign(Status.DELIVERED, Status.RETURNED, Status.DELIVERED)
    execution, token, outputs = await step(office, "get_campaign_status", {"campaign": "spring lapsed"})
    assert (execution, token) == ("Fx1", "xwfp")
    assert {name: outputs[name] for name in ("name", "pieces", "delivered", "returned")} == {
        "name": "Spring lapsed", "pieces": "3", "delivered": "2", "returned": "1",
    }  # fmt: skip
    assert "3 pieces" in outputs["summary"]


async def test_a_step_that_means_several_campaigns_or_none_fails_in_words(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    await office.campaign(Status.DELIVERED, ref="223", name="Spring welcome")
    for asked in ("spring", "nothing like it", ""):
        _, _, why = await step(office, "get_campaign_status", {"campaign": asked})
        assert isinstance(why, str)
        office.write(lambda c: c.exec_driver_sql("DELETE FROM intents"))


@pytest.mark.parametrize("status", Status)
async def test_a_pieces_place_is_told_with_a_shortened_recipient(office: Office, status: Status) -> None:
    await office.campaign(status)
    _, _, outputs = await step(office, "track_a_piece", {"piece": "#1001"})
    assert outputs["is_final"] == ("yes" if status in FINAL else "no")
    assert outputs["moved_on"] == f"{office.clock.now():%Y-%m-%d}"
    assert "1001" in outputs["summary"]
    assert "Smith" not in str(outputs)


@pytest.mark.parametrize("piece", ["", "100", "9999", "Jane Smith"])
async def test_a_piece_is_meant_by_its_id_alone(office: Office, piece: str) -> None:
    await office.campaign(Status.DELIVERED)
    _, _, why = await step(office, "track_a_piece", {"piece": piece})
    assert isinstance(why, str)


async def test_a_step_of_another_version_or_whose_inputs_are_lost_asks_to_run_it_again(office: Office) -> None:
    _, _, why = await step(office, "later_step", {})
    assert why == str(steps.StepLost())
    office.write(lambda c: c.exec_driver_sql("DELETE FROM intents"))
    number = await steps.keep_step(office.services, office.workspace, "track_a_piece", {}, "Fx1", "")
    office.policy(sealing_keys=("x" * 43 + "=",))
    await steps.begin_step(office.services, office.request(), number)
    assert office.slack.steps[-1] == ("Fx1", None, str(steps.StepLost()))


async def test_a_step_that_is_over_there_is_over_here_and_one_that_slack_does_not_take_is_told_later(
    office: Office,
) -> None:
    await office.campaign(Status.DELIVERED)
    office.slack.fail("complete_step", SlackDown(), SlackRefused())
    number = await steps.keep_step(office.services, office.workspace, "track_a_piece", {"piece": "1001"}, "Fx1", "t")
    assert number == await steps.keep_step(office.services, office.workspace, "track_a_piece", {}, "Fx1", "t")
    for ended in (False, True):
        office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0"))
        await steps.begin_step(office.services, office.request(), number)
        found = office.read(intents.of, office.workspace.id, number)
        assert found is not None
        assert found.ended == ended
    assert office.slack.steps == []


BASE = "https://mail.example/campaigns/"


async def unfurled(office: Office, *urls: str, **facts: Any) -> set[str]:
    office.slack.unfurled.clear()
    await steps.unfurl(office.services, office.request(message_ts="1.1", **facts), urls)
    return set(office.slack.unfurled)


async def test_links_to_a_campaign_show_its_numbers_and_no_other_link_does(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    good = {f"{BASE}222", f"{BASE}222/recipients?page=2"}
    assert await unfurled(office, *good, f"{BASE}99", BASE, f"{BASE}x", "https://else.example/campaigns/222") == good
    assert all(message.picture is None for message in office.slack.unfurled.values())
    assert await unfurled(office, *[f"{BASE}222?{n}" for n in range(steps.LINKS + 1)]) == {
        f"{BASE}222?{n}" for n in range(steps.LINKS)
    }
    calls = office.slack.calls.count("unfurl")
    assert await unfurled(office, f"{BASE}222", guest=True) == set()
    assert await unfurled(office, f"{BASE}99") == set()
    office.note(connected_at=None)
    assert await unfurled(office, f"{BASE}222") == set()
    assert office.slack.calls.count("unfurl") == calls


@pytest.mark.parametrize(
    ("text", "way"),
    [("status Spring lapsed", "post"), ("MailStatus spring lapsed", "post"), ("/mailstatus spring lapsed", "post"), ("track 1001", "whisper"),
     ("mailtrack 1001", "whisper"), ("/mailtrack 1001", "whisper"), ("help", "whisper"), ("", "whisper"),
     ("where is our mail?", "post"), ("why did Spring come back?", "post"), ("cancel Spring lapsed", "post")],
)  # fmt: skip
async def test_a_mention_says_the_same_words_and_is_answered_in_its_thread(office: Office, text: str, way: str) -> None:
    await office.campaign(Status.DELIVERED)
    await mentions.mention(office.services, office.request(text, response_url="", thread="1.1"))
    assert (office.slack.last.way, office.slack.last.thread) == (way, "1.1")
    assert ("Jane Smith" in office.slack.last.text) == ("track" in text)
    assert OPS in office.slack.last.place


@pytest.mark.parametrize(
    ("text", "name"),
    [("Alarm Systems", "Alarm Systems"), ("alarm systems", "Alarm Systems 2026"), ("Digest readers", "Digest readers"),
     ("quiet hours", "Quiet Hours gala"), ("Mute swan fund", "Mute Swan Fund"), ("Track and field", "Track and Field"),
     ("Status update", "Status update"), ("Alerts for seniors", "Alerts for Seniors")],
)  # fmt: skip
async def test_a_campaign_is_looked_for_before_a_word_is_taken_for_a_setting(
    office: Office, text: str, name: str
) -> None:
    await office.campaign(Status.DELIVERED, name=name)
    await mentions.mention(office.services, office.request(text, response_url="", thread="1.1"))
    assert office.slack.last.text.startswith(f"{name}: "), office.slack.last.text
    assert office.log() == []


@pytest.mark.parametrize(
    "text",
    [
        "please",
        "thanks, that's all",
        "thanks, that's it for today!",
        "got it, thank you",
        "perfect, bye",
        "the mail went out",
        "thanks, the campaign went out",
        "please help",
    ],
)
async def test_what_is_said_in_passing_shows_nobody_the_accounts_numbers(office: Office, text: str) -> None:
    await office.campaign(Status.DELIVERED)
    await mentions.mention(office.services, office.request(text, response_url="", thread="1.1"))
    assert office.slack.last.way == "whisper"
    assert "1 piece" not in office.slack.last.text
    assert "No campaign" not in office.slack.last.text or "campaign went out" in text or text == "please", (
        "nor asks which"
    )


@pytest.mark.parametrize("text", ["thanks, that's all", "thanks, that's it for today!", "got it, thank you", "bye"])
async def test_who_takes_leave_is_not_asked_which_campaign(office: Office, text: str) -> None:
    await office.campaign(Status.DELIVERED)
    await mentions.mention(office.services, office.request(text, response_url="", thread="1.1"))
    assert "No campaign" not in office.slack.last.text


@pytest.mark.parametrize(
    "text",
    [
        "where is our mail?",
        "why did Spring come back?",
        "cancel Spring lapsed",
        "where is our mail",
        "our mail",
        "any late?",
    ],
)
async def test_a_question_in_a_mention_is_not_answered_with_the_help(office: Office, text: str) -> None:
    await office.campaign(Status.DELIVERED)
    await mentions.mention(office.services, office.request(text, response_url="", thread="1.1"))
    assert "1 piece" in office.slack.last.text


@pytest.mark.parametrize(
    "text",
    ["who came back yesterday and why?", "what came back this week?", "came back yesterday", "which ones came back and why",
     "did anything come back yesterday?", "has anything been returned this month?", "who bounced yesterday?",
     "how many came back this year?"],
)  # fmt: skip
async def test_who_asks_in_a_mention_what_came_back_reads_what_did_and_not_what_was_ordered(
    office: Office, text: str
) -> None:
    await office.campaign(Status.RETURNED, Status.RECEIVED)
    await mentions.mention(office.services, office.request(text, response_url="", thread="1.1"))
    assert (office.slack.last.way, office.slack.last.thread) == ("whisper", "1.1")
    assert re.search(r"^Nothing came back |^\d+ pieces? came back ", office.slack.last.text), office.slack.last.text


@pytest.mark.parametrize(
    "text",
    ["how many came back?", "what's our return rate?", "return rate this year", "who came back of Spring lapsed?"],
)
async def test_who_asks_in_a_mention_how_many_or_of_which_campaign_reads_the_numbers(office: Office, text: str) -> None:
    await office.campaign(Status.RETURNED, Status.RECEIVED)
    await mentions.mention(office.services, office.request(text, response_url="", thread="1.1"))
    assert office.slack.last.way == "post"


@pytest.mark.parametrize(
    ("text", "says"),
    [("alerts on", "switched mail alerts on"), ("turn on alerts", "switched mail alerts on"),
     ("/mailalerts on", "switched mail alerts on"), ("mute until tomorrow", "muted mail alerts"),
     ("turn the digest off", "its hours and its alarm are chosen"), ("turn off the weekly report", "are chosen in its settings"),
     ("unmute", "unmuted mail alerts"), ("alerts", "gets alerts for"), ("alerts settings", "gets alerts for")],
)  # fmt: skip
async def test_alerts_are_turned_on_and_muted_by_a_mention_too_but_not_by_guests(
    office: Office, text: str, says: str
) -> None:
    if "on" not in text.split():
        await mentions.mention(office.services, office.request("alerts on", response_url="", thread="1.1"))
    if text == "unmute":
        await mentions.mention(office.services, office.request("mute 2h", response_url="", thread="1.1"))
    asked = office.request(text, response_url="", trigger_id="", thread="1.1")
    await mentions.mention(office.services, asked)
    assert says in office.slack.last.text
    with pytest.raises(GuestsLook):
        await mentions.mention(office.services, replace(asked, guest=True))


async def test_a_name_that_holds_such_a_word_is_a_name(office: Office) -> None:
    await office.campaign(Status.DELIVERED, name="Storm alerts")
    await mentions.mention(office.services, office.request("Storm alerts", response_url="", thread="1.1"))
    assert office.slack.last.text.startswith("Storm alerts")


async def test_the_summary_is_a_sentence_with_every_number(office: Office) -> None:
    await office.campaign(Status.DELIVERED, Status.RETURNED, Status.DELIVERED)
    _, _, outputs = await step(office, "get_campaign_status", {"campaign": "“Spring lapsed”"})
    assert outputs["summary"] == "Spring lapsed: 3 pieces. Delivered 2 (67%) · Returned 1 (33%)."
    office.write(lambda c: c.exec_driver_sql("DELETE FROM intents"))
    _, _, piece = await step(office, "track_a_piece", {"piece": "1001"})
    assert piece["summary"] == f"Piece 1001 (Jane S., Austin TX 787••): Delivered on {office.clock.now():%Y-%m-%d}."
    assert piece["status"] == "Delivered"


async def test_of_a_piece_without_a_status_no_day_is_told(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    office.write(lambda c: c.exec_driver_sql("UPDATE pieces SET status = 0, status_at = NULL, word = ''"))
    _, _, piece = await step(office, "track_a_piece", {"piece": "1001"})
    assert (piece["moved_on"], piece["is_final"]) == ("", "no")
    assert piece["summary"].endswith("•): no status.")


async def test_who_means_one_of_several_reads_their_names(office: Office) -> None:
    for number in range(5):
        await office.campaign(Status.DELIVERED, ref=str(222 + number), name=f"Spring {'abcde'[number]}")
    _, _, why = await step(office, "get_campaign_status", {"campaign": "spring"})
    assert str(why).count("`Spring ") == 3, "three of them are enough"
    office.write(lambda c: c.exec_driver_sql("DELETE FROM intents"))
    _, _, near = await step(office, "get_campaign_status", {"campaign": "Sprnig a"})
    assert "Did you mean `Spring a`" in str(near)
