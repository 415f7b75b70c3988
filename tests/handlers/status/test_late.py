"""Whether anything is late: what has been silent longest is looked at first, and nothing under way is denied."""

import pytest

from handlers.ingest import counting
from handlers.status.commands import mail_status
from storage.statuses import Status
from tests.builders import START, a_batch, a_change, a_piece
from tests.handlers.conftest import Office

T = Status.IN_TRANSIT


async def ask(office: Office, typed: str = "is anything late?") -> str:
    await counting.survey(office.services, office.workspace.id)
    await mail_status(office.services, office.request(typed))
    return office.slack.last.text


async def silent(office: Office, days: int) -> None:
    """A campaign that was handed over in October, of which nothing was heard since, for so many days."""
    office.clock.moment = START
    await office.campaign(*[T] * 5, ref="222", name="Silent", piece={"dispatched_at": START})
    office.clock.pass_time(days=days)


async def newer(office: Office, number: int) -> None:
    now = office.clock.now()
    for ref in range(223, 223 + number):
        piece = {"dispatched_at": now, "created_at": now}
        await office.campaign(T, ref=str(ref), name=f"Drop {ref}", piece=piece, created_at=now)


async def test_the_one_that_is_late_is_found_behind_many_that_are_newer(office: Office) -> None:
    await silent(office, 30)
    await newer(office, 21)
    assert "nusually late" in await ask(office, "is Silent late?")
    said = await ask(office)
    assert said.startswith("Your mail: Silent is unusually late. "), said
    assert "I checked the 20 likeliest to be late of 22: ask about others by name." in said


async def test_where_not_all_were_looked_at_nothing_is_promised_of_the_rest(office: Office) -> None:
    office.clock.moment = START
    await newer(office, 21)
    said = await ask(office)
    assert said.startswith("Your mail: None of the 20 I checked is late. "), said
    assert "of 21: ask about others by name." in said


async def test_what_has_been_silent_for_weeks_is_late_though_it_is_no_longer_shown(office: Office) -> None:
    await silent(office, 50)
    said = await ask(office)
    assert said.startswith("Your mail: Silent is unusually late. "), said
    office.clock.pass_time(days=400)
    said = await ask(office)
    assert said.startswith(
        "Your mail: Nothing new is on its way. What's still out has been silent for over 45 days."
    ), said


async def test_of_pieces_that_were_sent_singly_it_is_said_that_nobody_can_tell(office: Office) -> None:
    now = office.clock.now()
    await office.learn(a_batch(a_piece("9001", None, created_at=now), a_change("9001", T, 120)))
    said = await ask(office)
    assert said.startswith("Your mail: I can't tell whether pieces sent singly are late: `/mailtrack` has each. "), said
    await newer(office, 1)
    said = await ask(office)
    assert said.startswith("Your mail: Nothing is late. "), said
    assert "I can't tell whether pieces sent singly are late: `/mailtrack` has each." in said


@pytest.mark.parametrize("status", [Status.RECEIVED, Status.PRODUCING])
async def test_what_is_still_to_be_mailed_is_not_late_and_not_denied(office: Office, status: Status) -> None:
    await office.campaign(status)
    said = await ask(office)
    assert said.startswith("Your mail: Nothing is with USPS yet, so it's too early to tell. "), said


async def test_where_all_is_over_nothing_is_late(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    assert (await ask(office)).startswith("Your mail: Nothing is on its way, so nothing is late. ")
