"""Returns by state: which state comes first, what is said of it, and where the picture went."""

from collections import Counter

import pytest

from handlers.returns import view as returns_view
from handlers.returns.view import TELLING, UNKNOWN
from storage.queries.returns import Place
from storage.records import CampaignId, ChannelId, KnownCampaign, Mix, StoredCampaign
from storage.statuses import Status

CAMPAIGN = StoredCampaign(CampaignId(1), KnownCampaign("222", "A & B"))
MIX = Mix({Status.DELIVERED: 196, Status.RETURNED: 4, Status.RECEIVED: 900})


def test_states_are_counted_over_their_zip_areas_the_most_first_and_then_by_name() -> None:
    places = Counter({Place("TX", "787"): 2, Place("TX", "750"): 2, Place("CA", "900"): 3, Place("AL", "350"): 3})
    assert returns_view.by_state(places + Counter({Place("", ""): 1})) == [
        ("TX", 4), ("AL", 3), ("CA", 3), (UNKNOWN, 1),
    ]  # fmt: skip


def test_the_highest_rate_comes_first_and_a_handful_of_pieces_last() -> None:
    places = Counter({Place(state, ""): back for state, back in (("TX", 4), ("CA", 4), ("NY", 8), ("AK", 1))})
    mailed = {"TX": 40, "CA": 80, "NY": 80, "AK": TELLING - 1, "OH": TELLING, "ME": 3}
    assert returns_view.rates_by_state(places, mailed) == [
        ("NY", 8, 80), ("TX", 4, 40), ("CA", 4, 80), ("OH", 0, TELLING), ("AK", 1, TELLING - 1), ("ME", 0, 3),
    ]  # fmt: skip


def test_what_came_back_was_mailed_whatever_was_counted_when() -> None:
    places = Counter({Place("TX", ""): 4, Place("NV", ""): 2, Place("", ""): 1})
    rows = returns_view.rates_by_state(places, {"TX": 3, "": 5, "OH": 0})
    assert rows == [("TX", 4, 4), ("NV", 2, 2), (UNKNOWN, 1, 5)]


@pytest.mark.parametrize(
    ("mix", "rows", "said"),
    [
        (MIX, [("TX", 3, 100), ("CA", 2, 100)], "4 of 200 came back (2%), most often from TX"),
        (MIX, [("TX", 3, TELLING), ("CA", 2, TELLING)], "4 of 200 came back (2%), most often from TX"),
        (MIX, [("TX", 3, TELLING), ("CA", 2, TELLING - 1)], "4 of 200 came back (2%)"),
        (MIX, [("TX", 4, 100), ("CA", 0, 100)], "4 of 200 came back (2%)"),
        (MIX, [("TX", 4, 200)], "4 of 200 came back (2%)"),
        (Mix({Status.DELIVERED: 3}), [("TX", 0, 3)], "Nothing came back"),
    ],
)
def test_where_most_came_back_is_said_where_several_states_tell_something(
    mix: Mix, rows: list[tuple[str, int, int]], said: str
) -> None:
    assert returns_view.map_headline(mix, rows) == said


def test_in_words_the_states_with_returns_are_counted_and_no_others() -> None:
    answer = returns_view.map_answer(CAMPAIGN, MIX, [("TX", 3, 100), ("CA", 2, 50), ("OH", 0, 50)])
    assert answer.text == (
        "Returns of A &amp; B by state. 4 of 200 came back (2%), most often from TX. TX 3 of 100 (3%); CA 2 of 50 (4%)"
    )
    assert len(answer.blocks) == 3
    assert "OH" not in str(answer.blocks)
    assert len(returns_view.map_answer(CAMPAIGN, Mix(), []).blocks) == 2


@pytest.mark.parametrize(
    ("channel", "thread", "for_all", "said"),
    [
        ("", "1.1", True, "in a direct message."),
        ("C0OPS", "1.1", True, "are posted in <#C0OPS>, in the thread of the answer."),
        ("C0OPS", "", True, "are posted in <#C0OPS>."),
        ("C0OPS", "1.1", False, "in <#C0OPS>: I couldn't post them there."),
    ],
)
def test_where_the_picture_went_is_said(channel: str, thread: str, for_all: bool, said: str) -> None:
    assert returns_view.map_shown(ChannelId(channel), thread, for_all=for_all).endswith(said)


def test_never_more_are_handled_than_came_back() -> None:
    assert returns_view.handled_text(5, 3) == " *3 of 3* handled."
