"""What is typed for a piece is looked for in a workspace's own newest mail, and nine digits alone are no ZIP code for sure."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from storage import workspaces
from storage.database import Database
from storage.ledger import apply as ledger
from storage.queries import search
from storage.records import Recipient, WorkspaceId
from tests.builders import a_batch, a_campaign, a_piece

NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)


def teams(database: Database) -> tuple[WorkspaceId, WorkspaceId]:
    mine, other = (database.write(workspaces.ensure, team, "Acme", "USD").id for team in ("T1", "T2"))
    return mine, other


def learn(database: Database, workspace_id: WorkspaceId, refs: Sequence[int], **who: str) -> None:
    pieces = [
        a_piece(str(ref), recipient=Recipient(**({"name": "Jane Smith", "city": "Austin"} | who))) for ref in refs
    ]
    database.write(ledger.apply, workspace_id, a_batch(a_campaign(), *pieces), NOW)


def refs(database: Database, workspace_id: WorkspaceId, *wordings: str) -> tuple[list[str], bool]:
    found = database.read(search.search, workspace_id, wordings, 25)
    return [one.ref for one in found.pieces], found.exact


def test_the_mail_of_others_pushes_none_of_ones_own_out(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOKED_THROUGH", 20)
    mine, other = teams(database)
    learn(database, mine, range(1000, 1002))
    learn(database, other, range(2000, 2030))
    assert refs(database, mine, "austin") == (["1001", "1000"], True)


def test_of_ones_own_mail_the_newest_is_looked_through(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LOOKED_THROUGH", 20)
    mine, other = teams(database)
    for start in range(1000, 1025, 5):
        learn(database, mine, range(start, start + 5))
        learn(database, other, range(start, start + 5))
    assert refs(database, mine, "austin") == ([str(ref) for ref in range(1024, 1004, -1)], True)


@pytest.mark.parametrize(
    ("asked", "exact"),
    [("78701-2345", True), ("787012345", False), ("787012345?", False), ("austin 787012345", True), ("78701", True)],
)
def test_nine_digits_alone_are_a_zip_code_only_as_a_guess(database: Database, asked: str, exact: bool) -> None:
    mine, _ = teams(database)
    learn(database, mine, [1000], postcode="78701")
    assert refs(database, mine, asked) == (["1000"], exact)
    learn(database, mine, [1001], postcode="78701-2345")
    assert refs(database, mine, "787012345") == (["1001"], True), "typed to the letter"
    assert refs(database, mine, "987012345") == ([], True)
