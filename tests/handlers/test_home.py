"""Ranges of Home, addresses of pictures, and files for spreadsheets."""

import base64
import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import importing
from handlers.charts import addresses
from handlers.charts.addresses import PictureGone
from handlers.charts.drawing import Pie
from handlers.pieces import exports
from handlers.text import parsing
from storage.records import CampaignId, PieceId, Recipient, StoredPiece
from storage.statuses import Status

TODAY = date(2026, 11, 2)
NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)
KEY = b"for tests alone"
PIE = Pie("Your mail", "November 2026", (1, 2, 3, 4, 5, 6, 7, 8), 9)
days = st.dates(date(2020, 1, 1), date(2030, 1, 1))


@pytest.mark.parametrize("key", parsing.PRESETS)
def test_a_kept_preset_moves_with_the_calendar(key: str) -> None:
    assert parsing.kept(key, TODAY) == parsing.PRESETS[key][1](TODAY)


@given(days, days)
def test_any_two_days_become_the_nearest_valid_range(first: date, last: date) -> None:
    text, note = parsing.between(first, last, TODAY)
    span = parsing.kept(text, TODAY).days
    assert span.first is not None
    assert span.last is not None
    assert span.first <= span.last <= TODAY
    assert (span.last - span.first).days < parsing.LONGEST_SPAN
    asked = first <= last <= TODAY and (last - first).days < parsing.LONGEST_SPAN
    assert (note == "") == asked
    if asked:
        assert (span.first, span.last) == (first, last)


@pytest.mark.parametrize("text", ["", "nonsense", "2026-13-01..2026-01-01", "..", "x" * 500])
def test_what_was_kept_and_cannot_be_read_is_this_month(text: str) -> None:
    assert parsing.kept(text, TODAY) == parsing.this_month(TODAY)


def _token(pie: Pie, expires: datetime) -> str:
    return addresses.address("https://mail.example", KEY, pie, expires).rpartition("/")[2]


def test_a_pictures_address_carries_its_numbers_until_it_expires() -> None:
    token = _token(PIE, NOW + timedelta(hours=1))
    assert addresses.opened(KEY, token, NOW) == PIE
    with pytest.raises(PictureGone):
        addresses.opened(KEY, token, NOW + timedelta(hours=1, seconds=1))


@given(
    st.text(max_size=300) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".x.png")
)
def test_a_foreign_or_altered_address_shows_nothing(token: str) -> None:
    good = _token(PIE, NOW + timedelta(hours=1))
    for wrong in (token, good[:-8] + token, token + good, f"{token}.{good.partition('.')[2]}"):
        if wrong == good:
            continue
        with pytest.raises(PictureGone):
            addresses.opened(KEY, wrong, NOW)
    with pytest.raises(PictureGone):
        addresses.opened(b"another key", good, NOW)


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
    read = {name for column, others in importing.COLUMNS.items() for name in (column, *others)}
    assert set(head) <= read, "what we export can be imported"
    assert cells["status"] == "Returned"
    assert cells["name"].removeprefix("'") == name.removeprefix("'")
    assert not any(cell.startswith(exports.FORMULA) for cell in row)
