"""What `/mailtrack` answers, and what of a recipient a channel may read."""

from hypothesis import given
from hypothesis import strategies as st

from handlers.forecast import model
from handlers.forecast.past import Past
from handlers.text import messages
from handlers.text.buttons import PiecesFound
from handlers.text.messages import quote
from handlers.track import view as track_view
from storage.records import (
    Recipient,
    Scan,
    StoredCampaign,
    StoredPiece,
    Told,
)
from tests.strategies import GENTLE, campaigns, fine, recipients, scans, stored, told, words_of

#: What may be expected where nothing is known.
NOTHING = model.outlook(Past(), "letter A4")


@given(piece=stored, lines=st.lists(scans, max_size=40), sent=st.lists(told, max_size=4))
@GENTLE
def test_a_pieces_answer(piece: StoredPiece, lines: list[Scan], sent: list[Told]) -> None:
    message = track_view.piece_answer(piece, lines, sent, NOTHING, "a remark")
    fine(message, messages.modal(f"Piece {piece.ref}", message.blocks))


@given(asked=words_of, found=st.lists(stored, min_size=1, max_size=25), campaign=campaigns)
@GENTLE
def test_lists_of_pieces(asked: str, found: list[StoredPiece], campaign: StoredCampaign) -> None:
    ids = [one.id for one in found]
    fine(track_view.pick_piece(quote(asked), found, [*ids, *ids]), track_view.no_piece(asked, campaign))
    fine(track_view.pick_piece(quote(asked), found, ids, campaign, exact=False))
    fine(track_view.found_list(PiecesFound.of(ids * 40), found[: track_view.FOUND_SHOWN]))


@given(who=recipients)
def test_a_channel_never_reads_a_surname_an_address_or_a_whole_zip(who: Recipient) -> None:
    plain = Recipient("Jane Quuxley", "Acme", "1234 Main Street", "Austin", "TX", "78701", "US")
    shown = track_view.short_name(plain)
    assert shown == "Jane Q., Austin TX 787••"
    track_view.short_name(who)
