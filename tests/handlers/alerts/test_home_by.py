"""The days by which campaigns are to be in homes: set by words, shown, changed and ended by the settings and the list."""

from datetime import date
from typing import Any

import pytest

from handlers.alerts import actions, commands
from handlers.alerts.home_by import BELOW
from handlers.alerts.switching import days_of
from handlers.alerts.table import TABLE
from handlers.context.table import Field, Filled
from handlers.errors import Outdated, Refusal
from handlers.text.buttons import Action, AlertsDo, Form, Hours, Limit, OneCampaign
from handlers.text.codec import write
from storage.audit import Act
from storage.records import NO_CAMPAIGN, CampaignId
from storage.statuses import Status
from tests.handlers.conftest import OPS, Office, pressable


async def say(office: Office, text: str) -> str:
    await commands.mail_alerts(office.services, office.request(text))
    return office.slack.last.text


def days(office: Office) -> list[tuple[str, date, int]]:
    return [(one.name, one.day, one.below) for one in office.read(days_of, office.workspace.id, OPS)]


async def two(office: Office) -> tuple[CampaignId, CampaignId]:
    """Two campaigns with their days, and alerts for all."""
    spring = await office.campaign(Status.IN_TRANSIT)
    autumn = await office.campaign(Status.IN_TRANSIT, ref="223", name="Autumn")
    await say(office, "on")
    await say(office, "Spring lapsed in home by Dec 12")
    await say(office, "Autumn in home by Dec 1 below 60%")
    return spring.id, autumn.id


def filled(form: Any, *unticked: CampaignId, below: int | None = None, about: CampaignId = NO_CAMPAIGN) -> Filled:
    """The settings of `about` as they were shown, with these days and all alerts unticked, and this chance chosen."""
    gone = {write(OneCampaign(one)) for one in unticked}
    boxes = next(block["element"]["options"] for block in form["blocks"] if block.get("block_id") == "home")
    fields = {
        "campaign": Field(chosen=write(OneCampaign(about))), "wants": Field(),
        "digest": Field(chosen=write(Limit(9))), "quiet": Field(chosen=write(Hours(None, None))),
        "alarm": Field(chosen=write(Limit(5))),
        "home": Field(several=tuple(one["value"] for one in boxes if one["value"] not in gone)),
        "below": Field(chosen=write(Limit(below)) if below else ""), "keep": Field(),
    }  # fmt: skip
    return Filled(form["private_metadata"], fields)


async def shown(office: Office) -> Any:
    await commands.open_alert_settings(office.services, office.request())
    return office.slack.last.shown


async def save(office: Office, sent: Filled) -> None:
    await TABLE.forms[Form.ALERTS].handler(office.services, office.request(), sent)


@pytest.mark.parametrize("typed", ["Spring lapsed in home by Dec 12?", "will Spring lapsed be in homes by Dec 12 ?"])
async def test_a_question_about_a_day_sets_none_and_leads_to_its_answer(office: Office, typed: str) -> None:
    await office.campaign(Status.IN_TRANSIT)
    await say(office, "on")
    said = await say(office, typed)
    assert "`/mailstatus Spring lapsed in home by Dec 12` says how likely that is." in said
    assert "`/mailalerts Spring lapsed in home by Dec 12`, without a question mark, warns this channel" in said
    assert office.slack.last.way == "answer"
    assert days(office) == []


@pytest.mark.parametrize(
    ("typed", "day"),
    [("12/12", date(2026, 12, 12)), ("Dec 12!", date(2026, 12, 12)), ("the 12th", date(2026, 11, 12)),
     ("Friday", date(2026, 11, 6)), ("next Monday", date(2026, 11, 9)), ("5/1", date(2027, 5, 1)),
     ("2/28/28", date(2028, 2, 28)), ("31st", date(2026, 12, 31))],
)  # fmt: skip
async def test_a_day_ahead_is_read_as_people_write_it(office: Office, typed: str, day: date) -> None:
    await office.campaign(Status.IN_TRANSIT)
    await say(office, "on")
    await say(office, f"Spring lapsed in home by {typed}")
    assert days(office) == [("Spring lapsed", day, BELOW)]


@pytest.mark.parametrize(("typed", "when"), [("11/1", "already over"), ("today", "today")])
async def test_a_day_that_does_not_lie_ahead_is_refused_as_what_it_is(office: Office, typed: str, when: str) -> None:
    await office.campaign(Status.IN_TRANSIT)
    await say(office, "on")
    with pytest.raises(Refusal, match=rf"2026 is {when}\. Choose a later day\."):
        await say(office, f"Spring lapsed in home by {typed}")
    assert days(office) == []


@pytest.mark.parametrize("typed", ["9999-12-31", "2/30", "the 32nd", "Feb 31", "2026-02-30", "12/12/9999", "noon"])
async def test_a_day_ahead_that_is_none_is_refused_in_words(office: Office, typed: str) -> None:
    await office.campaign(Status.IN_TRANSIT)
    await say(office, "on")
    with pytest.raises(Refusal, match="These work: `Dec 12`"):
        await say(office, f"Spring lapsed in home by {typed}")


async def test_the_list_shows_each_day_with_a_button_that_takes_it_away(office: Office) -> None:
    spring, autumn = await two(office)
    assert days(office) == [("Autumn", date(2026, 12, 1), 60), ("Spring lapsed", date(2026, 12, 12), BELOW)]
    await say(office, "list")
    blocks = office.slack.last.shown.blocks
    assert "*Autumn* is to be in homes by Dec 1; warns below 60%" in str(blocks)
    assert (Action.ALERTS_DO, write(AlertsDo("no_day", spring))) in pressable(blocks)
    await actions.carry_out(office.services, office.request(), write(AlertsDo("no_day", autumn)))
    assert [name for name, _, _ in days(office)] == ["Spring lapsed"]
    assert "No day is set for *Autumn*" in office.slack.of("post")[-1].text, "said to everyone"


async def test_the_settings_end_a_day_and_move_the_chance_for_the_rest_and_the_next(office: Office) -> None:
    _, autumn = await two(office)
    form = await shown(office)
    assert "Autumn: Dec 1" in str(form)
    assert [one["optional"] for one in form["blocks"] if one.get("block_id") in ("home", "below")] == [True, True]
    await save(office, filled(form, autumn, below=70))
    assert days(office) == [("Spring lapsed", date(2026, 12, 12), 70)]
    last = office.slack.of("post")[-1].text
    assert "No day is set for *Autumn*" in last
    assert "falls below 70%" in last
    assert "falls below 70%" in await say(office, "Autumn in home by Dec 3"), (
        "what the channel chose is for the next, too"
    )
    posted = len(office.slack.of("post"))
    form = await shown(office)
    assert "initial_option" in next(b for b in form["blocks"] if b.get("block_id") == "below")["element"]
    await save(office, filled(form, below=70))
    assert len(office.slack.of("post")) == posted, "nothing changed"
    assert len(days(office)) == 2
    assert office.log()[-1][0] != "rules"


async def test_a_day_that_two_take_away_is_one_decision(office: Office) -> None:
    spring, _ = await two(office)
    for _ in range(2):
        await actions.carry_out(office.services, office.request(), write(AlertsDo("no_day", spring)))
    assert [name for name, _, _ in days(office)] == ["Autumn"]
    assert [subject for act, subject, detail in office.log() if "no day" in detail] == ["Spring lapsed"]


@pytest.mark.parametrize("typed", [True, False])
async def test_who_takes_a_day_away_that_is_gone_is_answered_alone(office: Office, typed: bool) -> None:
    spring, _ = await two(office)
    posted = len(office.slack.of("post"))
    for _ in range(2):
        if typed:
            await say(office, "Spring lapsed in home by off")
        else:
            await actions.carry_out(office.services, office.request(), write(AlertsDo("no_day", spring)))
    (told,) = office.slack.of("post")[posted:]
    assert "No day is set for *Spring lapsed* any more." in told.text
    assert (office.slack.last.way, office.slack.last.text) == (
        "answer",
        "No day was set for *Spring lapsed*, so nothing changed.",
    )


async def apart(office: Office) -> tuple[CampaignId, CampaignId]:
    """The same two where alerts are on for each by itself, so that all can be unticked."""
    spring, autumn = await two(office)
    for text in ("off", "on Spring lapsed", "on Autumn"):
        await say(office, text)
    return spring, autumn


async def test_settings_that_end_all_alerts_end_the_days_that_were_unticked_with_them(office: Office) -> None:
    """Nobody else writes to the channel; and where nothing is told, nothing is said of days."""
    spring, autumn = await apart(office)
    await save(office, filled(await shown(office), spring, autumn, below=70, about=spring))
    assert days(office) == []
    assert [act for act, *_ in office.log()[-2:]] == [Act.UNSUBSCRIBED, Act.RULES]
    assert "turned off" in office.slack.of("post")[-1].text
    await say(office, "on")
    assert days(office) == [], "they stay away"
    assert "falls below 70%" in await say(office, "Spring lapsed in home by Dec 12"), "what was chosen is kept"


async def test_settings_that_end_all_alerts_leave_the_days_that_stayed_ticked(office: Office) -> None:
    spring, _ = await apart(office)
    await save(office, filled(await shown(office), about=spring))
    assert len(days(office)) == 2


async def test_chances_that_differ_stay_as_they_are_unless_one_is_chosen(office: Office) -> None:
    await two(office)
    form = await shown(office)
    assert "initial_option" not in next(b for b in form["blocks"] if b.get("block_id") == "below")["element"]
    await save(office, filled(form))
    assert {below for _, _, below in days(office)} == {60, BELOW}
    with pytest.raises(Outdated):
        await save(office, filled(await shown(office), below=3))


async def test_before_a_day_is_set_the_settings_say_how(office: Office) -> None:
    await office.campaign(Status.IN_TRANSIT)
    assert "in home by" not in str(await shown(office)), "nothing is on here yet"
    await say(office, "on")
    assert "in home by Dec 12" in str(await shown(office))
    with pytest.raises(Refusal, match="Name the campaign"):
        await say(office, "all in home by Dec 12")
