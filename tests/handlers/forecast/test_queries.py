"""What is brought together of an account's mail before anything is foretold."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from handlers.forecast import days as calendar
from handlers.forecast import model, queries
from handlers.forecast.past import Past
from handlers.forecast.queries import ENOUGH_MAILED, Account
from storage.records import CampaignId, CampaignStage, KnownCampaign, Mix, StoredCampaign, Transit
from storage.statuses import Status
from tests.handlers.forecast.test_model import CARD, LETTER, MONDAY, a_campaign, history

MINE = CampaignId(99)


def stored(send_on: date | None = None, recipients: int | None = None) -> StoredCampaign:
    facts = KnownCampaign("99", "Spring", CampaignStage.BOOKED, send_on=send_on, recipients=recipients)
    return StoredCampaign(MINE, facts)


def test_the_format_mailed_last_comes_first() -> None:
    account = Account([*history(3), *a_campaign(50, MONDAY - timedelta(days=3), form=CARD)], MONDAY)
    assert account.forms() == [CARD, LETTER]
    later = a_campaign(51, MONDAY - timedelta(days=2))
    assert Account([*account.known, *later], MONDAY).forms() == [LETTER, CARD]
    assert Account([], MONDAY).forms() == []


def test_a_campaign_has_the_format_of_most_of_its_pieces() -> None:
    rows = [Transit(MINE, CARD, MONDAY, None, 0, 30), Transit(MINE, LETTER, MONDAY, None, 0, 20)]
    rows.append(Transit(MINE, LETTER, MONDAY, Status.DELIVERED, 3, 20))
    account = Account(rows, MONDAY)
    assert account.form_of(MINE) == LETTER
    assert account.form_of(CampaignId(1)) == ""
    assert queries.form_of([]) == ""


def test_nothing_is_foretold_before_the_first_hand_over() -> None:
    assert Account(history(3), MONDAY).of(MINE) is None


@pytest.mark.parametrize(("age", "itself"), [(59, False), (60, True)])
def test_only_what_is_long_over_is_among_its_own_past(age: int, itself: bool) -> None:
    mine = a_campaign(99, MONDAY - timedelta(days=age))
    account = Account([*history(4), *mine], MONDAY)
    told, again = account.of(MINE), account.of(MINE)
    assert told
    assert again
    assert (MINE in told.outlook.past.tops) is itself
    # What is usual of a format is learned once for all that is over.
    assert (told.outlook is again.outlook) is itself
    assert told.seed == 99


def test_the_newest_hand_over_says_whether_it_is_recent() -> None:
    mine = [*a_campaign(99, MONDAY - timedelta(days=80)), *a_campaign(99, MONDAY - timedelta(days=5))]
    told = Account([*history(4), *mine], MONDAY).of(MINE)
    assert told
    assert MINE not in told.outlook.past.tops


@pytest.mark.parametrize(("days", "day"), [(None, 0), (-3, 0), (4, 4)])
def test_a_booked_campaign_is_foretold_from_its_mailing_date_or_today(days: int | None, day: int) -> None:
    account = Account(history(4), MONDAY)
    told = account.planned(stored(send_on=None if days is None else MONDAY + timedelta(days=days), recipients=700))
    assert (told.first, told.today, told.mailed, told.seed) == (*[MONDAY + timedelta(days=day)] * 2, 700, 99)
    assert told.outlook.form == LETTER
    assert account.planned(stored()).mailed == ENOUGH_MAILED
    assert Account([], MONDAY).planned(stored()).outlook.form == ""


@pytest.mark.parametrize(("returned", "delivered", "share"), [(5, 45, "10%"), (5, 44, None), (0, 50, "0%")])
def test_a_share_of_returns_is_usual_from_fifty_pieces_on(returned: int, delivered: int, share: str | None) -> None:
    mix = Mix({Status.RETURNED: returned, Status.DELIVERED: delivered, Status.RECEIVED: 900})
    assert queries.share_returned(mix) == share


def test_of_a_weekday_that_never_comes_the_nearest_known_day_stands() -> None:
    far = calendar.LAST + timedelta(days=500)
    assert calendar.later(calendar.LAST - timedelta(days=1), 9) == calendar.LAST
    assert calendar.delivery_days(calendar.LAST, far) == 0
    assert calendar.delivery_days(calendar.FIRST - timedelta(days=9), calendar.FIRST) == 0
    assert calendar.later(MONDAY, 0) == calendar.later(MONDAY, -3) == MONDAY


def test_of_a_whole_campaign_the_curve_ends_the_day_after_its_last_piece() -> None:
    on = MONDAY - timedelta(days=12)
    rows = [Transit(MINE, LETTER, on, Status.DELIVERED, 4, 90), Transit(MINE, LETTER, on, Status.RETURNED, 9, 10)]
    told = Account([*history(4), *rows], MONDAY).of(MINE)
    assert told
    assert [one.day for one in model.points(told)] == [on + timedelta(days=n) for n in range(11)]
    # Another drop, of which nothing is open either, ends on the day of its hand-over.
    more = [*rows, Transit(MINE, LETTER, on + timedelta(days=11), Status.DELIVERED, 0, 5)]
    told = Account([*history(4), *more], MONDAY).of(MINE)
    assert told
    assert model.points(told)[-1].day == on + timedelta(days=12)


def test_a_day_that_is_over_was_kept_or_missed() -> None:
    on = MONDAY - timedelta(days=12)
    rows = [Transit(MINE, LETTER, on, Status.DELIVERED, 4, 95), Transit(MINE, LETTER, on, None, 0, 5)]
    told = Account([*history(4), *rows], MONDAY).of(MINE)
    assert told
    assert told.chance(MONDAY - timedelta(days=1)) == pytest.approx(1.0, abs=0.1)
    assert told.chance(MONDAY - timedelta(days=1), 2.0) == 0.0


def test_usps_window_runs_from_the_first_hand_over_to_the_last() -> None:
    campaign = stored()
    assert model.landing(campaign) is None
    begun = StoredCampaign(
        MINE, campaign.facts, handed_over_first=_noon(0), handed_over_last=_noon(3)
    )  # fmt: skip
    assert model.landing(begun) == (MONDAY + timedelta(days=4), MONDAY + timedelta(days=10))
    assert model.landing(StoredCampaign(MINE, campaign.facts, handed_over_first=_noon(0))) is None


def test_a_piece_is_due_by_the_window_until_the_account_has_a_past() -> None:
    bare = model.outlook(Past(), LETTER)
    assert model.piece_landing(MONDAY, bare) == (MONDAY + timedelta(days=4), MONDAY + timedelta(days=7))
    own = model.outlook(Account(history(6), MONDAY).past, LETTER)
    assert model.piece_landing(MONDAY, own) == (
        calendar.later(MONDAY, own.quantile(0.2)), calendar.later(MONDAY, own.quantile(0.8)),
    )  # fmt: skip


def _noon(days: int) -> datetime:
    return datetime.combine(MONDAY + timedelta(days=days), time(12), UTC)
