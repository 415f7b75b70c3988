"""`/mailalerts`: what a channel is told, by form or by words."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from handlers.alerts import deadlines, home_by, offer_view, switching, words
from handlers.alerts import view as alerts_view
from handlers.alerts.home_by import HomeBy
from handlers.alerts.words import AlertsAsk
from handlers.context import kept, matching, replies
from handlers.context.asker import zone_of
from handlers.context.matching import Match
from handlers.context.services import Request, Services
from handlers.text import days_ahead, parsing, short_answers
from handlers.text.days_ahead import Deadline
from handlers.text.messages import Message, quote
from storage import channel_settings, workspaces
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, CampaignId, ChannelSettings, Ended, StoredCampaign, Subscription

#: "Spring's alerts": of the campaign Spring.
OWNERS: Final = re.compile(r"['’]s$", re.IGNORECASE)


async def mail_alerts(services: Services, request: Request) -> None:
    """`/mailalerts`: what this channel is told. Bare opens the settings; words do the same by typing."""
    typed = parsing.clean(request.text)
    if parsing.wants_help(typed):
        await replies.to_asker(services, request, short_answers.help_alerts())
        return
    if not typed:
        # Before anything else: Slack lets a page be opened for three seconds only.
        await open_alert_settings(services, request)
        return
    typed = words.without_channel(typed, request.channel, request.channel_name)
    if elsewhere := await _elsewhere(services, request, typed):
        text = f"`/mailalerts` is about the channel it is typed in. Type it in {elsewhere}, without the channel's name."
        await replies.to_asker(services, request, short_answers.plain(text))
        return
    if (deadline := days_ahead.deadline(typed)) is not None:
        await _deadline(services, request, deadline)
        return
    now = services.clock.now().astimezone(await zone_of(services, request))
    asked = words.parse_alerts(typed, now)
    if asked.verb == "settings":
        await open_alert_settings(services, request)
    elif _is_setting(asked, typed) and not await _is_campaign(services, request, asked):
        await replies.to_asker(services, request, await _in_settings(services, request))
    elif asked.verb == "list":
        await replies.to_asker(services, request, await switching.listing(services, request))
    elif asked.verb == "unmute" and asked.sure and not asked.target:
        await switching.mute(services, request, None)
    elif asked.verb == "mute":
        await _mute(services, request, asked, now)
    else:
        await _switch(services, request, asked, typed, now)


async def _deadline(services: Services, request: Request, deadline: Deadline) -> None:
    """Sets the day; a question sets none."""
    if deadline.asks:
        await replies.to_asker(services, request, offer_view.in_homes(deadline))
    else:
        await deadlines.set_deadline(services, request, deadline)


def _is_setting(asked: AlertsAsk, typed: str) -> bool:
    """Whether something is named that is chosen in the settings alone."""
    return bool(words.SETTING.search(typed) or (not asked.verb and words.OF_KINDS.search(typed)))


async def _is_campaign(services: Services, request: Request, asked: AlertsAsk) -> bool:
    found = await services.memory.read(matching.match, request.workspace.id, asked.target) if asked.target else Match()
    return bool(found.found) and found.sure


async def _in_settings(services: Services, request: Request) -> Message:
    """What was asked for is chosen in the settings: how it is now, and the button."""
    chosen = await services.memory.read(channel_settings.of, request.workspace.id, request.channel)
    return offer_view.kinds(chosen if await switching.current(services, request) else None)


async def _elsewhere(services: Services, request: Request, typed: str) -> str:
    """The channel that was named, as it is shown; "" where none was, or a campaign is called so."""
    named = words.CHANNEL.search(typed)
    if named is None:
        return ""
    if named["id"]:
        return f"<#{named['id']}>"
    name = named["typed"].casefold().lstrip("#")
    known = await services.memory.read(queries.campaign_names, request.workspace.id)
    return "" if any(name in one.name.casefold() for one in known) else quote(named["typed"])


async def open_alert_settings(services: Services, request: Request) -> None:
    """Shows the settings of the channel that was asked in."""
    key, channel = request.workspace.id, request.channel

    def look(
        connection: Connection,
    ) -> tuple[list[Subscription], list[StoredCampaign], ChannelSettings, list[HomeBy], Ended, str]:
        current = workspaces.subscriptions_of(connection, key, channel)
        days = home_by.heard(switching.days_of(connection, key, channel), current)
        ended = channel_settings.ended(connection, key, channel)
        known = _offered(connection, request, [one.campaign_id for one in current] or ended.last)
        stood = switching.stands(connection, request)
        return current, known, channel_settings.of(connection, key, channel), days, ended, stood

    current, known, chosen, days, ended, stood = await services.memory.read(look)
    own = str(await zone_of(services, request))
    form = alerts_view.settings_form(channel, current, known, chosen, own, days, ended, stood)
    await services.slack.open_view(request.trigger_id, form)


def _offered(connection: Connection, request: Request, told: Sequence[CampaignId]) -> list[StoredCampaign]:
    """Those that the channel is told of, or was, however old they are, and as many of the latest as have room."""
    key, most = request.workspace.id, alerts_view.OFFERED
    own = [one for one in told if one != NO_CAMPAIGN][:most]
    latest = [one for one in queries.latest_campaigns(connection, key, most) if one.id not in own]
    return [*latest[: most - len(own)], *queries.campaigns_by_id(connection, key, own)]


async def _mute(services: Services, request: Request, asked: AlertsAsk, now: datetime) -> None:
    """Mutes until the moment that was said; else asks for how long."""
    if asked.until is not None and asked.sure:
        await switching.mute(services, request, asked.until)
    elif not await switching.current(services, request):
        await replies.to_asker(services, request, await switching.listing(services, request))
    else:
        await replies.to_asker(services, request, offer_view.mutes(*words.mornings(now)))


async def mute_until(services: Services, request: Request, end: datetime) -> None:
    """A mute that was offered; pressed so late that it would be over, it is offered anew."""
    now = services.clock.now()
    if end > now or kept.was_done(request.kept):
        await switching.mute(services, request, end)
        return
    mornings = words.mornings(now.astimezone(await zone_of(services, request)))
    await replies.to_asker(services, request, offer_view.mutes(*mornings, again=True))


async def _switch(services: Services, request: Request, asked: AlertsAsk, typed: str, now: datetime) -> None:
    """On or off where it is clear what is meant; else that is asked with buttons."""
    asked, found = await services.memory.read(_meant, request, asked)
    campaign = found.found[0] if found.sure and len(found.found) == 1 else None
    if asked.verb == "on" and asked.sure and not asked.target and not words.EVERY.search(typed):
        await switching.turn_on(services, request)
    elif asked.verb in ("on", "off") and asked.sure and (campaign or not asked.target):
        switch = switching.switch_on if asked.verb == "on" else switching.switch_off
        where = (campaign.id, campaign.facts.name) if campaign else (NO_CAMPAIGN, alerts_view.EVERY)
        await switch(services, request, *where)
    elif asked.target and words.KINDS.fullmatch(asked.target) and not found.found:
        await replies.to_asker(services, request, await _in_settings(services, request))
    elif asked.verb == "off" and not found.sure and (end := words.until(asked.target, now)) is not None:
        on = await switching.current(services, request)
        said = offer_view.for_a_while(end) if on else await switching.listing(services, request)
        await replies.to_asker(services, request, said)
    else:
        await replies.to_asker(services, request, _offer(asked, found, typed))


def _meant(connection: Connection, request: Request, asked: AlertsAsk) -> tuple[AlertsAsk, Match]:
    """Which campaigns may be meant; "Spring only" is the campaign Spring, unless one is called so."""
    found = _named(connection, request, asked) if asked.target else Match()
    owner = replace(asked, target=OWNERS.sub("", asked.target))
    if not found.sure and owner.target not in ("", asked.target):
        of_it = _named(connection, request, owner)
        asked, found = (owner, of_it) if of_it.sure else (asked, found)
    plain = words.without_only(asked.target)
    if found.sure or not plain or plain == asked.target or asked.verb not in ("", "on"):
        return asked, found
    asked = replace(asked, target=plain, sure=False, only=True)
    return asked, _named(connection, request, asked)


def _named(connection: Connection, request: Request, asked: AlertsAsk) -> Match:
    found = matching.match(connection, request.workspace.id, asked.target)
    if found.found or not found.near:
        return found
    return Match(matching.named(connection, request.workspace.id, found.near))


def _offer(asked: AlertsAsk, found: Match, typed: str) -> Message:
    if asked.only and found.found and asked.verb in ("", "on"):
        return offer_view.only(quote(typed), found.found)
    if asked.target and (found.found or asked.verb):
        return offer_view.campaigns(asked.verb, quote(asked.target), found.found)
    return offer_view.anything(quote(typed), asked.verb)
