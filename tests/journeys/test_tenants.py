"""Installations and people that change while the bot runs: late events, doubtful tokens, guests, and revoked keys."""

from collections.abc import AsyncIterator

import pytest

from bot import wire
from storage import workspaces
from storage.records import Workspace
from tests.house import ACME, House, house


@pytest.fixture
async def acme(sqlite_url: str) -> AsyncIterator[House]:
    """One workspace, installed and connected."""
    async with house(sqlite_url) as made:
        await made.install(ACME)
        await made.connect(ACME)
        yield made


async def workspace_of(made: House) -> Workspace:
    return await made.tenants.template.memory.read(workspaces.by_team, ACME)


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
