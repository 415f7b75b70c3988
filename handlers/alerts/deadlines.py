"""The day by which a campaign is to be in homes, for a channel that is told of it."""

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final

from handlers.alerts import home_by, switching
from handlers.alerts import view as alerts_view
from handlers.alerts.holding import holding
from handlers.alerts.state import State
from handlers.context import kept, matching, replies
from handlers.context.asker import today_of
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.forecast import words
from handlers.text import days_ahead, formatting, short_answers
from handlers.text.days_ahead import Deadline
from handlers.text.messages import escape
from storage import channel_settings
from storage.audit import Act
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSubscription

BUSY: Final = "This channel is being written to. Try again in a moment."


async def set_deadline(services: Services, request: Request, asked: Deadline) -> None:
    """Keeps the day by which a campaign is to be in homes, for a channel that is told of it. Raises Refusal."""
    campaign_id, name = await _named_campaign(services, request, asked.what.removeprefix("on "))
    if campaign_id == NO_CAMPAIGN:
        raise Refusal("Name the campaign: `/mailalerts Spring in home by Dec 12`.")
    today = await today_of(services, request)
    day = None if asked.day.casefold() == "off" else days_ahead.read(asked.day, today)
    if day is not None and day <= today:
        when = "today" if day == today else "already over"
        raise Refusal(f"{formatting.day(day)} is {when}. Choose a later day.")
    if day is None:
        await end_day(services, request, campaign_id, name)
        return
    below = await _keep_day(services, request, campaign_id, name, day, asked.below)
    said = (
        f"*{escape(name)}* is to be in homes by {formatting.day(day)}. I'll warn this channel once if the chance "
        f"that nearly all of it ({words.NEARLY_ALL}) is there in time falls below {below}%. "
        f"`/mailalerts {escape(name)} in home by off` ends it."
    )
    await replies.to_channel(services, request, short_answers.plain(said))


async def end_day(services: Services, request: Request, campaign_id: CampaignId, name: str) -> None:
    """Takes the day of a campaign away, and says so in the channel; where it had none, the asker alone reads of it.
    Raises Refusal."""
    ended = await _keep_day(services, request, campaign_id, name, None) is not None
    if ended or kept.was_done(request.kept):
        await replies.to_channel(services, request, short_answers.plain(no_day(name)))
        return
    text = f"No day was set for *{escape(name)}*, so nothing changed."
    await replies.to_asker(services, request, short_answers.plain(text))


async def _keep_day(
    services: Services, request: Request, campaign_id: CampaignId, name: str, day: date | None, below: int | None = None
) -> int | None:
    """Keeps the day of a campaign that the channel is told of, or that it has none; gives the chance below which it is
    told, None where it had none before. Raises Refusal."""
    await _require_told(services, request, campaign_id, name)
    async with holding(services, request.workspace.id, request.channel) as held:
        if held is None:
            raise Refusal(BUSY)
        current = await _require_told(services, request, campaign_id, name)
        known = State.read(current.state)
        below = below or known.below or home_by.BELOW
        if day is None and str(campaign_id) not in known.deadlines:
            # Two who take the same day away.
            return None
        state = known.with_deadline(campaign_id, day, below, first=not current.state)
        keep = partial(channel_settings.told, held=held, state=state.written())
        where = f"channel {request.channel}, in homes by {day or 'no day'}"
        await record_audit(services, request, Act.RULES, name, where, work=keep)
    return below


def no_day(name: str) -> str:
    """Said in the channel when a campaign's day was taken away."""
    return f"No day is set for *{escape(name)}* any more."


async def save(services: Services, request: Request, ended: Collection[CampaignId], below: int | None) -> None:
    """The settings were saved: these days end, and the rest is told of below this chance (None: as it is).

    Says in the channel what has changed; not where nothing is told any more, which was said a moment ago. Raises
    Refusal.
    """
    key, channel = request.workspace.id, request.channel
    days = await services.memory.read(switching.days_of, key, channel)
    gone = [one for one in days if one.campaign in ended]
    moved = [one for one in days if below and one.below != below and one not in gone]
    if not gone and not moved:
        return
    async with holding(services, key, channel) as held:
        if held is None:
            raise Refusal(BUSY)
        state = State.read(await services.memory.read(channel_settings.state_of, key, channel))
        for one in gone:
            state = state.with_deadline(one.campaign, None, one.below, first=False)
        for one in moved:
            state = state.with_deadline(one.campaign, one.day, below or one.below, first=False)
        state = replace(state, below=below or state.below)
        keep = partial(channel_settings.told, held=held, state=state.written())
        subject = ", ".join(one.name for one in (*gone, *moved))
        await record_audit(services, request, Act.RULES, subject, f"channel {channel}, days in homes", work=keep)
    if not await services.memory.read(channel_settings.listeners, key, services.clock.now(), channel):
        return
    said = [no_day(one.name) for one in gone]
    said += [f"This channel is told once the chance of a day in homes falls below {below}%."] if moved else []
    await replies.to_channel(services, request, short_answers.plain(" ".join(said)))


async def _require_told(
    services: Services, request: Request, campaign_id: CampaignId, name: str
) -> ChannelSubscription:
    """What the channel is told of; raises Refusal where this campaign is not among it."""
    now = services.clock.now()
    found = await services.memory.read(channel_settings.listeners, request.workspace.id, now, request.channel)
    if not found or found[0].hears_of(campaign_id) is None:
        raise Refusal(f"This channel is not told of {name}. `/mailalerts on` changes that.")
    return found[0]


async def _named_campaign(services: Services, request: Request, target: str) -> tuple[CampaignId, str]:
    """The campaign of this name and its name; raises Refusal naming the nearest."""
    if not target or target.casefold() in ("all", alerts_view.EVERY):
        return NO_CAMPAIGN, alerts_view.EVERY
    found = await services.memory.read(matching.match, request.workspace.id, target)
    if len(found.found) == 1 and found.sure:
        return found.found[0].id, found.found[0].facts.name
    names = [one.facts.name for one in found.found[:3]] or found.near
    raise Refusal(short_answers.no_campaign(target, names))
