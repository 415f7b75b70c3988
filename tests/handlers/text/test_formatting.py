"""Numbers as people read them, and what Slack is given of texts and pieces of a form."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.text import formatting, messages
from handlers.text.buttons import NOTHING
from handlers.text.messages import Message, Picture
from storage.records import Money


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=9))
def test_shares_add_up_to_a_hundred_and_none_is_off_by_one(counts: list[int]) -> None:
    wholes, total = formatting.wholes(counts), sum(counts)
    assert sum(wholes) == (100 if total else 0)
    for whole, number in zip(wholes, counts, strict=True):
        assert not total or abs(whole - number * 100 / total) < 1


def test_the_largest_remainders_round_up_and_of_the_same_the_first() -> None:
    assert formatting.wholes([1, 1, 1]) == [34, 33, 33]
    assert formatting.wholes([2, 1]) == [67, 33]
    assert formatting.wholes([1, 5]) == [17, 83]
    assert formatting.wholes([]) == []


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.lists(st.integers(0, 10**6), max_size=7))
def test_what_is_read_beside_others_is_rounded_as_it_would_be_alone(one: int, other: int, rest: list[int]) -> None:
    counts, total = [one, other, *rest], one + other + sum(rest)
    found = formatting.wholes(counts, (0, 1))
    few = sum(0 < 200 * number < total for number in rest)
    assert sum(found) <= 100 <= sum(found) + few or not total
    for whole, number in zip(found, counts, strict=True):
        assert not total or abs(whole - number * 100 / total) < 1
    # Two halves that alone make the hundred cannot both go up: the smaller does.
    if total and not (number_is_half := [200 * n % (2 * total) == total for n in (one, other)]).count(True) > 1:
        assert found[:2] == [(200 * number + total) // (2 * total) for number in (one, other)], number_is_half


def test_three_of_180_are_not_one_per_cent_where_nine_of_570_are_two() -> None:
    assert formatting.wholes([83, 93, 1, 3], (3,))[3] == formatting.wholes([9, 561], (0,))[0] == 2
    assert formatting.share(3, 180) == formatting.share(9, 570) == "2%"
    assert formatting.wholes([12, 2623, 4], (2,)) == [0, 100, 0], "of a few below one the others make the hundred"
    assert (formatting.share(1, 40), formatting.share(39, 40)) == ("3%", "97%")


@pytest.mark.parametrize(("part", "whole"), [(0, 0), (0.125, 13), (57 / 200, 29), (0.4949, 49), (1, 100)])
def test_a_share_of_one_is_rounded_by_the_same_rule(part: float, whole: int) -> None:
    assert formatting.whole(part) == whole


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([5, 3], ["63%", "37%"]),
        ([1, 999_999], ["< 1%", "> 99%"]),
        ([0, 7], ["0%", "100%"]),
        ([0, 0], ["0%", "0%"]),
        ([1, 99], ["1%", "99%"]),
    ],
)
def test_few_among_very_many_are_not_none_and_nearly_all_are_not_all(counts: list[int], said: list[str]) -> None:
    assert formatting.shares(counts) == said


@pytest.mark.parametrize(
    ("part", "total", "said"), [(0, 0, "0%"), (1, 3, "33%"), (2, 3, "67%"), (999, 1000, "> 99%"), (5, 5, "100%")]
)
def test_a_share_is_rounded_as_those_of_a_picture(part: int, total: int, said: str) -> None:
    assert formatting.share(part, total) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (9_999, "9,999"), (10_000, "10k"), (999_999, "999k"), (1_000_000, "1M"), (3_949_999, "3.9M")],
)
def test_a_number_that_does_not_fit_is_shortened(number: int, said: str) -> None:
    assert formatting.compact(number) == said


@pytest.mark.parametrize(
    ("amount", "currency", "said"),
    [("1234.5", "USD", "$1,234.50"), ("-3.5", "USD", "-$3.50"), ("0", "GBP", "£0.00"), ("0.005", "EUR", "€0.01"), ("12", "CAD", "CA$12.00"),
     ("-1234.5", "CHF", "-1,234.50 CHF"), ("-0.001", "USD", "$0.00")],
)  # fmt: skip
def test_money_is_written_with_its_sign(amount: str, currency: str, said: str) -> None:
    assert formatting.money(Money(Decimal(amount), currency)) == said


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2026, 11, 2), date(2026, 11, 2), "Nov 2, 2026"),
        (date(2026, 11, 2), date(2026, 11, 9), "Nov 2–9, 2026"),
        (date(2026, 10, 28), date(2026, 11, 2), "Oct 28 – Nov 2, 2026"),
        (date(2025, 11, 2), date(2026, 11, 9), "Nov 2, 2025 – Nov 9, 2026"),
    ],
)
def test_days_are_written_as_short_as_they_can_be(first: date, last: date, said: str) -> None:
    assert formatting.span(first, last) == said


def test_a_year_is_left_out_where_it_is_plain() -> None:
    today = date(2026, 11, 26)
    assert formatting.day_near(date(2026, 11, 9), today) == "Nov 9"
    assert formatting.day_near(date(2026, 5, 30), today) == "May 30, 2026"
    assert formatting.span_near(date(2026, 11, 8), date(2026, 11, 12), today) == "Nov 8–12"
    assert formatting.span_near(date(2026, 12, 28), date(2027, 1, 3), today) == "Dec 28 – Jan 3"
    assert formatting.span_near(date(2025, 11, 8), date(2025, 11, 12), today) == "Nov 8–12, 2025"


def test_one_piece_is_no_plural() -> None:
    assert [formatting.pieces(n) for n in (0, 1, 2, 1234)] == ["0 pieces", "1 piece", "2 pieces", "1,234 pieces"]


def test_a_moment_is_shown_in_each_readers_zone_or_a_pictures_own() -> None:
    moment = datetime(2026, 11, 2, 23, 30, 5, tzinfo=UTC)
    assert formatting.moment(moment, ZoneInfo("Europe/Paris")) == "Nov 3, 2026, 12:30 AM CET"
    assert (
        formatting.stamp(moment)
        == f"<!date^{int(moment.timestamp())}^{{date_short_pretty}} at {{time}}|Nov 2, 2026, 11:30 PM UTC>"
    )
    assert "{time_secs}" in formatting.stamp(moment, seconds=True)
    assert formatting.stamp_day(moment).endswith("|Nov 2, 2026>")


# ---- Pieces of messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        ("12345", 5, "12345"),
        ("123456", 5, "1234…"),
        ("123&amp;", 6, "123…"),
        ("<!date^1^x|y> z", 8, "…"),
        ("a &lt; b", 7, "a &lt;…"),
    ],
)
def test_a_text_is_clipped_before_a_mark_that_would_be_cut(text: str, limit: int, clipped: str) -> None:
    assert messages.clip(text, limit) == clipped


@pytest.mark.parametrize(
    ("text", "limit", "line"), [("a  b\nc", 9, "a b c"), ("", 9, "—"), ("12345", 5, "12345"), ("123456", 5, "1234…")]
)
def test_plain_text_is_one_line_and_never_empty(text: str, limit: int, line: str) -> None:
    assert messages.clip_plain(text, limit) == line


def test_what_somebody_typed_is_quoted_without_marks() -> None:
    assert messages.quote("a *b* `c` _d_ ~e~ <f>") == "a ∗b∗ 'c' ˍdˍ ∼e∼ &lt;f&gt;"
    assert messages.quote("x" * 80) == "x" * 80
    assert messages.quote("x" * 81) == "x" * 79 + "…"


def test_a_button_says_what_it_must_and_no_more() -> None:
    plain = messages.button("Go", "go", NOTHING)
    assert set(plain) == {"type", "text", "action_id", "value"}
    full = messages.button(
        "Go", "go", NOTHING, style="danger", spoken="Go there", confirm=messages.confirmation("t", "x", "y", "n")
    )
    assert (full["style"], full["accessibility_label"], full["confirm"]["deny"]["text"]) == ("danger", "Go there", "n")
    assert "accessory" not in messages.section("x")
    assert messages.section("x", plain)["accessory"] == plain
    assert "initial_option" not in messages.select("a", "b", [])
    assert messages.select("a", "b", [], messages.option("x", NOTHING))["initial_option"]["value"] == NOTHING
    assert "initial_date" not in messages.date_picker("a", "b", None)
    assert messages.date_picker("a", "b", date(2026, 11, 2))["initial_date"] == "2026-11-02"
    assert len(messages.fields(["x"] * 12)["fields"]) == 10
    assert len(messages.context(*["x"] * 12)["elements"]) == 10


def test_a_picture_gives_way_to_words_with_the_reason() -> None:
    message = Message("x", [messages.section("x")], Picture(b"", "alt", "title"))
    assert message.without_picture().blocks == message.blocks
    assert "why" in str(message.without_picture("why").blocks[-1])


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"blocks": [{"slack_file": {"id": "F1"}}, {"slack_file": {}}, {"slack_file": "x"}, "y", {}, {"slack_file": {"id": "F2"}}]}, ("F1", "F2")),
        ({"blocks": None}, ()), ({}, ()), (None, ()), ("x", ()),
    ],
)  # fmt: skip
def test_the_pictures_of_a_message_are_found_where_slack_tells_them(message: Any, found: tuple[str, ...]) -> None:
    assert messages.pictures_in(message) == found
