"""Installations and people that change while the bot runs: late events, doubtful tokens, guests, and revoked keys."""

import time
from collections.abc import AsyncIterator

import pytest

from bot import wire
from bot.sandbox.slack import BOT_USER, Fault
from handlers.leaving import Leaving
from storage import installs, workspaces
from storage.installs import Place
from storage.records import Workspace, WorkspaceId
from tests.house import ACME, House, house

UNINSTALLED = {"type": "app_uninstalled"}
REVOKED = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT_USER]}}


@pytest.fixture
async def acme(sqlite_url: str) -> AsyncIterator[House]:
    """One workspace, installed and connected."""
    async with house(sqlite_url) as made:
        await made.install(ACME)
        await made.connect(ACME)
        yield made


async def workspace_of(made: House) -> Workspace:
    return await made.tenants.template.memory.read(workspaces.by_team, ACME)


async def idle(made: House) -> None:
    """Nothing that was begun by a request is still under way."""
    assert made.app is not None
    tasks = made.app.in_flight.tasks
    await made.until(lambda: not [task for task in tasks if not task.get_name().startswith("tick:")])


async def has_key(made: House, key: WorkspaceId) -> bool:
    found = await made.tenants.template.memory.read(installs.secret, made.tenants.vault, key, Place.ACCOUNT)
    return found is not None and "key" in found


# ---- Events that come late --------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [UNINSTALLED, REVOKED], ids=["uninstalled", "revoked"])
@pytest.mark.parametrize("ago", [3600, 0], ids=["of an hour ago", "of just now"])
async def test_a_late_event_does_not_destroy_an_installation_that_works(
    acme: House, event: dict[str, object], ago: int
) -> None:
    await acme.install(ACME)
    assert (await acme.slack(ACME).tell(event, at=time.time() - ago)).ok
    await idle(acme)
    workspace = await workspace_of(acme)
    assert workspace.removed_at is None
    assert await has_key(acme, workspace.id)


async def test_a_passing_refusal_does_not_make_a_late_event_true(acme: House) -> None:
    await acme.install(ACME)
    acme.slack(ACME).faults.append(Fault("auth.test", error="invalid_auth"))
    assert (await acme.slack(ACME).tell(UNINSTALLED)).ok
    await idle(acme)
    workspace = await workspace_of(acme)
    assert workspace.removed_at is None
    assert await has_key(acme, workspace.id)


async def test_while_slack_cannot_say_nothing_is_destroyed_and_it_is_asked_again(acme: House) -> None:
    slack = acme.slack(ACME)
    slack.faults.append(Fault("auth.test", status=503, times=2))
    assert all(one.ok for one in await acme.cloud.uninstall(ACME))
    await idle(acme)
    workspace = await workspace_of(acme)
    assert workspace.removed_at is None
    assert await has_key(acme, workspace.id)
    slack.faults.clear()
    await Leaving(acme.tenants.template, acme.tenants).look_again()
    assert (await workspace_of(acme)).removed_at is not None
    assert not await has_key(acme, workspace.id)


async def test_an_event_that_comes_twice_is_looked_into_once(acme: House) -> None:
    slack = acme.slack(ACME)
    for seconds in (2, 1):
        assert (await slack.tell(UNINSTALLED, at=time.time() - seconds, event_id="Ev1")).ok
    await idle(acme)
    asked = [name for name, _ in slack.calls].count("auth.test")
    assert asked == 2, "once at the installation, and once for the event"


async def test_another_bot_s_or_a_person_s_revoked_token_is_not_our_business(acme: House) -> None:
    slack = acme.slack(ACME)
    for tokens in ({"oauth": ["U0ANA"]}, {"oauth": [], "bot": ["U0OTHERBOT"]}):
        assert (await slack.tell({"type": "tokens_revoked", "tokens": tokens})).ok
    await idle(acme)
    assert [name for name, _ in slack.calls].count("auth.test") == 1, "only at the installation"
    assert (await workspace_of(acme)).removed_at is None


# ---- Webhook secrets --------------------------------------------------------------------------------------------


async def test_an_empty_secret_is_no_key(acme: House) -> None:
    key = (await workspace_of(acme)).id
    address, mail = await acme.tenants.webhook(key), acme.mail[ACME]
    raw = mail.delivery([mail.pieces_of(222)[0]], 1)
    assert await mail.call_webhook(address, raw, wire.sign(raw, "")) == 401


@pytest.mark.parametrize("secret", ["", "   ", "short"])
async def test_home_refuses_a_secret_that_protects_nothing(acme: House, secret: str) -> None:
    slack, key = acme.slack(ACME), (await workspace_of(acme)).id
    ready = await acme.until(
        lambda: slack.homes["U0ANA"] if "set_up_webhook" in str(slack.homes["U0ANA"].view) else None
    )
    await slack.press("U0ANA", ready, "set_up_webhook")
    form = await acme.modal(ACME, "U0ANA", "/webhooks/stannp/")
    await acme.submit(ACME, "U0ANA", form, secret=secret)
    await acme.modal(ACME, "U0ANA", "at least 8 characters")
    raw, mail = b'{"event": "mailpiece_status"}', acme.mail[ACME]
    address = await acme.tenants.webhook(key)
    assert await mail.call_webhook(address, raw, wire.sign(raw, secret)) == 401
