"""What one workspace sends in masses delays no other: webhooks have shares, and a call holds so many objects."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from storage import workspaces
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.records import WorkspaceId
from storage.statuses import Status
from tests.house import ACME, BOLT, House, all_merged, house


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


async def test_a_flood_of_webhooks_of_one_workspace_does_not_delay_another(two: House) -> None:
    flooded, other = await address_of(two, ACME), await address_of(two, BOLT)
    acme, bolt, template = two.mail[ACME], two.mail[BOLT], two.tenants.template
    key = (await template.memory.read(workspaces.by_team, BOLT)).id
    piece = bolt.pieces_of(222)[0]
    piece.move("returned", datetime.now(UTC))
    # While nothing is merged the flood comes first, and then one call of another.
    gate = threading.Event()
    held = asyncio.create_task(template.memory.on_writer(gate.wait, 30))
    calls = [objects(400, n * 400 + 1) for n in range(60)]
    assert set(await asyncio.gather(*(acme.call_webhook(flooded, raw) for raw in calls))) == {200}
    assert await bolt.call_webhook(other, bolt.delivery([piece], 1)) == 200
    left = list[int]()

    def look(connection: Connection, whose: WorkspaceId, batch: Any, now: Any) -> Any:
        done = apply(connection, whose, batch, now)
        if whose == key:
            left.append(sum(one.calls for one in template.inflow.inbox.waiting().values()))
        return done

    apply = ledger.apply_heard
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "apply_heard", look)
        gate.set()
        await held
        assert two.app is not None
        await all_merged(two.app, 60)
    assert left[0] > 40, f"{60 - left[0]} calls of the flood went first"
    found = await template.memory.read(queries.find_pieces, key, str(piece.id), 1)
    assert found[0].status is Status.RETURNED


async def test_a_call_with_more_objects_than_stannp_ever_sends_is_taken_in_part(
    two: House, caplog: pytest.LogCaptureFixture
) -> None:
    memory = two.tenants.template.memory
    before = memory.learned
    # An error would be one of the five after which Stannp calls no more; what was left is polled.
    assert await two.mail[ACME].call_webhook(await address_of(two, ACME), objects(20_000)) == 200
    assert two.app is not None
    await all_merged(two.app)
    await two.until(lambda: "webhook.rows_ignored" in caplog.text)
    assert 50 <= memory.learned - before <= 1000
