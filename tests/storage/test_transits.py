"""How long mail took is counted as its pieces say, in reads of any size, for its own team alone."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from storage import workspaces
from storage.database import Database
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.queries import returns, transits
from storage.records import Change, PieceId, Source, UserId, mail_day
from storage.statuses import Status
from tests.builders import START, a_batch, a_campaign, a_change, a_piece

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
HANDED = START + timedelta(days=1)
EAST, WEST = ZoneInfo("America/New_York"), ZoneInfo("America/Los_Angeles")


def at(zone: ZoneInfo, year: int, month: int, day: int, hour: int) -> datetime:
    """What it is by UTC at this hour there."""
    return datetime(year, month, day, hour, tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_is_counted_is_what_happened(database: Database, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transits, "READ", size)
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    other = database.write(workspaces.ensure, "T2", "Other", "USD")
    expected: Counter[tuple[date, Status | None, int]] = Counter()
    pieces, changes = [], []
    for n in range(40):
        ref, known = str(1000 + n), n % 4 != 3
        pieces.append(a_piece(ref, dispatched_at=HANDED if known else None))
        if n % 8 == 0:
            changes.append(a_change(ref, Status.PRODUCING))
            continue
        # Where the platform gave no day of hand-over, the scan of it tells.
        changes.append(a_change(ref, Status.HANDED_OVER, hours=24))
        if n % 3 == 0:
            changes.append(a_change(ref, Status.DELIVERED, hours=24 * (3 + n % 5)))
        elif n % 7 == 0:
            changes.append(a_change(ref, Status.RETURNED, hours=24 * 9))
        ended = Status.DELIVERED if n % 3 == 0 else Status.RETURNED if n % 7 == 0 else None
        days = 2 + n % 5 if n % 3 == 0 else 8 if n % 7 == 0 else 0
        expected[HANDED.date(), ended, days] += 1
    for key in (workspace.id, other.id):
        database.write(ledger.apply, key, a_batch(a_campaign(), *pieces, *changes), NOW)
    campaign = database.read(queries.campaigns_of, workspace.id)[0].id
    assert database.read(transits.outdated, workspace.id) == [campaign]
    counted: Counter[transits.Key] = Counter()
    last: PieceId | None = PieceId(0)
    while last is not None:
        part, last = database.read(transits.count, workspace.id, campaign, last)
        counted += part
    for _ in range(2):
        database.write(transits.keep, workspace.id, campaign, counted, NOW)
    found = database.read(transits.since, workspace.id, HANDED.date())
    assert {(one.handed_on, one.ended, one.days): one.pieces for one in found} == dict(expected)
    assert {one.form for one in found} == {"postcard 6x9"}
    assert database.read(transits.outdated, workspace.id) == []
    assert database.read(transits.since, other.id, HANDED.date()) == []
    assert database.read(transits.since, workspace.id, HANDED.date() + timedelta(days=1)) == []
    # What moves afterwards is counted again.
    moved = a_batch(a_change("1000", Status.DELIVERED, hours=200))
    database.write(ledger.apply, workspace.id, moved, NOW + timedelta(seconds=1))
    assert database.read(transits.outdated, workspace.id) == [campaign]


def test_returns_are_counted_where_they_were_to_go_and_notes_are_kept(database: Database) -> None:
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    other = database.write(workspaces.ensure, "T2", "Other", "USD")
    pieces = [a_piece(str(1000 + n)) for n in range(6)]
    changes = [a_change(str(1000 + n), Status.RETURNED) for n in range(4)]
    for key in (workspace.id, other.id):
        database.write(ledger.apply, key, a_batch(a_campaign(), *pieces, *changes), NOW)
    campaign = database.read(queries.campaigns_of, workspace.id)[0].id
    last = PieceId(10**9)
    counted = database.read(returns.count_places, workspace.id, campaign, PieceId(0), last)
    assert counted == {returns.Place("TX", "787"): 4}
    for _ in range(2):
        database.write(returns.keep_places, workspace.id, campaign, counted)
    assert database.read(returns.places_of, workspace.id, campaign) == counted
    assert database.read(returns.places_of, other.id, campaign) == {}
    piece = database.read(queries.find_pieces, workspace.id, "1000", 1)[0].id
    database.write(returns.note_reason, workspace.id, piece, "N", UserId("U1"))
    database.write(returns.settle, workspace.id, piece, UserId("U2"), NOW)
    assert database.read(returns.notes_of, workspace.id, [piece]) == {piece: returns.Note("N", "U1", "U2", NOW)}
    database.write(returns.settle, workspace.id, piece, UserId("U2"), None)
    assert database.read(returns.notes_of, workspace.id, [piece]) == {piece: returns.Note("N", "U1")}
    assert database.read(returns.notes_of, other.id, [piece]) == {}


def test_a_campaign_into_which_mailed_pieces_come_is_counted_again(database: Database) -> None:
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    bare = [a_piece(str(1000 + n), campaign_ref=None) for n in range(3)]
    handed = [a_change(str(1000 + n), Status.HANDED_OVER) for n in range(3)]
    database.write(ledger.apply, workspace.id, a_batch(a_campaign(), *bare, *handed), NOW)
    campaign = database.read(queries.campaigns_of, workspace.id)[0].id
    assert database.read(transits.outdated, workspace.id) == [campaign]
    database.write(transits.keep, workspace.id, campaign, {}, NOW)
    assert database.read(transits.outdated, workspace.id) == []
    placed = [a_piece(str(1000 + n)) for n in range(3)]
    database.write(ledger.apply, workspace.id, a_batch(*placed), NOW + timedelta(minutes=1))
    assert database.read(transits.outdated, workspace.id) == [campaign]


def test_how_late_deliveries_are_heard_of_is_learned_from_what_was_told_as_it_came(database: Database) -> None:
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    pieces = [a_piece(str(1000 + n)) for n in range(6)]
    handed = [a_change(str(1000 + n), Status.HANDED_OVER) for n in range(6)]
    old = [a_change("1005", Status.DELIVERED, hours=48)]
    database.write(ledger.apply, workspace.id, a_batch(a_campaign(), *pieces, *handed, *old), NOW)
    # What was learned before the first complete reading says nothing of delays.
    database.write(workspaces.note, workspace.id, baseline_at=NOW)
    landed = NOW.replace(hour=15) + timedelta(days=1)
    for n, late in enumerate((0, 0, 1, 3)):
        change = Change(str(1000 + n), Status.DELIVERED, landed)
        database.write(ledger.apply, workspace.id, a_batch(change), landed + timedelta(days=late, hours=2))
    # An import is no news.
    imported = Change("1004", Status.DELIVERED, landed, source=Source.IMPORT)
    database.write(ledger.apply, workspace.id, a_batch(imported), landed + timedelta(days=9))
    assert database.read(transits.delays, workspace.id) == {0: 2, 1: 1, 3: 1}


NIGHTLY = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("landed", "heard", "late"),
    [
        # By UTC's days the evening in which it is heard would be the next day's.
        (timedelta(hours=-3), timedelta(hours=1), 0),
        (timedelta(hours=3), timedelta(hours=4, minutes=59), 0),
        # And what landed in the evening would be heard of on the same day in the morning.
        (timedelta(hours=2), timedelta(hours=14), 1),
        (timedelta(hours=4, minutes=59), timedelta(hours=5), 1),
        # Midnight is a day without its hour.
        (timedelta(), timedelta(hours=28), 0),
        (timedelta(), timedelta(hours=3), 0),
        (timedelta(), timedelta(hours=30), 1),
    ],
)  # fmt: skip
def test_how_late_a_delivery_is_heard_of_is_counted_in_days_of_mail(
    database: Database, landed: timedelta, heard: timedelta, late: int
) -> None:
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    change = replace(a_change("1000"), occurred_at=NIGHTLY + landed)
    database.write(workspaces.note, workspace.id, baseline_at=NOW)
    database.write(ledger.apply, workspace.id, a_batch(a_campaign(), a_piece("1000"), change), NIGHTLY + heard)
    assert database.read(transits.delays, workspace.id) == {late: 1}
    days = (mail_day(NIGHTLY + heard) - mail_day(NIGHTLY + landed)).days
    assert max(days, 0) == late


@pytest.mark.parametrize(
    ("handed", "landed", "day", "days"),
    [
        # 8 PM in New York is the next day in UTC, and so is 8 PM in Los Angeles; midnight is a day without its hour.
        (datetime(2026, 11, 3, 1, tzinfo=UTC), datetime(2026, 11, 5, 1, tzinfo=UTC), date(2026, 11, 2), 2),
        (datetime(2026, 11, 2, 15, tzinfo=UTC), datetime(2026, 11, 5, 4, tzinfo=UTC), date(2026, 11, 2), 2),
        (datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 5, 15, tzinfo=UTC), date(2026, 11, 3), 2),
        (datetime(2026, 11, 3, 1, tzinfo=UTC), datetime(2026, 11, 5, tzinfo=UTC), date(2026, 11, 2), 3),
        # Across the nights in which the clocks are set back or ahead, in New York and Los Angeles.
        (at(EAST, 2026, 10, 31, 21), at(EAST, 2026, 11, 1, 21), date(2026, 10, 31), 1),
        (at(WEST, 2026, 10, 31, 8), at(WEST, 2026, 11, 2, 8), date(2026, 10, 31), 2),
        (at(WEST, 2026, 10, 31, 20), at(EAST, 2026, 11, 2, 9), date(2026, 10, 31), 2),
        (at(EAST, 2027, 3, 13, 21), at(EAST, 2027, 3, 14, 21), date(2027, 3, 13), 1),
        (at(WEST, 2027, 3, 13, 20), at(WEST, 2027, 3, 15, 8), date(2027, 3, 13), 2),
        (at(EAST, 2027, 3, 14, 4), at(WEST, 2027, 3, 14, 20), date(2027, 3, 14), 0),
    ],
)  # fmt: skip
def test_a_day_of_mail_ends_at_night_in_all_of_the_united_states(
    database: Database, handed: datetime, landed: datetime, day: date, days: int
) -> None:
    workspace = database.write(workspaces.ensure, "T1", "Acme", "USD")
    told = replace(a_change("1001"), occurred_at=landed)
    database.write(ledger.apply, workspace.id, a_batch(a_campaign(), a_piece("1001", dispatched_at=handed), told), NOW)
    campaign = database.read(queries.campaigns_of, workspace.id)[0].id
    counted, _ = database.read(transits.count, workspace.id, campaign, PieceId(0))
    assert list(counted) == [("postcard 6x9", day, int(Status.DELIVERED), days)]
    assert (mail_day(handed), mail_day(landed)) == (day, day + timedelta(days=days))
