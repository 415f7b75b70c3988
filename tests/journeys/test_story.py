"""The sandbox's story: its clock, its past, its mail, and that it does not end."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby, pairwise
from typing import TypeVar

import aiohttp
import pytest
from sqlalchemy import Connection

from bot.sandbox.clock import StoryClock
from bot.sandbox.demo import Demo, sandbox
from bot.sandbox.people import ANA, OPS
from bot.sandbox.slack import BOT_USER, Answering, File, Posted, SlackDouble, View
from bot.sandbox.stannp import StannpDouble
from bot.sandbox.story import ZONE, Story, next_hour
from handlers.alerts import digests
from handlers.context.services import Services
from handlers.forecast import days as calendar
from handlers.forecast import model, words
from handlers.forecast import queries as forecast_queries
from handlers.forecast.model import Forecast
from handlers.forecast.queries import Account
from handlers.ingest import poll
from storage import channel_settings
from storage.queries import mail as queries
from storage.records import CampaignId, ChannelId, ChannelSettings, Transit, WorkspaceId, mail_day
from storage.statuses import Status
from tests.house import UNHURRIED

T = TypeVar("T")
NOW = datetime(2026, 11, 25, 17, 0, tzinfo=UTC)


def stages(story: Story) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in story.platform.campaigns.values():
        found.setdefault(one.status, []).append(one.name)
    return found


def begun() -> Story:
    story = Story(StannpDouble(), NOW)
    list(story.past())
    return story


def test_six_campaigns_are_finished_and_three_move_and_one_waits() -> None:
    found = stages(begun())
    assert len(found["complete"]) == 6
    assert set(found["running"]) | set(found["booked"]) == {
        "Fall catalog", "Spring lapsed", "Welcome back", "Holiday postcards",
    }  # fmt: skip


def test_the_booked_campaign_can_be_cancelled_until_its_day() -> None:
    story = begun()
    story.go_on(NOW + timedelta(days=28))
    assert {one.status for one in story.platform.pieces_of(223)} == {"received"}
    story.go_on(NOW + timedelta(days=33))
    assert "received" not in {one.status for one in story.platform.pieces_of(223)}


def test_after_a_year_there_is_as_much_mail_as_after_a_quarter() -> None:
    story = begun()
    for day in range(90):
        story.go_on(NOW + timedelta(days=day))
    early = len(story.platform.pieces), len(story.world.steps), len(story.platform.campaigns)
    for day in range(90, 455):
        story.go_on(NOW + timedelta(days=day))
        assert {"booked", "running"} <= set(stages(story)), day
    late = len(story.platform.pieces), len(story.world.steps), len(story.platform.campaigns)
    assert all(one < 1.5 * other for one, other in zip(late, early, strict=True)), (early, late)
    assert story.platform.balance > 0


def test_what_nobody_will_look_at_again_is_dropped() -> None:
    slack = SlackDouble()
    for number in range(1000):
        slack.files[f"F{number}"] = File(f"F{number}", b"x")
        block = {"type": "image", "slack_file": {"id": f"F{number}"}, "alt_text": "a pie"}
        slack.messages.append(Posted(slack.next_ts(), OPS, BOT_USER, "a pie", [block]))
        slack.calls.append(("chat.postMessage", {}))
        slack.views[f"V{number}"] = View(f"V{number}", ANA, {}, "")
        slack.answers[f"A{number}"] = Answering(OPS, ANA, born=float("-inf"))
        slack.triggers[f"T{number}"] = (ANA, float("-inf"), "")
    slack.forget(50)
    assert list(slack.files) == [f"F{number}" for number in range(950, 1000)], "what is shown stays"
    assert len(slack.messages) == 50
    assert len(slack.views) == 20
    assert [len(one) for one in (slack.calls, slack.answers, slack.triggers)] == [0, 0, 0]


def test_what_stannp_cancels_is_what_goes_next() -> None:
    # A week before Thanksgiving: on that day nothing would be mailed.
    story = Story(StannpDouble(), NOW - timedelta(days=7))
    list(story.past())
    chosen = story.cancel_a_drop()
    assert chosen is not None
    assert chosen.name == "Welcome back"
    assert {one.status for one in story.platform.pieces_of(chosen.id)} == {"printing", "cancelled"}


def test_mail_is_delivered_by_day_and_not_on_sundays_and_holidays() -> None:
    story = begun()
    for day in range(75):
        story.go_on(NOW + timedelta(days=day))
    at = dict[str, list[datetime]]()
    for piece in story.platform.pieces.values():
        moments = [when for when, _, _ in piece.scans]
        assert moments == sorted(moments), piece
        for when, word, _ in piece.scans:
            at.setdefault(word, []).append(when.astimezone(ZONE))
    assert min(len(at[word]) for word in ("local_delivery", "delivered", "returned")) > 20
    for word in ("handed_over", "in_transit", "local_delivery", "delivered", "returned"):
        assert [when for when in at[word] if not calendar.is_open(when.date())] == [], word
    assert {when.hour for when in (*at["delivered"], *at["returned"])} <= set(range(9, 18))
    assert {when.weekday() for when in at["delivered"]} == set(range(6)), "on all other days"


@pytest.mark.parametrize("begin", [datetime(2026, 10, 20, 17, tzinfo=UTC), datetime(2027, 3, 2, 17, tzinfo=UTC)])
def test_mail_is_delivered_by_day_also_when_the_clocks_are_set_back_or_ahead(begin: datetime) -> None:
    story = Story(StannpDouble(), begin)
    list(story.past())
    for day in range(30):
        story.go_on(begin + timedelta(days=day))
    ended = [one.scans[-1] for one in story.platform.pieces.values() if one.status in ("delivered", "returned")]
    at = {when.astimezone(ZONE) for when, _, _ in ended if when > begin}
    assert {when.hour for when in at} <= set(range(9, 17))
    assert len({when.utcoffset() for when in at}) == 2


@pytest.mark.parametrize("ahead", range(7))
def test_mail_is_handed_over_on_a_day_on_which_usps_takes_it(ahead: int) -> None:
    """On whatever day of the week a story begins: its campaigns are mailed on the day that is said."""
    story = Story(StannpDouble(), NOW + timedelta(days=ahead))
    list(story.past())
    for day in range(40):
        story.go_on(NOW + timedelta(days=ahead + day))
    said = [date.fromisoformat(one.send_date) for one in story.platform.campaigns.values() if one.send_date]
    assert len(said) > 12
    assert all(calendar.is_open(one) for one in said), said
    for piece in story.platform.pieces.values():
        campaign = story.platform.campaigns[piece.campaign_id]
        if piece.dispatched and campaign.send_date:
            days = calendar.delivery_days(date.fromisoformat(campaign.send_date), mail_day(piece.dispatched))
            assert days in (0, 1), "what is brought in the evening is taken on the next day"


def days_promised(seed: int) -> list[tuple[float, int, float, float]]:
    """How many pieces were to land on each day by what is told in the morning, how many did, and between which numbers
    four of five were to be: through four weeks, of each campaign, on days on which mail is delivered."""
    begin = datetime(2026, 8, 3 + seed, 17, tzinfo=UTC)
    story, found = Story(StannpDouble(), begin, seed), list[tuple[float, int, float, float]]()
    list(story.past())
    told = dict[int, tuple[int, Forecast]]()
    for number in range(1, 29):
        day = begin.astimezone(ZONE).date() + timedelta(days=number)
        story.go_on(datetime.combine(day, time(8), ZONE).astimezone(UTC))
        landed = Counter(one.campaign_id for one in story.platform.pieces.values() if one.status == "delivered")
        for key, (before, last) in told.items():
            if calendar.is_open(last.today):
                low, high = (part * last.mailed - before for part in last.band(last.today))
                found.append((last.due_today, landed[key] - before, low, high))
        account = Account(transits_of(story), day, {0: 400})
        of = {one.id: account.of(CampaignId(one.id)) for one in story.platform.campaigns.values()}
        told = {key: (landed[key], one) for key, one in of.items() if one and one.open and one.is_recent}
    return found


def test_as_much_mail_comes_as_was_promised_for_the_day() -> None:
    days = [one for seed in range(1, 3) for one in days_promised(seed)]
    promised, came = sum(due for due, *_ in days), sum(number for _, number, *_ in days)
    assert 0.85 < came / promised < 1.15
    sure = [(low - 0.5 <= number <= high + 0.5) for due, number, low, high in days if due >= 3]
    assert len(sure) > 25
    assert sum(sure) / len(sure) > 0.65


def words_said(begin: datetime, seed: int) -> list[list[tuple[date, str]]]:
    """What is said of each campaign's pace, three times a day through three weeks of a story, while it is under way."""
    story = Story(StannpDouble(), begin, seed)
    list(story.past())
    said = dict[int, list[tuple[date, str]]]()
    for hours in range(0, 21 * 24, 8):
        now = begin + timedelta(hours=hours)
        story.go_on(now)
        account = Account(transits_of(story), now.astimezone(ZONE).date(), {0: 400})
        for one in story.platform.campaigns.values():
            told = account.of(CampaignId(one.id)) if one.status == "running" else None
            if told and told.open:
                said.setdefault(one.id, []).append((account.today, words.pace(model.progress(told))))
    return list(said.values())


def transits_of(story: Story) -> list[Transit]:
    """What the bot counts of this mail."""
    counts = Counter[tuple[int, str, date, Status | None, int]]()
    for one in story.platform.pieces.values():
        if one.dispatched is not None:
            ended = Status[one.status.upper()] if one.status in ("delivered", "returned") else None
            on = mail_day(one.dispatched)
            days = (mail_day(one.scans[-1][0]) - on).days if ended else 0
            counts[one.campaign_id, f"{one.kind} {one.format}", on, ended, days] += 1
    return [Transit(CampaignId(key), form, on, end, days, n) for (key, form, on, end, days), n in counts.items()]


def test_a_word_of_how_a_campaign_stands_does_not_come_and_go() -> None:
    series = words_said(NOW, 7)
    assert len(series) > 4
    assert any(word for said in series for _, word in said)
    for said in series:
        for (day, before), (later, now) in pairwise(said):
            # Today's mail alone makes up for being behind.
            assert before == now or day != later or (before, now) == ("behind usual", ""), f"{day}: {before} {now}"
        runs = [word for word, _ in groupby(said, key=lambda one: one[1]) if word]
        assert len(runs) <= 1, runs


def test_something_can_always_be_cancelled() -> None:
    story = begun()
    for day in range(40):
        story.go_on(NOW + timedelta(days=day))
        chosen = story.booked()
        assert chosen is not None, day
        assert "received" in {one.status for one in story.platform.pieces_of(chosen.id)}
        for piece in story.platform.pieces_of(chosen.id):
            piece.move("cancelled", story.world.now)


def test_the_next_morning_and_the_next_monday() -> None:
    morning = next_hour(NOW, 9).astimezone(ZONE)
    assert (morning.hour, morning.date()) == (9, datetime(2026, 11, 25, tzinfo=ZONE).date() + timedelta(days=1))
    assert next_hour(NOW, 9, 0).astimezone(ZONE).weekday() == 0
    assert next_hour(NOW, 12).astimezone(ZONE).date() == NOW.date()


def test_the_clock_runs_and_jumps() -> None:
    clock = StoryClock()
    before = clock.now()
    clock.jump(timedelta(days=3))
    assert timedelta(days=3) <= clock.now() - before < timedelta(days=3, minutes=1)


@pytest.fixture
async def demo() -> AsyncIterator[Demo]:
    async with sandbox(0, day_seconds=3600) as made:
        made.slack.patience = UNHURRIED
        yield made
        assert made.slack.problems == []


async def answer_to(demo: Demo, text: str, user: str = ANA, holding: str = "") -> Posted:
    """The next message that this person can see; with these words, where the channel may be told of news meanwhile."""
    before = len(demo.slack.messages)
    name, _, rest = text.partition(" ")
    assert (await demo.slack.command(user, OPS, name, rest)).ok

    def answer() -> Posted | None:
        seen = [m for m in demo.slack.messages[before:] if m.only_for in (None, user)]
        return next((m for m in seen if holding in str(m.blocks)), None)

    return await until(answer)


async def until(what: Callable[[], T | None], seconds: float = 15) -> T:
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        if found := what():
            return found
        await asyncio.sleep(0.02)
    raise AssertionError("in vain")


async def test_the_forecast_is_the_accounts_own_and_nothing_is_late(demo: Demo) -> None:
    for name in ("Fall catalog", "Spring lapsed"):
        said = str((await answer_to(demo, f"/mailstatus {name}")).blocks)
        assert "from your last" in said
        assert "Unusually late" not in said


async def test_everything_goes_by_the_storys_clock(demo: Demo) -> None:
    await demo.calendar.pass_time(timedelta(days=10))
    shown = await answer_to(demo, "/mailstatus Spring", holding="refresh_status")
    assert abs(float(shown.ts) - demo.calendar.clock.stamp()) < 60
    stamp = re.search(r"updated <!date\^(\d+)", str(shown.blocks))
    assert stamp
    # A busy machine reads the account a few of the story's days late, and says so.
    assert datetime.now(UTC).timestamp() + 5 * 86_400 < int(stamp[1]) < demo.calendar.clock.stamp() + 60
    services = demo.calendar.app.services
    await poll.poll(services, demo.calendar.app.workspace.id)
    said = str((await answer_to(demo, "/mailstatus Spring", holding="refresh_status")).blocks)
    assert "delivered" in said


async def test_no_scan_of_the_past_stands_twice_in_a_timeline(demo: Demo) -> None:
    services, campaign = demo.calendar.app.services, 222
    for piece in demo.story.platform.pieces_of(campaign)[:3]:
        await answer_to(demo, f"/mailtrack {piece.id}", holding=str(piece.id))
        found = await services.memory.read(queries.find_pieces, demo.calendar.app.workspace.id, str(piece.id), 1)
        scans = await services.memory.read(queries.timeline, demo.calendar.app.workspace.id, found[0].id)
        assert len({one.status for one in scans}) == len(scans), scans


async def test_a_muted_channel_hears_again_when_the_story_has_come_so_far(demo: Demo) -> None:
    await answer_to(demo, "/mailalerts mute 2h")
    for _ in range(6):
        await demo.calendar.pass_time(timedelta(hours=12))
    await until(lambda: [one for one in demo.slack.messages if "came back" in one.text])


async def test_the_morning_brings_a_digest(demo: Demo) -> None:
    assert demo.page.events is not None
    told = await demo.page.events.make("digest")
    assert "digest is in #mail-ops" in told.text
    assert [one for one in demo.slack.messages if one.channel == OPS and "Good morning" in str(one.blocks) + one.text]


async def test_however_fast_the_days_pass_mornings_are_at_nine(demo: Demo) -> None:
    for _ in range(8):
        await demo.calendar.pass_time(timedelta(hours=17))
    said = [one for one in demo.slack.messages if one.channel == OPS and "Good morning" in str(one.blocks) + one.text]
    assert len(said) >= 3
    hours = [datetime.fromtimestamp(float(one.ts), ZONE) for one in said]
    assert {(at.hour, at.minute // 15) for at in hours} == {(9, 0)}, hours


def digests_in(demo: Demo, channel: str = OPS) -> list[datetime]:
    """When this channel read its digests, by the clocks of the story's place."""
    said = [one for one in demo.slack.messages if one.channel == channel and "Good morning" in str(one.blocks)]
    return [datetime.fromtimestamp(float(one.ts), ZONE) for one in said]


async def test_a_channel_that_is_muted_until_monday_reads_its_digest_on_monday_at_nine(demo: Demo) -> None:
    """Also where somebody presses for another day, and again, while the story's own days pass."""
    story = demo.calendar
    story.paused = True
    await story.pass_time(next_hour(story.clock.now(), 10, 3) - story.clock.now())
    monday = next_hour(story.clock.now(), 9, 0).astimezone(ZONE)
    await answer_to(demo, "/mailalerts mute until Monday", holding="muted mail alerts")
    for _ in range(3):
        await asyncio.gather(*(story.pass_time(timedelta(days=1)) for _ in range(3)))
    read = [at for at in digests_in(demo) if at.date() == monday.date()]
    assert [(at.hour, at.minute // 15) for at in read] == [(9, 0)], digests_in(demo)


@pytest.mark.parametrize(("zone", "hour", "at"), [(str(ZONE), 8, 8), ("America/New_York", 12, 11), (str(ZONE), 17, 17)])
async def test_a_digest_comes_at_the_hour_that_its_channel_chose(demo: Demo, zone: str, hour: int, at: int) -> None:
    story = demo.calendar
    story.paused = True
    memory, key, chosen = story.app.services.memory, story.app.workspace.id, ChannelSettings(zone, hour)
    await memory.write(channel_settings.keep, key, ChannelId(OPS), chosen)
    for _ in range(6):
        await story.pass_time(timedelta(days=1))
    assert len(digests_in(demo)) >= 2
    assert {(one.hour, one.minute // 15) for one in digests_in(demo)} == {(at, 0)}, digests_in(demo)
    told = await demo.page.events.make("digest") if demo.page.events else None
    assert told
    assert "digest is in #mail-ops" in told.text


async def test_what_is_made_to_happen_says_who_hears_of_it(demo: Demo) -> None:
    demo.calendar.paused, events = True, demo.page.events
    assert events is not None
    await demo.calendar.pass_time(timedelta(days=2))
    assert "#mail-ops is notified in a second or two." in (await events.make("return")).text
    await answer_to(demo, "/mailalerts mute 20d", holding="muted mail alerts")
    assert "#mail-ops is muted or quiet now" in (await events.make("return")).text
    assert "#mail-ops is muted" in (await events.make("digest")).text
    await answer_to(demo, "/mailalerts off", holding="turned off mail alerts")
    for name in ("return", "cancel"):
        assert "Type /mailalerts on in one." in (await events.make(name)).text
    for name in ("digest", "report"):
        assert "Alerts are off in #mail-ops" in (await events.make(name)).text
    assert "nobody gets a message about it" in (await events.make("silent")).text


async def test_the_digest_counts_all_that_was_delivered_by_then(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.calendar.paused = True
    real, counts = digests.watch, list[tuple[int, int]]()

    async def watch(services: Services, key: WorkspaceId) -> None:
        mixes = await services.memory.read(queries.mixes, key)
        stored = sum(mix.of(Status.DELIVERED) for mix in mixes.values())
        counts.append((stored, sum(one.status == "delivered" for one in demo.story.platform.pieces.values())))
        await real(services, key)

    monkeypatch.setattr(digests, "watch", watch)
    for _ in range(4):
        await demo.calendar.pass_time(timedelta(days=1))
    # The past, which only the ledger remembers, is the same each time.
    assert len({stored - moved for stored, moved in counts}) == 1, counts


async def test_a_curve_tells_the_same_of_a_day_for_ever(demo: Demo) -> None:
    """What is heard in an American evening is of that day, not of UTC's next one; and of today all is counted."""
    calendar_ = demo.calendar
    services, key = calendar_.app.services, calendar_.app.workspace.id
    seen: dict[date, set[int]] = {}

    def look(connection: Connection) -> None:
        today = calendar_.clock.now().astimezone(ZONE).date()
        spring = next(one for one in queries.campaigns_of(connection, key) if one.facts.name == "Spring lapsed")
        told = forecast_queries.of_campaign(connection, key, spring.id, today)
        assert told is not None
        shown = {one.day: round(100 * one.actual) for one in model.points(told) if one.actual is not None}
        landed = queries.mix(connection, key, spring.id).of(Status.DELIVERED)
        assert shown[today] == round(100 * landed / told.mailed)
        for day, share in shown.items():
            # This morning's mail is still under way.
            seen.setdefault(day, set()).update({share} if day < today else ())

    await calendar_.pass_time(next_hour(calendar_.clock.now(), 9) - calendar_.clock.now())
    for _ in range(5):
        await services.memory.read(look)
        await calendar_.pass_time(timedelta(hours=12))
        await services.memory.read(look)
        await calendar_.pass_time(timedelta(hours=12))
    # What came back after it was scanned as delivered is one of them no more.
    assert {day: shares for day, shares in seen.items() if shares and max(shares) - min(shares) > 1} == {}
    assert len({max(shares) for shares in seen.values() if shares}) > 2, "it moves"


async def test_the_story_begins_when_somebody_looks(demo: Demo) -> None:
    calendar = demo.calendar
    calendar.day_seconds = 1.0
    await until(lambda: calendar.ticks > 3)
    assert calendar.clock.jumped == timedelta(), "nobody has opened the page"
    async with aiohttp.ClientSession() as session, session.get(f"{demo.base}/state") as state:
        assert state.status == 200
    await until(lambda: calendar.clock.jumped > timedelta())


async def test_the_story_can_begin_anew(demo: Demo) -> None:
    await demo.calendar.pass_time(timedelta(days=20))
    number = demo.page.number
    await demo.restart()
    assert demo.page.number == number + 1
    assert demo.calendar.clock.jumped < timedelta(minutes=1)
    assert "from your last" in str((await answer_to(demo, "/mailstatus Spring")).blocks)


async def test_whatever_is_wished_while_the_story_begins_anew_is_answered_in_words(demo: Demo) -> None:
    number = demo.page.number
    days = asyncio.create_task(do(demo, kind="event", user=ANA, name="next"))
    await asyncio.sleep(0.1)
    again = [asyncio.create_task(do(demo, kind="story", user=ANA, name="restart")) for _ in range(2)]
    await asyncio.sleep(0)
    said = asyncio.create_task(do(demo, kind="say", user=ANA, channel=OPS, text="/mailstatus"))
    told = [await one for one in (days, *again, said)]
    assert demo.page.number == number + 1, "once is enough"
    assert all(one["error"] in ("", "the story is beginning anew: a moment") for one in told), told
    assert (await do(demo, kind="event", user=ANA, name="next"))["said"] == "A day has passed."


async def test_what_is_wished_right_after_a_restart_is_done_in_the_new_story(demo: Demo) -> None:
    number = demo.page.number
    again = asyncio.create_task(do(demo, kind="story", user=ANA, name="restart"))
    await until(lambda: demo.page.calendar is None)
    paused = asyncio.create_task(do(demo, kind="story", user=ANA, name="pause"))
    assert (await do(demo, kind="event", user=ANA, name="next"))["said"] == "A day has passed."
    assert demo.page.number == number + 1
    assert demo.calendar.clock.jumped >= timedelta(days=1)
    assert [(await one)["error"] for one in (again, paused)] == ["", ""]
    assert demo.calendar.paused


async def test_a_story_that_could_not_begin_begins_at_the_next_try(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = demo.begin

    async def fail() -> None:
        monkeypatch.setattr(demo, "begin", begin)
        raise OSError(28, "no room")

    monkeypatch.setattr(demo, "begin", fail)
    with pytest.raises(aiohttp.ContentTypeError):
        await do(demo, kind="story", user=ANA, name="restart")
    assert (await do(demo, kind="story", user=ANA, name="restart"))["error"] == ""
    assert (await do(demo, kind="event", user=ANA, name="next"))["said"] == "A day has passed."


async def do(demo: Demo, **wish: str) -> dict[str, object]:
    """What the page answers to this person's wish."""
    async with aiohttp.ClientSession() as session, session.post(f"{demo.base}/do", json=wish) as answer:
        told: dict[str, object] = await answer.json()
        return told


async def test_the_bot_is_invited_as_everywhere_in_slack(demo: Demo) -> None:
    invite = {"kind": "say", "user": ANA, "channel": "C0RANDOM", "text": "/invite @Piecewise"}
    assert (await do(demo, **invite))["error"] == ""
    assert demo.slack.channels["C0RANDOM"].bot_in
    assert "already" in str((await do(demo, **invite))["error"])
    assert "only" in str((await do(demo, **invite | {"text": "/invite @Ben"}))["error"])


async def test_a_bot_that_starts_late_in_the_story_reads_the_account_at_once(demo: Demo) -> None:
    demo.calendar.clock.jump(timedelta(days=40))
    second = await demo.calendar.meet_second()
    soon = datetime.now(UTC) + timedelta(minutes=1)
    for name in ("poll", "renewals"):
        assert second.app.scheduler.get_job(name).next_run_time < soon
