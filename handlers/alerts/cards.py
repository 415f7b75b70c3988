"""The living card of a campaign in a channel: what it shows, and how it is kept up to date at most once a minute."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.alerts import view as alerts_view
from handlers.alerts.holding import Overtaken, holding, record
from handlers.context.services import Services
from handlers.errors import MessageGone, Outage, Refusal
from handlers.text import formatting
from handlers.text.messages import Message
from storage import channel_settings, outbox, workspaces
from storage.cards import BEHIND, Card, cards_of, keep_card
from storage.outbox import Hold, NewsBatch
from storage.queries import mail as queries
from storage.records import ChannelId, Mix, Money, StoredCampaign, WorkspaceId

log = structlog.get_logger()

#: Slack lets an app edit some fifty messages a minute in a team (tier 3); news needs some of them.
A_MINUTE: Final = 40


def spent_line(mix: Mix, currency: str) -> str:
    """What the campaign cost so far."""
    return f"Spent {formatting.money(Money(mix.spent, currency))}"


def fingerprint(campaign: StoredCampaign | None, mix: Mix, spent: str) -> str:
    """Of the card's numbers. Its moment does not count: that alone is no reason for an edit."""
    name = campaign.facts.name if campaign else ""
    numbers = [name, mix.in_order(), mix.other, spent]
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:16]


async def refresh(services: Services, workspace_id: WorkspaceId) -> None:
    """Edits the cards whose campaigns moved, those first that have waited longest."""
    now = services.clock.now()
    before = now - services.policy.card_pace
    for channel, campaign_id in await services.memory.read(
        channel_settings.stale_cards, workspace_id, before, now, A_MINUTE
    ):
        async with holding(services, workspace_id, channel) as held:
            # Where news is on its way, it brings the card up to date.
            if held is not None:
                await _refresh(services, held, NewsBatch(workspace_id, channel, campaign_id, (), held.token))


async def _refresh(services: Services, held: Hold, batch: NewsBatch) -> None:
    card = await _refreshed(services, held, batch)

    def keep(connection: Connection) -> None:
        if card is not None and outbox.holds(connection, held):
            keep_card(connection, batch.key, card)

    # A card that was posted anew would else be posted once more.
    await record(services, keep)


async def _refreshed(services: Services, held: Hold, batch: NewsBatch) -> Card | None:
    """The card as it stands now; None when it is gone. What Slack does not take now is tried again a minute later."""
    now = services.clock.now()
    card, shows, message = await services.memory.read(_look, batch, now)
    if card is None:
        return None
    if card.shows == shows:
        return Card(card.message_ts, shows, now)
    try:
        await _require(services, held)
        await services.slack.edit(batch.channel, card.message_ts, message)
    except Overtaken:
        return None
    except MessageGone:
        return await _anew(services, held, batch.channel, Card("", shows, now), message)
    except (Outage, Refusal) as trouble:
        log.info("card.later", channel=batch.channel, reason=type(trouble).__name__, code=trouble.code)
        return Card(card.message_ts, BEHIND, now)
    return Card(card.message_ts, shows, now)


async def _require(services: Services, held: Hold) -> None:
    if not await services.memory.write(outbox.renew, [held]):
        raise Overtaken


async def _anew(services: Services, held: Hold, channel: ChannelId, card: Card, message: Message) -> Card | None:
    try:
        await _require(services, held)
        return replace(card, message_ts=await services.slack.post(channel, message))
    except (Outage, Refusal) as trouble:
        log.info("card.later", channel=channel, reason=type(trouble).__name__, code=trouble.code)
        return None


def _look(connection: Connection, batch: NewsBatch, now: datetime) -> tuple[Card | None, str, Message]:
    workspace_id, campaign_id = batch.workspace_id, batch.campaign_id
    card = cards_of(connection, [batch.key]).get(batch.key)
    campaign = queries.campaign(connection, workspace_id, campaign_id)
    mix = queries.mix(connection, workspace_id, campaign_id)
    spent = spent_line(mix, workspaces.by_id(connection, workspace_id).currency)
    return card, fingerprint(campaign, mix, spent), alerts_view.card(campaign, mix, spent, now)
