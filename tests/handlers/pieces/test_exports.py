"""Files for spreadsheets."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from bot.cli import importing
from handlers.pieces import exports
from storage.records import CampaignId, PieceId, Recipient, StoredPiece
from storage.statuses import Status

NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)


def _piece(name: str) -> StoredPiece:
    who = Recipient(name, name, name, "Austin", "TX", "78701", "US")
    return StoredPiece(
        PieceId(1),
        "1001",
        Status.RETURNED,
        NOW,
        "postcard",
        "6x9",
        NOW,
        None,
        Decimal("0.84"),
        CampaignId(1),
        name,
        who,
    )


@given(st.text(max_size=40) | st.sampled_from(["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", '"a,b"', "a\nb"]))
def test_a_file_for_spreadsheets_keeps_every_cell_and_holds_no_formula(name: str) -> None:
    name = name.replace("\x00", "")
    out = io.StringIO(newline="")
    exports.write_head(out)
    exports.write_rows(out, [_piece(name)])
    head, row = csv.reader(io.StringIO(out.getvalue(), newline=""))
    cells = dict(zip(head, row, strict=True))
    assert cells["id"] == "1001"
    assert {"status_date_utc", "timestamp_utc", "dispatched_utc"} <= set(exports.COLUMNS)
    read = {name for column, others in importing.COLUMNS.items() for name in (column, *others)}
    assert set(head) <= read, "what we export can be imported"
    assert cells["status"] == "Returned"
    assert cells["name"].removeprefix("'") == name.removeprefix("'")
    assert not any(cell.startswith(exports.FORMULA) for cell in row)


def cells(piece: StoredPiece) -> dict[str, str]:
    out = io.StringIO(newline="")
    exports.write_head(out)
    exports.write_rows(out, [piece])
    (row,) = csv.DictReader(io.StringIO(out.getvalue(), newline=""))
    return row


def test_a_row_holds_moments_and_money_as_a_spreadsheet_reads_them_and_nothing_where_they_are_not_known() -> None:
    full, bare = (
        cells(_piece("Jane")),
        cells(replace(_piece("Jane"), status=None, status_at=None, cost=None, word="odd")),
    )
    assert (full["cost"], full["status_date_utc"], full["timestamp_utc"]) == (
        "0.84", "2026-11-02 14:00:00", "2026-11-02 14:00:00",
    )  # fmt: skip
    assert (bare["status"], bare["cost"], bare["status_date_utc"], bare["dispatched_utc"]) == ("odd", "", "", "")
