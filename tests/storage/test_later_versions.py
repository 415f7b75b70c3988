"""What a later version wrote waits for it, and stops nothing else: both share the database while one replaces the other."""

from datetime import timedelta

from sqlalchemy import select, update

from storage import outbox, workspaces
from storage.database import Database
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, PieceId, UserId, Workspace
from storage.schema.tables import outbox as outbox_rows
from storage.statuses import Status
from tests.builders import START, a_change, a_piece
from tests.fakes import FakeClock
from tests.storage.test_mailings import AT_ONCE, OPS, a_return, all_told, apply, database_clock, the_piece, workspace  # noqa: F401

LATER = 99


def test_news_of_a_status_of_a_later_version_stops_no_other_news(
    database: Database,
    workspace: Workspace,  # noqa: F811
    database_clock: FakeClock,  # noqa: F811
) -> None:
    since = START - timedelta(days=8)
    other = ChannelId("C-OTHER")
    database.write(workspaces.subscribe, workspace.id, other, NO_CAMPAIGN, [NotifyOn.RETURNED], UserId("U1"), since)
    a_return(database, workspace)
    later = update(outbox_rows).where(outbox_rows.c.channel == OPS).values(status=LATER)
    database.write(lambda connection: connection.execute(later) and None)
    first = database.write(outbox.claim, AT_ONCE)
    assert [one.channel for one in first] == [other]
    database.write(outbox.settle, [all_told(first[0])])
    database_clock.pass_time(minutes=1)
    # In the same channel, too, and told of a piece it is left out.
    apply(database, workspace, a_piece("1002"), a_change("1002", status=Status.RETURNED))
    found = database.write(outbox.claim, AT_ONCE)
    assert {one.channel: [item.status for item in one.items] for one in found} == {
        OPS: [Status.RETURNED],
        other: [Status.RETURNED],
    }
    database.write(outbox.settle, [all_told(one) for one in found])
    database_clock.pass_time(minutes=5)
    assert not database.read(outbox.is_due, AT_ONCE)
    piece = the_piece(database, workspace)
    assert [told.channel for told in database.read(outbox.told_of, workspace.id, PieceId(piece.id))] == [other]
    unsent = select(outbox_rows.c.status).where(outbox_rows.c.sent_at.is_(None), outbox_rows.c.channel == OPS)
    assert database.read(lambda connection: list(connection.scalars(unsent))) == [LATER]
