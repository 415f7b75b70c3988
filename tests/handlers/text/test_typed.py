"""What people type around what they mean: help, thanks, a piece, its return, and a word that is nearly one of ours."""

from datetime import date

import pytest

from handlers.text import parsing, ranges, rights, short_answers
from handlers.text.parsing import RangeRefused

TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("typed", "wants"),
    [("help", True), ("Help!", True), ("please help", True), ("what can I do?", True), ("?", True), ("how", True),
     ("help Spring", False), ("how late is Spring", False), ("", False), ("Spring?", False)],
)  # fmt: skip
def test_who_wants_to_be_shown_how(typed: str, wants: bool) -> None:
    assert parsing.wants_help(typed) is wants


@pytest.mark.parametrize(
    ("typed", "greets"),
    [("hi", True), ("Thank you so much!", True), ("ok, thanks", True), ("hello there", True), ("Thanksgiving", False),
     ("hi Spring", False), ("", False)],
)  # fmt: skip
def test_hello_and_thanks_ask_for_nothing(typed: str, greets: bool) -> None:
    assert parsing.greets(typed) is greets


@pytest.mark.parametrize(("typed", "bare"), [('"Spring"', "Spring"), ("« Spring »", "Spring"), ('"', '"'), ('""', ""),
                                             ('"Spring', '"Spring'), ("Spring's", "Spring's")])  # fmt: skip
def test_quotation_marks_around_all_of_it_are_left_out(typed: str, bare: str) -> None:
    assert parsing.unquote(typed) == bare


def test_what_is_typed_may_be_two_hundred_characters_on_one_line() -> None:
    assert parsing.clean("a\tb\n  c &lt;&amp;&gt;") == "a b c <&>"
    assert len(parsing.clean("x" * 200)) == 200
    with pytest.raises(parsing.TooLong):
        parsing.clean("x" * 201)


@pytest.mark.parametrize(
    ("typed", "looked_for"),
    [
        ("1001", ["1001"]),
        (" # 1001 ", ["1001"]),
        ("where is piece 1001?", ["where is piece 1001?", "1001"]),
        ("78701-9999", ["78701-9999", "78701"]),
        ("178701-9999", ["178701-9999"]),
        ("Jane Doe's letter", ["Jane Doe's letter", "Jane Doe's", "Jane Doe"]),
        ("did Will get it", ["did Will get it", "Will"]),
        ("Will it arrive", ["Will it arrive", "Will"]),
        ("Where is it", ["Where is it"]),
        ("has Dr. Still got his", ["has Dr. Still got his", "Dr. Still"]),
        ("what's up", ["what's up"]),
    ],
)  # fmt: skip
def test_how_a_piece_is_looked_for_with_and_without_the_words_around_it(typed: str, looked_for: list[str]) -> None:
    assert parsing.wordings(typed) == looked_for


@pytest.mark.parametrize(
    ("typed", "name"),
    [("did Sean's card come back?", "Sean"), ("what came back", ""), ("last 5 returns", ""), ("1001 returned", "1001"),
     ("export returns for Acme", "Acme"), ("returns from 78701", "78701"), ("Sean O’Brien returned", "Sean O'Brien"),
     ("has it been sent back?", "")],
)  # fmt: skip
def test_whose_return_is_asked_for(typed: str, name: str) -> None:
    assert parsing.whose_return(typed) == name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("lsat week", "last week"), ("mya", "mya"), ("Last week", "Last week"), ("last7", "last7"),
        ("octbr", "octbr"), ("ocotbre", "ocotbre"), ("wendesdya", "wednesday"), ("febuarry", "february"),
        ("wekeend", "weekend"), ("monthes", "months"), ("tday", "today"),
    ],
)  # fmt: skip
def test_a_short_word_is_mended_by_one_letter_and_a_long_one_by_two(typed: str, meant: str) -> None:
    assert ranges.mend(typed) == meant


@pytest.mark.parametrize(
    ("typed", "label"),
    [("last 1 day", "last day"), ("last 3660 days", "last 3660 days"), ("last 120 months", "Nov 24, 2016 – Nov 23, 2026"),
     ("last 10 years", "last 3650 days"), ("last 2 weeks", "last 14 days"), ("last 48 hours", "last 3 days"),
     ("last 25 hours", "last 3 days")],
)  # fmt: skip
def test_the_last_some_days_go_back_ten_years(typed: str, label: str) -> None:
    span = ranges.read_range(typed, TODAY)
    assert span is not None
    first, last = span.days.first, span.days.last
    assert first is not None
    assert last == TODAY
    assert span.label == label or parsing.last_days((TODAY - first).days + 1, TODAY).label == label


@pytest.mark.parametrize(
    "typed", ["last 0 days", "last 3661 days", "last 0 months", "last 121 months", "last 11 years"]
)
def test_longer_ago_than_ten_years_is_refused(typed: str) -> None:
    with pytest.raises(RangeRefused, match="Ask for between 1 and "):
        ranges.read_range(typed, TODAY)


@pytest.mark.parametrize(
    ("typed", "first", "last"),
    [
        ("H2", "2026-07-01", "2026-12-31"), ("H1 '25", "2025-01-01", "2025-06-30"), ("Q1", "2026-01-01", "2026-03-31"),
        ("this weekend", "2026-11-21", "2026-11-22"), ("the weekend", "2026-11-21", "2026-11-22"),
        ("2 quarters ago", "", ""), ("two months ago", "2026-09-01", "2026-09-30"), ("a year ago", "2025-01-01", "2025-12-31"),
        ("12 months ago", "2025-11-01", "2025-11-30"), ("last qtr", "2026-07-01", "2026-09-30"),
        ("this quarter so far", "2026-10-01", "2026-11-23"), ("wtd", "2026-11-23", "2026-11-23"),
        ("mtd", "2026-11-01", "2026-11-23"), ("qtd", "2026-10-01", "2026-11-23"), ("week to date", "2026-11-23", "2026-11-23"),
        ("the 24th", "2026-10-24", "2026-10-24"), ("the 31st", "2026-10-31", "2026-10-31"), ("last November", "2025-11-01", "2025-11-30"),
        ("November", "2026-11-01", "2026-11-30"), ("December", "2025-12-01", "2025-12-31"), ("Monday", "2026-11-23", "2026-11-23"),
        ("last Monday", "2026-11-16", "2026-11-16"), ("Tuesday", "2026-11-17", "2026-11-17"), ("this Sunday", "2026-11-22", "2026-11-22"),
        ("day before yesterday", "2026-11-21", "2026-11-21"), ("the last fortnight", "2026-11-10", "2026-11-23"),
        ("13/10", "2026-10-13", "2026-10-13"), ("12/10", "2025-12-10", "2025-12-10"), ("11/23", "2026-11-23", "2026-11-23"),
        ("11/24", "2025-11-24", "2025-11-24"), ("10-31-2026", "2026-10-31", "2026-10-31"), ("4th week of October", "2026-10-22", "2026-10-28"),
        ("Nov 10-1", "2026-11-01", "2026-11-10"), ("Dec 20-24", "2025-12-20", "2025-12-24"),
        ("from Nov 3", "2026-11-03", "2026-11-23"), ("on Nov 3", "2026-11-03", "2026-11-03"), ("from November", "2026-11-01", "2026-11-30"),
        ("since November", "2026-11-01", "2026-11-23"), ("after November 2025", "2025-12-01", "2026-11-23"),
        ("since Dec 24, 2026", "2026-12-24", "2026-12-24"), ("before Nov 10", "2000-01-01", "2026-11-09"),
    ],
)  # fmt: skip
def test_ranges_of_all_kinds_are_read_to_the_day(typed: str, first: str, last: str) -> None:
    span = ranges.read_range(typed, TODAY)
    if not first:
        assert span is None
        return
    assert span is not None
    assert (str(span.days.first), str(span.days.last)) == (first, last)


@pytest.mark.parametrize(
    ("typed", "name", "label"),
    [
        ("now", "now", None), ("right now", "right now", None), ("Spring now", "Spring now", None),
        ('"last week"', "last week", None), ("Spring (last week)", "Spring", "last week, Nov 16–22, 2026"),
        ("last week: Spring", "Spring", "last week, Nov 16–22, 2026"), ("Spring - 2026", "Spring", "2026"),
        ("October Q4 Spring", "Q4 Spring", "October 2026"), ("from the 1st of October 2025 up to now", "", None),
    ],
)  # fmt: skip
def test_a_name_with_a_range_beside_it(typed: str, name: str, label: str | None) -> None:
    found, span = ranges.split_range(typed, TODAY)
    if label is not None or name:
        assert (found, span.label if span else None) == (name, label)


@pytest.mark.parametrize(
    ("chosen", "said"),
    [(frozenset(), "Nobody"), (frozenset({"admins"}), rights.ADMINS), (frozenset({"U1", "everyone"}), rights.EVERYONE),
     (frozenset({"U2", "U1"}), "<@U1> and <@U2>"), (frozenset({"U2", "U1", "admins"}), f"{rights.ADMINS}, <@U1> and <@U2>")],
)  # fmt: skip
def test_who_may_do_something_is_said_as_one_sentence(chosen: frozenset[str], said: str) -> None:
    assert rights.people(chosen) == said


def test_help_for_guests_names_what_was_shown_and_how_two_are_compared() -> None:
    none, one, two = (str(short_answers.help_for_guests(names).blocks) for names in ([], ["A & B"], ["A & B", "Fall"]))
    assert "No campaign was shown here yet." in none
    assert "track 78701" in none
    assert "`/mailstatus A &amp; B`" in one
    assert "vs" not in one
    assert "No campaign was shown here yet." not in one
    assert "`/mailstatus A &amp; B vs Fall`" in two
    assert "where is A &amp; B?" in two


@pytest.mark.parametrize(
    ("typed", "first"),
    [("yesterday", 22), ("today", 23), ("last night", 22), ("Friday", 20), ("3 days ago", 20), ("the 19th", 19),
     ("2026-11-03", 3), ("11/3", 3), ("11-03-2026", 3), ("3 Nov", 3), ("Nov 3", 3), ("the day before yesterday", 21)],
)  # fmt: skip
def test_from_a_day_is_since_that_day(typed: str, first: int) -> None:
    for text, last in ((f"from {typed}", TODAY), (typed, TODAY.replace(day=first))):
        span = ranges.read_range(text, TODAY)
        assert span is not None
        assert (span.days.first, span.days.last) == (TODAY.replace(day=first), last)


@pytest.mark.parametrize(
    ("today", "this", "last"), [(23, 21, 21), (27, 21, 21), (28, 28, 21), (29, 28, 21)]
)  # fmt: skip
def test_this_weekend_is_the_last_that_has_begun(today: int, this: int, last: int) -> None:
    day = TODAY.replace(day=today)
    for typed, saturday in (("this weekend", this), ("last weekend", last)):
        span = ranges.read_range(typed, day)
        assert span is not None
        assert (span.days.first, span.days.last) == (day.replace(day=saturday), day.replace(day=saturday + 1))


def test_a_range_alone_is_read_in_one_way_and_beside_a_name_from_both_ends() -> None:
    assert [(name, span.label) for name, span in ranges.splits("October", TODAY)] == [("", "October 2026")]
    found = [(name, span.label) for name, span in ranges.splits("October sale 2025", TODAY)]
    assert found == [("October sale", "2025"), ("sale 2025", "October 2026")]


@pytest.mark.parametrize(
    ("first", "kept", "said"),
    [("2025-11-23", "2025-11-23", False), ("2025-11-22", "2025-11-23", True), ("2020-01-01", "2025-11-23", True)],
)
def test_a_year_and_no_more_can_be_chosen_with_two_pickers(first: str, kept: str, said: bool) -> None:
    text, note = parsing.between(date.fromisoformat(first), TODAY, TODAY)
    assert text == f"{kept}..2026-11-23"
    assert ("That was more than a year" in note, "This is Nov 23, 2025 – Nov 23, 2026." in note) == (said, said)


def test_days_to_come_are_left_out_and_the_earlier_day_comes_first() -> None:
    later = date(2026, 12, 24)
    assert parsing.between(later, TODAY, TODAY) == (
        "2026-11-23..2026-11-23",
        "I put the earlier day first. Days to come hold no orders yet, so it ends today. This is Nov 23, 2026.",
    )
    assert parsing.between(later, later, TODAY)[0] == "2026-11-23..2026-11-23"
    assert parsing.between(TODAY, TODAY, TODAY) == ("2026-11-23..2026-11-23", "")
