"""What is tidied, erased, purged and recounted, and after what time."""

from datetime import timedelta

import pytest

from handlers import upkeep
from storage import secrets, workspaces
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.statuses import Status
from tests.builders import a_batch, a_change
from tests.handlers.conftest import Office


@pytest.mark.parametrize(("days", "erased"), [(89, False), (91, True)])
async def test_who_a_piece_was_sent_to_is_dropped_some_time_after_its_end(
    office: Office, days: int, erased: bool
) -> None:
    await office.campaign(Status.DELIVERED, Status.IN_TRANSIT)
    office.clock.pass_time(days=days)
    await upkeep.erase(office.services, office.workspace.id)
    assert (office.piece("1001").recipient.name == "") == erased
    assert office.piece("1002").recipient.name, "it is still under way"


async def test_a_removed_workspace_is_forgotten_in_its_time_and_no_other(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    now = office.clock.now()
    other = office.write(workspaces.ensure, "T0BOLT", "Bolt", "USD")
    assert office.write(secrets.remove, office.workspace.id, None, now, now + timedelta(days=30))
    for days, gone in ((29, False), (2, True)):
        office.clock.pass_time(days=days)
        await upkeep.purge(office.services)
        left = office.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM pieces").scalar())
        assert (left == 0) == gone
    assert office.read(workspaces.by_id, other.id).name == "Bolt"


async def test_counts_are_folded(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED, Status.DELIVERED)
    counted = "SELECT count(*) FROM tallies"
    assert office.read(lambda c: c.exec_driver_sql(counted).scalar()) == 0
    await upkeep.tidy(office.services)
    assert office.read(lambda c: c.exec_driver_sql(counted).scalar()) == 1
    assert office.read(queries.mix, office.workspace.id, campaign.id).counts == {Status.DELIVERED: 2}


async def test_each_night_another_part_is_recounted_and_drift_is_named(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.campaign(Status.DELIVERED)
    await upkeep.tidy(office.services)
    office.write(lambda c: c.exec_driver_sql("UPDATE tallies SET pieces = pieces + 1"))
    seen = []
    for _ in range(upkeep.NIGHTS):
        caplog.clear()
        await upkeep.recount(office.services, office.workspace.id)
        seen.append("recount.drift" in caplog.text)
        office.clock.pass_time(days=1)
    assert seen.count(True) == 1


@pytest.mark.parametrize(("days", "scans"), [(458, 5), (461, 2)])
async def test_the_scans_between_of_an_old_piece_are_dropped(office: Office, days: int, scans: int) -> None:
    await office.campaign(Status.DELIVERED)
    piece = office.piece("1001")
    way = (Status.PRODUCING, Status.HANDED_OVER, Status.IN_TRANSIT, Status.LOCAL_DELIVERY)
    told = a_batch(*(a_change("1001", one, hours=-9 + n) for n, one in enumerate(way)))
    office.write(ledger.apply, office.workspace.id, told, office.clock.now())
    ordered = office.clock.now() - piece.created_at
    office.clock.pass_time(days=days - ordered.days)
    # Thinned by the days of the mail: a newer campaign shows that so many have passed.
    await office.campaign(ref="2", name="Later", created_at=office.clock.now())
    await upkeep.thin(office.services, office.workspace.id)
    assert len(office.read(queries.timeline, office.workspace.id, piece.id)) == scans


async def test_a_clock_that_is_years_ahead_drops_nothing_of_young_mail(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    way = (Status.PRODUCING, Status.HANDED_OVER, Status.IN_TRANSIT)
    told = [a_change("1001", one, hours=-9 + n) for n, one in enumerate(way)]
    unmet = a_change("not met", Status.IN_TRANSIT)
    office.write(ledger.apply, office.workspace.id, a_batch(*told, unmet), office.clock.now())
    office.clock.pass_time(days=1000)
    await upkeep.thin(office.services, office.workspace.id)
    assert len(office.read(queries.timeline, office.workspace.id, office.piece("1001").id)) == 4
    assert office.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM orphans").scalar()) == 1
