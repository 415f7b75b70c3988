"""What goes wrong for one does not reach its neighbors: in a shared transaction, and with a secret that is closed."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from storage import secrets as sealed_secrets
from storage import workspaces
from storage.secrets import SecretKind
from storage.vault import Vault, new_key
from tests.house import ACME, BOLT, House, house


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[House]:
    """Both installed and connected."""
    async with house(postgres_url) as made:
        for team in (ACME, BOLT):
            await made.install(team)
            await made.connect(team)
        yield made


async def test_clicks_of_a_removed_workspace_take_no_neighbor_with_them(two: House) -> None:
    memory = two.tenants.template.memory
    gone = await memory.read(workspaces.by_team, ACME)
    await two.say(ACME, "/mailstatus", "help")
    # Another process was told of the removal: this one still has the workspace open.
    await memory.write(workspaces.note, gone.id, removed_at=two.tenants.template.clock.now())
    before = len(two.slack(BOLT).messages)
    held = asyncio.create_task(memory.write(lambda _connection: time.sleep(1)))
    await asyncio.sleep(0.1)
    # All of these wait behind the one above, and so share the next transaction.
    asked = [two.slack(ACME).command("U0ANA", "C0MAIL", "/mailstatus", "help")]
    asked += [two.slack(BOLT).command("U0BOB", "C0MAIL", "/mailtrack", f"nothing-{n}") for n in range(30)]
    assert all(one.ok for one in await asyncio.gather(*asked))
    await held
    await two.until(lambda: len(two.slack(BOLT).messages) >= before + 30, 10)
    await two.until(lambda: [m for m in two.slack(ACME).messages if "was removed from this workspace" in m.text], 10)


@pytest.mark.parametrize("raised", [LookupError, asyncio.CancelledError, SystemError, KeyError])
async def test_whatever_one_of_a_group_raises_is_its_own_alone(two: House, raised: type[BaseException]) -> None:
    memory = two.tenants.template.memory

    def breaks(_connection: Any) -> None:
        raise raised

    def same(_connection: Any, number: int) -> int:
        return number

    held = asyncio.create_task(memory.write(lambda _connection: time.sleep(0.3)))
    await asyncio.sleep(0.05)
    done = await asyncio.gather(
        *(memory.write_grouped(same, n) for n in range(5)),
        memory.write_grouped(breaks),
        *(memory.write_grouped(same, n) for n in range(5)),
        return_exceptions=True,
    )
    await held
    assert [*done[:5], *done[6:]] == [*range(5), *range(5)]
    assert isinstance(done[5], Exception)


async def test_a_secret_that_does_not_open_is_an_outage_in_words_and_no_token_is_logged(
    two: House, caplog: pytest.LogCaptureFixture
) -> None:
    memory = two.tenants.template.memory
    acme = (await memory.read(workspaces.by_team, ACME)).id
    address = await two.tenants.webhook(acme)
    token = address.rsplit("/", 1)[1]
    for place in (SecretKind.SLACK, SecretKind.ACCOUNT):
        await memory.write(
            sealed_secrets.keep_secret, Vault([new_key()]), acme, place, {}, two.tenants.template.clock.now()
        )
    two.tenants.forget(acme)
    acked = await two.slack(ACME).command("U0ANA", "C0MAIL", "/mailstatus", "")
    assert "Whoever runs Piecewise can mend that" in str(acked), acked
    double = two.mail[ACME]
    raw = double.delivery(list(double.pieces.values())[:1], 1)
    assert await double.call_webhook(address, raw) == 503
    assert "secret.closed" in caplog.text
    assert token not in caplog.text
    assert two.app is not None
    metrics = f"http://127.0.0.1:{two.app.metrics_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(metrics) as answer:
        assert "piecewise_secrets_closed 1.0" in await answer.text()
    # The neighbor is served.
    assert "/mailstatus" in str((await two.say(BOLT, "/mailstatus", "help")).blocks)


async def test_what_breaks_in_a_route_is_logged_without_its_path(
    two: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(type(two.tenants), "by_webhook", broken)
    address = f"{two.public}/webhooks/stannp/plantedtoken"
    async with aiohttp.ClientSession() as session, session.post(address, data=b"{}") as answer:
        assert answer.status == 500
    assert "route.broke" in caplog.text
    assert "/webhooks/stannp/{token}" in caplog.text
    assert "plantedtoken" not in caplog.text
