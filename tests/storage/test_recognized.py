"""A row of a report that reads as it did the last time says nothing new, as long as nothing else has changed the piece."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update

from storage import privacy, workspaces
from storage.aside import Sieve
from storage.database import Database
from storage.ledger import apply as ledger
from storage.ledger.pieces import PERSONAL
from storage.queries import mail as queries
from storage.queries.recognized import Print, recognized
from storage.records import Piece, Recipient, WorkspaceId
from storage.schema.tables import pieces
from storage.statuses import Status
from tests.builders import START, a_batch, a_change, a_piece

NOW = START + timedelta(days=30)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def team(database: Database) -> WorkspaceId:
    return database.write(workspaces.ensure, "T1", "Acme", "USD").id


def learn(database: Database, team: WorkspaceId, *facts: object, now: object = NOW) -> None:
    database.write(ledger.apply, team, a_batch(*facts), now)  # type: ignore[arg-type]


def known(database: Database, team: WorkspaceId, of: Print, **prints: int) -> set[str]:
    return database.read(recognized, team, of, {ref.removeprefix("p"): one for ref, one in prints.items()})


def test_what_reads_the_same_is_recognized_by_where_it_stood(database: Database, team: WorkspaceId) -> None:
    learn(database, team, a_piece("1001", listed_print=7), a_piece("1002", None, listed_print=-(2**63)))
    assert known(database, team, Print.LISTED, p1001=7, p1002=-(2**63), p1003=7) == {"1001", "1002"}
    assert known(database, team, Print.LISTED, p1001=8, p1002=7) == set()
    assert known(database, team, Print.PLACED, p1001=7) == set()
    assert known(database, team, Print.LISTED) == set()


def test_each_report_has_its_own(database: Database, team: WorkspaceId) -> None:
    learn(database, team, a_piece("1001", None, listed_print=7))
    learn(database, team, a_piece("1001", listed_print=None, placed_print=9), now=LATER)
    # It came into its campaign: so the account's report is merged once more, and then both are recognized.
    assert known(database, team, Print.LISTED, p1001=7) == set()
    learn(database, team, a_piece("1001", None, listed_print=7), now=LATER)
    assert known(database, team, Print.LISTED, p1001=7) == known(database, team, Print.PLACED, p1001=9) == {"1001"}


def test_what_another_told_otherwise_is_read_again(database: Database, team: WorkspaceId) -> None:
    learn(database, team, a_piece("1001", listed_print=7))
    learn(database, team, a_piece("1001"), a_change("1001", Status.DELIVERED), now=LATER)
    assert known(database, team, Print.LISTED, p1001=7) == {"1001"}
    learn(database, team, a_piece("1001", cost=Decimal(2)), now=LATER)
    assert known(database, team, Print.LISTED, p1001=7) == set()
    learn(database, team, a_piece("1001", listed_print=7), now=LATER)
    learn(database, team, a_piece("1001", recipient=Recipient("Joan Smith")), now=LATER)
    assert known(database, team, Print.LISTED, p1001=7) == set()


@pytest.mark.parametrize(
    "told",
    [
        {"cost": Decimal(2)}, {"format": "4x6"}, {"campaign_ref": "223"}, {"recipient": Recipient("Joan Smith")},
        {"recipient": Recipient(address="2 Side Street")},
    ],
    ids=lambda told: next(iter(told)),
)  # fmt: skip
@pytest.mark.parametrize("of", Print)
def test_what_was_told_before_a_newer_word_is_read_again(
    database: Database, team: WorkspaceId, of: Print, told: dict[str, Any]
) -> None:
    """As by the right clock, after one that was an hour ahead: what it told was not taken."""
    before: dict[str, Any] = {f"{of}_print": 7}
    after: dict[str, Any] = told | {f"{of}_print": 8}
    learn(database, team, a_piece("1001", **before), now=LATER)
    learn(database, team, a_piece("1001", **after), now=NOW)
    assert known(database, team, of, p1001=8) == set()
    learn(database, team, a_piece("1001", **after), now=LATER + timedelta(hours=1))
    assert known(database, team, of, p1001=8) == {"1001"}


def test_of_what_came_together_the_last_word_is_recognized(database: Database, team: WorkspaceId) -> None:
    def hear(*told: Piece) -> None:
        heard = [(NOW + timedelta(minutes=n), a_batch(one)) for n, one in enumerate(told)]
        database.write(ledger.apply_heard, team, heard, LATER)

    hear(a_piece("1001", listed_print=7), a_piece("1001", None, recipient=None, cost=None))
    assert known(database, team, Print.LISTED, p1001=7) == {"1001"}
    for cost in (Decimal(2), Decimal(0)):
        hear(a_piece("1001", listed_print=7), a_piece("1001", cost=cost))
        assert known(database, team, Print.LISTED, p1001=7) == set(), "the next poll says otherwise"
        assert database.read(queries.find_pieces, team, "1001", 1)[0].cost == cost
    hear(a_piece("1001", listed_print=7), a_piece("1001", cost=Decimal(3), placed_print=9))
    assert known(database, team, Print.LISTED, p1001=7) == set()
    assert known(database, team, Print.PLACED, p1001=9) == {"1001"}


def test_of_an_erased_piece_nothing_is_kept(database: Database, team: WorkspaceId) -> None:
    learn(database, team, a_piece("1001", listed_print=7, placed_print=9))
    piece = database.read(queries.find_pieces, team, "1001", 1)[0]
    assert database.write(privacy.erase_piece, team, piece.id)
    learn(database, team, a_piece("1001", listed_print=7, placed_print=9), now=LATER)
    assert known(database, team, Print.LISTED, p1001=7) == known(database, team, Print.PLACED, p1001=9) == set()


def test_what_a_version_without_fingerprints_left_of_erased_pieces_goes_with_the_next_erasure(
    database: Database, team: WorkspaceId
) -> None:
    learn(database, team, a_piece("1001", listed_print=7, placed_print=9), a_piece("1002", listed_print=7))
    before = update(pieces).where(pieces.c.ref == "1001").values(**dict.fromkeys(PERSONAL, ""), erased=True)
    database.write(lambda connection: connection.execute(before))
    assert database.write(privacy.erase_ended, team, START, 0) == (0, None)
    assert known(database, team, Print.LISTED, p1001=7, p1002=7) == {"1002"}
    assert known(database, team, Print.PLACED, p1001=9) == set()


def test_of_what_was_refused_in_part_nothing_is_recognized() -> None:
    whole = a_batch(a_piece("1001", listed_print=7, placed_print=9), a_change("1001", Status.DELIVERED))
    sieve = Sieve([])
    sieve.refuse(whole, ValueError("no"))
    kept = [piece for part in sieve.todo for piece in part.pieces]
    assert [(piece.listed_print, piece.placed_print) for piece in kept] == [(None, None)]
