"""A request for a second person is posted or withdrawn, and what is decided stands in the log with it, or neither does."""

from typing import Any

import pytest
from sqlalchemy import func, select

from bot.sandbox.slack import Fault
from storage import audits, workspaces
from storage.accounts import approvals, intents
from storage.audits import Act
from tests.house import House
from tests.journeys.conftest import ANA, BEN, OPS, Stage, everything
from tests.journeys.test_intents import left_open, limited, said, stopped


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
async def test_a_request_that_slack_does_not_take_is_posted_later_and_the_asker_knows(
    stage: Stage, fault: Fault
) -> None:
    fault.method, fault.times = "chat.postMessage", 1
    before = await confirmed_but(stage, fault)
    assert "as soon as" in (await stage.answer(before, ANA)).text
    request = (await stage.until(lambda: said(stage, "asks to cancel"), 40))[0]
    assert request.channel == OPS
    assert "4 pieces" in request.text
    await stage.press(request, "approve_cancel", user=BEN)
    await stage.until(lambda: stopped(stage) == 4)
    posted = [
        given for name, given in stage.slack.calls if name == "chat.postMessage" and "asks to cancel" in given["text"]
    ]
    assert len(posted) == 1


async def test_a_request_that_nobody_would_see_is_withdrawn(stage: Stage) -> None:
    before = await confirmed_but(stage, Fault("chat.postMessage", "not_in_channel"))
    assert "needs a second person's approval" in (await stage.answer(before, ANA)).text
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
    told = await stage.until(lambda: [m for m in said(stage, "second person's approval") if m.channel == f"D{ANA}"], 40)
    assert len(told) == 1
    assert not said(stage, "asks to cancel")


def silent(monkeypatch: pytest.MonkeyPatch, act: Act) -> None:
    """The log cannot be written to about this."""

    note = audits.note

    def broken(connection: Any, workspace_id: Any, person: Any, what: Act, *args: Any, **more: Any) -> None:
        if what is act:
            raise ValueError("the process dies here")
        note(connection, workspace_id, person, what, *args, **more)

    monkeypatch.setattr(audits, "note", broken)


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
    assert await stage.app.services.memory.read(workspaces.subscriptions_of, key, OPS) == []


@pytest.mark.parametrize(("words", "act"), [("off", Act.UNSUBSCRIBED), ("mute 3h", Act.MUTED)])
async def test_what_ends_or_holds_back_news_stands_in_the_log_or_is_not_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, words: str, act: Act
) -> None:
    await stage.say("/mailalerts", "on")
    silent(monkeypatch, act)
    assert (await stage.slack.command(ANA, OPS, "/mailalerts", words)).ok
    await stage.until(lambda: said(stage, "went wrong"))
    key = stage.app.workspace.id
    assert await stage.app.services.memory.read(workspaces.subscriptions_of, key, OPS) != []
    muted = await stage.app.services.memory.read(
        lambda c: c.exec_driver_sql("SELECT muted_until FROM channels").scalar()
    )
    assert muted is None
