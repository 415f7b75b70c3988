"""Pieces as a CSV file, written row by row. A spreadsheet that opens it runs nothing of what is in it."""

import csv
from collections.abc import Iterable
from typing import Final, TextIO

from handlers.text.status_styles import label
from storage.records import StoredPiece

COLUMNS: Final = (
    "id", "status", "status_date_utc", "name", "company", "address", "city", "state", "postcode", "country",
    "campaign_name", "type", "format", "cost", "timestamp_utc", "dispatched_utc",
)  # fmt: skip


#: With one of these at its beginning, a cell is a formula to a spreadsheet (OWASP, CSV injection).
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_head(file: TextIO) -> None:
    """The names of the columns. `piecewise import` reads the same names."""
    csv.writer(file).writerow(COLUMNS)


def write_rows(file: TextIO, pieces: Iterable[StoredPiece]) -> None:
    """A row for each piece. Moments are UTC; money is a plain number."""
    csv.writer(file).writerows([harmless(cell) for cell in _row(piece)] for piece in pieces)


def _row(piece: StoredPiece) -> list[str]:
    who = piece.recipient
    moments = (piece.status_at, piece.created_at, piece.dispatched_at)
    moved, ordered, dispatched = (f"{one:%Y-%m-%d %H:%M:%S}" if one else "" for one in moments)
    return [
        piece.ref, label(piece.status) if piece.status is not None else piece.word, moved, who.name, who.company,
        who.address, who.city, who.region, who.postcode, who.country, piece.campaign_name, piece.kind, piece.format,
        "" if piece.cost is None else f"{piece.cost:f}", ordered, dispatched,
    ]  # fmt: skip


def harmless(cell: str) -> str:
    """The cell, made text where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell
