"""News on its way to Slack: what is posted and what only the card tells, and what becomes of what Slack does not take."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from handlers.alerts import actions, cards, delivery, switching
from handlers.alerts.delivery import BUSY_REST, LONGEST_REST, REST, OutboxSender, Turn, _put_off, _unknown
from handlers.alerts.notices import SWITCHED_OFF
from handlers.errors import (
    ChannelClosed,
    MessageGone,
    MessageRefused,
    NotInChannel,
    PlatformDown,
    SlackBusy,
    SlackDown,
    SlackRefused,
    Trouble,
    WorkspaceGone,
)
from storage import channel_settings, outbox, workspaces
from storage.cards import BEHIND, Card, cards_of
from storage.outbox import Item, NewsBatch
from storage.records import NO_CAMPAIGN, CampaignId, NotifyOn, PieceId, WorkspaceId
from storage.schema.tables import outbox as table
from storage.statuses import Status, status_of
from tests.fakes import FakeTenants
from tests.handlers.conftest import ANA, OPS, Office, pressable

WANTS = frozenset({NotifyOn.RETURNED, NotifyOn.CANCELLED})
R, RETURNED = Status.RECEIVED, Status.RETURNED
BATCH = NewsBatch(WorkspaceId(1), OPS, CampaignId(1), (Item(1, PieceId(1), RETURNED),))


async def subscribed(office: Office, wants: frozenset[NotifyOn] = WANTS) -> None:
    long_ago = office.clock.now() - timedelta(days=8)
    office.write(workspaces.subscribe, office.workspace.id, OPS, NO_CAMPAIGN, wants, ANA, long_ago)


async def news(office: Office, *statuses: Status, wants: frozenset[NotifyOn] = WANTS) -> None:
    """Pieces that were received rise to these, and the channel is told of it."""
    await office.campaign(*[R] * len(statuses))
    await subscribed(office, wants)
    await office.campaign(*statuses)
    office.policy(settle=timedelta(seconds=-10), pace=timedelta(0))


def rested(office: Office) -> None:
    """As if the channel had rested."""
    office.write(lambda c: c.exec_driver_sql("UPDATE channels SET next_at = 0, lease_until = 0"))


async def serve(office: Office, turns: int = 6, sender: OutboxSender | None = None) -> OutboxSender:
    sender = sender or OutboxSender(office.services, FakeTenants(office.services))
    for _ in range(turns):
        rested(office)
        await sender._begin_due()
        while sender.flying:
            await asyncio.wait([*sender.flying])
    return sender


def _name(rank: int) -> str:
    status = status_of(rank)
    return status.name if status else ""


def rows(office: Office) -> list[tuple[str, bool, str]]:
    """Status, whether it was sent, and the refusal of each row."""
    found = office.read(lambda c: c.execute(select(table).order_by(table.c.piece_id)).all())
    return [(_name(one.status), bool(one.message_ts), one.refusal) for one in found]


async def test_a_card_comes_first_then_the_news_in_its_thread_returns_before_the_rest(office: Office) -> None:
    await news(office, Status.CANCELLED, RETURNED, Status.DELIVERED, RETURNED)
    await serve(office)
    posts = office.slack.of("post")
    assert [one.thread for one in posts] == [None, posts[0].ts, posts[0].ts]
    assert "2 came back, 1 cancelled" in posts[0].text
    assert "2 " in posts[1].text
    assert "came back" in posts[1].text
    assert "ancelled" in posts[2].text
    assert [sent for _, sent, _ in rows(office)] == [True] * 4
    assert not any(one.broadcast for one in posts)


async def test_returns_are_shown_in_the_channel_as_well_where_that_is_wanted(office: Office) -> None:
    await news(office, RETURNED, Status.CANCELLED, wants=WANTS | {NotifyOn.BROADCAST})
    await serve(office)
    assert [one.broadcast for one in office.slack.of("post")] == [False, True, False]


async def test_what_nobody_wants_only_moves_the_card(office: Office) -> None:
    await news(office, Status.DELIVERED)
    await serve(office)
    assert len(office.slack.of("post")) == 1
    assert rows(office) == [("DELIVERED", True, "")]


async def test_what_was_switched_off_before_it_was_told_is_not_told(office: Office) -> None:
    await news(office, RETURNED)
    office.write(workspaces.unsubscribe, office.workspace.id, OPS, None)
    await serve(office)
    assert office.slack.said == []
    assert rows(office) == [("RETURNED", False, SWITCHED_OFF)]


async def test_undone_what_waited_at_the_off_and_what_came_after_it_is_told(office: Office) -> None:
    await news(office, RETURNED, R)
    await switching.switch_off(office.services, office.request(), NO_CAMPAIGN, "all campaigns")
    ((_, value),) = pressable(office.slack.last.shown.blocks)
    await serve(office)
    assert rows(office) == [("RETURNED", False, SWITCHED_OFF)]
    office.clock.pass_time(minutes=2)
    await office.campaign(RETURNED, Status.CANCELLED)
    assert len(rows(office)) == 1, "nobody is subscribed"
    office.clock.pass_time(minutes=2)
    await actions.undo(office.services, office.request(), value)
    await serve(office)
    assert rows(office) == [("RETURNED", True, ""), ("CANCELLED", True, "")]
    await actions.undo(office.services, office.request(), value)
    await serve(office)
    assert len(rows(office)) == 2, "and once"


@pytest.mark.parametrize("refusal", [NotInChannel(), ChannelClosed()])
async def test_a_channel_that_a_person_must_mend_rests_with_the_reason(office: Office, refusal: Trouble) -> None:
    await news(office, RETURNED)
    office.slack.fail("post", refusal)
    await serve(office, 1)
    assert rows(office)[0][1] is False
    (known,) = office.read(workspaces.subscriptions_of, office.workspace.id, OPS)
    assert known.blocked == str(refusal)
    assert office.read(channel_settings.listeners, office.workspace.id, office.clock.now())[0].resting


async def test_a_message_that_slack_never_takes_ends_alone(office: Office) -> None:
    await news(office, RETURNED, Status.CANCELLED)
    office.slack.fail("post", None, MessageRefused("too odd"))
    await serve(office)
    assert rows(office) == [("RETURNED", False, "too odd"), ("CANCELLED", True, "")]


async def test_an_outage_puts_off_and_loses_nothing(office: Office) -> None:
    await news(office, RETURNED)
    office.slack.fail("post", SlackDown(), SlackBusy(), PlatformDown())
    await serve(office, 3)
    assert office.slack.said == []
    await serve(office)
    assert rows(office) == [("RETURNED", True, "")]


async def test_an_unknown_word_of_slacks_is_tried_some_times_and_then_ends_that_message_alone(office: Office) -> None:
    await news(office, RETURNED, Status.CANCELLED)
    office.slack.fail("post", None, *[SlackRefused("what?", code="odd")] * delivery.ENOUGH)
    sender = await serve(office, delivery.ENOUGH)
    assert rows(office)[0][1] is False
    await serve(office, 4, sender)
    assert rows(office) == [("RETURNED", False, "what?"), ("CANCELLED", True, "")]


async def test_a_known_outage_between_does_not_count_and_another_word_counts_anew(office: Office) -> None:
    await news(office, RETURNED)
    odd, other = SlackRefused(code="odd"), SlackRefused(code="other")
    office.slack.fail("post", *[odd] * (delivery.ENOUGH - 1), other, *[odd] * (delivery.ENOUGH - 1))
    sender = await serve(office, 2 * delivery.ENOUGH - 1)
    await serve(office, 3, sender)
    assert rows(office) == [("RETURNED", True, "")]


async def test_a_fault_of_our_own_rests_the_channel_and_is_named_by_a_reference(office: Office) -> None:
    await news(office, RETURNED)
    office.slack.fail("post", *[ZeroDivisionError()] * delivery.ENOUGH)
    await serve(office, delivery.ENOUGH)
    assert "reference" in rows(office)[0][2]


async def test_a_workspace_that_is_gone_is_put_off(office: Office) -> None:
    await news(office, RETURNED)
    sender = OutboxSender(office.services, FakeTenants(office.services, gone=True))
    await serve(office, 2, sender)
    assert (office.slack.said, rows(office)[0][1]) == ([], False)


async def test_asked_to_stop_or_without_room_nothing_is_begun(office: Office) -> None:
    await news(office, RETURNED)
    sender = OutboxSender(office.services, FakeTenants(office.services))
    sender.stop()
    assert await sender.serve() == 0
    sender.away_until = delivery._uptime() + 60
    assert await sender._begin_due() == 0


async def test_serving_ends_when_nothing_is_due(office: Office) -> None:
    assert await delivery.deliver_due(office.services, FakeTenants(office.services)) == 0
    await news(office, RETURNED)
    assert await delivery.deliver_due(office.services, FakeTenants(office.services)) == 2
    assert len(office.slack.of("post")) == 2


async def test_what_is_no_longer_leased_is_not_said(office: Office) -> None:
    await news(office, RETURNED)
    sender = OutboxSender(office.services, FakeTenants(office.services))
    with pytest.raises(delivery.LeaseLost):
        await sender.require_lease(BATCH)
    held = office.write(outbox.hold, office.workspace.id, OPS)
    assert held is not None
    mine = replace(BATCH, workspace_id=office.workspace.id, token=held.token)
    await sender.require_lease(mine)
    assert sender.sure


# ---- How long it rests ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "tries", "rest"),
    [
        (None, 0, REST),
        (SlackDown(), 0, REST),
        (SlackDown(), 1, 2 * REST),
        (SlackDown(), 4, 16 * REST),
        (SlackDown(), 5, LONGEST_REST),
        (SlackDown(), 5000, LONGEST_REST),
        (SlackBusy(retry_after=0), 0, BUSY_REST),
        (SlackBusy(retry_after=0), 3, 8 * BUSY_REST),
        (SlackBusy(retry_after=40), 0, timedelta(seconds=40)),
        (SlackBusy(retry_after=40), 6, timedelta(seconds=64)),
    ],
)
def test_a_channel_rests_longer_with_each_failure_and_no_shorter_than_slack_asks(
    trouble: Trouble | None, tries: int, rest: timedelta
) -> None:
    found = _put_off(replace(BATCH, tries=tries), "why", trouble)
    assert (found.rest, found.failed, found.refusal, found.told, found.refused) == (rest, True, "why", (), ())


def test_whether_slack_took_it_is_in_doubt_where_its_answer_was_lost() -> None:
    assert _put_off(BATCH, "", SlackDown()).in_doubt
    assert _put_off(BATCH, "").in_doubt
    assert not _put_off(BATCH, "", SlackBusy()).in_doubt
    since = replace(BATCH, doubt_since=outbox.NEVER)
    assert _put_off(since, "", SlackBusy()).in_doubt, "once in doubt, always"


def test_only_slacks_own_unknown_words_are_unknown() -> None:
    assert _unknown(SlackRefused(code="odd")) == "odd"
    assert _unknown(SlackRefused()) == "no reason"
    assert [_unknown(one) for one in (SlackDown(code="x"), MessageRefused(code="x"), WorkspaceGone(code="x"))] == [
        ""
    ] * 3


def test_the_first_row_names_what_is_being_said() -> None:
    async def sure() -> None:
        return None

    assert Turn(BATCH, sure).saying == BATCH.items


# ---- The card ---------------------------------------------------------------------------------------------------


def card(office: Office, campaign_id: CampaignId) -> Card | None:
    key = office.workspace.id, OPS, campaign_id
    return office.read(cards_of, [key]).get(key)


async def carded(office: Office) -> CampaignId:
    """A channel with a card, of which one more piece has moved; a minute has passed."""
    await news(office, Status.DELIVERED, R)
    await serve(office, 2)
    office.clock.pass_time(seconds=61)
    campaign = await office.campaign(Status.DELIVERED, Status.PRODUCING)
    return campaign.id


async def refreshed(office: Office) -> None:
    rested(office)
    await cards.refresh(office.services, office.workspace.id)


async def test_a_card_is_brought_up_to_date_once_a_minute(office: Office) -> None:
    campaign_id = await carded(office)
    await refreshed(office)
    (edit,) = office.slack.of("edit")
    before = card(office, campaign_id)
    assert before is not None
    assert edit.place == f"{OPS},{before.message_ts}"
    assert before.edited_at == office.clock.now()
    await refreshed(office)
    assert len(office.slack.of("edit")) == 1
    office.clock.pass_time(seconds=1)
    await office.campaign(Status.DELIVERED, Status.DELIVERED)
    office.clock.pass_time(seconds=58)
    await refreshed(office)
    assert len(office.slack.of("edit")) == 1
    office.clock.pass_time(seconds=2)
    await refreshed(office)
    assert len(office.slack.of("edit")) == 2


async def test_a_card_that_is_gone_is_posted_anew(office: Office) -> None:
    campaign_id = await carded(office)
    office.slack.fail("edit", MessageGone())
    await refreshed(office)
    new = card(office, campaign_id)
    assert new is not None
    assert new.message_ts == office.slack.of("post")[-1].ts


@pytest.mark.parametrize("trouble", [SlackDown(), SlackRefused()])
async def test_a_card_that_slack_does_not_take_now_is_tried_a_minute_later(office: Office, trouble: Trouble) -> None:
    campaign_id = await carded(office)
    before = card(office, campaign_id)
    office.slack.fail("edit", trouble)
    await refreshed(office)
    after = card(office, campaign_id)
    assert before is not None
    assert after == replace(before, shows=BEHIND, edited_at=office.clock.now())
    await refreshed(office)
    assert office.slack.of("edit") == []
    office.clock.pass_time(seconds=61)
    await refreshed(office)
    assert len(office.slack.of("edit")) == 1


async def test_where_nothing_changed_that_it_shows_it_is_not_edited(office: Office) -> None:
    await news(office, Status.DELIVERED)
    await serve(office, 2)
    office.clock.pass_time(seconds=61)
    await office.campaign(Status.DELIVERED, cost=None)
    office.write(lambda c: c.exec_driver_sql("UPDATE campaigns SET changed_at = changed_at + 3600000000"))
    await refreshed(office)
    assert office.slack.of("edit") == []


async def test_news_edits_a_card_only_where_it_is_no_longer_young(office: Office) -> None:
    await news(office, RETURNED, R)
    await serve(office, 2)
    await office.campaign(RETURNED, RETURNED)
    await serve(office, 2)
    assert office.slack.of("edit") == [], "the card was posted a moment ago"
    office.clock.pass_time(seconds=60)
    office.policy(card_pace=timedelta(seconds=60))
    await office.campaign(RETURNED, RETURNED, R)
    await office.campaign(RETURNED, RETURNED, RETURNED)
    await serve(office, 2)
    assert len(office.slack.of("edit")) == 1


def test_the_fingerprint_a_card_is_of_its_numbers() -> None:
    from storage.records import Mix

    one = Mix({Status.DELIVERED: 3})
    assert cards.fingerprint(None, one, "$1") == cards.fingerprint(None, Mix({Status.DELIVERED: 3}), "$1")
    others: list[Any] = [
        (None, Mix({Status.DELIVERED: 4}), "$1"),
        (None, Mix({Status.DELIVERED: 3}, 1), "$1"),
        (None, one, "$2"),
    ]
    assert len({cards.fingerprint(*given) for given in others} | {cards.fingerprint(None, one, "$1")}) == 4
