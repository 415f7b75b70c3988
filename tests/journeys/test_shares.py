"""What one workspace sends in masses delays no other: webhooks have shares, and a call holds so many objects."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handlers.context import webhook_queue
from storage import workspaces
from storage.records import WorkspaceId
from tests.house import ACME, BOLT, House, house


@pytest.fixture
async def two(database_url: str) -> AsyncIterator[House]:
    """Both installed and connected."""
    async with house(database_url) as made:
        for team in (ACME, BOLT):
            await made.install(team)
            await made.connect(team)
        yield made


async def address_of(two: House, team: str) -> str:
    many = two.tenants
    key: WorkspaceId = (await many.template.memory.read(workspaces.by_team, team)).id
    await many.keep_webhook_secret(key, two.mail[team].webhook_secret)
    return await many.webhook(key)


def objects(number: int, first: int = 1) -> bytes:
    """A call about so many pieces, as only who signs for themselves would send it."""
    rows = [{"id": first + n, "status": "delivered"} for n in range(number)]
    return json.dumps({"event": "mailpiece_status", "retries": 0, "mailpieces": rows}, separators=(",", ":")).encode()


async def test_a_flood_of_webhooks_of_one_workspace_does_not_delay_another(
    two: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    flooded, other = await address_of(two, ACME), await address_of(two, BOLT)
    acme, bolt = two.mail[ACME], two.mail[BOLT]
    apply_all = webhook_queue._apply_all

    def slow(connection: Any, calls: Any, silent: Any, now: Any) -> None:
        time.sleep(0.05)
        apply_all(connection, calls, silent, now)

    monkeypatch.setattr(webhook_queue, "_apply_all", slow)
    flood = [asyncio.create_task(acme.call_webhook(flooded, objects(400, n * 400 + 1))) for n in range(60)]
    await two.until(lambda: any(one.done() for one in flood))
    assert await bolt.call_webhook(other, bolt.delivery(bolt.pieces_of(222)[:1], 1)) == 200
    waiting = sum(not one.done() for one in flood)
    await asyncio.gather(*flood)
    assert waiting > 40, f"{60 - waiting} calls of the flood went first"


async def test_a_call_with_more_objects_than_stannp_ever_sends_is_taken_in_part(
    two: House, caplog: pytest.LogCaptureFixture
) -> None:
    kept = two.tenants.template.webhook_queue
    before = kept.kept
    # An error would be one of the five after which Stannp calls no more; what was left is polled.
    assert await two.mail[ACME].call_webhook(await address_of(two, ACME), objects(20_000)) == 200
    assert 50 <= kept.kept - before <= 1000
    assert "webhook.rows_ignored" in caplog.text
