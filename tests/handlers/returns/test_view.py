"""The returns desk, whatever names and numbers are in it."""

from collections import Counter
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from handlers.context.ports import AddressCheck
from handlers.returns import view as returns_view
from handlers.text.buttons import OneReturn
from handlers.text.reasons import REASONS
from storage.queries.returns import CameBack, Note, Place
from storage.records import (
    ChannelId,
    Mix,
    PieceId,
    StoredCampaign,
    StoredPiece,
)
from tests.strategies import (
    GENTLE,
    NOW,
    campaigns,
    fine,
    mixes,
    stored,
    words_of,
)


@GENTLE
@given(campaigns, mixes, st.lists(stored, max_size=20), st.sampled_from([*REASONS, "", "?"]), words_of)
def test_the_returns_desk(
    campaign: StoredCampaign, mix: Mix, page: Sequence[StoredPiece], reason: str, place: str
) -> None:
    places = Counter({Place(place, place[:3]): 5, Place("", ""): 1})
    note = Note(reason, "U0ANA" if reason else "", "U0ANA", NOW)
    notes = {piece.id: note for piece in page[::2]}
    fine(returns_view.desk(returns_view.Returns(campaign, mix, "2%", places, page, notes, ChannelId("C0OPS"), "1.1")))
    fine(
        returns_view.desk(returns_view.Returns(campaign, mix, None, Counter(), [], {}, after=CameBack(NOW, PieceId(3))))
    )
    rows = returns_view.rates_by_state(places, {place: 40, "TX": 30})
    fine(returns_view.map_answer(campaign, mix, rows))
    assert all(back <= mailed for _, back, mailed in rows)
    for piece in page[:3]:
        one = OneReturn(piece.id, campaign.id)
        checked = returns_view.checked(one, AddressCheck(True, piece.recipient))
        fine(
            returns_view.returned_piece(piece, note, checked, "<!here>"),
            returns_view.returned_piece(piece, Note(), one),
        )
    assert "isn't in the postal database" in returns_view.check_text(False, "")
