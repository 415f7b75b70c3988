"""Connecting the account: tried once, kept sealed, and said in words where it is refused."""

from dataclasses import replace

import pytest

from handlers.context.access import NotSteward
from handlers.errors import HomeChanged, KeyRefused, PlatformDown, PlatformRefused, SlackDown, Trouble
from handlers.home import problem_view
from handlers.setup import actions, problems
from handlers.setup.actions import BySettings, NoAddress
from handlers.setup.table import TABLE
from handlers.text.buttons import Action
from storage import intents, troubles
from storage.audit import Act
from storage.intents import Kind
from storage.troubles import Kind as Wrong
from tests.fakes import PROFILE, FakeAccounts
from tests.handlers.conftest import ANA, BEN, Office


async def test_who_installed_us_is_greeted_and_shown_the_first_steps(office: Office) -> None:
    await actions.greet(office.services, office.workspace)
    assert office.slack.said == []
    await actions.greet(office.services, office.note(installer=ANA))
    assert [(one.way, one.place) for one in office.slack.said] == [("post", ANA)]
    await actions.greet(office.services, office.note(connected_at=None))
    assert [one.way for one in office.slack.said] == ["post", "post", "home"]
    assert Action.CONNECT.value in office.slack.last.text


async def test_where_the_settings_name_the_account_nothing_is_connected_here(office: Office) -> None:
    for work in (actions.open_connect, actions.open_webhook, actions.new_webhook):
        with pytest.raises(BySettings):
            await work(office.services, office.request(), "")
        with pytest.raises(NotSteward):
            await work(office.services, office.request(user=BEN), "")
    with pytest.raises(NotSteward):
        await actions.connect(office.services, office.request(user=BEN), "key", "us")
    with pytest.raises(NotSteward):
        await actions.save_webhook(office.services, office.request(user=BEN), "long enough")


async def connect(office: Office, key: str = " key-1 ", region: str = "us") -> str:
    """Submits the form; gives what it then shows."""
    await actions.connect(office.services, office.request(view_id="V1"), key, region)
    shown = [one for one in office.slack.said if one.way == "update"][-1]
    assert shown.place == "V1"
    return shown.text


async def test_a_key_is_tried_and_kept_and_home_shows_what_it_brings(office: Office, accounts: FakeAccounts) -> None:
    await actions.open_connect(office.services, office.request(), "")
    assert office.slack.last.way == "open"
    assert "Acme Outdoors" in await connect(office)
    assert accounts.kept == [("key-1", "us")]
    assert office.log() == [(Act.CONNECTED, "Acme Outdoors", office.log()[0][2])]
    assert office.slack.last.way == "home"


@pytest.mark.parametrize("key", ["two words", "ключ", "x\x00y", "k" * (actions.LONGEST_KEY + 1)])
async def test_what_is_no_key_is_tried_nowhere(office: Office, accounts: FakeAccounts, key: str) -> None:
    assert "no API key" in await connect(office, key)
    assert "no API key" in await connect(office, region="mars")
    assert accounts.calls == []
    assert "no API key" not in await connect(office, "k" * actions.LONGEST_KEY)


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (PlatformDown(), "cannot be reached"),
        (KeyRefused(), "refused this key"),
        (PlatformRefused(), "refused this key"),
    ],
)
async def test_a_key_that_is_not_taken_is_asked_for_again(
    office: Office, accounts: FakeAccounts, trouble: Trouble, said: str
) -> None:
    accounts.fail("connect", trouble)
    assert said in await connect(office)
    assert (accounts.kept, office.log()) == ([], [])


@pytest.mark.parametrize("trouble", [SlackDown(), HomeChanged()])
async def test_a_home_that_cannot_be_shown_undoes_nothing(
    office: Office, accounts: FakeAccounts, trouble: Trouble
) -> None:
    office.slack.fail("publish_home", trouble, trouble)
    await connect(office)
    assert accounts.kept == [("key-1", "us")]


async def test_the_same_request_connects_once(office: Office, accounts: FakeAccounts) -> None:
    kept = office.write(intents.keep_taken, office.workspace.id, Kind.ASKED, {"by": ANA}, "", "k")
    assert kept is not None
    request = office.request(view_id="V1", kept=kept)
    await actions.connect(office.services, request, "key-1", "us")
    again = replace(request, kept=office.read(intents.of, office.workspace.id, kept.id))
    await actions.connect(office.services, again, "key-2", "us")
    assert accounts.kept == [("key-1", "us")]
    await actions.new_webhook(office.services, again, "")
    assert accounts.address.endswith("one")
    await actions.save_webhook(office.services, again, "long enough")
    assert accounts.kept == [("key-1", "us")]
    assert len(office.log()) == 1


async def test_the_webhooks_address_is_shown_where_it_was_asked_for(office: Office, accounts: FakeAccounts) -> None:
    await actions.open_webhook(office.services, office.request(), "")
    await actions.open_webhook(office.services, office.request(view_id="V1"), "")
    assert [one.way for one in office.slack.said] == ["open", "push"]
    assert all(accounts.address in one.text for one in office.slack.said)
    accounts.address = ""
    with pytest.raises(NoAddress):
        await actions.open_webhook(office.services, office.request(), "")


async def test_a_new_address_is_shown_and_written_down(office: Office, accounts: FakeAccounts) -> None:
    await actions.new_webhook(office.services, office.request(view_id="V1"), "")
    assert accounts.address.endswith("two")
    assert accounts.address in office.slack.last.text
    assert office.log() == [(Act.WEBHOOK, "new address", "")]


@pytest.mark.parametrize(("secret", "kept"), [("1234567", False), ("12345678", True), ("  1234567  ", False)])
async def test_a_secret_that_could_be_guessed_is_asked_for_again(
    office: Office, accounts: FakeAccounts, secret: str, kept: bool
) -> None:
    await actions.save_webhook(office.services, office.request(view_id="V1"), secret)
    assert accounts.kept == ([("secret", secret)] if kept else [])
    assert office.log() == ([(Act.WEBHOOK, "secret", "")] if kept else [])
    assert ("Nothing was saved" in office.slack.last.text) != kept


def test_what_is_changed_here_is_kept_and_shows_that_it_is_under_way() -> None:
    assert {one for one, press in TABLE.actions.items() if press.kept} == {Action.NEW_WEBHOOK}
    assert all(form.kept and form.meanwhile for form in TABLE.forms.values())


# ---- What only a person can mend --------------------------------------------------------------------------------


async def wrong(office: Office) -> list[Wrong]:
    return [one.kind for one in office.read(troubles.of, office.workspace.id)]


async def test_a_key_that_is_no_longer_accepted_is_told_once_and_over_when_it_is(office: Office) -> None:
    office.note(installer=ANA)
    for _ in range(2):
        office.mail.fail("campaigns", KeyRefused())
        office.mail.fail("balance", KeyRefused())
        with pytest.raises(KeyRefused):
            await problems.poll(office.services, office.workspace.id)
    assert [one.place for one in office.slack.said] == [ANA]
    assert await wrong(office) == [Wrong.KEY]
    await problems.poll(office.services, office.workspace.id)
    assert await wrong(office) == []


@pytest.mark.parametrize("balance", [None, PlatformDown()])
async def test_one_report_that_is_refused_is_not_the_key(office: Office, balance: Trouble | None) -> None:
    office.note(installer=ANA)
    office.mail.fail("campaigns", KeyRefused())
    office.mail.fail("balance", balance)
    with pytest.raises(KeyRefused):
        await problems.poll(office.services, office.workspace.id)
    assert (office.slack.said, await wrong(office)) == ([], [])


async def test_a_platform_that_tells_no_balance_says_by_its_account_whether_the_key_is_good(office: Office) -> None:
    office.note(installer=ANA)
    office.mail.profile = replace(office.mail.profile, abilities=frozenset())
    for account, expected in ((None, []), (KeyRefused(), [Wrong.KEY])):
        office.mail.fail("campaigns", KeyRefused())
        office.mail.fail("account", account)
        with pytest.raises(KeyRefused):
            await problems.poll(office.services, office.workspace.id)
        assert await wrong(office) == expected
    assert "balance" not in office.mail.calls


async def test_what_could_not_be_told_is_told_at_the_next_look(office: Office) -> None:
    office.note(installer=ANA)
    office.write(troubles.begin, office.workspace.id, Wrong.KEY, office.clock.now())
    office.slack.fail("post", SlackDown())
    for told in (0, 1, 1):
        await problems.watch(office.services, office.workspace.id)
        assert len(office.slack.said) == told


async def test_what_to_do_depends_on_where_the_key_is_kept(office: Office) -> None:
    office.write(troubles.begin, office.workspace.id, Wrong.KEY, office.clock.now())
    (problem,) = office.read(troubles.of, office.workspace.id)
    assert "STANNP_API_KEY" in problem_view.text(problem, PROFILE, many=False, public_url="")
    assert "STANNP_API_KEY" not in problem_view.text(problem, PROFILE, many=True, public_url="")
