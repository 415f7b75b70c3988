"""`/mailtrack` of what came back from a place: the returns there, and not all that was mailed there."""

from dataclasses import replace

import pytest

from handlers.text.buttons import Action, OnePiece
from handlers.text.codec import write
from handlers.track.commands import mail_track
from storage.records import Batch, Change
from storage.statuses import Status
from tests.builders import JANE
from tests.handlers.conftest import GUS, Office

D, T, R = Status.DELIVERED, Status.IN_TRANSIT, Status.RETURNED
RALEIGH = replace(JANE, name="Ann Lee", address="1 Elm Street", city="Raleigh", region="NC", postcode="27601")


async def ask(office: Office, typed: str, **facts: str | bool) -> str:
    await mail_track(office.services, office.request(typed, **facts))  # type: ignore[arg-type]
    return f"{office.slack.last.text} {office.slack.last.shown.blocks}"


async def account(office: Office, *statuses: Status) -> None:
    await office.campaign(*statuses, ref="222", name="Spring postcard", piece={"recipient": RALEIGH})
    await office.campaign(T, R, ref="223", name="Holiday drop")


@pytest.mark.parametrize(
    "typed",
    ["has anything come back from Raleigh?", "what came back from Raleigh NC", "returns from 27601",
     "did any pieces to Raleigh get returned?", "Raleigh returns"],
)  # fmt: skip
async def test_what_came_back_from_a_place_is_what_did_and_of_how_many(office: Office, typed: str) -> None:
    await account(office, Status.RECEIVED, R, D, R, T)
    said = await ask(office, typed)
    assert said.startswith("2 of 5 pieces to “"), said
    assert "” came back:" in said
    assert "In Transit" not in said
    assert "Jane Smith" not in said, "who lives elsewhere"
    assert Action.FOUND_LIST in said


async def test_a_state_is_found_by_its_name(office: Office) -> None:
    await account(office, Status.RECEIVED, R)
    said = await ask(office, "what came back from Texas this month?")
    assert said.startswith("1 of 2 pieces to “Texas” came back in November 2026:"), said
    assert "Ann Lee" not in said


async def test_days_are_those_on_which_it_came_back(office: Office) -> None:
    await account(office, D, R)
    assert (await ask(office, "came back from Raleigh in 2019")).startswith("Nothing to “Raleigh” came back in 2019.")
    assert "1 of 2 pieces to “Raleigh” came back" in await ask(office, "came back from Raleigh in 2026")


async def test_where_nothing_came_back_that_is_said_and_how_to_see_what_went_there(office: Office) -> None:
    await account(office, D, T)
    said = await ask(office, "has anything come back from Raleigh?")
    assert said.startswith("Nothing to “Raleigh” came back."), said
    assert "`/mailtrack Raleigh`" in said
    assert Action.PICK_PIECE not in said


async def test_a_guest_reads_no_full_name_there(office: Office) -> None:
    await account(office, R, R)
    said = await ask(office, "has anything come back from Raleigh?", user=GUS, guest=True)
    assert "Ann Lee" not in said


async def came_back(office: Office, ref: str) -> None:
    await office.learn(Batch((), (), (Change(ref, R, office.clock.now(), word="returned"),)))


def listed(office: Office) -> list[str]:
    """The pieces that can be chosen, by what is carried of each."""
    (menu,) = [
        one
        for block in office.slack.last.shown.blocks
        for one in block.get("elements", ())
        if one.get("action_id") == Action.PICK_PIECE
    ]
    return [one["value"] for one in menu["options"]]


async def test_of_a_place_the_latest_that_came_back_stands_first(office: Office) -> None:
    await account(office, T, R, T)
    for ref in ("1003", "1001"):
        office.clock.pass_time(hours=1)
        await came_back(office, ref)
    await ask(office, "Raleigh returns")
    assert listed(office) == [write(OnePiece(office.piece(ref).id)) for ref in ("1001", "1003", "1002")]


@pytest.mark.parametrize(
    ("day", "hour", "there"), [(2, 5, False), (2, 6, True), (3, 5, True), (3, 6, False)]
)  # fmt: skip
async def test_days_begin_and_end_by_the_askers_clock(office: Office, day: int, hour: int, there: bool) -> None:
    """Midnight in Chicago is six in the morning in UTC."""
    await account(office, T, T)
    office.clock.moment = office.clock.now().replace(day=day, hour=hour)
    await came_back(office, "1001")
    office.clock.moment = office.clock.now().replace(day=5)
    said = await ask(office, "came back from Raleigh on Nov 2")
    assert ("1 of 2 pieces to “Raleigh” came back" in said) == there, said
