"""`piecewise import` and `piecewise sync`: the past, from a file or from the platform, in portions that survive a kill.

Each portion and how far it reaches are kept in one transaction; started again, an import goes on behind the last.
What is learned here is history: channels are not told of it.
"""

import csv
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Final

from bot import wire
from handlers.ports import ImportRefusedError, MailPlatform
from storage import imports, mailings
from storage.database import Database
from storage.imports import Progress
from storage.records import Batch, Campaign, Change, Source, WorkspaceId

#: Rows in one transaction; so many more make it no quicker.
ROWS: Final = 5_000
#: A longer line is no row of ours: its rest is skipped without being kept in memory.
LONGEST_LINE: Final = 64_000
#: Lines that one quoted cell may span.
MOST_LINES: Final = 20
SNIFFED: Final = 65_536
#: A back-fill asks for so many days at once.
SPAN: Final = timedelta(days=7)
#: What happened since is news, also when a back-fill hears of it first.
NEWS: Final = timedelta(days=2)

#: The columns that are read, and under which other names they are known. Only the first is needed.
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "id": ("mailpiece_id", "piece_id", "piece"),
    "campaign_id": ("campaign",),
    "campaign_name": (),
    "timestamp": ("created", "created_at", "ordered"),
    "status": (),
    "status_date": ("date", "updated"),
    "location": ("place",),
    "dispatched": ("dispatched_at", "handed_over"),
    "name": (),
    "firstname": ("first_name",),
    "lastname": ("last_name",),
    "company": (),
    "address": ("address1", "street"),
    "city": (),
    "state": ("county", "region"),
    "postcode": ("zip", "zipcode", "zip_code"),
    "country": (),
    "type": ("kind",),
    "format": ("size",),
    "cost": ("price",),
}


@dataclass(frozen=True)
class Row:
    """A record of the file: where it stands, where the next begins, and its cells or why it is refused."""

    line: int
    end: int
    cells: list[str]
    text: str
    refusal: str = ""


def read_rows(file: IO[bytes], start: int, line: int) -> Iterator[Row]:
    """The records from this byte on; `line` is the number of its line. Never holds more than a few lines."""
    file.seek(start)
    while first := _read_line(file):
        begun, text, refusal = line, *_decoded(first)
        line += 1
        mark, marked = file.tell(), line
        whole, broken = text, refusal
        # A cell in quotes may go on in the next lines.
        while not broken and whole.count('"') % 2 and line - begun < MOST_LINES and (more := _read_line(file)):
            added, broken = _decoded(more)
            whole, line = whole + added, line + 1
        if not refusal and (broken or whole.count('"') % 2):
            # It does not: only this line is refused, and the next ones are read as rows of their own.
            file.seek(mark)
            line, refusal = marked, "a quote is opened and not closed"
        text = text if refusal else whole
        if text.strip() or refusal:
            yield _row(begun, file.tell(), text, refusal)


def _read_line(file: IO[bytes]) -> bytes:
    """The next line; of one that is too long, its beginning: the rest is read and dropped."""
    line = file.readline(LONGEST_LINE)
    rest = line
    while len(rest) == LONGEST_LINE and not rest.endswith(b"\n"):
        rest = file.readline(LONGEST_LINE)
    return line


def _decoded(line: bytes) -> tuple[str, str]:
    """The line as text, or its readable beginning and why it is refused."""
    if len(line) >= LONGEST_LINE:
        return line[:80].decode(errors="replace"), f"the line is longer than {LONGEST_LINE:,} bytes"
    if b"\0" in line:
        return line.replace(b"\0", b"").decode(errors="replace"), "the line holds a NUL character"
    try:
        return line.decode("utf-8"), ""
    except UnicodeDecodeError:
        pass
    try:
        # What Excel writes on Windows.
        return line.decode("cp1252"), ""
    except UnicodeDecodeError:
        return line.decode(errors="replace"), "the line is neither UTF-8 nor Windows-1252"


def _row(line: int, end: int, text: str, refusal: str) -> Row:
    cells = [] if refusal else next(csv.reader(text.splitlines(keepends=True)), [])
    return Row(line, end, cells, text.rstrip("\r\n"), refusal)


@dataclass(frozen=True)
class CsvFile:
    """A file that can be imported: its columns, where its rows begin, and the key under which its progress is kept."""

    columns: list[str]
    start: int
    size: int
    key: str


def open_source(file: IO[bytes]) -> CsvFile:
    """Reads the header; raises ImportRefusedError for what is no CSV with the columns that are needed."""
    head = file.read(SNIFFED)
    file.seek(0, 2)
    size = file.tell()
    if not head.strip():
        raise ImportRefusedError("The file is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ImportRefusedError("The file is UTF-16. Save it as CSV UTF-8, then import it again.")
    bom = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    header = next(read_rows(file, bom, 1), None)
    if header is None or header.refusal:
        raise ImportRefusedError(f"The first line is not a header: {header.refusal if header else 'it is empty'}.")
    columns = [_column(cell) for cell in header.cells]
    if "id" not in columns:
        found = ", ".join(cell[:30] for cell in header.cells[:12])
        raise ImportRefusedError(f"The first line must name a column `id` (the piece's id at Stannp). It has: {found}.")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise ImportRefusedError(f"The first line names a column twice: {', '.join(twice)}.")
    key = hashlib.sha256(head + str(size).encode()).hexdigest()[:32]
    return CsvFile(columns, header.end, size, f"csv:{key}")


def _column(cell: str) -> str:
    name = cell.strip().casefold().replace(" ", "_")
    return next((column for column, others in COLUMNS.items() if name == column or name in others), "")


def read_piece(columns: list[str], row: Row, now: datetime) -> Batch:
    """What a row says of its piece. Raises UnreadableError with the reason when that is nothing."""
    if row.refusal:
        raise wire.UnreadableError(row.refusal)
    if len(row.cells) > len(columns):
        raise wire.UnreadableError(f"it has {len(row.cells)} cells, and the header {len(columns)}")
    cells = {column: cell.strip() for column, cell in zip(columns, row.cells, strict=False) if column and cell.strip()}
    if cells.get("timestamp") and wire.moment(cells["timestamp"]) is None:
        raise wire.UnreadableError("its date is not written like 2026-10-31 or 2026-10-31 14:05")
    if cells.get("status_date") and wire.moment(cells["status_date"]) is None:
        raise wire.UnreadableError("the date of its status is not written like 2026-10-31")
    if "status" in cells and wire.status(cells["status"])[0] is None:
        raise wire.UnreadableError(f"unknown status {cells['status'][:40]!r}")
    said = {name: cell for name, cell in cells.items() if name not in ("status_date", "location", "campaign_name")}
    if "status_date" in cells and "status" in cells:
        scan = {"status": said.pop("status"), "date": cells["status_date"], "location": cells.get("location", "")}
        said["tracking"] = [scan]  # type: ignore[assignment]
    batch = wire.piece(said, now, Source.IMPORT, detailed=True)
    named = cells.get("campaign_name")
    ref = batch.pieces[0].campaign_ref
    return replace(batch, campaigns=(Campaign(ref, named),)) if named and ref else batch


class SideFile:
    """Where refused rows go, with their line and the reason: beside the file, for a person to mend and import."""

    HEADER: Final = ("line", "reason", "row")

    def __init__(self, path: Path, kept: int) -> None:
        self.path, self.kept = path, kept
        self.handle: IO[str] | None = None

    def write(self, row: Row, reason: str) -> None:
        """Adds a refused row."""
        if self.handle is None:
            self.handle = self._open()
        csv.writer(self.handle).writerow((row.line, reason, row.text))

    def _open(self) -> IO[str]:
        """Behind the rows that are recorded: those written after the last portion that was kept come again."""
        recorded = []
        if self.kept and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as old:
                recorded = list(csv.reader(old))[1 : self.kept + 1]
        handle = self.path.open("w", newline="", encoding="utf-8")
        csv.writer(handle).writerows([self.HEADER, *recorded])
        return handle

    def flush(self) -> None:
        if self.handle:
            self.handle.flush()

    def close(self) -> None:
        if self.handle:
            self.handle.close()


def import_file(
    database: Database, workspace_id: WorkspaceId, path: Path, report: Callable[[Progress, int], None]
) -> Progress:
    """Imports the file from where it was left; gives where it stands. `report` hears of each portion, and the size.

    Raises ImportRefusedError, OSError.
    """
    with path.open("rb") as file:
        source = open_source(file)
        reached = database.read(imports.progress, workspace_id, source.key)
        side = SideFile(path.with_suffix(".refused.csv"), reached.refused)
        report(reached, source.size)
        try:
            for batch, reached in _portions(file, source, reached, side):  # noqa: B020 - it goes on from there
                side.flush()
                database.write(imports.advance, workspace_id, source.key, batch, reached, datetime.now(UTC))
                report(reached, source.size)
        finally:
            side.close()
    return reached


def key_of(path: Path) -> str:
    """The key under which this file's progress is kept. Raises ImportRefusedError, OSError."""
    with path.open("rb") as file:
        return open_source(file).key


def _portions(file: IO[bytes], source: CsvFile, reached: Progress, side: SideFile) -> Iterator[tuple[Batch, Progress]]:
    start = max(reached.position, source.start)
    found: list[Batch] = []
    kept, refused, now = reached.kept, reached.refused, datetime.now(UTC)
    # The header is a line, too; with cells over several lines this is a row's number rather than a line's.
    for number, row in enumerate(read_rows(file, start, kept + refused + 2), 1):
        try:
            found.append(read_piece(source.columns, row, now))
            kept += 1
        except wire.UnreadableError as error:
            side.write(row, str(error))
            refused += 1
        if number % ROWS == 0:
            yield mailings.merged(found), Progress(row.end, kept, refused)
            found, now = [], datetime.now(UTC)
    yield mailings.merged(found), Progress(source.size, kept, refused)


async def sync(
    database: Database, workspace_id: WorkspaceId, platform: MailPlatform, since: date, today: date
) -> AsyncIterator[tuple[date, Progress]]:
    """Reads the account's pieces since that day, a week at a time; gives after each how far it came.

    Begun again, it goes on with the first week that is not complete. Raises Trouble when the platform does not answer.
    """
    key = f"sync:{since.isoformat()}"
    reached = database.read(imports.progress, workspace_id, key)
    first = max(since, date.fromordinal(reached.position) if reached.position else since)
    campaigns = tuple(await platform.campaigns())
    database.write(mailings.apply, workspace_id, Batch(campaigns=campaigns), datetime.now(UTC))
    while first <= today:
        last, route = min(first + SPAN, today + timedelta(days=1)), None
        async for page in platform.pieces(first, last, route):
            route, now = page.route, datetime.now(UTC)
            reached = Progress(first.toordinal(), reached.kept + len(page.batch.pieces), reached.refused)
            for portion in mailings.portions(_as_history(page.batch, now), ROWS):
                database.write(imports.advance, workspace_id, key, portion, reached, now)
        first = last + timedelta(days=1) if last > today else last
        # The last days are asked for again next time: they are not over.
        reached = replace(reached, position=min(first, today).toordinal())
        database.write(imports.advance, workspace_id, key, Batch(), reached, datetime.now(UTC))
        yield min(last, today), reached


def _as_history(batch: Batch, now: datetime) -> Batch:
    """The same, so that no channel is told of what is long past."""

    def aged(change: Change) -> Change:
        return replace(change, source=Source.IMPORT) if change.occurred_at < now - NEWS else change

    return replace(batch, changes=tuple(aged(change) for change in batch.changes))
