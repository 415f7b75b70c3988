"""Everything that is said about cancelling."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from handlers.cancel import view as cancel_view
from storage import cancellations
from storage.records import (
    ChannelId,
    Mix,
    Money,
    StoredCampaign,
    StoredPiece,
)
from tests.strategies import GENTLE, NOW, campaigns, fine, mixes, stored


@given(
    campaign=campaigns,
    mix=mixes,
    pieces=st.lists(stored, min_size=1, max_size=30),
    outcome=st.sampled_from(cancellations.Outcome),
)
@GENTLE
def test_everything_about_cancelling(
    campaign: StoredCampaign, mix: Mix, pieces: list[StoredPiece], outcome: cancellations.Outcome
) -> None:
    money = Money(Decimal("15.12"))
    results = [cancel_view.Result(piece, outcome, piece.status) for piece in pieces]
    fine(
        cancel_view.dry_run(
            cancel_view.DryRun(campaign, mix, 18, money, 3, "https://x.example", ChannelId("C0OPS"), 7, "Stannp")
        )
    )
    fine(
        cancel_view.delete_form(campaign, ChannelId("C0OPS"), "Stannp"),
        cancel_view.nothing_to_cancel(campaign, "https://x.example", "Stannp"),
    )
    who = cancel_view.Who("U0ANA", NOW, "U0ANA")
    fine(
        cancel_view.piece_result(results[0], who, money, "Stannp"),
        cancel_view.deleted(campaign, who, "Stannp"),
        cancel_view.begun("X", 4, 300),
    )
    for late in (False, True):
        fine(cancel_view.campaign_result(campaign, results, who, money, "https://x.example", "Stannp", late=late))
