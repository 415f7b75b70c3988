"""Stopping mail: permitted, confirmed, re-read before and after, and told as it really went."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from bot.sandbox.slack import Posted
from bot.sandbox.stannp import Mailpiece, Trouble
from handlers import upkeep
from handlers.cancel import stopping
from storage import cancellations
from storage.queries import mail as queries
from storage.records import UserId
from storage.schema.account_tables import intents
from storage.schema.tables import campaigns
from tests.journeys.conftest import ANA, BEN, OPS, Stage, everything
from tests.rudeness import UNREAD, UNREPORTED


def waiting(stage: Stage) -> Mailpiece:
    return stage.stannp.pieces_of(223)[0]


async def tracked(stage: Stage, piece: Mailpiece, user: str = ANA) -> Posted:
    return await stage.say("/mailtrack", str(piece.id), user=user)


async def cancelling(stage: Stage, piece: Mailpiece, user: str = ANA) -> Posted:
    """Asks to cancel a piece; gives the message in which the outcome appears."""
    shown = await tracked(stage, piece, user)
    text = shown.text
    await stage.press(shown, "cancel_piece", user=user)
    await stage.until(lambda: shown.text != text)
    return shown


def said_in_channel(stage: Stage, words: str) -> list[Posted]:
    return [m for m in stage.slack.messages if m.channel == OPS and m.only_for is None and words in m.text]


@pytest.mark.calm(*UNREAD)
async def test_a_piece_is_cancelled_and_the_channel_reads_who_when_and_what_is_saved(stage: Stage) -> None:
    piece = waiting(stage)
    shown = await cancelling(stage, piece)
    assert piece.status == "cancelled"
    assert "cancelled" in shown.text
    posted = (await stage.until(lambda: said_in_channel(stage, "cancelled")))[0]
    for word in (f"<@{ANA}>", "<!date^", "$0.84", str(piece.id)):
        assert word in everything(posted) + posted.text
    assert piece.lastname not in everything(posted)


async def test_the_button_asks_first_and_is_not_there_once_it_is_too_late(stage: Stage) -> None:
    shown = await tracked(stage, waiting(stage))
    assert "'confirm'" in everything(shown)
    assert "cancel_piece" not in everything(await tracked(stage, stage.stannp.pieces_of(222)[0]))


@pytest.mark.calm(*UNREAD)
async def test_a_piece_that_moved_meanwhile_is_too_late_and_nothing_is_asked(stage: Stage) -> None:
    piece = waiting(stage)
    shown = await tracked(stage, piece)
    piece.move("printing", datetime.now(UTC))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: "too late" in shown.text)
    assert "Producing" in shown.text
    assert not [r for r in stage.stannp.requests if r.startswith("POST")]


@pytest.mark.calm(*UNREPORTED)
@pytest.mark.parametrize("status", [403, 404])
async def test_where_the_account_reads_no_single_pieces_the_campaigns_report_says_where_they_are(
    stage: Stage, status: int
) -> None:
    piece, moved = waiting(stage), stage.stannp.pieces_of(223)[1]
    shown, late = await tracked(stage, piece), await tracked(stage, moved)
    refusal = "<html>Forbidden</html>"
    stage.stannp.troubles.append(Trouble("postcards/get/", status, refusal, times=1000))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: "cancelled" in shown.text)
    assert piece.status == "cancelled"
    moved.move("printing", datetime.now(UTC))
    await stage.press(late, "cancel_piece")
    await stage.until(lambda: "too late" in late.text)
    assert moved.status == "printing"


@pytest.mark.calm(*UNREPORTED)
async def test_a_campaign_that_does_not_say_how_large_it_is_is_counted_before_it_is_read_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = await tracked(stage, waiting(stage))
    unsaid = update(campaigns).values(recipients=None)
    await stage.app.services.memory.write(lambda connection: connection.execute(unsaid).rowcount)
    monkeypatch.setattr(stopping, "MOST_REREAD", 3)
    report = Trouble("reporting/campaignSingles/", 500, times=1000)
    stage.stannp.troubles += [Trouble("postcards/get/", 403, "<html>Forbidden</html>", times=1000), report]
    text = shown.text
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: shown.text != text)
    assert (report.times, waiting(stage).status) == (1000, "received")


@pytest.mark.calm(*UNREAD)
async def test_a_piece_that_moves_between_reading_and_asking_is_too_late(stage: Stage) -> None:
    piece = waiting(stage)
    stage.stannp.on_cancel = lambda one: one.move("printing", datetime.now(UTC))
    assert "too late" in (await cancelling(stage, piece)).text
    assert piece.status == "printing"


async def test_who_may_not_cancel_is_told_whom_to_ask_and_nothing_happens(stage: Stage) -> None:
    piece = waiting(stage)
    shown = await tracked(stage, piece, BEN)
    before = await stage.press(shown, "cancel_piece", user=BEN)
    assert "admin" in (await stage.answer(before, BEN)).text
    assert piece.status == "received"


@pytest.mark.calm(*UNREAD)
async def test_a_second_press_is_answered_not_repeated(stage: Stage) -> None:
    piece = waiting(stage)
    first, second = await tracked(stage, piece), await tracked(stage, piece)
    await stage.press(first, "cancel_piece")
    await stage.until(lambda: "cancelled" in first.text)
    await stage.press(second, "cancel_piece")
    await stage.until(lambda: "already" in second.text)
    assert len([r for r in stage.stannp.requests if r == "POST postcards/cancel"]) == 1


@pytest.mark.calm(*UNREAD)
async def test_a_lost_answer_is_cleared_up_by_reading_again(stage: Stage) -> None:
    stage.stannp.troubles.append(Trouble("postcards/cancel", status=502, after=True))
    piece = waiting(stage)
    assert "cancelled" in (await cancelling(stage, piece)).text
    assert len([r for r in stage.stannp.requests if r == "POST postcards/cancel"]) == 1


@pytest.mark.calm(*UNREAD)
async def test_a_platform_that_cannot_be_reached_is_said_and_can_be_tried_again(stage: Stage) -> None:
    piece = waiting(stage)
    shown = await tracked(stage, piece)
    stage.stannp.troubles.append(Trouble("postcards/", status=502, times=100))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: "couldn't reach" in shown.text)
    assert piece.status == "received"
    stage.stannp.troubles.clear()
    assert "cancelled" in (await cancelling(stage, piece)).text


@pytest.mark.calm(*UNREAD)
async def test_an_accepted_request_that_does_not_show_is_called_unclear(stage: Stage) -> None:
    piece = waiting(stage)
    stage.stannp.troubles.append(Trouble("postcards/cancel", status=200, body='{"success":true,"data":1}'))
    assert "doesn't show it as cancelled yet" in (await cancelling(stage, piece)).text


@pytest.mark.calm(*UNREAD)
async def test_a_cancellation_that_shows_late_is_told_in_the_channel_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOKS", [timedelta(seconds=1)] * 9)
    piece = waiting(stage)
    stage.stannp.troubles.append(Trouble("postcards/cancel", status=200, body='{"success":true,"data":1}'))
    await cancelling(stage, piece)
    piece.move("cancelled", datetime.now(UTC))
    open_ = select(func.count()).select_from(intents).where(intents.c.ended_at.is_(None))
    for _ in range(600):
        if not await stage.app.services.memory.read(lambda connection: connection.scalar(open_)):
            break
        await asyncio.sleep(0.05)
    assert len(said_in_channel(stage, "cancelled")) == 1
    direct = [m for m in stage.slack.messages if m.channel == f"D{ANA}"]
    assert len(direct) == 1


@pytest.mark.calm(*UNREAD)
async def test_a_piece_cancelled_elsewhere_is_called_so(stage: Stage) -> None:
    piece = waiting(stage)
    shown = await tracked(stage, piece)
    piece.move("cancelled", datetime.now(UTC))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: "was already cancelled" in shown.text)


async def campaign_form(stage: Stage, name: str) -> None:
    answer = await stage.say("/mailstatus", name)
    await stage.press(answer, "cancel_campaign")


@pytest.mark.calm(*UNREAD)
async def test_a_campaign_is_dry_run_first_then_cancelled_piece_by_piece(stage: Stage) -> None:
    await campaign_form(stage, "Holiday postcards")
    form = await stage.modal(holding="Cancel 4 pieces")
    for word in ("4 of 4 pieces", "$3.36", "dashboard", "Open in Stannp", "Cancel 4 pieces"):
        assert word in everything(form)
    assert all(piece.status == "received" for piece in stage.stannp.pieces_of(223))
    stubborn = stage.stannp.pieces_of(223)[1]
    stage.stannp.on_cancel = lambda one: one.move("printing", datetime.now(UTC)) if one is stubborn else None
    assert (await stage.slack.submit(ANA, form)).ok
    posted = (await stage.until(lambda: said_in_channel(stage, "Cancelling Holiday postcards")))[0]
    assert "3 cancelled · 1 too late" in posted.text
    for word in (str(stubborn.id), "now Producing", "$2.52", f"<@{ANA}>"):
        assert word in everything(posted)


async def test_a_draft_is_deleted_whole(stage: Stage) -> None:
    await campaign_form(stage, "New Year draft")
    form = await stage.modal(holding="isn't booked yet")
    assert (await stage.slack.submit(ANA, form)).ok
    await stage.until(lambda: said_in_channel(stage, "was deleted"))
    assert 224 not in stage.stannp.campaigns


@pytest.mark.parametrize("carried", ["i1|C0OPS", "", "nothing of ours"])
async def test_a_form_that_an_earlier_version_opened_is_answered_in_words(stage: Stage, carried: str) -> None:
    await campaign_form(stage, "New Year draft")
    form = await stage.modal(holding="isn't booked yet")
    form.view["private_metadata"] = carried
    before = len(stage.slack.messages)
    assert (await stage.slack.submit(ANA, form)).ok
    told = await stage.answer(before)
    assert (told.channel, "out of date" in told.text) == (f"D{ANA}", True)
    assert 224 in stage.stannp.campaigns


async def test_a_draft_that_was_booked_meanwhile_is_not_deleted(stage: Stage) -> None:
    await campaign_form(stage, "New Year draft")
    form = await stage.modal(holding="isn't booked yet")
    stage.stannp.troubles.append(
        Trouble("campaigns/delete", status=200, body='{"success":false,"error":"This campaign has been booked"}')
    )
    assert (await stage.slack.submit(ANA, form)).ok
    posted = (await stage.until(lambda: said_in_channel(stage, "booked and paid")))[0]
    assert "Open in Stannp" in everything(posted)


@pytest.mark.calm(*UNREPORTED)
async def test_a_campaign_past_the_point_of_return_says_so(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Holiday postcards")
    for piece in stage.stannp.pieces_of(223):
        piece.move("printing", datetime.now(UTC))
    await stage.press(answer, "cancel_campaign")
    assert "Open in Stannp" in everything(await stage.modal(holding="can be stopped anymore"))


async def test_who_may_not_cancel_gets_no_form(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Holiday postcards", user=BEN)
    before = await stage.press(answer, "cancel_campaign", user=BEN)
    assert "admin" in (await stage.answer(before, BEN)).text
    assert stage.slack.stack_of(BEN) == []


async def test_a_request_whose_process_died_is_ended_by_reading_and_the_asker_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    piece = waiting(stage)
    await tracked(stage, piece)
    services, workspace = stage.app.services, stage.app.workspace
    found = (await services.memory.read(queries.find_pieces, workspace.id, str(piece.id), 1))[0]
    monkeypatch.setattr("handlers.cancel.stopping.ABANDONED", -datetime.resolution)
    await services.memory.write(cancellations.begin, workspace.id, found.id, UserId(ANA), services.clock.now(), ())
    piece.move("cancelled", datetime.now(UTC))
    await upkeep.settle_cancellations(services, workspace.id)
    told = [m for m in stage.slack.messages if m.channel == f"D{ANA}"]
    assert "cancelled" in told[0].text


async def test_a_button_of_something_gone_says_so(stage: Stage) -> None:
    shown = await tracked(stage, waiting(stage))
    for block in shown.blocks:
        for element in block.get("elements", []):
            if element.get("action_id") == "cancel_piece":
                element["value"] = "987654321"
    before = await stage.press(shown, "cancel_piece")
    assert "out of date" in (await stage.answer(before)).text
