"""What is offered where several pieces may be meant, and what is said of who was told."""

from dataclasses import replace

import pytest

from handlers.text.buttons import Action
from handlers.track import view as track_view
from storage.queries.search import COUNTED
from storage.records import (
    CampaignId,
    ChannelId,
    KnownCampaign,
    PieceId,
    Recipient,
    Scan,
    StoredCampaign,
    StoredPiece,
    Told,
)
from storage.statuses import Status
from tests.handlers.conftest import pressable
from tests.strategies import NOW

PIECE = StoredPiece(
    PieceId(1), "1001", Status.IN_TRANSIT, NOW, "postcard", "6x9", NOW, None, None, CampaignId(1), "Spring",
    Recipient("Jane Smith", "Acme", "1 Main Street", "Austin", "TX", "78701", "US"),
)  # fmt: skip
CAMPAIGN = StoredCampaign(CampaignId(1), KnownCampaign("222", "Jane's drop"))


@pytest.mark.parametrize(
    ("known", "shown", "guest", "listing", "more"),
    [(1, 1, False, False, False), (2, 2, False, True, False), (3, 2, False, True, True), (3, 2, True, False, False)],
)
def test_a_list_is_offered_where_there_are_several(
    known: int, shown: int, guest: bool, listing: bool, more: bool
) -> None:
    found = [replace(PIECE, id=PieceId(n)) for n in range(1, shown + 1)]
    message = track_view.pick_piece("jane", found, [PieceId(n) for n in range(1, known + 1)], guest=guest)
    assert (Action.FOUND_LIST.value in [action for action, _ in pressable(list(message.blocks))]) == listing
    assert ("1 more are in the list" in str(message.blocks)) == more
    assert ("matches" in message.text) == (known == 1)


def test_many_are_counted_up_to_a_bound() -> None:
    few, many = ([PieceId(n) for n in range(1, number + 1)] for number in (COUNTED - 1, COUNTED))
    assert "At least" not in track_view.pick_piece("jane", [PIECE], few).text
    assert "At least" in track_view.pick_piece("jane", [PIECE], many).text


def test_a_guess_is_said_to_be_one_and_a_campaign_may_be_meant() -> None:
    exact = track_view.pick_piece("jane", [PIECE], [PIECE.id])
    guess = track_view.pick_piece("jane", [PIECE], [PIECE.id], CAMPAIGN, exact=False)
    assert "Did you mean" in guess.text
    assert "Did you mean" not in exact.text
    assert Action.PICK_CAMPAIGN.value in [action for action, _ in pressable(list(guess.blocks))]
    assert Action.PICK_CAMPAIGN.value not in [action for action, _ in pressable(list(exact.blocks))]
    assert Action.PICK_CAMPAIGN.value in [
        action for action, _ in pressable(list(track_view.no_piece("jane", CAMPAIGN).blocks))
    ]
    assert pressable(list(track_view.no_piece("jane", None).blocks)) == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (Told(ChannelId("C0OPS"), Status.RETURNED, NOW, ""), "<#C0OPS> was notified of “Returned” <!date"),
        (
            Told(ChannelId("C0OPS"), Status.DELIVERED, NOW, "", only_card=True),
            "<#C0OPS> wasn't notified of “Delivered”: only its live card moved",
        ),
        (Told(ChannelId("C0OPS"), Status.RETURNED, None, ""), "<#C0OPS> will be notified of “Returned” shortly"),
        (
            Told(ChannelId("C0OPS"), Status.RETURNED, None, "closed <x>"),
            "I couldn't post “Returned” in <#C0OPS>: closed &lt;x&gt;",
        ),
    ],
)
def test_which_channel_was_told_and_why_another_was_not(told: Told, said: str) -> None:
    assert track_view.told_text([told]).startswith(said)
    assert track_view.told_text([told, told]).count("\n") == 1


def test_a_scan_names_its_status_its_word_and_its_place() -> None:
    scan = Scan(Status.RETURNED, "", NOW, True, "")
    assert "*Returned*" in track_view._scan(scan)
    assert "by <!date" not in track_view._scan(scan)
    assert "by <!date" in track_view._scan(replace(scan, exact=False))
    assert "“odd”" in track_view._scan(replace(scan, status=None, word="odd"))
    assert track_view._scan(replace(scan, place="Austin")).endswith("— Austin")
    assert "No scans yet" in track_view._timeline([])
    assert track_view._spoken([scan, replace(scan, status=None)]).count("Returned") == 1


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        (PIECE.recipient, "Jane Smith · 1 Main Street · Austin 78701"),
        (Recipient(company="Acme"), "Acme"),
        (Recipient(), "1001"),
    ],
)
def test_a_choice_says_who_and_where_to(who: Recipient, shown: str) -> None:
    choice = track_view._choice(replace(PIECE, recipient=who))
    assert choice["text"]["text"] == shown
    assert choice["description"]["text"].startswith("Spring · ")
    assert track_view._choice(replace(PIECE, campaign_name=""))["description"]["text"].startswith("sent singly · ")


def test_a_guests_choice_is_plain_and_ends_in_the_id_whatever_the_name() -> None:
    who = Recipient("Bo O'Neil & <Sons>", "Acme", "1 Main Street", "Llanfairpwll" * 8, "TX", "78701", "US")
    choice = track_view._guests_choice(replace(PIECE, recipient=who))
    assert choice["text"]["text"].startswith("Bo O'Neil & <., Llanfair")
    assert choice["description"]["text"] == "1001 · In Transit"
