"""The one hello: who is greeted, when, with what; and that nobody is greeted twice."""

from datetime import timedelta

import pytest

from handlers import work
from handlers.errors import SlackBusy
from handlers.home import actions, hello, hello_view
from handlers.home.hello_view import Found
from handlers.setup import problems
from storage import intents
from storage.records import CampaignStage
from storage.statuses import Status
from tests.fakes import FakeAccounts
from tests.handlers.conftest import ANA, BEN, GUS, Office
from tests.strategies import fine

D, T = Status.DELIVERED, Status.IN_TRANSIT


def greeted(office: Office) -> list[tuple[str, str]]:
    return [(one.place, one.text) for one in office.slack.of("post")]


async def arrive(office: Office) -> None:
    office.note(baseline_at=office.clock.now())
    await office.campaign(D, T)
    await office.campaign(D, ref="223", name="Autumn")


async def test_the_first_admin_who_opens_home_is_greeted_once_with_what_was_found(office: Office) -> None:
    await arrive(office)
    for user in (BEN, GUS, ANA, ANA, BEN):
        await actions.look(office.services, office.request(user=user, guest=user == GUS))
    ((place, text),) = greeted(office)
    assert place == ANA
    assert "I see 2 campaigns, 1 still moving." in text
    for command in ("/mailstatus Spring lapsed`", "/mailtrack 1001`", "/mailalerts on`"):
        assert command in text


async def test_a_draft_is_no_campaign_that_was_ordered(office: Office) -> None:
    office.note(baseline_at=office.clock.now())
    await office.campaign(ref="224", name="New Year draft", stage=CampaignStage.DRAFT)
    await actions.look(office.services, office.request())
    ((_, text),) = greeted(office)
    assert "Nothing is ordered yet (1 draft)." in text
    assert "New Year" not in text


async def test_drafts_are_counted_beside_what_was_ordered(office: Office) -> None:
    await arrive(office)
    await office.campaign(ref="224", name="New Year draft", stage=CampaignStage.DRAFT)
    await actions.look(office.services, office.request())
    ((_, text),) = greeted(office)
    assert "I see 2 campaigns, 1 still moving, and 1 draft." in text
    assert hello_view.found_text(Found(1200, 0, drafts=3)).startswith(
        "I see 1,200 campaigns, none moving right now, and 3"
    )


async def test_whom_the_settings_name_is_greeted_after_the_first_reading(office: Office) -> None:
    office.policy(installer="U0SET")
    office.note(baseline_at=None)
    await hello.greet_named(office.services, office.workspace.id)
    assert greeted(office) == []
    await problems.poll(office.services, office.workspace.id)
    await problems.poll(office.services, office.workspace.id)
    await actions.look(office.services, office.request())
    assert [place for place, _ in greeted(office)] == ["U0SET"]
    assert "no campaigns yet" in greeted(office)[0][1]


@pytest.mark.parametrize(("days", "number"), [(0, 1), (3, 1), (4, 0), (-1, 0)])
async def test_nobody_is_greeted_long_after_the_first_reading(office: Office, days: int, number: int) -> None:
    await arrive(office)
    office.note(baseline_at=office.clock.now() - timedelta(days=days))
    await actions.look(office.services, office.request())
    assert len(greeted(office)) == number
    assert hello.NEW < intents.KEPT, "else it would be forgotten that somebody was greeted"


async def test_who_installed_from_the_page_was_welcomed_there(office: Office, accounts: FakeAccounts) -> None:
    await arrive(office)
    office.policy(installer="U0SET")
    await hello.greet_named(office.services, office.workspace.id)
    await actions.look(office.services, office.request())
    assert greeted(office) == []


async def test_what_slack_does_not_take_is_said_later_and_once(office: Office) -> None:
    await arrive(office)
    office.slack.fail("post", SlackBusy(retry_after=1))
    await actions.look(office.services, office.request())
    assert greeted(office) == []
    due = office.write(intents.keep, office.workspace.id, intents.Kind.HELLO, {"by": ANA}, name=hello.NAME)
    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = 0"))
    await work.resume(office.services, office.workspace.id, due)
    await work.resume(office.services, office.workspace.id, due)
    assert [place for place, _ in greeted(office)] == [ANA]


@pytest.mark.parametrize(
    "found",
    [Found(0, 0), Found(1, 0, "A"), Found(0, 0, drafts=2), Found(1200, 3, "`x` <!here> " * 30, "16818211", 1200)],
)
def test_whatever_was_found_can_be_said(found: Found) -> None:
    fine(hello_view.hello(found))
    assert ("I see" in hello_view.found_text(found)) == (found.campaigns > 0)
