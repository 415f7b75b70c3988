"""Files for spreadsheets."""

import csv
import io
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
