"""An intent is held by one process at a time, and who held it before has no more say about it."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from handlers.cancel.stopping import LOOKS
from storage import cancellations, intents, workspaces
from storage.database import Database
from storage.intents import Kind, PieceRow
from storage.records import PieceId, UserId
from storage.schema.account_tables import intents as table
from storage.schema.tables import EPOCH
from storage.statuses import Status


def test_who_was_paused_beyond_the_lease_is_found_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    key = database.write(workspaces.ensure, "T0ACME", "Acme", "USD").id
    number = database.write(intents.keep, key, Kind.CANCEL, {"by": "U0ANA"}, piece_ids=[PieceId(1)])
    monkeypatch.setattr(intents, "LEASE", timedelta(0))
    first = database.write(intents.take, key, number)
    assert first is not None
    assert database.write(intents.renew, key, number, first.token), "an overrun lease that nobody took still holds"
    second = database.write(intents.take, key, number)
    assert second is not None
    row = PieceRow(PieceId(1), "cancelled", Status.CANCELLED, 0)
    assert not database.write(intents.renew, key, number, first.token)
    assert not database.write(intents.note_piece, key, number, first.token, row)
    assert not database.write(intents.note_told, key, number, first.token, 1)
    assert not database.write(intents.end, key, number, first.token, "done")
    assert database.read(intents.rows_of, key, number)[0].outcome == ""
    assert database.write(intents.note_piece, key, number, second.token, row)
    assert database.write(intents.end, key, number, second.token, "done")
    assert database.write(intents.take, key, number) is None


def test_one_is_held_by_one_and_what_waits_for_a_person_by_nobody(database: Database) -> None:
    key = database.write(workspaces.ensure, "T0ACME", "Acme", "USD").id
    number = database.write(intents.keep, key, Kind.STEP, {}, name="step:1")
    assert database.write(intents.keep, key, Kind.STEP, {}, name="step:1") == number, "the same again is the same"
    assert database.write(intents.take, key, number) is not None
    assert database.write(intents.take, key, number) is None
    held = database.write(intents.keep, key, Kind.CANCEL, {}, held=True)
    assert database.write(intents.take, key, held) is None
    assert database.write(intents.release_held, key, held, {})
    assert not database.write(intents.release_held, key, held, {}), "it is decided once"
    assert database.read(intents.due, 9) == [(key, held)]


def test_what_is_given_up_leaves_its_pieces_to_be_asked_for_anew(database: Database) -> None:
    key, piece, now = database.write(workspaces.ensure, "T0ACME", "Acme", "USD").id, PieceId(1), datetime.now(UTC)
    number = database.write(intents.keep, key, Kind.CANCEL, {"by": "U0ANA"}, piece_ids=[piece])
    taken = database.write(intents.take, key, number)
    assert taken is not None
    assert database.write(cancellations.begin, key, piece, UserId("U0ANA"), now, ("still unclear",), number)
    assert not database.write(intents.give_up, key, number, taken.token + 1, "still unclear"), "another holds it"
    assert database.write(intents.give_up, key, number, taken.token, "still unclear")
    assert database.read(intents.rows_of, key, number)[0].outcome == "still unclear"
    assert database.write(cancellations.begin, key, piece, UserId("U0ANA"), now, ("still unclear",), number + 1)


@pytest.mark.parametrize("moment", ["next_at", "lease_until"])
def test_a_clock_that_was_set_back_silences_no_intent(database: Database, moment: str) -> None:
    key = database.write(workspaces.ensure, "T0ACME", "Acme", "USD").id
    number = database.write(intents.keep, key, Kind.STEP, {})
    ahead = {moment: datetime.now(UTC) + timedelta(days=3)}
    database.write(lambda connection: connection.execute(update(table).values(**ahead)) and None)
    assert database.read(intents.due, 9) == [(key, number)]
    assert database.write(intents.take, key, number) is not None
    assert database.read(intents.due, 9) == [], "what was just taken is held"


def test_what_is_put_off_as_long_as_anything_ever_is_waits(database: Database) -> None:
    key = database.write(workspaces.ensure, "T0ACME", "Acme", "USD").id
    number = database.write(intents.keep, key, Kind.CANCEL, {})
    taken = database.write(intents.take, key, number)
    assert taken is not None
    database.write(intents.give_back, key, number, taken.token, max(LOOKS), failed=False)
    assert database.read(intents.due, 9) == []


def test_the_age_of_an_intent_is_told_by_the_clock_that_dated_it(database: Database) -> None:
    key = database.write(workspaces.ensure, "T0ACME", "Acme", "USD").id
    number = database.write(intents.keep, key, Kind.STEP, {})
    assert not database.read(intents.is_old, key, number, timedelta(days=4))
    long_ago = {"made_at": datetime.now(UTC) - timedelta(days=4, minutes=1)}
    database.write(lambda connection: connection.execute(update(table).values(**long_ago)) and None)
    assert database.read(intents.is_old, key, number, timedelta(days=4))


def test_only_what_came_to_nothing_counts_as_a_try(database: Database) -> None:
    key = database.write(workspaces.ensure, "T0ACME", "Acme", "USD").id
    number = database.write(intents.keep, key, Kind.CANCEL, {"by": "U0ANA"}, piece_ids=[PieceId(1)])

    def take() -> intents.Intent:
        free = {"lease_until": EPOCH, "next_at": EPOCH}
        database.write(lambda connection: connection.execute(update(table).values(**free)) and None)
        taken = database.write(intents.take, key, number)
        assert taken is not None
        return taken

    assert [take().tries for _ in range(3)] == [0, 1, 2], "its process died each time"
    taken = take()
    database.write(intents.give_back, key, number, taken.token, timedelta(0), failed=True)
    taken = take()
    assert taken.tries == 3, "an outage is no try"
    row = PieceRow(PieceId(1), "cancelled", Status.CANCELLED, 0)
    assert database.write(intents.note_piece, key, number, taken.token, row)
    assert take().tries == 0
