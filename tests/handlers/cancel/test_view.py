"""Everything that is said about cancelling."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.cancel import approval_view
from handlers.cancel import view as cancel_view
from handlers.text.messages import Message
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


def wanted(pieces: int, unpriced: int, deciders: frozenset[str]) -> Message:
    asked = approval_view.Wanted("Spring", pieces, Money(Decimal(5)), unpriced)
    return approval_view.approval_wanted(1, asked, "U0ANA", deciders, Decimal(2))


def test_a_request_says_how_many_what_is_not_known_and_who_can_decide() -> None:
    one = wanted(1, 0, frozenset({"admins"}))
    assert "wants to cancel *Spring* and save $5.00. Another workspace admin can approve." in one.text
    assert "isn't known" not in str(one.blocks)
    many = wanted(3, 2, frozenset({"admins", "U0BEN", "U0CLEO"}))
    assert "wants to cancel 3 pieces of *Spring*" in many.text
    assert "not counting 2 pieces" in many.text
    assert "<@U0BEN>, <@U0CLEO> or another workspace admin can approve" in many.text
    assert "isn't known" in str(many.blocks)
    assert "Anyone else here" in wanted(1, 0, frozenset({"everyone"})).text
    assert "Nobody can approve" in wanted(1, 0, frozenset()).text


@pytest.mark.parametrize(("pieces", "said"), [(1, "this piece"), (60, "these 60 pieces"), (1200, "these 1,200 pieces")])
def test_who_approves_confirms_the_pieces_of_the_request_and_no_others(pieces: int, said: str) -> None:
    shown = str(wanted(pieces, 0, frozenset({"admins"})).blocks)
    assert f"I'll stop {said}. This can't be undone." in shown
    assert "every piece" not in shown
