"""A request for a second person is posted or withdrawn, and what is decided stands in the log with it, or neither does."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.sandbox.slack import Fault
from storage import audit, workspaces
from storage.audit import Act
from storage.records import ChannelId
from storage.schema.account_tables import approvals, intents
from tests.house import House
from tests.journeys.conftest import ANA, BEN, OPS, Stage, everything
from tests.journeys.test_intents import confirmed, hurried, left_open, limited, said, stopped
from tests.rudeness import UNREAD


async def confirmed_but(stage: Stage, fault: Fault) -> int:
    """Ana cancels a campaign, and Slack does not take the request; gives how many messages there were before."""
    await limited(stage)
    answer = await stage.say("/mailstatus", "Holiday postcards")
    await stage.press(answer, "cancel_campaign")
    form = await stage.modal(holding="Cancel 4 pieces")
    before = len(stage.slack.messages)
    stage.slack.faults.append(fault)
    assert (await stage.slack.submit(ANA, form)).ok
    await stage.until(lambda: not fault.times)
    return before


@pytest.mark.parametrize("fault", [Fault("", "ratelimited", 429, retry_after=6), Fault("", status=503)])
@pytest.mark.calm(*UNREAD)
async def test_a_request_that_slack_does_not_take_is_posted_later_and_the_asker_knows(
    stage: Stage, fault: Fault
) -> None:
    fault.method, fault.times = "chat.postMessage", 1
    before = await confirmed_but(stage, fault)
    assert "as soon as" in (await stage.answer(before, ANA)).text
    request = (await stage.until(lambda: said(stage, "wants to cancel"), 40))[0]
    assert request.channel == OPS
    assert "4 pieces" in request.text
    await stage.press(request, "approve_cancel", user=BEN)
    await stage.until(lambda: stopped(stage) == 4)
    posted = [
        given for name, given in stage.slack.calls if name == "chat.postMessage" and "wants to cancel" in given["text"]
    ]
    assert len(posted) == 1


async def test_a_request_that_nobody_would_see_is_withdrawn(stage: Stage) -> None:
    before = await confirmed_but(stage, Fault("chat.postMessage", "not_in_channel"))
    assert "needs someone else's approval" in (await stage.answer(before, ANA)).text
    outcome = await stage.app.services.memory.read(lambda c: c.scalar(select(approvals.c.outcome)))
    assert outcome == "withdrawn"
    await left_open(stage, 0)
    held = select(func.count()).select_from(intents).where(intents.c.ended_at.is_(None))
    assert await stage.app.services.memory.read(lambda c: c.scalar(held)) == 0


async def test_a_request_that_is_posted_late_and_seen_by_nobody_is_told_to_the_asker(stage: Stage) -> None:
    fault = Fault("chat.postMessage", status=503)
    closed = Fault("chat.postMessage", "is_archived")
    before = await confirmed_but(stage, fault)
    stage.slack.faults.append(closed)
    assert "as soon as" in (await stage.answer(before, ANA)).text
    told = await stage.until(
        lambda: [m for m in said(stage, "needs someone else's approval") if m.channel == f"D{ANA}"], 40
    )
    assert len(told) == 1
    assert not said(stage, "wants to cancel")


def silent(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    """The log cannot be written to about this."""

    note = audit.note

    def broken(connection: Any, workspace_id: Any, person: Any, what: Act, *args: Any, **more: Any) -> None:
        if what is act:
            raise ValueError("the process dies here")
        note(connection, workspace_id, person, what, *args, **more)

    monkeypatch.setattr(audit, "note", broken)


async def test_settings_and_their_line_in_the_log_are_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    silent(monkeypatch, Act.RULES)
    await stage.slack.open_home(ANA)
    home = await stage.until(
        lambda: stage.slack.homes.get(ANA) if "open_settings" in str(stage.slack.homes.get(ANA)) else None
    )
    await stage.press(home, "open_settings")
    form = await stage.modal(holding="save_settings")
    house = House(None, {}, None)  # type: ignore[arg-type]
    house.slack = lambda _team: stage.slack  # type: ignore[method-assign,assignment]
    before = await stage.app.services.memory.read(workspaces.by_id, stage.app.workspace.id)
    await house.submit("", ANA, form, above="250")
    await stage.until(
        lambda: "went wrong" in str([everything(v) for v in stage.slack.stack_of(ANA)]) or said(stage, "went wrong")
    )
    kept = await stage.app.services.memory.read(workspaces.by_id, stage.app.workspace.id)
    assert kept.rules == before.rules


async def test_a_subscription_and_its_line_in_the_log_are_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    silent(monkeypatch, Act.SUBSCRIBED)
    assert (await stage.slack.command(ANA, OPS, "/mailalerts", "on")).ok
    await stage.until(lambda: said(stage, "went wrong"))
    key = stage.app.workspace.id
    assert await stage.app.services.memory.read(workspaces.subscriptions_of, key, ChannelId(OPS)) == []


@pytest.mark.parametrize(("words", "act"), [("off", Act.UNSUBSCRIBED), ("mute 3h", Act.MUTED)])
async def test_what_ends_or_holds_back_news_stands_in_the_log_or_is_not_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, words: str, act: Act
) -> None:
    await stage.say("/mailalerts", "on")
    silent(monkeypatch, act)
    assert (await stage.slack.command(ANA, OPS, "/mailalerts", words)).ok
    await stage.until(lambda: said(stage, "went wrong"))
    key = stage.app.workspace.id
    assert await stage.app.services.memory.read(workspaces.subscriptions_of, key, ChannelId(OPS)) != []
    muted = await stage.app.services.memory.read(
        lambda c: c.exec_driver_sql("SELECT muted_until FROM channels").scalar()
    )
    assert muted is None


async def logged(stage: Stage, act: Act) -> list[str]:
    lines = await stage.app.services.memory.read(audit.page, stage.app.workspace.id, None, 50)
    return [f"{one.person}: {one.subject}, {one.detail}" for one in lines if one.act == act]


async def until_logged(stage: Stage, act: Act) -> list[str]:
    for _ in range(200):
        if lines := await logged(stage, act):
            return lines
        await asyncio.sleep(0.05)
    return []


def away(stage: Stage) -> list[Fault]:
    """Slack takes no message."""
    faults = [Fault(method, status=503, times=1000) for method in ("chat.postMessage", "response_url")]
    stage.slack.faults += faults
    return faults


@pytest.mark.calm(*UNREAD)
async def test_what_was_stopped_stands_in_the_log_though_slack_is_away(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Holiday postcards")
    await stage.press(answer, "cancel_campaign")
    form = await stage.modal(holding="Cancel 4 pieces")
    faults = away(stage)
    assert (await stage.slack.submit(ANA, form)).ok
    assert await until_logged(stage, Act.STOPPED) == [f"{ANA}: Holiday postcards, 4 of 4 pieces stopped"]
    for fault in faults:
        fault.times = 0
    await stage.until(lambda: said(stage, "Cancelling Holiday postcards: 4 cancelled"), 40)
    assert len(await logged(stage, Act.STOPPED)) == 1


@pytest.mark.calm(*UNREAD)
async def test_a_piece_that_was_stopped_stands_in_the_log_though_slack_is_away(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(223)[0]
    shown = await stage.say("/mailtrack", str(piece.id))
    away(stage)
    await stage.press(shown, "cancel_piece")
    assert await until_logged(stage, Act.STOPPED) == [f"{ANA}: piece {piece.id}, cancelled"]


async def test_a_draft_that_was_deleted_stands_in_the_log_though_slack_is_away(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "New Year draft")
    await stage.press(answer, "cancel_campaign")
    form = await stage.modal(holding="isn't booked")
    away(stage)
    assert (await stage.slack.submit(ANA, form)).ok
    assert await until_logged(stage, Act.STOPPED) == [f"{ANA}: New Year draft, the draft was deleted"]


async def test_a_cancellation_that_is_given_up_stands_in_the_log(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        raise ValueError("a fault of ours")

    hurried(monkeypatch)
    monkeypatch.setattr("handlers.cancel.stopping._read_again", broken)
    await confirmed(stage)
    await stage.until(lambda: said(stage, "gave up cancelling Holiday postcards"), 40)
    assert await until_logged(stage, Act.STOPPED) == [f"{ANA}: Holiday postcards, given up"]
