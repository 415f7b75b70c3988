"""The sender, where the database is away, another process holds a channel, or much waits: whose turn it is, what is
told again and what is not, and what becomes of what cannot be written down."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from handlers.alerts import delivery, facts, holding
from handlers.alerts.delivery import AFTER_AN_OUTAGE, RENEW, STATEMENT_PATIENCE, SURE, OutboxSender
from handlers.errors import MessageGone, NotInChannel, SlackRefused
from storage import outbox, workspaces
from storage.outbox import Item, NewsBatch, Settlement
from storage.records import NO_CAMPAIGN, ChannelId, NotifyOn, PieceId
from storage.schema.tables import outbox as table
from storage.statuses import Status
from tests.fakes import FakeTenants
from tests.handlers.alerts.test_delivery import BATCH, WANTS, news, rested, rows, serve
from tests.handlers.conftest import ANA, OPS, Office

RETURNED = Status.RETURNED
SALES = ChannelId("C0SALES")


class Refused(Exception):
    """PostgreSQL's answer to a statement that does not fit its schema."""

    sqlstate = "42P01"


AWAY = OperationalError("UPDATE", {}, Exception("the server closed the connection"))
NO_TABLE = ProgrammingError("UPDATE", {}, Refused())
POISON = IntegrityError("UPDATE", {}, Exception("a value that no column holds"))


@dataclass
class Uptime:
    now: float

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def uptime(monkeypatch: pytest.MonkeyPatch) -> Uptime:
    """The clock that goes on while a machine sleeps."""
    made = Uptime(delivery._uptime())
    monkeypatch.setattr(delivery, "_uptime", made)
    return made


@pytest.fixture
def slept(office: Office, uptime: Uptime, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made; time passes in them."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        uptime.now += seconds

    monkeypatch.setattr(office.clock, "sleep", sleep)
    return pauses


def breaking(
    monkeypatch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    error: Exception,
    times: int = 10**6,
    when: Callable[..., bool] = lambda *_: True,
) -> list[int]:
    """The next so many calls of this break, of those of which `when` says so; gives how often it was called."""
    real, calls = getattr(where, name), [0, 0]

    def broken(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if when(*args) and calls[1] < times:
            calls[1] += 1
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(where, name, broken)
    return calls


def a_sender(office: Office) -> OutboxSender:
    return OutboxSender(office.services, FakeTenants(office.services))


async def in_two_channels(office: Office) -> None:
    """A return that two channels are to be told of."""
    long_ago = office.clock.now() - timedelta(days=8)
    office.write(workspaces.subscribe, office.workspace.id, SALES, NO_CAMPAIGN, WANTS, ANA, long_ago)
    await news(office, RETURNED)


def ended(office: Office) -> dict[str, tuple[bool, str]]:
    """By channel: whether its row was told, and the refusal."""
    found = office.read(lambda c: c.execute(select(table)).all())
    return {one.channel: (bool(one.message_ts), one.refusal) for one in found}


# ---- Whose turn it is -------------------------------------------------------------------------------------------


async def test_while_the_database_is_away_nothing_is_claimed_and_some_seconds_later_all_is(
    office: Office, uptime: Uptime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await news(office, RETURNED)
    sender = a_sender(office)
    for name in ("is_due", "claim"):
        with monkeypatch.context() as broken:
            breaking(broken, outbox, name, AWAY)
            assert await sender._begin_due() == 0
        uptime.now += AFTER_AN_OUTAGE - 0.5
        assert await sender._begin_due() == 0, "what was told before the outage is written down first"
        uptime.now += 0.5
    assert await sender._begin_due() == 1


async def test_what_is_no_outage_is_a_fault_and_said_to_be_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await news(office, RETURNED)
    breaking(monkeypatch, outbox, "claim", POISON)
    with pytest.raises(IntegrityError):
        await a_sender(office)._begin_due()


def flying(sender: OutboxSender, batch: NewsBatch) -> None:
    """A message of this batch is under way, and does not end."""
    sender.flying[asyncio.create_task(asyncio.sleep(3600))] = batch


@pytest.mark.parametrize(("room", "each", "begun"), [(1, 9, 0), (2, 9, 1), (3, 9, 2), (9, 1, 0), (9, 2, 2)])
async def test_so_many_channels_are_written_to_at_once_in_all_and_of_a_workspace(
    office: Office, monkeypatch: pytest.MonkeyPatch, room: int, each: int, begun: int
) -> None:
    await in_two_channels(office)
    monkeypatch.setattr(delivery, "AT_ONCE", room)
    monkeypatch.setattr(delivery, "AT_ONCE_EACH", each)
    sender = a_sender(office)
    flying(sender, replace(BATCH, workspace_id=office.workspace.id, channel=ChannelId("C0BUSY")))
    assert await sender._begin_due() == begun


async def test_a_channel_that_is_being_written_to_is_not_begun_a_second_time(office: Office) -> None:
    await in_two_channels(office)
    sender = a_sender(office)
    flying(sender, replace(BATCH, workspace_id=office.workspace.id))
    assert await sender._begin_due() == 1
    assert [batch.channel for batch in sender.flying.values()] == [OPS, SALES]


async def test_one_channel_whose_facts_break_costs_no_other_its_news(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_two_channels(office)
    breaking(
        monkeypatch, delivery, "gather", ValueError(), when=lambda _, batches: SALES in [one.channel for one in batches]
    )
    await serve(office, 3)
    assert ended(office) == {OPS: (True, ""), SALES: (False, "")}


async def test_facts_that_cannot_be_read_just_now_are_read_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await news(office, RETURNED)
    breaking(monkeypatch, delivery, "gather", AWAY, 2 * (delivery.ENOUGH + 1))
    sender = await serve(office, delivery.ENOUGH + 1)
    assert rows(office) == [("RETURNED", False, "")]
    assert sender.failing == {}, "an outage says nothing of the message"
    await serve(office, 2, sender)
    assert rows(office) == [("RETURNED", True, "")]


@pytest.mark.parametrize(("sizes", "groups"), [([2, 3], [2]), ([2, 4], [1, 1]), ([9, 1, 4], [1, 2]), ([], [])])
def test_the_facts_of_so_many_rows_are_read_at_once_and_of_one_batch_always_together(
    sizes: list[int], groups: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "HANDFUL", 5)
    batches = [replace(BATCH, items=(Item(1, PieceId(1), RETURNED),) * size) for size in sizes]
    assert [len(one) for one in facts.handfuls(batches)] == groups


# ---- A lease that ends ------------------------------------------------------------------------------------------


async def held(office: Office, sender: OutboxSender, uptime: Uptime) -> NewsBatch:
    """This process's channel, surely its own for a second more."""
    taken = office.write(outbox.hold, office.workspace.id, OPS)
    assert taken is not None
    batch = replace(BATCH, workspace_id=office.workspace.id, token=taken.token)
    sender.sure[office.workspace.id, OPS] = uptime.now + 1
    return batch


async def test_a_lease_is_asked_for_again_only_where_a_message_might_outlast_it(
    office: Office, uptime: Uptime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await news(office, RETURNED)
    sender = a_sender(office)
    batch = await held(office, sender, uptime)
    asked = breaking(monkeypatch, outbox, "renew", AWAY, 0)
    uptime.now += 0.9
    await sender.require_lease(batch)
    assert asked[0] == 0
    uptime.now += 0.1
    await sender.require_lease(batch)
    assert (asked[0], sender.sure[office.workspace.id, OPS]) == (1, uptime.now + SURE)
    uptime.now += SURE
    office.write(lambda c: c.exec_driver_sql("UPDATE channels SET token = token + 1"))
    with pytest.raises(delivery.LeaseLost):
        await sender.require_lease(batch)
    assert sender.sure == {}, "it is another's now"


async def test_whoever_claims_a_channel_is_sure_of_it_from_before_it_asked(office: Office, uptime: Uptime) -> None:
    await news(office, RETURNED)
    sender = a_sender(office)
    assert await sender._begin_due() == 1
    assert sender.sure == {(office.workspace.id, OPS): uptime.now + SURE}
    while sender.flying:
        await next(iter(sender.flying))
    assert sender.sure == {}


async def test_what_is_under_way_for_long_is_held_on_to(
    office: Office, uptime: Uptime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await news(office, RETURNED)
    sender = a_sender(office)
    sender.renewed = uptime.now
    batch = await held(office, sender, uptime)
    asked = breaking(monkeypatch, outbox, "renew", AWAY, 1)
    uptime.now += RENEW
    await sender._renew_due()
    assert asked[0] == 0, "nothing is under way"
    flying(sender, batch)
    sender.renewed = uptime.now
    uptime.now += RENEW - 0.1
    await sender._renew_due()
    assert asked[0] == 0, "it was a moment ago"
    uptime.now += 0.1
    await sender._renew_due()
    assert asked[0] == 1, "an outage of the database ends nothing"
    uptime.now += RENEW
    await sender._renew_due()
    assert sender.sure[office.workspace.id, OPS] == uptime.now + SURE
    uptime.now += RENEW
    breaking(monkeypatch, outbox, "renew", POISON)
    with pytest.raises(IntegrityError):
        await sender._renew_due()


async def test_a_channel_that_another_took_over_is_neither_told_nor_blocked_here(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await news(office, RETURNED)
    monkeypatch.setattr(outbox, "block", lambda *_: False)
    office.slack.fail("post", NotInChannel())
    sender = await serve(office, 1)
    assert (rows(office), sender.failing) == ([("RETURNED", False, "")], {})


async def test_what_slack_refuses_for_the_whole_channel_is_written_down_though_the_database_was_away(
    office: Office, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await news(office, RETURNED)
    breaking(monkeypatch, outbox, "block", AWAY, 2)
    office.slack.fail("post", NotInChannel())
    await serve(office, 1)
    assert slept == [0.5, 1.0]
    assert rows(office) == [("RETURNED", False, str(NotInChannel()))]


# ---- What cannot be written down --------------------------------------------------------------------------------


async def claimed(office: Office) -> list[NewsBatch]:
    rested(office)
    found = office.write(outbox.claim, timedelta(seconds=-10), 50)
    return sorted(found, key=lambda one: one.channel)


def told(batch: NewsBatch) -> Settlement:
    return Settlement(batch, timedelta(0), tuple((item, "1.0") for item in batch.items))


async def test_what_was_told_is_written_down_however_long_the_database_is_away(
    office: Office, uptime: Uptime, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await news(office, RETURNED)
    (batch,) = await claimed(office)
    breaking(monkeypatch, outbox, "settle", AWAY, 60)
    sender = a_sender(office)
    await sender._end(told(batch))
    assert slept[:5] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert (len(slept), max(slept)) == (60, 3.0)
    assert sender.away_until == pytest.approx(uptime.now - slept[-1] + AFTER_AN_OUTAGE)
    assert rows(office) == [("RETURNED", True, "")]


def is_of(channel: ChannelId, *, bare: bool = True) -> Callable[..., bool]:
    """Whether what is to be recorded is of this channel; not `bare`: and tells that something was told."""
    return lambda _, ends: any(one.batch.channel == channel and (bare or one.told) for one in ends)


async def test_of_what_is_written_down_together_only_that_is_lost_which_the_database_refuses(
    office: Office, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_two_channels(office)
    ops, sales = await claimed(office)
    breaking(monkeypatch, outbox, "settle", POISON, when=is_of(SALES, bare=False))
    sender = a_sender(office)
    await asyncio.gather(sender._end(told(ops)), sender._end(told(sales)))
    assert ended(office)[OPS] == (True, "")
    was_told, why = ended(office)[SALES]
    assert not was_told
    assert why.startswith("This may have been told, but what became of it could not be written down (reference ")
    assert (slept, sender.stuck) == ([], set())


async def test_a_statement_that_is_refused_is_repeated_for_a_minute_once_for_all_that_waits(
    office: Office, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_two_channels(office)
    ops, sales = await claimed(office)
    breaking(monkeypatch, outbox, "settle", NO_TABLE, when=is_of(SALES, bare=False))
    sender = a_sender(office)
    await asyncio.gather(sender._end(told(ops)), sender._end(told(sales)))
    assert STATEMENT_PATIENCE <= sum(slept) < STATEMENT_PATIENCE + 4
    assert [was_told for was_told, _ in ended(office).values()] == [True, False]


async def test_a_channel_of_which_nothing_can_be_written_down_is_left_alone(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await in_two_channels(office)
    _, sales = await claimed(office)
    breaking(monkeypatch, outbox, "settle", POISON, when=is_of(SALES))
    sender = a_sender(office)
    await sender._end(told(sales))
    assert sender.stuck == {(office.workspace.id, SALES)}
    await serve(office, 3, sender)
    assert ended(office) == {OPS: (True, ""), SALES: (False, "")}
    assert [one.place for one in office.slack.of("post")] == [OPS, OPS], "what is told there would be told for ever"


@pytest.mark.parametrize(("error", "goes_on"), [(AWAY, True), (NO_TABLE, False), (POISON, False)])
async def test_what_a_digest_told_is_written_down_as_soon_as_the_database_is_back(
    office: Office, slept: list[float], monkeypatch: pytest.MonkeyPatch, error: Exception, goes_on: bool
) -> None:
    breaking(monkeypatch, outbox, "mute", error, 5)
    work = holding.record(office.services, lambda c: outbox.mute(c, office.workspace.id, OPS, None))
    if goes_on:
        await work
        assert slept == [0.5, 1.0, 2.0, 3.0, 3.0]
    else:
        with pytest.raises(type(error)):
            await work
        assert slept == []


@pytest.mark.parametrize(("busy", "is_held"), [(0, True), (holding.TRIES, True), (holding.TRIES + 1, False)])
async def test_who_wants_to_write_into_a_channel_waits_for_one_message_of_another(
    office: Office, monkeypatch: pytest.MonkeyPatch, busy: int, is_held: bool
) -> None:
    monkeypatch.setattr(holding, "BREATH", 0.0)
    await news(office, RETURNED)
    real, asked = outbox.hold, [0]

    def hold(*args: Any) -> Any:
        asked[0] += 1
        return real(*args) if asked[0] > busy else None

    monkeypatch.setattr(outbox, "hold", hold)
    given = breaking(monkeypatch, outbox, "release", AWAY, 0)
    async with holding.holding(office.services, office.workspace.id, OPS) as found:
        assert (found is not None) == is_held
    assert (asked[0], given[0]) == (busy + is_held, int(is_held))


async def test_a_message_that_slack_refuses_ends_although_more_news_joins_it_meanwhile(office: Office) -> None:
    await news(office, RETURNED, Status.RECEIVED)
    sender = await serve(office, 1)
    office.slack.fail("post", *[SlackRefused("what?", code="odd")] * delivery.ENOUGH)
    await serve(office, delivery.ENOUGH - 1, sender)
    await office.campaign(RETURNED, RETURNED)
    await serve(office, 1, sender)
    assert rows(office) == [("RETURNED", False, "what?")] * 2
    assert len(office.slack.of("post")) == 1


# ---- The card, with news ----------------------------------------------------------------------------------------


async def one_more(office: Office, seconds: float = 61) -> str:
    """A card and a return in its thread; some time later there is another return. Gives the card's message."""
    await news(office, RETURNED, Status.RECEIVED)
    await serve(office, 2)
    office.clock.pass_time(seconds=seconds)
    await office.campaign(RETURNED, RETURNED)
    return office.slack.of("post")[0].ts


async def test_a_card_that_is_gone_is_posted_anew_and_the_news_comes_into_its_thread(office: Office) -> None:
    await one_more(office)
    office.slack.fail("edit", MessageGone())
    await serve(office, 1)
    assert len(office.slack.of("post")) == 3, "one message at most a turn"
    await serve(office, 1)
    card, told_of = office.slack.of("post")[2:]
    assert (card.thread, told_of.thread) == (None, card.ts)


async def test_a_card_that_slack_does_not_take_holds_up_no_news(office: Office) -> None:
    first = await one_more(office)
    office.slack.fail("edit", SlackRefused(code="odd"))
    await serve(office, 1)
    assert office.slack.of("post")[-1].thread == first
    await serve(office, 2)
    assert office.slack.of("edit") == [], "and is tried again when it is no longer young"


@pytest.mark.parametrize(("seconds", "edited"), [(61, 1), (60, 1), (59, 0), (-59, 0), (-61, 1)])
async def test_a_card_is_edited_at_most_once_a_minute_whatever_the_clock_was_set_to(
    office: Office, seconds: float, edited: int
) -> None:
    await one_more(office, seconds)
    await serve(office, 1)
    assert len(office.slack.of("edit")) == edited


async def test_what_was_only_a_card_is_told_by_it_alone_and_what_a_campaign_chose_goes_before_what_all_did(
    office: Office,
) -> None:
    campaign = await office.campaign(Status.RECEIVED, Status.RECEIVED)
    long_ago = office.clock.now() - timedelta(days=8)
    office.write(workspaces.subscribe, office.workspace.id, OPS, NO_CAMPAIGN, WANTS, ANA, long_ago)
    own = frozenset({NotifyOn.DELIVERED})
    office.write(workspaces.subscribe, office.workspace.id, OPS, campaign.id, own, ANA, long_ago)
    await office.campaign(RETURNED, Status.DELIVERED)
    office.policy(settle=timedelta(seconds=-10), pace=timedelta(0))
    await serve(office, 4)
    _, told_of = office.slack.of("post")
    assert "delivered" in told_of.text
    assert "came back" not in told_of.text
