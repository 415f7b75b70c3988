"""What is said of a forecast: plain, and no more than is known."""

from datetime import date, timedelta

from handlers.forecast import model, words
from handlers.forecast.model import Due, Progress
from storage.records import CampaignId, Transit
from storage.statuses import Status
from tests.handlers.forecast.test_model import LETTER, MONDAY, a_campaign, history, told_of

DAY = date(2026, 11, 14)
SURE, UNSURE = Due(DAY, DAY, DAY + timedelta(days=1)), Due(DAY, DAY - timedelta(days=2), DAY + timedelta(days=2))
THERE = Due(None, DAY, DAY)


def a_progress(
    due: tuple[Due, Due, Due] = (SURE, SURE, SURE), *, own: int = 7, others: int = 0, open_: int = 200,
    since: date | None = None, share: float = 0.6, usual: float = 0.6, late: bool = False, landed: int = 300,
) -> Progress:  # fmt: skip
    return Progress(5, share, usual, due, 500, landed, open_, late, LETTER, own, others, since, True)


def test_dates_name_their_spread_where_it_is_wide() -> None:
    said = words.dates(a_progress((SURE, SURE, UNSURE)), DAY)
    assert said == "half by Nov 14, most by Nov 14, nearly all by Nov 14 (give or take 2 days)"


def test_what_is_there_is_not_promised() -> None:
    assert words.dates(a_progress((THERE, SURE, SURE)), DAY).startswith("most by")
    assert words.dates(a_progress((THERE, THERE, THERE)), DAY) == "nearly all has arrived; a few stragglers may follow"
    assert words.dates(a_progress(open_=0), DAY) == "nothing more is on its way"


def test_why_names_campaigns_and_changes() -> None:
    assert words.why(a_progress(since=DAY)) == (
        "from your last 7 letter A4 campaigns, slower since November and its own scans"
    )
    assert words.why(a_progress(own=1, landed=0)) == "from your only letter A4 campaign"
    assert "your 3 campaigns of other formats" in words.why(a_progress(own=0, others=3))
    assert words.why(a_progress(own=0, landed=0)) == "from USPS's standards"


def test_a_small_difference_from_the_usual_is_none() -> None:
    assert words.stands(a_progress(share=0.61)) == "That's usual for day 5."
    assert words.stands(a_progress(share=0.7)) == "On day 5 you're usually at 60%. You're ahead."
    assert words.stands(a_progress(share=0.5)) == "On day 5 you're usually at 60%. You're behind."
    assert words.stands(a_progress(late=True)) == ""


def test_the_window_of_usps_is_named_where_nothing_else_is_known() -> None:
    window = DAY, DAY + timedelta(days=3)
    unknown = a_progress(own=0, landed=0)
    assert words.expected(unknown, window, DAY, "Stannp") == "Nov 14–17, by USPS's 4–7 days for Marketing Mail"
    # A campaign's own scans say more than a standard.
    assert "Half by" in words.expected(a_progress(own=0, landed=100), window, DAY, "Stannp")


def test_what_moved_since_yesterday_is_told() -> None:
    key, handed_on, tuesday = CampaignId(99), MONDAY - timedelta(days=4), MONDAY + timedelta(days=1)
    rows = [Transit(key, LETTER, handed_on, Status.DELIVERED, 2, 30), Transit(key, LETTER, handed_on, None, 0, 970)]
    # Nothing came since: that is news.
    assert "later than yesterday" in words.moved(told_of(rows, history(8), tuesday))
    plain = told_of(a_campaign(99, MONDAY - timedelta(days=7)), history(8))
    before, now = plain.yesterday, plain.dates[2].day
    assert before
    assert bool(words.moved(plain)) is (before.dates[2].day != now)


def test_lines_of_the_curve_carry_what_is_usual_and_from_today_on_what_is_expected() -> None:
    told = told_of(a_campaign(99, MONDAY - timedelta(days=5)), history(6))
    lines = words.points(told)
    split = (told.today - told.first).days
    assert all("expected" not in line for line in lines[:split])
    assert all("expected" in line for line in lines[split:])
    assert all("usually" in line for line in lines)
    bare = told_of([Transit(CampaignId(1), LETTER, MONDAY, None, 0, 100)], [])
    assert all("by USPS's window" in line for line in words.points(bare))
    assert max(point.usual[1] for point in model.points(bare)) == 1.0


def test_where_most_may_never_come_no_straggler_is_spoken_of() -> None:
    key, handed_on = CampaignId(99), MONDAY - timedelta(days=4)
    for ahead in (2, 3, 4, 5, 8):
        today = MONDAY + timedelta(days=ahead)
        for number in (30, 200):
            rows = [Transit(key, LETTER, handed_on, Status.DELIVERED, 2, number)]
            rows += [Transit(key, LETTER, handed_on, None, 0, 1000 - number)]
            said = words.expected(model.progress(told_of(rows, history(8), today)), (today, today), today, "Stannp")
            assert "stragglers" not in said
            assert "Half by" in said or "Unusually late" in said
