"""What a channel reads of its alerts: which line stands there, which does not, and what can be pressed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from handlers.alerts import actions, digest_view, offer_view, risks
from handlers.alerts import view as alerts_view
from handlers.alerts.digest_view import Alarm, Morning
from handlers.alerts.risks import Risk
from handlers.alerts.state import State
from handlers.alerts.words import mornings, parse_alerts
from handlers.errors import Outdated
from handlers.forecast.model import Due
from handlers.status.runway import Runway
from handlers.status.view import ESTIMATE, NO_SCAN, CampaignLine
from handlers.text import formatting
from handlers.text.buttons import Action, AlertsDo, AlertsForm, AlertsUndo, Hours, Limit, OneCampaign, OnePiece
from handlers.text.codec import read, write
from handlers.text.messages import Message
from storage import workspaces
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    CampaignStage,
    ChannelId,
    ChannelSettings,
    KnownCampaign,
    Mix,
    Money,
    NotifyOn,
    PieceId,
    StoredCampaign,
    Subscription,
)
from storage.statuses import Status
from tests.handlers.conftest import Office, pressable
from tests.handlers.status.test_answers import lines, piece

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
TODAY = NOW.date()
OPS = ChannelId("C0OPS")
D, B, T, X = Status.DELIVERED, Status.RETURNED, Status.IN_TRANSIT, Status.CANCELLED
SPENT = Money(Decimal(0))


def campaign(number: int = 7, name: str = "Spring") -> StoredCampaign:
    return StoredCampaign(CampaignId(number), KnownCampaign(str(number), name))


def subscription(number: int = 0, *wants: NotifyOn, **facts: Any) -> Subscription:
    return Subscription(OPS, CampaignId(number), frozenset(wants), f"Drop {number}" if number else "", **facts)


def a_morning(**facts: Any) -> Morning:
    known: dict[str, Any] = {"since": {}, "spent": SPENT}
    return Morning(**(known | facts))


def said(message: Message) -> str:
    return "\n".join(lines(message))


# ---- Digests and alarms -----------------------------------------------------------------------------------------


def test_a_morning_says_what_changed_and_nothing_else() -> None:
    told = Morning({"delivered": 3, "returned": 0, "cancelled": -1, "mailed": 1200}, SPENT)
    message = digest_view.morning(told)
    body = lines(message)[0].splitlines()
    assert [line.partition(" ")[2] for line in body[1:]] == ["*3* delivered", "*1,200* handed to USPS"]
    assert ESTIMATE in said(message)
    assert NO_SCAN not in said(message)
    assert "*" not in message.text


def test_a_morning_says_what_is_due_what_was_spent_and_what_is_silent() -> None:
    def of(**facts: Any) -> str:
        return said(digest_view.morning(a_morning(**facts)))

    assert "should arrive" not in of()
    assert "About *1,500* should arrive today" in of(due=1500)
    assert "spent" not in of()
    assert "*$0.84* spent" in of(spent=Money(Decimal("0.84")))
    assert "*1 piece is past its expected day without a final scan*" in of(silent=1)
    assert "*2 pieces are past their expected day without a final scan*" in of(silent=2)
    assert NO_SCAN in of(silent=1)
    assert ESTIMATE not in of(since={"returned": 4})
    assert ":warning: $5.00 covers everything booked." in of(runway=Runway(Money(Decimal(5)), 0))


@pytest.mark.parametrize(
    ("facts", "is_news"),
    [({}, False), ({"due": 4}, False), ({"silent": 1}, True), ({"runway": Runway(SPENT, 0)}, True),
     ({"since": {"mailed": 1}}, True), ({"since": {"mailed": 0}}, False), ({"since": {"delivered": -2}}, False),
     ({"since": {"whatever": 3}}, False)],
)  # fmt: skip
def test_a_morning_without_news_is_none(facts: dict[str, Any], is_news: bool) -> None:
    assert a_morning(**facts).is_news is is_news


def test_a_week_lists_its_campaigns_up_to_ten() -> None:
    shown = [CampaignLine(campaign(n), Mix({D: 1})) for n in range(1, 14)]
    message = digest_view.week(shown, Mix({D: 12, B: 1}), Money(Decimal(9)), TODAY)
    assert "and 3 more, which `/mailstatus` lists" in said(message)
    assert "more" not in said(digest_view.week(shown[:10], Mix({D: 12, B: 1}), Money(Decimal(9)), TODAY))
    assert lines(message)[:2] == ["Weekly report: your mail now", "*92% delivered, 1 came back.*"]
    assert "what this channel follows, and moves now or was ordered in the last 30 days · $9.00 spent on it" in said(
        message
    )
    assert [action for action, _ in pressable(message.blocks)].count(Action.VIEW_DETAILS) == digest_view.LISTED
    assert digest_view.alt(Mix({D: 1})) == "Pie chart of your mail: Delivered 1 (100%)."


def test_alarms_name_the_share_the_usual_and_the_limit() -> None:
    one = Alarm(campaign(name="A & B"), Mix({B: 12, D: 188}), 5, "2%")
    message = digest_view.alarm([one])
    assert lines(message)[0] == (
        ":rotating_light: *A &amp; B*: 12 of 200 mailed came back (6%). Your other mail: 2%. This channel asked to hear "
        "about more than 5%."
    )
    over = Alarm(campaign(), Mix({B: 51, D: 949}), 5, None)
    assert lines(digest_view.alarm([over]))[0].endswith("(5%). That is just over the 5% that this channel asked about.")
    assert "other mail" not in said(digest_view.alarm([replace(one, usual=None)]))
    assert "more campaigns" not in said(digest_view.alarm([one] * 10))
    many = digest_view.alarm([one] * 12)
    assert "and 2 more campaigns: *Returns* in Home lists them" in said(many)
    assert [action for action, _ in pressable(many.blocks)].count(Action.RETURNS) == 10


def test_campaigns_at_risk_name_their_day_and_their_chance() -> None:
    one = Risk(campaign(), date(2026, 12, 12), 0.556, 80, date(2026, 12, 14))
    message = risks.message([one], "Pigeon")
    assert lines(message)[0] == (
        ":hourglass: *Spring is at risk*: the chance that nearly all is in homes by Dec 12, 2026 is 56%; this channel "
        "asked to know below 80%. Nearly all is expected by Dec 14, 2026."
    )
    assert "Ask Pigeon about a drop that does not move." in said(message)
    assert "is below 1%;" in said(risks.message([replace(one, chance=0.009)], "Pigeon"))
    assert "is 1%;" in said(risks.message([replace(one, chance=0.01)], "Pigeon"))
    assert "expected by" not in said(risks.message([replace(one, due=None)], "Pigeon"))
    assert "more campaigns" not in said(risks.message([one] * 10, "Pigeon"))
    assert "and 3 more campaigns" in said(risks.message([one] * 13, "Pigeon"))


# ---- Cards and news ---------------------------------------------------------------------------------------------


def test_a_card_says_when_all_is_done() -> None:
    done, open_ = Mix({D: 3, B: 1, X: 1}), Mix({D: 3, T: 1})
    assert "All done" in said(alerts_view.card(campaign(), done, "$1 spent", NOW))
    assert "All done" not in said(alerts_view.card(campaign(), open_, "$1 spent", NOW))
    assert not alerts_view.is_finished(Mix())
    of_none = alerts_view.card(None, done, "$1 spent", NOW)
    assert lines(of_none)[0].startswith("*Mail sent singly*")
    assert pressable(of_none.blocks) == []
    assert pressable(alerts_view.card(campaign(), done, "$1 spent", NOW).blocks) == [
        (Action.VIEW_DETAILS, write(OneCampaign(CampaignId(7))))
    ]
    assert f"updated {formatting.stamp(NOW)} · $1 spent" in said(of_none)


def test_news_names_its_pieces() -> None:
    pieces = [piece(n, status=B, status_at=NOW) for n in range(12)]
    message = alerts_view.news("A & B", B, pieces, 12, "Pigeon")
    head, *listed = lines(message)[0].splitlines()
    assert head.endswith("*12 pieces of A &amp; B came back*")
    assert len(listed) == alerts_view.LISTED + 1
    assert listed[0] == f"• Jane S., Austin TX 787•• · {formatting.stamp_day(NOW)} · `1000`"
    assert listed[-1] == "and 2 more"
    whole = alerts_view.news("A", B, pieces[:10], 10, "Pigeon")
    assert "more" not in lines(whole)[0].splitlines()[-1]
    moved = alerts_view.news("A", B, [piece(1, status=D, status_at=NOW)], 1, "Pigeon")
    assert formatting.stamp_day(NOW) not in said(moved), "that day is of another status"
    assert "cancelled by Pigeon on its own" in alerts_view.news("A", X, pieces, 12, "Pigeon").text
    assert "delivered (by USPS's estimate)" in alerts_view.news("A", D, pieces, 12, "Pigeon").text


def test_the_one_button_of_news_is_the_next_step() -> None:
    def button(status: Status, number: int, of: int = 7) -> tuple[str, str]:
        some = [piece(n, status=status, campaign_id=CampaignId(of)) for n in range(1, number + 1)]
        ((action, value),) = pressable(alerts_view.news("A", status, some, number, "Pigeon").blocks)
        return action, value

    assert button(B, 1) == (Action.TRACK, write(OnePiece(PieceId(1))))
    assert button(B, 2) == (Action.RETURNS, write(OneCampaign(CampaignId(7))))
    assert button(D, 2) == (Action.VIEW_DETAILS, write(OneCampaign(CampaignId(7))))
    assert button(B, 2, NO_CAMPAIGN) == (Action.TRACK, write(OnePiece(PieceId(1))))


# ---- Settings ---------------------------------------------------------------------------------------------------


def form(current: list[Subscription], chosen: ChannelSettings | None = None, own: str = "UTC") -> dict[str, Any]:
    return alerts_view.settings_form(
        OPS, current, [campaign(7), campaign(8, "Fall")], chosen or ChannelSettings("UTC"), own
    )


def field_of(view: dict[str, Any], name: str) -> Any:
    return next((one["element"] for one in view["blocks"] if one.get("block_id") == name), None)


def test_a_channel_that_is_told_of_nothing_is_offered_the_usual() -> None:
    view = form([], ChannelSettings("Europe/Paris", 17, (22, 7), 2), "America/Chicago")
    assert field_of(view, "campaign")["initial_option"]["text"]["text"] == "All campaigns"
    assert [one["text"]["text"] for one in field_of(view, "campaign")["options"]] == ["All campaigns", "Spring", "Fall"]
    assert field_of(view, "digest")["initial_option"]["text"]["text"] == "At 9:00 AM"
    assert field_of(view, "quiet")["initial_option"]["text"]["text"] == "Off"
    assert field_of(view, "alarm")["initial_option"]["text"]["text"] == "Above 5% of the mailed pieces"
    ticked = [one["text"]["text"] for one in field_of(view, "wants")["initial_options"]]
    assert ticked == [alerts_view.WANTS[NotifyOn.RETURNED], alerts_view.WANTS[NotifyOn.CANCELLED]]
    assert field_of(view, "keep") is None
    assert field_of(view, "zone") is None
    assert "Times are in Chicago time." in str(view)
    assert "<#C0OPS> gets no alerts yet. Once you save, it gets one card for each campaign" in str(view["blocks"][0])
    assert "not told of anything" not in str(view)


def test_what_a_channel_chose_is_what_its_form_shows() -> None:
    view = form([subscription(8)], ChannelSettings("America/New_York", 7, (18, 8), None))
    assert field_of(view, "campaign")["initial_option"]["text"]["text"] == "Fall"
    assert "initial_options" not in field_of(view, "wants")
    assert field_of(view, "digest")["initial_option"]["text"]["text"] == "At 7:00 AM"
    assert field_of(view, "quiet")["initial_option"]["text"]["text"] == "From 6:00 PM to 8:00 AM"
    assert field_of(view, "alarm")["initial_option"]["text"]["text"] == "Off"
    assert "Times are in New York time." in str(view)
    assert "Use my time zone (UTC)" in str(field_of(view, "zone"))
    assert field_of(form([subscription(8)]), "zone") is None
    gone = form([subscription(99)])
    assert field_of(gone, "campaign")["initial_option"]["text"]["text"] == "Drop 99", "not all, which it never chose"


def test_several_that_are_on_stand_there_as_boxes() -> None:
    one = form([subscription(7)])
    assert field_of(one, "keep") is None
    assert read(AlertsForm, one["private_metadata"]) == AlertsForm(OPS, "")
    two = form([subscription(0), subscription(7, NotifyOn.RETURNED)])
    boxes = field_of(two, "keep")
    assert [box["text"]["text"] for box in boxes["options"]] == ["All campaigns", "Drop 7"]
    assert boxes["initial_options"] == boxes["options"]
    assert read(AlertsForm, two["private_metadata"]).shown == ";".join(box["value"] for box in boxes["options"])
    assert "Now: *all campaigns* (only the card); *Drop 7* (" in str(two["blocks"][-1])
    many = form([subscription(n) for n in range(12)])
    assert len(field_of(many, "keep")["options"]) == alerts_view.BOXES
    assert str(many["blocks"][-1]).count("only the card") == 8, "as many as fit into a small line"


@pytest.mark.parametrize(
    ("digest", "quiet", "alarm", "found"),
    [
        (9, (22, 7), 5, ChannelSettings("UTC", 9, (22, 7), 5)),
        (None, (None, None), None, ChannelSettings("UTC", None, None, None)),
        (None, (22, None), None, ChannelSettings("UTC", None, None, None)),
        (11, (None, None), None, None),
        (None, (None, None), 4, None),
        (None, (1, 2), None, None),
    ],
)
def test_only_what_the_form_offers_can_be_chosen(
    digest: int | None, quiet: tuple[int | None, int | None], alarm: int | None, found: ChannelSettings | None
) -> None:
    given = "UTC", Limit(digest), Hours(*quiet), Limit(alarm)
    if found is None:
        with pytest.raises(Outdated):
            alerts_view.chosen_hours(*given)
    else:
        assert alerts_view.chosen_hours(*given) == found


def test_the_list_says_what_is_on_and_what_stands_in_the_way() -> None:
    nothing = alerts_view.nothing_on(OPS, was_on=False)
    assert lines(nothing) == ["<#C0OPS> gets no alerts yet. `/mailalerts on` changes that."]
    settings = ChannelSettings("America/Chicago", 9, (22, 7), 5)
    alone = alerts_view.listing(OPS, [subscription(0, NotifyOn.RETURNED)], settings, [], TODAY)
    assert lines(alone)[0] == "<#C0OPS> gets alerts for all campaigns."
    assert lines(alone)[1] == "• all campaigns: one live card; each return: who, where and when"
    assert lines(alone)[2] == (
        "Also: a digest at 9:00 AM, quiet from 10:00 PM to 7:00 AM, an alarm above 5% returns. Times are in Chicago time."
    )
    assert "Muted" not in said(alone)
    assert "could not be posted" not in said(alone)
    off = alerts_view.listing(OPS, [subscription(7)], ChannelSettings("UTC", None, None, None), [], TODAY)
    assert lines(off)[1] == "• *Drop 7*: one live card"
    assert "Also: no morning digest, no quiet hours, no alarm." in lines(off)[2]
    both = alerts_view.listing(
        OPS, [subscription(0, muted_until=NOW, blocked="<x>"), subscription(7)], settings, [], TODAY
    )
    assert lines(both)[1].splitlines()[0].startswith("• all campaigns but these:")
    assert f":mute: Muted until {formatting.stamp(NOW)}" in said(both)
    assert "could not be posted: &lt;x&gt;" in said(both)


@pytest.mark.parametrize(("number", "more"), [(9, ""), (10, ""), (11, " and 1 more"), (13, " and 3 more")])
def test_of_many_that_are_on_ten_are_named_and_the_rest_is_counted(number: int, more: str) -> None:
    names = alerts_view.names_of([subscription(n) for n in range(1, number + 1)])
    assert names == ", ".join(f"*Drop {n}*" for n in range(1, min(number, 10) + 1)) + more
    off = offer_view.switched_off("U1", [f"Drop {n}" for n in range(1, number + 1)], None)
    assert f"mail alerts for {names}. " in off.text
    back = offer_view.undone("U1", "off", [f"Drop {n}" for n in range(1, number + 1)])
    assert f"on again for {names}, as they were" in back.text


@pytest.mark.parametrize(
    ("typed", "verb", "target", "only"),
    [("only Spring", "", "Spring", True), ("only", "", "only", False), ("ONLY", "", "ONLY", False), ("please only Spring", "", "Spring", True),
     ("only on Spring", "on", "Spring", True), ("only returns", "", "only returns", False), ("Spring only", "", "Spring only", False)],
)  # fmt: skip
def test_only_is_of_the_campaign_that_is_named_behind_it(typed: str, verb: str, target: str, only: bool) -> None:
    asked = parse_alerts(typed, THURSDAY)
    assert (asked.verb, asked.target, asked.only) == (verb, target, only)


def test_switched_on_everyone_reads_what_ended_with_it() -> None:
    on = alerts_view.confirmed("all campaigns", frozenset({NotifyOn.DELIVERED}), "U1")
    assert lines(on)[0] == "<@U1> switched mail alerts on for all campaigns: one live card; each delivery, grouped."
    ended = alerts_view.confirmed("Spring", frozenset(), "U1", ["A&B", "all campaigns"])
    assert lines(ended)[0].endswith("*Spring*: one live card. Off from now on: *A&amp;B*, all campaigns.")


# ---- Offers and undo --------------------------------------------------------------------------------------------


def verbs(message: Message) -> list[tuple[str, CampaignId | None]]:
    found = [read(AlertsDo, value) for action, value in pressable(message.blocks) if action == Action.ALERTS_DO]
    return [(one.verb, one.campaign) for one in found]


def test_which_campaign_is_meant_is_asked_with_all_of_them_last() -> None:
    found = [campaign(n) for n in range(1, 9)]
    on = offer_view.campaigns("on", "x", found)
    assert len(verbs(on)) == offer_view.OFFERED + 1
    assert verbs(on)[0] == ("on", CampaignId(1))
    assert verbs(on)[-1][0] == "on"
    assert lines(on)[0] == "No alerts changed yet: which campaign do you mean by “x”?"
    assert {verb for verb, _ in verbs(offer_view.campaigns("off", "x", found))} == {"off"}
    assert {verb for verb, _ in verbs(offer_view.campaigns("mute", "x", found))} == {"on"}
    assert [verb for verb, _ in verbs(offer_view.campaigns("unmute", "x", found[:1]))] == ["on", "unmute"]
    nobody = offer_view.campaigns("off", "x", [])
    assert lines(nobody)[0] == "No campaign called “x”."
    assert [verb for verb, _ in verbs(nobody)] == ["off", "list"]


def test_what_may_be_meant_is_offered_alone_where_it_is_known() -> None:
    assert [verb for verb, _ in verbs(offer_view.anything("x"))] == ["on", "unmute", "list", "off"]
    assert [verb for verb, _ in verbs(offer_view.anything("x", "unmute"))] == ["unmute"]
    assert len(verbs(offer_view.anything("x", "mute"))) == 4
    assert [verb for verb, _ in verbs(offer_view.covered("Spring", CampaignId(7)))] == ["card", "off"]
    three = offer_view.mutes(NOW + timedelta(days=1), NOW + timedelta(days=7))
    ends = [read(AlertsDo, value) for _, value in pressable(three.blocks)]
    mornings = [AlertsDo("mute", until=int((NOW + timedelta(days=days)).timestamp())) for days in (1, 7)]
    assert ends == [AlertsDo("mute_for", until=3600), *mornings], "an hour is one whenever that is pressed"
    said_ = [block["accessory"]["text"]["text"] for block in offer_view.anything("x").blocks if "accessory" in block]
    assert said_ == ["Turn on", "Unmute", "Show", "Turn off"]


def test_what_can_be_taken_back_has_a_button_for_it() -> None:
    undo = AlertsUndo("off", 1, "7:r")
    off = offer_view.switched_off("U1", ["A", "all campaigns"], undo, " Left.")
    assert lines(off)[0] == (
        "<@U1> turned off mail alerts for *A*, all campaigns. Left. `/mailalerts on` brings them back as they were."
    )
    assert pressable(off.blocks) == [(Action.ALERTS_UNDO, write(undo))]
    assert pressable(offer_view.switched_off("U1", ["A"], None).blocks) == []
    too_long = AlertsUndo("off", 1, ";".join(f"{n}:rdc" for n in range(900)))
    assert pressable(offer_view.switched_off("U1", ["A"], too_long).blocks) == []
    assert "unmuted mail alerts" in said(offer_view.muted("U1", None, None))
    assert f"muted mail alerts here until {formatting.stamp(NOW)}." in said(offer_view.muted("U1", NOW, None))
    for verb, words in (
        ("off", "alerts on again."),
        ("mute", "took the mute back"),
        ("unmute", "muted mail alerts again"),
    ):
        assert words in said(offer_view.undone("U1", verb))
    named = said(offer_view.undone("U1", "off", ["A&B", "all campaigns"], NOW))
    assert "on again for *A&amp;B*, all campaigns, as they were. This channel is muted until" in named
    assert "and 2 more, as" in said(offer_view.undone("U1", "off", [f"Drop {n}" for n in range(12)]))


def test_what_was_on_is_packed_and_unpacked() -> None:
    current = [subscription(0, NotifyOn.RETURNED, NotifyOn.CANCELLED), subscription(7)]
    packed = offer_view.packed(current)
    assert offer_view.unpacked(packed) == [(one.campaign_id, one.notify_on) for one in current]
    assert offer_view.unpacked("") == []
    for wrong in ("x:r", "7:z", "٣:r", ":", "7:r;"):
        with pytest.raises(Outdated):
            offer_view.unpacked(wrong)


# ---- What was typed and pressed ---------------------------------------------------------------------------------

#: A Thursday, half past two.
THURSDAY = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "until"),
    [
        ("12am", at(27, 0)), ("12pm", at(27, 12)), ("3pm", at(26, 15)), ("3 am", at(27, 3)), ("2:30pm", at(27, 14, 30)),
        ("2:31pm", at(26, 14, 31)), ("23:59", at(26, 23, 59)), ("24", None), ("0:00", at(27, 0)), ("5:60", None),
        ("13pm", at(27, 13)), ("friday", at(27, 9)), ("thursday", datetime(2026, 12, 3, 9, tzinfo=UTC)),
        ("sunday", at(29, 9)), ("next friday", at(27, 9)), ("nov 27", at(27, 9)), ("11/27", at(27, 9)),
        ("nov 26", datetime(2027, 2, 24, 14, 30, tzinfo=UTC)), ("feb 30", None), ("abc 3", None),
        ("further notice", datetime(2027, 2, 24, 14, 30, tzinfo=UTC)), ("this week", at(30, 9)),
    ],
)  # fmt: skip
def test_until_when_it_is_muted(typed: str, until: datetime | None) -> None:
    assert parse_alerts(f"mute until {typed}", THURSDAY).until == until


@pytest.mark.parametrize(
    ("typed", "span"),
    [
        ("1m", timedelta(minutes=1)), ("an hour", timedelta(hours=1)), ("half an hour", timedelta(minutes=30)),
        ("a couple of days", timedelta(days=2)), ("for the next 3 weeks", timedelta(weeks=3)), ("91 days", timedelta(days=90)),
    ],
)  # fmt: skip
def test_for_how_long_it_is_muted(typed: str, span: timedelta) -> None:
    assert parse_alerts(f"mute {typed}", THURSDAY).until == THURSDAY + span


@pytest.mark.parametrize(
    ("typed", "verb", "target", "sure"),
    [
        ("turn Spring off", "off", "Spring", True), ("turn off Spring sale", "off", "Spring sale", True),
        ("switch on Spring", "on", "Spring", True), ("go off", "off", "", True), ("go on Spring", "", "go on Spring", False),
        ("un-mute", "unmute", "", True), ("Spring on", "on", "Spring", True), ("please on Spring", "on", "Spring", True),
        ("please", "", "", False), ("ofg", "", "ofg", False), ("stpo Spring", "off", "Spring", False),
        ("stop Spring please", "off", "Spring", True), ("on “Spring”", "on", "Spring", True),
    ],
)  # fmt: skip
def test_which_words_are_the_verb_and_which_the_campaign(typed: str, verb: str, target: str, sure: bool) -> None:
    asked = parse_alerts(typed, THURSDAY)
    assert (asked.verb, asked.sure) == (verb, sure)
    if verb:
        assert asked.target == target


def test_the_next_mornings() -> None:
    assert mornings(THURSDAY) == (at(27, 9), at(30, 9))
    assert mornings(at(30, 8)) == (datetime(2026, 12, 1, 9, tzinfo=UTC), datetime(2026, 12, 7, 9, tzinfo=UTC))


def test_a_new_day_lets_what_was_told_of_it_be_told_again() -> None:
    kept = State(deadlines={"7": ["2026-12-01", 80], "8": ["2026-12-02", 60]}, at_risk=[7, 8], risk_hour="x")
    moved = kept.with_deadline(CampaignId(7), date(2026, 12, 5), 70, first=False)
    assert moved.deadlines == {"8": ["2026-12-02", 60], "7": ["2026-12-05", 70]}
    assert (moved.at_risk, moved.risk_hour, moved.unseen) == ([8], "", False)
    ended = kept.with_deadline(CampaignId(8), None, 80, first=True)
    assert (list(ended.deadlines), ended.at_risk, ended.unseen) == (["7"], [7], True)
    assert replace(kept, unseen=True).with_deadline(CampaignId(8), None, 80, first=False).unseen
    assert State.read(moved.written()) == moved
    assert State.read("") == State()


class Foretold:
    """A forecast of one campaign."""

    def __init__(self, chance: float, *, late: bool = False, left: int = 9, recent: bool = True) -> None:
        self.is_late, self._chance, day = late, chance, date(2026, 12, 20)
        self.open, self.is_recent = left, recent
        self.dates = (Due(day, day, day),) * 3

    def chance(self, _day: date) -> float:
        return self._chance


class Mail:
    """An account's mail of which only this is known; what is not under way yet is planned."""

    def __init__(self, under_way: dict[int, Foretold], planned: Foretold) -> None:
        self.today, self._under_way, self._planned = TODAY, under_way, planned

    def of(self, campaign_id: CampaignId) -> Foretold | None:
        return self._under_way.get(campaign_id)

    def planned(self, _campaign: StoredCampaign) -> Foretold:
        return self._planned


def test_at_risk_is_whose_chance_is_below_what_was_chosen_and_was_not_told_yet() -> None:
    known = {CampaignId(n): campaign(n) for n in range(1, 8)}
    days: dict[str, list[str | int]] = {
        "9": ["2026-12-01", 99],  # gone
        "1": ["2026-12-09", 80],  # below
        "2": ["2026-12-08", 79],  # exactly at it
        "3": ["2026-12-07", 80],  # told before
        "4": ["2026-11-01", 80],  # over
        "5": ["2026-11-02", 80],  # today
        "6": ["2026-12-06", 80],  # still to be mailed
        "7": ["2026-12-05", 80],  # so late that no day is promised
    }
    under_way = {n: Foretold(0.79) for n in (1, 2, 3, 4, 5)} | {7: Foretold(0.1, late=True)}
    found = risks.found(days, [3], known, {}, cast("Any", Mail(under_way, Foretold(0.5))))
    assert [int(one.campaign.id) for one in found] == [5, 7, 6, 1], "the nearest day first"
    assert [one.chance for one in found] == [0.79, 0.1, 0.5, 0.79]
    assert [one.due for one in found] == [date(2026, 12, 20), None, date(2026, 12, 20), date(2026, 12, 20)]
    assert [one.below for one in found] == [80] * 4


def test_what_was_cancelled_or_is_long_over_is_not_at_risk() -> None:
    def one(number: int, stage: CampaignStage, handed: datetime | None = None) -> StoredCampaign:
        return StoredCampaign(CampaignId(number), KnownCampaign(str(number), "Spring", stage), handed, handed)

    long_ago, lately = NOW - timedelta(days=420), NOW - timedelta(days=5)
    known = [
        one(1, CampaignStage.CANCELLED), one(2, CampaignStage.CANCELLED, lately), one(3, CampaignStage.RUNNING, lately),
        one(4, CampaignStage.COMPLETE, long_ago), one(5, CampaignStage.UNKNOWN, long_ago),
        one(6, CampaignStage.RUNNING, lately), one(7, CampaignStage.COMPLETE, lately), one(8, CampaignStage.BOOKED),
        one(9, CampaignStage.COMPLETE), one(10, CampaignStage.COMPLETE), one(11, CampaignStage.COMPLETE),
        one(12, CampaignStage.COMPLETE), one(13, CampaignStage.COMPLETE, long_ago),
    ]  # fmt: skip
    # All of 3 has ended, and of 6 only stragglers are left; 7 is complete for the platform, but still on its way. So are 10
    # and 12, of which no hand-over was scanned; of 11 only a straggler is left.
    mixes = {
        10: Mix({Status.DELIVERED: 38, Status.IN_TRANSIT: 1, Status.PRODUCING: 2}), 11: Mix({Status.DELIVERED: 19, T: 1}),
        12: Mix({T: 60}), 13: Mix({T: 60}),
    }  # fmt: skip
    under_way = {2: Foretold(0), 3: Foretold(0, left=0), 6: Foretold(0, recent=False), 7: Foretold(0.3)}
    days: dict[str, list[str | int]] = {str(one.id): ["2026-12-09", 80] for one in known}
    mail = cast("Any", Mail(under_way, Foretold(0.5)))
    found = risks.found(days, [], {one.id: one for one in known}, cast("Any", mixes), mail)
    assert [int(one.campaign.id) for one in found] == [7, 8, 10, 12]


async def test_what_was_offered_is_done_and_the_offer_says_so(office: Office) -> None:
    known = await office.campaign(T)

    async def press(choice: AlertsDo, **facts: Any) -> list[str]:
        before = len(office.slack.said)
        await actions.carry_out(office.services, office.request(**facts), write(choice))
        return [one.way for one in office.slack.said[before:]]

    def on() -> dict[CampaignId, frozenset[NotifyOn]]:
        found = office.read(workspaces.subscriptions_of, office.workspace.id, OPS)
        return {one.campaign_id: one.notify_on for one in found}

    assert await press(AlertsDo("list")) == ["answer"]
    assert await press(AlertsDo("on", known.id)) == ["post", "replace"]
    assert office.slack.last.text == "Done."
    assert on() == {known.id: frozenset(alerts_view.DEFAULT_WANTS)}
    await press(AlertsDo("card", known.id))
    assert on() == {known.id: frozenset()}
    until = int((office.clock.now() + timedelta(hours=1)).timestamp())
    await press(AlertsDo("mute", until=until))
    (one,) = office.read(workspaces.subscriptions_of, office.workspace.id, OPS)
    assert one.muted_until == datetime.fromtimestamp(until, UTC)
    await press(AlertsDo("unmute"))
    (one,) = office.read(workspaces.subscriptions_of, office.workspace.id, OPS)
    assert one.muted_until is None
    assert await press(AlertsDo("off", known.id), response_url="") == ["post"]
    assert on() == {}
    for wrong in (AlertsDo("mute"), AlertsDo("whatever"), AlertsDo("on", CampaignId(99))):
        with pytest.raises(Outdated):
            await press(wrong)
