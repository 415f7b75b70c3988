"""A clock that is set back keeps nothing old for longer: no right, no number, no silence."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

import apscheduler.schedulers.base
import pytest
from sqlalchemy import select, text

import bot.scheduler
from bot import tenants
from bot.app import SystemClock
from bot.sandbox.slack import Fault
from handlers.ingest import merging
from storage import database, outbox, workspaces
from storage import secrets as sealed_secrets
from storage.records import ChannelId
from storage.schema.tables import outbox as outbox_rows
from storage.secrets import SecretKind
from tests.house import ACME, house
from tests.journeys.conftest import ANA, OPS, Stage, everything, is_news

FRESH = pytest.mark.parametrize("stage", [{"piecewise_fresh_seconds": 60}], indirect=True)


def set_back(monkeypatch: pytest.MonkeyPatch, **span: float) -> None:
    """Sets this machine's clock back, as an administrator or a time server may."""
    monkeypatch.setattr(SystemClock, "now", lambda _clock: datetime.now(UTC) - timedelta(**span))


class Yesterday(datetime):
    """The clock as APScheduler reads it, set back by a day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "Yesterday":
        return cls.fromtimestamp(datetime.now(tz).timestamp() - 86_400, tz)


def set_all_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets the clock of the machine back by an hour, which a SQLite file has no other than."""
    set_back(monkeypatch, minutes=59)
    earlier = "SELECT strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '-59 minutes')"
    monkeypatch.setattr(database, "TIME", replace(database.TIME, sqlite=text(earlier)))


async def call_about_a_return(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    piece.move("returned", datetime.now(UTC))
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    assert await stage.stannp.call_webhook(address, stage.stannp.delivery([piece])) == 200
    await stage.merged()


async def is_told(stage: Stage) -> None:
    await stage.until(lambda: [m for m in stage.slack.messages if m.channel == OPS and is_news(m)], 8)


async def test_news_of_a_new_subscription_is_told_though_the_clock_goes_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.say("/mailalerts", "on")
    set_all_back(monkeypatch)
    await call_about_a_return(stage)
    await is_told(stage)


async def test_what_was_known_before_a_subscription_stays_history_though_the_clock_goes_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await call_about_a_return(stage)
    await stage.say("/mailalerts", "on")
    set_all_back(monkeypatch)
    await stage.poll()
    piece = stage.stannp.pieces_of(222)[1]
    piece.move("returned", datetime.now(UTC))
    await stage.poll()
    await is_told(stage)
    told = await stage.app.services.memory.read(lambda c: c.execute(select(outbox_rows.c.piece_id)).all())
    assert len(told) == 1


async def test_news_that_waits_is_told_though_the_clock_goes_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.say("/mailalerts", "on")
    await stage.say("/mailalerts", "mute 2h")
    await call_about_a_return(stage)
    set_all_back(monkeypatch)
    await stage.say("/mailalerts", "unmute")
    await is_told(stage)


@pytest.mark.parametrize("pairing", ["http-postgres"])
async def test_news_is_told_though_the_machine_is_an_hour_ahead_of_the_database(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.say("/mailalerts", "on")
    set_back(monkeypatch, hours=-1)
    await call_about_a_return(stage)
    await is_told(stage)


async def test_a_button_works_though_the_clock_goes_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "refresh_status")
    await stage.until(lambda: answer.edits == 1)
    # Longer than a double click takes.
    await asyncio.sleep(2)
    set_all_back(monkeypatch)
    await stage.press(answer, "refresh_status")
    await stage.until(lambda: answer.edits == 2, 6)


async def track(stage: Stage) -> str:
    piece = stage.stannp.pieces_of(222)[0]
    return everything(await stage.say("/mailtrack", str(piece.id)))


@pytest.mark.parametrize("stage", [{"piecewise_poll_seconds": 1}], indirect=True)
async def test_the_timetable_goes_on_though_the_clock_goes_back(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    set_back(monkeypatch, days=1)
    monkeypatch.setattr(apscheduler.schedulers.base, "datetime", Yesterday)
    monkeypatch.setattr(bot.scheduler, "datetime", Yesterday)
    # The turns that were under way by the earlier time.
    await asyncio.sleep(2)
    before = len(stage.stannp.requests)
    await stage.until(lambda: len(stage.stannp.requests) > before)


async def test_who_became_a_guest_is_one_though_the_clock_goes_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "found no piece" not in await track(stage)
    stage.slack.users[ANA].restricted = True
    set_back(monkeypatch, hours=1)
    assert "found no piece" in await track(stage), "guests find what their channel was shown"


async def test_what_slack_said_tomorrow_is_not_what_it_said_lately(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "found no piece" not in await track(stage)
    stage.slack.faults.append(Fault("users.info", status=503, times=100))
    set_back(monkeypatch, days=3)
    assert "found no piece" in await track(stage), "whom Slack does not name is a guest"


async def test_an_answer_is_of_the_moment_at_which_the_platform_last_called(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_back(monkeypatch, days=-1)
    await call_about_a_return(stage)
    answer = everything(await stage.say("/mailstatus", "all time"))
    said = re.search(r"updated <!date\^(\d+)", answer)
    assert said, answer
    assert int(said[1]) > datetime.now(UTC).timestamp() + 80_000


@FRESH
async def test_numbers_of_tomorrow_are_read_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    set_back(monkeypatch, days=1)
    before = len(stage.stannp.requests)
    await stage.say("/mailstatus", "Spring lapsed")
    assert stage.stannp.requests[before:], "shown as fresh for a day"


async def test_a_channel_that_is_muted_beyond_what_can_be_asked_for_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.say("/mailalerts", "on")
    memory, key = stage.app.services.memory, stage.app.workspace.id
    # By a clock that was a year ahead.
    until = datetime.now(UTC) + timedelta(days=365)
    await memory.write(outbox.mute, key, ChannelId(OPS), until)
    stage.stannp.pieces_of(222)[0].move("returned", stage.world.now)
    await stage.poll()
    await stage.until(lambda: [m for m in stage.slack.messages if is_news(m)], 10)


async def test_calls_of_the_platform_are_noted_by_a_clock_that_was_set_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    memory, key = stage.app.services.memory, stage.app.workspace.id
    piece = stage.stannp.pieces_of(222)[0]
    assert await stage.stannp.call_webhook(address, stage.stannp.delivery([piece], 1)) == 200
    await stage.merged()
    monkeypatch.setattr(merging, "NOTED_EVERY", timedelta(0))
    set_back(monkeypatch, days=1)
    assert await stage.stannp.call_webhook(address, stage.stannp.delivery([piece], 2)) == 200
    await stage.merged()
    noted = (await memory.read(workspaces.by_id, key)).webhook_at
    assert noted is not None
    assert noted < datetime.now(UTC) - timedelta(hours=23)


async def test_what_another_process_changed_is_seen_though_the_clock_goes_back(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(postgres_url) as made:
        await made.install(ACME)
        await made.connect(ACME)
        many, mail = made.tenants, made.mail[ACME]
        memory, key = many.template.memory, (await many.template.memory.read(workspaces.by_team, ACME)).id
        address = await many.webhook(key)
        await many.keep_webhook_secret(key, mail.webhook_secret)
        raw = mail.delivery(mail.pieces_of(222)[:1], 1)
        assert await mail.call_webhook(address, raw) == 200
        account = await memory.read(sealed_secrets.secret, many.vault, key, SecretKind.ACCOUNT)
        changed = {**(account or {}), "webhook_secret": "another secret"}
        await memory.write(sealed_secrets.keep_secret, many.vault, key, SecretKind.ACCOUNT, changed, datetime.now(UTC))
        set_back(monkeypatch, hours=1)
        monkeypatch.setattr(tenants, "KEPT_FOR", 0)
        assert await mail.call_webhook(address, raw) == 401
