"""The ledger's promise: the end state depends on what was heard, not on when, how often or in which order."""

import os
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, func, select

from storage import cancellations, channel_settings, outbox, workspaces
from storage.database import Database
from storage.ledger import apply as ledger
from storage.ledger import tallies as tally
from storage.queries import mail as queries
from storage.records import (
    NO_CAMPAIGN,
    Change,
    ChannelId,
    NotifyOn,
    PieceId,
    Source,
    UserId,
    Workspace,
    WorkspaceId,
)
from storage.schema.tables import changes as change_rows
from storage.schema.tables import metadata, pieces, tallies, tally_deltas
from storage.schema.tables import outbox as outbox_rows
from storage.statuses import Status
from tests.builders import START, a_batch, a_campaign, a_change, a_piece
from tests.fakes import FakeClock

OPS = ChannelId("C-OPS")
NOW = START + timedelta(days=30)


@pytest.fixture
def workspace(database: Database) -> Workspace:
    return database.write(open_workspace)


def open_workspace(connection: Connection, team: str = "T1") -> Workspace:
    """A workspace whose history is behind it, and whose #ops is told of everything."""
    made = workspaces.ensure(connection, team, "Acme", "USD")
    workspaces.note(connection, made.id, baseline_at=START - timedelta(days=9))
    since = START - timedelta(days=8)
    workspaces.subscribe(connection, made.id, OPS, NO_CAMPAIGN, [NotifyOn.RETURNED], UserId("U1"), since)
    return workspaces.by_id(connection, made.id)


def apply(database: Database, workspace: Workspace, *things: Any, at: Any = NOW) -> ledger.Applied:
    return database.write(ledger.apply, workspace.id, a_batch(*things), at)


def the_piece(database: Database, workspace: Workspace, ref: str = "1001") -> Any:
    return database.read(queries.find_pieces, workspace.id, ref, 5)[0]


def snapshot(connection: Connection) -> dict[str, list[Any]]:
    """Every row that a reader could tell apart, without the row numbers."""
    refs = dict(connection.execute(select(pieces.c.id, pieces.c.ref)).all())
    told = connection.execute(select(outbox_rows.c.channel, outbox_rows.c.piece_id, outbox_rows.c.status)).all()
    heard = connection.execute(select(*(one for one in change_rows.c if one.name != "workspace_id"))).all()
    fields = (pieces.c.ref, pieces.c.status, pieces.c.status_at, pieces.c.word, pieces.c.changed_at, pieces.c.cost)
    counts: Counter[Any] = Counter()
    for table in (tallies, tally_deltas):
        for row in connection.execute(select(table)).all():
            counts[row.campaign_id, row.day, row.status] += row.pieces
    return {
        "pieces": sorted(map(tuple, connection.execute(select(*fields)).all())),
        "outbox": sorted((r.channel, refs[r.piece_id], r.status) for r in told),
        "changes": sorted((refs[r.piece_id], *tuple(r)[1:]) for r in heard),
        "tallies": sorted((key, n) for key, n in counts.items() if n),
    }


def recount(connection: Connection) -> list[Any]:
    """The tallies as they ought to be: counted from the pieces themselves."""
    keys = (pieces.c.campaign_id, pieces.c.day, pieces.c.status)
    return sorted(((r[0], r[1], r[2]), r[3]) for r in connection.execute(select(*keys, func.count()).group_by(*keys)))


REFS = ["1", "2", "3"]
heard_changes = st.builds(
    Change,
    piece_ref=st.sampled_from(REFS),
    status=st.sampled_from([*Status, None]),
    occurred_at=st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours)),
    exact=st.booleans(),
    word=st.sampled_from(["", "error"]),
    place=st.sampled_from(["", "Austin"]),
    source=st.just(Source.WEBHOOK),
)


@st.composite
def two_tellings(draw: st.DrawFn) -> tuple[list[list[Change]], list[list[Change]]]:
    """One set of changes, told twice: in other orders, with other repeats, in other portions."""
    base = draw(st.lists(heard_changes, min_size=1, max_size=12))
    tellings = []
    for _ in range(2):
        told = draw(st.permutations(base + draw(st.lists(st.sampled_from(base), max_size=4))))
        cut = draw(st.integers(0, len(told)))
        tellings.append([told[:cut], told[cut:]])
    return tellings[0], tellings[1]


@given(tellings=two_tellings(), early=st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_repetition_ends_in_the_same_rows_tallies_and_outbox(
    database: Database, tellings: Any, early: bool
) -> None:
    ends = [database.write(_telling, telling, early) for telling in tellings]
    assert ends[0] == ends[1]
    assert ends[0]["tallies"] == ends[0]["recount"]


def _telling(connection: Connection, portions: list[list[Change]], early: bool) -> dict[str, list[Any]]:
    for table in metadata.sorted_tables:
        connection.execute(delete(table))
    workspace = open_workspace(connection)
    setting = a_batch(a_campaign(), *(a_piece(ref) for ref in REFS))
    batches = [a_batch(*portion) for portion in portions]
    # Changes may also come before the pieces that they speak of.
    for batch in [setting, *batches] if early else [*batches, setting]:
        ledger.apply(connection, workspace.id, batch, NOW)
    tally.fold(connection)
    campaign = connection.scalar(select(pieces.c.campaign_id).limit(1))
    end = snapshot(connection)
    counted = recount(connection)
    normal = [((0 if key[0] == campaign else key[0], *key[1:]), n) for key, n in end["tallies"]]
    again = [((0 if key[0] == campaign else key[0], *key[1:]), n) for key, n in counted]
    return end | {"tallies": normal, "recount": again}


def test_a_return_follows_an_estimated_delivery(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(), a_change(status=Status.DELIVERED))
    apply(database, workspace, a_change(status=Status.RETURNED, hours=30))
    apply(database, workspace, a_change(status=Status.DELIVERED, hours=40))
    assert the_piece(database, workspace).status is Status.RETURNED


def test_a_piece_that_was_handed_over_was_not_cancelled(database: Database, workspace: Workspace) -> None:
    apply(
        database, workspace, a_piece(), a_change(status=Status.HANDED_OVER), a_change(status=Status.CANCELLED, hours=1)
    )
    assert the_piece(database, workspace).status is Status.HANDED_OVER


def test_a_foreign_word_is_kept_and_counted_as_other(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(), a_change(status=None, word="error", exact=False))
    piece = the_piece(database, workspace)
    mix = database.read(queries.mix, workspace.id, piece.campaign_id)
    assert (piece.status, piece.word, mix.other, mix.total) == (None, "error", 1, 1)


def test_the_same_batch_twice_changes_nothing(database: Database, workspace: Workspace) -> None:
    batch = (a_campaign(), a_piece(), a_change(status=Status.RETURNED))
    apply(database, workspace, *batch)
    before = database.read(snapshot)
    second = apply(database, workspace, *batch)
    assert database.read(snapshot) == before
    assert (second.arrived, second.recorded) == (0, 0)


def test_a_cost_that_changes_is_counted_once(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(cost=Decimal("0.84")), a_change(status=Status.RECEIVED))
    apply(database, workspace, a_piece(cost=Decimal("0.90")), at=NOW + timedelta(hours=1))
    database.write(tally.fold)
    piece = the_piece(database, workspace)
    mix = database.read(queries.mix, workspace.id, piece.campaign_id)
    assert (mix.total, mix.spent) == (1, Decimal("0.9"))


def test_a_cancelled_piece_is_not_spent_on(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(), a_change(status=Status.CANCELLED))
    piece = the_piece(database, workspace)
    assert database.read(queries.mix, workspace.id, piece.campaign_id).spent == 0


def test_an_older_answer_does_not_overwrite_a_newer_one(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(format="6x9"))
    apply(database, workspace, a_piece(format="4x6"), at=NOW - timedelta(hours=1))
    assert the_piece(database, workspace).format == "6x9"


def test_a_piece_placed_late_moves_to_its_campaign_and_is_told_then(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(campaign_ref=None), a_change(status=Status.RETURNED))
    assert database.read(snapshot)["outbox"] == []
    apply(database, workspace, a_campaign(), a_piece(campaign_ref="222"), at=NOW + timedelta(minutes=5))
    piece = the_piece(database, workspace)
    assert piece.campaign_name == "Spring lapsed"
    assert database.read(queries.mix, workspace.id, piece.campaign_id).total == 1
    assert database.read(queries.mix, workspace.id, NO_CAMPAIGN).total == 0
    assert database.read(snapshot)["outbox"] == [("C-OPS", "1001", Status.RETURNED)]


def test_what_was_known_before_the_first_poll_ended_is_told_to_nobody(database: Database, workspace: Workspace) -> None:
    database.write(workspaces.note, workspace.id, baseline_at=NOW)
    apply(database, workspace, a_piece(), a_change(status=Status.RETURNED))
    assert database.read(snapshot)["outbox"] == []
    apply(database, workspace, a_piece("2"), a_change("2", Status.RETURNED), at=NOW + timedelta(seconds=1))
    assert database.read(snapshot)["outbox"] == [("C-OPS", "2", Status.RETURNED)]


def test_a_cancellation_asked_for_here_is_not_news(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(), a_piece("1002"))
    piece: PieceId = the_piece(database, workspace).id
    database.write(cancellations.begin, workspace.id, piece, UserId("U1"), NOW, ())
    apply(database, workspace, a_change(status=Status.CANCELLED), a_change("1002", Status.CANCELLED))
    assert database.read(snapshot)["outbox"] == [("C-OPS", "1002", Status.CANCELLED)]


def test_two_workspaces_with_the_same_ids_stay_apart(database: Database, workspace: Workspace) -> None:
    other = database.write(open_workspace, "T2")
    apply(database, workspace, a_campaign(), a_piece(), a_change(status=Status.RETURNED))
    apply(database, other, a_campaign(name="Other"), a_piece(), a_change(status=Status.RECEIVED))
    assert the_piece(database, workspace).status is Status.RETURNED
    assert the_piece(database, other).status is Status.RECEIVED
    assert database.read(queries.campaigns_of, other.id)[0].facts.name == "Other"
    assert len(database.read(snapshot)["outbox"]) == 1


@pytest.fixture
def database_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The database's clock as the outbox sees it, which moves only when told."""
    clock = FakeClock()
    clock.moment = NOW
    monkeypatch.setattr(outbox, "database_time", lambda _connection: clock.now())
    return clock


AT_ONCE = timedelta(0)


def a_return(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(), a_change(status=Status.RETURNED))


def all_told(news: outbox.NewsBatch, **more: Any) -> outbox.Settlement:
    return outbox.Settlement(news, timedelta(seconds=1), told=tuple((item, "1.1") for item in news.items), **more)


def test_a_channel_is_claimed_by_one_sender_and_its_rows_end_once(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    database_clock.pass_time(minutes=1)
    all_news = database.write(outbox.claim, timedelta(seconds=30))
    assert [item.status for item in all_news[0].items] == [Status.RETURNED]
    assert database.write(outbox.claim, timedelta(seconds=30)) == []
    assert database.write(outbox.settle, [all_told(all_news[0])]) == []
    database_clock.pass_time(hours=1)
    assert database.write(outbox.claim, AT_ONCE) == []


def test_a_claim_waits_until_the_burst_has_settled(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    database_clock.pass_time(seconds=5)
    assert database.write(outbox.claim, timedelta(seconds=30)) == []


def test_a_busy_workspace_waits_and_each_gets_its_share_of_a_claim(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    other = database.write(open_workspace, "T2")
    for channel in ("C1", "C2", "C3"):
        since = START - timedelta(days=8)
        database.write(workspaces.subscribe, workspace.id, ChannelId(channel), NO_CAMPAIGN, [], UserId("U1"), since)
    a_return(database, workspace)
    a_return(database, other)
    assert database.read(outbox.is_due, AT_ONCE)
    first = database.write(outbox.claim, AT_ONCE, 2)
    assert {news.workspace_id for news in first} == {workspace.id, other.id}
    assert database.write(outbox.claim, AT_ONCE, 50, [workspace.id]) == []
    assert len(database.write(outbox.claim, AT_ONCE)) == 3
    assert not database.read(outbox.is_due, AT_ONCE)
    assert database_clock.now() == NOW


def test_a_dead_senders_lease_ends_and_its_successor_knows_that_a_message_may_have_gone_out(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    first = database.write(outbox.claim, AT_ONCE)[0]
    assert first.doubt_since is None
    database_clock.pass_time(seconds=outbox.LEASE.total_seconds())
    second = database.write(outbox.claim, AT_ONCE)[0]
    assert (second.doubt_since, second.token > first.token) == (NOW, True)
    database.write(outbox.settle, [all_told(second)])
    database.write(ledger.apply, workspace.id, a_batch(a_piece("2"), a_change("2", Status.RETURNED)), NOW)
    database_clock.pass_time(minutes=1)
    assert database.write(outbox.claim, AT_ONCE)[0].doubt_since is None


def test_who_was_paused_longer_than_its_lease_cannot_settle_renew_or_block(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    mine = database.write(outbox.claim, AT_ONCE)[0]
    database_clock.pass_time(minutes=3)
    theirs = database.write(outbox.claim, AT_ONCE)[0]
    assert database.write(outbox.renew, [mine]) == set()
    assert database.write(outbox.settle, [all_told(mine)]) == [all_told(mine)]
    assert not database.write(outbox.block, mine, "gone", timedelta(minutes=10))
    key = workspace.id, the_piece(database, workspace).id
    assert [(one.sent_at, one.refusal) for one in database.read(outbox.told_of, *key)] == [(None, "")]
    assert database.write(outbox.renew, [theirs]) == {(workspace.id, OPS)}
    assert database.write(outbox.settle, [all_told(theirs)]) == []
    assert database.read(outbox.told_of, *key)[0].sent_at is not None


def test_a_renewal_that_comes_after_the_channel_was_given_back_does_not_hold_it(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    mine = database.write(outbox.claim, AT_ONCE)[0]
    assert database.write(outbox.settle, [all_told(mine)]) == []
    assert database.write(outbox.renew, [mine]) == set()
    database.write(ledger.apply, workspace.id, a_batch(a_piece("2"), a_change("2", Status.RETURNED)), NOW)
    database_clock.pass_time(seconds=5)
    assert len(database.write(outbox.claim, AT_ONCE)) == 1


def test_a_lease_that_ended_is_still_its_holders_until_another_takes_it(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    mine = database.write(outbox.claim, AT_ONCE)[0]
    database_clock.pass_time(minutes=30)
    # What is under way in this very process is not claimed anew, however long the database was away.
    assert database.write(outbox.claim, AT_ONCE, flying={(workspace.id, OPS)}) == []
    assert database.write(outbox.settle, [all_told(mine)]) == []


def test_one_writes_into_a_channel_at_a_time_be_it_news_or_a_digest(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    held = database.write(outbox.hold, workspace.id, OPS)
    assert held is not None
    assert database.write(outbox.hold, workspace.id, OPS) is None
    assert database.write(outbox.claim, AT_ONCE) == []
    database.write(outbox.release, held)
    news = database.write(outbox.claim, AT_ONCE)[0]
    assert not database.write(outbox.holds, held)
    database.write(outbox.release, held)
    assert database.write(outbox.hold, workspace.id, OPS) is None
    assert database.write(outbox.settle, [all_told(news)]) == []
    assert database_clock.now() == NOW


def test_a_clock_set_back_leaves_no_channel_silent(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    database_clock.pass_time(days=1)
    database.write(outbox.settle, [outbox.Settlement(database.write(outbox.claim, AT_ONCE)[0], timedelta(seconds=30))])
    begin = database_clock.now() + timedelta(hours=1)
    database.write(channel_settings.note_quiet_window, workspace.id, OPS, begin, begin + timedelta(hours=9))
    database_clock.pass_time(days=-1)
    # Served, quieted and written down "tomorrow"; and so is one that is leased until then.
    assert len(database.write(outbox.claim, AT_ONCE)) == 1
    database_clock.pass_time(days=-1)
    assert len(database.write(outbox.claim, AT_ONCE)) == 1


def test_what_cannot_be_told_for_a_week_and_many_tries_ends_with_the_reason_and_nothing_ends_before(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    key = workspace.id, the_piece(database, workspace).id
    few = outbox.ENOUGH_TRIES - 1
    # For eight days it was muted, say: what was tried once only has not been waited for.
    tried = [(8, 0, ""), *((8 + number / 24, number, "") for number in range(1, few)), (9, few, "Slack says no.")]
    for days, tries, reason in tried:
        database_clock.moment = NOW + timedelta(days=days)
        news = database.write(outbox.claim, AT_ONCE)[0]
        assert news.tries == tries
        failed = outbox.Settlement(news, timedelta(minutes=15), refusal="Slack says no.", failed=True, in_doubt=True)
        assert database.write(outbox.settle, [failed]) == []
        assert database.read(outbox.told_of, *key)[0].refusal == reason
    database_clock.pass_time(days=1)
    assert database.write(outbox.claim, AT_ONCE) == []


def test_a_channel_that_rests_is_tried_at_once_where_we_are_installed_again(
    database: Database, workspace: Workspace, database_clock: FakeClock
) -> None:
    a_return(database, workspace)
    news = database.write(outbox.claim, AT_ONCE)[0]
    database.write(outbox.settle, [outbox.Settlement(news, timedelta(minutes=15), refusal="no", failed=True)])
    assert database.write(outbox.claim, AT_ONCE) == []
    database.write(outbox.wake, workspace.id)
    assert database.write(outbox.claim, AT_ONCE)[0].tries == 0
    assert database_clock.now() == NOW


@pytest.mark.parametrize("asked", ["1001", "jane smith", "Smith", "JANE", "78701", "1234 main"])
def test_a_piece_is_found_by_id_name_surname_zip_and_address(
    database: Database, workspace: Workspace, asked: str
) -> None:
    apply(database, workspace, a_campaign(), a_piece())
    assert [p.ref for p in database.read(queries.find_pieces, workspace.id, asked, 5)] == ["1001"]


@pytest.mark.parametrize("asked", ["", " ", "nobody", "%", "_", "'; drop table pieces; --"])
def test_a_search_for_nothing_finds_nothing(database: Database, workspace: Workspace, asked: str) -> None:
    apply(database, workspace, a_campaign(), a_piece())
    assert database.read(queries.find_pieces, WorkspaceId(workspace.id), asked, 5) == []


SIZE = 100_000 if os.environ.get("PIECEWISE_SOAK") else 3_000


def test_the_timelines_of_old_mail_are_history_however_late_they_are_read(
    database: Database, workspace: Workspace
) -> None:
    refs = [str(n) for n in range(SIZE)]
    ends = (Status.RETURNED, Status.DELIVERED, Status.IN_TRANSIT, Status.CANCELLED)
    listed = [(ref, ends[n % 4]) for n, ref in enumerate(refs)]
    database.write(workspaces.unsubscribe, workspace.id, OPS)
    # The first poll: where each piece stands, undated.
    facts: list[Any] = [a_campaign(), *map(a_piece, refs)]
    facts += [a_change(ref, end, exact=False, source=Source.POLL) for ref, end in listed]
    for portion in ledger.portions(a_batch(*facts), 1000):
        database.write(ledger.apply, workspace.id, portion, NOW)
    database.write(workspaces.note, workspace.id, baseline_at=NOW + timedelta(minutes=1))
    since = NOW + timedelta(minutes=2)
    database.write(workspaces.subscribe, workspace.id, OPS, NO_CAMPAIGN, list(NotifyOn), UserId("U1"), since)
    # Then their timelines, a hundred a poll. Of every tenth the list did not know yet that it ended long ago.
    for first in range(0, SIZE, 100):
        told = []
        for n, (ref, end) in enumerate(listed[first : first + 100]):
            told += [
                a_change(ref, Status.HANDED_OVER, 1, source=Source.POLL),
                a_change(ref, end, 90, source=Source.POLL),
            ]
            told += [a_change(ref, Status.RETURNED, 120, source=Source.POLL)] if n % 10 == 0 else []
        at = since + timedelta(minutes=1 + first / 100)
        database.write(ledger.apply, workspace.id, a_batch(*told), at)
    assert len(database.read(snapshot)["outbox"]) == 0


def test_mail_that_a_poll_meets_late_is_history_unless_it_was_ordered_or_ended_since(
    database: Database, workspace: Workspace
) -> None:
    since = START - timedelta(days=8)
    before, after = since - timedelta(days=20), since + timedelta(days=1)
    apply(
        database, workspace, a_campaign(),
        a_piece("old", created_at=before), a_change("old", Status.RETURNED, exact=False, source=Source.POLL),
        a_piece("old, dated", created_at=before), a_change("old, dated", Status.RETURNED, source=Source.POLL),
        a_piece("new", created_at=after), a_change("new", Status.RETURNED, exact=False, source=Source.POLL),
    )  # fmt: skip
    assert [ref for _, ref, _ in database.read(snapshot)["outbox"]] == ["new", "old, dated"]


def test_a_return_of_yesterday_that_is_read_after_an_outage_of_ours_is_news(
    database: Database, workspace: Workspace
) -> None:
    apply(database, workspace, a_campaign(), a_piece(), a_change(status=Status.IN_TRANSIT, source=Source.POLL))
    late = NOW + timedelta(days=5)
    apply(database, workspace, a_change(status=Status.RETURNED, hours=24 * 34, source=Source.POLL), at=late)
    apply(database, workspace, a_change(status=Status.RETURNED, hours=24 * 34 + 2, source=Source.POLL), at=late)
    assert database.read(snapshot)["outbox"] == [("C-OPS", "1001", Status.RETURNED)]


def test_what_was_imported_is_history_also_where_a_poll_then_dates_it(database: Database, workspace: Workspace) -> None:
    apply(database, workspace, a_piece(), a_change(status=Status.RETURNED, exact=False, source=Source.IMPORT))
    apply(database, workspace, a_change(status=Status.RETURNED, source=Source.POLL), at=NOW + timedelta(minutes=1))
    assert database.read(snapshot)["outbox"] == []
