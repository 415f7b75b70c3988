"""Pages of a campaign's pieces are exactly those asked for, in order, once each, and of nobody else."""

from datetime import UTC, datetime, timedelta

import pytest

from storage import workspaces
from storage.database import Database
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.queries import piece_pages, returns
from storage.queries.current import current_campaigns
from storage.queries.mail import Days
from storage.queries.piece_pages import PieceFilter
from storage.queries.returns import CameBack
from storage.records import Recipient, StoredPiece, UserId, WorkspaceId
from storage.statuses import Status
from tests.builders import START, a_batch, a_campaign, a_change, a_piece

NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)
NAMES = ("Jane Smith", "Luis Smithson", "Amara Okafor", "Jane Brown")


@pytest.fixture
def workspace_id(database: Database) -> WorkspaceId:
    """Two teams with the same mail; this is one of them."""
    mine, other = (database.write(workspaces.ensure, team, "Acme", "USD").id for team in ("T1", "T2"))
    for key in (mine, other):
        pieces = [
            a_piece(str(1000 + n), "222" if n % 3 else "223", recipient=Recipient(NAMES[n % 4], "", f"{n} Main", "Austin", "TX", f"787{n % 10:02}"))
            for n in range(60)
        ]  # fmt: skip
        changes = [a_change(str(1000 + n), Status.RECEIVED, hours=-1) for n in range(60)]
        changes += [
            a_change(str(1000 + n), Status.RETURNED if n % 5 == 0 else Status.DELIVERED) for n in range(0, 60, 2)
        ]
        database.write(ledger.apply, key, a_batch(a_campaign("222"), a_campaign("223", "Fall"), *pieces, *changes), NOW)
    return mine


def everything(database: Database, workspace_id: WorkspaceId, wish: PieceFilter, size: int) -> list[StoredPiece]:
    campaign = next(c for c in database.read(queries.campaigns_of, workspace_id) if c.facts.ref == "222")
    found: list[StoredPiece] = []
    while page := database.read(
        piece_pages.page, workspace_id, campaign.id, wish, found[-1].id if found else None, size
    ):
        found += page
    return found


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("status", [None, Status.RETURNED, Status.RECEIVED, Status.CANCELLED])
def test_by_status(database: Database, workspace_id: WorkspaceId, status: Status | None, size: int) -> None:
    found = everything(database, workspace_id, PieceFilter(status), size)
    numbers = [n for n in range(60) if n % 3]
    where = {n: Status.RECEIVED if n % 2 else Status.RETURNED if n % 5 == 0 else Status.DELIVERED for n in numbers}
    assert [piece.ref for piece in found] == [str(1000 + n) for n in numbers if status in (None, where[n])]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_returns_come_latest_first_whatever_comes_back_meanwhile(database: Database, size: int) -> None:
    mine = database.write(workspaces.ensure, "T1", "Acme", "USD").id
    # Two of each hour, and one whose return was heard of last happened first.
    hours = {str(1000 + n): float(n // 2) for n in range(1, 8)} | {"1000": 9.0, "1008": -5.0}
    pieces = [a_piece(ref) for ref in sorted([*hours, "1009", "1010"])]
    changes = [a_change(ref, Status.RETURNED, at) for ref, at in hours.items()]
    database.write(ledger.apply, mine, a_batch(a_campaign(), *pieces, *changes, a_change("1009")), NOW)
    campaign = database.read(queries.campaigns_of, mine)[0]
    found: list[StoredPiece] = []
    while page := database.read(returns.latest, mine, campaign.id, CameBack.of(found[-1]) if found else None, size):
        found += page
        # A newer one, and the last of this page, whose return was earlier than it was told.
        again = a_change(found[-1].ref, Status.RETURNED, -1)
        database.write(ledger.apply, mine, a_batch(a_change("1010", Status.RETURNED, 20), again), NOW)
        assert len(found) < 20
    # One that was moved down the list may be met there again; none is passed over.
    assert list(dict.fromkeys(piece.ref for piece in found)) == [
        "1000",
        "1007",
        "1006",
        "1005",
        "1004",
        "1003",
        "1002",
        "1001",
        "1008",
    ]


def test_what_came_back_in_a_span_of_time_is_counted_also_behind_the_limit(database: Database) -> None:
    mine = database.write(workspaces.ensure, "T1", "Acme", "USD").id
    pieces = [a_piece(str(1000 + n)) for n in range(7)]
    changes = [a_change(str(1000 + n), Status.RETURNED, n) for n in range(6)]
    database.write(ledger.apply, mine, a_batch(a_campaign(), *pieces, *changes, a_change("1006", hours=3)), NOW)
    campaign = database.read(queries.campaigns_of, mine)[0]

    def between(first: float, last: float, limit: int) -> tuple[list[str], int]:
        begin, end = START + timedelta(hours=first), START + timedelta(hours=last)
        found, number = database.read(returns.between, mine, campaign.id, begin, end, limit)
        return [piece.ref for piece in found], number

    assert between(1, 4, 9) == (["1003", "1002", "1001"], 3), "the end is not among them"
    assert between(1, 4, 2) == (["1003", "1002"], 3)
    assert between(9, 12, 9) == ([], 0)


@pytest.mark.parametrize(
    ("asked", "matches"),
    [
        ("smith", lambda n: n % 4 in (0, 1)),
        ("JANE", lambda n: n % 4 in (0, 3)),
        ("jane smith", lambda n: n % 4 == 0),
        ("78705", lambda n: n % 10 == 5),
        ("5 Main", lambda n: n == 5),
        ("1007", lambda n: n == 7),
        ("main smith", lambda n: n % 4 in (0, 1)),
        ("nobody", lambda _n: False),
        ("%", lambda _n: False),
        ("   ", lambda _n: False),
    ],
)
@pytest.mark.parametrize("status", [None, Status.RETURNED])
def test_by_what_was_typed(
    database: Database, workspace_id: WorkspaceId, asked: str, matches: object, status: Status | None
) -> None:
    assert callable(matches)
    found = everything(database, workspace_id, PieceFilter(status, asked), 4)
    back = [n for n in range(60) if n % 3 and (status is None or n % 10 == 0)]
    assert [piece.ref for piece in found] == [str(1000 + n) for n in back if matches(n)]


def test_each_persons_range_is_remembered_apart(database: Database, workspace_id: WorkspaceId) -> None:
    assert database.read(workspaces.span_of, workspace_id, UserId("U1")) == ""
    for span in ("all", "2026-11-01..2026-11-02"):
        database.write(workspaces.keep_span, workspace_id, UserId("U1"), span)
    assert database.read(workspaces.span_of, workspace_id, UserId("U1")) == "2026-11-01..2026-11-02"
    assert database.read(workspaces.span_of, workspace_id, UserId("U2")) == ""
    assert database.read(workspaces.span_of, WorkspaceId(workspace_id + 1), UserId("U1")) == ""


def test_a_moment_that_was_told_with_and_without_its_place_is_one_line(database: Database) -> None:
    key = database.write(workspaces.ensure, "T9", "Acme", "USD").id
    told = [a_change("7", Status.HANDED_OVER), a_change("7", Status.HANDED_OVER, place="Houston, TX")]
    told += [a_change("7", Status.IN_TRANSIT, hours=5), a_change("7", Status.HANDED_OVER, hours=2)]
    database.write(ledger.apply, key, a_batch(a_campaign(), a_piece("7"), *told), NOW)
    piece = database.read(queries.find_pieces, key, "7", 1)[0]
    lines = [(scan.status, scan.place) for scan in database.read(queries.timeline, key, piece.id)]
    assert lines == [(Status.HANDED_OVER, "Houston, TX"), (Status.HANDED_OVER, ""), (Status.IN_TRANSIT, "")]


def test_campaigns_stand_in_one_order_wherever_they_are_listed(database: Database) -> None:
    """Those that changed last first; of several that changed at once (as when the account is first read) the newest."""
    mine = database.write(workspaces.ensure, "T1", "Acme", "USD").id
    made = [
        ("221", 0, Status.IN_TRANSIT), ("222", 2, Status.DELIVERED), ("223", 2, Status.RECEIVED),
        ("224", 1, Status.DELIVERED), ("225", 0, Status.RECEIVED), ("226", 1, Status.IN_TRANSIT),
    ]  # fmt: skip
    for ref, hours, status in made:
        batch = a_batch(a_campaign(ref, f"Drop {ref}"), a_piece(f"1{ref}", ref), a_change(f"1{ref}", status))
        database.write(ledger.apply, mine, batch, NOW + timedelta(hours=hours))
    known = {one.id: one.facts.ref for one in database.read(queries.campaigns_of, mine)}
    order = ["223", "222", "226", "224", "225", "221"]
    assert list(known.values()) == order
    assert [one.ref for one in database.read(queries.campaign_names, mine)] == order
    assert [one.facts.ref for one in database.read(queries.latest_campaigns, mine, 9)] == order
    assert [one.facts.ref for one, _ in database.read(queries.listed, mine, Days(), 0, 9)] == order
    # What is asked of now is where the mail is: first what moves, then what waits, then what is complete.
    now = ["226", "221", "223", "225", "222", "224"]
    assert [one.facts.ref for one, _ in database.read(queries.listed, mine, Days(current=NOW.date()), 0, 9)] == now
    assert [known[one] for one in database.read(current_campaigns, mine, NOW.date())] == now
    some = [key for key, ref in known.items() if ref in ("221", "224", "223")]
    assert [one.facts.ref for one in database.read(queries.latest_campaigns, mine, 2, sorted(some))] == ["223", "224"]
