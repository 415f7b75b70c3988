"""Everything that is said about cancelling."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.cancel import approval_view
from handlers.cancel import view as cancel_view
from handlers.text.messages import Message
from storage import cancellations
from storage.records import (
    CampaignId,
    ChannelId,
    KnownCampaign,
    Mix,
    Money,
    PieceId,
    Recipient,
    StoredCampaign,
    StoredPiece,
)
from storage.statuses import BY_WORD, Status
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
        cancel_view.nothing_to_cancel(campaign, mix, "https://x.example", "Stannp"),
    )
    who = cancel_view.Who("U0ANA", NOW, "U0ANA")
    fine(
        cancel_view.piece_result(results[0], who, money, "Stannp"),
        cancel_view.deleted(campaign, who, "Stannp"),
        cancel_view.begun("X", 4, 300),
    )
    for late in (False, True):
        fine(cancel_view.campaign_result(campaign, results, who, money, "https://x.example", "Stannp", late=late))


def test_nobody_stops_no_pieces() -> None:
    assert "Stopping 2 pieces of *Spring*." in cancel_view.begun("Spring", 2, 0).text
    assert cancel_view.begun("Spring", 0, 0).text.startswith("Nothing you asked for of *Spring* is left to stop.")


SPRING = StoredCampaign(CampaignId(1), KnownCampaign("222", "Spring"))
JANES = StoredPiece(
    PieceId(1), "1", None, NOW, "letter", "A4", NOW, None, None, CampaignId(1), "Spring", Recipient("Jane")
)  # fmt: skip


def of_nothing(**standing: int) -> str:
    """What is said where nothing can be stopped, of a campaign that stands so."""
    mix = Mix({BY_WORD[word]: number for word, number in standing.items()})
    shown = cancel_view.nothing_to_cancel(SPRING, mix, "https://x.example", "Stannp")
    return str(shown["blocks"][0]["text"]["text"])


def test_where_nothing_can_be_stopped_each_part_is_said_as_it_is() -> None:
    assert of_nothing(cancelled=60) == "All 60 pieces of *Spring* are cancelled already. There's nothing left to stop."
    assert of_nothing(cancelled=1) == "The one piece of *Spring* is cancelled already. There's nothing left to stop."
    late = of_nothing(cancelled=40, producing=12, delivered=8)
    assert late.startswith("40 of 60 pieces of *Spring* are cancelled already. ")
    assert "The other 20 can't be stopped anymore: 12 Producing, 8 Delivered." in late
    assert of_nothing(producing=12).startswith("No piece of *Spring* can be stopped anymore: 12 Producing.")
    assert of_nothing().startswith("I don't know any pieces of *Spring* yet.")
    assert "printing has started" not in late + of_nothing(delivered=3)


def test_a_dry_run_mails_nothing_that_is_cancelled_or_arrived() -> None:
    def rest(**standing: int) -> str:
        mix = Mix({BY_WORD[word]: number for word, number in standing.items()})
        plan = cancel_view.DryRun(
            SPRING, mix, mix.of(Status.RECEIVED), Money(Decimal(1)), 0, "https://x.example",
            ChannelId("C0OPS"), 7, "Stannp",
        )  # fmt: skip
        return str(cancel_view.dry_run(plan)["blocks"][1]["text"]["text"])

    assert rest(received=2, cancelled=3) == "3 are cancelled already."
    assert rest(received=2, cancelled=3, producing=4) == "3 are cancelled already. The other 4 can't: 4 Producing."
    assert rest(received=2, delivered=1) == "The other one can't: 1 Delivered."


@pytest.mark.parametrize(
    ("above", "saves", "channel", "said"),
    [
        (None, "9", "C0OPS", ""),
        ("5", "9", "C0OPS", "That's more than $5.00, so *someone else must approve this*. I'll post the request in <#C0OPS>"),
        ("0", "9", "C0OPS", "Like every cancellation here, *someone else must approve this*."),
        ("5", "5", "C0OPS", "The cost of some pieces isn't known, so *someone else must approve this*."),
        ("5", "9", "D0ANA", "Ask in a channel I'm in: nobody would see the request here."),
        ("5", "9", "", "Ask in a channel I'm in: nobody would see the request here."),
    ],
)  # fmt: skip
def test_a_dry_run_says_who_else_must_approve(above: str | None, saves: str, channel: str, said: str) -> None:
    plan = cancel_view.DryRun(
        SPRING, Mix({Status.RECEIVED: 60}), 60, Money(Decimal(saves)), 1, "https://x.example", ChannelId(channel), 7,
        "Stannp", needs_approval_above=None if above is None else Money(Decimal(above)),
    )  # fmt: skip
    shown = cancel_view.dry_run(plan)
    assert said in str([block.get("text") for block in shown["blocks"]]).replace("\\'", "'")
    assert ("approve" in str(shown)) == (above is not None)
    assert shown["submit"]["text"] == "Cancel 60 pieces"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.PRODUCING, "too late: it's already Producing, and will be mailed."),
        (Status.DELIVERED, "too late: it's already Delivered."),
    ],
)
def test_a_piece_that_arrived_is_not_to_be_mailed(status: Status, said: str) -> None:
    result = cancel_view.Result(replace(JANES, status=status), cancellations.Outcome.TOO_LATE, status)
    assert said in cancel_view.piece_result(result, cancel_view.Who("U0ANA", NOW), None, "Stannp").text


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
    nobody = "Nobody can approve yet: ask someone who can change that under *Settings* in my *Home*."
    assert nobody in wanted(1, 0, frozenset()).text
    assert "<@U0BEN>, <@U0CLEO> or another workspace admin can approve." in str(many.blocks[-2]), "over the buttons"


@pytest.mark.parametrize(("pieces", "said"), [(1, "this piece"), (60, "these 60 pieces"), (1200, "these 1,200 pieces")])
def test_who_approves_confirms_the_pieces_of_the_request_and_no_others(pieces: int, said: str) -> None:
    shown = str(wanted(pieces, 0, frozenset({"admins"})).blocks)
    assert f"I'll stop {said}. This can't be undone. It works only for someone the request says can approve." in shown
    assert "every piece" not in shown
