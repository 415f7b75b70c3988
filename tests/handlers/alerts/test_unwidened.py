"""Nothing that a channel chose grows, ends or comes back by itself: by "on" said twice, by an old button, by "only", or by
settings that are saved as they were."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.alerts import actions, commands
from handlers.alerts import view as alerts_view
from handlers.alerts.switching import ChangedMeanwhile
from handlers.alerts.table import TABLE
from handlers.context.table import Field, Filled
from handlers.text.buttons import Action, AlertsDo, AlertsForm, Form, News, OneCampaign
from handlers.text.codec import read, write
from storage import channel_settings, outbox, workspaces
from storage.outbox import NewsBatch
from storage.records import NO_CAMPAIGN, CampaignId, NotifyOn, UserId
from storage.statuses import Status
from tests.handlers.alerts.test_commands import DEFAULT, say, settings, told
from tests.handlers.alerts.test_remembered import WANTS, chose, on, spring_and_fall
from tests.handlers.conftest import ANA, BEN, OPS, Office, pressable

OTHER = frozenset({NotifyOn.DELIVERED})


def offered(office: Office) -> list[AlertsDo]:
    found = pressable(office.slack.last.shown.blocks)
    return [read(AlertsDo, value) for action, value in found if action == Action.ALERTS_DO]


async def press(office: Office, choice: AlertsDo) -> list[str]:
    """What is said to whoever presses this, and to the channel."""
    before = len(office.slack.said)
    await actions.carry_out(office.services, office.request(), write(choice))
    return [f"{one.way}: {one.text}" for one in office.slack.said[before:]]


def undo_button(office: Office) -> str:
    (value,) = [value for action, value in pressable(office.slack.last.shown.blocks) if action == Action.ALERTS_UNDO]
    return value


async def undo(office: Office, value: str, by: str = ANA) -> str:
    await actions.undo(office.services, office.request(user=by), value)
    return f"{office.slack.last.way}: {office.slack.last.text}"


# ---- "on", said twice -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("muted", [False, True])
@pytest.mark.parametrize("typed", ["on", "turn it back on", "again"])
async def test_on_said_twice_adds_no_campaign(office: Office, typed: str, muted: bool) -> None:
    spring, _ = await spring_and_fall(office)
    chose(office, spring)
    if muted:
        office.write(outbox.mute, office.workspace.id, OPS, office.clock.now() + timedelta(hours=2))
    before, log = told(office), office.log()
    said = " ".join(await press(office, AlertsDo("again"))) if typed == "again" else await say(office, typed)
    assert (told(office), office.log(), settings(office).digest_hour) == (before, log, 7)
    assert "for *Spring lapsed* are " in said
    assert ("muted until" in said) == muted
    assert office.slack.last.way == "answer", "nothing is done, and so nobody else reads of it"
    assert (AlertsDo("on") in offered(office), AlertsDo("unmute") in offered(office)) == (True, muted)
    await press(office, AlertsDo("on"))
    assert set(on(office)) == {NO_CAMPAIGN, spring}, "all campaigns are one click away"


async def test_on_leaves_a_channel_its_cards_alone(office: Office) -> None:
    office.write(workspaces.subscribe, office.workspace.id, OPS, NO_CAMPAIGN, (), UserId(ANA), office.clock.now())
    assert "already on here" in await say(office, "on")
    assert on(office) == {NO_CAMPAIGN: frozenset()}
    await press(office, AlertsDo("on"))
    assert on(office) == {NO_CAMPAIGN: DEFAULT}


async def test_what_comes_on_in_a_muted_channel_is_said_to_be_silent(office: Office) -> None:
    spring, _ = await spring_and_fall(office)
    chose(office, spring)
    await say(office, "mute 2h")
    for text in ("on all", "on Winter"):
        await say(office, text)
    shown = office.slack.of("post")[-1].shown
    assert "switched mail alerts on for all campaigns" in shown.text
    assert "Muted until" in str(shown.blocks)


# ---- Old buttons ------------------------------------------------------------------------------------------------


async def test_undo_of_a_mute_in_a_channel_that_is_off_by_now_says_so(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute 2h")
    value = undo_button(office)
    await say(office, "off")
    said = await undo(office, value)
    assert told(office) == []
    assert "took the mute back. Alerts are off here: `/mailalerts on` turns them on." in said
    await say(office, "on")
    assert told(office)[0].muted_until is None, "what was taken back does not come back"


async def test_undo_of_a_mute_that_is_over_says_that_alerts_are_off(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute 5m")
    value = undo_button(office)
    await say(office, "off")
    office.clock.pass_time(minutes=6)
    said = await undo(office, value)
    assert "Alerts are on" not in said
    assert "there was nothing to undo. Alerts are off here" in said


async def test_undo_leaves_a_mute_that_somebody_else_chose_since(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute 2h")
    first = undo_button(office)
    await say(office, "mute until Monday", user=BEN)
    until, log = told(office)[0].muted_until, office.log()
    said = await undo(office, first)
    assert (told(office)[0].muted_until, office.log()) == (until, log)
    assert "Somebody changed the mute since" in said
    await say(office, "unmute")
    again = undo_button(office)
    await say(office, "mute 3h", user=BEN)
    until = told(office)[0].muted_until
    assert "Somebody changed the mute since" in await undo(office, again)
    assert told(office)[0].muted_until == until


async def test_undo_of_an_unmute_in_a_channel_that_is_off_does_not_say_that_it_is_on(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute 2h")
    await say(office, "unmute")
    value = undo_button(office)
    await say(office, "off")
    said = await undo(office, value)
    assert "muted mail alerts again until" in said
    assert "Alerts are off here" in said
    assert told(office) == []


async def test_undo_brings_back_what_is_off_still_and_names_it(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    await say(office, "off")
    value = undo_button(office)
    office.write(workspaces.subscribe, office.workspace.id, OPS, spring, OTHER, UserId(BEN), office.clock.now())
    said = await undo(office, value)
    assert on(office) == {spring: OTHER, fall: WANTS}, "what Ben chose since stays as he chose it"
    assert said == f"replace: <@{ANA}> turned mail alerts on again for *Fall catalog*, as they were.", (
        "and nothing of Ben's"
    )
    log = office.log()
    said = await undo(office, value, BEN)
    assert said == "answer: Those alerts are on again already, so there was nothing to undo."
    assert office.log() == log


async def test_undo_of_one_campaign_names_it_where_all_else_ended_since(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    await say(office, "off Spring lapsed")
    value = undo_button(office)
    await say(office, "off")
    assert "turned mail alerts on again for *Spring lapsed*, as they were" in await undo(office, value)
    assert on(office) == {spring: WANTS}


async def test_two_who_undo_at_once_are_one_decision(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute 2h")
    value = undo_button(office)
    await undo(office, value)
    log, shown = office.log(), len(office.slack.of("edit"))
    assert "there was nothing to undo. Alerts are on here." in await undo(office, value, BEN)
    assert (office.log(), len(office.slack.of("edit"))) == (log, shown), "who did it still stands there"


async def test_two_who_mute_until_the_same_moment_are_one_decision(office: Office) -> None:
    await say(office, "on")
    until = int((office.clock.now() + timedelta(hours=2)).timestamp())
    await press(office, AlertsDo("mute", until=until))
    log, posts = office.log(), len(office.slack.of("post"))
    await press(office, AlertsDo("mute", until=until))
    assert (office.log(), len(office.slack.of("post"))) == (log, posts)


@pytest.mark.parametrize("texts", [("on", "on"), ("off", "off"), ("mute 2h", "mute 2h"), ("on Winter", "on Winter")])
async def test_what_two_people_say_at_the_same_moment_is_one_decision(office: Office, texts: tuple[str, str]) -> None:
    spring, _ = await spring_and_fall(office)
    if texts[0] != "on":
        chose(office, spring)
    ana, ben = (office.request(text, user=by) for text, by in zip(texts, (ANA, BEN), strict=True))
    await asyncio.gather(*(commands.mail_alerts(office.services, one) for one in (ana, ben)))
    assert len(office.log()) == 1
    assert bool(told(office)) == (texts[0] != "off")


async def test_a_mute_that_was_offered_long_ago_is_offered_anew(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute")
    hour, morning, _ = offered(office)
    office.clock.pass_time(days=2)
    said = await press(office, morning)
    assert told(office)[0].muted_until is None
    assert said == [f"answer: That moment has passed. {said[0].partition('passed. ')[2]}"]
    await press(office, hour)
    assert told(office)[0].muted_until == office.clock.now() + timedelta(hours=1), (
        "an hour is an hour when it is pressed"
    )


@pytest.mark.parametrize("choice", [AlertsDo("off"), AlertsDo("unmute"), AlertsDo("card", CampaignId(1))])
async def test_what_is_out_of_place_by_now_is_not_said_to_be_done(office: Office, choice: AlertsDo) -> None:
    await office.campaign(Status.DELIVERED)
    said = await press(office, choice)
    assert told(office) == []
    assert [one for one in said if "Done." in one] == []
    assert said, "it is said how it stands"


# ---- Only -------------------------------------------------------------------------------------------------------

ONLY = ["only tell us about Spring lapsed", "only Spring lapsed", "can you only tell us about Spring lapsed please",
        "tell us only about Spring lapsed", "tell us about Spring lapsed only", "on Spring lapsed only",
        "only Spring's alerts here", "just Spring lapsed's alerts only", "only Spring’s"]  # fmt: skip


@pytest.mark.parametrize("typed", ONLY)
async def test_only_leaves_the_campaign_alone_once_that_is_pressed(office: Office, typed: str) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, NO_CAMPAIGN, fall)
    before, log = told(office), office.log()
    await say(office, typed)
    assert (told(office), office.log()) == (before, log), "everybody's other alerts are not for a guess to end"
    assert offered(office) == [AlertsDo("only", spring)]
    await press(office, AlertsDo("only", spring))
    assert on(office) == {spring: WANTS}, "with the news that all campaigns had"
    (post,) = office.slack.of("post")
    assert "Off from now on: all campaigns, *Fall catalog*." in post.text
    await press(office, AlertsDo("only", spring))
    assert on(office) == {spring: WANTS}


async def test_only_turns_on_where_nothing_was_and_brings_news_where_a_card_was(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    await press(office, AlertsDo("only", spring))
    assert on(office) == {spring: DEFAULT}
    office.write(workspaces.subscribe, office.workspace.id, OPS, fall, (), UserId(ANA), office.clock.now())
    await press(office, AlertsDo("only", fall))
    assert on(office) == {fall: DEFAULT}


async def test_a_campaign_with_only_in_its_name_is_that_campaign(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED, name="Members only")
    await say(office, "on Members only")
    assert set(on(office)) == {campaign.id}


# ---- The settings, saved as they were ---------------------------------------------------------------------------


def as_shown(form: Any, **instead: Field) -> Filled:
    """The settings as they stand there."""
    fields = {}
    for block in form["blocks"]:
        if "element" not in block:
            continue
        element = block["element"]
        one, several = element.get("initial_option"), element.get("initial_options", [])
        fields[block["block_id"]] = Field(
            chosen=one["value"] if one else "", several=tuple(box["value"] for box in several)
        )
    return Filled(form["private_metadata"], fields | instead, form)


async def open_and_save(office: Office, **instead: Field) -> list[str]:
    await say(office, "")
    form = office.slack.last.shown
    before = len(office.slack.said)
    await TABLE.forms[Form.ALERTS].handler(office.services, office.request(response_url=""), as_shown(form, **instead))
    return [f"{one.way}: {one.text}" for one in office.slack.said[before:]]


async def test_settings_saved_as_they_were_change_nothing_and_only_the_asker_reads_so(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, NO_CAMPAIGN, spring, fall)
    before, hours, log = on(office), settings(office), office.log()
    said = await open_and_save(office)
    assert (on(office), settings(office), office.log()) == (before, hours, log)
    assert said == ["whisper: Alerts for all campaigns stay as they are here."]


async def test_settings_that_stand_on_a_campaign_that_is_gone_add_nothing_when_they_are_saved(office: Office) -> None:
    chose(office, CampaignId(99))
    before, log = on(office), office.log()
    await open_and_save(office)
    assert (on(office), office.log()) == (before, log)
    assert "all campaigns" not in await say(office, "list"), "what is gone is not all"


async def test_a_campaign_that_is_gone_can_be_unticked(office: Office) -> None:
    spring, _ = await spring_and_fall(office)
    chose(office, spring, CampaignId(99))
    kept = Field(several=(write(OneCampaign(spring)),))
    await open_and_save(office, keep=kept)
    assert set(on(office)) == {spring}


async def test_settings_saved_unchanged_open_a_channel_that_could_not_be_posted_to(office: Office) -> None:
    chose(office)
    held = office.write(outbox.hold, office.workspace.id, OPS)
    assert held is not None
    batch = NewsBatch(office.workspace.id, OPS, NO_CAMPAIGN, (), token=held.token)
    office.write(outbox.block, batch, "I'm not in this channel.", timedelta(hours=1))
    await open_and_save(office)
    assert told(office)[0].blocked == ""


async def test_of_several_that_were_on_saving_brings_back_all_as_they_were(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    office.write(workspaces.subscribe, office.workspace.id, OPS, fall, OTHER, UserId(ANA), office.clock.now())
    before, hours = on(office), settings(office)
    await say(office, "off")
    said = await open_and_save(office)
    assert (on(office), settings(office)) == (before, hours)
    assert ["again, as they were: *Fall catalog*, *Spring lapsed*" in one for one in said] == [True]


async def test_other_news_is_of_all_that_come_back_and_another_campaign_comes_alone(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    await say(office, "off")
    await open_and_save(office, wants=Field(several=(write(News(NotifyOn.DELIVERED)),)))
    assert on(office) == {spring: OTHER, fall: OTHER}
    await say(office, "off")
    await open_and_save(office, campaign=Field(chosen=write(OneCampaign(fall))))
    assert set(on(office)) == {fall}


@pytest.mark.parametrize("meanwhile", ["on Spring lapsed", "on all", "off", "only", "hours"])
async def test_settings_that_were_opened_before_somebody_else_changed_the_channel_change_nothing(
    office: Office, meanwhile: str
) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    if meanwhile.startswith("on"):
        await say(office, "off")
    await say(office, "")
    form = as_shown(office.slack.last.shown)
    if meanwhile == "hours":
        office.write(channel_settings.keep, office.workspace.id, OPS, replace(settings(office), digest_hour=8))
    elif meanwhile == "only":
        await press(office, AlertsDo("only", fall))
    else:
        await say(office, meanwhile, user=BEN)
    before, hours, log = on(office), settings(office), office.log()
    with pytest.raises(ChangedMeanwhile):
        await TABLE.forms[Form.ALERTS].handler(office.services, office.request(response_url=""), form)
    assert (on(office), settings(office), office.log()) == (before, hours, log)


async def test_the_settings_of_a_channel_that_is_new_are_saved(office: Office) -> None:
    await open_and_save(office)
    assert on(office) == {NO_CAMPAIGN: DEFAULT}


async def test_a_mute_is_no_reason_to_save_nothing(office: Office) -> None:
    chose(office)
    await say(office, "")
    form = as_shown(office.slack.last.shown, wants=Field(several=(write(News(NotifyOn.DELIVERED)),)))
    await say(office, "mute 2h", user=BEN)
    await TABLE.forms[Form.ALERTS].handler(office.services, office.request(response_url=""), form)
    assert on(office) == {NO_CAMPAIGN: OTHER}


@pytest.mark.parametrize("off", [False, True])
async def test_more_campaigns_than_a_menu_holds_are_all_kept(
    office: Office, monkeypatch: pytest.MonkeyPatch, off: bool
) -> None:
    monkeypatch.setattr(alerts_view, "OFFERED", 4)
    monkeypatch.setattr(alerts_view, "OPTIONS", 5)
    monkeypatch.setattr(alerts_view, "BOXES", 3)
    many = [await office.campaign(Status.DELIVERED, ref=str(222 + n), name=f"Drop {n}") for n in range(9)]
    await office.campaign(Status.DELIVERED, ref="240", name="Latest")
    chose(office, *(one.id for one in many[:7]))
    before = on(office)
    if off:
        await say(office, "off")
    await open_and_save(office)
    assert on(office) == before
    await say(office, "")
    view = office.slack.last.shown
    if not off:
        assert "4 more stay on, too." in str(view)
        (menu,) = [one["element"] for one in view["blocks"] if one.get("block_id") == "campaign"]
        assert len(menu["options"]) == 5
        assert read(AlertsForm, view["private_metadata"]).shown.count(";") == 2


async def test_what_the_channel_chose_stands_in_the_menu_before_the_latest(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts_view, "OFFERED", 3)
    old = [await office.campaign(Status.DELIVERED, ref=str(222 + n), name=f"Drop {n}") for n in range(5)]
    chose(office, old[0].id, old[2].id)
    await say(office, "")
    (menu,) = [one["element"] for one in office.slack.last.shown["blocks"] if one.get("block_id") == "campaign"]
    names = [one["text"]["text"] for one in menu["options"]]
    assert {"Drop 0", "Drop 2", "Drop 4"} == set(names[1:])
