"""A draft that is deleted whole, and what an earlier version left open."""

from handlers.cancel import stopping
from handlers.cancel.stopping import delete_draft
from handlers.context import intents as working
from handlers.errors import CampaignBooked, CampaignUnknown
from storage import cancellations, intents
from storage.intents import Kind
from storage.records import CampaignId, CampaignStage
from storage.statuses import Status
from tests.handlers.conftest import ANA, BEN, OPS, Office


def is_over(office: Office, number: int) -> bool:
    found = office.read(intents.of, office.workspace.id, number)
    return found is not None and found.ended


async def removed(office: Office, campaign: CampaignId) -> int:
    payload = {"by": ANA, "approver": "", "channel": OPS, "view": "", "campaign": campaign}
    number = await working.keep(office.services, office.workspace.id, Kind.DELETE, payload)
    await working.begin(office.services, office.workspace.id, number, delete_draft)
    return number


async def test_a_draft_is_removed_whole_and_said_once(office: Office) -> None:
    campaign = await office.campaign(stage=CampaignStage.DRAFT)
    number = await removed(office, campaign.id)
    assert office.mail.removed == ["222"]
    assert is_over(office, number)
    assert [(one.way, one.place) for one in office.slack.said] == [("post", OPS)]
    assert "was deleted" in office.slack.last.text
    assert office.log() == [("cancelled", "Spring lapsed", "the draft was deleted")]


async def test_a_draft_that_is_gone_already_counts_as_deleted(office: Office) -> None:
    campaign = await office.campaign(stage=CampaignStage.DRAFT)
    office.mail.fail("campaign", CampaignUnknown())
    await removed(office, campaign.id)
    assert office.mail.removed == []
    assert "was deleted" in office.slack.last.text


async def test_a_draft_that_was_booked_meanwhile_goes_on(office: Office) -> None:
    campaign = await office.campaign(stage=CampaignStage.DRAFT)
    office.mail.fail("delete_campaign", CampaignBooked())
    await removed(office, campaign.id)
    assert "only in its dashboard" in office.slack.last.text
    assert office.log() == [("cancelled", "Spring lapsed", "it was booked meanwhile")]


async def test_a_campaign_that_is_no_longer_known_here_is_nobodys_to_delete(office: Office) -> None:
    number = await removed(office, CampaignId(99))
    assert is_over(office, number)
    assert (office.slack.said, office.log(), office.mail.calls) == ([], [], [])


async def test_what_an_earlier_version_asked_for_is_read_and_never_asked_for_again(office: Office) -> None:
    await office.campaign(Status.RECEIVED)
    begun_at = office.clock.now()
    office.write(cancellations.begin, office.workspace.id, office.piece().id, BEN, begun_at, ())
    office.clock.pass_time(seconds=stopping.ABANDONED.total_seconds())
    assert await stopping.adopt_abandoned(office.services, office.workspace.id) == []
    office.clock.pass_time(seconds=1)
    office.mail.at["1001"] = Status.CANCELLED
    await stopping.settle_abandoned(office.services, office.workspace.id)
    assert office.mail.cancelled == []
    assert [(one.way, one.place) for one in office.slack.said] == [("post", BEN)]
    assert "cancelled" in office.slack.last.text
