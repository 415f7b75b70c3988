"""`/mailtrack` and nothing, or what came back: the newest pieces to choose from."""

from dataclasses import replace
from typing import Any

import pytest

from handlers.text.buttons import Action
from handlers.track.commands import mail_track
from storage.statuses import Status
from tests.builders import JANE
from tests.handlers.conftest import GUS, Office

D, T, R = Status.DELIVERED, Status.IN_TRANSIT, Status.RETURNED


async def ask(office: Office, typed: str, **facts: Any) -> str:
    await mail_track(office.services, office.request(typed, **facts))
    return f"{office.slack.last.text} {office.slack.last.shown.blocks}"


async def account(office: Office) -> None:
    await office.campaign(D, T, R, ref="222", name="Spring postcard")
    other = replace(JANE, name="Sean O'Brien", address="77 North Oak Avenue", postcode="80202", city="Denver")
    await office.campaign(T, R, ref="223", name="Holiday drop", piece={"recipient": other})


async def test_alone_it_offers_what_came_back_and_what_moves_and_says_what_to_type(office: Office) -> None:
    await account(office)
    said = await ask(office, "")
    assert "Where is this piece?" in said
    assert "`/mailtrack Jane Smith`" in said
    (menu,) = [
        one
        for block in office.slack.last.shown.blocks
        for one in block.get("elements", ())
        if one.get("action_id") == Action.PICK_PIECE
    ]
    options = [f"{one['text']['text']} {one['description']['text']}" for one in menu["options"]]
    assert len(options) == 4
    assert ["Returned" in one for one in options] == [True, True, False, False], "what came back comes first"
    assert any("Sean O'Brien" in one and "Holiday drop" in one for one in options)


async def test_without_mail_and_for_guests_it_says_what_to_type(office: Office) -> None:
    assert Action.PICK_PIECE not in await ask(office, "")
    await account(office)
    assert Action.PICK_PIECE not in await ask(office, "", user=GUS, guest=True)


@pytest.mark.parametrize("typed", ["returned", "what came back?", "the last one that came back", "show me returns",
                                   "did anything come back this week?", "which ones came back today", "recent returns", "who came back",
                                   "have any been returned", "returned to sender", "what was returned to us?", "any bounced mail lately?", "has anyone's come back?"])  # fmt: skip
async def test_what_came_back_is_offered_newest_first(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert "Came back last:" in said
    assert "In Transit" not in said
    assert "Sean O'Brien" in said


@pytest.mark.parametrize("typed", ["did Zoe Nobody come back?", "Zoe Nobody came back", "was Nobody's card returned?",
                                   "has the letter to Zoe bounced yet?"])  # fmt: skip
async def test_of_a_name_that_nothing_goes_to_nobody_elses_returns_are_the_answer(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert said.startswith("I found no piece for"), said
    assert "Came back last:" not in said
    assert "No one piece is meant" not in said


@pytest.mark.parametrize(
    "typed", ["did Sean come back?", "did Sean O'Brien's card come back", "was the letter to Sean returned?"]
)
async def test_whether_one_came_back_is_answered_with_what_goes_there(office: Office, typed: str) -> None:
    await account(office)
    assert "2 pieces match" in await ask(office, typed)


async def test_of_several_each_says_its_campaign_before_the_menu_is_opened(office: Office) -> None:
    await account(office)
    said = await ask(office, "obrien")
    (lines,) = [one["text"]["text"] for one in office.slack.last.shown.blocks if "•" in str(one.get("text"))]
    assert "2 pieces match “obrien”" in said
    assert [line.count("Holiday drop") for line in lines.splitlines()] == [1, 1]
    assert "*Sean O'Brien*" in lines


@pytest.mark.parametrize(
    "typed", ["where is Sean O'Brien's letter?", "did Sean get his postcard?", "everything for Sean"]
)
async def test_words_around_a_recipient_are_left_out(office: Office, typed: str) -> None:
    await account(office)
    assert "2 pieces match" in await ask(office, typed)


@pytest.mark.parametrize("typed", ["latest", "any stuck pieces?", "Zzyzx"])
async def test_where_nothing_is_found_some_pieces_are_offered(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert "I found no piece for" in said
    assert Action.PICK_PIECE in said
    assert Action.PICK_PIECE not in await ask(office, typed, user=GUS, guest=True)
