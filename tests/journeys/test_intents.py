"""What was decided is carried out and told, whatever fails on the way."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import func, select, update

from bot.cli.maintenance import rotate_keys
from bot.sandbox.slack import Fault, Posted, User
from bot.sandbox.stannp import Trouble
from bot.settings import Settings
from storage import intents as stored
from storage import workspaces
from storage.intents import Kind
from storage.records import Rules
from storage.schema.account_tables import approvals, intents
from storage.schema.tables import EPOCH, cancellations
from storage.vault import Vault, new_key
from tests.journeys.conftest import ANA, BEN, Stage, everything
from tests.rudeness import UNREAD


def said(stage: Stage, words: str) -> list[Posted]:
    return [m for m in stage.slack.messages if words in m.text]


async def confirmed(stage: Stage, name: str = "Holiday postcards") -> None:
    answer = await stage.say("/mailstatus", name)
    await stage.press(answer, "cancel_campaign")
    assert (await stage.slack.submit(ANA, await stage.modal(holding="Cancel 4 pieces"))).ok


@pytest.mark.parametrize("fault", [Fault("", "ratelimited", 429, retry_after=6), Fault("", status=503)])
@pytest.mark.calm(*UNREAD)
async def test_a_summary_that_slack_does_not_take_is_told_later(stage: Stage, fault: Fault) -> None:
    answer = await stage.say("/mailstatus", "Holiday postcards")
    await stage.press(answer, "cancel_campaign")
    form = await stage.modal(holding="Cancel 4 pieces")
    fault.method, fault.times = "chat.postMessage", 1
    stage.slack.faults.append(fault)
    assert (await stage.slack.submit(ANA, form)).ok
    await stage.until(lambda: not fault.times)
    await stage.until(lambda: said(stage, "Cancelling Holiday postcards: 4 cancelled"), 40)
    assert not said(stage, "Slack asks us to wait")
    assert len(said(stage, "Cancelling Holiday postcards")) == 1


@pytest.mark.calm(*UNREAD)
async def test_what_is_unclear_is_looked_at_again_and_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handlers.cancel.stopping.LOOKS", [timedelta(seconds=0.5)] * 20, raising=False)
    piece = stage.stannp.pieces_of(223)[0]
    shown = await stage.say("/mailtrack", str(piece.id))
    stage.stannp.troubles.append(Trouble("postcards/cancel", status=200, body='{"success":true,"data":1}'))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: "I'll look again" in shown.text)
    assert "accepted" not in shown.text
    piece.move("cancelled", datetime.now(UTC))
    told = (await stage.until(lambda: [m for m in said(stage, "cancelled") if m.channel == f"D{ANA}"]))[0]
    assert str(piece.id) in told.text


@pytest.mark.parametrize("fault", [Fault("", "ratelimited", 429, retry_after=6), Fault("", status=503)])
async def test_a_workflow_step_ends_though_slack_was_busy(stage: Stage, fault: Fault) -> None:
    fault.method = "functions.completeSuccess"
    stage.slack.faults.append(fault)
    step = await stage.slack.run_step("get_campaign_status", {"campaign": "Spring lapsed"})
    outputs = await stage.until(lambda: step.outputs, 40)
    assert outputs["pieces"] == "12"


async def test_an_export_arrives_though_slack_was_busy(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "view_details")
    stage.slack.faults.append(Fault("files.getUploadURLExternal", "ratelimited", 429, retry_after=6))
    await stage.press(await stage.modal(holding="details_export"), "details_export")
    file = await stage.until(lambda: next((f for f in stage.slack.files.values() if f.name.endswith(".csv")), None), 40)
    await stage.until(lambda: file.data)
    assert file.data.count(b"\n") == 13


async def test_who_erased_a_recipient_is_told_though_slack_was_busy(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    shown = await stage.say("/mailtrack", str(piece.id))
    stage.slack.faults.append(Fault("response_url", "ratelimited", 429, retry_after=6))
    where = shown if "erase_recipient" in str(shown.blocks) else await stage.modal(holding="erase_recipient")
    await stage.press(where, "erase_recipient")
    assert "I no longer know who piece" in everything(
        (await stage.until(lambda: said(stage, "I no longer know who piece")))[0]
    )


async def limited(stage: Stage, **more: Any) -> None:
    """Whoever cancels more than a dollar's worth needs a second person; everyone may cancel."""
    chosen = replace(Rules(cancellers=frozenset({"everyone"}), approval_above=Decimal(1)), **more)
    await stage.app.services.memory.write(workspaces.keep_rules, stage.app.workspace.id, chosen)


async def asked(stage: Stage) -> Posted:
    """Ana confirms the cancellation of a campaign; gives the request for a second person."""
    before = len(stage.slack.messages)
    await confirmed(stage)
    return await stage.until(
        lambda: next((m for m in stage.slack.messages[before:] if "wants to cancel" in m.text), None)
    )


def stopped(stage: Stage) -> int:
    return sum(piece.status == "cancelled" for piece in stage.stannp.pieces_of(223))


async def test_a_negative_cost_takes_nothing_from_the_sum_that_a_second_person_sees(stage: Stage) -> None:
    await limited(stage)
    stage.stannp.pieces_of(223)[0].cost = Decimal(-500)
    await stage.poll()
    request = await asked(stage)
    assert "save $3.36" in request.text, "what was known before stands"
    answer = await stage.say("/mailstatus", "Holiday postcards")
    assert "*Spent* -" not in everything(answer)


@pytest.mark.calm(*UNREAD)
async def test_an_approval_is_for_the_pieces_that_were_asked_for_though_the_campaign_grows(stage: Stage) -> None:
    await limited(stage)
    request = await asked(stage)
    assert "4 pieces" in request.text
    assert "$3.36" in request.text
    template = stage.stannp.pieces_of(223)[0]
    for number in range(300):
        stage.stannp.pieces[99_000_000 + number] = replace(template, id=99_000_000 + number, scans=[])
    # Without a campaign's report each poll finds out of a hundred pieces where they belong.
    for _ in range(3):
        await stage.poll()
    await stage.press(request, "approve_cancel", user=BEN)
    first = (await stage.until(lambda: said(stage, "Stopping 4 pieces")))[0]
    assert "300 pieces more can be stopped" in first.text
    assert first.only_for == BEN
    summary = (await stage.until(lambda: said(stage, "Cancelling Holiday postcards: 4 cancelled")))[0]
    assert f"Asked by <@{ANA}>, approved by <@{BEN}>" in summary.text
    assert stopped(stage) == 4


@pytest.mark.calm(*UNREAD)
async def test_a_form_that_was_read_before_the_campaign_grew_stops_what_it_showed(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Holiday postcards")
    await stage.press(answer, "cancel_campaign")
    form = await stage.modal(holding="Cancel 4 pieces")
    template = stage.stannp.pieces_of(223)[0]
    stage.stannp.pieces[99_000_000] = replace(template, id=99_000_000, scans=[])
    await stage.poll()
    assert (await stage.slack.submit(ANA, form)).ok
    await stage.until(lambda: said(stage, "Cancelling Holiday postcards: 4 cancelled"))
    assert "1 piece more can be stopped" in said(stage, "Stopping 4 pieces")[0].text
    assert stopped(stage) == 4


async def test_an_unknown_cost_needs_a_second_person(stage: Stage) -> None:
    await limited(stage, approval_above=Decimal(1000))

    def forget_costs(connection: Any) -> None:
        connection.exec_driver_sql("UPDATE pieces SET cost = NULL")

    piece = stage.stannp.pieces_of(223)[0]
    shown = await stage.say("/mailtrack", str(piece.id))
    await stage.app.services.memory.write(forget_costs)
    before = await stage.press(shown, "cancel_piece")
    request = await stage.until(
        lambda: next((m for m in stage.slack.messages[before:] if "wants to cancel" in m.text), None)
    )
    assert "1 piece whose cost I don't know" in request.text
    assert piece.status == "received"


async def test_who_may_not_decide_reads_the_one_true_reason(stage: Stage) -> None:
    await limited(stage, cancellers=frozenset({"admins", "U0CAT"}))
    stage.slack.add_user(User("U0CAT", "Cat Lee"))
    request = await asked(stage)
    assert "<@U0CAT> or another workspace admin can approve" in request.text

    async def refusal(user: str, action: str = "approve_cancel") -> str:
        before = await stage.press(request, action, user=user)
        return (await stage.answer(before, user)).text

    assert "You asked for this" in await refusal(ANA)
    assert "You can't approve cancellations. Ask Cat Lee or another workspace admin." in await refusal(BEN)

    def make_old(connection: Any) -> None:
        long_ago = stage.app.services.clock.now() - timedelta(hours=25)
        connection.execute(update(approvals).values(asked_at=long_ago))

    kept = await stage.app.services.memory.read(lambda c: c.scalar(select(approvals.c.asked_at)))
    await stage.app.services.memory.write(make_old)
    assert "expired after a day" in await refusal("U0CAT")
    await stage.app.services.memory.write(lambda c: c.execute(update(approvals).values(asked_at=kept)) and None)
    declined = dict(request.blocks[-1])
    await stage.press(request, "decline_cancel", user="U0CAT")
    await stage.until(lambda: "declined" in request.text)
    request.blocks.append(declined)
    await asyncio.sleep(1.6)  # else the second press counts as a double click
    assert "declined already. It was <@U0CAT>" in await refusal("U0CAT")
    assert stopped(stage) == 0


async def test_one_canceller_and_a_limit_are_refused_on_save(stage: Stage) -> None:
    from tests.house import House

    await stage.slack.open_home(ANA)
    home = await stage.until(
        lambda: (
            stage.slack.homes[ANA]
            if "open_settings" in str(stage.slack.homes.get(ANA) and stage.slack.homes[ANA].view)
            else None
        )
    )
    await stage.press(home, "open_settings")
    form = await stage.modal(holding="save_settings")
    house = House(None, {}, None)  # type: ignore[arg-type]
    house.slack = lambda _team: stage.slack  # type: ignore[method-assign,assignment]
    await house.submit("", ANA, form, cancellers="named", cancellers_people=BEN, above="250")
    refused = await stage.modal(holding="only one person may cancel")
    assert "250" in everything(refused)
    kept = await stage.app.services.memory.read(workspaces.by_id, stage.app.workspace.id)
    assert kept.rules.approval_above is None


@pytest.mark.calm(*UNREAD)
async def test_a_decision_and_its_work_are_one_transaction(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await limited(stage)
    request = await asked(stage)

    def broken(*_args: Any, **_more: Any) -> bool:
        raise ValueError("the process dies here")

    with monkeypatch.context() as patched:
        patched.setattr("storage.intents.release_held", broken)
        before = await stage.press(request, "approve_cancel", user=BEN)
        assert "Something went wrong" in (await stage.answer(before, BEN)).text
    outcome = await stage.app.services.memory.read(lambda c: c.scalar(select(approvals.c.outcome)))
    assert outcome == "", "the approval is not spent"
    await asyncio.sleep(1.6)  # else the second press counts as a double click
    await stage.press(request, "approve_cancel", user=BEN)
    await stage.until(lambda: stopped(stage) == 4)


@pytest.mark.calm(*UNREAD)
async def test_a_surprise_met_on_the_way_is_news_and_what_was_asked_for_is_not(stage: Stage) -> None:
    await stage.say("/mailalerts", "on")
    first, second, *_ = stage.stannp.pieces_of(223)
    shown = await stage.say("/mailtrack", str(first.id))
    first.move("cancelled", datetime.now(UTC))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: "was already cancelled" in shown.text)
    await stage.until(lambda: [m for m in stage.slack.messages if m.thread_ts and str(first.id) in everything(m)])
    shown = await stage.say("/mailtrack", str(second.id))
    await stage.press(shown, "cancel_piece")
    await stage.until(lambda: "cancelled" in shown.text)
    await stage.poll()
    await asyncio.sleep(1.2)
    assert not [m for m in stage.slack.messages if m.thread_ts and str(second.id) in everything(m)]


def hurried(monkeypatch: pytest.MonkeyPatch, tries: int = 3) -> None:
    """An intent is given up after few tries that follow each other fast."""
    monkeypatch.setattr("storage.intents.LEASE", timedelta(seconds=0.2))
    monkeypatch.setattr("storage.intents.TELLING", timedelta(seconds=0.2))
    monkeypatch.setattr("storage.intents.MOST_TRIES", tries, raising=False)


async def left_open(stage: Stage, number: int) -> None:
    """Waits until so many intents are left."""
    is_open = intents.c.ended_at.is_(None), intents.c.next_at.is_not(None)
    question, left = select(func.count()).select_from(intents).where(*is_open), -1
    for _ in range(100):
        left = await stage.app.services.memory.read(lambda c: c.scalar(question) or 0)
        if left == number:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{left} intents are left")


async def test_a_fault_of_ours_ends_an_intent_after_some_tries_and_the_asker_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    def broken(*_args: Any) -> None:
        nonlocal tries
        tries += 1
        raise ValueError("a fault of ours")

    hurried(monkeypatch)
    monkeypatch.setattr("handlers.pieces.exports.write_head", broken)
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "view_details")
    await stage.press(await stage.modal(holding="details_export"), "details_export")
    told = (await stage.until(lambda: said(stage, "couldn't send you the pieces of Spring lapsed as a file"), 30))[0]
    assert told.channel == f"D{ANA}"
    assert tries == 3
    await left_open(stage, 0)
    await asyncio.sleep(3)
    assert len(said(stage, "as a file. Something went wrong")) == 1


async def test_a_cancellation_that_is_given_up_frees_its_pieces_and_the_asker_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: Any, **_more: Any) -> None:
        raise ValueError("a fault of ours")

    hurried(monkeypatch)
    with monkeypatch.context() as patched:
        patched.setattr("handlers.cancel.stopping._read_again", broken)
        await confirmed(stage)
        await stage.until(lambda: said(stage, "gave up cancelling Holiday postcards"), 40)
    left = select(func.count()).select_from(cancellations).where(cancellations.c.outcome == "")
    assert await stage.app.services.memory.read(lambda c: c.scalar(left)) == 0
    await left_open(stage, 0)


async def test_a_fault_of_ours_in_a_step_ends_it_with_the_reason(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> None:
        raise ValueError("a fault of ours")

    hurried(monkeypatch)
    monkeypatch.setattr("handlers.workflow.steps._numbers", broken)
    step = await stage.slack.run_step("get_campaign_status", {"campaign": "Spring lapsed"})
    await stage.until(lambda: step.error, 30)
    assert "went wrong" in step.error
    await left_open(stage, 0)


async def test_what_a_later_version_will_do_holds_up_nothing(stage: Stage) -> None:
    def from_later(connection: Any) -> None:
        long_ago = datetime.now(UTC) - timedelta(hours=1)
        row = {
            "workspace_id": stage.app.workspace.id, "kind": "sing", "payload": "{}", "sealed": "", "made_at": long_ago,
            "next_at": long_ago, "lease_until": EPOCH, "token": 0, "tries": 0, "told": 0,
        }  # fmt: skip
        connection.execute(intents.insert(), [row] * 20)

    await stage.app.services.memory.write(from_later)
    stage.slack.faults.append(Fault("functions.completeSuccess", "ratelimited", 429, retry_after=6))
    step = await stage.slack.run_step("get_campaign_status", {"campaign": "Spring lapsed"})
    await stage.until(lambda: step.outputs, 30)
    # They wait for the version that knows them.
    await left_open(stage, 20)


async def put_off_and_closed(stage: Stage, fault: Fault, begin: Callable[[], Awaitable[object]]) -> None:
    """Slack is busy just then; meanwhile the key that sealed what the intent keeps is gone."""
    stage.slack.faults.append(fault)
    await begin()
    await stage.until(lambda: not fault.times)
    other = Vault([new_key()]).seal("elsewhere", {})
    open_ = intents.c.ended_at.is_(None), intents.c.kind != Kind.ASKED.value, intents.c.sealed != ""
    closing = update(intents).where(*open_).values(sealed=other)
    assert await stage.app.services.memory.write(lambda c: c.execute(closing).rowcount) == 1


async def test_a_step_whose_secrets_do_not_open_ends_in_words(stage: Stage) -> None:
    steps: list[Any] = []

    async def begin() -> None:
        steps.append(await stage.slack.run_step("get_campaign_status", {"campaign": "Spring lapsed"}))

    await put_off_and_closed(stage, Fault("functions.completeSuccess", "ratelimited", 429, retry_after=6), begin)
    await stage.until(lambda: steps[0].error, 30)
    assert "run this workflow again" in steps[0].error
    await left_open(stage, 0)


async def test_an_export_whose_secrets_do_not_open_ends_in_words(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "view_details")
    form = await stage.modal(holding="details_export")
    fault = Fault("files.getUploadURLExternal", "ratelimited", 429, retry_after=6)
    await put_off_and_closed(stage, fault, lambda: stage.press(form, "details_export"))
    told = (await stage.until(lambda: said(stage, "export it again"), 30))[0]
    assert told.channel == f"D{ANA}"
    await left_open(stage, 0)


@pytest.mark.calm(*UNREAD)
async def test_an_answer_whose_address_does_not_open_is_told_directly(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(223)[0]
    shown = await stage.say("/mailtrack", str(piece.id))
    fault = Fault("response_url", "ratelimited", 429, retry_after=6)
    await put_off_and_closed(stage, fault, lambda: stage.press(shown, "cancel_piece"))
    told = await stage.until(lambda: [m for m in said(stage, "cancelled") if m.channel == f"D{ANA}"], 30)
    assert str(piece.id) in told[0].text


async def test_rotating_keys_seals_what_open_intents_keep(stage: Stage) -> None:
    old, new = new_key(), new_key()
    memory, key = stage.app.services.memory, stage.app.workspace.id
    place = stored.place(key)
    sealed = Vault([old]).seal(place, {"token": "planted"})
    later = {"next_at": datetime.now(UTC) + timedelta(hours=1)}

    def keep(connection: Any) -> int:
        number = stored.keep(connection, key, Kind.STEP, {}, sealed=sealed)
        connection.execute(update(intents).where(intents.c.id == number).values(**later))
        return number

    number = await memory.write(keep)
    url = stage.app.services.memory.database.reader.url.render_as_string(hide_password=False)
    chosen = Settings(_env_file=None, database_url=url, piecewise_encryption_keys=f"{new},{old}")
    await asyncio.to_thread(rotate_keys, chosen, Console(file=io.StringIO()))
    found = await memory.read(stored.of, key, number)
    assert found is not None
    assert Vault([new]).open(place, found.sealed) == {"token": "planted"}


async def test_a_wait_that_slack_names_is_believed_for_an_hour_at_most(stage: Stage) -> None:
    stage.slack.faults.append(Fault("functions.completeSuccess", "ratelimited", 429, retry_after=86_400))
    await stage.slack.run_step("get_campaign_status", {"campaign": "Spring lapsed"})

    def waits(connection: Any) -> Any:
        return connection.scalar(select(intents.c.next_at).where(intents.c.lease_until == EPOCH))

    for _ in range(100):
        until = await stage.app.services.memory.read(waits)
        if until is not None and until > datetime.now(UTC) + timedelta(minutes=5):
            break
        await asyncio.sleep(0.05)
    assert timedelta(minutes=55) < until - datetime.now(UTC) <= timedelta(hours=1)


async def test_what_something_stood_in_the_way_of_for_four_days_is_given_up_and_told(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "view_details")
    form = await stage.modal(holding="details_export")
    stage.slack.faults.append(Fault("files.getUploadURLExternal", "ratelimited", 429, retry_after=6, times=1000))

    def age(connection: Any) -> int:
        long_ago = datetime.now(UTC) - timedelta(days=4, minutes=1)
        aging = update(intents).where(intents.c.kind == Kind.EXPORT.value).values(made_at=long_ago)
        return int(connection.execute(aging).rowcount)

    await stage.press(form, "details_export")
    await stage.until(lambda: stage.slack.faults[-1].times < 1000)
    assert await stage.app.services.memory.write(age) == 1
    told = (await stage.until(lambda: said(stage, "For four days something stood in the way"), 40))[0]
    assert "Spring lapsed" in told.text
    assert told.channel == f"D{ANA}"
    await left_open(stage, 0)
