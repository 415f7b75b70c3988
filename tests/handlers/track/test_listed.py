"""Lists of pieces, page by page, and what a timeline says of where a piece is and when it lands."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast

import pytest

from handlers.text.buttons import Action, PiecesFound
from handlers.text.codec import read
from handlers.text.parsing import ALL_TIME, Range
from handlers.text.ranges import month_with
from handlers.track import back_view
from handlers.track import view as track_view
from handlers.track.newest import Back
from handlers.track.view import FOUND_SHOWN, SCANS_SHOWN, TOLD_APART
from storage.queries.returns import Note
from storage.queries.search import COUNTED
from storage.records import NOBODY, PieceId, Recipient, Scan, StoredPiece
from storage.statuses import CANCELLABLE, FINAL, Status
from tests.handlers.conftest import pressable
from tests.handlers.track.test_choices import PIECE
from tests.handlers.track.test_view import NOTHING
from tests.strategies import NOW

NOVEMBER = month_with(date(2026, 11, 2))
R = Status.RETURNED


def some(number: int, **facts: Any) -> list[StoredPiece]:
    return [replace(PIECE, id=PieceId(n), ref=str(1000 + n), **facts) for n in range(1, number + 1)]


def ids(number: int) -> list[PieceId]:
    return [PieceId(n) for n in range(1, number + 1)]


def texts(blocks: Any) -> str:
    return str(list(blocks))


# ---- What was found ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "shown", "known", "turns"),
    [
        (0, FOUND_SHOWN, FOUND_SHOWN, []),
        (0, FOUND_SHOWN, FOUND_SHOWN + 1, [FOUND_SHOWN]),
        (FOUND_SHOWN, 1, FOUND_SHOWN + 1, [0]),
        (FOUND_SHOWN, FOUND_SHOWN, 2 * FOUND_SHOWN + 1, [2 * FOUND_SHOWN, 0]),
    ],
)
def test_a_page_of_what_was_found_leads_on_and_back(start: int, shown: int, known: int, turns: list[int]) -> None:
    view = track_view.found_list(PiecesFound.of(ids(known), start), some(shown))
    turned = [value for action, value in pressable(view) if action == Action.FOUND_PAGE]
    assert [read(PiecesFound, value).start for value in turned] == turns
    assert [action for action, _ in pressable(view)].count(Action.TRACK) == shown


def test_where_not_all_fit_it_is_said_how_many_are_listed() -> None:
    found = PiecesFound.of(ids(600))
    assert "600 pieces, newest first; the first " in texts(track_view.found_list(found, some(1))["blocks"])
    assert "the first" not in texts(track_view.found_list(PiecesFound.of(ids(3)), some(1))["blocks"])


def test_of_a_line_each_part_is_what_is_known() -> None:
    one = texts(track_view.found_list(PiecesFound.of(ids(1)), [PIECE])["blocks"])
    assert "Jane Smith, Acme, 1 Main Street, Austin, TX 78701" in one
    assert "Spring · `1001`" in one
    alone = replace(PIECE, campaign_name="", recipient=Recipient(), status=None, word="odd <x>")
    said = texts(track_view.found_list(PiecesFound.of(ids(1)), [alone])["blocks"])
    assert "*odd &lt;x&gt;* · recipient not known yet" in said
    assert "sent singly · `1001`" in said
    assert track_view.plain_standing(replace(alone, word="")) == "no status"


def test_several_are_told_apart_before_the_menu_is_opened_and_no_more_than_a_few() -> None:
    assert "• *" not in texts(track_view.pick_piece("jane", some(1), ids(1)).blocks)
    assert texts(track_view.pick_piece("jane", some(2), ids(2)).blocks).count("• *") == 2
    assert texts(track_view.pick_piece("jane", some(9), ids(9)).blocks).count("• *") == TOLD_APART
    assert "• *" not in texts(track_view.pick_piece("jane", some(2), ids(2), guest=True).blocks)


@pytest.mark.parametrize(
    ("known", "shown", "guest", "more", "note"),
    [
        (2, 2, False, False, ""),
        (5, 2, False, False, "3 more are in the list, newest first. A full name"),
        (5, 2, True, False, "3 more match. A full name"),
        (2, 2, True, True, "Only the newest pieces that match were looked through. A full name"),
        (2, 2, False, True, ""),
    ],
)
def test_what_is_left_out_is_said_with_what_narrows_it_down(
    known: int, shown: int, guest: bool, more: bool, note: str
) -> None:
    said = texts(track_view.pick_piece("jane", some(shown), ids(known), guest=guest, more=more).blocks)
    assert (note in said) if note else ("narrows it down" not in said)


@pytest.mark.parametrize(
    ("who", "erased", "line"),
    [
        (PIECE.recipient, False, "*Jane Smith*, Austin 78701"),
        (Recipient(company="A & B"), False, "*A &amp; B*"),
        (Recipient(postcode="78701"), False, "*1001*, 78701"),
        (Recipient(region="TX"), True, "*Recipient erased*"),
    ],
)
def test_a_recipient_in_a_line(who: Recipient, erased: bool, line: str) -> None:
    assert track_view.recipient_in_a_line(replace(PIECE, recipient=who, erased=erased)) == line


@pytest.mark.parametrize(
    ("who", "short"),
    [
        (Recipient("Jane Ann Smith", city="Austin", region="TX", postcode="78701"), "Jane Ann S., Austin TX 787••"),
        (Recipient("Cher", postcode="78701"), "C., 787••"),
        (Recipient(city="Austin"), "Austin"),
        (Recipient(" Jo  <X> "), "Jo  &lt;."),
        (Recipient(), "recipient not known yet"),
    ],
)
def test_a_channel_reads_enough_to_recognize_a_piece(who: Recipient, short: str) -> None:
    assert track_view.short_name(who) == short


# ---- What came back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "total", "span", "said"),
    [
        (0, 3, None, "Nothing to “TX” came back."),
        (0, 3, NOVEMBER, "Nothing to “TX” came back in November 2026."),
        (1, 3, None, "1 of 3 pieces to “TX” came back:"),
        (2, 3, NOVEMBER, "2 of 3 pieces to “TX” came back in November 2026:"),
        (2, COUNTED - 1, None, f"2 of {COUNTED - 1} pieces to “TX” came back:"),
        (2, COUNTED, None, f"2 of at least {COUNTED} pieces to “TX” came back:"),
    ],
)
def test_what_came_back_from_a_place_is_counted_beside_what_went_there(
    number: int, total: int, span: Range | None, said: str
) -> None:
    message = back_view.came_back_from("TX", span, Back(some(number), number), ids(number), total)
    assert message.text == said
    pressed = [action for action, _ in pressable(message.blocks)]
    assert pressed.count(Action.FOUND_LIST) == (number > 1)
    assert ("`/mailtrack TX`" in texts(message.blocks)) == (number == 0)


@pytest.mark.parametrize(
    ("number", "looked", "more", "said"),
    [
        (1, 2, False, "1 piece came back in November 2026:"),
        (1, 2, True, "At least 1 piece came back in November 2026:"),
        (6, 2, False, "6 pieces came back in November 2026. The latest 5:"),
        (0, 1, True, "Nothing came back in November 2026 in your latest campaign of that time with returns."),
        (0, 0, True, "Nothing came back in November 2026 in your latest campaigns of that time."),
        (0, 3, False, "Nothing came back in November 2026."),
    ],
)  # fmt: skip
def test_what_came_back_in_certain_days_says_how_far_was_looked(
    number: int, looked: int, more: bool, said: str
) -> None:
    message = back_view.came_back_in(NOVEMBER, Back(some(number), number, looked, more))
    assert message.text == said
    some_of = "in your 2 latest campaigns of that time with returns; others may have more."
    shown = texts(message.blocks)
    assert (some_of in shown) is (more and number > 0)
    assert (back_view.BY_DAY in shown) is (number > 0 and not more)
    assert (back_view.ALL_RETURNS in shown) is (number > 0)


@pytest.mark.parametrize(
    ("since", "said"),
    [(1, "Since then 1 piece has:"), (3, "Since then 3 pieces have:"), (9, "Since then 9 pieces have. The latest 5:"),
     (0, "Came back last before that:")],
)  # fmt: skip
def test_beside_days_in_which_nothing_came_back_stands_what_did(since: int, said: str) -> None:
    near = some(min(since, 6) or 2)
    message = back_view.came_back_in(ALL_TIME, Back([], 0, 1, beside=near, since=since), name="A & B")
    assert message.text.startswith("Nothing of *A &amp; B* came back ")
    assert message.text.endswith(f". {said}")
    assert (back_view.BY_DAY in texts(message.blocks)) is (since > 0)


def test_a_reason_is_asked_for_where_none_is_noted_and_read_where_one_is() -> None:
    one, two = some(2)
    back = Back([one, two], 2, notes={one.id: Note("V"), two.id: Note("?")})
    known = back_view.came_back(back, why=True)
    assert known.text == "2 pieces came back so far:"
    assert "_Vacant_" in texts(known.blocks)
    assert back_view.WHY not in texts(known.blocks)
    open_ = back_view.came_back(replace(back, notes={one.id: Note("V")}), why=True)
    assert open_.text == f"2 pieces came back so far: {back_view.WHY}"
    assert back_view.came_back(Back([], 4)).text == "Nothing in your latest campaigns came back."
    assert back_view.came_back(Back([], 0)).text == "Nothing has come back so far."


# ---- One piece --------------------------------------------------------------------------------------------------


def answer(piece: StoredPiece = PIECE, *scans: Scan, **facts: Any) -> Any:
    return track_view.piece_answer(piece, scans, [], NOTHING, **facts)


@pytest.mark.parametrize("status", Status)
def test_a_piece_can_be_cancelled_as_long_as_it_may_be_stopped(status: Status) -> None:
    pressed = [action for action, _ in pressable(answer(replace(PIECE, status=status)).blocks)]
    assert (Action.CANCEL_PIECE in pressed) == (status in CANCELLABLE)
    assert Action.SHARE_PIECE in pressed


@pytest.mark.parametrize(
    ("facts", "who", "offered"),
    [
        ({"erasable": True}, PIECE.recipient, [Action.SHARE_PIECE, Action.ERASE]),
        ({"erasable": True, "shareable": False}, PIECE.recipient, [Action.ERASE]),
        ({"erasable": True}, NOBODY, [Action.SHARE_PIECE]),
        ({"shareable": False}, PIECE.recipient, []),
    ],
)
def test_who_may_erase_is_offered_it_of_whom_is_known(
    facts: dict[str, bool], who: Recipient, offered: list[Action]
) -> None:
    message = answer(replace(PIECE, recipient=who), **facts)
    assert [action for action, _ in pressable(message.blocks)] == offered
    assert any(block["type"] == "actions" for block in message.blocks) == bool(offered)


@pytest.mark.parametrize("status", [Status.IN_TRANSIT, *sorted(FINAL)])
def test_when_it_lands_is_said_from_the_day_on_which_it_was_handed_over_until_it_has(status: Status) -> None:
    handed = Scan(Status.HANDED_OVER, "", NOW - timedelta(days=1), True, "")
    moved = Scan(Status.IN_TRANSIT, "", NOW, True, "")
    known = texts(answer(replace(PIECE, status=status), handed, moved).blocks)
    assert ("Expected Nov 5–8, 2026 (USPS's 4–7 days for Marketing Mail)." in known) == (status not in FINAL)
    assert "Expected" not in texts(answer(replace(PIECE, status=status), moved).blocks)


def test_a_word_that_nobody_knows_is_shown_as_it_is() -> None:
    odd = replace(PIECE, status=None, word="<odd>")
    assert "Other (“&lt;odd&gt;”)" in answer(odd).text
    assert "That's a status word I don't know yet" in texts(answer(odd).blocks)
    assert "No status yet" in answer(replace(odd, word="")).text


def test_of_very_many_scans_the_last_are_shown_and_spoken() -> None:
    scans = [Scan(Status.IN_TRANSIT, "", NOW, True, f"Place {n:03}") for n in range(SCANS_SHOWN + 2)]
    said = texts(answer(PIECE, *scans).blocks)
    assert "Place 001" not in said
    assert "Place 002" in said
    assert answer(PIECE, *scans).text.count("In Transit") == SCANS_SHOWN + 1


def test_what_is_shared_says_by_whom_and_a_guest_why_it_is_short() -> None:
    assert "Shared by <@U0ANA>" in track_view.shared(PIECE, [], "U0ANA").text
    guest = track_view.shared(PIECE, [], "").text
    assert "You're a guest here" in guest
    assert "Shared by" not in guest
    assert "Piece `1001` · postcard 6x9 · sent singly" in texts(answer(replace(PIECE, campaign_name="")).blocks)


def test_a_piece_of_a_form_of_its_own_lands_as_the_accounts_own_mail_does() -> None:
    class Own:
        is_own = True

        def quantile(self, _share: float) -> float:
            return 3.0

    handed = Scan(Status.HANDED_OVER, "", NOW, True, "")
    message = track_view.piece_answer(PIECE, [handed], [], cast("Any", Own()))
    assert "as your own mail usually does" in texts(message.blocks)
