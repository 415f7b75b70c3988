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


def win(database: Database, clock: FakeClock, owner: str) -> bool:
    return database.write(leases.win, "poll", owner, clock.now(), EVERY)


def test_a_tick_is_won_once_per_interval(database: Database, clock: FakeClock) -> None:
    assert [win(database, clock, owner) for owner in "abc"] == [True, False, False]
    clock.pass_time(minutes=5)
    assert [win(database, clock, owner) for owner in "abc"] == [True, False, False]


def test_a_clock_set_back_does_not_silence_a_job(database: Database, clock: FakeClock) -> None:
    assert win(database, clock, "a")
    clock.pass_time(days=-3)
    assert win(database, clock, "a")


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

    def begin() -> bool:
        return database.write(cancellations.begin, *key, UserId("U1"), clock.now(), ("not reached",))

    assert [begin(), begin()] == [True, False]
    assert [one.piece_id for one in database.read(cancellations.unfinished, key[0], clock.pass_time(minutes=3))] == [7]
    database.write(cancellations.end, *key, outcome, clock.now())
    assert begin() is again


def test_the_databases_own_time_is_aware_and_moves_within_a_transaction(database: Database) -> None:
    def twice(connection: Connection) -> tuple[datetime, datetime]:
        first = database_time(connection)
        time.sleep(0.02)
        return first, database_time(connection)

    first, second = database.write(twice)
    assert first < second
    assert abs(second - datetime.now(UTC)) < timedelta(seconds=10)
