"""The mail account as it really may be: facts that are not told, calls that are refused, words that nobody knows."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.sandbox.stannp import Rude, StannpDouble
from storage import enquiries, workspaces
from storage.records import StoredCampaign, StoredPiece, Workspace
from tests.journeys.conftest import Stage


@pytest.fixture
async def rude(doubles: tuple[object, StannpDouble], request: pytest.FixtureRequest) -> None:
    """The account is rude before the bot reads it for the first time. Ask for it before the stage."""
    doubles[1].rude = Rude.on(*request.param)


def address(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"


async def workspace_of(stage: Stage) -> Workspace:
    return await stage.app.services.memory.read(workspaces.by_id, stage.app.workspace.id)


async def campaign_of(stage: Stage, ref: str = "222") -> StoredCampaign:
    known = await stage.app.services.memory.read(enquiries.campaigns_of, stage.app.workspace.id)
    return next(one for one in known if one.facts.ref == ref)


async def piece_of(stage: Stage, ref: int) -> StoredPiece:
    found = await stage.app.services.memory.read(enquiries.find_pieces, stage.app.workspace.id, str(ref), 1)
    return found[0]


@pytest.mark.parametrize("switches", [[], ["bare_campaigns"]])
async def test_a_call_about_a_campaign_changes_only_what_it_tells(stage: Stage, switches: list[str]) -> None:
    before = await campaign_of(stage)
    stage.stannp.rude = Rude.on(*switches)
    campaign = stage.stannp.campaigns[222]
    campaign.status = "complete"
    assert await stage.stannp.call_webhook(address(stage), stage.stannp.campaign_delivery([campaign])) == 200
    after = await campaign_of(stage)
    assert (after.facts.name, after.facts.kind) == ("Spring lapsed", before.facts.kind)
    assert after.facts.recipients == before.facts.recipients == 12
    assert after.facts.status == ("running" if switches else "complete")
    assert "12 pieces" in (await stage.say("/mailstatus", "Spring lapsed")).text


async def test_a_campaign_first_met_in_a_call_gets_its_true_name_from_the_next_reading(stage: Stage) -> None:
    campaign = stage.world.add_campaign(
        300, "Summer sale", datetime.now(UTC), 0, leaves=stage.world.now - stage.world.now
    )
    await stage.stannp.call_webhook(address(stage), stage.stannp.campaign_delivery([campaign]))
    assert (await campaign_of(stage, "300")).facts.name == "Campaign 300"
    await stage.poll()
    assert (await campaign_of(stage, "300")).facts.name == "Summer sale"


async def test_a_call_about_a_piece_changes_only_what_it_tells(stage: Stage) -> None:
    mail = stage.stannp.pieces_of(222)[0]
    before = await piece_of(stage, mail.id)
    stage.stannp.rude = Rude.on("bare_pieces", "webhooks_repeated", "webhooks_late")
    mail.move("delivered", datetime.now(UTC))
    assert await stage.stannp.call_webhook(address(stage), stage.stannp.delivery([mail])) == 200
    after = await piece_of(stage, mail.id)
    assert after.cost == before.cost == Decimal("0.84")
    for fact in ("kind", "format", "created_at", "dispatched_at", "campaign_id", "recipient"):
        assert getattr(after, fact) == getattr(before, fact), fact
