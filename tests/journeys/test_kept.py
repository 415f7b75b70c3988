"""What changes something is kept before it is acknowledged: whoever takes it up later answers it, once and by what holds
then."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Row, func, select, update
from sqlalchemy.exc import OperationalError

from bot.front.dispatcher import Dispatcher
from bot.sandbox.slack import Fault, Posted, View
from handlers.asked import Given
from handlers.asked import keeping as keeping_of
from handlers.context.services import Request
from handlers.errors import Overloaded
from storage import secrets as sealed_secrets
from storage import workspaces
from storage.intents import Kind
from storage.records import ChannelId, Rules, UserId
from storage.schema.account_tables import approvals, audit, intents
from storage.schema.tables import EPOCH
from storage.secrets import SecretKind
from storage.vault import Vault
from tests.house import ACME, House, house
from tests.journeys.conftest import ANA, BEN, OPS, Stage, everything

pytestmark = pytest.mark.calm


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing comes of what is acknowledged now, as if the process died just then; soon another takes it up."""
    with monkeypatch.context() as dead:
        dead.setattr("storage.intents.LEASE", timedelta(seconds=1))
        dead.setattr(Dispatcher, "take", lambda *_args, **_more: None)
        yield


async def asked(stage: Stage) -> list[Row[Any]]:
    """What was kept of it."""
    question = select(intents).where(intents.c.kind == Kind.ASKED.value).order_by(intents.c.id)
    return await stage.app.services.memory.read(lambda connection: list(connection.execute(question).all()))


async def answered(stage: Stage) -> None:
    """Waits until nothing that was kept is left to be answered."""
    for _ in range(400):
        if all(row.ended_at is not None for row in await asked(stage)):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await asked(stage))


async def lines(stage: Stage, act: str) -> int:
    question = select(func.count()).select_from(audit).where(audit.c.act == act)
    return await stage.app.services.memory.read(lambda connection: connection.scalar(question) or 0)


async def tracked(stage: Stage) -> Posted:
    return await stage.say("/mailtrack", str(stage.stannp.pieces_of(223)[0].id))


async def settings(stage: Stage) -> View:
    await stage.slack.open_home(ANA)
    home = await stage.until(
        lambda: stage.slack.homes.get(ANA) if "open_settings" in str(stage.slack.homes.get(ANA)) else None
    )
    await stage.press(home, "open_settings")
    return await stage.modal(holding="save_settings")


async def test_what_cannot_be_kept_is_not_acknowledged(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await tracked(stage)

    def full(*_args: Any, **_more: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("the disk is full"))

    with monkeypatch.context() as broken:
        broken.setattr("storage.intents.keep_taken", full)
        assert not (await stage.slack.press(ANA, shown, "cancel_piece")).ok, "the person is told nothing"
    assert stage.stannp.pieces_of(223)[0].status != "cancelled"
    # It failed as a whole: to press it again is no second click.
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: stage.stannp.pieces_of(223)[0].status == "cancelled")


async def test_what_was_kept_is_answered_by_the_rights_of_then(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await tracked(stage)
    with dying(monkeypatch):
        await stage.press(shown, "cancel_piece")
    assert len(await asked(stage)) == 1
    rules = Rules(cancellers=frozenset({BEN}))
    await stage.app.services.memory.write(workspaces.keep_rules, stage.app.workspace.id, rules)
    await stage.until(lambda: [m for m in stage.slack.messages if "can't cancel mail here" in m.text])
    await answered(stage)
    assert stage.stannp.pieces_of(223)[0].status != "cancelled"


async def test_a_second_click_is_one_also_for_who_takes_it_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await tracked(stage)
    with dying(monkeypatch):
        await asyncio.gather(stage.press(shown, "cancel_piece"), stage.press(shown, "cancel_piece"))
    assert len(await asked(stage)) == 1
    await stage.until(lambda: stage.stannp.pieces_of(223)[0].status == "cancelled")
    await stage.until(lambda: "cancelled" in shown.text)
    await answered(stage)
    assert [one for one in stage.stannp.requests if one == "POST postcards/cancel"] == ["POST postcards/cancel"]


async def test_settings_that_were_sent_are_saved_once_and_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    form = await settings(stage)
    with dying(monkeypatch):
        assert (await stage.slack.submit(ANA, form)).ok
    # The first to take it up saves them, and cannot say so.
    fault = Fault("views.update", status=503, times=4)
    stage.slack.faults.append(fault)
    await stage.until(lambda: fault.times < 4)
    stage.slack.faults.clear()
    await stage.modal(holding="Saved, and logged")
    await answered(stage)
    assert await lines(stage, "changed the settings") == 1


async def test_alerts_that_were_chosen_are_subscribed_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.slack.command(ANA, OPS, "/mailalerts")
    form = await stage.modal(holding="save_alerts")
    before = len(stage.slack.messages)
    with dying(monkeypatch):
        assert (await stage.slack.submit(ANA, form)).ok
    await answered(stage)
    found = await stage.app.services.memory.read(workspaces.subscriptions_of, stage.app.workspace.id, ChannelId(OPS))
    assert len(found) == 1
    assert len(stage.slack.messages) == before + 1


async def test_the_audit_log_arrives_though_it_was_only_acknowledged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.slack.open_home(ANA)
    home = await stage.until(
        lambda: stage.slack.homes.get(ANA) if "open_audit_log" in str(stage.slack.homes.get(ANA)) else None
    )
    await stage.press(home, "open_audit_log")
    shown = await stage.modal(holding="audit_export")
    with dying(monkeypatch):
        await stage.press(shown, "audit_export")
    file = await stage.until(lambda: next((f for f in stage.slack.files.values() if f.name == "audit-log.csv"), None))
    await stage.until(lambda: file.data)


async def test_what_breaks_is_said_with_its_reference_and_ends(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await tracked(stage)

    def broken(*_args: Any) -> None:
        raise ValueError("a fault of ours")

    monkeypatch.setattr("handlers.cancel.actions.worth_of", broken)
    before = await stage.press(shown, "cancel_piece")
    assert "reference" in everything(await stage.answer(before))
    await answered(stage)
    assert [row.outcome for row in await asked(stage)] == ["broke"]


@pytest.fixture
async def many(sqlite_url: str) -> Any:
    async with house(sqlite_url) as made:
        await made.install(ACME)
        yield made


async def test_a_key_that_was_sent_is_kept_sealed_and_tried_by_whoever_takes_it_up(
    many: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack, memory = many.slack(ACME), many.tenants.template.memory
    home = await many.until(lambda: slack.homes.get("U0ANA"))
    assert (await slack.press("U0ANA", home, "connect_account")).ok
    form = await many.modal(ACME, "U0ANA", "save_account")
    with dying(monkeypatch):
        await many.submit(ACME, "U0ANA", form, key=many.mail[ACME].api_key, region="us")
    row = (await memory.read(lambda c: c.execute(select(intents)).all()))[0]
    assert many.mail[ACME].api_key not in str(row)
    await many.modal(ACME, "U0ANA", "Connected to")
    written = select(audit.c.act).where(audit.c.act.like("connected%"))
    assert len(await memory.read(lambda c: c.execute(written).all())) == 1


async def test_what_waited_for_hours_is_not_done_after_all(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await tracked(stage)
    stage.app.scheduler.pause()
    with dying(monkeypatch):
        await stage.press(shown, "cancel_piece")
    long_ago = datetime.now(UTC) - timedelta(days=3)
    await stage.app.services.memory.write(
        lambda c: c.execute(update(intents).values(made_at=long_ago, next_at=long_ago)).rowcount
    )
    stage.app.scheduler.resume()
    await stage.until(lambda: [m for m in stage.slack.messages if "ask for it anew" in m.text])
    await answered(stage)
    assert stage.stannp.pieces_of(223)[0].status == "received"


async def test_what_is_done_is_not_said_to_have_failed_where_its_form_is_gone(stage: Stage) -> None:
    form = await settings(stage)
    before = len(stage.slack.messages)
    stage.slack.faults.append(Fault("views.update", "not_found", times=1000))
    assert (await stage.slack.submit(ANA, form)).ok
    await answered(stage)
    assert await lines(stage, "changed the settings") == 1
    # Who opens Home first is greeted once, at its own time.
    said = [m.text for m in stage.slack.messages[before:] if not m.text.startswith("Hi! I've read your mail account")]
    assert said == []


async def test_a_request_that_was_declined_is_shown_so_by_whoever_takes_it_up(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Rules(approval_above=Decimal("0.10"), cancellers=frozenset({ANA, BEN}))
    await stage.app.services.memory.write(workspaces.keep_rules, stage.app.workspace.id, rules)
    await stage.press(await tracked(stage), "cancel_piece")
    wanted = await stage.until(lambda: next((m for m in stage.slack.messages if "wants to cancel" in m.text), None))
    # Its process dies between the decision and the message that shows it.
    with monkeypatch.context() as dead:
        dead.setattr("storage.intents.LEASE", timedelta(seconds=1))
        dead.setattr("storage.intents.TELLING", timedelta(seconds=1))

        async def dies(*_args: Any) -> None:
            await asyncio.sleep(60)

        dead.setattr("handlers.cancel.approvals._show_decision", dies)
        assert (await stage.slack.press(BEN, wanted, "decline_cancel")).ok
        await stage.until(lambda: [task for task in stage.app.in_flight.tasks if task.get_name().startswith("action:")])
        await decided(stage)
        for task in list(stage.app.in_flight.tasks):
            if task.get_name().startswith("action:"):
                task.cancel()
    await stage.until(lambda: "declined" in wanted.text)


async def decided(stage: Stage) -> None:
    question = select(func.count()).select_from(approvals).where(approvals.c.outcome != "")
    for _ in range(400):
        if await stage.app.services.memory.read(lambda connection: connection.scalar(question)):
            return
        await asyncio.sleep(0.02)
    raise AssertionError("nobody decided")


async def test_what_was_kept_too_late_for_slack_is_not_done(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = await tracked(stage)
    monkeypatch.setattr("bot.front.dispatcher.SOON", -1.0)
    assert not (await stage.slack.press(ANA, shown, "cancel_piece")).ok
    assert await asked(stage) == []
    monkeypatch.undo()
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: stage.stannp.pieces_of(223)[0].status == "cancelled")


async def test_a_key_that_was_kept_takes_no_newer_ones_place(many: House) -> None:
    slack, mail, memory = many.slack(ACME), many.mail[ACME], many.tenants.template.memory
    home = await many.until(lambda: slack.homes.get("U0ANA"))
    assert (await slack.press("U0ANA", home, "connect_account")).ok
    form = await many.modal(ACME, "U0ANA", "save_account")
    busy = Fault("views.update", status=503, times=1000)
    slack.faults.append(busy)
    await many.submit(ACME, "U0ANA", form, key=mail.api_key, region="us")
    await many.until(lambda: busy.times < 1000)
    key = (await memory.read(workspaces.by_team, ACME)).id
    await many.tenants.keep(key, SecretKind.ACCOUNT, {"key": "the newer one", "region": "us"})
    met = busy.times
    await memory.write(lambda c: c.execute(update(intents).values(next_at=EPOCH, lease_until=EPOCH)).rowcount)
    await many.until(lambda: busy.times < met)
    held = await memory.read(sealed_secrets.secret, many.tenants.vault, key, SecretKind.ACCOUNT)
    assert held is not None
    assert held["key"] == "the newer one"


async def test_what_is_open_goes_with_a_removed_workspace(many: House, monkeypatch: pytest.MonkeyPatch) -> None:
    slack, memory = many.slack(ACME), many.tenants.template.memory
    home = await many.until(lambda: slack.homes.get("U0ANA"))
    assert (await slack.press("U0ANA", home, "connect_account")).ok
    form = await many.modal(ACME, "U0ANA", "save_account")
    with dying(monkeypatch):
        monkeypatch.setattr("storage.intents.LEASE", timedelta(hours=1))
        await many.submit(ACME, "U0ANA", form, key=many.mail[ACME].api_key, region="us")
    await many.cloud.uninstall(ACME)
    key = (await memory.read(workspaces.by_team, ACME)).id
    for _ in range(400):
        if (await memory.read(workspaces.by_id, key)).removed_at is not None:
            break
        await asyncio.sleep(0.02)
    rows = await memory.read(lambda c: c.execute(select(intents)).all())
    assert [(row.sealed, row.ended_at is not None) for row in rows] == [("", True)] * len(rows)
    assert rows


async def test_a_decision_is_shown_when_slack_takes_it_again(stage: Stage) -> None:
    rules = Rules(approval_above=Decimal("0.10"), cancellers=frozenset({ANA, BEN}))
    await stage.app.services.memory.write(workspaces.keep_rules, stage.app.workspace.id, rules)
    await stage.press(await tracked(stage), "cancel_piece")
    wanted = await stage.until(lambda: next((m for m in stage.slack.messages if "wants to cancel" in m.text), None))
    stage.slack.faults.append(Fault("chat.update", status=503, times=4))
    assert (await stage.slack.press(BEN, wanted, "decline_cancel")).ok
    await stage.until(lambda: "declined" in wanted.text)
    await answered(stage)


async def test_settings_that_somebody_else_saved_meanwhile_are_not_overwritten(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, memory, key = await settings(stage), stage.app.services.memory, stage.app.workspace.id
    newer = Rules(approval_above=Decimal(5), cancellers=frozenset({ANA, BEN}))

    async def slow(services: Any, request: Any) -> None:
        await memory.write(workspaces.keep_rules, key, newer)

    monkeypatch.setattr("handlers.admin.settings.require_settings_admin", slow)
    assert (await stage.slack.submit(ANA, form)).ok
    await stage.modal(holding="Somebody else")
    await answered(stage)
    assert (await memory.read(workspaces.by_id, key)).rules == newer
    assert await lines(stage, "changed the settings") == 0


async def test_two_presses_without_an_id_of_their_own_are_two(stage: Stage) -> None:
    pieces = stage.stannp.pieces_of(223)[:2]
    for piece in pieces:
        shown = await stage.say("/mailtrack", str(piece.id))
        body = stage.slack.pressing(ANA, shown, "cancel_piece") | {"trigger_id": None}
        assert (await stage.slack.deliver("interactive", body)).ok
    await stage.until(lambda: all(piece.status == "cancelled" for piece in pieces))


async def test_what_was_held_up_while_it_was_kept_is_not_done(stage: Stage) -> None:
    late = iter([False, True])
    request = Request(stage.app.workspace, UserId(ANA), ChannelId(OPS))
    vault = Vault(stage.app.services.policy.sealing_keys)
    keeping = keeping_of(vault, request, Given("cancel_piece", "1"), "k", datetime.now(UTC), is_late=lambda: next(late))
    with pytest.raises(Overloaded):
        await stage.app.services.memory.write(keeping)
    assert await asked(stage) == []
