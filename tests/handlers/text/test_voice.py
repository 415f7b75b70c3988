"""What people read: one figure for one thing wherever it is said, dates of one style, and none of the phrases we dropped."""

import re
from datetime import date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handlers.alerts import digest_view
from handlers.alerts import view as alerts_view
from handlers.cancel import view as cancel_view
from handlers.home import view as home_view
from handlers.pieces import view as pieces_view
from handlers.status import view as status_view
from handlers.text import formatting
from handlers.text import mixes as words
from handlers.text.messages import Message
from storage.queries.piece_pages import PieceFilter
from storage.records import Mix, Money, StoredCampaign
from storage.statuses import Status
from tests.strategies import GENTLE, NOW, campaigns, mixes, standings

TODAY = date(2026, 11, 2)
#: Archaic or jargon, a per cent with its space, a day before its month, and shares of nothing.
FORBIDDEN = re.compile(
    r"is told of|stands in|is not spent|gives? back|but for|\bround\b(?! trip)|any more|so many|in vain"
    r"|\d %|\b\d{1,2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|0% of 0|\d{4}-\d\d-\d\d",
)
SHARE = re.compile(r"([<>] )?\d+%")


def texts(shown: Any) -> list[str]:
    """Every text in it that we wrote or a person reads; names of what is carried are not texts."""
    if isinstance(shown, Message):
        return [shown.text, *texts(list(shown.blocks)), *([shown.picture.alt] if shown.picture else [])]
    if isinstance(shown, dict):
        found = [shown["text"]] if isinstance(shown.get("text"), str) else []
        found += [shown["alt_text"]] if "alt_text" in shown else []
        return found + [one for value in shown.values() if not isinstance(value, str) for one in texts(value)]
    return [one for value in shown for one in texts(value)] if isinstance(shown, (list, tuple)) else []


def plain_campaign(campaign: StoredCampaign) -> bool:
    """Whether its own name holds nothing that we would not say."""
    return not FORBIDDEN.search(campaign.facts.name) and not SHARE.search(campaign.facts.name)


def views(campaign: StoredCampaign, standing: status_view.Standing) -> list[Any]:
    mix = standing.mix
    line = status_view.CampaignLine(campaign, mix)
    report = home_view.Report(standing, [line], 1, "now", left_out=2)
    return [
        status_view.campaign_answer(campaign, standing, b"png"),
        status_view.account_answer([line], 1, standing, b"png", 2),
        home_view.home(report),
        alerts_view.card(campaign, mix, "Spent $1.00", NOW),
        digest_view.week([line], mix, Money(mix.spent, "USD"), TODAY),
        pieces_view.details(pieces_view.Listing(campaign, mix, PieceFilter(), [])),
        cancel_view.begun("Spring", 3, 2),
    ]


@GENTLE
@given(campaigns.filter(plain_campaign), standings)
def test_no_view_says_what_we_no_longer_say(campaign: StoredCampaign, standing: status_view.Standing) -> None:
    for text in texts(views(campaign, standing)):
        # Slack shows a moment in each reader's own form.
        said = re.sub(r"<!date[^>]*>", "", text)
        assert not FORBIDDEN.search(said), said


@GENTLE
@given(campaigns.filter(plain_campaign), standings)
def test_every_share_that_is_said_is_one_of_the_pictures(
    campaign: StoredCampaign, standing: status_view.Standing
) -> None:
    rows = words.rows_of(standing.mix)
    known = {row.share for row in rows}
    for shown in views(campaign, standing)[:5]:
        for text in texts(shown):
            said = text.replace("&lt;", "<").replace("&gt;", ">").replace(status_view.NO_SCAN, "")
            assert {one[0] for one in SHARE.finditer(said)} <= known, said


@given(mixes)
def test_the_shares_of_a_mix_add_up_and_leave_no_status_out(mix: Mix) -> None:
    rows = words.rows_of(mix)
    whole, few = sum(row.whole for row in rows), sum(not row.whole for row in rows)
    assert whole <= 100 <= whole + few or not rows, "what is so few that it is below one adds what is missing"
    assert sum(row.number for row in rows) == mix.total
    assert all(row.number for row in rows)
    assert words.counts_text(mix).count("(") == len(rows)


@given(mixes)
def test_the_strip_has_one_length_and_shows_each_status(mix: Mix) -> None:
    rows, strip = words.rows_of(mix), words.strip(mix)
    assert all(row.style.square in strip for row in rows)
    assert strip.count(":") == (2 * words.STRIP if rows else 0)


def test_the_headline_is_what_a_colleague_would_say() -> None:
    said = {
        "91% delivered, 14 came back": Mix({Status.DELIVERED: 218, Status.IN_TRANSIT: 7, Status.RETURNED: 14}),
        "All 240 delivered": Mix({Status.DELIVERED: 240}),
        "2% delivered, 97% in transit, 1 came back": Mix(
            {Status.DELIVERED: 2, Status.IN_TRANSIT: 97, Status.RETURNED: 1}
        ),
        "All 60 waiting to be printed": Mix({Status.RECEIVED: 60}),
        "1 piece, came back": Mix({Status.RETURNED: 1}),
        "No pieces": Mix(),
    }
    assert {words.headline(mix): mix for mix in said.values()} == said


@given(st.integers(0, 10**8))
def test_a_short_number_is_short_and_near(number: int) -> None:
    text = formatting.compact(number)
    assert len(text) <= 6
    size = {"M": 10**6, "k": 1000}.get(text[-1], 1)
    assert abs(float(text.rstrip("Mk").replace(",", "")) * size - number) <= size
