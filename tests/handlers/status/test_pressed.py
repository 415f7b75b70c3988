"""What is pressed on an answer of `/mailstatus`, and how what was typed is read: the latest, mended, or beside a button."""

from datetime import date, timedelta
from typing import Any

import pytest

from handlers.errors import Outdated
from handlers.status import actions, commands
from handlers.text import buttons
from handlers.text.buttons import Action, Comparing
from handlers.text.codec import write
from storage.queries.mail import Days
from storage.records import CampaignId, CampaignStage
from storage.statuses import Status
from tests.builders import START
from tests.handlers.conftest import GUS, Office, pressable

D, T = Status.DELIVERED, Status.IN_TRANSIT


async def ask(office: Office, text: str, **facts: object) -> tuple[str, str]:
    """What was said last: how, and the words."""
    await commands.mail_status(office.services, office.request(text, **facts))  # type: ignore[arg-type]
    return office.slack.last.way, office.slack.last.text


async def test_a_day_chosen_in_a_calendar_makes_the_range_with_the_other_day(office: Office) -> None:
    campaign = await office.campaign(D)

    async def choose(choose_day: Any, chosen: str, days: Days, one: CampaignId | None = None) -> Days:
        pressed = office.request(message_ts="1.1", block_id=buttons.carry(one, days))
        await choose_day(office.services, pressed, chosen)
        assert office.slack.last.way == "edit", "in the same message"
        return buttons.carried(office.slack.last.shown.blocks[-1]["block_id"])[1].days

    first, last, today = date(2026, 10, 5), date(2026, 10, 20), date(2026, 11, 2)
    whole = Days(first, last)
    assert await choose(actions.choose_first, "2026-10-07", whole) == Days(date(2026, 10, 7), last)
    assert await choose(actions.choose_last, "2026-10-09", whole) == Days(first, date(2026, 10, 9))
    assert await choose(actions.choose_first, "2026-10-07", Days()) == Days(date(2026, 10, 7), today), "until today"
    assert await choose(actions.choose_last, "2026-10-09", Days()) == Days(date(2026, 10, 9), date(2026, 10, 9))
    assert await choose(actions.choose_last, "2026-10-29", whole, campaign.id) == Days(first, date(2026, 10, 29))
    assert "Spring lapsed" in office.slack.last.text, "of the same campaign"
    await choose(actions.choose_first, "2026-10-25", whole)
    assert "I put the earlier day first." in office.slack.last.text
    with pytest.raises(Outdated):
        await choose(actions.choose_first, "", whole)


async def test_what_is_current_is_so_on_the_day_on_which_it_is_refreshed(office: Office) -> None:
    await office.campaign(D)
    old = Days(current=date(2026, 10, 1))
    await actions.refresh(office.services, office.request(message_ts="1.1"), buttons.carry(None, old))
    shown = dict(pressable(office.slack.last.shown.blocks))
    assert buttons.carried(shown[Action.REFRESH])[1].days == Days(current=date(2026, 11, 2))


async def test_only_a_campaign_can_be_chosen_from_a_list(office: Office) -> None:
    with pytest.raises(Outdated):
        await actions.pick_campaign(office.services, office.request(), buttons.carry(None, Days()))


@pytest.mark.parametrize("way", ["posted", "refreshed"])
async def test_a_campaign_is_read_anew_where_fresh_numbers_are_asked_for(office: Office, way: str) -> None:
    campaign = await office.campaign(T)
    office.mail.at["1001"] = D
    if way == "posted":
        await ask(office, "Spring lapsed")
        await actions.pick_campaign(office.services, office.request(), buttons.carry(campaign.id, Days()))
    else:
        await actions.refresh(office.services, office.request(message_ts="1.1"), buttons.carry(campaign.id, Days()))
    assert (office.piece().status is D) == (way == "refreshed"), "what is fresh for a minute is not read again else"


async def test_two_that_were_chosen_are_compared_in_the_channel(office: Office) -> None:
    one = await office.campaign(D)
    other = await office.campaign(D, ref="223", name="Fall")
    await actions.compare(office.services, office.request(), write(Comparing(one.id, None, None, other.id, None, None)))
    said = office.slack.last
    assert (said.way, said.shown.blocks[0]["text"]["text"]) == ("post", "Spring lapsed vs Fall")


async def test_the_latest_campaign_is_no_draft_where_there_is_another(office: Office) -> None:
    later = {"created_at": START + timedelta(days=2)}
    await office.campaign(D, created_at=START)
    await office.campaign(ref="223", name="Sketch", stage=CampaignStage.DRAFT, **later)
    assert (await ask(office, "latest"))[1].startswith("Showing *Spring lapsed*, the latest.")


async def test_a_draft_is_the_latest_where_there_is_nothing_else(office: Office) -> None:
    assert (await ask(office, "latest"))[0] == "answer", "of nothing there is no latest"
    await office.campaign(name="Sketch", stage=CampaignStage.DRAFT)
    assert (await ask(office, "latest"))[1].startswith("Showing *Sketch*, the latest.")


async def test_a_part_of_a_name_that_says_latest_is_that_name(office: Office) -> None:
    await office.campaign(D, name="Latest arrivals")
    await office.campaign(D, ref="223", name="Fall", created_at=START + timedelta(days=3))
    assert (await ask(office, "latest"))[1].startswith("Latest arrivals: ")


async def test_the_latest_that_a_guest_may_see_is_among_those_that_were_shown(office: Office) -> None:
    await office.campaign(D)
    await ask(office, "Spring lapsed")
    await office.campaign(D, ref="223", name="Secret", created_at=START + timedelta(days=3))
    said = (await ask(office, "latest", user=GUS, guest=True))[1]
    assert said.startswith("Showing *Spring lapsed*, the latest.")


async def test_a_range_that_was_mistyped_is_read_and_said(office: Office) -> None:
    await office.campaign(D)
    assert (await ask(office, "lats month"))[1].startswith("I read that as October 2026. ")
    said = (await ask(office, "Spring lapsed lats month"))[1]
    assert said.startswith("I read that as October 2026. Spring lapsed: ")


async def test_who_came_back_is_asked_of_a_name_without_its_own_words(office: Office) -> None:
    await office.campaign(D, Status.RETURNED, name="Export sale")
    await ask(office, "Export sale")
    assert "press *" not in office.slack.last.text
    await ask(office, "Export sale who came back")
    assert "press *Returns* below" in office.slack.last.text
    assert "makes a file" not in office.slack.last.text
    await ask(office, "export the returns of Export sale")
    assert "*Export CSV* there makes a file." in office.slack.last.text


async def test_where_nothing_came_back_no_button_is_named(office: Office) -> None:
    await office.campaign(D)
    for asked in ("who came back?", "export the returns", "Spring lapsed returns"):
        await ask(office, asked)
        assert "press *" not in office.slack.last.text, asked
