"""Alerts that were turned off remember how they were: what was told, and when."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.alerts import actions, digests, offer_view
from handlers.alerts import view as alerts_view
from handlers.alerts.state import State
from handlers.text.buttons import Action, AlertsDo
from handlers.text.codec import write
from storage import channel_settings, outbox, workspaces
from storage.outbox import NewsBatch
from storage.records import NO_CAMPAIGN, CampaignId, ChannelId, ChannelSettings, NotifyOn, UserId
from storage.statuses import Status
from tests.builders import a_batch, a_change
from tests.handlers.alerts.test_commands import say, settings, told
from tests.handlers.conftest import ANA, OPS, Office, pressable

WANTS = frozenset({NotifyOn.RETURNED, NotifyOn.BROADCAST, NotifyOn.WEEKLY})
HOURS = ChannelSettings("Europe/Paris", 7, (22, 7), 10)
DEFAULT = frozenset(alerts_view.DEFAULT_WANTS)


def chose(office: Office, *campaigns: CampaignId, hours: ChannelSettings = HOURS) -> None:
    for one in campaigns or (NO_CAMPAIGN,):
        office.write(workspaces.subscribe, office.workspace.id, OPS, one, WANTS, UserId(ANA), office.clock.now())
    office.write(channel_settings.keep, office.workspace.id, OPS, hours)


def on(office: Office) -> dict[CampaignId, frozenset[NotifyOn]]:
    return {one.campaign_id: one.notify_on for one in told(office)}


async def spring_and_fall(office: Office) -> Sequence[CampaignId]:
    spring = await office.campaign(Status.DELIVERED)
    fall = await office.campaign(Status.DELIVERED, ref="223", name="Fall catalog")
    await office.campaign(Status.DELIVERED, ref="224", name="Winter")
    return spring.id, fall.id


async def test_off_and_on_again_brings_back_what_was_told_and_when_and_says_so(office: Office) -> None:
    chose(office)
    off = await say(office, "off")
    assert "`/mailalerts on` brings them back as they were." in off
    assert on(office) == {}
    said = await say(office, "on")
    assert on(office) == {NO_CAMPAIGN: WANTS}
    assert settings(office) == HOURS
    shown = f"{said} {office.slack.last.shown.blocks}"
    assert "turned mail alerts on again, as they were" in said
    for what in ("weekly report", "an alarm above 10% returns", "a digest at 7:00 AM", "10:00 PM", "Paris time"):
        assert what in shown, what
    assert office.slack.last.way == "post", "everyone reads it"


async def test_what_was_chosen_to_be_none_stays_none(office: Office) -> None:
    none = ChannelSettings("America/Chicago", None, None, None)
    chose(office, hours=none)
    await say(office, "off")
    await say(office, "turn it back on")
    assert settings(office) == none


async def test_the_campaigns_that_were_chosen_are_on_again_and_no_others(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    await say(office, "off")
    said = await say(office, "on")
    assert on(office) == {spring: WANTS, fall: WANTS}
    assert "*Fall catalog*, *Spring lapsed*" in said
    await say(office, "off")
    await say(office, "on for all campaigns")
    assert set(on(office)) == {NO_CAMPAIGN}, "all were asked for by name"
    assert settings(office) == HOURS


async def test_of_a_restored_few_it_is_said_how_all_come(office: Office) -> None:
    spring, _ = await spring_and_fall(office)
    chose(office, spring)
    await say(office, "off")
    await say(office, "on")
    assert "`/mailalerts on all` adds all campaigns." in str(office.slack.last.shown.blocks)
    assert pressable(office.slack.last.shown.blocks) == [], "what is pressed would take the message's place"
    await say(office, "on all")
    assert set(on(office)) == {NO_CAMPAIGN, spring}


async def test_one_campaign_off_and_on_again_is_told_as_it_was(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    off = await say(office, "off Spring lapsed")
    assert "`/mailalerts on Spring lapsed` brings it back as it was." in off
    assert on(office) == {fall: WANTS}
    said = await say(office, "on Spring lapsed")
    assert on(office) == {spring: WANTS, fall: WANTS}
    assert "weekly report" in said
    await say(office, "off")
    await say(office, "on Spring lapsed")
    assert (on(office), settings(office)) == ({spring: WANTS}, HOURS)


async def test_what_ended_before_does_not_come_back_with_what_ended_last(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    await say(office, "off Spring lapsed")
    await say(office, "off")
    await say(office, "on")
    assert set(on(office)) == {fall}


async def test_the_form_of_a_channel_that_is_off_shows_what_it_had(office: Office) -> None:
    spring, _ = await spring_and_fall(office)
    chose(office, spring)
    await say(office, "off")
    await say(office, "")
    view = office.slack.last.shown
    fields = {one["block_id"]: one["element"] for one in view["blocks"] if "element" in one}
    assert fields["campaign"]["initial_option"]["text"]["text"] == "Spring lapsed"
    assert len(fields["wants"]["initial_options"]) == len(WANTS)
    assert fields["alarm"]["initial_option"]["text"]["text"] == "Above 10% of the mailed pieces"
    assert "Paris time" in str(view)
    assert "gets no alerts right now" in str(view)


async def test_undo_of_off_and_the_mute_that_was_on_are_as_they_were(office: Office) -> None:
    chose(office)
    until = office.clock.now() + timedelta(hours=2)
    office.write(outbox.mute, office.workspace.id, OPS, until)
    await say(office, "off")
    (undo,) = [one for one in pressable(office.slack.last.shown.blocks) if one[0] == Action.ALERTS_UNDO]
    await actions.undo(office.services, office.request(), undo[1])
    assert (on(office), settings(office), told(office)[0].muted_until) == ({NO_CAMPAIGN: WANTS}, HOURS, until)
    await say(office, "off")
    await say(office, "on")
    assert told(office)[0].muted_until == until
    assert "Muted until" in str(office.slack.last.shown.blocks), "who turns it on hears why it is silent"
    assert "`/mailalerts unmute` ends that now." in str(office.slack.last.shown.blocks)
    await say(office, "list")
    assert (Action.ALERTS_DO, write(AlertsDo("unmute"))) in pressable(office.slack.last.shown.blocks)


async def test_a_mute_that_is_over_is_not_spoken_of(office: Office) -> None:
    chose(office)
    office.write(outbox.mute, office.workspace.id, OPS, office.clock.now() + timedelta(hours=2))
    office.clock.pass_time(hours=3)
    assert "Muted" not in str((await say(office, "list"), office.slack.last.shown.blocks))
    assert "already on here" in await say(office, "on")
    await say(office, "off")
    await say(office, "on")
    assert "Muted" not in str(office.slack.last.shown.blocks)


async def test_a_channel_that_could_not_be_posted_to_is_opened_by_on(office: Office) -> None:
    chose(office)
    held = office.write(outbox.hold, office.workspace.id, OPS)
    assert held is not None
    batch = NewsBatch(office.workspace.id, OPS, NO_CAMPAIGN, (), token=held.token)
    office.write(outbox.block, batch, "I'm not in this channel.", timedelta(hours=1))
    assert told(office)[0].blocked
    said = await say(office, "on")
    assert "turned mail alerts on again, as they were" in said
    assert (on(office), settings(office), told(office)[0].blocked) == ({NO_CAMPAIGN: WANTS}, HOURS, "")


async def test_a_channel_that_was_blocked_gets_back_what_it_had_and_no_more(office: Office) -> None:
    spring, _ = await spring_and_fall(office)
    chose(office, spring)
    held = office.write(outbox.hold, office.workspace.id, OPS)
    assert held is not None
    batch = NewsBatch(office.workspace.id, OPS, spring, (), token=held.token)
    office.write(outbox.block, batch, "I'm not in this channel.", timedelta(hours=1))
    said = await say(office, "on")
    assert "turned mail alerts on again, as they were: *Spring lapsed*." in said
    assert (on(office), settings(office), told(office)[0].blocked) == ({spring: WANTS}, HOURS, "")


async def form_of(office: Office) -> tuple[str, str]:
    """What the settings say first, and the campaign that they stand on."""
    await say(office, "")
    blocks = office.slack.last.shown["blocks"]
    (menu,) = [one["element"] for one in blocks if one["block_id" if "block_id" in one else "type"] == "campaign"]
    return blocks[0]["text"]["text"], menu["initial_option"]["text"]["text"]


async def test_of_several_that_were_on_the_form_says_how_all_come_back(office: Office) -> None:
    chose(office, *await spring_and_fall(office))
    await say(office, "off")
    said, shown = await form_of(office)
    assert shown == "As it was: Spring lapsed, Fall catalog"
    assert "It had alerts for *Spring lapsed*, *Fall catalog*: once you save, all of these are on as they were" in said
    assert "This is what it had" not in said


@pytest.mark.parametrize("off", [True, False])
async def test_an_old_campaign_stands_in_the_form_though_it_is_not_among_the_latest(
    office: Office, monkeypatch: pytest.MonkeyPatch, off: bool
) -> None:
    monkeypatch.setattr(alerts_view, "OFFERED", 2)
    spring, _ = await spring_and_fall(office)
    chose(office, spring)
    if off:
        await say(office, "off")
    said, shown = await form_of(office)
    assert shown == "Spring lapsed"
    assert ("This is what it had." in said) == off


async def test_where_what_was_on_is_no_more_the_form_does_not_say_that_it_had_all(office: Office) -> None:
    chose(office, CampaignId(99))
    await say(office, "off")
    said, shown = await form_of(office)
    assert (shown, "This is what it had" in said) == ("All campaigns", False)


async def test_a_day_of_a_campaign_that_is_off_is_neither_listed_nor_warned_of(office: Office) -> None:
    await office.campaign(*[Status.IN_TRANSIT] * 60)
    fall = await office.campaign(Status.DELIVERED, ref="223", name="Fall catalog")
    await say(office, "on Spring lapsed")
    await digests.watch(office.services, office.workspace.id)
    soon = (office.clock.now() + timedelta(days=1)).date()
    await say(office, f"Spring lapsed in home by {soon}")
    await say(office, "off Spring lapsed")
    await say(office, "on Fall catalog")
    assert set(on(office)) == {fall.id}
    await say(office, "list")
    assert "in homes by" not in str(office.slack.last.shown.blocks)
    await say(office, "")
    assert "Warn when the chance" not in str(office.slack.last.shown)
    number = len(office.slack.of("post"))
    await digests.watch(office.services, office.workspace.id)
    assert [one.text for one in office.slack.of("post")[number:] if "at risk" in one.text] == []
    await say(office, "on Spring lapsed")
    await say(office, "list")
    assert "in homes by" in str(office.slack.last.shown.blocks), "with its alerts its day is back"
    await digests.watch(office.services, office.workspace.id)
    assert "at risk" in " ".join(one.text for one in office.slack.of("post")[number:])


async def test_of_several_that_ended_beside_others_it_is_said_how_each_comes_back(office: Office) -> None:
    said = offer_view.switched_off("U1", ["Spring", "Fall"], None, rest=True).text
    assert "`/mailalerts on` with a name, like `/mailalerts on Spring`, brings each back as it was." in said
    said = offer_view.switched_off("U1", ["all campaigns", "Fall"], None, rest=True).text
    assert "like `/mailalerts on all`, brings" in said
    said = offer_view.switched_off("U1", ["all campaigns"], None, rest=True).text
    assert "`/mailalerts on all` brings it back as it was." in said


async def test_a_campaign_that_was_on_among_all_is_not_on_again_as_it_was(office: Office) -> None:
    await spring_and_fall(office)
    chose(office)
    await say(office, "off")
    said = await say(office, "on Winter")
    assert "turned on mail alerts for *Winter*, with the news that all campaigns had." in said
    assert "again" not in said
    assert (set(on(office).values()), settings(office)) == ({WANTS}, HOURS)


async def test_a_channel_that_never_had_alerts_gets_the_usual(office: Office) -> None:
    chose(office)
    await say(office, "off")
    await say(office, "on", channel=ChannelId("C0SALES"))
    (one,) = office.read(workspaces.subscriptions_of, office.workspace.id, ChannelId("C0SALES"))
    assert one.notify_on == DEFAULT
    usual = office.read(channel_settings.of, office.workspace.id, ChannelId("C0SALES"))
    assert usual == replace(HOURS, zone="America/Chicago", digest_hour=9, quiet=None, alarm_percent=5)


async def test_what_happened_while_it_was_off_is_no_news_of_the_next_digest(office: Office) -> None:
    spring = await office.campaign(*[Status.IN_TRANSIT] * 60)
    chose(office, hours=ChannelSettings("UTC", 9, None, 5))
    await digests.watch(office.services, office.workspace.id)
    await say(office, "Spring lapsed in home by Dec 12")
    await say(office, "off")
    office.clock.pass_time(days=9)
    moved = [Status.RETURNED] * 10 + [Status.DELIVERED] * 40
    moved_at = office.clock.now() - timedelta(days=2)
    changes = [a_change(str(1001 + n), one, occurred_at=moved_at) for n, one in enumerate(moved)]
    await office.learn(a_batch(*changes))
    await say(office, "on")
    number = len(office.slack.of("post"))
    await digests.watch(office.services, office.workspace.id)
    assert [one.text for one in office.slack.of("post")[number:]] == [], "neither a digest nor an alarm"
    state = State.read(office.read(channel_settings.state_of, office.workspace.id, OPS))
    assert str(spring.id) in state.deadlines, "the day that was set stays"
    office.clock.pass_time(days=1)
    await office.learn(a_batch(*[a_change(str(1051 + n), Status.DELIVERED, hours=350) for n in range(2)]))
    await digests.watch(office.services, office.workspace.id)
    assert "2 delivered" in office.slack.last.text.replace("*", ""), office.slack.last.text
