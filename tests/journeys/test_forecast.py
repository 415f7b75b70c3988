"""When mail lands, as people read it: dates and why, the curve, a campaign at risk, and when to book."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from handlers.alerts import digests
from handlers.charts.curve import LIKELY
from tests.fakes import FakeClock
from tests.journeys.conftest import OPS, Stage, everything
from tests.rudeness import NAMELESS, UNDATED

#: What is foretold comes from dated scans.
pytestmark = pytest.mark.calm(*NAMELESS, *UNDATED)


async def with_a_past(stage: Stage, days: float = 8) -> None:
    """Three campaigns that have landed, and one, "Fresh", whose mail was ordered so many days ago."""
    now = datetime.now(UTC)
    for n, age in enumerate((66, 52, 38)):
        created = now - timedelta(days=age)
        stage.world.add_campaign(300 + n, f"Landed {n}", created, 60, leaves=timedelta(days=2))
    stage.world.add_campaign(310, "Fresh", now - timedelta(days=days), 80, leaves=timedelta(days=2))
    stage.world.advance(now)
    await stage.poll()


def day(ahead: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=ahead):%b %-d}"


async def test_dates_say_from_what_they_are_known(stage: Stage) -> None:
    await with_a_past(stage, days=6)
    said = everything(await stage.say("/mailstatus", "Fresh"))
    assert "from your last" in said
    assert "and its own scans" in said
    # Which dates lie ahead depends on the hour at which this runs.
    assert re.search(r"(?:[Hh]alf|[Mm]ost|[Nn]early all) by [A-Z]", said)


async def test_without_finished_campaigns_of_its_format_nothing_is_called_ahead_or_behind(stage: Stage) -> None:
    now = datetime.now(UTC)
    stage.world.add_campaign(310, "Fresh", now - timedelta(days=7), 80, leaves=timedelta(days=2))
    stage.world.advance(now)
    await stage.poll()
    said = everything(await stage.say("/mailstatus", "Fresh"))
    assert "mailed are delivered." in said
    assert "usual" not in said
    assert "You're" not in said


async def test_what_is_over_is_not_promised(stage: Stage) -> None:
    await with_a_past(stage)
    said = everything(await stage.say("/mailstatus", "Landed 0"))
    assert "half by" not in said
    assert "on its way" in said or "has arrived" in said


async def test_mail_that_does_not_move_is_called_unusually_late(stage: Stage) -> None:
    await with_a_past(stage)
    now = datetime.now(UTC)
    stage.world.add_campaign(320, "Stuck", now - timedelta(days=30), 50, leaves=timedelta(days=2))
    stage.world.steps = [step for step in stage.world.steps if step.status in ("printing", "handed_over")]
    stage.world.advance(now)
    await stage.poll()
    said = everything(await stage.say("/mailstatus", "Stuck"))
    assert "Unusually late: 0 of 50 scanned as delivered after" in said
    assert "Ask Stannp about this drop." in said
    assert "half by" not in said


async def test_the_curve_shows_what_is_expected_from_today_on(stage: Stage) -> None:
    await with_a_past(stage, days=6)
    answer = await stage.say("/mailstatus", "Fresh")
    before = await stage.press(answer, "delivery_curve")
    shown = await stage.answer(before)
    assert "usually" in everything(shown)
    assert "expected" in everything(shown)
    image = next(block for block in shown.blocks if block["type"] == "image")
    picture = Image.open(io.BytesIO(stage.slack.files[image["slack_file"]["id"]].data)).convert("RGB")
    red, green, blue = bytes.fromhex(LIKELY[1:])
    near = [
        color
        for _, color in picture.getcolors(100_000) or []
        if isinstance(color, tuple) and abs(color[0] - red) + abs(color[1] - green) + abs(color[2] - blue) < 24
    ]
    assert near


async def test_where_nothing_is_known_uspss_window_is_named(stage: Stage) -> None:
    answer = everything(await stage.say("/mailstatus", "Spring lapsed"))
    assert "USPS's 4–7 days for Marketing Mail" in answer


async def test_a_campaign_at_risk_is_told_once(stage: Stage, clock: FakeClock) -> None:
    await with_a_past(stage, days=4)
    await stage.say("/mailalerts", "on")
    said = await stage.say("/mailalerts", f"Fresh in home by {day(2)} below 90%")
    assert "falls below 90%" in said.text
    await stage.say("/mailalerts", f"Landed 0 in home by {day(9)}")
    clock.moment = datetime.now(UTC)
    services, key = replace(stage.app.services, clock=clock), stage.app.workspace.id
    for hours in (0, 2, 4):
        clock.moment = datetime.now(UTC) + timedelta(hours=hours)
        await digests.watch(services, key)
    told = [m for m in stage.slack.messages if m.channel == OPS and "at risk" in m.text]
    assert len(told) == 1
    assert "Fresh is at risk" in told[0].text
    assert "Landed 0" not in told[0].text
    assert "below 90%" in told[0].text


async def test_a_day_that_was_taken_back_is_not_told_of(stage: Stage, clock: FakeClock) -> None:
    await with_a_past(stage, days=4)
    await stage.say("/mailalerts", "on")
    await stage.say("/mailalerts", f"Fresh in home by {day(2)}")
    await stage.say("/mailalerts", "Fresh in home by off")
    clock.moment = datetime.now(UTC)
    await digests.watch(replace(stage.app.services, clock=clock), stage.app.workspace.id)
    assert not [m for m in stage.slack.messages if "is at risk" in m.text]


async def test_a_day_needs_a_campaign_that_the_channel_is_told_of_and_lies_ahead(stage: Stage) -> None:
    assert "is not told of Spring lapsed" in (await stage.say("/mailalerts", "Spring lapsed in home by Dec 12")).text
    for asked, answer in (
        ("all in home by Dec 12", "Name the campaign"),
        ("Spring lapsed in home by 2020-01-01", "already over"),
        ("Spring lapsed in home by Feb 31", "no such day"),
        ("Spring lapsed in home by someday", "could not read that day"),
    ):
        assert answer in (await stage.say("/mailalerts", asked)).text


async def test_when_to_book_is_answered_backwards_from_the_day(stage: Stage) -> None:
    await with_a_past(stage)
    asked = await stage.say("/mailstatus", f"when to book for {day(40)}")
    assert "mail by" in everything(asked)
    assert "from your last" in everything(asked)
    named = await stage.say("/mailstatus", f"when should we book Landed 0 for {day(40)}?")
    assert "mail by" in everything(named)
    late = await stage.say("/mailstatus", f"when to book for {day(1)}")
    assert "too late" in everything(late)
    assert "already over" in (await stage.say("/mailstatus", "when to book for 2020-01-01")).text
    assert "No campaign is called" in (await stage.say("/mailstatus", f"when to book Qwertz for {day(40)}")).text


async def test_when_to_book_without_a_past_comes_from_uspss_standards(stage: Stage) -> None:
    said = everything(await stage.say("/mailstatus", f"when to book for {day(60)}"))
    assert "USPS's standards" in said
