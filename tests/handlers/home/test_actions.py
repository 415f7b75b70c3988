"""Home: at once what is known, then what the account says; a newer choice is never overtaken by a slow look."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.charts import addresses
from handlers.charts.addresses import PictureGone
from handlers.errors import HomeChanged, Outdated
from handlers.home import actions, first_steps, pie
from handlers.home import view as home_view
from handlers.home.table import TABLE
from handlers.text import buttons, parsing
from handlers.text.buttons import Action, OneRow, Word
from handlers.text.codec import write
from storage import troubles, workspaces
from storage.queries.mail import Days
from storage.records import CampaignStage
from storage.statuses import Status
from storage.troubles import Kind
from tests.fakes import FakeAccounts
from tests.handlers.conftest import ANA, BEN, GUS, Office, pressable


def homes(office: Office) -> list[str]:
    """Which version each showing of Ana's Home was published against."""
    return [one.place.partition(",")[2] for one in office.slack.of("home") if one.place.startswith(ANA)]


async def test_the_tab_shows_what_is_known_and_then_what_is_new(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    office.note(polled_at=office.clock.now() - timedelta(hours=1))
    await actions.look(office.services, office.request(view_hash="seen"))
    assert homes(office) == ["seen", "hash1"]
    assert "balance" in office.mail.calls
    assert office.again().balance is not None


async def test_a_newer_choice_is_not_overtaken(office: Office) -> None:
    office.slack.fail("publish_home", None, HomeChanged())
    await actions.look(office.services, office.request(view_hash="seen"))
    assert homes(office) == ["seen"]
    office.slack.fail("publish_home", HomeChanged())
    await actions.look(office.services, office.request(view_hash="old"))
    assert homes(office)[1:] == ["", "hash2"], "another look was quicker: one more shows both"


async def test_guests_and_who_has_no_account_see_their_own_home(office: Office) -> None:
    await actions.look(office.services, office.request(user=GUS, guest=True))
    guest = office.slack.last.text
    await actions.look(office.services, office.request(user=GUS, guest=True, unknown=True))
    assert office.slack.last.text != guest
    office.note(connected_at=None)
    await actions.look(office.services, office.request())
    assert Action.CONNECT.value in office.slack.last.text
    await actions.look(office.services, office.request(user=BEN))
    assert Action.CONNECT.value not in office.slack.last.text
    assert office.mail.calls == []


async def test_published_anew_it_shows_what_stands_now_whatever_was_seen(office: Office) -> None:
    request = office.request(view_hash="old")
    office.note(polled_at=None)
    await actions.publish(office.services, request)
    assert homes(office) == [""]


async def chosen(office: Office) -> str:
    return office.read(workspaces.span_of, office.workspace.id, ANA)


@pytest.mark.parametrize("preset", parsing.PRESETS)
async def test_a_range_is_remembered(office: Office, preset: str) -> None:
    await actions.choose_range(office.services, office.request(view_hash="h"), write(Word(preset)))
    assert await chosen(office) == preset
    assert homes(office) == ["h"]
    with pytest.raises(Outdated):
        await actions.choose_range(office.services, office.request(), write(Word("never")))


async def test_days_are_chosen_one_by_one(office: Office) -> None:
    for work, day, kept in (
        (actions.choose_first, "2026-10-05", "2026-10-05..2026-11-02"),
        (actions.choose_last, "2026-10-20", "2026-10-05..2026-10-20"),
        (actions.choose_first, "2026-10-25", "2026-10-20..2026-10-25"),
        (actions.choose_last, "2027-01-01", "2026-10-20..2026-11-02"),
    ):
        await work(office.services, office.request(), day)
        assert await chosen(office) == kept, day
    before = await chosen(office)
    await actions.choose_first(office.services, office.request(), "soon")
    assert await chosen(office) == before
    assert "read that as a date" in office.slack.last.text


async def test_all_time_begins_with_the_chosen_day(office: Office) -> None:
    await actions.choose_range(office.services, office.request(), write(Word("all")))
    await actions.choose_last(office.services, office.request(), "2026-10-20")
    assert await chosen(office) == "2026-10-20..2026-10-20"
    await actions.choose_range(office.services, office.request(), write(Word("all")))
    await actions.choose_first(office.services, office.request(), "2026-10-20")
    assert await chosen(office) == "2026-10-20..2026-11-02"


async def test_an_empty_range_leads_to_the_nearest_one_that_has_mail(office: Office) -> None:
    await office.campaign(Status.DELIVERED, piece={"created_at": datetime(2026, 3, 30, 14, tzinfo=UTC)})
    await actions.choose_range(office.services, office.request(), write(Word("last-month")))
    shown = pressable(office.slack.last.shown["blocks"])
    (march,) = [value for action, value in shown if action == Action.HOME_NEAREST]
    assert "The nearest mail was ordered in March 2026." in office.slack.last.text
    await actions.choose_range(office.services, office.request(), march)
    assert await chosen(office) == "2026-03-01..2026-03-31"
    assert "*1 piece*" in office.slack.last.text
    with pytest.raises(Outdated):
        await actions.choose_range(office.services, office.request(), write(Word("2026-03-01..")))


async def pages(office: Office, number: int) -> None:
    for n in range(number):
        await office.campaign(
            Status.DELIVERED, ref=str(300 + n), name=f"Drop {n:02}", piece={"created_at": office.clock.now()}
        )


async def test_a_page_beyond_the_last_is_the_last(office: Office) -> None:
    await pages(office, home_view.PAGE + 1)
    for page, shown in ((0, home_view.PAGE), (1, 1), (7, 1)):
        await actions.turn_page(office.services, office.request(), write(OneRow(page)))
        names = {f"Drop {n:02}" for n in range(home_view.PAGE + 1) if f"Drop {n:02}" in office.slack.last.text}
        assert len(names) == shown, page
    await actions.look(office.services, office.request(), write(OneRow(1)))
    assert "Drop 00" in office.slack.last.text
    await actions.publish(office.services, office.request())
    assert "Drop 00" not in office.slack.last.text, "anew it begins with its first page"


async def test_a_pictures_address_is_good_for_an_hour_whenever_it_was_shown(office: Office) -> None:
    office.policy(public_url="https://mail.example", picture_key=b"key")
    await pages(office, 1)
    for minutes in (0, 59):
        office.clock.pass_time(minutes=minutes)
        await actions.publish(office.services, office.request())
        address = next(one["image_url"] for one in office.slack.last.shown["blocks"] if one["type"] == "image")
        token = address.rpartition("/")[2].removesuffix(".png")
        until = office.clock.now() + timedelta(hours=1)
        assert addresses.opened(b"key", token, until).counts, minutes
        with pytest.raises(PictureGone):
            addresses.opened(b"key", token, until + timedelta(hours=1, minutes=1))


async def test_a_picture_needs_an_address_of_ours_and_something_to_show(office: Office) -> None:
    async def pictured() -> bool:
        await actions.publish(office.services, office.request())
        return "image_url" in office.slack.last.text

    office.policy(public_url="https://mail.example", picture_key=b"key")
    assert not await pictured()
    await pages(office, 1)
    assert await pictured()
    first = office.slack.last.text
    office.clock.pass_time(minutes=59)
    await pictured()
    assert office.slack.last.text == first, "to the full hour the same address"
    office.note(polled_at=None)
    assert not await pictured()
    office.note(polled_at=office.clock.now())
    office.policy(public_url="")
    assert not await pictured()


async def test_what_is_wrong_and_what_the_balance_covers_is_said(office: Office, accounts: FakeAccounts) -> None:
    office.note(balance=Decimal(10), balance_at=office.clock.now())
    await office.campaign(
        stage=CampaignStage.BOOKED, send_on=office.clock.now().date() + timedelta(days=5), cost=Decimal("10.01")
    )
    office.write(troubles.begin, office.workspace.id, Kind.KEY, office.clock.now())
    await actions.publish(office.services, office.request())
    assert "$0.01" in office.slack.last.text
    assert "API key" in office.slack.last.text
    assert accounts.calls == []


def test_a_handshake_is_said_until_the_first_call(office: Office) -> None:
    assert first_steps.handshake(office.workspace, "Stannp") == ""
    assert first_steps.handshake(office.note(handshake_at=office.clock.now()), "Stannp") != ""
    assert first_steps.handshake(office.note(webhook_at=office.clock.now()), "Stannp") == ""


def test_choices_in_home_are_answered_in_turn() -> None:
    in_turn: Any = {one for one, press in TABLE.actions.items() if press.in_turn}
    assert {Action.HOME_FIRST, Action.HOME_LAST} <= in_turn


async def test_home_says_that_the_pie_was_sent(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    await pie.show_pie(office.services, office.request(), buttons.carry(None, Days()))
    assert [one.place for one in office.slack.of("post")] == [ANA]
    assert "The pie is in our direct messages" in office.slack.of("home")[-1].text
    await actions.look(office.services, office.request())
    assert "The pie is in our direct messages" not in office.slack.of("home")[-1].text
    office.slack.fail("publish_home", HomeChanged(), HomeChanged())
    await pie.show_pie(office.services, office.request(), buttons.carry(None, Days()))
    assert len(office.slack.of("post")) == 2, "Home that changed meanwhile is no error"
