"""The list of a campaign's pieces."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from handlers.pieces import view as pieces_view
from storage.queries.piece_pages import PieceFilter
from storage.records import (
    Mix,
    PieceId,
    StoredCampaign,
    StoredPiece,
)
from storage.statuses import Status
from tests.strategies import GENTLE, campaigns, fine, mixes, stored, words_of


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
