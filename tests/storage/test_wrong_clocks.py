"""Processes whose clocks disagree: what a piece rises to is told once, whoever heard of what came before."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import select

from storage import workspaces
from storage.database import Database
from storage.ledger.apply import apply
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, Source, UserId
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


def test_where_a_piece_stood_when_it_was_met_is_no_news_however_often_it_is_read(database: Database) -> None:
    mine = database.write(workspaces.ensure, "T1", "Acme", "USD").id
    database.write(workspaces.note, mine, baseline_at=SINCE)
    wants = [NotifyOn.RETURNED]
    database.write(workspaces.subscribe, mine, ChannelId("C1"), NO_CAMPAIGN, wants, UserId("U1"), SINCE)
    back = a_change(status=Status.RETURNED, occurred_at=NOW, source=Source.POLL, exact=False)
    met = a_batch(a_campaign("222"), a_piece(created_at=ORDERED), back)
    database.write(apply, mine, met, NOW)
    # Its way is told afterwards, by a clock that is ahead; and it is read again.
    way = a_change(status=Status.IN_TRANSIT, occurred_at=NOW - timedelta(days=1), source=Source.WEBHOOK)
    database.write(apply, mine, a_batch(way), NOW + timedelta(seconds=130))
    database.write(apply, mine, met, NOW + timedelta(seconds=60))
    assert database.read(lambda c: c.execute(select(outbox)).all()) == []
