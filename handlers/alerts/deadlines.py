"""The day by which a campaign is to be in homes, for a channel that is told of it."""

from functools import partial

from handlers.alerts import risks
from handlers.alerts import view as alerts_view
from handlers.alerts.holding import holding
from handlers.alerts.state import State
from handlers.context import matching, replies
from handlers.context.asker import today_of
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import days_ahead, formatting, short_answers
from handlers.text.days_ahead import Deadline
from handlers.text.messages import escape
from storage import channel_settings
from storage.audit import Act
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSubscription


async def set_deadline(services: Services, request: Request, asked: Deadline) -> None:
    """Keeps the day by which a campaign is to be in homes, for a channel that is told of it. Raises Refusal."""
    campaign_id, name = await _named_campaign(services, request, asked.what.removeprefix("on "))
    if campaign_id == NO_CAMPAIGN:
        raise Refusal("Name the campaign: `/mailalerts Spring in home by Dec 12`.")
    today = await today_of(services, request)
    day = None if asked.day.casefold() == "off" else days_ahead.read(asked.day, today)
    if day is not None and day <= today:
        raise Refusal(f"{formatting.day(day)} is already over. Choose a later day.")
    below = asked.below or risks.BELOW
    await _require_told(services, request, campaign_id, name)
    async with holding(services, request.workspace.id, request.channel) as held:
        if held is None:
            raise Refusal("This channel is being written to. Try again in a moment.")
        current = await _require_told(services, request, campaign_id, name)
        state = State.read(current.state).with_deadline(campaign_id, day, below, first=not current.state)
        keep = partial(channel_settings.told, held=held, state=state.written())
        where = f"channel {request.channel}, in homes by {day or 'no day'}"
        await record_audit(services, request, Act.RULES, name, where, work=keep)
    if day is None:
        said = f"No day is set for *{escape(name)}* any more."
    else:
        said = (
            f"*{escape(name)}* is to be in homes by {formatting.day(day)}. This channel is told once, when the chance "
            f"of that falls below {below}%. `/mailalerts {escape(name)} in home by off` ends it."
        )
    await replies.to_channel(services, request, short_answers.plain(said))


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
