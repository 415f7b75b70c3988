"""Processes whose clocks disagree: what a piece rises to is told once, whoever heard of what came before."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import select

from storage import workspaces
from storage.database import Database
from storage.ledger.apply import apply, apply_heard
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, Source, UserId, WorkspaceId
from storage.schema.tables import outbox
from storage.statuses import Status
from tests.builders import START, a_batch, a_campaign, a_change, a_piece

NOW = START + timedelta(days=30)
#: Since when the channel listens, and when the piece was ordered.
SINCE, ORDERED = NOW - timedelta(hours=10), NOW - timedelta(days=3)
#: How wrong a clock may be, in seconds.
SKEWS: Sequence[int] = (-130, 0, 130)
WAYS = [*product((Source.POLL, Source.WEBHOOK), (True, False))]


@pytest.mark.parametrize("known", [True, False], ids=["known before", "new"])
def test_a_return_is_told_once_whatever_the_clocks_of_those_who_heard_of_the_piece(
    database: Database, known: bool
) -> None:
    """On its way by one process, returned twenty seconds later by another; by webhook or poll, dated or not."""
    wrong = {}
    for number, ((source, dated), (then, exact), one, other) in enumerate(product(WAYS, WAYS, SKEWS, SKEWS)):
        mine = database.write(workspaces.ensure, f"T{number}", "Acme", "USD").id
        database.write(workspaces.note, mine, baseline_at=SINCE)
        wants = [NotifyOn.RETURNED]
        database.write(workspaces.subscribe, mine, ChannelId("C1"), NO_CAMPAIGN, wants, UserId("U1"), SINCE)
        piece = a_piece(created_at=ORDERED)
        told = [
            (NOW, timedelta(seconds=one), Status.IN_TRANSIT, source, dated),
            (NOW + timedelta(seconds=20), timedelta(seconds=other), Status.RETURNED, then, exact),
        ]
        if known:
            told.insert(0, (SINCE - timedelta(hours=1), timedelta(), Status.RECEIVED, Source.POLL, False))
        for at, skew, status, way, is_dated in told:
            occurred = at if is_dated else at + skew
            change = a_change(status=status, occurred_at=occurred, source=way, exact=is_dated)
            database.write(apply, mine, a_batch(a_campaign("222"), piece, change), at + skew)
        rows = database.read(
            lambda c, who=mine: c.scalars(select(outbox.c.status).where(outbox.c.workspace_id == who)).all()  # type: ignore[misc]
        )
        if rows != [Status.RETURNED]:
            wrong[source.name, dated, then.name, exact, one, other] = rows
    assert wrong == {}


@pytest.mark.parametrize("moved", [False, True], ids=["placed later", "moved to another campaign"])
@pytest.mark.parametrize("skew", SKEWS)
@pytest.mark.parametrize("way", [Source.POLL, Source.WEBHOOK])
def test_a_return_is_told_when_its_piece_comes_into_a_campaign_whatever_the_clock_of_who_heard_of_it(
    database: Database, way: Source, skew: int, moved: bool
) -> None:
    """The channel is told of one campaign. Its piece was on its way before, returned, and came into it afterwards."""
    mine = database.write(workspaces.ensure, "T1", "Acme", "USD").id
    database.write(workspaces.note, mine, baseline_at=SINCE)
    database.write(apply, mine, a_batch(a_campaign("222"), a_campaign("223", name="Fall")), SINCE)
    known = {one.facts.ref: one.id for one in database.read(queries.campaigns_of, mine)}
    wants = [NotifyOn.RETURNED]
    database.write(workspaces.subscribe, mine, ChannelId("C1"), known["222"], wants, UserId("U1"), SINCE)
    piece = a_piece(created_at=ORDERED, campaign_ref="223" if moved else None)
    ahead = NOW + timedelta(seconds=skew)
    on_its_way = a_change(status=Status.IN_TRANSIT, occurred_at=ahead, source=way, exact=False)
    database.write(apply, mine, a_batch(piece, on_its_way), ahead)
    back = a_change(status=Status.RETURNED, occurred_at=NOW + timedelta(seconds=20), source=Source.POLL, exact=False)
    database.write(apply, mine, a_batch(piece, back), NOW + timedelta(seconds=20))
    assert database.read(lambda c: c.scalars(select(outbox.c.status)).all()) == []
    placed = replace(piece, campaign_ref="222")
    # Later than what the other said of the piece itself: of its facts the last are kept.
    for seconds in (140, 160):
        database.write(apply, mine, a_batch(placed), NOW + timedelta(seconds=seconds))
    assert database.read(lambda c: c.scalars(select(outbox.c.status)).all()) == [Status.RETURNED]


def test_the_first_of_several_calls_that_are_merged_at_once_is_told_like_the_last(database: Database) -> None:
    mine, at = listening(database, SINCE), NOW + timedelta(seconds=20)
    piece, other = a_piece(created_at=ORDERED), a_piece("9999", created_at=ORDERED)
    way = a_change(status=Status.IN_TRANSIT, occurred_at=NOW, source=Source.WEBHOOK)
    database.write(apply, mine, a_batch(a_campaign("222"), piece, way), NOW + timedelta(seconds=130))
    back = a_change(status=Status.RETURNED, occurred_at=at, source=Source.POLL, exact=False)
    told = [(at, a_batch(piece, back)), (at + timedelta(seconds=5), a_batch(other))]
    database.write(apply_heard, mine, told, at)
    assert database.read(lambda c: c.scalars(select(outbox.c.status)).all()) == [Status.RETURNED]


def test_old_news_stays_old_where_the_moments_of_a_batch_are_not_its_own(database: Database) -> None:
    """The channel listens since a moment to come: what is heard until then bears one moment, whoever heard it."""
    mine = listening(database, NOW + timedelta(seconds=60))
    back = a_change(status=Status.RETURNED, occurred_at=NOW, source=Source.POLL, exact=False)
    drop, piece = a_campaign("222"), a_piece(created_at=ORDERED)
    database.write(apply, mine, a_batch(drop, piece, back), NOW)
    way = a_change(status=Status.IN_TRANSIT, occurred_at=NOW - timedelta(days=1), source=Source.WEBHOOK)
    database.write(apply, mine, a_batch(way), NOW + timedelta(seconds=130))
    new = a_change("9999", status=Status.IN_TRANSIT, occurred_at=NOW, source=Source.POLL, exact=False)
    again = a_batch(drop, piece, back, a_piece("9999", created_at=ORDERED), new)
    database.write(apply, mine, again, NOW + timedelta(seconds=10))
    assert database.read(lambda c: c.execute(select(outbox)).all()) == []


def listening(database: Database, since: datetime) -> WorkspaceId:
    """A workspace whose channel wants to know of returns."""
    mine = database.write(workspaces.ensure, "T1", "Acme", "USD").id
    database.write(workspaces.note, mine, baseline_at=SINCE)
    wants = [NotifyOn.RETURNED]
    database.write(workspaces.subscribe, mine, ChannelId("C1"), NO_CAMPAIGN, wants, UserId("U1"), since)
    return mine


def test_where_a_piece_stood_when_it_was_met_is_no_news_however_often_it_is_read(database: Database) -> None:
    mine = listening(database, SINCE)
    back = a_change(status=Status.RETURNED, occurred_at=NOW, source=Source.POLL, exact=False)
    met = a_batch(a_campaign("222"), a_piece(created_at=ORDERED), back)
    database.write(apply, mine, met, NOW)
    # Its way is told afterwards, by a clock that is ahead; and it is read again.
    way = a_change(status=Status.IN_TRANSIT, occurred_at=NOW - timedelta(days=1), source=Source.WEBHOOK)
    database.write(apply, mine, a_batch(way), NOW + timedelta(seconds=130))
    # Beside something new, or nobody would look.
    new = a_change("9999", status=Status.IN_TRANSIT, occurred_at=NOW, source=Source.POLL, exact=False)
    again = a_batch(*met.campaigns, *met.pieces, *met.changes, a_piece("9999", created_at=ORDERED), new)
    database.write(apply, mine, again, NOW + timedelta(seconds=60))
    assert database.read(lambda c: c.execute(select(outbox)).all()) == []
