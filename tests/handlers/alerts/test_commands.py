"""`/mailalerts`: what is switched on and off, for whom, and what is written down of it."""

from datetime import timedelta
from typing import Any

import pytest

from handlers import asked, work
from handlers.alerts import actions, commands
from handlers.alerts import view as alerts_view
from handlers.alerts.table import TABLE
from handlers.asked import Given
from handlers.context.table import Field, Filled
from handlers.errors import NotInChannel, Outdated
from handlers.text.buttons import Action, AlertsDo, AlertsForm, Form, Hours, Limit, News, OneCampaign
from handlers.text.codec import write
from storage import channel_settings, intents, workspaces
from storage.audit import Act
from storage.intents import Kind
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSettings, NotifyOn, Subscription
from storage.statuses import Status
from storage.vault import Vault
from tests.handlers.conftest import ANA, OPS, URL, Office, pressable

DEFAULT = frozenset(alerts_view.DEFAULT_WANTS)


async def say(office: Office, text: str, **facts: Any) -> str:
    before = len(office.slack.said)
    await commands.mail_alerts(office.services, office.request(text, **facts))
    return " ".join(one.text for one in office.slack.said[before:])


def told(office: Office) -> list[Subscription]:
    return office.read(workspaces.subscriptions_of, office.workspace.id, OPS)


def settings(office: Office) -> ChannelSettings:
    return office.read(channel_settings.of, office.workspace.id, OPS)


async def test_a_channel_is_told_of_everything_with_the_usual_hours_and_reads_it(office: Office) -> None:
    await say(office, "on")
    assert (office.slack.last.way, office.slack.last.place) == ("post", OPS)
    (one,) = told(office)
    assert (one.campaign_id, one.notify_on) == (NO_CAMPAIGN, DEFAULT)
    usual = ChannelSettings("America/Chicago", alerts_view.DEFAULT_DIGEST, None, alerts_view.DEFAULT_ALARM)
    assert settings(office) == usual
    assert office.log() == [(Act.SUBSCRIBED, "all campaigns", f"channel {OPS}")]
    office.write(channel_settings.keep, office.workspace.id, OPS, ChannelSettings("UTC", 7, None, None))
    await say(office, "on all")
    assert settings(office).digest_hour == 7, "said again, nothing is set back"


@pytest.mark.parametrize(
    "typed",
    [
        "on #mail-ops",
        "turn on alerts in #Mail-Ops please",
        "#mail-ops on",
        f"on <#{OPS}|mail-ops>",
        "on for all campaigns to #mail-ops",
    ],
)
async def test_the_channel_that_is_typed_in_may_be_named(office: Office, typed: str) -> None:
    await say(office, typed, channel_name="mail-ops")
    assert [one.campaign_id for one in told(office)] == [NO_CAMPAIGN]


async def test_a_campaign_beside_the_channels_own_name_is_found(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED)
    await say(office, "on for Spring lapsed in #mail-ops", channel_name="mail-ops")
    assert [one.campaign_id for one in told(office)] == [campaign.id]


async def test_another_channel_is_told_where_to_type_it(office: Office) -> None:
    assert "Type it in #sales" in await say(office, "on #sales", channel_name="mail-ops")
    # Of a private channel Slack tells no name.
    assert "Type it in #mail-ops" in await say(office, "on #mail-ops", channel_name="privategroup")
    assert told(office) == []


async def test_a_channel_that_cannot_be_posted_to_is_not_subscribed(office: Office) -> None:
    office.slack.fail("post", NotInChannel())
    with pytest.raises(NotInChannel):
        await say(office, "on")
    assert (told(office), office.log()) == ([], [])


async def test_one_campaign_is_meant_by_its_name(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED)
    await office.campaign(Status.DELIVERED, ref="223", name="Spring welcome")
    await say(office, "on Spring lapsed")
    assert [one.campaign_id for one in told(office)] == [campaign.id]
    for unclear in ("on Spring", "on Zzyzx", "off Zzyzx"):
        await say(office, unclear)
        assert office.slack.last.way == "answer", "asked back"
        assert len(told(office)) == 1
    assert "Spring lapsed" in await say(office, "off Spring lapsed")
    assert told(office) == []


async def test_switched_off_it_is_told_of_nothing_and_said_so(office: Office) -> None:
    first = await say(office, "off")
    await say(office, "on")
    second = await say(office, "off")
    assert first != second
    assert told(office) == []
    assert [act for act, _, _ in office.log()] == [Act.SUBSCRIBED, Act.UNSUBSCRIBED]


@pytest.mark.parametrize(
    ("words", "span"),
    [("mute 30m", timedelta(minutes=30)), ("mute 2h", timedelta(hours=2)), ("mute 3d", timedelta(days=3))],
)
async def test_a_channel_is_muted_for_a_time_and_no_longer(office: Office, words: str, span: timedelta) -> None:
    assert await say(office, words) == await say(office, "list"), "nothing is told here"
    assert office.log() == []
    await say(office, "on")
    await say(office, words)
    assert told(office)[0].muted_until == office.clock.now() + span
    await say(office, "unmute")
    assert told(office)[0].muted_until is None
    assert [act for act, _, _ in office.log()] == [Act.SUBSCRIBED, Act.MUTED, Act.UNMUTED]


async def test_one_campaign_is_resumed_by_a_button_for_a_mute_is_of_the_whole_channel(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    await say(office, "on")
    await say(office, "mute 2h")
    for words in ("resume Spring lapsed", "unmute Zzyzx"):
        await say(office, words)
        assert (office.slack.last.way, office.slack.last.place) == ("answer", URL), "asked back"
        assert told(office)[0].muted_until is not None
        assert (Action.ALERTS_DO, write(AlertsDo("unmute"))) in pressable(office.slack.last.shown.blocks)


async def test_what_is_on_but_muted_is_offered_to_be_unmuted(office: Office) -> None:
    await say(office, "on")
    await say(office, "be quiet for 2h")
    assert "muted until" in await say(office, "turn it back on")
    assert (Action.ALERTS_DO, write(AlertsDo("unmute"))) in pressable(office.slack.last.shown.blocks)


async def test_on_brings_news_to_what_had_only_a_card(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED)
    await say(office, "on")
    await actions.carry_out(office.services, office.request(), write(AlertsDo("card", campaign.id)))
    assert {one.campaign_id: one.notify_on for one in told(office)}[campaign.id] == frozenset()
    await say(office, "on Spring lapsed")
    assert {one.campaign_id: one.notify_on for one in told(office)}[campaign.id] == DEFAULT
    assert "already on" in await say(office, "on Spring lapsed")


async def test_bare_it_opens_the_settings_and_help_is_an_answer(office: Office) -> None:
    await say(office, "")
    assert (office.slack.last.way, office.slack.last.place) == ("open", "T1")
    await actions.alert_settings(office.services, office.request(), "")
    assert office.slack.last.way == "open"
    for words in ("help", "list", "sing"):
        await say(office, words)
        assert (office.slack.last.way, office.slack.last.place) == ("answer", URL)


async def saved(office: Office, campaign: CampaignId = NO_CAMPAIGN, digest: int | None = 8, quiet: tuple[int, int] | None = (22, 7),
                alarm: int | None = 10, **facts: Any) -> None:  # fmt: skip
    """The form is submitted."""
    fields = {
        "campaign": Field(chosen=write(OneCampaign(campaign))), "wants": Field(several=(write(News(NotifyOn.DELIVERED)),)),
        "digest": Field(chosen=write(Limit(digest))), "quiet": Field(chosen=write(Hours(*(quiet or (None, None))))),
        "alarm": Field(chosen=write(Limit(alarm))),
    }  # fmt: skip
    await TABLE.forms[Form.ALERTS].handler(
        office.services, office.request(**facts), Filled(write(AlertsForm(OPS, "")), fields)
    )


async def test_saved_settings_stand_beside_whatever_else_is_on(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED)
    await say(office, "on")
    await saved(office, campaign.id)
    wanted = {one.campaign_id: one.notify_on for one in told(office)}
    assert wanted == {NO_CAMPAIGN: DEFAULT, campaign.id: frozenset({NotifyOn.DELIVERED})}
    assert settings(office) == ChannelSettings("America/Chicago", 8, (22, 7), 10)
    await saved(office, digest=None, quiet=None, alarm=None)
    assert {one.campaign_id for one in told(office)} == {NO_CAMPAIGN, campaign.id}
    assert settings(office) == ChannelSettings("America/Chicago", None, None, None)
    assert office.log()[-1] == (Act.SUBSCRIBED, "all campaigns", f"channel {OPS}")


async def test_what_the_form_does_not_offer_is_out_of_date(office: Office) -> None:
    for wrong in ({"digest": 3}, {"quiet": (1, 2)}, {"alarm": 99}, {"campaign": CampaignId(99)}):
        with pytest.raises(Outdated):
            await saved(office, **wrong)
    assert told(office) == []


async def test_the_same_request_subscribes_and_says_so_once(office: Office) -> None:
    kept = office.write(intents.keep_taken, office.workspace.id, Kind.ASKED, {"by": ANA}, "", "k")
    assert kept is not None
    await saved(office, kept=kept)
    await saved(office, digest=None, kept=office.read(intents.of, office.workspace.id, kept.id))
    assert len(office.slack.of("post")) == 1
    assert settings(office).digest_hour == 8


def filled(form: Any, menu: CampaignId, *unticked: CampaignId) -> Filled:
    """The settings as they were shown, with this campaign chosen and these unticked."""
    kept = next(block["element"]["options"] for block in form["blocks"] if block.get("block_id") == "keep")
    gone = {write(OneCampaign(one)) for one in unticked}
    fields = {
        "campaign": Field(chosen=write(OneCampaign(menu))), "wants": Field(several=(write(News(NotifyOn.DELIVERED)),)),
        "digest": Field(chosen=write(Limit(8))), "quiet": Field(chosen=write(Hours(None, None))),
        "alarm": Field(chosen=write(Limit(None))),
        "keep": Field(several=tuple(one["value"] for one in kept if one["value"] not in gone)),
    }  # fmt: skip
    return Filled(form["private_metadata"], fields, form)


async def both_on(office: Office) -> CampaignId:
    """All campaigns and one by itself; the settings are open."""
    campaign = await office.campaign(Status.DELIVERED)
    await say(office, "on")
    await saved(office, campaign.id)
    await say(office, "")
    return campaign.id


@pytest.mark.parametrize("names", [("Spring lapsed",), ("Fall catalog", "Spring lapsed")])
async def test_off_names_what_ended_and_only_all_campaigns_where_all_were_on(
    office: Office, names: tuple[str, ...]
) -> None:
    for number, name in enumerate(names):
        await office.campaign(Status.IN_TRANSIT, ref=str(222 + number), name=name)
        await say(office, f"on {name}")
    await say(office, "off")
    named = ", ".join(f"*{name}*" for name in names)
    assert office.slack.last.text.startswith(f"<@{ANA}> turned off mail alerts for {named}. "), office.slack.last.text
    assert "all campaigns" not in office.slack.last.text
    assert told(office) == []


@pytest.mark.parametrize("both", [False, True])
async def test_what_the_menu_stands_on_ends_when_it_is_unticked_and_that_is_said(office: Office, both: bool) -> None:
    campaign = await both_on(office)
    unticked = [NO_CAMPAIGN, campaign] if both else [NO_CAMPAIGN]
    form = filled(office.slack.last.shown, NO_CAMPAIGN, *unticked)
    await TABLE.forms[Form.ALERTS].handler(office.services, office.request(response_url=""), form)
    assert [one.campaign_id for one in told(office)] == ([] if both else [campaign])
    assert (office.slack.last.way, office.slack.last.place) == ("post", OPS)
    assert "turned off mail alerts for all campaigns" in office.slack.last.text
    assert ("Spring lapsed" in office.slack.last.text) == both
    assert (office.log()[-1][0], settings(office).digest_hour) == (Act.UNSUBSCRIBED, 8)


async def resumed(office: Office, given: Given) -> None:
    """It was taken by a process that died then."""
    vault = Vault([*office.services.policy.sealing_keys])
    now = office.clock.now()
    kept = office.write(asked.keeping(vault, office.request(), given, "k", now, lambda: False))
    assert kept is not None
    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0"))
    await work.resume(office.services, office.workspace.id, kept.id)


async def test_after_a_crash_a_form_still_knows_what_was_unticked(office: Office) -> None:
    campaign = await both_on(office)
    form = filled(office.slack.last.shown, campaign, NO_CAMPAIGN)
    await resumed(office, Given(Form.ALERTS.value, filled=form))
    assert [one.campaign_id for one in told(office)] == [campaign]


async def test_a_mute_that_is_over_is_not_taken_back(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute 5m")
    (undo,) = [value for _, value in pressable(office.slack.last.shown.blocks)]
    await actions.undo(office.services, office.request(), undo)
    assert "took the mute back" in office.slack.last.text
    assert office.log()[-1] == (Act.UNMUTED, f"channel {OPS}", "by Undo")
    await say(office, "mute 5m")
    (undo,) = [value for _, value in pressable(office.slack.last.shown.blocks)]
    office.clock.pass_time(minutes=6)
    lines = len(office.log())
    await actions.undo(office.services, office.request(), undo)
    assert "That mute is over, so there was nothing to undo." in office.slack.last.text
    assert len(office.log()) == lines


@pytest.mark.parametrize("words", ["off", "off Spring lapsed", "mute 2h"])
async def test_what_another_process_did_offers_no_undo_that_would_restore_nothing(office: Office, words: str) -> None:
    await both_on(office)
    kept = office.write(intents.keep_taken, office.workspace.id, Kind.ASKED, {"by": ANA}, "", "k")
    assert kept is not None
    await say(office, words, kept=kept)
    first = office.slack.of("post")[-1]
    assert [action for action, _ in pressable(first.shown.blocks)] == [Action.ALERTS_UNDO]
    await say(office, words, kept=office.read(intents.of, office.workspace.id, kept.id))
    again = office.slack.of("post")[-1]
    assert again is not first
    assert (again.text, pressable(again.shown.blocks)) == (first.text, [])


@pytest.mark.parametrize(
    ("typed", "where"),
    [("why did #sales get nothing?", "#sales"), ("on #sales", "#sales"), ("off <#C0SALES|sales>", "<#C0SALES>"),
     ("mute (#sales) 2h", "#sales"), ("#sales Spring in home by Dec 12", "#sales")],
)  # fmt: skip
async def test_another_channel_is_sent_there_and_nothing_is_changed_or_offered_here(
    office: Office, typed: str, where: str
) -> None:
    await office.campaign(Status.DELIVERED, name="Sale postcards")
    assert f"Type it in {where}, without" in await say(office, typed)
    assert (office.slack.last.way, told(office)) == ("answer", [])
    assert pressable(office.slack.last.shown.blocks) == []


@pytest.mark.parametrize("typed", ["on #222", "on <#C0OPS|ops>", "on Sale #b"])
async def test_a_number_this_channel_and_a_name_with_such_a_word_are_no_other_channel(
    office: Office, typed: str
) -> None:
    await office.campaign(Status.DELIVERED, name="Sale #b")
    assert "Type it in" not in await say(office, typed)


@pytest.mark.parametrize("typed", ["returns only", "on returns", "on returns only", "only returns", "off deliveries"])
async def test_a_kind_of_news_is_no_campaign_and_leads_to_the_settings(office: Office, typed: str) -> None:
    await office.campaign(Status.DELIVERED)
    said = await say(office, typed)
    assert "No campaign" not in said
    assert [action for action, _ in pressable(office.slack.last.shown.blocks)] == [Action.ALERT_SETTINGS]
    assert told(office) == []


async def test_a_campaign_that_is_called_like_a_kind_of_news_is_that_campaign(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED, name="Returns")
    await say(office, "on Returns")
    assert [one.campaign_id for one in told(office)] == [campaign.id]


async def test_settings_of_what_was_on_are_said_to_be_changed(office: Office) -> None:
    await saved(office)
    assert "switched mail alerts on for all campaigns" in office.slack.last.text
    await saved(office, digest=7)
    assert "changed mail alerts for all campaigns" in office.slack.last.text
