"""Which sentence an answer of `/mailstatus` begins with, what it leaves unsaid, and what can be pressed on it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.forecast import model, past
from handlers.forecast.model import Due, Progress, Stand
from handlers.status import choice_view, compare_view, stop_view
from handlers.status import view as status_view
from handlers.status.chance import Difference
from handlers.status.compare_view import Side
from handlers.status.view import LISTED, CampaignLine, Standing
from handlers.text import formatting
from handlers.text.buttons import Action
from handlers.text.messages import Message
from handlers.text.parsing import ALL_TIME, now, this_month
from storage.queries.mail import Days
from storage.records import (
    CampaignId,
    CampaignStage,
    KnownCampaign,
    Mix,
    Money,
    PieceId,
    StoredCampaign,
    StoredPiece,
    Transit,
    Workspace,
    WorkspaceId,
)
from storage.statuses import Status
from tests.builders import JANE
from tests.handlers.conftest import pressable

TODAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
R, H, T, D, B, X = (
    Status.RECEIVED, Status.HANDED_OVER, Status.IN_TRANSIT, Status.DELIVERED, Status.RETURNED, Status.CANCELLED,
)  # fmt: skip
DUE = Due(TODAY, TODAY, TODAY)
AHEAD, WITHIN = Stand(5, 0.8, 0.71, 0.66, 0.75), Stand(5, 0.71, 0.71, 0.66, 0.75)
ABOUT = Progress(6, (DUE, DUE, DUE), 10, 8, 2, False, "letter A4", 5, 0, None, False, 5, (AHEAD, AHEAD), AHEAD)


def not_stopped(campaign: StoredCampaign, mix: Mix, typed: str = "stop it", *, offered: bool) -> list[str]:
    workspace = Workspace(WorkspaceId(1), "T1", "Acme")
    return stop_view.not_stopped(campaign, mix, typed, workspace, offered=offered)


def a_standing(mix: Mix | None = None, **facts: Any) -> Standing:
    known: dict[str, Any] = {
        "mix": mix or Mix(), "span": ALL_TIME, "today": TODAY, "currency": "USD", "balance": None, "as_of": NOW,
        "platform": "Pigeon",
    }  # fmt: skip
    return Standing(**(known | facts))


def stored(number: int = 7, **facts: Any) -> StoredCampaign:
    """A campaign; what is a fact of its way is one of the row, the rest of what was told of it."""
    way = {
        name: facts.pop(name) for name in ("handed_over_first", "handed_over_last", "delivered_first") if name in facts
    }
    told = KnownCampaign(str(220 + number), f"Spring & {number}", **({"stage": CampaignStage.BOOKED} | facts))
    return StoredCampaign(CampaignId(number), told, **way)


def lines(message: Message) -> list[str]:
    """What is read, block by block."""
    said = []
    for block in message.blocks:
        if "text" in block:
            said.append(block["text"]["text"])
        said += [one["text"] for one in block.get("elements", []) if one.get("type") == "mrkdwn"]
    return said


def said(message: Message, part: str) -> bool:
    return any(part in line for line in lines(message))


@pytest.mark.parametrize(
    ("mix", "caveats"),
    [
        (Mix({D: 1}), [status_view.ESTIMATE]),
        (Mix({D: 1, B: 1}), [status_view.ESTIMATE]),
        (Mix({D: 1, T: 1}), [status_view.ESTIMATE, status_view.NO_SCAN]),
        (Mix({H: 1}), [status_view.WAITING]),
        (Mix({H: 1, T: 1}), [status_view.WAITING]),
        (Mix({B: 1}), []),
        (Mix({R: 1, X: 1}), []),
        (Mix(), []),
    ],
)
def test_only_what_these_numbers_need_is_said_beside_them(mix: Mix, caveats: list[str]) -> None:
    found = status_view.caveats(mix)
    for one in (status_view.ESTIMATE, status_view.NO_SCAN, status_view.WAITING):
        assert (one in found) == (one in caveats), found


@pytest.mark.parametrize(
    ("mix", "facts", "span", "first"),
    [
        (Mix({D: 8, T: 2}), {}, ALL_TIME, "*80% delivered.*"),
        (Mix(), {}, ALL_TIME, "*No pieces yet. They show up once the campaign is booked.*"),
        (Mix(), {}, this_month(TODAY), "*Nothing of it was ordered in these days.*"),
        (Mix(), {"send_on": TODAY}, ALL_TIME, "*Mails Nov 2.*"),
        (Mix(), {"send_on": TODAY - timedelta(days=1)}, ALL_TIME,
         "*No pieces yet. They show up once the campaign is booked.*"),
        (Mix(), {"send_on": TODAY}, this_month(TODAY), "*Nothing of it was ordered in these days.*"),
    ],
)  # fmt: skip
def test_a_campaigns_first_line_says_how_it_stands(mix: Mix, facts: dict[str, Any], span: Any, first: str) -> None:
    message = status_view.campaign_answer(stored(**facts), a_standing(mix, span=span), None)
    assert lines(message)[:2] == ["Spring & 7", first]
    numbers = [line for line in lines(message) if "pieces:" in line]
    assert bool(numbers) == bool(mix.total), "of nothing there are no numbers"
    assert message.picture is None
    assert message.text.startswith("Spring &amp; 7: ")


def test_its_pace_is_said_of_all_of_it_and_never_of_a_range() -> None:
    mix = Mix({D: 8, T: 2})
    whole = status_view.campaign_answer(stored(), a_standing(mix), None, ABOUT)
    assert lines(whole)[1] == "*80% delivered, ahead of usual.*"
    part = status_view.campaign_answer(stored(), a_standing(mix, span=this_month(TODAY)), None, ABOUT)
    assert lines(part)[1] == "*80% delivered.*"
    usual = status_view.campaign_answer(stored(), a_standing(mix), None, replace(ABOUT, lately=(WITHIN, WITHIN)))
    assert lines(usual)[1] == "*80% delivered.*"


HANDED: dict[str, Any] = {"handed_over_first": NOW, "handed_over_last": NOW}


@pytest.mark.parametrize(
    ("mix", "progress", "facts", "first"),
    [
        (Mix({D: 8, T: 2}), ABOUT, HANDED, "*Nearly all by Nov 2.*\n80% delivered, ahead of usual."),
        (Mix({D: 8, T: 2}), replace(ABOUT, late=True), HANDED, "*80% delivered, unusually late.*"),
        (Mix({D: 8, B: 2}), replace(ABOUT, open=0), HANDED, "*80% delivered, 2 came back.*"),
        (Mix({H: 8}), replace(ABOUT, own=0, landed=0), HANDED,
         "*Expected Nov 6–9.*\nAll 8 waiting for a scan, ahead of usual."),
        (Mix({H: 8}), None, HANDED, "*Expected Nov 6–9.*\nAll 8 waiting for a scan."),
        (Mix({R: 8}), None, {"send_on": TODAY}, "*Mails Nov 2.*\nAll 8 waiting to be printed."),
        (Mix({R: 8}), None, {"send_on": TODAY - timedelta(days=1)}, "*All 8 waiting to be printed.*"),
        (Mix({X: 8}), None, {"send_on": TODAY}, "*All 8 cancelled.*"),
        (Mix(), None, {"send_on": TODAY}, "*Mails Nov 2.*"),
    ],
)  # fmt: skip
def test_who_asks_when_reads_the_days_first(
    mix: Mix, progress: Progress | None, facts: dict[str, Any], first: str
) -> None:
    answer = status_view.campaign_answer(stored(**facts), a_standing(mix), None, progress, when=True)
    assert lines(answer)[1] == first
    if "Expected" in first:
        assert said(answer, "*Expected* Nov 6–9, by USPS's 4–7 days for Marketing Mail"), "and whose days these are"


@pytest.mark.parametrize(
    ("mix", "progress", "facts", "first"),
    [
        (Mix({D: 8, T: 2}), ABOUT, HANDED, "*Ahead of usual: 80% by day {}, usually {}.*\n80% delivered."),
        (Mix({H: 8}), None, HANDED, "*Too early to tell.*\nAll 8 waiting for a scan."),
        (Mix({X: 8}), None, {"send_on": TODAY}, "*All 8 cancelled.*"),
        (Mix(), None, {"send_on": TODAY}, "*Mails Nov 2.*"),
    ],
)  # fmt: skip
def test_who_asks_whether_it_is_ahead_or_late_reads_that_first(
    mix: Mix, progress: Progress | None, facts: dict[str, Any], first: str
) -> None:
    answer = status_view.campaign_answer(stored(**facts), a_standing(mix), None, progress, pace=True)
    assert lines(answer)[1] == first.format(AHEAD.day, f"{round(100 * AHEAD.low)}–{round(100 * AHEAD.high)}%")


def test_who_asks_when_and_whether_it_is_ahead_reads_both() -> None:
    answer = status_view.campaign_answer(
        stored(**HANDED), a_standing(Mix({D: 8, T: 2})), None, ABOUT, when=True, pace=True
    )
    first, second = lines(answer)[1].splitlines()
    assert first == "*Nearly all by Nov 2.*", "one short sentence, also on a phone"
    assert second.startswith("Ahead of usual: ")
    assert second.endswith("80% delivered.")
    whole = replace(
        ABOUT,
        due=(
            replace(DUE, day=TODAY),
            replace(DUE, day=TODAY + timedelta(days=2)),
            replace(DUE, day=TODAY + timedelta(days=5)),
        ),
    )
    long = status_view.campaign_answer(stored(**HANDED), a_standing(Mix({D: 3, T: 7})), None, whole, when=True)
    assert lines(long)[1].startswith("*Nearly all by Nov 7.*\n"), "the other days stand below"
    assert said(long, "*Expected* Half by Nov 2, most by Nov 4, nearly all by Nov 7")


def test_how_fresh_the_numbers_are_and_who_does_not_answer() -> None:
    def fresh(**facts: Any) -> str:
        block = status_view.freshness(a_standing(**facts), " · note")
        return str(block["elements"][0]["text"])

    stamp = formatting.stamp(NOW)
    assert fresh() == f"{ALL_TIME.said} · updated {stamp} · note"
    assert f":warning: Pigeon isn't answering; last updated {stamp}" in fresh(stale=True)
    assert "still reading your account for the first time" in fresh(as_of=None, stale=True)


@pytest.mark.parametrize(
    ("recipients", "total", "span", "is_said"),
    [(10, 4, ALL_TIME, True), (4, 4, ALL_TIME, False), (10, 0, ALL_TIME, False), (None, 4, ALL_TIME, False),
     (10, 4, this_month(TODAY), False)],
)  # fmt: skip
def test_what_is_not_listed_yet_is_named(recipients: int | None, total: int, span: Any, is_said: bool) -> None:
    standing = a_standing(Mix({R: total} if total else {}), span=span)
    message = status_view.campaign_answer(stored(recipients=recipients), standing, None)
    assert said(message, "4 of 10 recipients are listed so far") is is_said


def test_money_is_what_was_spent_and_what_is_left() -> None:
    assert status_view.money_line(a_standing(Mix({D: 1}, spent=Decimal("0.84")))) == "*Spent* $0.84"
    with_balance = a_standing(balance=Money(Decimal(12)))
    assert status_view.money_line(with_balance) == "*Spent* $0.00 · *Balance* $12.00"


def test_when_it_lands_is_said_from_its_hand_over_on() -> None:
    def landing(mix: Mix, progress: Progress | None = None, **facts: Any) -> str:
        message = status_view.campaign_answer(stored(**facts), a_standing(mix), None, progress)
        return next(line for line in lines(message) if line.startswith("*Spent*")).partition("\n")[2]

    mix = Mix({D: 8, T: 2, R: 5})
    handed: dict[str, Any] = {"handed_over_first": NOW, "handed_over_last": NOW}
    assert landing(mix) == ""
    assert landing(mix, send_on=TODAY) == "*Mailing date* Nov 2"
    assert landing(Mix({X: 5, R: 1}), send_on=TODAY) == "*Mailing date* Nov 2"
    assert landing(Mix({X: 5}), send_on=TODAY) == ""
    assert landing(Mix(), send_on=TODAY, stage=CampaignStage.CANCELLED) == ""
    assert landing(Mix(), **handed) == ""
    actual = "*Actual* 8 of 10 mailed are delivered."
    window = "*Expected* Nov 6–9, by USPS's 4–7 days for Marketing Mail"
    assert landing(mix, **handed) == f"{window}\n{actual}"
    arrived = f" First arrived {formatting.stamp_day(NOW)}."
    assert landing(mix, delivered_first=NOW, **handed) == f"{window}\n{actual}{arrived}"
    assert landing(Mix({T: 10}), delivered_first=NOW, **handed).endswith("0 of 10 mailed are delivered.")
    known = landing(mix, ABOUT, **handed)
    assert known.startswith("*Expected* Nearly all by Nov 2, from your last 5 letter A4")
    assert known.endswith(f"{actual} On day 5 you're usually at 66–75%. You're ahead.")
    unknown = replace(ABOUT, own=0, finished=0, landed=9)
    assert landing(mix, unknown, **handed) == f"{window}\n{actual}"
    late = landing(mix, replace(ABOUT, late=True), **handed)
    assert "Ask Pigeon about this drop." in late


@pytest.mark.parametrize(
    ("mix", "facts", "offered"),
    [
        (Mix({T: 2}), {}, []),
        (Mix({T: 2}), {"handed_over_first": NOW}, [Action.DELIVERY_CURVE]),
        (Mix({T: 2, B: 1}), {}, [Action.RETURNS]),
        (Mix({R: 1, T: 2}), {}, [Action.CANCEL_CAMPAIGN]),
        (Mix({T: 2}), {"stage": CampaignStage.DRAFT}, [Action.CANCEL_CAMPAIGN]),
    ],
)
def test_a_button_stands_where_it_does_something(mix: Mix, facts: dict[str, Any], offered: list[Action]) -> None:
    message = status_view.campaign_answer(stored(**facts), a_standing(mix), None)
    row = [action for action, _ in pressable(message.blocks)]
    some = (Action.DELIVERY_CURVE, Action.RETURNS, Action.CANCEL_CAMPAIGN)
    assert [one for one in some if one in row] == offered
    assert {Action.VIEW_DETAILS, Action.REFRESH} <= set(row)
    is_offered = Action.CANCEL_CAMPAIGN in offered
    assert status_view.may_offer_cancel(stored(**facts), mix) is is_offered
    stop = not_stopped(stored(**facts), mix, offered=is_offered)
    assert ("Press *Cancel…*" in " ".join(stop)) is is_offered
    stopping = status_view.campaign_answer(stored(**facts), a_standing(mix), None, stop=stop)
    assert (pressable(stopping.blocks)[0][0] == Action.CANCEL_CAMPAIGN) is is_offered, "who wants that finds it first"


def test_who_types_that_a_cancelled_campaign_is_to_stop_hears_that_it_is_cancelled() -> None:
    def typed(mix: Mix) -> str:
        return " ".join(not_stopped(stored(), mix, offered=False))

    assert typed(Mix({X: 3})) == "Nothing is left to stop: all of it is cancelled already."
    assert (
        typed(Mix({X: 2, T: 3}))
        == "Nothing more can be stopped: 2 are cancelled already, and it's too late for the rest."
    )
    assert "1 is cancelled already" in typed(Mix({X: 1, T: 3}))
    assert typed(Mix({T: 3})) == "Nothing was stopped: none of these pieces can be cancelled anymore."


def test_a_cancelled_campaign_mails_on_no_day() -> None:
    def heading(**facts: Any) -> str:
        return lines(status_view.campaign_answer(stored(send_on=TODAY, **facts), a_standing(), None))[1]

    assert heading() == "*Mails Nov 2.*"
    assert heading(stage=CampaignStage.CANCELLED) == "*This campaign is cancelled.*"


@pytest.mark.parametrize(
    ("facts", "left_out", "said_"),
    [
        ({"as_of": None}, 3, "I'm reading your account for the first time. Numbers appear in a few minutes."),
        ({}, 0, "There's no mail in your account yet."),
        ({"span": now(TODAY)}, 2, "Nothing is moving, and nothing was ordered in the last 30 days."),
        ({}, 2, "Nothing was ordered in these days. Try another range."),
    ],
)
def test_an_empty_answer_says_why(facts: dict[str, Any], left_out: int, said_: str) -> None:
    message = status_view.account_answer([], 0, a_standing(**facts), None, left_out)
    assert lines(message)[1].startswith(f"*{said_}")
    assert not said(message, "pieces:")


@pytest.mark.parametrize(
    ("span", "left_out", "tail"),
    [(now(TODAY), 1, " · 1 older campaign is done and not shown"), (now(TODAY), 2, " · 2 older campaigns are done and not"),
     (ALL_TIME, 1, " · 1 other campaign is outside this range"), (ALL_TIME, 3, " · 3 other campaigns are outside"),
     (ALL_TIME, 0, "")],
)  # fmt: skip
def test_what_a_range_leaves_out_is_named(span: Any, left_out: int, tail: str) -> None:
    standing = a_standing(Mix({D: 1}), span=span)
    assert status_view.left_out_text(standing, left_out).startswith(tail)
    assert bool(status_view.left_out_text(standing, left_out)) == bool(tail)
    assert status_view.left_out_text(replace(standing, mix=Mix()), left_out) == ""


def test_the_account_lists_its_campaigns_and_says_how_many_more() -> None:
    def answer(number: int) -> Message:
        shown = [CampaignLine(stored(n), Mix({D: 1})) for n in range(1, min(number, LISTED + 3) + 1)]
        return status_view.account_answer(shown, number, a_standing(Mix({D: 5})), None)

    assert not said(answer(0), "View details")
    assert [block["type"] for block in answer(0).blocks].count("divider") == 0
    assert [block["type"] for block in answer(1).blocks].count("divider") == 1
    assert not said(answer(LISTED), "more: open my *Home*")
    assert said(answer(LISTED + 1), "1 more: open my *Home*")
    full = [action for action, _ in pressable(answer(LISTED + 3).blocks)].count(Action.VIEW_DETAILS)
    assert full == LISTED


@pytest.mark.parametrize(
    ("mix", "send_on", "line"),
    [
        (Mix({R: 3}), TODAY, "3 pieces · mails Nov 2"),
        (Mix({R: 3}), TODAY - timedelta(days=1), "3 pieces · all 3 waiting to be printed"),
        (Mix({R: 3, D: 1}), TODAY, "4 pieces · 25% delivered, 75% waiting to be printed"),
        (Mix(), TODAY, "mails Nov 2"),
        (Mix(), None, "no pieces"),
    ],
)
def test_a_campaign_in_the_list(mix: Mix, send_on: date | None, line: str) -> None:
    stopped = CampaignLine(stored(send_on=send_on, stage=CampaignStage.CANCELLED), mix)
    said_ = status_view.campaign_line(stopped, TODAY)["text"]["text"]
    assert said_.endswith("\ncancelled") == (not mix.total), "its pieces say more than its stage"
    block = status_view.campaign_line(CampaignLine(stored(send_on=send_on), mix), TODAY)
    assert block["text"]["text"] == f"*Spring &amp; 7*\n{line}"


def test_a_picture_comes_with_its_words() -> None:
    message = status_view.campaign_answer(stored(), a_standing(Mix({D: 1})), b"png")
    assert message.picture is not None
    assert message.picture.alt == "Pie chart of Spring & 7. 1 piece, delivered. 1 piece: Delivered 1 (100%)"
    assert message.picture.title == "Spring & 7"
    whole = status_view.account_answer([], 0, a_standing(Mix({D: 1})), b"png").picture
    assert whole is not None
    assert whole.alt.startswith("Pie chart of your mail. 1 piece")


def test_without_a_forecast_the_curve_says_that_nothing_was_handed_over() -> None:
    message = status_view.curve_answer(stored(handed_over_first=NOW, handed_over_last=NOW), None, Mix(), None, "Pigeon")
    assert lines(message)[:2] == ["Delivery of Spring & 7", "*Nothing has been handed to USPS yet.*"]
    assert len(message.blocks) == 3
    assert message.text == "Delivery of Spring &amp; 7. Nothing has been handed to USPS yet."


def test_the_curve_is_a_picture_and_where_there_is_none_its_points_are_told() -> None:
    day = TODAY - timedelta(days=7)
    drop = Transit(CampaignId(7), "letter A4", day, D, 5, 30), Transit(CampaignId(7), "letter A4", day, None, 0, 10)
    told = model.forecast(drop, model.outlook(past.Past(), "letter A4"), TODAY, 7)
    assert told is not None
    campaign, mix = stored(handed_over_first=NOW - timedelta(days=7), handed_over_last=NOW), Mix({D: 30, T: 10})
    drawn = status_view.curve_answer(campaign, told, mix, b"png", "Pigeon")
    plain = status_view.curve_answer(campaign, told, mix, None, "Pigeon")
    assert lines(drawn)[1] == "*30 of 40 mailed pieces are delivered.*", "of its pace there is nothing to say"
    old = TODAY - timedelta(days=40)
    lost = model.forecast([Transit(CampaignId(7), "letter A4", old, None, 0, 40)], told.outlook, TODAY, 7)
    assert lost is not None
    assert status_view.curve_headline(lost) == "0 of 40 mailed pieces are delivered, unusually late"
    assert lines(drawn)[2].startswith("*Expected* ")
    assert lines(plain)[:-1] == lines(drawn), "what is not drawn is told below"
    assert lines(plain)[-1].count("\n") > 5
    assert drawn.picture is not None
    assert lines(plain)[-1].partition("\n")[0].replace("*", "") in drawn.picture.alt
    assert plain.picture is None


# ---- Who may be meant -------------------------------------------------------------------------------------------


def piece(number: int, **facts: Any) -> StoredPiece:
    known: dict[str, Any] = {
        "id": PieceId(number), "ref": f"100{number}", "campaign_id": CampaignId(7), "campaign_name": "Spring", "recipient": JANE,
        "status": D, "word": "", "kind": "letter", "format": "A4", "created_at": NOW, "dispatched_at": None, "status_at": None, "cost": None,
    }  # fmt: skip
    names = set(StoredPiece.__dataclass_fields__)
    return StoredPiece(**{name: value for name, value in (known | facts).items() if name in names})


def test_a_few_campaigns_are_buttons_and_many_a_list() -> None:
    few = choice_view.pick_campaign("x", [stored(n) for n in range(choice_view.BUTTONS)], ALL_TIME)
    assert lines(few)[0] == "Which campaign do you mean by “x”?"
    assert [action for action, _ in pressable(few.blocks)] == [Action.PICK_CAMPAIGN] * choice_view.BUTTONS
    many = choice_view.pick_campaign("x", [stored(n) for n in range(choice_view.BUTTONS + 1)], ALL_TIME, sure=False)
    assert lines(many)[0] == "No campaign called “x”. Did you mean:"
    assert "static_select" in str(many.blocks)
    assert not said(many, "latest are listed")
    full = choice_view.pick_campaign("x", [stored(n) for n in range(choice_view.LISTED + 5)], ALL_TIME)
    assert said(full, "The 100 latest are listed.")
    assert len(full.blocks[1]["elements"][0]["options"]) == choice_view.LISTED


def test_a_campaign_to_choose_is_told_by_its_day_and_number() -> None:
    def which(**facts: Any) -> str:
        return lines(choice_view.pick_campaign("x", [stored(**facts)], ALL_TIME))[1]

    assert which(send_on=TODAY, created_at=NOW - timedelta(days=5)) == "*Spring &amp; 7*\nNov 2, 2026 · #227"
    assert which(created_at=NOW - timedelta(days=5)) == "*Spring &amp; 7*\nOct 28, 2026 · #227"
    assert which() == "*Spring &amp; 7*\n#227"
    ranged = choice_view.pick_campaign("x", [stored()], this_month(TODAY))
    assert lines(ranged)[-1] == "Ordered November 2026"
    assert not said(choice_view.pick_campaign("x", [stored()], ALL_TIME), "Ordered")


def test_for_a_name_that_nobody_knows_pieces_the_nearest_or_the_latest_are_offered() -> None:
    one = choice_view.no_campaign("x", [stored()], [stored()], [piece(1)], ALL_TIME)
    assert lines(one)[0] == "“x” is a piece of mail:"
    two = choice_view.no_campaign("x", [], [], [piece(1), piece(2)], ALL_TIME)
    assert lines(two)[0] == "No campaign called “x”, but these pieces match:"
    assert lines(two)[1] == "Jane Smith, 1234 Main Street, Austin · `1001`"
    near = choice_view.no_campaign("x", [stored(1)], [stored(2)], [], ALL_TIME)
    assert lines(near)[0] == "No campaign called “x”. Did you mean:"
    latest = choice_view.no_campaign("x", [], [stored(2)], [], ALL_TIME)
    assert lines(latest)[0] == "No campaign called “x”. These are your latest:"
    nobody = choice_view.no_campaign("x", [], [], [], ALL_TIME)
    assert lines(nobody)[0] == "No campaign called “x”. There are no campaigns yet."
    assert len(nobody.blocks) == 2
    alerts = choice_view.no_campaign("why did #sales get nothing", [], [stored(2)], [], ALL_TIME)
    assert lines(alerts)[0].startswith(
        "That sounds like a question about alerts. In the channel that you ask about, `/mail"
    )
    assert lines(alerts)[1].endswith("These are your latest:")
    assert alerts.blocks[2]["elements"][0]["type"] == "static_select"


def test_who_has_no_name_is_told_by_company_or_number() -> None:
    company = replace(JANE, name="", company="Acme", address="", city="")
    assert lines(choice_view.no_campaign("x", [], [], [piece(1, recipient=company)], ALL_TIME))[1] == "Acme · `1001`"
    nobody = replace(company, company="")
    assert lines(choice_view.no_campaign("x", [], [], [piece(1, recipient=nobody)], ALL_TIME))[1] == "1001 · `1001`"


def test_a_remark_stands_beside_how_fresh_it_is() -> None:
    message = status_view.account_answer([], 0, a_standing(Mix({D: 1, T: 1})), None)
    noted = choice_view.noted(message, "I read that as November.")
    first = next(block for block in noted.blocks if block["type"] == "context")
    assert next(one["text"] for one in first["elements"]) == "I read that as November."
    assert len(noted.blocks) == len(message.blocks)
    assert str(noted.blocks).count("I read that as") == 1
    assert noted.text == f"I read that as November. {message.text}"
    assert choice_view.noted(message, "") is message


# ---- Side by side -----------------------------------------------------------------------------------------------


def test_ages_are_counted_from_the_first_and_the_last_hand_over() -> None:
    assert Side("A", Mix({D: 5})).ages(TODAY) is None
    assert Side("A", Mix(), date(2026, 10, 26)).ages(TODAY) == (6, 6)
    assert Side("A", Mix(), date(2026, 10, 26), date(2026, 10, 29)).ages(TODAY) == (6, 3)


@pytest.mark.parametrize(
    ("one", "other", "first"),
    [
        (Mix({R: 5}), Mix({D: 5}), "Nothing of A has been handed to USPS yet, so there is nothing to compare."),
        (Mix({D: 5}), Mix({R: 5}), "Nothing of B has been handed to USPS yet, so there is nothing to compare."),
        (Mix({D: 90, B: 10}), Mix({D: 50, B: 50}), "90% of A delivered, 50% of B: that is more than chance explains."),
        (Mix({D: 50, B: 50}), Mix({D: 90, B: 10}), "50% of A delivered, 90% of B: that is more than chance explains."),
        (Mix({D: 90, B: 10}), Mix({D: 89, B: 11}), "90% of A delivered, 89% of B: that may be chance."),
    ],
)
def test_two_that_are_complete_are_compared(one: Mix, other: Mix, first: str) -> None:
    assert compare_view.differences(Side("A", one), Side("B", other), TODAY)[0] == first


def test_where_nobody_came_back_on_either_side_there_is_no_verdict_of_it() -> None:
    found = compare_view.differences(Side("A", Mix({D: 100})), Side("B", Mix({D: 100})), TODAY)
    assert found[1] == "None of either came back."
    under_way = compare_view.differences(Side("A", Mix({D: 60, T: 40})), Side("B", Mix({D: 100})), TODAY)
    assert under_way[1] == "None of either came back so far."


def test_small_ones_differ_by_luck_and_the_smaller_is_named() -> None:
    few, many = Mix({D: compare_view.FEW - 1}), Mix({D: compare_view.FEW})
    assert len(compare_view.differences(Side("A", many), Side("B", many), TODAY)) == 2
    said_ = compare_view.differences(Side("A", many), Side("B", few), TODAY)
    assert said_[2].startswith("B has only 49 pieces mailed")
    assert compare_view.differences(Side("A", few), Side("B", few), TODAY)[2].startswith("A has only")


def test_what_is_too_early_says_which_of_them_and_why() -> None:
    older, newer = date(2026, 10, 20), date(2026, 10, 28)
    mine, theirs = Side("A", Mix({D: 60, T: 40}), older), Side("B", Mix({D: 10, T: 90}), newer)
    assert compare_view.differences(mine, theirs, TODAY)[0] == (
        "60% of A and 10% of B delivered, but A has been under way 7 delivery days longer than B: compare deliveries "
        "when both are complete."
    )
    assert "A has been under way 7 delivery days longer" in compare_view.differences(theirs, mine, TODAY)[0]
    trickled = Side("B", Mix({D: 10, T: 90}), older, TODAY)
    begun_first = compare_view.differences(Side("A", Mix({D: 10, T: 90}), newer, newer), trickled, TODAY)[0]
    assert "B has been under way 7 delivery days longer than A" in begun_first, "the first hand-over says so"
    bare = compare_view.differences(Side("A", mine.mix), Side("B", theirs.mix, spoken="the other"), TODAY)[0]
    assert bare.endswith("90% of the other is still on its way: too early to compare deliveries.")


def test_the_counts_of_both_stand_below() -> None:
    message = compare_view.answer(Side("A<", Mix({D: 3, R: 2})), Side("B", Mix({D: 1})), TODAY, None)
    assert lines(message)[0] == "A< vs B"
    assert said(message, "A&lt;: 5 pieces, 3 mailed vs B: 1 piece, 1 mailed")
    assert said(message, "• Delivered: 3 (60%) vs 1 (100%)") or said(message, "• Delivered: ")
    assert message.picture is None
    nothing = compare_view.answer(Side("A", Mix()), Side("B", Mix()), TODAY, b"png")
    assert said(nothing, "Neither side has any pieces")
    assert nothing.picture is not None
    assert nothing.picture.title == "A vs B"


def test_what_cannot_be_offered_is_to_be_typed() -> None:
    assert lines(compare_view.choices([], "Both are the same."))[0].startswith("Both are the same. Type two campaigns")
    assert Days() == ALL_TIME.days


@pytest.mark.parametrize(
    ("low", "high", "is_real"), [(0.0, 0.2, False), (0.01, 0.2, True), (-0.2, 0.0, False), (-0.2, -0.01, True)]
)
def test_a_difference_that_may_be_none_is_none(low: float, high: float, is_real: bool) -> None:
    assert Difference(low, high).is_real is is_real


def test_a_command_that_is_offered_is_whole_whatever_the_campaign_is_called() -> None:
    answer = status_view.campaign_answer(stored(), a_standing(Mix({D: 8, B: 2})), None)
    shown = status_view.where_shown(answer, "what came back last month", this_month(TODAY), "Tick `n <Tock>")
    assert "`/mailtrack Tick 'n &lt;Tock&gt; came back " in shown
    assert shown.count("`") == 2
