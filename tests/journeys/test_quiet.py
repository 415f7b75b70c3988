"""Digests, alarms, the living card and quiet hours: what a channel reads of a whole campaign, and how little that is."""

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from bot.sandbox.slack import Fault, Posted
from bot.sandbox.stannp import MailCampaign, Mailpiece
from bot.sandbox.world import World
from bot.tenants import Sole
from handlers.alerts import cards, delivery, digests
from handlers.alerts.state import zone_of
from handlers.context.services import Services
from handlers.ingest import counting
from handlers.ingest import poll as polling
from handlers.text.buttons import Limit
from handlers.text.codec import write
from storage import channel_settings, details, outbox, workspaces
from storage.records import Batch, Campaign, CampaignStage, Change, ChannelId, ChannelSettings, Piece, Source
from storage.statuses import Status
from tests.fakes import FakeClock
from tests.journeys.conftest import ANA, OPS, SALES, Stage, everything, is_news
from tests.rudeness import NAMELESS, PENNILESS

WORDS = {
    "received": Status.RECEIVED, "printing": Status.PRODUCING, "handed_over": Status.HANDED_OVER,
    "in_transit": Status.IN_TRANSIT, "local_delivery": Status.LOCAL_DELIVERY, "delivered": Status.DELIVERED,
    "returned": Status.RETURNED,
}  # fmt: skip


def by_the_clock(stage: Stage, clock: FakeClock) -> Services:
    """The bot's services with a clock of our own, which begins now."""
    clock.moment = datetime.now(UTC)
    return replace(stage.app.services, clock=clock)


def in_channel(stage: Stage, channel: str = OPS) -> list[Posted]:
    return [m for m in stage.slack.messages if m.channel == channel and m.thread_ts is None and m.only_for is None]


async def save_alerts(stage: Stage, channel: str, wants: list[str], digest: int | None = None) -> None:
    """Opens the settings of a channel, chooses these, and saves."""
    assert (await stage.slack.command(ANA, channel, "/mailalerts")).ok
    form = await stage.modal(holding="Mail alerts")
    values = {
        "campaign": {"campaign": {"selected_option": {"value": "0"}}},
        "wants": {"wants": {"selected_options": [{"value": want} for want in wants]}},
        "digest": {"digest": {"selected_option": {"value": write(Limit(digest))}}},
    }
    assert (await stage.slack.submit(ANA, form, values)).ok


def at_hour(clock: FakeClock, hour: int, days: int) -> None:
    """So many days from now, at this hour in Chicago, where everybody here lives."""
    morning = (datetime.now(UTC) + timedelta(days=days)).replace(hour=hour, minute=5)
    clock.moment = morning + timedelta(hours=6)


async def test_a_digest_comes_once_a_day_and_only_with_news(stage: Stage, clock: FakeClock) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    await stage.say("/mailalerts", "on")
    at_hour(clock, 9, 1)
    before = len(in_channel(stage))
    await digests.watch(services, key)
    assert len(in_channel(stage)) == before, "what was there before is no news"
    for piece in stage.stannp.pieces_of(222)[:5]:
        piece.move("delivered", stage.world.now)
    stage.stannp.pieces_of(222)[6].move("returned", stage.world.now)
    await stage.poll()
    await stage.until(lambda: any(is_news(m) for m in stage.slack.messages))
    before = len(in_channel(stage))
    for hour, days in ((6, 2), (9, 2), (10, 2), (9, 3)):
        at_hour(clock, hour, days)
        await digests.watch(services, key)
    told = in_channel(stage)[before:]
    assert len(told) == 1
    assert "1 came back" in told[0].text
    assert "*5* delivered" in everything(told[0])


async def test_the_weekly_report_brings_the_pie_and_its_words(stage: Stage, clock: FakeClock) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    # No time passes while one sleeps on a clock of our own.
    stage.slack.paced, stage.slack.file_delay = False, 0
    await save_alerts(stage, OPS, ["weekly"], digest=8)
    await stage.until(lambda: any("switched mail alerts on" in m.text for m in stage.slack.messages))
    await stage.say("/mailalerts", "list")
    before = len(in_channel(stage))
    for days in range(1, 8):
        at_hour(clock, 9, days)
        await digests.watch(services, key)
    told = [m for m in in_channel(stage)[before:] if "Weekly report" in m.text]
    assert len(told) == 1
    assert "17 pieces" in told[0].text
    assert [block["type"] for block in told[0].blocks].count("image") == 1
    thread = [m for m in stage.slack.messages if m.thread_ts == told[0].ts]
    assert ["Delivery of Spring lapsed" in m.text and "mailed pieces are delivered" in m.text for m in thread] == [True]
    assert [block["type"] for block in thread[0].blocks].count("image") == 1


@pytest.mark.calm(*PENNILESS)
async def test_a_balance_that_does_not_cover_the_next_drop_is_told_once_per_crossing(
    stage: Stage, clock: FakeClock
) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    stage.slack.paced = False
    await stage.say("/mailalerts", "on")
    day = f"{datetime.now(UTC) + timedelta(days=40):%Y-%m-%d}"
    stage.stannp.campaigns[400] = MailCampaign(400, "Winter drop", "booked", stage.world.now, day, price=Decimal(300))
    told = []
    for days, balance in ((1, 214), (2, 214), (3, 214), (4, 900), (5, 900), (6, 100)):
        stage.stannp.balance = Decimal(balance)
        await stage.poll()
        at_hour(clock, 9, days)
        before = len(in_channel(stage))
        await digests.watch(services, key)
        told.append(sum("short" in m.text and "Winter drop" in m.text for m in in_channel(stage)[before:]))
    assert told == [0, 1, 0, 0, 0, 1]
    await stage.slack.open_home(ANA)
    await stage.until(lambda: "$100.00 is short $200.00" in str(stage.slack.homes.get(ANA)))


def give_back(stage: Stage, key: int, name: str) -> None:
    """A campaign of which a tenth came back."""
    stage.world.add_campaign(key, name, stage.world.now, 60, leaves=timedelta(days=90))
    for index, piece in enumerate(stage.stannp.pieces_of(key)):
        piece.move("handed_over", stage.world.now)
        piece.move("returned" if index < 6 else "delivered", stage.world.now)


async def test_too_many_returns_raise_one_alarm_and_none_for_the_past(stage: Stage, clock: FakeClock) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    stage.slack.paced = False
    give_back(stage, 300, "Long ago")
    await stage.poll()
    await stage.say("/mailalerts", "on")
    before = len(in_channel(stage))
    await digests.watch(services, key)
    assert [m.text for m in in_channel(stage)[before:]] == [], "what was there before is no news"
    for number, name in ((301, "Old addresses"), (302, "Older addresses")):
        give_back(stage, number, name)
    # Without a campaign's report each poll finds out of a hundred pieces where they belong.
    for _ in range(2):
        await stage.poll()
    for _ in range(3):
        clock.pass_time(minutes=1)
        await digests.watch(services, key)
    told = [m.text for m in in_channel(stage)[before:] if "asked to hear about" in m.text]
    assert len(told) == 1
    assert told[0].count("6 of 60 mailed came back (10%)") == 2
    assert "Long ago" not in told[0]


@pytest.mark.parametrize("stage", [{"piecewise_card_seconds": 3600}], indirect=True)
async def test_a_card_is_edited_at_most_once_in_its_time_and_catches_up(stage: Stage, clock: FakeClock) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    await stage.say("/mailalerts", "on")
    pieces = stage.stannp.pieces_of(222)
    pieces[0].move("delivered", stage.world.now)
    await stage.poll()
    card = await stage.until(lambda: next((m for m in in_channel(stage) if "8% delivered" in m.text), None))
    for piece in pieces[1:4]:
        piece.move("delivered", stage.world.now)
        await stage.poll()
    await stage.until(lambda: not _unsent(stage))
    assert card.edits == 0
    await cards.refresh(services, key)
    assert card.edits == 0
    clock.pass_time(hours=2)
    await cards.refresh(services, key)
    assert card.edits == 1
    assert "33% delivered" in card.text
    await cards.refresh(services, key)
    assert card.edits == 1


def _unsent(stage: Stage) -> bool:
    return stage.app.services.memory.database.read(outbox.is_due, timedelta(0))


@pytest.mark.parametrize("stage", [{"piecewise_card_seconds": 3600}], indirect=True)
@pytest.mark.parametrize(("error", "status"), [("", 500), ("what_is_this", 200)])
async def test_a_card_that_slack_did_not_take_is_brought_up_to_date_though_nothing_more_moves(
    stage: Stage, clock: FakeClock, error: str, status: int
) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    await stage.say("/mailalerts", "on")
    pieces = stage.stannp.pieces_of(222)
    pieces[0].move("delivered", stage.world.now)
    await stage.poll()
    card = await stage.until(lambda: next((m for m in in_channel(stage) if "8% delivered" in m.text), None))
    pieces[1].move("delivered", stage.world.now)
    await stage.poll()
    await stage.until(lambda: not _unsent(stage))
    stage.slack.faults.append(Fault("chat.update", error, status, times=50))
    clock.pass_time(hours=2)
    await cards.refresh(services, key)
    assert card.edits == 0
    stage.slack.faults.clear()
    await cards.refresh(services, key)
    assert card.edits == 0, "at most once in its time"
    clock.pass_time(hours=2)
    await cards.refresh(services, key)
    assert card.edits == 1
    assert "delivered" in card.text


@pytest.mark.parametrize("stage", [{"piecewise_card_seconds": 3600}], indirect=True)
async def test_a_channel_that_switched_off_keeps_its_last_card(stage: Stage, clock: FakeClock) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    await stage.say("/mailalerts", "on")
    stage.stannp.pieces_of(222)[0].move("delivered", stage.world.now)
    await stage.poll()
    card = await stage.until(lambda: next((m for m in in_channel(stage) if "8% delivered" in m.text), None))
    await stage.say("/mailalerts", "off")
    stage.stannp.pieces_of(222)[1].move("delivered", stage.world.now)
    await stage.poll()
    clock.pass_time(hours=2)
    await cards.refresh(services, key)
    assert card.edits == 0


@pytest.mark.parametrize("stage", [{"piecewise_card_seconds": 3600}], indirect=True)
async def test_a_card_that_was_deleted_is_posted_anew_once(stage: Stage, clock: FakeClock) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    await stage.say("/mailalerts", "on")
    pieces = stage.stannp.pieces_of(222)
    pieces[0].move("delivered", stage.world.now)
    await stage.poll()
    card = await stage.until(lambda: next((m for m in in_channel(stage) if "8% delivered" in m.text), None))
    stage.slack.messages.remove(card)
    pieces[1].move("delivered", stage.world.now)
    await stage.poll()
    for hours in (2, 4, 6):
        clock.pass_time(hours=hours)
        await cards.refresh(services, key)
    posted = [m.text for m in in_channel(stage) if m.text.startswith("Spring lapsed: ")]
    assert [text.partition(",")[0] for text in posted] in (
        ["Spring lapsed: 17% delivered"],
        ["Spring lapsed: 16% delivered"],
    )


@pytest.mark.calm(*NAMELESS)
async def test_old_mail_whose_timelines_are_read_after_the_first_poll_is_no_news(stage: Stage) -> None:
    ago = datetime.now(UTC) - timedelta(days=40)
    stage.world.add_campaign(600, "Last year", ago, 240, leaves=timedelta(days=1))
    for index, piece in enumerate(stage.stannp.pieces_of(600)):
        piece.move("handed_over", ago + timedelta(days=2))
        piece.move(("returned", "delivered", "cancelled")[index % 3], ago + timedelta(days=7))
    services, key = stage.app.services, stage.app.workspace.id
    await services.memory.write(workspaces.note, key, baseline_at=None)
    few = replace(services, policy=replace(services.policy, details=20))
    await polling.poll(few, key)
    await save_alerts(stage, OPS, ["returned", "delivered", "cancelled"])
    await stage.until(lambda: any("switched mail alerts on" in m.text for m in stage.slack.messages))
    await stage.app.in_flight.drain(5)
    before = len(stage.slack.messages)
    many = replace(services, policy=replace(services.policy, details=100))
    for _ in range(3):
        await polling.poll(many, key)
    assert not await services.memory.read(details.due, key, 1), "every timeline was read"
    await delivery.deliver_due(services, stage.app.tenants)
    assert [m.text for m in stage.slack.messages[before:]] == []


async def test_returns_are_shown_in_the_channel_where_that_was_asked_for(stage: Stage) -> None:
    await save_alerts(stage, SALES, ["aloud", "returned"])
    await stage.until(lambda: any("switched mail alerts on" in m.text for m in stage.slack.messages))
    stage.stannp.pieces_of(222)[6].move("returned", stage.world.now)
    await stage.poll()
    await stage.until(lambda: any(is_news(m) for m in stage.slack.messages))
    news = [
        call
        for name, call in stage.slack.calls
        if name == "chat.postMessage"
        and " came back" in call["text"]
        and ": " in call["text"]
        and "piece" in call["text"].split(" of ")[0]
    ]
    assert [call.get("reply_broadcast") for call in news] == [True]


async def test_a_form_with_hours_that_are_not_offered_is_refused(stage: Stage) -> None:
    await save_alerts(stage, OPS, [], digest=99)
    await stage.until(lambda: any("out of date" in m.text for m in stage.slack.messages))


@pytest.mark.parametrize(
    ("stage", "pairing", "size"),
    [
        ({"piecewise_card_seconds": 60}, "socket-sqlite", 100_000 if os.environ.get("PIECEWISE_SOAK") else 5_000),
        ({"piecewise_card_seconds": 60}, "http-postgres", 5_000),
    ],
    indirect=["stage", "pairing"],
)
async def test_a_whole_campaign_leaves_a_dozen_messages_and_tells_every_return_once(
    stage: Stage, clock: FakeClock, size: int
) -> None:
    services, key = by_the_clock(stage, clock), stage.app.workspace.id
    stage.app.scheduler.pause()
    stage.slack.paced = False
    await stage.say("/mailalerts", "on")
    before = len(in_channel(stage))
    start = clock.now()
    world = World(stage.stannp, seed=11, now=start)
    world.add_campaign(500, "A big one", start, size, leaves=timedelta(days=2))
    await services.memory.learn(key, _described(stage), clock.now())
    for hours in range(12, 24 * 16, 12):
        clock.moment = start + timedelta(hours=hours)
        since = world.now
        moved = _moved(world.advance(clock.now()), since)
        await services.memory.learn(key, moved, clock.now())
        await counting.survey(services, key)
        # An hour passes while the channel is told, at its own pace.
        quick = replace(services, policy=replace(services.policy, pace=timedelta(0)))
        await delivery.deliver_due(quick, Sole(quick, stage.app.workspace))
        await cards.refresh(services, key)
        await digests.watch(services, key)
    told = in_channel(stage)[before:]
    assert len(told) <= 12, [m.text[:90] for m in told]
    returned = {str(piece.id) for piece in stage.stannp.pieces_of(500) if piece.status == "returned"}
    with services.memory.database.reader.connect() as connection:
        rows = connection.exec_driver_sql(
            "SELECT p.ref, o.message_ts FROM outbox o JOIN pieces p ON p.id = o.piece_id"
            f" WHERE o.status = {Status.RETURNED} AND o.sent_at IS NOT NULL AND o.refusal = ''"
        ).all()
    assert Counter(ref for ref, _ in rows) == Counter(returned)
    threads = {m.ts: m for m in stage.slack.messages if m.thread_ts is not None}
    said = Counter(dict.fromkeys(threads, 0))
    said.update(ts for _, ts in rows)
    # Each message in the thread says of how many it tells, and that is how many rows name it.
    for ts, number in said.items():
        assert threads[ts].text.startswith(f"{number:,} piece"), threads[ts].text[:80]
    card = next(m for m in told if m.text.startswith("A big one: "))
    assert card.edits > 3


def _described(stage: Stage) -> Batch:
    return Batch(
        campaigns=(Campaign("500", "A big one", CampaignStage.RUNNING),),
        pieces=tuple(
            Piece(ref=str(p.id), created_at=p.created, kind=p.kind, format=p.format, cost=p.cost, campaign_ref="500", detailed=True)
            for p in stage.stannp.pieces_of(500)
        )
    )  # fmt: skip


def _moved(pieces: list[Mailpiece], since: datetime) -> Batch:
    return Batch(
        changes=tuple(
            Change(str(p.id), WORDS[word], when, place=where, source=Source.WEBHOOK)
            for p in pieces
            for when, word, where in p.scans
            if when > since
        )
    )


def test_quiet_hours_are_those_of_the_channels_own_clock() -> None:
    chosen = ChannelSettings("America/Chicago", quiet=(22, 7))
    at = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)  # 21:00 in Chicago
    begin, end = digests.quiet_hours(chosen, at) or (at, at)
    assert (begin, end) == (datetime(2026, 11, 2, 4, tzinfo=UTC), datetime(2026, 11, 2, 13, tzinfo=UTC))
    inside = digests.quiet_hours(chosen, datetime(2026, 11, 2, 12, 59, tzinfo=UTC))
    assert inside == (begin, end)
    assert digests.quiet_hours(ChannelSettings(), at) is None
    assert zone_of(ChannelSettings("Nowhere/At_All")).key == "UTC"


async def test_in_quiet_hours_news_waits(stage: Stage) -> None:
    await stage.say("/mailalerts", "on")
    now = datetime.now(UTC)
    memory, key = stage.app.services.memory, stage.app.workspace.id
    await memory.write(
        channel_settings.note_quiet_window, key, ChannelId(OPS), now - timedelta(hours=1), now + timedelta(hours=1)
    )
    stage.stannp.pieces_of(222)[6].move("returned", stage.world.now)
    await stage.poll()
    assert not _unsent(stage)
    assert await delivery.deliver_due(stage.app.services, stage.app.tenants) == 0
    await memory.write(
        channel_settings.note_quiet_window, key, ChannelId(OPS), now - timedelta(hours=2), now - timedelta(hours=1)
    )
    await stage.until(lambda: any(is_news(m) for m in stage.slack.messages))
