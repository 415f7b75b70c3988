"""`piecewise import` and `piecewise sync`: the past, from a file or from the platform, in portions that survive a kill.

Each portion and how far it reaches are kept in one transaction; started again, an import goes on behind the last.
What is learned here is history: channels are not told of it.
"""

import csv
import hashlib
import io
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

from bot.platforms import registry, values
from handlers.context.ports import MailPlatform
from handlers.errors import ImportRefusedError
from storage import imports
from storage.database import Database
from storage.imports import ImportProgress
from storage.ledger import apply as ledger
from storage.records import Batch, Campaign, Change, Source, WorkspaceId

#: Rows in one transaction; so many more make it no quicker.
ROWS: Final = 5_000
#: So many bytes in one transaction at most, for its refused rows are held until it is kept.
PORTION: Final = 4_000_000
#: A longer row is none of ours: its rest is skipped without being kept in memory. Below what `csv` takes for a cell.
LONGEST_ROW: Final = 64_000
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
    "timestamp": ("timestamp_utc", "created", "created_at", "ordered"),
    "status": (),
    "status_date": ("status_date_utc", "date", "updated"),
    "location": ("place",),
    "dispatched": ("dispatched_utc", "dispatched_at", "handed_over"),
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


WRITTEN: Final = "not of this century, or not written like 2026-10-31"
#: What stands in the cells of a line.
CELLS: Final = re.compile(r'[^",\r\n]+')
#: The first end of a line.
ENDING: Final = re.compile(rb"\r*\n|\r")
TOO_LONG: Final = f"the row is longer than {LONGEST_ROW:,} bytes"


@dataclass(frozen=True)
class Row:
    """A record of the file: where it stands, where the next begins, and its cells or why it is refused."""

    line: int
    end: int
    cells: list[str]
    text: str
    refusal: str = ""
    #: How many lines of the file it takes.
    lines: int = 1


def read_rows(file: IO[bytes], start: int, line: int) -> Iterator[Row]:
    """The records from this byte on; `line` is the number of its line. Never holds more than a few lines."""
    file.seek(start)
    while first := _read_line(file):
        text, refusal = _decoded(first)
        row = _refused(line, file.tell(), text, refusal) if refusal else _record(file, text, line)
        if row.text.strip() or row.refusal:
            yield row
        line += row.lines


def _record(file: IO[bytes], first: str, line: int) -> Row:
    """The record that begins with this line: a cell in quotes may go on in the next ones."""
    mark, lines, size = file.tell(), [first], len(first)

    def told() -> Iterator[str]:
        nonlocal size
        yield first
        # It asks for another line only where a quote is still open.
        while len(lines) < MOST_LINES and (more := _read_line(file)):
            added, refusal = _decoded(more)
            if refusal:
                break
            size += len(added)
            # Of a row that is too long only its form is looked at, to find its end.
            lines.append(added if size <= LONGEST_ROW else CELLS.sub("x", added))
            yield lines[-1]

    try:
        cells = next(csv.reader(told(), strict=True), [])
    except csv.Error as error:
        broken = "new-line" in str(error)
        reason = (
            "a line break stands in a cell without quotes around it" if broken else "a quote is opened and not closed"
        )
        # Only its first line is refused, and the next ones are read as rows of their own.
        file.seek(mark)
        return _refused(line, mark, first, reason)
    text = "".join(lines)
    if size > LONGEST_ROW:
        return replace(_refused(line, file.tell(), first[:80], TOO_LONG), lines=len(lines))
    return Row(line, file.tell(), cells, text.rstrip("\r\n"), lines=len(lines))


def _refused(line: int, end: int, text: str, reason: str) -> Row:
    return Row(line, end, [], text.rstrip("\r\n"), reason)


def _read_line(file: IO[bytes]) -> bytes:
    """The next line; of one that is too long, its beginning: the rest is read and dropped."""
    line = file.readline(LONGEST_ROW)
    rest = line
    while len(rest) == LONGEST_ROW and not rest.endswith(b"\n"):
        rest = file.readline(LONGEST_ROW)
    return line


def _decoded(line: bytes) -> tuple[str, str]:
    """The line as text, or its readable beginning and why it is refused."""
    if len(line) >= LONGEST_ROW:
        return line[:80].decode(errors="replace"), TOO_LONG
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


class _Unified(io.RawIOBase):
    """A file whose lines end in a carriage return alone, with line feeds instead: every byte stays at its place."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        return self.file.seek(place, whence)

    def readinto(self, into: Any) -> int:
        found = self.file.read(len(into)).replace(b"\r", b"\n")
        into[: len(found)] = found
        return len(found)


@dataclass(frozen=True)
class CsvFile:
    """A file that can be imported: its columns, where its rows begin, and the key under which its progress is kept."""

    lines: IO[bytes]
    header: list[str]
    #: What each is to us; "" for those that are not read.
    columns: list[str]
    start: int
    size: int
    key: str


def open_source(file: IO[bytes]) -> CsvFile:
    """Reads the header; raises ImportRefusedError for what is no CSV with the columns that are needed."""
    key = hashlib.file_digest(file, "sha256").hexdigest()[:32]  # type: ignore[arg-type] # typeshed's protocol, not ours
    size = file.tell()
    file.seek(0)
    head = file.read(SNIFFED)
    if not head.strip():
        raise ImportRefusedError("The file is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in head[:2]:
        raise ImportRefusedError("The file is UTF-16. Save it as CSV UTF-8, then import it again.")
    bom = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    ending = ENDING.search(head)
    # Only this kind of line is known to nothing below.
    lines = io.BufferedReader(_Unified(file)) if ending and ending[0] == b"\r" else file
    header = next(read_rows(lines, bom, 1), None)
    if header is None or header.refusal:
        raise ImportRefusedError(f"The first line is not a header: {header.refusal if header else 'it is empty'}.")
    columns = [_column(cell) for cell in header.cells]
    if "id" not in columns:
        found = ", ".join(cell[:30] for cell in header.cells[:12])
        meant = f"the piece's id at {registry.USUAL.profile.name}"
        raise ImportRefusedError(f"The first line must name a column `id` ({meant}). It has: {found}.")
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise ImportRefusedError(f"The first line names a column twice: {', '.join(twice)}.")
    return CsvFile(lines, header.cells, columns, header.end, size, f"csv:{key}")


def _line_at(source: CsvFile, place: int) -> int:
    """The number of the line that begins at this byte."""
    source.lines.seek(0)
    number, left = 1, place
    while left and (block := source.lines.read(min(left, SNIFFED))):
        number, left = number + block.count(b"\n"), left - len(block)
    return number


def _column(cell: str) -> str:
    name = cell.strip().casefold().replace(" ", "_")
    return next((column for column, others in COLUMNS.items() if name == column or name in others), "")


def read_piece(columns: list[str], row: Row, now: datetime) -> Batch:
    """What a row says of its piece. Raises UnreadableError with the reason when that is nothing."""
    if row.refusal:
        raise values.UnreadableError(row.refusal)
    if len(row.cells) > len(columns):
        raise values.UnreadableError(f"it has {len(row.cells)} cells, and the header {len(columns)}")
    # A line break of any kind inside a cell parts two words.
    told = ((column, " ".join(cell.split())) for column, cell in zip(columns, row.cells, strict=False))
    cells = {column: cell for column, cell in told if column and cell}
    if cells.get("timestamp") and values.moment(cells["timestamp"]) is None:
        raise values.UnreadableError(f"its date is {WRITTEN} or 2026-10-31 14:05")
    if cells.get("status_date") and values.moment(cells["status_date"]) is None:
        raise values.UnreadableError(f"the date of its status is {WRITTEN}")
    if "status" in cells and registry.USUAL.status(cells["status"])[0] is None:
        raise values.UnreadableError(f"unknown status {cells['status'][:40]!r}")
    if "cost" in cells and values.price(cells["cost"]) is None:
        raise values.UnreadableError("its cost is no amount like 0.84, without a currency and with a point")
    said = {name: cell for name, cell in cells.items() if name not in ("status_date", "location", "campaign_name")}
    if "status_date" in cells and "status" in cells:
        scan = {"status": said.pop("status"), "date": cells["status_date"], "location": cells.get("location", "")}
        said["tracking"] = [scan]  # type: ignore[assignment]
    batch = registry.USUAL.read_row(said, now, Source.IMPORT, detailed=True)
    named = cells.get("campaign_name")
    ref = batch.pieces[0].campaign_ref
    return replace(batch, campaigns=(Campaign(ref, named),)) if named and ref else batch


#: Its day would be made up, and with it the counts of that day.
STRANGER: Final = (
    "piece {} is not known, and the row does not say when it was ordered: add a column timestamp, or bring its piece in"
    " first (piecewise sync), then import this row again"
)


def side_of(path: Path) -> Path:
    """Where the refused rows of this file go."""
    return path.with_name(f"{path.name}.refused.csv")


class SideFile:
    """Where refused rows go, with their line and the reason: beside the file, for a person to mend and import.

    It has the columns of the file between its own. What does not fit into them stands as it came, in the last one.
    """

    def __init__(self, path: Path, header: list[str], kept: int) -> None:
        # Rows of such a file that are refused again do not get its columns twice.
        is_one = header[:2] == ["line", "reason"] and header[-1] == "row"
        self.theirs = slice(2, len(header) - 1) if is_one else slice(len(header))
        self.path, self.header, self.kept = path, header, kept
        self.handle: IO[str] | None = None

    def write(self, row: Row, reason: str) -> None:
        """Adds a refused row."""
        if self.handle is None:
            self.handle = self._open()
        fits = 0 < len(row.cells) <= len(self.header)
        cells = [*(row.cells if fits else ()), *[""] * len(self.header)][: len(self.header)]
        csv.writer(self.handle).writerow((row.line, reason, *cells[self.theirs], "" if fits else row.text))

    def _open(self) -> IO[str]:
        """Behind the rows that are recorded: those written after the last portion that was kept come again."""
        if not (self.kept and self.path.exists()):
            handle = self.path.open("w", newline="", encoding="utf-8")
            csv.writer(handle).writerow(("line", "reason", *self.header[self.theirs], "row"))
            return handle
        handle = self.path.open("r+", newline="", encoding="utf-8")
        recorded = csv.reader(iter(handle.readline, ""))
        for _ in range(self.kept + 1):
            next(recorded, None)
        handle.seek(handle.tell())
        handle.truncate()
        return handle

    def flush(self) -> None:
        if self.handle:
            self.handle.flush()

    def close(self) -> None:
        if self.handle:
            self.handle.close()


def import_file(
    database: Database, workspace_id: WorkspaceId, path: Path, report: Callable[[ImportProgress, int], None]
) -> ImportProgress:
    """Imports the file from where it was left; gives where it stands. `report` hears of each portion, and the size.

    Raises ImportRefusedError, OSError.
    """
    with path.open("rb") as file:
        source = open_source(file)
        reached = database.read(imports.progress, workspace_id, source.key)
        side = SideFile(side_of(path), source.header, reached.refused)
        report(reached, source.size)
        try:
            for batch, reached in _portions(database, workspace_id, source, reached, side):  # noqa: B020 - goes on there
                side.flush()
                imports.keep(database, workspace_id, source.key, batch, reached, datetime.now(UTC))
                report(reached, source.size)
        finally:
            side.close()
    return reached


def key_of(path: Path) -> str:
    """The key under which this file's progress is kept. Raises ImportRefusedError, OSError."""
    with path.open("rb") as file:
        return open_source(file).key


def _portions(
    database: Database, workspace_id: WorkspaceId, source: CsvFile, reached: ImportProgress, side: SideFile
) -> Iterator[tuple[Batch, ImportProgress]]:
    """The rows that can be kept, with how far they reach; the others are in the side file by then."""
    start = max(reached.position, source.start)
    kept, refused = reached.kept, reached.refused
    rows = read_rows(source.lines, start, _line_at(source, start))
    while portion := _some(rows):
        found, now = list[tuple[Row, Batch]](), datetime.now(UTC)
        reasons: list[tuple[Row, str]] = []
        for row in portion:
            try:
                found.append((row, read_piece(source.columns, row, now)))
            except values.UnreadableError as error:
                reasons.append((row, str(error)))
        strangers = _strangers(database, workspace_id, [batch for _, batch in found])
        for row, batch in found:
            if batch.pieces[0].ref in strangers:
                reasons.append((row, STRANGER.format(batch.pieces[0].ref)))
        for row, reason in sorted(reasons, key=lambda one: one[0].line):
            side.write(row, reason)
        kept, refused = kept + len(portion) - len(reasons), refused + len(reasons)
        batches = [batch for _, batch in found if batch.pieces[0].ref not in strangers]
        yield ledger.merged(batches), ImportProgress(portion[-1].end, kept, refused)
    yield Batch(), ImportProgress(source.size, kept, refused)


def _some(rows: Iterator[Row]) -> list[Row]:
    """The next rows: so many, or so many bytes of them."""
    found: list[Row] = []
    for row in rows:
        found.append(row)
        if len(found) == ROWS or row.end - found[0].end > PORTION:
            break
    return found


def _strangers(database: Database, workspace_id: WorkspaceId, batches: Sequence[Batch]) -> set[str]:
    """Pieces that nobody told us of, and of which these do not say when they were ordered: nothing can be kept."""
    dated = {piece.ref for batch in batches for piece in batch.pieces if piece.created_at}
    undated = {piece.ref for batch in batches for piece in batch.pieces} - dated
    return undated - database.read(imports.known, workspace_id, sorted(undated)) if undated else undated


async def sync(
    database: Database, workspace_id: WorkspaceId, platform: MailPlatform, since: date, today: date
) -> AsyncIterator[tuple[date, ImportProgress]]:
    """Reads the account's pieces since that day, a week at a time; gives after each how far it came.

    Begun again, it goes on with the first week that is not complete. Raises Trouble when the platform does not answer.
    """
    key = f"sync:{since.isoformat()}"
    reached = database.read(imports.progress, workspace_id, key)
    first = max(since, date.fromordinal(reached.position) if reached.position else since)
    campaigns = tuple(await platform.campaigns())
    imports.keep(database, workspace_id, key, Batch(campaigns=campaigns), reached, datetime.now(UTC))
    while first <= today:
        last, state = min(first + SPAN, today + timedelta(days=1)), None
        async for page in platform.pieces(first, last, state):
            state, now = page.state, datetime.now(UTC)
            reached = ImportProgress(first.toordinal(), reached.kept + len(page.batch.pieces), reached.refused)
            for portion in ledger.portions(_as_history(page.batch, now), ROWS):
                imports.keep(database, workspace_id, key, portion, reached, now)
        first = last + timedelta(days=1) if last > today else last
        # The last days are asked for again next time: they are not over.
        reached = replace(reached, position=min(first, today).toordinal())
        imports.keep(database, workspace_id, key, Batch(), reached, datetime.now(UTC))
        yield min(last, today), reached


def _as_history(batch: Batch, now: datetime) -> Batch:
    """The same, so that no channel is told of what is long past."""

    def aged(change: Change) -> Change:
        return replace(change, source=Source.IMPORT) if change.occurred_at < now - NEWS else change

    return replace(batch, changes=tuple(aged(change) for change in batch.changes))
