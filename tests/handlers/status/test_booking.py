"""When to book for a day: whose mail it goes by, when it is too late, and who may ask."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from handlers.context.access import GuestsLook
from handlers.errors import Refusal
from handlers.ingest import counting
from handlers.status import booking, commands
from storage.statuses import Status
from tests.builders import START
from tests.handlers.conftest import GUS, Office

T = Status.IN_TRANSIT


async def ask(office: Office, text: str, **facts: object) -> str:
    await commands.mail_status(office.services, office.request(text, **facts))  # type: ignore[arg-type]
    assert office.slack.last.way == "answer", "to the asker alone"
    return office.slack.last.text


async def mailed(office: Office, formats: Sequence[str]) -> None:
    """A campaign of each of these formats, the first mailed first, and all of it still under way."""
    for number, form in enumerate(formats):
        day = START - timedelta(days=9 - number)
        piece = {"kind": "letter", "format": form, "created_at": day, "dispatched_at": day}
        made = await office.campaign(*[T] * 3, ref=str(222 + number), name=f"Drop {form}", piece=piece)
        office.clock.pass_time(minutes=10)
        await counting.bring_up_to_date(office.services, office.workspace.id, made.id)


async def test_each_of_the_formats_mailed_last_gets_its_day(office: Office) -> None:
    await mailed(office, ["A4", "A5", "A6", "B5"])
    said = await ask(office, "when to book for Dec 24")
    assert said.startswith("To be in homes by Dec 24, 2026: *letter B5*: mail by *Dec ")
    assert [one for one in ("A4", "A5", "A6", "B5") if f"*letter {one}*" in said] == ["A5", "A6", "B5"]
    blocks = office.slack.last.shown.blocks
    assert blocks[1]["text"]["text"].count("\n") == booking.FORMS - 1, "a line each"
    assert "there's an 80% chance that nearly all of it" in str(blocks[2])


async def over(office: Office, delivered: int, back: int, silent: int) -> None:
    """A campaign that ended so five days after its hand-over, forty days ago."""
    handed = office.clock.now() - timedelta(days=5)
    ends = [Status.DELIVERED] * delivered + [Status.RETURNED] * back + [T] * silent
    made = await office.campaign(*ends, name="Over", piece={"created_at": handed, "dispatched_at": handed})
    office.clock.pass_time(days=40)
    await counting.bring_up_to_date(office.services, office.workspace.id, made.id)


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((36, 2, 2), "Of your past mail, 90% was scanned as delivered; the rest came back or never got a final scan."),
        ((40, 0, 0), "Of your past mail, 100% was scanned as delivered. "),
        (None, "A few of each mailing come back, or never get a final scan."),
    ],
)
async def test_no_more_is_promised_than_is_delivered_at_all(
    office: Office, ends: tuple[int, int, int] | None, said: str
) -> None:
    if ends:
        await over(office, *ends)
    await ask(office, "when to book for 2027-06-01")
    note = office.slack.last.shown.blocks[2]["elements"][0]["text"]
    assert "nearly all of it arrives in time: 19 of 20 of the pieces that are delivered at all." in note
    assert said in note


async def test_a_campaign_named_with_it_is_what_it_goes_by(office: Office) -> None:
    await mailed(office, ["A4", "A5"])
    said = await ask(office, "when to book Drop A4 for Dec 24")
    assert "*letter A4*: mail by" in said
    assert "A5" not in said


async def test_where_nothing_was_mailed_it_goes_by_a_letter(office: Office) -> None:
    assert f"*{booking.UNKNOWN}*: mail by" in await ask(office, "when to book for Dec 24")
    await office.campaign(Status.RECEIVED, name="Unmailed")
    assert f"*{booking.UNKNOWN}*: mail by" in await ask(office, "when to book Unmailed for Dec 24")


async def test_a_name_that_may_be_several_or_is_nothing_is_asked_back(office: Office) -> None:
    await mailed(office, ["A4", "A5", "A6", "B5"])
    with pytest.raises(Refusal, match="No campaign is called “Drop”") as several:
        await ask(office, "when to book Drop for Dec 24")
    assert str(several.value).count("`Drop ") == 3, "the first few are named"
    with pytest.raises(Refusal, match="`/mailstatus` lists your campaigns"):
        await ask(office, "when to book Qwertz for Dec 24")


async def test_it_may_be_too_late_to_be_home_in_time(office: Office) -> None:
    said = await ask(office, "when to book for Nov 3")
    assert "*letter*: too late for that; mailed today, the chance is 0% (from USPS's standards)" in said
    some = await ask(office, "when to book for Nov 8")
    chance = int(some.partition("the chance is ")[2].partition("%")[0])
    assert 0 < chance < 100 * booking.CHANCE


async def test_a_day_that_is_over_cannot_be_booked_for_and_today_is_too_soon(office: Office) -> None:
    with pytest.raises(Refusal, match=r"Nov 1, 2026 is already over\. Ask for a later day\."):
        await ask(office, "when to book for 2026-11-01")
    with pytest.raises(Refusal, match=r"Nov 2, 2026 is today, too soon for anything mailed now. Ask for a later day\."):
        await ask(office, "when to book for Nov 2")


async def test_a_guest_is_told_nothing_of_how_mail_goes(office: Office) -> None:
    with pytest.raises(GuestsLook):
        await ask(office, "when to book for Dec 24", user=GUS, guest=True)
