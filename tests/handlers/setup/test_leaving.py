"""Slack's word that we were removed: believed when it is beyond doubt, and of an earlier installation never."""

from datetime import timedelta

import pytest

from handlers.errors import Removed, SlackDown, SlackRefused, Trouble, WorkspaceGone
from handlers.setup.leaving import CLOCKS, ENDED, LASTS, REFUSED, Leaving
from storage import secrets
from storage.audit import Act
from storage.secrets import SecretKind
from storage.vault import Vault, new_key
from tests.fakes import FakeTenants
from tests.handlers.conftest import Office

ONE = timedelta(seconds=1)


def installed(office: Office, *, token: bool = True) -> Leaving:
    """Installed a day ago from the web page; Slack says now that we were removed."""
    now = office.clock.now()
    office.note(installed_at=now - timedelta(days=1), leaving_at=now)
    if token:
        vault = Vault([new_key()])
        office.write(secrets.keep_secret, vault, office.workspace.id, SecretKind.SLACK, {"token": "x"}, now)
    return Leaving(office.services, FakeTenants(office.services))


async def look(office: Office, leaving: Leaving, trouble: Trouble | None = None) -> tuple[bool, bool]:
    """Looks once; gives whether it is unclear still, and whether we are gone."""
    if trouble is not None:
        office.slack.fail("test", trouble)
    await leaving.look(office.workspace.id)
    known = office.again()
    return known.leaving_at is not None, known.removed_at is not None


@pytest.mark.parametrize("code", sorted(ENDED))
async def test_an_ended_token_ends_the_installation_at_once(office: Office, code: str) -> None:
    leaving = installed(office)
    assert await look(office, leaving, WorkspaceGone(code=code)) == (False, True)
    assert office.read(secrets.sealed, office.workspace.id, SecretKind.SLACK) is None
    assert office.log() == [(Act.REMOVED, "", "")]
    tenants = leaving.tenants
    assert isinstance(tenants, FakeTenants)
    assert tenants.forgotten == [office.workspace.id] * 2
    assert await look(office, leaving) == (False, True)
    assert office.slack.calls == ["test"], "who is gone is not looked at again"


@pytest.mark.parametrize("code", sorted(REFUSED - ENDED))
async def test_another_refusal_has_to_last_a_minute(office: Office, code: str) -> None:
    leaving = installed(office)
    assert await look(office, leaving, WorkspaceGone(code=code)) == (True, False)
    office.clock.moment += LASTS - ONE
    assert await look(office, leaving, WorkspaceGone(code=code)) == (True, False)
    office.clock.moment += ONE
    assert await look(office, leaving, WorkspaceGone(code=code)) == (False, True)


@pytest.mark.parametrize("between", [SlackDown(), SlackRefused(code="odd"), None])
async def test_anything_else_between_begins_the_minute_anew(office: Office, between: Trouble | None) -> None:
    leaving = installed(office)
    await look(office, leaving, WorkspaceGone(code="invalid_auth"))
    office.clock.moment += LASTS - ONE
    office.note(leaving_at=office.clock.now())
    assert await look(office, leaving, between) == (True, False)
    office.clock.moment += ONE
    assert await look(office, leaving, WorkspaceGone(code="invalid_auth")) == (True, False)
    assert leaving.doubts


async def test_what_slack_does_not_say_is_unclear_for_as_long_as_it_takes(office: Office) -> None:
    leaving = installed(office)
    for _ in range(3):
        office.clock.moment += LASTS
        assert await look(office, leaving, SlackDown()) == (True, False)


@pytest.mark.parametrize(("after", "stays"), [(timedelta(0), False), (LASTS - ONE, False), (LASTS, True), (-ONE, True)])
async def test_that_the_token_works_is_believed_some_time_later(office: Office, after: timedelta, stays: bool) -> None:
    leaving = installed(office)
    office.clock.moment += after
    assert await look(office, leaving) == (not stays, False)


@pytest.mark.parametrize(("before", "older"), [(CLOCKS + ONE, True), (CLOCKS, False)])
async def test_news_of_an_earlier_installation_is_old(office: Office, before: timedelta, older: bool) -> None:
    leaving = installed(office)
    now = office.clock.now()
    office.note(installed_at=now, leaving_at=now - before)
    assert (await look(office, leaving, SlackDown()) == (False, False)) == older
    assert (office.slack.calls == []) == older


async def test_without_a_token_there_is_nothing_to_ask(office: Office) -> None:
    leaving = installed(office, token=False)
    assert await look(office, leaving) == (False, True)
    assert office.slack.calls == []


async def test_the_workspace_that_the_settings_name_keeps_its_token(office: Office) -> None:
    leaving = installed(office, token=False)
    office.note(installed_at=None)
    assert await look(office, leaving, WorkspaceGone(code="account_inactive")) == (False, False)
    assert office.log() == []


async def test_what_another_process_ended_is_over(office: Office) -> None:
    leaving = installed(office)
    assert await look(office, leaving, Removed()) == (True, False)
    office.note(leaving_at=None)
    assert await look(office, leaving) == (False, False)
    assert office.slack.calls == ["test"]


async def test_an_event_is_heard_once_and_the_latest_counts(office: Office) -> None:
    leaving, now = Leaving(office.services, FakeTenants(office.services)), office.clock.now()
    assert await leaving.hear(office.workspace.id, "Ev1", now)
    assert not await leaving.hear(office.workspace.id, "Ev1", now)
    assert await leaving.hear(office.workspace.id, "Ev2", now - timedelta(hours=1))
    assert office.again().leaving_at == now
    assert await leaving.hear(office.workspace.id, "Ev3", now + timedelta(hours=1))
    assert office.again().leaving_at == now + timedelta(hours=1)


async def test_all_that_is_unclear_is_looked_into_though_one_breaks(office: Office) -> None:
    leaving = installed(office)
    office.slack.fail("test", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await leaving.look_again()
    office.slack.fail("test", WorkspaceGone(code="token_revoked"))
    await leaving.look_again()
    assert office.again().removed_at is not None
