"""The reporting page and its lists on a large account: no page may cost more than the first."""

import io
import statistics
import time
import tracemalloc

from handlers.pieces import exports
from storage.queries import mail as queries
from storage.queries import piece_pages
from storage.queries.piece_pages import PieceFilter
from storage.records import CampaignId, PieceId, StoredPiece
from storage.statuses import Status
from tests.benchmarks.data import Account
from tests.benchmarks.harness import Result, compared, judged, turns

FIRST = CampaignId(1)
PAGE = 21
FAR = 10_000
HANDFUL = 2000


def bench_pages(account: Account) -> list[Result]:
    """A page of a campaign's pieces: the first beside a late one, by status, and by name; Home; an export."""
    database, key, kind = account.database, account.workspace_id, account.kind
    number = account.pieces // 10
    pages = min(FAR, number // (PAGE - 1) - 1)
    far = _after(account, pages * (PAGE - 1))

    def page(only: PieceFilter, after: PieceId | None) -> list[StoredPiece]:
        return database.read(piece_pages.page, key, FIRST, only, after, PAGE)

    first, late = turns(60, lambda _n: page(PieceFilter(), None), lambda _n: page(PieceFilter(), far))
    (by_status,) = turns(40, lambda _n: page(PieceFilter(Status.RECEIVED), far))
    (by_name,) = turns(40, lambda n: page(PieceFilter(asked=f"jane smith{n * 7}"), None))
    (home,) = turns(30, lambda _n: database.read(lambda c: (queries.mixes(c, key), queries.campaigns_of(c, key))))
    for only, after in ((PieceFilter(), None), (PieceFilter(), far), (PieceFilter(Status.RECEIVED), far)):
        full = len(page(only, after)) == PAGE
        assert full or (after and pages < FAR), f"measured nothing: {only} after {after} gave no page"
    assert all(page(PieceFilter(asked=f"jane smith{n * 7}"), None) for n in range(40)), (
        "measured nothing: no name was found"
    )
    total = sum(mix.total for mix in database.read(queries.mixes, key).values())
    assert total >= account.pieces, f"measured nothing: Home shows {total:,} of {account.pieces:,} pieces"
    where = f"{number:,} pieces, {kind}"
    return [
        compared(f"details: page {pages:,} ÷ page 1, of {where}", late, first, 1.2),
        compared(f"details: page {pages:,} of one status ÷ page 1, of {where}", by_status, first, None),
        compared(f"details: search by name ÷ page 1, of {where}", by_name, first, None),
        judged(f"Home: all numbers of {account.pieces:,} pieces, {kind}", statistics.median(home), None, 1, None),
        *_export(account, number),
    ]


def _after(account: Account, rows: int) -> PieceId:
    """The piece behind which a late page begins."""
    with account.database.reader.connect() as connection:
        found = connection.exec_driver_sql(
            f"SELECT id FROM pieces WHERE workspace_id = {account.workspace_id} AND campaign_id = 1"
            f" ORDER BY id LIMIT 1 OFFSET {rows - 1}"
        ).scalar_one()
    return PieceId(found)


class Sink(io.TextIOBase):
    """Counts what is written, and keeps none of it."""

    def __init__(self) -> None:
        self.lines = 0

    def write(self, text: str) -> int:
        self.lines += text.count("\n")
        return len(text)


def _export(account: Account, number: int) -> list[Result]:
    sink = Sink()
    begun = time.perf_counter()
    _write_all(account, sink)
    seconds = time.perf_counter() - begun
    assert sink.lines == number
    assert [_write_all(account, Sink(), pages) for pages in (2, 20)] == [2 * HANDFUL, min(20 * HANDFUL, number)]
    small, large = (_peak(account, pages) for pages in (2, 20))
    name = f"export of {number:,} pieces as CSV, {account.kind}"
    return [
        judged(name, number / seconds, None, 1, None, unit="rows/s"),
        judged(
            f"memory of exporting 40,000 ÷ 4,000 pieces, {account.kind}",
            large,
            small,
            large / small,
            1.2,
            unit="MiB",
        ),
    ]


def _write_all(account: Account, sink: Sink, pages: int | None = None) -> int:
    """Writes so many handfuls (None: all); gives how many rows these were."""
    after: PieceId | None = None
    rows = 0
    while pages != 0:
        found = account.database.read(piece_pages.page, account.workspace_id, FIRST, PieceFilter(), after, HANDFUL)
        if not found:
            break
        exports.write_rows(sink, found)  # type: ignore[arg-type]
        after, pages = found[-1].id, None if pages is None else pages - 1
        rows += len(found)
    return rows


def _peak(account: Account, pages: int) -> float:
    """The most memory that so many handfuls take, in MiB. Watching it is slow, so not all are written."""
    tracemalloc.start()
    _write_all(account, Sink(), pages)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 2**20
