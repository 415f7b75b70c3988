"""The living card of a campaign in a channel: what it shows, and how it is kept up to date at most once a minute."""

import hashlib
import json
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers import figures
from handlers.messages import Message
from handlers.ports import MessageGone, Outage, Refusal
from handlers.services import Services
from handlers.views import alerts
from storage import choices, enquiries, outbox, workspaces
from storage.outbox import Card, Parcel
from storage.records import CampaignId, ChannelId, Mix, Money, StoredCampaign, WorkspaceId

log = structlog.get_logger()

#: Slack lets an app edit some fifty messages a minute in a team (tier 3); news needs some of them.
A_MINUTE: Final = 40


def spent_line(mix: Mix, currency: str) -> str:
    """What the campaign cost so far."""
    return f"Spent {figures.money(Money(mix.spent, currency))}"


def digest_of(campaign: StoredCampaign | None, mix: Mix, spent: str) -> str:
    """Of the card's numbers. Its moment does not count: that alone is no reason for an edit."""
    name = campaign.facts.name if campaign else ""
    numbers = [name, mix.in_order(), mix.other, spent]
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()[:16]


async def refresh(services: Services, workspace_id: WorkspaceId) -> None:
    """Edits the cards whose campaigns moved, those first that have waited longest."""
    now = services.clock.now()
    before = now - services.policy.card_pace
    for channel, campaign_id in await services.memory.read(choices.stale_cards, workspace_id, before, now, A_MINUTE):
        parcel = Parcel(workspace_id, channel, campaign_id, ())
        card = await _refreshed(services, parcel)
        if card is not None:
            await services.memory.write(outbox.keep_card, parcel, card)


async def _refreshed(services: Services, parcel: Parcel) -> Card | None:
    """The card as it stands now; None when it is gone. What Slack does not take now is tried again a minute later."""
    now = services.clock.now()
    card, shows, message = await services.memory.read(_look, parcel, now)
    if card is None:
        return None
    if card.shows == shows:
        return Card(card.message_ts, shows, now)
    try:
        await services.slack.edit(parcel.channel, card.message_ts, message)
    except MessageGone:
        return await _anew(services, parcel, shows, message, now)
    except (Outage, Refusal) as trouble:
        log.info("card.later", channel=parcel.channel, reason=type(trouble).__name__, code=trouble.code)
        return Card(card.message_ts, card.shows, now)
    return Card(card.message_ts, shows, now)


async def _anew(services: Services, parcel: Parcel, shows: str, message: Message, now: datetime) -> Card | None:
    try:
        return Card(await services.slack.post(parcel.channel, message), shows, now)
    except (Outage, Refusal) as trouble:
        log.info("card.later", channel=parcel.channel, reason=type(trouble).__name__, code=trouble.code)
        return None


def _look(connection: Connection, parcel: Parcel, now: datetime) -> tuple[Card | None, str, Message]:
    workspace_id, campaign_id = parcel.workspace_id, parcel.campaign_id
    card = outbox.cards_of(connection, [parcel]).get(_key(parcel))
    campaign = enquiries.campaign(connection, workspace_id, campaign_id)
    mix = enquiries.mix(connection, workspace_id, campaign_id)
    spent = spent_line(mix, workspaces.by_id(connection, workspace_id).currency)
    return card, digest_of(campaign, mix, spent), alerts.card(campaign, mix, spent, now)


def _key(parcel: Parcel) -> tuple[WorkspaceId, ChannelId, CampaignId]:
    return parcel.workspace_id, parcel.channel, parcel.campaign_id
