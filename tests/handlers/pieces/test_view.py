"""The list of a campaign's pieces."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.pieces import view as pieces_view
from handlers.text.buttons import Action, AtStatus, OnePiece, PiecesPage
from handlers.text.codec import write
from storage.queries.piece_pages import PieceFilter
from storage.records import CampaignId, KnownCampaign, Mix, PieceId, Recipient, StoredCampaign, StoredPiece
from storage.statuses import Status
from tests.handlers.conftest import pressable
from tests.strategies import GENTLE, NOW, campaigns, fine, mixes, stored, words_of


@GENTLE
@given(campaigns, mixes, st.lists(stored, max_size=25), st.none() | st.sampled_from(Status), words_of, st.booleans())
def test_the_list_of_a_campaigns_pieces(
    campaign: StoredCampaign,
    mix: Mix,
    page: Sequence[StoredPiece],
    status: Status | None,
    asked: str,
    further: bool,
) -> None:
    only = PieceFilter(status, asked[: pieces_view.LONGEST_ASKED])
    for shown in (page, []):
        if shown or mix.total:
            fine(pieces_view.details(pieces_view.Listing(campaign, mix, only, shown, PieceId(7) if further else None)))
    assert pieces_view.unpacked(pieces_view.packed(campaign.id, only)) == (campaign.id, only)
    fine(pieces_view.export_begun(campaign.facts.name))


def some(number: int, **facts: Any) -> list[StoredPiece]:
    """So many pieces, numbered from 1."""
    made = StoredPiece(
        PieceId(1), "1", Status.DELIVERED, NOW, "postcard", "6x9", NOW, None, None, CampaignId(1), "", Recipient("Jane", city="Austin"),
    )  # fmt: skip
    return [replace(made, id=PieceId(n), ref=str(n), **facts) for n in range(1, number + 1)]


def shown(page: list[StoredPiece], only: PieceFilter = PieceFilter(), **facts: Any) -> dict[str, Any]:  # noqa: B008 - frozen
    campaign = StoredCampaign(CampaignId(1), KnownCampaign("222", "Spring"))
    mix = facts.pop("mix", Mix({Status.DELIVERED: 30, Status.RETURNED: 2}))
    return pieces_view.details(pieces_view.Listing(campaign, mix, only, page, **facts))


@pytest.mark.parametrize(
    ("number", "after", "pages"),
    [
        (pieces_view.PAGE, None, []),
        (pieces_view.PAGE + 1, None, [PiecesPage(PieceId(pieces_view.PAGE))]),
        (pieces_view.PAGE, PieceId(7), [PiecesPage()]),
        (pieces_view.PAGE + 1, PieceId(7), [PiecesPage(PieceId(pieces_view.PAGE)), PiecesPage()]),
    ],
)
def test_a_page_leads_on_where_there_is_more_and_back_where_there_was(
    number: int, after: PieceId | None, pages: list[PiecesPage]
) -> None:
    pressed = pressable(shown(some(number), after=after)["blocks"])
    assert [value for action, value in pressed if action == Action.DETAILS_NEXT] == [write(one) for one in pages]
    tracked = [value for action, value in pressed if action == Action.TRACK]
    assert tracked == [write(OnePiece(PieceId(n))) for n in range(1, pieces_view.PAGE + 1)]


@pytest.mark.parametrize(
    ("only", "after", "mix", "word"),
    [
        (PieceFilter(), None, Mix(), "No pieces here yet"),
        (PieceFilter(Status.RETURNED, "jo"), None, None, "matches"),
        (PieceFilter(asked="jo"), None, None, "Try one word"),
        (PieceFilter(Status.RETURNED), PieceId(3), None, "no more"),
        (PieceFilter(), None, None, "no more"),
        (PieceFilter(Status.RETURNED), None, None, "is at"),
    ],
)
def test_an_empty_list_says_why(only: PieceFilter, after: PieceId | None, mix: Mix | None, word: str) -> None:
    facts = {} if mix is None else {"mix": mix}
    view = shown([], only, after=after, **facts)
    assert word in str(view)
    everything = (Action.DETAILS_NEXT.value, write(PiecesPage(every=True)))
    assert (everything in pressable(view["blocks"])) == (mix is None)


def test_the_summary_counts_what_the_list_is_of() -> None:
    assert "32 pieces" in str(shown(some(1))["blocks"])
    assert "2 pieces at" in str(shown(some(1), PieceFilter(Status.RETURNED))["blocks"])
    assert "Pieces that match “jo”" in str(shown(some(1), PieceFilter(Status.RETURNED, "jo"))["blocks"])


def test_the_form_holds_what_was_chosen_and_typed() -> None:
    blocks = shown(some(1), PieceFilter(Status.RETURNED, "jo"))["blocks"]
    assert blocks[0]["elements"][0]["initial_option"]["value"] == write(AtStatus(Status.RETURNED))
    assert blocks[1]["element"]["initial_value"] == "jo"
    plain = shown(some(1))["blocks"]
    assert plain[0]["elements"][0]["initial_option"]["value"] == write(AtStatus(None))
    assert "initial_value" not in plain[1]["element"]
    assert plain[0]["block_id"] != blocks[0]["block_id"]


def test_a_line_names_the_piece_where_nobody_is_known() -> None:
    lines = [one["text"]["text"] for one in shown(some(1))["blocks"] if one["type"] == "section"]
    assert lines[0].endswith("Jane\nAustin")
    (nobody,) = [
        one["text"]["text"] for one in shown(some(1, recipient=Recipient()))["blocks"] if one["type"] == "section"
    ]
    assert nobody.endswith("Piece 1")
