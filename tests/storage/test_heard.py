"""What waited between being heard and being merged: when it was heard decides what is news, and which facts are newer."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from storage import workspaces
from storage.database import Database
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, CampaignStage, ChannelId, NotifyOn, UserId, Workspace
from storage.schema.tables import outbox
from storage.statuses import Status
from tests.builders import JANE, START, a_batch, a_campaign, a_change, a_piece
from tests.storage.test_mailings import NOW, open_workspace

SALES = ChannelId("C-SALES")


@pytest.fixture
def workspace(database: Database) -> Workspace:
    return database.write(open_workspace)


def told(database: Database) -> dict[str, int]:
    """How much each channel is to be told."""
    rows = select(outbox.c.channel, func.count()).group_by(outbox.c.channel)
    return {row[0]: row[1] for row in database.read(lambda c: c.execute(rows).all())}


def subscribe(database: Database, workspace: Workspace, seconds: float) -> None:
    at = NOW + timedelta(seconds=seconds)
    wants = [NotifyOn.RETURNED]
    database.write(workspaces.subscribe, workspace.id, SALES, NO_CAMPAIGN, wants, UserId("U2"), at)


@pytest.mark.parametrize(("since", "tells"), [(-1, True), (0, False), (1, False), (5, True)])
def test_a_subscription_is_told_of_what_was_heard_after_it_and_not_of_what_waited(
    database: Database, workspace: Workspace, since: float, tells: bool
) -> None:
    # Heard at 0, merged at 2. A subscription of "in three seconds" was made by a clock that has been set back since.
    subscribe(database, workspace, since)
    batch = a_batch(a_campaign(), a_piece(), a_change("1001", Status.RETURNED, exact=False, occurred_at=NOW))
    heard = [(NOW, batch)]
    database.write(ledger.apply_heard, workspace.id, heard, NOW + timedelta(seconds=2))
    assert told(database) == {"C-OPS": 1} | ({SALES: 1} if tells else {})


def test_of_facts_that_are_merged_together_or_late_the_newest_heard_are_kept(
    database: Database, workspace: Workspace
) -> None:
    moved, sooner = type(JANE)(name="Jane Moved"), type(JANE)(name="Jane Early")
    first = (NOW, a_batch(a_campaign(), a_piece(recipient=JANE)))
    second = (NOW + timedelta(seconds=2), a_batch(a_piece(recipient=moved)))
    database.write(ledger.apply_heard, workspace.id, [second, first], NOW + timedelta(seconds=3))
    late = [(NOW + timedelta(seconds=1), a_batch(a_piece(recipient=sooner)))]
    database.write(ledger.apply_heard, workspace.id, late, NOW + timedelta(seconds=9))
    found = database.read(queries.find_pieces, workspace.id, "1001", 1)[0]
    assert found.recipient.name == "Jane Moved"


def test_what_moved_is_seen_by_who_looked_before_it_was_merged(database: Database, workspace: Workspace) -> None:
    merged_at = NOW + timedelta(seconds=2)
    heard = [(NOW, a_batch(a_campaign(), a_piece(), a_change("1001", Status.IN_TRANSIT)))]
    database.write(ledger.apply_heard, workspace.id, heard, merged_at)
    assert database.read(workspaces.newest_move, workspace.id) == merged_at
    assert START < NOW < merged_at


def test_a_campaigns_call_that_waited_does_not_undo_what_was_told_since(
    database: Database, workspace: Workspace
) -> None:
    older, newer = NOW - timedelta(days=5), NOW - timedelta(hours=2)
    waited = a_campaign(name="Old name", stage=CampaignStage.BOOKED, updated_at=older, recipients=12)
    polled = a_campaign(name="Drop 0", stage=CampaignStage.RUNNING, updated_at=newer)
    database.write(ledger.apply, workspace.id, a_batch(polled), NOW)
    database.write(
        ledger.apply_heard, workspace.id, [(NOW - timedelta(hours=1), a_batch(waited))], NOW + timedelta(seconds=2)
    )
    found = database.read(queries.campaigns_of, workspace.id)[0].facts
    assert (found.name, found.stage, found.updated_at) == ("Drop 0", CampaignStage.RUNNING, newer)
    # What nobody else told is told by it all the same.
    assert found.recipients == 12


@pytest.mark.parametrize("together", [True, False])
def test_of_what_two_calls_tell_of_a_campaign_the_newer_is_kept_in_either_order(
    database: Database, workspace: Workspace, together: bool
) -> None:
    older, newer = NOW - timedelta(days=5), NOW - timedelta(hours=2)
    first = (NOW, a_batch(a_campaign(name="New", stage=CampaignStage.COMPLETE, updated_at=newer)))
    second = (
        NOW + timedelta(seconds=1),
        a_batch(a_campaign(name="Old", stage=CampaignStage.BOOKED, updated_at=older, recipients=12)),
    )
    for told_now in [[first, second]] if together else [[first], [second]]:
        database.write(ledger.apply_heard, workspace.id, told_now, NOW + timedelta(seconds=2))
    found = database.read(queries.campaigns_of, workspace.id)[0].facts
    assert (found.name, found.stage, found.updated_at) == ("New", CampaignStage.COMPLETE, newer)
    assert found.recipients == 12


@pytest.mark.parametrize("ahead", [timedelta(hours=8), timedelta(minutes=-1)])
def test_what_a_poll_tells_now_is_the_newer_whatever_it_says_of_itself(
    database: Database, workspace: Workspace, ahead: timedelta
) -> None:
    # A zone that was left out, or a clock that is wrong: the word for when it changed lies in the future, or behind.
    first = a_campaign(name="Old", stage=CampaignStage.BOOKED, updated_at=NOW + ahead)
    then = a_campaign(name="New", stage=CampaignStage.RUNNING, updated_at=NOW - timedelta(hours=1))
    database.write(ledger.apply, workspace.id, a_batch(first), NOW)
    database.write(ledger.apply, workspace.id, a_batch(then), NOW + timedelta(minutes=5))
    found = database.read(queries.campaigns_of, workspace.id)[0].facts
    assert (found.name, found.stage) == ("New", CampaignStage.RUNNING)


def test_a_word_of_the_future_does_not_hold_up_a_call_that_waited(database: Database, workspace: Workspace) -> None:
    first = a_campaign(name="Old", updated_at=NOW + timedelta(hours=8))
    waited = a_campaign(name="New", updated_at=NOW)
    database.write(ledger.apply, workspace.id, a_batch(first), NOW)
    later = NOW + timedelta(minutes=5)
    database.write(ledger.apply_heard, workspace.id, [(NOW + timedelta(minutes=4), a_batch(waited))], later)
    assert database.read(queries.campaigns_of, workspace.id)[0].facts.name == "New"


@pytest.mark.parametrize(("heard", "name"), [(timedelta(hours=-3), "Drop 0"), (timedelta(hours=-1), "Told later")])
def test_a_call_that_does_not_say_when_it_changed_is_of_when_it_was_heard(
    database: Database, workspace: Workspace, heard: timedelta, name: str
) -> None:
    polled = a_campaign(name="Drop 0", updated_at=NOW - timedelta(hours=2))
    database.write(ledger.apply, workspace.id, a_batch(polled), NOW - timedelta(hours=2))
    waited = a_campaign(name="Told later", recipients=12)
    database.write(ledger.apply_heard, workspace.id, [(NOW + heard, a_batch(waited))], NOW)
    found = database.read(queries.campaigns_of, workspace.id)[0].facts
    assert (found.name, found.recipients) == (name, 12)
    assert found.updated_at == NOW - timedelta(hours=2), "nothing newer was said"


def test_a_poll_that_does_not_say_when_it_changed_is_the_newer(database: Database, workspace: Workspace) -> None:
    said = a_campaign(name="Old", stage=CampaignStage.BOOKED, updated_at=NOW - timedelta(hours=2), recipients=12)
    database.write(ledger.apply, workspace.id, a_batch(said), NOW)
    database.write(ledger.apply, workspace.id, a_batch(a_campaign(name="New", stage=None)), NOW + timedelta(minutes=5))
    found = database.read(queries.campaigns_of, workspace.id)[0].facts
    assert (found.name, found.stage, found.recipients) == ("New", CampaignStage.BOOKED, 12)
    assert found.updated_at == NOW - timedelta(hours=2)


def test_an_older_call_names_a_campaign_that_nobody_has_named(database: Database, workspace: Workspace) -> None:
    nameless = a_campaign(updated_at=NOW)
    database.write(ledger.apply, workspace.id, a_batch(replace(nameless, name=None, stage=None)), NOW)
    named = a_campaign(name="Named", stage=CampaignStage.BOOKED, updated_at=NOW - timedelta(days=1))
    database.write(ledger.apply_heard, workspace.id, [(NOW, a_batch(named))], NOW + timedelta(seconds=2))
    found = database.read(queries.campaigns_of, workspace.id)[0].facts
    assert (found.name, found.stage, found.updated_at) == ("Named", CampaignStage.BOOKED, NOW)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("refs", [("222", ""), ("", "222"), ("222", None), ("222", None, ""), ("", None)])
def test_of_what_two_calls_tell_of_a_pieces_campaign_the_newer_is_kept(
    database: Database, workspace: Workspace, refs: tuple[str | None, ...], together: bool
) -> None:
    database.write(ledger.apply, workspace.id, a_batch(a_campaign()), NOW)
    told = [(NOW + timedelta(seconds=n), a_batch(a_piece(campaign_ref=ref))) for n, ref in enumerate(refs)]
    for told_now in [told] if together else [[one] for one in told]:
        database.write(ledger.apply_heard, workspace.id, told_now, NOW + timedelta(minutes=1))
    [piece] = database.read(queries.find_pieces, workspace.id, "1", 1)
    campaign = database.read(queries.campaigns_of, workspace.id)[0]
    last = [ref for ref in refs if ref is not None][-1]
    assert piece.campaign_id == (campaign.id if last else NO_CAMPAIGN)
