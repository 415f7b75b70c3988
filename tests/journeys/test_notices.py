"""From a moving piece to a told channel: cards, returns, quietness, refusals, and nothing twice."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from bot.sandbox.slack import Fault, Posted, find_element, initial_values
from bot.sandbox.stannp import Mailpiece
from handlers.alerts import delivery, offer_view
from storage import channel_settings, workspaces
from storage.records import ChannelId
from storage.schema.tables import outbox
from tests.journeys.conftest import ANA, BEN, OPS, OUTSIDE, SALES, Stage, everything
from tests.rudeness import NAMELESS, ZONELESS


async def subscribed(stage: Stage, text: str = "on", channel: str = OPS) -> None:
    answer = await stage.say("/mailalerts", text, channel=channel)
    assert "switched mail alerts on" in answer.text
    # The clock must move on between the subscription and the news: both are moments of the same clock.
    await asyncio.sleep(0.01)


async def come_back(stage: Stage, number: int = 1, status: str = "returned") -> list[Mailpiece]:
    pieces = [p for p in stage.stannp.pieces_of(222) if p.status not in ("returned", "delivered")][:number]
    for piece in pieces:
        piece.move(status, datetime.now(UTC), f"{piece.city}, {piece.county}")
    await stage.poll()
    return pieces


def told(stage: Stage, words: str, channel: str = OPS) -> list[Posted]:
    return [m for m in stage.slack.messages if m.channel == channel and words in m.text and m.only_for is None]


@pytest.mark.calm(*NAMELESS)
async def test_a_return_makes_a_card_and_is_told_in_its_thread_with_who_where_and_when(stage: Stage) -> None:
    await subscribed(stage)
    piece = (await come_back(stage))[0]
    news = (await stage.until(lambda: told(stage, " of Spring lapsed came back")))[0]
    card = told(stage, "Spring lapsed: ")[0]
    assert news.thread_ts == card.ts
    for word in (piece.firstname, piece.city, "<!date^", "Track"):
        assert word in everything(news)
    # In channels people are shortened.
    assert piece.lastname not in everything(news) + news.text
    assert piece.address1 not in everything(news)


@pytest.mark.calm(*NAMELESS)
async def test_track_on_the_news_shows_the_full_timeline_to_the_presser_alone(stage: Stage) -> None:
    await subscribed(stage)
    piece = (await come_back(stage))[0]
    news = (await stage.until(lambda: told(stage, " of Spring lapsed came back")))[0]
    before = await stage.press(news, "track_piece", user=BEN)
    answer = await stage.answer(before, BEN)
    assert answer.only_for == BEN
    assert piece.lastname in everything(answer)
    assert "was notified of “Returned”" in everything(answer)


async def test_deliveries_move_the_card_and_post_nothing_more(stage: Stage) -> None:
    await subscribed(stage)
    await come_back(stage, 2, "delivered")
    card = (await stage.until(lambda: told(stage, "Spring lapsed: ")))[0]
    piece = stage.stannp.pieces_of(222)[0]
    assert "wasn't notified of “Delivered”: only its" in everything(await stage.say("/mailtrack", str(piece.id)))
    before = len(stage.slack.messages)
    await come_back(stage, 3, "delivered")
    await stage.until(lambda: card.edits == 1)
    assert len(stage.slack.messages) == before


async def test_deliveries_are_told_where_the_channel_asked_for_them(stage: Stage) -> None:
    await stage.slack.command(ANA, OPS, "/mailalerts")
    form = await stage.modal(holding="Each delivery")
    values = {
        "campaign": {"campaign": {"selected_option": {"value": "0"}}},
        "wants": {"wants": {"selected_options": [{"value": "delivered"}]}},
    }
    assert (await stage.slack.submit(ANA, form, values)).ok
    await stage.until(lambda: told(stage, "switched mail alerts on"))
    await asyncio.sleep(0.05)
    await come_back(stage, 2, "delivered")
    await stage.until(lambda: told(stage, "2 pieces of Spring lapsed delivered"))


async def test_a_burst_of_returns_is_one_message(stage: Stage) -> None:
    await subscribed(stage)
    pieces = await come_back(stage, 5)
    news = await stage.until(lambda: told(stage, " of Spring lapsed came back"))
    assert [m.text.startswith(f"{len(pieces)} pieces") for m in news] == [True]


async def test_nobody_is_told_twice(stage: Stage) -> None:
    await subscribed(stage)
    await come_back(stage)
    await stage.until(lambda: told(stage, " of Spring lapsed came back"))
    for _ in range(3):
        await stage.poll()
        await delivery.deliver_due(stage.app.services, stage.app.tenants)
    assert len(told(stage, " of Spring lapsed came back")) == 1
    assert len([m for m in stage.slack.messages if m.channel == OPS]) == 3


async def test_only_the_campaign_that_was_asked_for_is_told(stage: Stage) -> None:
    await subscribed(stage, "on Holiday postcards")
    await subscribed(stage, "on", SALES)
    await come_back(stage)
    await stage.until(lambda: told(stage, " of Spring lapsed came back", SALES))
    assert told(stage, " of Spring lapsed came back", OPS) == []


async def test_a_webhook_is_told_like_a_poll_and_a_repeat_changes_nothing(stage: Stage) -> None:
    await subscribed(stage)
    piece = stage.stannp.pieces_of(222)[0]
    piece.move("returned", datetime.now(UTC))
    address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"
    for retries in range(3):
        assert await stage.stannp.call_webhook(address, stage.stannp.delivery([piece], retries)) == 200
    await stage.merged()
    await stage.until(lambda: told(stage, " of Spring lapsed came back"))
    await stage.poll()
    assert len(told(stage, " of Spring lapsed came back")) == 1


async def test_what_the_platform_cancels_unasked_is_told(stage: Stage) -> None:
    await subscribed(stage)
    piece = stage.stannp.pieces_of(223)[0]
    piece.move("cancelled", datetime.now(UTC))
    await stage.poll()
    await stage.until(lambda: told(stage, "cancelled by Stannp on its own"))


async def test_a_muted_channel_hears_later_what_happened_meanwhile(stage: Stage) -> None:
    await subscribed(stage)
    assert "muted mail alerts here until" in (await stage.say("/mailalerts", "mute 2h")).text
    await come_back(stage)
    assert await delivery.deliver_due(stage.app.services, stage.app.tenants) == 0
    assert "Muted" in everything(await stage.say("/mailalerts", "list"))
    await stage.say("/mailalerts", "unmute")
    await stage.until(lambda: told(stage, " of Spring lapsed came back"))


async def test_off_ends_the_news_and_list_says_so(stage: Stage) -> None:
    await subscribed(stage)
    assert "all campaigns" in (await stage.say("/mailalerts", "list")).text
    off = await stage.say("/mailalerts", "off")
    assert "turned off mail alerts for all campaigns" in off.text
    assert off.only_for is None, "what was turned on before everyone is turned off before everyone"
    assert "gets no alerts right now" in (await stage.say("/mailalerts", "list")).text
    await come_back(stage)
    assert await delivery.deliver_due(stage.app.services, stage.app.tenants) == 0


async def test_a_channel_without_the_bot_cannot_be_subscribed_and_the_asker_is_told_how(stage: Stage) -> None:
    answer = await stage.say("/mailalerts", "on", channel=OUTSIDE)
    assert answer.only_for == ANA
    assert "/invite" in answer.text


async def test_a_refused_message_ends_with_a_reason_that_people_can_see_and_mend(stage: Stage) -> None:
    await subscribed(stage)
    stage.slack.channels[OPS].bot_in = False
    piece = (await come_back(stage))[0]
    await asyncio.sleep(1.5)
    assert told(stage, " of Spring lapsed came back") == []
    tracked = await stage.say("/mailtrack", str(piece.id))
    assert "I couldn't post" in everything(tracked)
    assert "/invite" in everything(tracked)
    assert "could not be posted" in everything(await stage.say("/mailalerts", "list"))


async def test_once_the_bot_is_invited_again_the_next_news_arrives_by_itself(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "UNBLOCK", timedelta(0))
    await subscribed(stage)
    stage.slack.channels[OPS].bot_in = False
    first = (await come_back(stage))[0]
    await asyncio.sleep(1.5)
    stage.slack.channels[OPS].bot_in = True
    second = (await come_back(stage))[0]
    news = await stage.until(lambda: told(stage, " of Spring lapsed came back"))
    assert str(second.id) in everything(news[0])
    assert str(first.id) not in everything(news[0])
    assert "could not be posted" not in everything(await stage.say("/mailalerts", "list"))


async def test_a_channel_that_is_told_nothing_cannot_be_muted(stage: Stage) -> None:
    assert "gets no alerts yet" in (await stage.say("/mailalerts", "mute 2h")).text


async def test_rate_limits_are_waited_for_and_the_news_still_arrives(stage: Stage) -> None:
    await subscribed(stage)
    stage.slack.faults.append(Fault("chat.postMessage", "ratelimited", 429, retry_after=1, times=3))
    await come_back(stage)
    await stage.until(lambda: told(stage, " of Spring lapsed came back"))
    assert len(told(stage, " of Spring lapsed came back")) == 1


async def test_slack_in_trouble_delays_the_news_but_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "REST", timedelta(seconds=1))
    await subscribed(stage)
    stage.slack.faults.append(Fault("chat.postMessage", status=500, times=2))
    await come_back(stage)
    await stage.until(lambda: told(stage, " of Spring lapsed came back"))
    assert len(told(stage, " of Spring lapsed came back")) == 1


async def test_a_deleted_card_is_posted_anew(stage: Stage) -> None:
    await subscribed(stage)
    await come_back(stage, 1, "delivered")
    card = (await stage.until(lambda: told(stage, "Spring lapsed: ")))[0]
    stage.slack.messages.remove(card)
    await come_back(stage, 1, "delivered")
    fresh = (await stage.until(lambda: told(stage, "Spring lapsed: ")))[0]
    assert fresh.ts != card.ts


async def test_the_card_closes_when_every_piece_has_reached_its_end(stage: Stage) -> None:
    await subscribed(stage)
    await come_back(stage, 12, "delivered")
    await stage.until(lambda: [m for m in stage.slack.messages if "All done" in everything(m)])


async def test_bare_mailalerts_opens_the_settings_with_what_is_set(stage: Stage) -> None:
    await stage.slack.command(ANA, OPS, "/mailalerts")
    form = await stage.modal(holding="All campaigns")
    assert "gets no alerts yet" in everything(form)
    assert (await stage.slack.submit(ANA, form)).ok
    await stage.until(lambda: told(stage, "switched mail alerts on"))
    listed = await stage.say("/mailalerts", "list")
    await stage.press(listed, "alert_settings")
    assert "*all campaigns* (cancelled, returned)" in everything(await stage.modal(holding="Now:"))


async def call_about_strangers(stage: Stage, updated: str = "", scanned: str = "") -> None:
    """Stannp tells of three pieces that nobody has met, ordered long ago, which came back."""
    row = {"campaign_id": 222, "timestamp": long_ago(120), "status": "returned", "type": "postcard", "format": "6x9"}
    row |= {"updated": updated} if updated else {}
    row |= {"tracking": [{"status": "returned", "date": scanned, "location": "Austin"}]} if scanned else {}
    told_of = [{"id": number, **row} for number in range(900001, 900004)]
    raw = json.dumps({"event": "mailpiece_status", "mailpieces": told_of}).encode()
    assert await stage.stannp.call_webhook(f"http://127.0.0.1:{stage.app.port}/webhooks/stannp", raw) == 200
    await stage.merged()


def long_ago(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S}"


async def queued(stage: Stage) -> int:
    counting = select(func.count()).select_from(outbox)
    return await stage.app.services.memory.read(lambda connection: connection.scalar(counting) or 0)


async def test_old_mail_that_stannp_says_came_back_now_is_news(stage: Stage) -> None:
    await subscribed(stage)
    # Stannp calls when a status changes: however old the order is, it rose now.
    await call_about_strangers(stage)
    await stage.until(lambda: told(stage, " of Spring lapsed came back"))


@pytest.mark.parametrize("told_by", ["updated", "scanned"])
async def test_old_mail_that_came_back_long_ago_is_history_however_it_is_told(stage: Stage, told_by: str) -> None:
    await subscribed(stage)
    await call_about_strangers(stage, **{told_by: long_ago(100)})
    assert await queued(stage) == 0


async def test_what_was_told_before_anybody_asked_for_news_is_history(stage: Stage) -> None:
    await call_about_strangers(stage)
    await subscribed(stage)
    await call_about_strangers(stage)
    await call_about_strangers(stage, scanned=long_ago(0))
    await stage.poll()
    assert await queued(stage) == 0


async def alerts_of(stage: Stage) -> dict[str, set[str]]:
    """What the channel is told of: campaigns by name ("" for all), and what of each."""
    current = await stage.app.services.memory.read(workspaces.subscriptions_of, stage.app.workspace.id, ChannelId(OPS))
    return {one.campaign_name: {str(want) for want in one.notify_on} for one in current}


async def at_rest(stage: Stage) -> None:
    kinds = ("command:", "action:", "view:")
    await stage.until(lambda: not [one for one in stage.app.in_flight.tasks if one.get_name().startswith(kinds)])


async def test_what_was_turned_off_by_mistake_is_undone_for_ten_minutes_with_the_news_from_between(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await subscribed(stage, "on Holiday postcards")
    await subscribed(stage, "on all")
    before = await alerts_of(stage)
    off = await stage.say("/mailalerts", "off")
    await come_back(stage)
    assert await alerts_of(stage) == {}
    await stage.press(off, "alerts_undo", user=BEN)
    await stage.until(lambda: "turned mail alerts on again" in off.text)
    assert await alerts_of(stage) == before
    await stage.until(lambda: told(stage, " of Spring lapsed came back"))
    off = await stage.say("/mailalerts", "stop")
    monkeypatch.setattr(offer_view, "UNDO", timedelta(0))
    heard = await stage.press(off, "alerts_undo", user=BEN)
    assert "ten minutes" in (await stage.answer(heard, BEN)).text
    assert await alerts_of(stage) == {}


async def test_a_mute_is_said_to_everyone_and_can_be_taken_back(stage: Stage) -> None:
    await subscribed(stage)
    muted = await stage.say("/mailalerts", "mute until Monday")
    assert muted.only_for is None
    await stage.press(muted, "alerts_undo", user=BEN)
    await stage.until(lambda: "took the mute back" in muted.text)
    assert "Muted until" not in everything(await stage.say("/mailalerts", "list"))


@pytest.mark.calm(*ZONELESS)
async def test_one_campaign_beside_all_neither_doubles_nor_drops_either(stage: Stage) -> None:
    await subscribed(stage, "on Holiday postcards")
    await subscribed(stage, "on all")
    assert set(await alerts_of(stage)) == {"", "Holiday postcards"}
    again = await stage.say("/mailalerts", "on Spring lapsed")
    assert "already on" in again.text
    listed = everything(await stage.say("/mailalerts", "list"))
    for word in ("all campaigns but these", "Holiday postcards", "one live card", "a digest at 9:00", "Chicago time"):
        assert word in listed
    one = await stage.say("/mailalerts", "off Spring lapsed")
    assert "all campaigns, *Spring lapsed* among them" in one.text
    assert "not told" not in one.text
    await stage.press(one, "alerts_do", value_of(one, "Only the card"))
    await at_rest(stage)
    assert (await alerts_of(stage))["Spring lapsed"] == set()
    assert set(await alerts_of(stage)) == {"", "Holiday postcards", "Spring lapsed"}


def value_of(message: Posted, label: str) -> str:
    """What the button beside this label carries."""
    return str(next(block["accessory"]["value"] for block in message.blocks if label in str(block["text"])))


@pytest.mark.calm(*ZONELESS)
async def test_saving_the_settings_of_one_campaign_drops_no_other_and_moves_no_hours(stage: Stage) -> None:
    await subscribed(stage)
    stage.slack.users[BEN].zone = "Europe/Paris"
    await stage.slack.command(BEN, OPS, "/mailalerts")
    form = await stage.modal(BEN, holding="All campaigns")
    assert "Times are in Chicago time" in everything(form)
    assert "Use my time zone (Paris)" in everything(form)
    values = initial_values(form.view)
    menu = find_element(form.view["blocks"], "campaign")
    values["campaign"]["campaign"]["selected_option"] = next(o for o in menu["options"] if "lapsed" in str(o))
    assert (await stage.slack.submit(BEN, form, values)).ok
    await at_rest(stage)
    assert set(await alerts_of(stage)) == {"", "Spring lapsed"}
    chosen = await stage.app.services.memory.read(channel_settings.of, stage.app.workspace.id, ChannelId(OPS))
    assert chosen.zone == "America/Chicago"
    stage.slack.close_views(BEN)
    await stage.slack.command(BEN, OPS, "/mailalerts")
    form = await stage.modal(BEN, holding="Stays on")
    values = initial_values(form.view)
    values["keep"]["keep"]["selected_options"] = values["keep"]["keep"]["selected_options"][:1]
    values["zone"]["zone"]["selected_options"] = [{"value": "Europe/Paris"}]
    assert (await stage.slack.submit(BEN, form, values)).ok
    await at_rest(stage)
    assert set(await alerts_of(stage)) == {""}
    chosen = await stage.app.services.memory.read(channel_settings.of, stage.app.workspace.id, ChannelId(OPS))
    assert chosen.zone == "Europe/Paris"
