"""A poll costs what moved: what the platform tells as it told it before is neither read nor written again."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from bot.platforms.stannp import wire
from bot.sandbox.stannp import MailCampaign, Mailpiece
from tests.journeys.conftest import Stage
from tests.rudeness import UNREAD

#: What is written of mail. What moved is counted again for five minutes after a move (`transits`).
OF_MAIL = {"campaigns", "pieces", "changes", "orphans", "tally_deltas", "due_details", "outbox"}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids of the report rows that are read from now on."""
    found: list[str] = []
    real: Callable[..., Any] = wire.report_pieces

    def noted(rows: list[wire.Row], *more: Any) -> Any:
        found.extend(row.ref for row in rows)
        return real(rows, *more)

    monkeypatch.setattr(wire, "report_pieces", noted)
    return found


def written(stage: Stage) -> set[str]:
    """The tables whose rows are written from now on."""
    found: set[str] = set()

    def after(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        words = statement.replace('"', "").split()
        at = {"INSERT": 2, "UPDATE": 1, "DELETE": 2}.get(words[0].upper(), 0)
        if at and cursor.rowcount > 0:
            found.add(words[at])

    event.listen(stage.app.services.memory.database.writer, "after_cursor_execute", after)
    return found


@pytest.mark.calm(*UNREAD)
async def test_where_nothing_moved_nothing_is_read_or_written(stage: Stage, read: list[str]) -> None:
    # What is not told for good (a timeline that is still due) has been asked for, and the reports agree.
    for _ in range(3):
        await stage.poll()
    read.clear()
    tables = written(stage)
    await stage.poll()
    assert read == []
    assert tables & OF_MAIL == set()


async def test_of_many_pieces_the_one_that_moved_is_read(stage: Stage, read: list[str]) -> None:
    for _ in range(3):
        await stage.poll()
    read.clear()
    piece = stage.stannp.pieces_of(222)[3]
    piece.move("returned", stage.world.now)
    await stage.poll()
    assert set(read) == {str(piece.id)}
    assert "Returned 1" in (await stage.say("/mailstatus", "Spring lapsed")).text


async def test_what_is_new_is_read_and_comes_into_its_campaign(stage: Stage, read: list[str]) -> None:
    for _ in range(3):
        await stage.poll()
    read.clear()
    stage.stannp.campaigns[900] = MailCampaign(900, "Autumn", "running", stage.world.now)
    stage.stannp.pieces[9000] = Mailpiece(
        9000, 900, stage.world.now, "Jane", "Smith", "1 Main Street", "Austin", "TX", "78701"
    )
    await stage.poll()
    assert set(read) == {"9000"}
    assert "1 piece" in (await stage.say("/mailstatus", "Autumn")).text
