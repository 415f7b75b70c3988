"""The mail account as it really may be: facts that are not told, calls that are refused, words that nobody knows."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from bot.cli.check import check
from bot.sandbox.stannp import Rude, StannpDouble
from handlers.cancel import stopping
from storage import workspaces
from storage.ledger import tallies as tally
from storage.queries import mail as queries
from storage.records import StoredCampaign, StoredPiece, Workspace
from storage.statuses import Status
from tests.journeys.conftest import ANA, Stage, everything, is_news, settings_for

#: They are rude themselves.
pytestmark = pytest.mark.calm


@pytest.fixture
async def rude(doubles: tuple[object, StannpDouble], request: pytest.FixtureRequest) -> None:
    """The account is rude before the bot reads it for the first time. Ask for it before the stage."""
    doubles[1].rude = Rude.on(*request.param)


def address(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"


async def workspace_of(stage: Stage) -> Workspace:
    return await stage.app.services.memory.read(workspaces.by_id, stage.app.workspace.id)


async def campaign_of(stage: Stage, ref: str = "222") -> StoredCampaign:
    known = await stage.app.services.memory.read(queries.campaigns_of, stage.app.workspace.id)
    return next(one for one in known if one.facts.ref == ref)


async def piece_of(stage: Stage, ref: int) -> StoredPiece:
    found = await stage.app.services.memory.read(queries.find_pieces, stage.app.workspace.id, str(ref), 1)
    return found[0]


@pytest.mark.parametrize("switches", [[], ["bare_campaigns"]])
async def test_a_call_about_a_campaign_changes_only_what_it_tells(stage: Stage, switches: list[str]) -> None:
    before = await campaign_of(stage)
    stage.stannp.rude = Rude.on(*switches)
    campaign = stage.stannp.campaigns[222]
    campaign.status = "complete"
    assert await stage.stannp.call_webhook(address(stage), stage.stannp.campaign_delivery([campaign])) == 200
    await stage.merged()
    after = await campaign_of(stage)
    assert (after.facts.name, after.facts.kind) == ("Spring lapsed", before.facts.kind)
    assert after.facts.recipients == before.facts.recipients == 12
    assert after.facts.stage == ("running" if switches else "complete")
    assert "12 pieces" in (await stage.say("/mailstatus", "Spring lapsed")).text


async def test_a_campaign_first_met_in_a_call_gets_its_true_name_from_the_next_reading(stage: Stage) -> None:
    campaign = stage.world.add_campaign(
        300, "Summer sale", datetime.now(UTC), 0, leaves=stage.world.now - stage.world.now
    )
    await stage.stannp.call_webhook(address(stage), stage.stannp.campaign_delivery([campaign]))
    await stage.merged()
    assert (await campaign_of(stage, "300")).facts.name == "Campaign 300"
    await stage.poll()
    assert (await campaign_of(stage, "300")).facts.name == "Summer sale"


async def test_a_call_about_a_piece_changes_only_what_it_tells(stage: Stage) -> None:
    mail = stage.stannp.pieces_of(222)[0]
    before = await piece_of(stage, mail.id)
    stage.stannp.rude = Rude.on("bare_pieces", "webhooks_repeated", "webhooks_late")
    mail.move("delivered", datetime.now(UTC))
    assert await stage.stannp.call_webhook(address(stage), stage.stannp.delivery([mail])) == 200
    await stage.merged()
    after = await piece_of(stage, mail.id)
    assert after.cost == before.cost == Decimal("0.84")
    for fact in ("kind", "format", "created_at", "dispatched_at", "campaign_id", "recipient"):
        assert getattr(after, fact) == getattr(before, fact), fact


async def test_the_handshake_is_answered_unsigned_and_told_on_home(stage: Stage) -> None:
    stage.stannp.rude = Rude.on("handshake_unsigned")
    assert await stage.stannp.shake_hands(address(stage)) == 200
    assert (await workspace_of(stage)).webhook_at is None
    await stage.slack.open_home(ANA)
    await stage.until(lambda: "test call came" in str(stage.slack.homes.get(ANA)))
    forged = stage.stannp.delivery(stage.stannp.pieces_of(222)).replace(b"mailpieces", b"test_url")
    assert await stage.stannp.call_webhook(address(stage), forged, "") == 401


async def test_a_word_that_nobody_knows_is_other_and_cannot_be_stopped(stage: Stage) -> None:
    first, *others = stage.stannp.pieces_of(223)
    first.status = "error"
    newcomer = stage.world._make_piece(223, datetime.now(UTC))
    newcomer.status = "on_hold"
    stage.stannp.pieces[newcomer.id] = newcomer
    await stage.poll()
    for mail in (first, newcomer):
        known = await piece_of(stage, mail.id)
        assert (known.status, known.word) == (None, mail.status)
    answer = everything(await stage.say("/mailstatus", "Holiday postcards"))
    assert f"Received {len(others)} " in answer
    assert "Other 2 " in answer
    assert "status words that I don't know yet: “error”" in answer
    memory, workspace = stage.app.services.memory, stage.app.workspace
    campaign = await campaign_of(stage, "223")
    stoppable = await memory.read(stopping.stoppable, workspace.id, campaign.id)
    assert {piece.ref for piece in stoppable} == {str(mail.id) for mail in others}
    assert "error" in everything(await stage.say("/mailtrack", str(first.id)))
    # The carrier's evidence is stronger than a word; and the counts agree with the pieces all the way.
    first.move("handed_over", datetime.now(UTC))
    await stage.poll()
    assert (await piece_of(stage, first.id)).status is Status.HANDED_OVER
    assert await memory.read(tally.drift, workspace.id) == []


@pytest.mark.parametrize("rude", [["strange_scans"]], indirect=True)
@pytest.mark.usefixtures("rude")
async def test_the_label_of_a_scan_does_not_move_a_piece(stage: Stage) -> None:
    mail = stage.stannp.pieces_of(223)[0]
    mail.scans.append((stage.world.now, "received", "Houston, TX"))
    await stage.say("/mailtrack", str(mail.id))
    assert (await piece_of(stage, mail.id)).status is Status.RECEIVED


REFUSED = [
    [f"{call}_{status}" for call in ("me", "balance", "singles", "newer_report", "timeline")]
    for status in (403, 429, 500)
]


@pytest.mark.parametrize("rude", REFUSED, indirect=True, ids=["403", "429", "500"])
async def test_no_refused_call_ends_the_poll_and_each_is_named(
    rude: None, stage: Stage, database_url: str, mode: str
) -> None:
    workspace = await workspace_of(stage)
    assert workspace.baseline_at is not None
    assert set(workspace.gaps) == {"newer report", "campaign report", "balance", "timelines"}
    await stage.say("/mailalerts", "on")
    stage.stannp.pieces_of(222)[6].move("returned", datetime.now(UTC))
    await stage.poll()
    await stage.until(lambda: any(is_news(m) for m in stage.slack.messages))
    answer = everything(await stage.say("/mailstatus"))
    assert "17 pieces" in answer
    assert "not answering" not in answer
    await stage.slack.open_home(ANA)
    await stage.until(lambda: "the balance: " in str(stage.slack.homes.get(ANA)))
    lines = await check(settings_for(stage.slack, stage.stannp, database_url, mode))
    assert [line for line in lines if line.what == "Stannp key" and line.ok]
    assert len([line for line in lines if "goes without" in line.text]) == 4
    # Asked again later, and all is well.
    stage.stannp.rude = Rude()
    again = {call: replace(gap, again=gap.since) for call, gap in (await workspace_of(stage)).gaps.items()}
    await stage.app.services.memory.write(workspaces.keep_gaps, workspace.id, again)
    await stage.poll()
    assert (await workspace_of(stage)).gaps == {}
