"""`/mailstatus`: who is answered where, with which days, and what a guest does not read."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.charts.values import Curve, Pie
from handlers.context.access import GuestsLook
from handlers.errors import NotConnected, Outdated, PlatformDown
from handlers.status import actions, commands
from handlers.status.table import TABLE
from handlers.text import buttons
from handlers.text.buttons import Action, AlertsDo, OneCampaign, OtherDates
from handlers.text.codec import write
from handlers.text.parsing import ALL_TIME
from handlers.track.commands import mail_track
from storage import privacy
from storage.queries import piece_pages
from storage.queries.mail import Days
from storage.records import CampaignId, Money, WorkspaceId
from storage.statuses import Status
from tests.builders import a_batch, a_change
from tests.handlers.conftest import BEN, GUS, OPS, URL, Office, pressable

D, T = Status.DELIVERED, Status.IN_TRANSIT


async def ask(office: Office, text: str = "", **facts: object) -> tuple[str, str, str]:
    """What was said last: how, where, and the words."""
    await commands.mail_status(office.services, office.request(text, **facts))  # type: ignore[arg-type]
    said = office.slack.last
    return said.way, said.place, said.text


def pie(office: Office) -> Pie:
    drawn = office.drawn[-1]
    assert isinstance(drawn, Pie)
    return drawn


async def test_a_campaign_is_answered_in_the_channel_with_its_pie_and_noted_as_shown(office: Office) -> None:
    campaign = await office.campaign(D, D, T)
    way, place, text = await ask(office, "spring LAPSED")
    assert (way, place) == ("post", OPS)
    assert "2" in text
    assert "image" in str(office.slack.last.shown.blocks)
    assert pie(office).title == "Spring lapsed"
    assert office.read(privacy.shown_campaigns, office.workspace.id, OPS) == [campaign.id]


async def test_the_account_is_answered_for_what_is_current_and_a_campaign_for_all_time(office: Office) -> None:
    await office.campaign(D)
    await ask(office)
    assert sum(pie(office).counts) == 1, "ordered in October, within the last 30 days"
    await ask(office, "last month")
    assert sum(pie(office).counts) == 1
    assert "October 2026" in pie(office).title
    await ask(office, "Spring lapsed")
    assert sum(pie(office).counts) == 1
    drawn = len(office.drawn)
    _, _, text = await ask(office, "Spring lapsed today")
    assert "Nothing of it was ordered in these days" in text
    assert len(office.drawn) == drawn, "of nothing there is no picture"


@pytest.mark.parametrize(
    ("typed", "asks"),
    [
        ("when will Spring lapsed land?", True), ("whens spring lapsed coming", True), ("eta Spring lapsed", True), ("Spring lapsed eta?", True), ("by when is spring lapsed due?", True),
        ("how soon is spring lapsed there?", True), ("Spring lapsed", False), ("how is Spring lapsed doing?", False),
        ("spring lapsed last month", False),
    ],
)  # fmt: skip
async def test_who_asks_when_is_told_a_day_before_anything_else(office: Office, typed: str, asks: bool) -> None:
    await office.campaign(T, T)
    await office.learn(a_batch(a_change(status=Status.HANDED_OVER, hours=-40), a_change(status=T)))
    assert (await ask(office, typed))[2].startswith("Spring lapsed: Expected Oct") is asks


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("is Spring lapsed ahead?", "Too early"), ("is the Spring mailing late?", "Too early"),
        ("is spring lapsed on track?", "Too early"), ("is Spring running behind, or on schedule?", "Too early"),
        ("why is spring lapsed so slow?", "Too early"), ("is spring lapsed delayed?", "Too early"),
        ("when will Spring land? is it ahead?", "Expected Oct 30 – Nov 2. Too early"),
        ("is Spring lapsed ahead? When will they be there?", "Expected Oct"),
        ("when will Spring land, is it ahead?", "Expected Oct 30 – Nov 2. Too early"),
        ("when will Spring lapsed land and is it late", "Expected Oct"),
        ("how is Spring lapsed doing? Is it done?", "All 2"), ("Spring lapsed", "All 2"),
    ],
)  # fmt: skip
async def test_who_asks_whether_it_is_ahead_or_late_reads_that_first_and_two_questions_are_about_one(
    office: Office, typed: str, first: str
) -> None:
    await office.campaign(T, T)
    await office.learn(a_batch(a_change(status=Status.HANDED_OVER, hours=-40), a_change(status=T)))
    assert (await ask(office, typed))[2].startswith(f"Spring lapsed: {first}"), office.slack.last.text


async def test_a_name_that_holds_such_a_word_asks_for_nothing(office: Office) -> None:
    await office.campaign(T, name="Ahead of the curve")
    await office.campaign(T, ref="223", name="Ready? Is it spring?")
    for typed in ("Ahead of the curve", "how is Ahead of the curve?", "Ready? Is it spring?"):
        assert "Too early" not in (await ask(office, typed))[2], typed
        assert "In Transit" in office.slack.last.text


async def test_the_day_is_the_askers(office: Office) -> None:
    await office.campaign(D)
    office.clock.moment = office.clock.moment.replace(day=1, hour=3)
    await ask(office, "this month")
    assert "October" in pie(office).title, "in Chicago it is still October"


async def test_help_names_a_campaign_of_ones_own(office: Office) -> None:
    assert "/mailstatus Spring" in (await ask(office, "help"))[2]
    await office.campaign(D)
    assert "Spring lapsed" in str(office.slack.said[-1].shown.blocks) + (await ask(office, "?"))[2]
    assert office.slack.last.way == "answer"


async def test_what_a_guest_is_told_to_type_is_what_a_guest_can(office: Office) -> None:
    guest: dict[str, Any] = {"user": GUS, "guest": True}
    for typed in ("help", "hello", "?"):
        said = (await ask(office, typed, **guest))[2]
        assert "No campaign was shown here yet" in str(office.slack.last.shown.blocks)
        assert "`/mailstatus`" not in said
    await office.campaign(D)
    await office.campaign(D, ref="223", name="Fall catalog")
    assert "Spring lapsed" not in (await ask(office, "help", **guest))[2]
    for name in ("Spring lapsed", "Fall catalog"):
        await ask(office, name)
    for answer in (commands.mail_status, mail_track):
        await answer(office.services, office.request("help", **guest))
        help_ = office.slack.last
        shown = help_.text + str(help_.shown.blocks)
        assert not [no for no in ("`/mailstatus`", "/mailalerts", "alerts on", "*Cancel…*", "*View") if no in shown], (
            shown
        )
        for typed in re.findall("`/mailstatus ([^`]+)`", help_.text):
            assert (await ask(office, typed, **guest))[0] == "post", typed


async def test_a_guest_who_asks_for_what_was_not_shown_is_told_so(office: Office) -> None:
    guest = {"user": GUS, "guest": True}
    await office.campaign(D)
    said = (await ask(office, "Spring lapsed", **guest))[2]
    assert said == (
        "As a guest you see what this channel was shown, and “Spring lapsed” is nothing of that. "
        "Ask somebody on the team to ask for it here."
    )
    await office.campaign(D, ref="223", name="Fall catalog")
    await ask(office, "Fall catalog")
    assert (await ask(office, "Spring lapsed", **guest))[2].endswith("is nothing of that. These campaigns were:")
    assert "There are no campaigns" not in office.slack.last.text


async def test_without_an_account_there_is_nothing_to_say(office: Office) -> None:
    office.note(connected_at=None)
    with pytest.raises(NotConnected):
        await ask(office)
    assert (await ask(office, "help"))[0] == "answer"


async def test_several_or_no_campaigns_are_asked_back_in_private(office: Office) -> None:
    await office.campaign(D, name="Spring one")
    await office.campaign(D, ref="223", name="Spring two")
    for text in ("Spring", "Zzyzx"):
        way, place, _ = await ask(office, text)
        assert (way, place) == ("answer", URL)
    assert office.read(privacy.shown_campaigns, office.workspace.id, OPS) == []


async def test_a_guest_reads_of_what_the_channel_was_shown_without_the_balance(office: Office) -> None:
    office.note(balance=Decimal("77.70"))
    campaign = await office.campaign(D)
    guest = {"user": GUS, "guest": True}
    with pytest.raises(GuestsLook):
        await ask(office, "", **guest)
    assert (await ask(office, "Spring lapsed", **guest))[0] == "answer"
    await ask(office, "Spring lapsed")
    assert "77.70" in str(office.slack.last.shown.blocks)
    way, _, _ = await ask(office, "Spring lapsed", **guest)
    assert way == "post"
    assert "77.70" not in str(office.slack.last.shown.blocks)
    with pytest.raises(GuestsLook):
        await actions.refresh(office.services, office.request(user=GUS, guest=True), buttons.carry(None, Days()))
    assert campaign.id
    assert office.again().balance == Money(Decimal("77.70"))


async def test_a_chosen_campaign_goes_to_the_channel_with_its_days(office: Office) -> None:
    campaign = await office.campaign(D)
    await actions.pick_campaign(office.services, office.request(), buttons.carry(campaign.id, ALL_TIME.days))
    assert (office.slack.last.way, office.slack.last.place) == ("post", OPS)
    assert office.read(privacy.shown_campaigns, office.workspace.id, OPS) == [campaign.id]
    for wrong in (buttons.carry(CampaignId(99), Days()), "x", ""):
        with pytest.raises(Outdated):
            await actions.pick_campaign(office.services, office.request(), wrong)


async def test_refreshed_the_same_message_shows_new_numbers_and_days(office: Office) -> None:
    campaign = await office.campaign(T)
    office.mail.at["1001"] = D
    pressed = office.request(message_ts="1.1", pictures=("F1",))
    await actions.refresh(office.services, pressed, buttons.carry(campaign.id, Days()))
    assert (office.slack.last.way, office.slack.last.place) == ("edit", f"{OPS},1.1")
    assert office.piece().status is D, "asked for though it is fresh"
    assert office.slack.deleted == ["F1"]
    today = date(2026, 11, 2)
    await actions.refresh(office.services, pressed, buttons.carry(None, Days(today, today)))
    assert "Nothing was ordered in these days" in office.slack.last.text


async def test_an_empty_range_leads_to_the_nearest_one_that_has_mail(office: Office) -> None:
    def shown() -> list[str]:
        return [value for action, value in pressable(office.slack.last.shown.blocks) if action == Action.REFRESH]

    spring = await office.campaign(T, piece={"created_at": datetime(2026, 3, 30, 14, tzinfo=UTC)})
    await office.campaign(D, ref="223", name="Fall", piece={"created_at": datetime(2026, 9, 7, 14, tzinfo=UTC)})
    may, august = Days(date(2026, 5, 1), date(2026, 5, 31)), Days(date(2026, 8, 3), date(2026, 8, 9))
    march = buttons.carry(spring.id, Days(date(2026, 3, 1), date(2026, 3, 31)))
    for campaign_id, days, nearest, month in (
        (None, may, buttons.carry(None, Days(date(2026, 3, 1), date(2026, 3, 31))), "March 2026"),
        (None, august, buttons.carry(None, Days(date(2026, 9, 1), date(2026, 9, 30))), "September 2026"),
        (spring.id, august, march, "March 2026"),
    ):
        await actions.refresh(office.services, office.request(message_ts="1.1"), buttons.carry(campaign_id, days))
        assert f"The nearest mail was ordered in {month}." in office.slack.last.text
        assert shown()[0] == nearest
        await actions.refresh(office.services, office.request(message_ts="1.1"), nearest)
        assert "1 piece" in office.slack.last.text


async def test_old_numbers_are_said_to_be_old(office: Office) -> None:
    await office.campaign(D)
    office.note(polled_at=office.clock.now() - timedelta(hours=2))
    office.mail.fail("campaign_pieces", PlatformDown())
    await ask(office, "Spring lapsed")
    stale = str(office.slack.last.shown.blocks)
    await ask(office, "Spring lapsed")
    assert str(office.slack.last.shown.blocks) != stale


async def test_the_curve_comes_in_the_answers_thread(office: Office) -> None:
    a_week_ago = office.clock.now() - timedelta(days=7)
    campaign = await office.campaign(*[D] * 40, *[T] * 40, piece={"dispatched_at": a_week_ago})
    office.clock.pass_time(minutes=10)
    await actions.delivery_curve(office.services, office.request(message_ts="1.1"), write(OneCampaign(campaign.id)))
    assert (office.slack.last.way, office.slack.last.thread) == ("post", "1.1")
    assert any(isinstance(one, Curve) for one in office.drawn)
    await actions.delivery_curve(office.services, office.request(), write(OneCampaign(campaign.id)))
    assert office.slack.last.thread is None


async def test_before_the_first_hand_over_there_is_no_curve(office: Office) -> None:
    campaign = await office.campaign(Status.RECEIVED)
    await actions.delivery_curve(office.services, office.request(message_ts="1.1"), write(OneCampaign(campaign.id)))
    assert office.drawn == []


async def test_before_recipients_are_named_slack_is_asked_who_asks(office: Office) -> None:
    await office.campaign(D)
    known_an_hour: dict[str, Any] = {"user": GUS, "nameless": True, "open_to_guests": True}
    way, _, text = await ask(office, "Jane Smith", **known_an_hour)
    assert way == "answer"
    assert "Main Street" not in text + str(office.slack.last.shown.blocks)
    assert "Spring lapsed" not in text + str(office.slack.last.shown.blocks), "nor campaigns that were not shown"
    assert office.slack.asked_since[-1] == office.clock.now()
    await ask(office, "Jane Smith", nameless=True, open_to_guests=True)
    assert "Main Street" in str(office.slack.last.shown.blocks)


async def test_what_names_nobody_asks_slack_nothing_more(office: Office) -> None:
    await office.campaign(D)
    await office.campaign(D, ref="223", name="Spring sale")
    for text in ("Spring lapsed", "spring", "", "help"):
        office.slack.asked_since.clear()
        await ask(office, text, nameless=True, open_to_guests=True)
        assert [since for since in office.slack.asked_since if since] == []


def test_what_guests_may_ask_names_nobody_and_changes_nothing() -> None:
    assert not any(press.kept for press in TABLE.actions.values())
    assert TABLE.commands["/mailstatus"].for_guests
    assert TABLE.commands["/mailstatus"].nameless


async def test_two_ranges_of_mail_that_is_under_way_are_not_called_different(office: Office) -> None:
    await office.campaign(*[D] * 10, *[T] * 40, piece={"created_at": office.clock.now()})
    await office.campaign(
        *[D] * 50, ref="223", name="Older", piece={"created_at": office.clock.now() - timedelta(days=31)}
    )
    _, _, text = await ask(office, "this month vs last month")
    assert text.startswith(
        "20% of the mail ordered in November 2026 and 100% of the mail ordered in October 2026 delivered"
    )
    assert "too early to compare deliveries" in text
    assert "chance" not in text
    _, _, text = await ask(office, "Spring lapsed this month vs Spring lapsed last month")
    assert "There are no pieces of Spring lapsed, October 2026" in text


async def test_typing_stop_stops_nothing_and_says_so(office: Office) -> None:
    await office.campaign(Status.RECEIVED, name="Holiday postcards")
    _, _, text = await ask(office, "stop Holiday postcards")
    assert text.startswith(
        "Holiday postcards: Nothing was stopped yet: 1 of 1 piece still can be. Press *Cancel…* below"
    )
    assert "approve" not in text
    assert pressable(office.slack.last.shown.blocks)[0][0] == Action.CANCEL_CAMPAIGN, "before all other buttons"
    assert office.slack.last.shown.blocks[1]["text"]["text"].startswith("*Nothing was stopped yet: 1 of 1 piece still")
    await office.campaign(D, ref="223", name="Fall catalog")
    await ask(office, "please cancel Fall catalog")
    assert "none of these pieces can be cancelled anymore" in str(office.slack.last.shown.blocks)


@pytest.mark.parametrize(
    "typed",
    ["stop the Holiday drop, with approval by the second admin", "cancel Holiday postcards if Dana approves it",
     "please stop the holiday postcards, pending sign-off", "stop holiday and ask for a second person's approval"],
)  # fmt: skip
async def test_who_wants_it_approved_reads_whether_somebody_must(office: Office, typed: str) -> None:
    await office.campaign(Status.RECEIVED, name="Holiday postcards")
    _, _, text = await ask(office, typed)
    assert text.startswith("Holiday postcards: Nothing was stopped yet: 1 of 1 piece still can be."), text
    assert "Nobody else has to approve it; an admin can ask for that under *Settings* in my *Home*." in text
    office.rule(approval_above=Decimal(250))
    assert "Above $250.00 someone else must approve it first." in (await ask(office, "stop the Holiday drop"))[2]


async def test_the_words_behind_other_are_named(office: Office) -> None:
    await office.campaign(Status.DELIVERED, Status.RECEIVED, Status.RECEIVED)
    met = "UPDATE pieces SET status = 0, word = ref || ' on hold' WHERE ref <> '1001'"
    office.write(lambda c: c.exec_driver_sql(met))
    campaign = office.piece().campaign_id
    assert office.read(piece_pages.foreign_words, office.workspace.id, campaign) == ["1002 on hold", "1003 on hold"]
    assert office.read(piece_pages.foreign_words, WorkspaceId(99), campaign) == []


async def test_a_word_that_asks_for_all_mail_is_a_campaign_where_one_is_called_so(office: Office) -> None:
    await office.campaign(D, Status.RETURNED)
    await ask(office, "returns")
    assert pie(office).title == "Your mail"
    assert (Action.RETURNS_RANGE.value, buttons.carry(None, Days(current=date(2026, 11, 2)))) in pressable(
        office.slack.last.shown.blocks
    )
    await ask(office, "return rate this year")
    assert pie(office).title == "Your mail · Ordered in 2026"
    await office.campaign(D, ref="223", name="Returns survey")
    await ask(office, "returns")
    assert pie(office).title == "Returns survey"


async def test_a_question_of_what_a_channel_is_told_leads_to_its_alerts(office: Office) -> None:
    await office.campaign(D)
    await ask(office, "why did #sales get nothing?")
    listed = (Action.ALERTS_DO.value, write(AlertsDo("list")))
    assert listed in pressable(office.slack.last.shown.blocks)
    await ask(office, "Zzyzx")
    assert listed not in pressable(office.slack.last.shown.blocks)


@pytest.mark.parametrize(
    "asked",
    ["what's the last day to book for Dec 12?", "by when do we have to mail for Dec 12", "how late can we book for Dec 12",
     "in homes by Dec 12"],
)  # fmt: skip
async def test_the_day_to_book_by_is_asked_in_other_words_too(office: Office, asked: str) -> None:
    way, _, text = await ask(office, asked)
    assert way == "answer"
    assert "mail by" in text.casefold()


@pytest.mark.parametrize(
    "asked", ["who came back and why?", "export the returns", "why did Spring come back?", "export Spring"]
)
async def test_who_asks_what_came_back_or_for_a_file_reads_which_button_has_it(office: Office, asked: str) -> None:
    await office.campaign(D, Status.RETURNED)
    await ask(office, asked)
    assert (
        "*Returns*" in office.slack.last.text if "export S" not in asked else "*View details*" in office.slack.last.text
    )


async def test_who_asks_for_a_status_reads_of_no_other_button(office: Office) -> None:
    await office.campaign(D, Status.RETURNED, name="Returns to sender")
    for asked in ("", "Returns to sender", "where is our mail?"):
        await ask(office, asked)
        assert "press *" not in office.slack.last.text


async def test_a_campaign_that_is_not_found_may_be_unread_yet(office: Office) -> None:
    assert "There are no campaigns yet" in (await ask(office, "Spring"))[2]
    office.note(baseline_at=None)
    said = (await ask(office, "Spring"))[2]
    assert "I'm still reading your account" in said
    assert "no campaigns yet" not in said
    await office.campaign(D, name="Fall")
    assert "known already" in (await ask(office, "Zzyzx"))[2]


@pytest.mark.parametrize(
    "typed",
    ["who can cancel?", "Who may stop mail", "who is allowed to cancel Spring lapsed?", "who approves cancellations"],
)
async def test_who_may_cancel_is_told_as_the_settings_have_it(office: Office, typed: str) -> None:
    await office.campaign(D)
    way, _, text = await ask(office, typed)
    assert way == "answer", "to the asker alone"
    assert text == "Workspace admins can cancel mail. You can, too."
    assert "can cancel mail. You can't" in (await ask(office, typed, user=BEN))[2]
    office.policy(cancellers=frozenset({BEN}))
    assert (await ask(office, typed, user=BEN))[2].startswith(f"<@{BEN}> can cancel mail. You can, too.")
    office.rule(cancellers=frozenset({"admins", GUS}), approval_above=Decimal(250))
    said = (await ask(office, typed))[2]
    assert said.startswith(f"Workspace admins and <@{GUS}> can cancel mail.")
    assert "Above $250.00 a second one of them approves." in said
    office.rule(cancellers=frozenset({"everyone"}), approval_above=Decimal(0))
    said = (await ask(office, typed, user=BEN))[2]
    assert said == "Everyone except guests can cancel mail. You can, too. A second one of them approves every time."
    with pytest.raises(GuestsLook):
        await ask(office, typed, user=GUS, guest=True)
    office.slack.fail("person", PlatformDown())
    assert (await ask(office, typed, user=BEN))[2].startswith("Everyone except guests can cancel mail. A second")


@pytest.mark.parametrize(
    "typed",
    ["what does a guest see?", "What can guests see here?", "can guests see our balance?", "which campaigns do guests see",
     "what's visible to guests?", "what are guests allowed to do?", "do guests get to cancel?"],
)  # fmt: skip
async def test_what_a_guest_sees_is_said_of_this_channel(office: Office, typed: str) -> None:
    await office.campaign(D)
    await office.campaign(D, ref="223", name="Fall catalog")
    way, _, text = await ask(office, typed)
    assert way == "answer"
    assert text.startswith(
        "A guest sees what I've shown in this channel, and nothing else: no campaign was shown here yet."
    )
    await ask(office, "Fall catalog")
    text = (await ask(office, typed))[2]
    assert "nothing else: here that's *Fall catalog*. " in text
    assert "balance" in text
    assert "Spring" not in text
    assert (await ask(office, typed, user=GUS, guest=True))[2].startswith("What you can ask here")


async def test_a_campaign_that_is_called_after_guests_is_meant_by_its_name(office: Office) -> None:
    await office.campaign(D, name="What guests see")
    assert (await ask(office, "What guests see"))[2].startswith("What guests see: ")
    for typed in ("guest list", "how is the guest mailing?"):
        assert "A guest sees" not in (await ask(office, typed))[2]


async def test_who_may_cancel_is_no_campaign_of_that_name(office: Office) -> None:
    await office.campaign(D, name="Who can cancel Netflix")
    assert "Who can cancel Netflix" in (await ask(office, "Who can cancel Netflix"))[2]


@pytest.mark.parametrize(
    "typed",
    [
        "mail by Dec 12",
        "book by December 12",
        "mail it by 2026-12-12",
        "we must send them by Dec 12?",
        "to arrive by Dec 12",
    ],
)
async def test_a_day_to_mail_by_is_answered_as_when_to_book_is(office: Office, typed: str) -> None:
    await office.campaign(D)
    assert await ask(office, typed) == await ask(office, "when to book for Dec 12")
    assert "To be in homes by Dec 12" in office.slack.last.text


async def test_a_range_or_a_name_behind_by_is_no_day_to_book_for(office: Office) -> None:
    await office.campaign(D, name="Mail by numbers")
    way, _, text = await ask(office, "mail by numbers")
    assert (way, text.split(":")[0]) == ("post", "Mail by numbers")


async def test_calendars_stand_under_days_of_ones_own_alone(office: Office) -> None:
    campaign = await office.campaign(D)
    for typed, has in (("", False), ("Spring lapsed", False), ("last month", False), ("Spring lapsed Oct 3-20", True)):
        await ask(office, typed)
        assert ("range_first" in str(office.slack.last.shown.blocks)) == has, typed
    for one, days in (
        (campaign.id, Days()),
        (None, Days(current=date(2026, 11, 2))),
        (None, Days(date(2026, 10, 3), date(2026, 10, 20))),
    ):
        value = write(OtherDates(one, days.first, days.last, days.current))
        await actions.refresh(office.services, office.request(message_ts="1.1"), value)
        blocks = office.slack.last.shown.blocks
        assert str(blocks).count("range_first") == 1
        assert blocks[-1]["block_id"] == buttons.carry(one, days)
    with pytest.raises(Outdated):
        await actions.refresh(office.services, office.request(message_ts="1.1"), "~3|nonsense")
