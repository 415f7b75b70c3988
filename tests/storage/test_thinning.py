"""What is dropped of old pieces, what stays, and that nobody is told of it again."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from storage import outbox, thinning
from storage.database import Database
from storage.privacy import LONGEST_WAY
from storage.queries import mail as queries
from storage.records import PieceId, Source, Workspace
from storage.schema.account_tables import thinned
from storage.schema.tables import changes, orphans
from storage.schema.tables import outbox as outbox_rows
from storage.statuses import Status
from tests.builders import START, a_campaign, a_change, a_piece
from tests.conftest import PARTITIONS
from tests.fakes import FakeClock
from tests.storage.test_mailings import AT_ONCE, NOW, all_told, apply, database_clock, workspace  # noqa: F401

WAY = (Status.PRODUCING, Status.HANDED_OVER, Status.IN_TRANSIT, Status.LOCAL_DELIVERY, Status.RETURNED)
KEEP = timedelta(days=400)
#: When a piece that was ordered at the start has just become old.
OLD = START + KEEP + LONGEST_WAY + timedelta(days=1)


def mailed(database: Database, workspace: Workspace, ref: str, way: Any = WAY, **more: Any) -> PieceId:  # noqa: F811
    scans = [a_change(ref, status=status, hours=number) for number, status in enumerate(way)]
    apply(database, workspace, a_campaign(), a_piece(ref, **more), *scans)
    return PieceId(database.read(queries.find_pieces, workspace.id, ref, 1)[0].id)


def thin(
    database: Database,
    workspace: Workspace,  # noqa: F811
    passed: datetime,
    never: datetime | None = None,
    limit: int = 2,
) -> int:
    total = 0
    days = passed - KEEP, never or passed + thinning.YEAR
    for campaign_id in database.read(thinning.due, workspace.id, *days):
        while some := database.write(thinning.thin_some, workspace.id, campaign_id, *days, limit):
            total += some
    return total


def statuses(database: Database, workspace: Workspace, piece_id: PieceId) -> list[Status | None]:  # noqa: F811
    return [scan.status for scan in database.read(queries.timeline, workspace.id, piece_id)]


def test_of_an_old_piece_stay_its_hand_over_and_its_end(database: Database, workspace: Workspace) -> None:  # noqa: F811
    old = [mailed(database, workspace, str(number)) for number in range(5)]
    single = mailed(database, workspace, "single", campaign_ref=None)
    never_ended = mailed(database, workspace, "lost", WAY[:3])
    young = mailed(database, workspace, "young", created_at=START + timedelta(days=5))
    assert thin(database, workspace, OLD - timedelta(days=2)) == 0, "a day too early"
    assert thin(database, workspace, OLD) == 7
    for piece in (*old, single):
        assert statuses(database, workspace, piece) == [Status.HANDED_OVER, Status.RETURNED]
    assert statuses(database, workspace, never_ended) == [Status.HANDED_OVER, Status.IN_TRANSIT], (
        "where it stands stays"
    )
    assert statuses(database, workspace, young) == list(WAY)
    assert thin(database, workspace, OLD) == 0, "each piece once"
    assert thin(database, workspace, OLD + timedelta(days=5)) == 1
    assert len(database.read(lambda c: c.execute(select(thinned)).all())) == 2, "one row for a campaign"


def test_a_piece_of_a_day_to_come_holds_up_no_other(database: Database, workspace: Workspace) -> None:  # noqa: F811
    odd = mailed(database, workspace, "odd", created_at=START + timedelta(days=36_500))
    old = mailed(database, workspace, "old")
    thin(database, workspace, OLD, limit=1)
    assert statuses(database, workspace, old) == [Status.HANDED_OVER, Status.RETURNED]
    assert statuses(database, workspace, odd) == list(WAY)
    assert thin(database, workspace, OLD) == 0


def test_a_piece_that_is_newer_than_any_campaign_waits_for_its_time(database: Database, workspace: Workspace) -> None:  # noqa: F811
    single = mailed(database, workspace, "single", campaign_ref=None, created_at=START + timedelta(days=3))
    found = database.read(thinning.bounds, workspace.id, START + timedelta(days=40))
    assert found is not None
    assert found.passed == START
    thin(database, workspace, *found)
    assert thin(database, workspace, OLD + timedelta(days=3)) == 1
    assert statuses(database, workspace, single) == [Status.HANDED_OVER, Status.RETURNED]


def test_nobody_is_told_again_of_what_was_told(
    database: Database,
    workspace: Workspace,  # noqa: F811
    database_clock: FakeClock,  # noqa: F811
) -> None:
    mailed(database, workspace, "1")
    database_clock.pass_time(minutes=1)
    [news] = database.write(outbox.claim, AT_ONCE)
    database.write(outbox.settle, [all_told(news)])
    late = max(OLD, database_clock.now() + KEEP + timedelta(days=2))
    assert thin(database, workspace, late) == 1
    told = database.read(lambda c: c.execute(select(outbox_rows)).all())
    assert len(told) == 1, "who was told stays: by it a guest may still open the piece"
    # A person asks for the old piece: the platform tells its whole way again, and a second scan of its end.
    again = [a_change("1", status=status, hours=number) for number, status in enumerate(WAY)]
    apply(database, workspace, *again, a_change("1", Status.RETURNED, hours=99), at=late)
    assert database.read(lambda c: c.execute(select(outbox_rows)).all()) == told


def test_its_days_are_those_of_the_mail(database: Database, workspace: Workspace) -> None:  # noqa: F811
    ahead = OLD + timedelta(days=4000)
    assert database.read(thinning.bounds, workspace.id, ahead) is None, "no mail, no day"
    mailed(database, workspace, "1")
    assert database.read(thinning.bounds, workspace.id, ahead) == (START, ahead + thinning.YEAR)
    behind = START - timedelta(days=100)
    assert database.read(thinning.bounds, workspace.id, behind) == (behind, START + thinning.YEAR)


def test_what_was_heard_long_ago_is_no_news(database: Database, workspace: Workspace) -> None:  # noqa: F811
    mailed(database, workspace, "1")
    database.write(lambda c: c.execute(outbox_rows.delete()) and None)
    new = a_change("1", Status.IN_TRANSIT, hours=70)
    apply(database, workspace, a_change("1", Status.RETURNED, hours=4), new, at=NOW + outbox.STALE + timedelta(days=1))
    assert database.read(lambda c: c.execute(select(outbox_rows)).all()) == []


def test_news_that_waits_is_never_dropped(database: Database, workspace: Workspace) -> None:  # noqa: F811
    mailed(database, workspace, "1")
    thin(database, workspace, OLD + timedelta(days=4000))
    assert len(database.read(lambda c: c.execute(select(outbox_rows)).all())) == 1


#: No version before runs where the tables are divided (tests/storage/test_partitions.py): there none wrote without it.
WRITERS = ("now",) if PARTITIONS else ("before", "now")


@pytest.mark.parametrize("writer", WRITERS)
def test_history_that_names_no_workspace_is_read_and_thinned_alike(
    database: Database,
    workspace: Workspace,  # noqa: F811
    writer: str,
) -> None:
    piece = mailed(database, workspace, "1")
    if writer == "before":
        database.write(lambda c: c.execute(changes.update().values(workspace_id=0)) and None)
    assert statuses(database, workspace, piece) == list(WAY)
    apply(database, workspace, a_change("1", status=Status.IN_TRANSIT, hours=2))
    assert statuses(database, workspace, piece) == list(WAY), "the same scan is no second one"
    assert thin(database, workspace, OLD) == 1
    assert statuses(database, workspace, piece) == [Status.HANDED_OVER, Status.RETURNED]


def test_changes_whose_piece_never_came_go_after_the_time_that_mail_takes(
    database: Database,
    workspace: Workspace,  # noqa: F811
) -> None:
    apply(database, workspace, *(a_change(f"x{n}", Status.DELIVERED, source=Source.WEBHOOK) for n in range(5)))
    left = select(func.count()).select_from(orphans)
    soon, late = NOW + timedelta(days=59), NOW + timedelta(days=61)
    assert database.write(thinning.drop_orphans, workspace.id, soon) == 0
    assert [database.write(thinning.drop_orphans, workspace.id, late, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert database.read(lambda c: c.scalar(left)) == 0
