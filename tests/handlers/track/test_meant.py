"""What is meant by what was typed behind `/mailtrack`: a piece, several, a campaign that is called so, or ids."""

from dataclasses import replace
from typing import Any

import pytest

from handlers.text.buttons import Action, PiecesFound
from handlers.text.codec import write
from handlers.track import actions
from handlers.track.commands import mail_track
from handlers.track.view import FOUND_SHOWN
from storage.statuses import Status
from tests.builders import JANE, a_campaign, a_piece
from tests.handlers.conftest import GUS, Office, pressable

D, T = Status.DELIVERED, Status.IN_TRANSIT
BO = {"recipient": replace(JANE, name="Bo Brown")}


async def ask(office: Office, text: str, **facts: Any) -> set[str]:
    """What can be done with the answer."""
    await mail_track(office.services, office.request(text, **facts))
    return {action for action, _ in pressable(office.slack.last.shown.blocks)} | {
        str(one["action_id"])
        for block in office.slack.last.shown.blocks
        for one in block.get("elements", ())
        if "action_id" in one
    }


async def test_one_piece_is_meant_before_a_campaign_that_is_called_so(office: Office) -> None:
    await office.campaign(T, name="Bo Brown", piece=BO)
    shown = await ask(office, "Bo Brown")
    assert Action.SHARE_PIECE in shown, "its timeline"
    assert Action.PICK_CAMPAIGN not in shown


async def test_of_several_pieces_and_a_campaign_all_are_offered(office: Office) -> None:
    await office.campaign(T, T, name="Bo Brown", piece=BO)
    shown = await ask(office, "Bo Brown")
    assert {Action.PICK_PIECE, Action.FOUND_LIST, Action.PICK_CAMPAIGN} <= shown


async def test_a_campaign_is_offered_where_its_name_is_what_was_typed_and_it_is_the_only_one(office: Office) -> None:
    await office.campaign(T, name="Fall catalog")
    await office.campaign(T, ref="223", name="Spring")
    assert Action.PICK_CAMPAIGN in await ask(office, "Fall catalog")
    assert Action.PICK_CAMPAIGN not in await ask(office, "Fall catalogs of old"), "it is only alike"
    await office.campaign(T, ref="224", name="Spring")
    assert Action.PICK_CAMPAIGN not in await ask(office, "Spring"), "nobody knows which"


@pytest.mark.parametrize("guest", [False, True])
async def test_several_ids_that_are_typed_are_tracked_together(office: Office, guest: bool) -> None:
    office.mail.add(a_campaign("300"), (a_piece("700001", "300"), D), (a_piece("700002", "300"), T))
    shown = await ask(office, "700001 and 700002", **({"user": GUS, "guest": True} if guest else {}))
    assert (Action.PICK_PIECE in shown) != guest
    assert ("2 pieces match “this message”" in office.slack.last.text) != guest
    assert (office.mail.calls.count("piece") > 0) != guest


async def test_several_ids_beside_what_is_found_are_not_taken_for_a_message(office: Office) -> None:
    await office.campaign(T, piece={"recipient": replace(JANE, address="700001 700002 Main Street")})
    office.mail.add(a_campaign("300"), (a_piece("700001", "300"), D), (a_piece("700002", "300"), T))
    await ask(office, "700001 700002 Main Street")
    assert "this message" not in office.slack.last.text
    assert "Jane Smith" in office.slack.last.text


async def test_one_id_with_other_words_is_no_list_of_ids(office: Office) -> None:
    office.mail.add(a_campaign("300"), (a_piece("700001", "300"), D))
    await ask(office, "Zoe Nobody 700001 x")
    assert "this message" not in office.slack.last.text


async def test_the_list_of_what_was_found_opens_over_what_is_open_and_is_turned_in_its_place(office: Office) -> None:
    await office.campaign(*[T] * (FOUND_SHOWN + 1))
    ids = [office.piece(str(1001 + n)).id for n in range(FOUND_SHOWN + 1)]
    for view, way in (("", "open"), ("V1", "push")):
        await actions.open_found(office.services, office.request(view_id=view), write(PiecesFound.of(ids)))
        assert office.slack.last.way == way
    assert "`1001`" in office.slack.last.text
    last = write(PiecesFound.of(ids, FOUND_SHOWN))
    await actions.turn_found(office.services, office.request(view_id="V1"), last)
    assert (office.slack.last.way, office.slack.last.place) == ("update", "V1")
    assert f"`{1001 + FOUND_SHOWN}`" in office.slack.last.text
    assert "`1001`" not in office.slack.last.text
