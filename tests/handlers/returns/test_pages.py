"""What the returns desk offers and says at the edges."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.context.ports import AddressCheck
from handlers.returns import view as returns_view
from handlers.returns.view import RangeReturns, Returns
from handlers.status.view import CampaignLine
from handlers.text.buttons import Action, OneReturn, ReturnsOf, Settled
from handlers.text.codec import write
from handlers.text.parsing import ALL_TIME
from storage.queries.returns import CameBack, Note, Place
from storage.records import CampaignId, KnownCampaign, Mix, PieceId, Recipient, StoredCampaign, StoredPiece
from storage.statuses import Status
from tests.handlers.conftest import pressable
from tests.strategies import NOW

PAGE = returns_view.PAGE
CAMPAIGN = StoredCampaign(CampaignId(1), KnownCampaign("222", "Spring"))
PIECE = StoredPiece(
    PieceId(1), "1001", Status.RETURNED, NOW, "postcard", "6x9", NOW, None, None, CampaignId(1), "Spring", Recipient("Jane"),
)  # fmt: skip
ONE = OneReturn(PIECE.id, CAMPAIGN.id)
MIX = Mix({Status.DELIVERED: 95, Status.RETURNED: 5, Status.RECEIVED: 900})


def desk(
    number: int, after: CameBack | None = None, places: Counter[Place] | None = None, usual: str | None = None
) -> list[Any]:
    page = [replace(PIECE, id=PieceId(n), ref=str(n)) for n in range(1, number + 1)]
    return list(returns_view.desk(Returns(CAMPAIGN, MIX, usual, places or Counter(), page, {}, after=after))["blocks"])


@pytest.mark.parametrize(("number", "more"), [(0, False), (PAGE, False), (PAGE + 1, True)])
def test_a_page_leads_on_where_there_is_more(number: int, more: bool) -> None:
    pressed = pressable(desk(number))
    turned = [value for action, value in pressed if action == Action.RETURNS_NEXT]
    assert turned == ([write(ReturnsOf.behind(CampaignId(1), CameBack(NOW, PieceId(PAGE))))] if more else [])
    opened = [value for action, value in pressed if action == Action.RETURN_OPEN]
    assert opened == [write(OneReturn(PieceId(n), CampaignId(1))) for n in range(1, min(number, PAGE) + 1)]


def test_an_empty_desk_says_whether_there_was_anything() -> None:
    assert "Nothing came back." in str(desk(0))
    assert "There are no more." in str(desk(0, CameBack(NOW, PieceId(3))))
    assert "Nothing came back." not in str(desk(1))


def test_places_are_named_where_they_were_counted() -> None:
    assert "By state" not in str(desk(1))
    shown = str(desk(1, places=Counter({Place("TX", "787"): 3, Place("", ""): 9})))
    assert "TX 3" in shown
    assert "787•• 3" in shown
    assert "•• 9" not in shown
    assert "By ZIP area" not in str(desk(1, places=Counter({Place("TX", ""): 3})))


def test_a_rate_is_of_what_was_mailed() -> None:
    assert "*5* of 100 mailed came back (*5%*)." in returns_view.rate_text(MIX, None)
    assert "Nothing has been mailed yet" in returns_view.rate_text(Mix({Status.RECEIVED: 3}), None)
    assert "Your other mail: 2%" in returns_view.rate_text(MIX, "2%")


def in_range(*backs: int) -> list[dict[str, Any]]:
    lines = [
        CampaignLine(StoredCampaign(CampaignId(n), KnownCampaign(str(n), f"Drop {n:02}")), Mix({Status.RETURNED: back, Status.DELIVERED: 100 - back}))
        for n, back in enumerate(backs, 1)
    ]  # fmt: skip
    return list(returns_view.range_desk(RangeReturns(ALL_TIME, MIX, lines))["blocks"])


def test_the_worst_campaigns_come_first_and_the_rest_is_counted() -> None:
    order = [value for action, value in pressable(in_range(1, 9, 5)) if action == Action.RETURNS_PUSH]
    assert order == ["2", "3", "1"]
    assert "Nothing came back" in str(in_range())
    assert "Nothing came back" not in str(in_range(1))
    most = returns_view.CAMPAIGNS
    assert "more campaigns" not in str(in_range(*[1] * most))
    assert "and 1 more campaigns" in str(in_range(*[1] * (most + 1)))


@pytest.mark.parametrize(
    ("ago", "label"),
    [
        (None, "Mark as handled"),
        (timedelta(0), "Undo"),
        (timedelta(minutes=10), "Undo"),
        (timedelta(minutes=11), "Open again"),
    ],
)
def test_what_was_settled_can_be_undone_for_a_while_and_opened_again(ago: timedelta | None, label: str) -> None:
    note = Note() if ago is None else Note(handled_by="U0ANA", handled_at=NOW - ago)
    view = returns_view.returned_piece(PIECE, note, ONE, now=NOW)
    (button,) = [
        one
        for block in view["blocks"]
        for one in block.get("elements", [])
        if one.get("action_id") == Action.RETURN_HANDLED
    ]
    assert button["text"]["text"] == label
    assert button["value"] == write(Settled(PIECE.id, done=ago is None))
    assert ("not handled yet" in button["accessibility_label"]) == (ago is not None)
    assert ("Handled by" in str(view)) == (ago is not None)


def test_what_is_known_of_a_piece_is_said_and_nothing_else() -> None:
    plain = returns_view.returned_piece(replace(PIECE, campaign_name=""), Note(), ONE)
    assert "Spring" not in str(plain)
    assert "noted by" not in str(plain)
    full = str(returns_view.returned_piece(PIECE, Note("UTF", "U0ANA"), replace(ONE, is_valid=False), "a remark"))
    for word in ("Spring", "noted by <@U0ANA>", "a remark", "not know"):
        assert word in full
    good = returns_view.checked(ONE, AddressCheck(True, Recipient("Jane", city="Austin")))
    assert "Austin" in str(returns_view.returned_piece(PIECE, Note(), good))
    assert ":white_check_mark:" not in str(plain)


def test_how_many_are_settled_is_said_of_what_came_back() -> None:
    assert returns_view.handled_text(3, 14) == " *3 of 14* handled."
    assert returns_view.handled_text(0, 0) == ""
