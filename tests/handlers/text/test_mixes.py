"""A mix in one sentence, in numbers, and as a strip of squares; and the limits of what Slack is given."""

import colorsys
from datetime import UTC, date, datetime
from typing import Any

import pytest

from handlers.errors import PieceUnknown
from handlers.text import formatting, messages, mixes, short_answers
from handlers.text.buttons import NOTHING
from handlers.text.status_styles import OTHER, STYLES, lightness
from storage.records import Mix
from storage.statuses import LIFECYCLE, Status

R, H, T, D, B, X = (
    Status.RECEIVED, Status.HANDED_OVER, Status.IN_TRANSIT, Status.DELIVERED, Status.RETURNED, Status.CANCELLED,
)  # fmt: skip


@pytest.mark.parametrize(
    ("mix", "said"),
    [
        (Mix(), "No pieces"),
        (Mix({D: 1}), "1 piece, delivered"),
        (Mix({D: 2}), "All 2 delivered"),
        (Mix({B: 1500}), "All 1,500 came back"),
        (Mix({}, 3), "All 3 at a status I don't know"),
        (Mix({D: 91, T: 9}), "91% delivered"),
        (Mix({D: 9, T: 91}), "9% delivered, 91% in transit"),
        (Mix({T: 60, H: 40}), "60% in transit"),
        (Mix({T: 50, H: 50}), "50% waiting for a scan"),
        (Mix({D: 50, T: 50}), "50% delivered, 50% in transit"),
        (Mix({D: 80, B: 15, X: 5}), "80% delivered, 5 cancelled, 15 came back"),
        (Mix({B: 15, X: 5}), "5 cancelled, 15 came back"),
        (Mix({D: 10}, 90), "10% delivered, 90% at a status I don't know"),
    ],
)
def test_what_a_colleague_would_say_of_it(mix: Mix, said: str) -> None:
    found = mixes.headline(mix)
    order = [one.strip() for one in said.split(",")]
    assert sorted(one.strip() for one in found.split(",")) == sorted(order), found


def test_every_number_stands_in_reading_order() -> None:
    mix = Mix({D: 90, R: 5, B: 5}, 1)
    assert mixes.counts_text(mix) == "Received 5 (5%) · Delivered 90 (89%) · Returned 5 (5%) · Other 1 (1%)"
    assert mixes.counts_text(Mix()) == "No pieces"
    lines = mixes.legend(mix).splitlines()
    assert lines[0] == f"{STYLES[R].square} *Received* 5 (5%)"
    assert lines[-1] == f"{OTHER.square} *Other* 1 (1%)"
    assert mixes.legend(Mix({D: 1, T: 999_999})).count("&lt; 1%") == 1


@pytest.mark.parametrize(("color", "light"), [("#000000", 0), ("#FFFFFF", 1), ("#FF0000", 0.2126), ("#00FF00", 0.7152),
                                            ("#0000FF", 0.0722), ("#777777", 0.18447), ("#0A0A0A", 0.0030353)])  # fmt: skip
def test_how_light_a_color_is_is_reckoned_as_the_standard_says(color: str, light: float) -> None:
    assert lightness(color) == pytest.approx(light, rel=1e-4)


#: The hues of Slack's squares, in degrees, and how light each is; None: a gray.
SQUARES = {
    ":white_large_square:": (None, (0.5, 1.0)), ":black_large_square:": (None, (0.0, 0.25)),
    ":large_purple_square:": ((260, 300), (0.2, 0.6)), ":large_blue_square:": ((195, 230), (0.1, 0.5)),
    ":large_yellow_square:": ((40, 60), (0.4, 0.9)), ":large_green_square:": ((100, 175), (0.05, 0.5)),
    ":large_orange_square:": ((12, 35), (0.2, 0.5)), ":large_brown_square:": ((10, 40), (0.0, 0.15)),
}  # fmt: skip


@pytest.mark.parametrize("status", LIFECYCLE)
def test_a_status_has_one_color_in_pictures_and_in_squares(status: Status) -> None:
    style = STYLES[status]
    red, green, blue = (int(style.color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    hue, _, _ = colorsys.rgb_to_hls(red, green, blue)
    hues, (dark, light) = SQUARES[style.square]
    assert dark <= lightness(style.color) <= light
    if hues is None:
        assert max(red, green, blue) - min(red, green, blue) < 0.15, "a gray"
    else:
        assert hues[0] <= 360 * hue <= hues[1], (style.label, 360 * hue)
    assert len({one.square for one in STYLES.values()} | {OTHER.square}) == len(STYLES) + 1


@pytest.mark.parametrize(
    ("mix", "squares"),
    [
        (Mix({D: 1}), {D: 25}),
        (Mix({D: 50, T: 50}), {T: 13, D: 12}),
        (Mix({D: 999_999, B: 1}), {D: 24, B: 1}),
        (Mix({D: 60, T: 40}), {T: 10, D: 15}),
        (Mix({D: 35, T: 35, H: 30}), {H: 8, T: 8, D: 9}),
        (Mix({D: 34, T: 33, H: 33}), {H: 9, T: 8, D: 8}),
        (Mix({R: 1, H: 1, T: 1, D: 9996, B: 1}), {R: 1, H: 1, T: 1, D: 21, B: 1}),
    ],
)
def test_a_strip_has_twenty_five_squares_and_one_at_least_for_each(mix: Mix, squares: dict[Status, int]) -> None:
    found = mixes.strip(mix)
    assert (
        sum(found.count(style.square) for style in {STYLES[one].square: STYLES[one] for one in LIFECYCLE}.values())
        == 25
    )
    for status, number in squares.items():
        assert abs(found.count(STYLES[status].square) - number) <= (1 if len(squares) == 2 else 0)
    assert mixes.strip(Mix()) == ""


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [("abcd", 4, "abcd"), ("abcde", 4, "abc…"), ("  a\n b ", 9, "a b"), ("", 5, "—"), ("   ", 5, "—")],
)
def test_plain_text_is_one_line_cut_and_never_empty(text: str, limit: int, kept: str) -> None:
    assert messages.clip_plain(text, limit) == kept


def test_what_was_typed_formats_nothing() -> None:
    assert messages.typed("*a* `b` _c_ ~d~") == "∗a∗ 'b' \u02cdc\u02cd ∼d∼"
    assert messages.typed("x" * 80) == "x" * 80
    assert messages.typed("x" * 81) == "x" * 79 + "…"
    assert messages.quote("<a&b>") == "&lt;a&amp;b&gt;"


def test_no_block_holds_more_than_slack_takes() -> None:
    assert len(messages.fields([str(n) for n in range(12)])["fields"]) == 10
    assert len(messages.context(*[str(n) for n in range(12)])["elements"]) == 10
    assert messages.section("")["text"]["text"] == " "
    assert "accessory" not in messages.section("a")
    plain = messages.button("Go", "x", NOTHING)
    assert not {"style", "accessibility_label", "confirm"} & set(plain)
    full = messages.button("Go", "x", NOTHING, style="danger", spoken="Go there", confirm={"a": 1})
    assert (full["style"], full["accessibility_label"], full["confirm"]) == ("danger", "Go there", {"a": 1})
    assert "initial_option" not in messages.select("x", "Choose", [])
    assert messages.date_picker("x", "Day", date(2026, 11, 2))["initial_date"] == "2026-11-02"
    assert "initial_date" not in messages.date_picker("x", "Day", None)
    assert messages.input_block("T", "b", {})["optional"] is False
    assert "private_metadata" not in messages.modal("T", [])


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ({"blocks": [{"slack_file": {"id": "F1"}}, {"slack_file": {"id": ""}}, {"slack_file": 3}, "x", {}]}, ("F1",)),
        ({"blocks": None}, ()), ({}, ()), (None, ()), ("x", ()),
    ],
)  # fmt: skip
def test_the_pictures_of_a_message_are_found_where_slack_names_them(message: Any, found: tuple[str, ...]) -> None:
    assert messages.pictures_in(message) == found


def test_a_refusal_says_who_it_was_where_that_is_known() -> None:
    refused = PieceUnknown()
    assert "It was" not in short_answers.refusal(refused).text
    refused.by = "U0BEN"
    assert short_answers.refusal(refused).text.endswith(" It was <@U0BEN>.")
    assert short_answers.refusal("a < b").text == "a &lt; b"


def test_a_name_that_nobody_has_is_answered_with_the_nearest() -> None:
    assert short_answers.no_campaign("Sprng", ["Spring", "Fall"]).endswith("Did you mean `Spring`, `Fall`?")
    assert "lists your campaigns" in short_answers.no_campaign("Sprng", [])


def test_a_message_without_ids_is_told_from_one_without_pieces() -> None:
    assert "None of the numbers" in short_answers.no_ids(1).text
    assert "I see no piece id" in short_answers.no_ids(0).text


def test_a_silent_webhook_is_told_with_where_to_mend_it() -> None:
    since = datetime(2026, 11, 2, tzinfo=UTC)
    said = short_answers.silent(since, "Pigeon", "*Hooks*", "Pigeon sleeps.").text
    assert f"Pigeon's webhook has been silent since {formatting.stamp(since)}" in said
    assert "Pigeon's dashboard → *Hooks*. Pigeon sleeps. `piecewise check`" in said
    assert "*Hooks*. `piecewise check`" in short_answers.silent(since, "Pigeon", "*Hooks*", "").text


@pytest.mark.parametrize(
    ("days", "said"), [(179, "Apr 30"), (180, "May 1, 2027"), (-179, "May 7"), (-180, "May 6, 2026")]
)
def test_a_year_is_said_where_it_may_be_in_doubt(days: int, said: str) -> None:
    today = date(2026, 11, 2)
    found = date.fromordinal(today.toordinal() + days)
    assert formatting.day_near(found, today) == said
    near = formatting.span_near(found, found, today)
    assert ("20" in near) == ("20" in said)


def test_the_help_names_the_other_commands_and_what_stands_under_an_answer() -> None:
    shown = str(short_answers.help_status("Spring").blocks)
    for named in ("/mailtrack", "/mailalerts", "*Returns*", "*Cancel…*", "*View details*"):
        assert named in shown
