"""What Home finds, and where its pie goes: to whom it is shown, what is left out, and what is said when it does not."""

import pytest

from handlers.context.access import GuestsLook
from handlers.context.table import Field, Filled
from handlers.errors import NotInChannel, Outdated
from handlers.home import pie, search
from handlers.text import buttons, parsing
from storage.queries.mail import Days
from storage.statuses import Status
from tests.handlers.conftest import GUS, Office

EVER = buttons.carry(None, Days())


async def found(office: Office, asked: str) -> str:
    await search.search(office.services, office.request(trigger_id="T9"), asked)
    assert (office.slack.last.way, office.slack.last.place) == ("open", "T9")
    return office.slack.last.text


async def test_campaigns_and_pieces_are_found_by_what_is_typed(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    said = await found(office, " “spring lapsed” ")
    assert "Spring lapsed" in said
    assert "1001" in await found(office, "1001")
    assert "Nothing matches “qwertz”" in await found(office, "qwertz")
    shown = len(office.slack.said)
    await search.search(office.services, office.request(), "  ")
    assert len(office.slack.said) == shown, "nothing was asked"


async def test_a_guest_finds_nothing_of_the_account(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    with pytest.raises(GuestsLook):
        await search.search(office.services, office.request(user=GUS, guest=True), "Spring")
    assert office.slack.said == []


@pytest.mark.parametrize(("number", "more"), [(search.PIECES, False), (search.PIECES + 1, True)])
async def test_so_many_pieces_are_shown_and_it_is_said_that_there_are_more(
    office: Office, number: int, *, more: bool
) -> None:
    await office.campaign(*[Status.DELIVERED] * number)
    said = await found(office, "Jane Smith")
    assert ("There are more pieces" in said) is more
    assert [str(1001 + n) in said for n in range(number)].count(True) == search.PIECES


async def test_of_many_campaigns_the_first_are_shown(office: Office) -> None:
    for n in range(search.CAMPAIGNS + 2):
        await office.campaign(Status.DELIVERED, ref=str(300 + n), name=f"Drop {n:02}")
    said = await found(office, "Drop")
    assert [f"Drop {n:02}" in said for n in range(search.CAMPAIGNS + 2)].count(True) == search.CAMPAIGNS


async def test_the_pies_channel_is_asked_for_with_what_it_shows(office: Office) -> None:
    await pie.open_post(office.services, office.request(trigger_id="T9"), EVER)
    assert (office.slack.last.way, office.slack.last.place) == ("open", "T9")
    assert buttons.carried(office.slack.last.shown["private_metadata"])[1].days == Days()
    now = buttons.carry(None, parsing.now(office.clock.now().date()).days)
    await pie.open_post(office.services, office.request(), now)
    assert buttons.carried(office.slack.last.shown["private_metadata"])[1].days.current


async def test_the_pie_is_posted_where_it_was_wanted_and_the_form_says_so(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    request = office.request(view_id="V1")
    await pie.post_pie(office.services, request, Filled(EVER, {"channel": Field(chosen="C0SALES")}))
    assert [one.place for one in office.slack.of("post")] == ["C0SALES"]
    assert "1 piece, delivered." in office.slack.of("post")[0].text
    assert (office.slack.last.way, office.slack.last.place) == ("update", "V1")
    assert "Posted in <#C0SALES>" in office.slack.last.text


async def test_what_slack_refuses_of_a_pie_is_said_in_its_form(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    office.slack.fail("post", NotInChannel())
    request = office.request(view_id="V1")
    await pie.post_pie(office.services, request, Filled(EVER, {"channel": Field(chosen="C0SALES")}))
    assert office.slack.of("post") == []
    assert (office.slack.last.way, office.slack.last.place) == ("update", "V1")
    assert "I couldn't post it in <#C0SALES>" in office.slack.last.text


async def test_without_a_channel_no_pie_is_posted(office: Office) -> None:
    with pytest.raises(Outdated):
        await pie.post_pie(office.services, office.request(), Filled(EVER, {"channel": Field()}))
    assert office.slack.said == []
    assert "Post pie" in str(pie.meanwhile(Filled("", {})))
