"""Turns, repeats and intents: of all who ask, one gets it, on both databases."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection

from storage import cancellations, leases
from storage.database import Database, database_time
from storage.records import PieceId, UserId, WorkspaceId
from tests.fakes import FakeClock

EVERY = timedelta(minutes=5)


@pytest.fixture
def database_clock(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The database's clock, which moves only when told."""
    monkeypatch.setattr(leases, "database_time", lambda _connection: clock.now())
    return clock


def win(database: Database, owner: str) -> int | None:
    return database.write(leases.win, "poll", owner, EVERY)


def test_a_tick_is_won_once_per_interval(database: Database, database_clock: FakeClock) -> None:
    assert [win(database, owner) for owner in "abc"] == [1, None, None]
    database_clock.pass_time(minutes=5)
    assert [win(database, owner) for owner in "abc"] == [2, None, None]


def test_a_clock_set_back_does_not_silence_a_job(database: Database, database_clock: FakeClock) -> None:
    assert win(database, "a")
    database_clock.pass_time(days=-3)
    assert win(database, "a")


def test_work_that_outlasts_its_turn_keeps_it_and_who_lost_it_finds_out(
    database: Database, database_clock: FakeClock
) -> None:
    mine = win(database, "a")
    assert mine
    for _ in range(4):
        database_clock.pass_time(minutes=4)
        assert database.write(leases.extend, "poll", mine, EVERY)
        assert win(database, "b") is None
    # Paused for longer than that: another takes it, under a higher token.
    database_clock.pass_time(minutes=6)
    theirs = win(database, "b")
    assert theirs
    assert theirs > mine
    assert not database.write(leases.holds, "poll", mine)
    assert not database.write(leases.extend, "poll", mine, EVERY)
    assert not database.write(leases.release, "poll", mine)
    assert database.write(leases.holds, "poll", theirs)
    assert database.write(leases.release, "poll", theirs)
    assert win(database, "c")


def test_a_turn_is_never_shortened_by_holding_on_to_it(database: Database, database_clock: FakeClock) -> None:
    mine = win(database, "a")
    assert mine
    assert database.write(leases.extend, "poll", mine, timedelta(seconds=10))
    database_clock.pass_time(minutes=4)
    assert win(database, "b") is None


def test_a_key_that_was_seen_tomorrow_is_new(database: Database, clock: FakeClock) -> None:
    assert database.write(leases.first_time, "click:1", clock.now())
    clock.pass_time(days=-1)
    assert database.write(leases.first_time, "click:1", clock.now())


def test_a_key_is_new_once_and_forgotten_after_an_hour(database: Database, clock: FakeClock) -> None:
    assert database.write(leases.first_time, "event:1", clock.now())
    assert not database.write(leases.first_time, "event:1", clock.now())
    clock.pass_time(minutes=61)
    assert database.write(leases.forget, clock.now()) == 1
    assert database.write(leases.first_time, "event:1", clock.now())


@pytest.mark.parametrize(("outcome", "again"), [("cancelled", False), ("too late", False), ("not reached", True)])
def test_a_piece_is_asked_for_once_unless_it_may_be_tried_again(
    database: Database, clock: FakeClock, outcome: str, again: bool
) -> None:
    key = WorkspaceId(1), PieceId(7)

    def begin(intent: int) -> bool:
        return database.write(cancellations.begin, *key, UserId("U1"), clock.now(), ("not reached",), intent)

    assert [begin(1), begin(2)] == [True, False]
    assert begin(1), "the same intent may go on where its process died"
    database.write(cancellations.end, *key, outcome, clock.now(), 2)
    assert not begin(2), "another intent has no say about it"
    database.write(cancellations.end, *key, outcome, clock.now(), 1)
    assert begin(2) is again


def test_the_databases_own_time_is_aware_and_moves_within_a_transaction(database: Database) -> None:
    def twice(connection: Connection) -> tuple[datetime, datetime]:
        first = database_time(connection)
        time.sleep(0.02)
        return first, database_time(connection)

    first, second = database.write(twice)
    assert first < second
    assert abs(second - datetime.now(UTC)) < timedelta(seconds=10)
