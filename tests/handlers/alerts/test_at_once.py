"""On PostgreSQL, two people change the same channel's alerts at the same moment."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from handlers.alerts import actions
from handlers.alerts import view as alerts_view
from handlers.alerts.switching import ChangedMeanwhile
from handlers.alerts.table import TABLE
from handlers.context.table import Field, Filled
from handlers.errors import SlackDown
from handlers.text.buttons import Form, News
from handlers.text.codec import write
from storage import channel_settings, outbox, workspaces
from storage.database import Database, open_database
from storage.records import NO_CAMPAIGN, ChannelSettings, NotifyOn
from tests.handlers.alerts.test_commands import say, settings, told
from tests.handlers.alerts.test_remembered import WANTS, chose, on, spring_and_fall
from tests.handlers.alerts.test_unwidened import OTHER, as_shown, undo_button
from tests.handlers.conftest import ANA, BEN, OPS, Office

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"


@pytest.fixture
def file(postgres_url: str) -> Iterator[Database]:
    """In the place of the file of `office`."""
    opened = open_database(postgres_url)
    yield opened
    opened.close()


def in_turn(
    office: Office,
    first: Callable[[Connection], object],
    other: Callable[[], object],
    then: Callable[[Connection], object] = lambda _: None,
) -> None:
    """Ben does what is `first`, `other` has to wait for that, and what he does `then` is done in the same transaction."""
    with ThreadPoolExecutor(1) as thread:

        def both(connection: Connection) -> Future[object]:
            first(connection)
            begun = thread.submit(other)
            while not office.read(lambda c: c.exec_driver_sql(WAITING).scalar()):
                assert not begun.done(), "it did not wait for Ben"
            then(connection)
            return begun

        office.write(both).result()


def pressing(office: Office, value: str) -> Callable[[], None]:
    return lambda: asyncio.run(actions.undo(office.services, office.request(user=ANA), value))


async def test_undo_leaves_what_somebody_chooses_at_the_same_moment(office: Office) -> None:
    spring, fall = await spring_and_fall(office)
    chose(office, spring, fall)
    await say(office, "off")
    value, now = undo_button(office), office.clock.now()

    def choose(connection: Connection) -> None:
        workspaces.subscribe(connection, office.workspace.id, OPS, spring, OTHER, BEN, now)

    await asyncio.to_thread(in_turn, office, choose, pressing(office, value))
    assert on(office) == {spring: OTHER, fall: WANTS}
    assert "again for *Fall catalog*, as they were" in office.slack.last.text


async def test_undo_leaves_a_mute_that_somebody_chooses_at_the_same_moment(office: Office) -> None:
    await say(office, "on")
    await say(office, "mute 2h")
    value, until = undo_button(office), office.clock.now() + timedelta(days=3)

    def mute(connection: Connection) -> None:
        outbox.mute(connection, office.workspace.id, OPS, until)

    await asyncio.to_thread(in_turn, office, mute, pressing(office, value))
    assert told(office)[0].muted_until == until
    assert "Somebody changed the mute since" in office.slack.last.text


async def test_who_turns_on_and_who_turns_off_at_the_same_moment_take_turns(office: Office) -> None:
    spring, _ = await spring_and_fall(office)
    chose(office, spring)
    key, now, tries = office.workspace.id, office.clock.now(), list[str]()

    def turn_on(connection: Connection) -> None:
        tries.append("on")
        workspaces.subscribe(connection, key, OPS, spring, OTHER, BEN, now)

    def turn_off(connection: Connection) -> None:
        tries.append("off")
        workspaces.unsubscribe(connection, key, OPS)

    in_turn(office, lambda c: channel_settings.lock(c, key, OPS), lambda: office.write(turn_off), turn_on)
    assert on(office) == {}
    assert tries == ["off", "on"], "neither was in the other's way, and had to begin again"


def saving(office: Office, form: Filled) -> Callable[[], None]:
    async def save() -> None:
        await TABLE.forms[Form.ALERTS].handler(office.services, office.request(user=ANA, response_url=""), form)

    return lambda: asyncio.run(save())


@pytest.mark.parametrize("what", ["other news", "unticked", "as it was", "new"])
async def test_settings_saved_while_somebody_changes_the_channel_are_refused_and_nobody_reads_that_they_were_saved(
    office: Office, what: str
) -> None:
    spring, fall = await spring_and_fall(office)
    if what != "new":
        chose(office, spring, fall)
    if what == "as it was":
        await say(office, "off")
    await say(office, "")
    instead = {"wants": Field(several=(write(News(NotifyOn.DELIVERED)),))} if what != "as it was" else {}
    if what == "unticked":
        instead["keep"] = Field()
    form = as_shown(office.slack.last.shown, **instead)
    key, now, before = office.workspace.id, office.clock.now(), len(office.slack.said)

    def change(connection: Connection) -> None:
        if what in ("as it was", "new"):
            workspaces.subscribe(connection, key, OPS, spring, OTHER, BEN, now)
        else:
            workspaces.unsubscribe(connection, key, OPS)

    log = office.log()
    with pytest.raises(ChangedMeanwhile):
        await asyncio.to_thread(in_turn, office, change, saving(office, form))
    assert on(office) == ({spring: OTHER} if what in ("as it was", "new") else {})
    assert office.log() == log
    said = office.slack.said[before:]
    assert [one.way for one in said] == ([] if what == "unticked" else ["post", "edit"])
    if said:
        assert said[1].place == f"{OPS},{said[0].ts}"
        assert f"I didn't save <@{ANA}>'s alert settings" in said[1].text


async def test_a_correction_that_slack_does_not_take_hides_no_refusal(office: Office) -> None:
    chose(office)
    await say(office, "")
    form = as_shown(office.slack.last.shown, wants=Field(several=(write(News(NotifyOn.DELIVERED)),)))
    office.slack.fail("edit", SlackDown())

    def turn_off(connection: Connection) -> None:
        workspaces.unsubscribe(connection, office.workspace.id, OPS)

    with pytest.raises(ChangedMeanwhile):
        await asyncio.to_thread(in_turn, office, turn_off, saving(office, form))


@pytest.mark.parametrize("remembered", [False, True])
async def test_of_two_who_turn_alerts_on_at_the_same_moment_one_has_done_it(office: Office, remembered: bool) -> None:
    if remembered:
        chose(office)
        await say(office, "off")
    wants = WANTS if remembered else frozenset(alerts_view.DEFAULT_WANTS)
    usual = ChannelSettings("America/Chicago", alerts_view.DEFAULT_DIGEST, None, alerts_view.DEFAULT_ALARM)
    key, now, log = office.workspace.id, office.clock.now(), office.log()

    def turn_on(connection: Connection) -> None:
        workspaces.subscribe(connection, key, OPS, NO_CAMPAIGN, wants, BEN, now)
        if not remembered:
            channel_settings.keep(connection, key, OPS, usual)

    await asyncio.to_thread(in_turn, office, turn_on, lambda: asyncio.run(say(office, "on", user=ANA)))
    assert on(office) == {NO_CAMPAIGN: wants}
    assert remembered or settings(office) == usual, "Ana's usual hours are Ben's"
    assert office.log() == log, "Ben's line alone says so"
