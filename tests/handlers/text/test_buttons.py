"""What a button carries is read back."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.text import buttons
from handlers.text.buttons import PiecesFound
from handlers.text.codec import read, write
from handlers.text.parsing import Range
from storage.records import CampaignId, PieceId
from tests.strategies import ids, spans


@given(campaign_id=st.none() | ids.map(CampaignId), span=spans)
def test_a_buttons_value_is_read_back(campaign_id: CampaignId | None, span: Range) -> None:
    assert buttons.carried(buttons.carry(campaign_id, span.days)) == (campaign_id, span)


@given(pieces=st.lists(ids.map(PieceId), max_size=600))
def test_what_a_search_found_is_read_back_as_far_as_it_fits(pieces: list[PieceId]) -> None:
    found = read(PiecesFound, write(PiecesFound.of(pieces)))
    assert found.pieces == pieces[: len(found.pieces)]
    assert found.total == len(pieces)
    assert len(found.pieces) >= min(len(pieces), 100)
