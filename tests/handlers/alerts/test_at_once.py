"""On PostgreSQL, two people change the same channel's alerts at the same moment."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from handlers.alerts import actions
from storage import channel_settings, outbox, workspaces
from storage.database import Database, open_database
from tests.handlers.alerts.test_commands import say, told
from tests.handlers.alerts.test_remembered import WANTS, chose, on, spring_and_fall
from tests.handlers.alerts.test_unwidened import OTHER, undo_button
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
