"""The inbox: webhook calls as they came, kept before they are answered, and merged into the ledger a moment later.

On PostgreSQL it is a table: what is merged is deleted in the same transaction, by whichever process skips what others
hold. On SQLite it is a file of its own (`storage.inbox_file`), from which what was merged is deleted after that is
committed. Workspaces take turns: a merge takes an equal share of each that waits, so a flood of one delays no other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from struct import Struct
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.exc import DBAPIError

from storage.database import Database, prove_writable
from storage.inbox_file import FileInbox
from storage.ledger.stage import microseconds
from storage.records import WorkspaceId
from storage.schema.account_tables import inbox as table
from storage.schema.tables import EPOCH, MICROSECOND
from storage.statements import load

T = TypeVar("T")

#: Calls and bytes that one transaction merges: so many take some 30 ms.
MOST: Final = 256
MOST_BYTES: Final = 256_000
#: Workspaces of which one transaction merges calls. What it costs is a number of statements for each of them, whatever
#: it told: where many wait, each has a larger share, later, and not one call at a time.
WIDE: Final = 16


class Call(NamedTuple):
    """A signed call that was taken: whose, when it was heard (aware, UTC), whose words it is in, and what it says."""

    workspace_id: WorkspaceId
    heard_at: datetime
    platform: str
    body: bytes


class Taken(NamedTuple):
    """A call with its number in the inbox."""

    number: int
    call: Call


@dataclass(frozen=True)
class Waiting:
    """What waits of a workspace."""

    calls: int
    size: int
    oldest: datetime


@dataclass
class Turn:
    """Whose turn is next, how much is taken at once, and what is left lying for now (by its number)."""

    after: int = 0
    most: int = MOST
    without: set[int] = field(default_factory=set)


#: What is done with the calls in the ledger's transaction.
Merging = Callable[[Connection, Sequence[Taken]], None]


class Inbox(Protocol):
    """Plain calls: bring your own thread. Every method may raise what the database raises."""

    def append(self, calls: Sequence[Call]) -> None:
        """Keeps these calls: for good when it returns."""
        ...

    def merge(self, turn: Turn, work: Merging) -> int:
        """Takes the calls whose turn it is, does the work with them in one transaction of the ledger, and deletes them.

        Gives how many these were. What `work` raises leaves everything as it was, and `turn` too.
        """
        ...

    def drop(self, taken: Sequence[Taken]) -> None:
        """Deletes what was merged otherwise."""
        ...

    def waiting(self) -> dict[WorkspaceId, Waiting]:
        """What waits, of each workspace."""
        ...

    def forget(self, workspace_id: WorkspaceId) -> int:
        """Deletes what waits of a workspace; gives how many calls."""
        ...

    def prove(self) -> None:
        """Leaves nothing behind, and raises where nothing can be kept."""
        ...


def inbox_of(database: Database) -> Inbox:
    """The inbox of this database. Nothing is opened yet."""
    return InTable(database) if database.beside is None else InFile(database, database.beside)


def _in_turn(
    turn: Turn, waiting: Callable[[int, int], list[int]], take: Callable[[list[int]], list[Taken]]
) -> list[Taken]:
    """What is taken of the workspaces whose turn it is; where nothing is (another process holds it, or it is left
    lying), of the next ones, once round."""
    wide, after, passed = min(turn.most, WIDE), turn.after, set[int]()
    while True:
        found = waiting(after, wide)
        if after and len(found) < wide:
            found += [one for one in waiting(0, wide - len(found)) if one <= after]
        whose = [one for one in found if one not in passed]
        if not whose:
            return []
        if taken := take(whose):
            return taken
        passed.update(whose)
        after = whose[-1]


def _last_served(taken: Sequence[Taken]) -> int:
    """The workspace behind which the next turn begins: the last that had room for a call, in their order."""
    return list(dict.fromkeys(one.call.workspace_id for one in taken))[-1]


def _moment(heard: int) -> datetime:
    return EPOCH + heard * MICROSECOND


# ---- SQLite ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InFile:
    """See `Inbox`. `database`: the ledger's, into which it is merged."""

    database: Database
    file: FileInbox

    def append(self, calls: Sequence[Call]) -> None:
        with self.database.appending():
            self.file.append([(one.workspace_id, microseconds(one.heard_at), one.platform, one.body) for one in calls])

    def merge(self, turn: Turn, work: Merging) -> int:
        taken = self._take(turn)
        if taken:
            self.database.write(work, taken)
            self.drop(taken)
            turn.after = _last_served(taken)
        return len(taken)

    def _take(self, turn: Turn) -> list[Taken]:
        return _in_turn(turn, self.file.waiting, lambda whose: self._take_of(whose, turn))

    def _take_of(self, whose: Sequence[int], turn: Turn) -> list[Taken]:
        """The oldest of each of these, the first of each before the second of any, as far as there is room."""
        share = max(turn.most // len(whose), 1)
        sizes = [self.file.sizes(one, share, sorted(turn.without)) for one in whose]
        numbers, room = list[int](), MOST_BYTES
        for place in range(share):
            for number, size in (of_one[place] for of_one in sizes if place < len(of_one)):
                if numbers and size > room:
                    return self._read(numbers)
                room -= size
                numbers.append(number)
        return self._read(numbers)

    def _read(self, numbers: Sequence[int]) -> list[Taken]:
        calls = {
            number: Call(WorkspaceId(whose), _moment(heard), platform, body)
            for number, whose, heard, platform, body in self.file.read(numbers)
        }
        return [Taken(number, calls[number]) for number in numbers if number in calls]

    def drop(self, taken: Sequence[Taken]) -> None:
        self.file.drop([one.number for one in taken])

    def waiting(self) -> dict[WorkspaceId, Waiting]:
        return {WorkspaceId(one): Waiting(calls, size, _moment(at)) for one, calls, size, at in self.file.sums()}

    def forget(self, workspace_id: WorkspaceId) -> int:
        return self.file.forget(workspace_id)

    def prove(self) -> None:
        with self.database.appending():
            self.file.prove()


# ---- PostgreSQL -----------------------------------------------------------------------------------------------------

#: COPY's binary form (postgresql.org/docs: sql-copy): a header, and of each row the number of columns, and of each
#: column its length and its bytes. A moment is microseconds since 2000.
COPY: Final = "COPY inbox (workspace_id, heard_at, platform, body) FROM STDIN (FORMAT BINARY)"
HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
FIRST_COLUMNS: Final = Struct("!hiiiqi")
LENGTH: Final = Struct("!i")
SINCE_1970: Final = 946_684_800_000_000
AHEAD: Final = load("inbox_ahead")
TAKE: Final = load("inbox_take", {"budget": MOST_BYTES})


@dataclass(frozen=True)
class InTable:
    """See `Inbox`."""

    database: Database

    def append(self, calls: Sequence[Call]) -> None:
        rows = b"".join(map(_copied, calls))
        with self.database.appending() as connection:
            assert connection is not None  # noqa: S101 - there is one on PostgreSQL
            cursor: Any = connection.connection.cursor()
            driver: Any = connection.dialect.loaded_dbapi
            try:
                with cursor, cursor.copy(COPY) as copy:
                    copy.write(HEADER + rows + TRAILER)
            except driver.Error as error:
                connection.invalidate()
                raise DBAPIError.instance(COPY, None, error, driver.Error, hide_parameters=True) from None

    def merge(self, turn: Turn, work: Merging) -> int:
        def take_and_work(connection: Connection) -> list[Taken]:
            taken = _take(connection, turn)
            if taken:
                work(connection, taken)
            return taken

        taken = self.database.write(take_and_work)
        if taken:
            turn.after = _last_served(taken)
        return len(taken)

    def drop(self, taken: Sequence[Taken]) -> None:
        numbers: dict[WorkspaceId, list[int]] = {}
        for one in taken:
            numbers.setdefault(one.call.workspace_id, []).append(one.number)

        def work(connection: Connection) -> None:
            for workspace_id, theirs in sorted(numbers.items()):
                mine = table.c.workspace_id == workspace_id, table.c.id.in_(theirs)
                connection.execute(delete(table).where(*mine))

        self.database.write(work)

    def waiting(self) -> dict[WorkspaceId, Waiting]:
        size = func.sum(func.octet_length(table.c.body))
        sums = select(table.c.workspace_id, func.count(), size, func.min(table.c.heard_at))
        rows = self.database.read(lambda c: c.execute(sums.group_by(table.c.workspace_id)).all())
        return {WorkspaceId(one): Waiting(calls, int(size), at) for one, calls, size, at in rows}

    def forget(self, workspace_id: WorkspaceId) -> int:
        mine = delete(table).where(table.c.workspace_id == workspace_id)
        return int(self.database.write(lambda c: c.execute(mine).rowcount))

    def prove(self) -> None:
        self.database.write(prove_writable)


def _copied(call: Call) -> bytes:
    platform, heard = call.platform.encode(), microseconds(call.heard_at) - SINCE_1970
    first = FIRST_COLUMNS.pack(4, 4, call.workspace_id, 8, heard, len(platform))
    return b"".join((first, platform, LENGTH.pack(len(call.body)), call.body))


def _take(connection: Connection, turn: Turn) -> list[Taken]:
    def waiting(after: int, most: int) -> list[int]:
        return list(connection.scalars(AHEAD.on(connection), {"after": after, "most": most}))

    def take(whose: list[int]) -> list[Taken]:
        share = max(turn.most // len(whose), 1)
        known = {"workspaces": whose, "share": share, "without": sorted(turn.without)}
        rows = connection.execute(TAKE.on(connection), known).all()
        return [
            Taken(row.id, Call(WorkspaceId(row.workspace_id), row.heard_at, row.platform, bytes(row.body)))
            for row in sorted(rows, key=lambda row: row.nth)
        ]

    return _in_turn(turn, waiting, take)
