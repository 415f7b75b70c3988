"""A piece that the database refuses harms no other, on whatever way it comes in, and a person can see it."""

import asyncio
import json
import random
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.cli.check import check
from bot.cli.importing import import_file, sync
from storage import workspaces
from storage.aside import KEPT_FOR, MOST, Refused, forget, keep
from storage.database import Database
from storage.ledger import tallies as tally
from storage.schema.account_tables import set_aside
from storage.schema.tables import pieces
from tests.journeys.conftest import Stage, everything, settings_for

#: What a value that the database cannot take looks like: PostgreSQL's 54000, which its driver calls operational.
REFUSE_POSTGRES = """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'index row size' USING ERRCODE = '54000'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON pieces FOR EACH ROW WHEN (NEW.ref IN ({refs})) EXECUTE FUNCTION refuse()"""
REFUSE_SQLITE = """CREATE TRIGGER refuse_{what} BEFORE {what} ON pieces WHEN NEW.ref IN ({refs}) BEGIN SELECT RAISE(ABORT, 'no'); END"""


def refuse(database: Database, *poisoned: int) -> None:
    """These pieces the database takes from nobody. By their numbers: an account need not tell more of a piece."""
    refs = ", ".join(f"'{ref}'" for ref in poisoned)
    with database.writer.begin() as connection:
        if not database.is_file:
            connection.exec_driver_sql(REFUSE_POSTGRES.format(refs=refs))
            return
        for what in ("INSERT", "UPDATE"):
            connection.exec_driver_sql(REFUSE_SQLITE.format(what=what, refs=refs))


def kept_aside(database: Database) -> dict[str, str]:
    return {row.ref: row.reason for row in database.read(lambda c: c.execute(select(set_aside)).all())}


async def call(stage: Stage, *told: Any) -> int:
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    return await stage.stannp.call_webhook(address, stage.stannp.delivery([*told], told[0].id))


async def test_a_poisoned_piece_harms_no_neighbor_by_webhook_or_poll(stage: Stage) -> None:
    memory = stage.app.services.memory
    mailed = stage.stannp.pieces_of(222)
    bad = stage.world._make_piece(223, stage.world.now)
    stage.stannp.pieces[bad.id] = bad
    refuse(memory.database, bad.id)
    for piece in mailed:
        piece.move("delivered", datetime.now(UTC))
    answers = await asyncio.gather(*(call(stage, bad, piece) for piece in mailed), *(call(stage, p) for p in mailed))
    assert Counter(answers) == {200: 24}
    await stage.merged()
    # Of a piece that is no more than a number and a status, nothing is written before a list tells of it.
    refused = [] if stage.stannp.rude.bare_pieces else [str(bad.id)]
    assert list(kept_aside(memory.database)) == refused
    # The poll meets it as well, goes on past it, and to its end.
    newcomer = stage.world._make_piece(225, stage.world.now)
    stage.stannp.pieces[newcomer.id] = newcomer
    before = (await memory.read(workspaces.by_id, stage.app.workspace.id)).polled_at
    await stage.poll()
    assert (await memory.read(workspaces.by_id, stage.app.workspace.id)).polled_at != before
    refs = set(await memory.read(lambda c: c.scalars(select(pieces.c.ref)).all()))
    assert str(newcomer.id) in refs
    assert str(bad.id) not in refs
    assert list(kept_aside(memory.database)) == [str(bad.id)]
    assert await memory.read(tally.drift, stage.app.workspace.id) == []
    # And a person sees it, with no more than its number.
    database_url = memory.database.reader.url.render_as_string(hide_password=False)
    found = await check(settings_for(stage.slack, stage.stannp, database_url, "http"))
    line = next(one for one in found if one.what == "Kept aside")
    assert f"1 could not be kept; the newest, {bad.id}" in line.text
    assert "54000 ProgramLimitExceeded" in line.text or "SQLITE_CONSTRAINT_TRIGGER" in line.text


async def test_a_poisoned_piece_harms_no_neighbor_by_import_or_sync(stage: Stage, tmp_path: Path) -> None:
    database = stage.app.services.memory.database
    file = tmp_path / "past.csv"
    rows = [f"{number},2025-03-01,delivered,2025-03-09,6x9" for number in range(500, 520)]
    file.write_text("id,timestamp,status,status_date,format\n" + "\n".join(rows))
    bad = stage.world._make_piece(223, stage.world.now)
    refuse(database, 507, bad.id)
    import_file(database, stage.app.workspace.id, file, lambda *_: None)
    stage.stannp.pieces[bad.id] = bad
    newcomer = stage.world._make_piece(225, stage.world.now)
    stage.stannp.pieces[newcomer.id] = newcomer
    today = datetime.now(UTC).date()
    platform = stage.app.services.platform
    async for _ in sync(database, stage.app.workspace.id, platform, date.fromordinal(today.toordinal() - 20), today):
        pass
    refs = set(database.read(lambda c: c.scalars(select(pieces.c.ref)).all()))
    assert {str(number) for number in range(500, 520) if number != 507} | {str(newcomer.id)} <= refs
    assert set(kept_aside(database)) == {"507", str(bad.id)}
    assert database.read(tally.drift, stage.app.workspace.id) == []


async def test_names_and_places_too_long_for_an_index_are_kept(stage: Stage) -> None:
    # Three lines of an address and a place, each of the longest that is read, and of characters of four bytes.
    dice = random.Random(5)
    lines = ["".join(chr(dice.randrange(0x20000, 0x2A6D6)) for _ in range(300)) for _ in range(6)]
    address = {
        "firstname": lines[0],
        "lastname": lines[1],
        "address1": lines[2],
        "address2": lines[3],
        "address3": lines[4],
    }
    scan = {"status": "delivered", "date": "2026-10-30 10:00:00", "location": lines[5]}
    told = {"id": 777, "timestamp": "2026-10-20 09:00:00", "status": "delivered", "tracking": [scan], **address}
    unknown = {"id": lines[0], "tracking": [scan, scan | {"status": lines[1]}]}
    for row in (told, unknown):
        raw = json.dumps({"event": "mailpiece_status", "mailpieces": [row]}).encode()
        assert await stage.stannp.call_webhook(f"http://127.0.0.1:{stage.app.port}/webhooks/stannp", raw) == 200
    await stage.merged()
    memory = stage.app.services.memory
    assert kept_aside(memory.database) == {}
    assert "Delivered" in everything(await stage.say("/mailtrack", lines[0][:40]))


def test_what_is_kept_aside_is_bounded_and_forgotten(database: Database) -> None:
    from tests.storage.test_mailings import NOW, open_workspace

    workspace = database.write(open_workspace)
    many = [Refused(str(number), "23514 CheckViolation") for number in range(MOST + 5)]
    database.write(keep, workspace.id, many[:6], NOW - KEPT_FOR)
    database.write(keep, workspace.id, [*many[6:], Refused("x" * 5000 + "\x00", "again")], NOW)
    found = kept_aside(database)
    assert len(found) == MOST
    assert "x" * 200 in found
    database.write(forget, NOW + KEPT_FOR)
    assert len(kept_aside(database)) == MOST
    database.write(forget, NOW + 2 * KEPT_FOR)
    assert kept_aside(database) == {}
