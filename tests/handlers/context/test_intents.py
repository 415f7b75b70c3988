"""Retries: what is put off and for how long, when it is given up, and what is said of that."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from handlers.context import farewells, intents, kept
from handlers.context.intents import LONGEST_PAUSE, PAUSE, UNTIL_MENDED, Hold
from handlers.context.kept import TakenOverError
from handlers.errors import NotInChannel, PlatformBusy, PlatformDown, PlatformRefused, Refusal, SlackDown, Trouble
from storage import intents as stored
from storage.audit import Act
from storage.database import database_time
from storage.intents import Intent, Kind
from storage.schema.account_tables import intents as table
from storage.statuses import Status
from storage.vault import new_key
from tests.handlers.conftest import ANA, Office

LOG = {"by": ANA}


async def made(office: Office, kind: Kind = Kind.LOG, payload: dict[str, Any] | None = None, **more: Any) -> int:
    return await intents.keep(office.services, office.workspace.id, kind, payload or LOG, **more)


async def begun(office: Office, number: int, *steps: Trouble | Exception | timedelta | None) -> list[Refusal | None]:
    """Works it once for each of these: raises it, or gives it."""
    said = []
    for step in steps:
        office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0"))

        async def work(_hold: Hold, step: Any = step) -> timedelta | None:
            if isinstance(step, Exception):
                raise step
            return step  # type: ignore[no-any-return]

        said.append(await intents.begin(office.services, office.workspace.id, number, work))
    return said


def row(office: Office, number: int) -> Any:
    return office.read(lambda c: c.execute(table.select().where(table.c.id == number)).one())


def rest(office: Office, number: int) -> float:
    return float(office.read(lambda c: (row(office, number).next_at - database_time(c)).total_seconds()))


async def test_what_is_done_ends_and_is_done_by_nobody_else(office: Office) -> None:
    number = await made(office)
    assert await begun(office, number, None) == [None]
    assert (row(office, number).outcome, row(office, number).ended_at is not None) == ("done", True)
    worked: list[Hold] = []

    async def work(hold: Hold) -> None:
        worked.append(hold)

    await intents.begin(office.services, office.workspace.id, number, work)
    assert worked == []


async def test_what_goes_on_later_is_given_back_for_so_long(office: Office) -> None:
    number = await made(office)
    await begun(office, number, timedelta(hours=3))
    assert 3 * 3600 - 30 < rest(office, number) <= 3 * 3600
    assert row(office, number).tries == 0


@pytest.mark.parametrize(
    ("trouble", "pause", "said"),
    [
        (PlatformDown(), PAUSE, False),
        (PlatformBusy(retry_after=40), timedelta(seconds=40), False),
        (PlatformBusy(retry_after=3600), LONGEST_PAUSE, False),
        (PlatformBusy(retry_after=3601), LONGEST_PAUSE, False),
        (PlatformBusy(retry_after=1e9), LONGEST_PAUSE, False),
        (NotInChannel(), UNTIL_MENDED, True),
    ],
)
async def test_trouble_puts_off_and_what_a_person_can_mend_is_given(
    office: Office, trouble: Trouble, pause: timedelta, said: bool
) -> None:
    assert intents._pause(trouble) == pause
    number = await made(office)
    (given,) = await begun(office, number, trouble)
    assert given is (trouble if said else None)
    assert rest(office, number) <= pause.total_seconds()
    assert row(office, number).ended_at is None


def old(office: Office, number: int, age: timedelta) -> None:
    office.write(lambda c: c.execute(table.update().where(table.c.id == number).values(made_at=database_time(c) - age)))


@pytest.mark.parametrize(("spare", "given_up"), [(timedelta(minutes=5), False), (timedelta(minutes=-5), True)])
async def test_after_four_days_in_the_way_it_is_given_up_and_who_asked_is_told(
    office: Office, spare: timedelta, given_up: bool
) -> None:
    number = await made(office)
    old(office, number, intents.GIVEN_UP - spare)
    await begun(office, number, PlatformRefused("no money"))
    assert (row(office, number).ended_at is not None) == given_up
    assert [(one.way, one.place) for one in office.slack.said] == ([("post", ANA)] if given_up else [])
    assert not given_up or "For four days something stood in the way: no money" in office.slack.last.text


async def test_the_last_word_is_not_waited_for(office: Office) -> None:
    number = await made(office)
    old(office, number, intents.GIVEN_UP * 2)
    office.slack.fail("post", SlackDown())
    await begun(office, number, PlatformDown())
    assert row(office, number).ended_at is not None


async def test_a_fault_of_our_own_is_tried_again_and_then_given_up_with_a_reference(office: Office) -> None:
    number = await made(office)
    for tries in range(stored.MOST_TRIES):
        assert row(office, number).tries == tries
        with pytest.raises(ZeroDivisionError):
            await begun(office, number, ZeroDivisionError())
    await begun(office, number, ZeroDivisionError())
    assert f"reference intent {number}" in office.slack.last.text
    assert row(office, number).ended_at is not None


async def test_a_farewell_is_said_later_while_slack_is_away_and_not_for_ever(office: Office) -> None:
    number = await made(office)
    for tries, ended in ((stored.MOST_TRIES, False), (stored.MOST_TRIES + intents.FAREWELLS - 1, False),
                         (stored.MOST_TRIES + intents.FAREWELLS, True)):  # fmt: skip
        office.write(lambda c, tries=tries: c.execute(table.update().values(tries=tries)))  # type: ignore[misc]
        office.slack.fail("post", SlackDown())
        await begun(office, number, None)
        office.slack.waiting.clear()
        assert (row(office, number).ended_at is not None) == ended
    assert office.slack.said == []


async def test_a_farewell_that_slack_refuses_is_not_said_again(office: Office) -> None:
    number = await made(office)
    office.write(lambda c: c.execute(table.update().values(tries=stored.MOST_TRIES)))
    office.slack.fail("post", NotInChannel())
    await begun(office, number, None)
    assert row(office, number).ended_at is not None


async def test_a_database_that_is_away_leaves_the_row_and_any_other_fault_of_it_is_ours(office: Office) -> None:
    number = await made(office)
    locked = OperationalError("", {}, Exception("database is locked"))
    await begun(office, number, locked)
    assert row(office, number).ended_at is None
    with pytest.raises(IntegrityError):
        await begun(office, number, IntegrityError("", {}, Exception("x")))


async def test_what_another_process_took_over_is_left_to_it(office: Office) -> None:
    number = await made(office)
    await begun(office, number, TakenOverError())
    assert row(office, number).ended_at is None


def held(office: Office, number: int) -> Hold:
    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0"))
    taken = office.write(stored.take, office.workspace.id, number)
    assert taken is not None
    return Hold(office.services, taken)


async def test_each_message_is_sent_once_and_what_belongs_to_it_is_written_with_it(office: Office) -> None:
    hold, sent, written = held(office, await made(office)), list[str](), list[object]()

    def sending(word: str) -> Callable[[], Awaitable[None]]:
        async def send() -> None:
            sent.append(word)

        return send

    await hold.tell(0, sending("first"), written.append)
    await hold.tell(0, sending("again"), written.append)
    await hold.note(1, written.append)
    await hold.note(1, written.append)
    await hold.tell(2, sending("second"))
    assert (sent, len(written), hold.told) == (["first", "second"], 2, 3)
    again = held(office, hold.intent.id)
    assert again.told == 3


async def test_who_was_overtaken_says_and_writes_nothing(office: Office) -> None:
    hold = held(office, await made(office))
    held(office, hold.intent.id)
    with pytest.raises(TakenOverError):
        await hold.still_ours()
    with pytest.raises(TakenOverError):
        await hold.note(0, lambda _connection: None)


async def test_secrets_are_sealed_and_those_that_no_key_opens_are_none(office: Office) -> None:
    number = await made(office, secrets={"url": "u"})
    assert "url" not in row(office, number).sealed
    assert held(office, number).secrets() == {"url": "u"}
    assert held(office, await made(office)).secrets() == {}
    office.policy(sealing_keys=(new_key(),))
    assert held(office, number).secrets() == {}


async def test_the_process_ends_after_a_step(office: Office) -> None:
    hold = held(office, await made(office))
    assert not hold.stopping
    office.services.stopping.set()
    assert hold.stopping


async def test_the_same_name_is_the_same_row(office: Office) -> None:
    assert await made(office, name="step:1") == await made(office, name="step:1")
    assert await made(office, name="step:2") != await made(office, name="step:1")


# ---- What was kept of a request ---------------------------------------------------------------------------------


def asked(office: Office) -> Intent:
    taken = office.write(stored.keep_taken, office.workspace.id, Kind.ASKED, {"by": ANA}, "", "asked:1")
    assert taken is not None
    return taken


async def test_what_was_asked_is_passed_on_in_the_same_transaction(office: Office) -> None:
    first = asked(office)
    await made(office, asked=first)
    assert row(office, first.id).told == kept.PASSED_ON
    office.write(lambda c: c.execute(table.update().where(table.c.id == first.id).values(token=9)))
    with pytest.raises(TakenOverError):
        await made(office, asked=first)
    assert len(office.read(lambda c: c.execute(table.select().where(table.c.kind == Kind.LOG)).all())) == 1


async def test_a_deed_is_done_once_whoever_answers(office: Office) -> None:
    first = asked(office)
    assert office.write(kept.is_first, None)
    assert not kept.was_done(None)
    assert not kept.was_done(first)
    assert office.write(kept.is_first, first)
    again = office.read(stored.of, office.workspace.id, first.id)
    assert again is not None
    assert kept.was_done(again)
    assert not office.write(kept.is_first, again)
    office.write(lambda c: c.execute(table.update().values(token=9)))
    for work in (kept.is_first, kept.pass_on):
        with pytest.raises(TakenOverError):
            office.write(work, first)
    office.write(kept.pass_on, None)


# ---- Farewells --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload", "said"),
    [
        (Kind.CANCEL, {"campaign": 1}, "gave up cancelling Spring &amp; lapsed"),
        (Kind.CANCEL, {"campaign": 99}, "gave up cancelling a campaign"),
        (Kind.CANCEL, {"campaign": 0}, "gave up cancelling a piece"),
        (Kind.DELETE, {"campaign": 1}, "gave up deleting Spring &amp; lapsed"),
        (Kind.REQUEST, {"campaign": 1}, "could not post your request"),
        (Kind.ASKED, {"campaign": 1}, "could not answer what you pressed"),
        (Kind.ERASE, {"ref": "1001"}, "Who piece 1001 went to"),
        (Kind.ERASE, {"ref": "1001", "number": 3}, "Who 3 pieces went to"),
        (Kind.LOG, {"campaign": 1}, "the audit log as a file"),
        (Kind.EXPORT, {"campaign": 1}, "the pieces of Spring &amp; lapsed as a file"),
    ],
)
async def test_who_asked_reads_what_was_given_up_and_what_to_do(
    office: Office, kind: Kind, payload: dict[str, Any], said: str
) -> None:
    await office.campaign(Status.RECEIVED, name="Spring & lapsed")
    number = await made(office, kind, {"by": ANA, **payload})
    intent = office.read(stored.of, office.workspace.id, number)
    assert intent is not None
    await farewells.say(office.services, intent, {}, "Why not.")
    assert (office.slack.last.way, office.slack.last.place) == ("post", ANA)
    assert said in office.slack.last.text
    assert ("Why not." in office.slack.last.text) == (kind is not Kind.ERASE)
    office.write(farewells.record_audit, intent, office.clock.now())
    assert [act for act, _, _ in office.log()] == ([Act.STOPPED] if kind in (Kind.CANCEL, Kind.DELETE) else [])


async def test_a_single_piece_is_named(office: Office) -> None:
    await office.campaign(Status.RECEIVED)
    number = await made(office, Kind.CANCEL, {"by": ANA, "campaign": 0}, piece_ids=[office.piece().id])
    intent = office.read(stored.of, office.workspace.id, number)
    assert intent is not None
    await farewells.say(office.services, intent, {}, "")
    assert "cancelling piece 1001" in office.slack.last.text


@pytest.mark.parametrize(("secrets", "token"), [({"token": "x"}, "x"), ({"token": ""}, None), ({}, None)])
async def test_a_workflow_is_told_by_its_own_token(office: Office, secrets: dict[str, str], token: str | None) -> None:
    number = await made(office, Kind.STEP, {"execution": "Fx1", "step": "x"})
    intent = office.read(stored.of, office.workspace.id, number)
    assert intent is not None
    await farewells.say(office.services, intent, secrets, "")
    assert office.slack.steps == [("Fx1", token, farewells.STEP_BROKE)]
