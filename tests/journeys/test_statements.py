"""A statement that the database refuses is repeated for a while and not for ever: the other channels go on."""

from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import ProgrammingError

from handlers.alerts import delivery
from storage import outbox
from storage.records import ChannelId
from storage.schema.tables import outbox as rows
from tests.journeys.conftest import OPS, SALES, Stage, is_news


class Undefined(Exception):
    """As the driver says that a parameter's type cannot be told: only some values bring it about."""

    sqlstate = "42P18"


async def unsent(stage: Stage, channel: str) -> int:
    waiting = rows.c.channel == ChannelId(channel), rows.c.sent_at.is_(None)
    count = select(func.count()).select_from(rows).where(*waiting)
    return await stage.app.services.memory.read(lambda c: int(c.scalar(count) or 0))


async def test_a_statement_that_is_refused_for_one_channel_holds_up_no_other(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for channel in (OPS, SALES):
        await stage.say("/mailalerts", "on", channel=channel)
    settle = outbox.settle

    def refused(connection: Connection, settlements: Any) -> Any:
        if any(end.batch.channel == OPS and end.told for end in settlements):
            raise ProgrammingError("UPDATE", {}, Undefined())
        return settle(connection, settlements)

    monkeypatch.setattr(outbox, "settle", refused)
    monkeypatch.setattr(delivery, "STATEMENT_PATIENCE", 1.0)
    stage.stannp.pieces_of(222)[0].move("returned", stage.world.now)
    await stage.poll()
    await stage.until(lambda: [m for m in stage.slack.messages if m.channel == SALES and is_news(m)])
    await stage.until(lambda: "delivery.unrecorded" in caplog.text, 10)
    await stage.app.in_flight.drain(5)
    assert await unsent(stage, SALES) == 0
    assert await unsent(stage, OPS) == 0, "it would be told again"
