"""What somebody typed: /mailstatus, /mailtrack, /mailalerts, and the same words after a mention."""

from dataclasses import replace
from datetime import date
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from sqlalchemy import Connection

from handlers import arguments, expectations, figures, matching, replies
from handlers.access import is_steward, may_see, note_shown, require_insider, require_shown
from handlers.approving import write_down
from handlers.arguments import ALL_TIME, AlertsAsk, Range
from handlers.charts import Pie
from handlers.forecasts import Progress
from handlers.freshness import Freshness, refresh_account, refresh_campaign, refresh_piece
from handlers.matching import Match
from handlers.messages import Message, escape, quote
from handlers.ports import NotConnected, Outage, PieceUnknown, Refusal, Trouble
from handlers.services import Ask, Services
from handlers.views import alerts, status, track, words
from storage import choices, enquiries, listings, outbox, privacy, workspaces
from storage.audits import Act
from storage.listings import Wish
from storage.records import NO_CAMPAIGN, CampaignId, Choices, Mix, StoredCampaign, StoredPiece, Want

log = structlog.get_logger()

PIECES_OFFERED: Final = 25
EXAMPLE: Final = "Spring"


async def mail_status(services: Services, ask: Ask) -> None:
    """`/mailstatus [campaign] [range]`: the pie and its numbers, in the channel."""
    asked = arguments.clean(ask.text)
    if arguments.wants_help(asked):
        known = await services.memory.read(_visible, ask, 1)
        await replies.to_asker(services, ask, words.help_status(known[0].facts.name if known else EXAMPLE))
        return
    _require_account(ask)
    today = await today_of(services, ask)
    name, span, found = await services.memory.read(_understand, ask, asked, today)
    if not name:
        require_insider(ask)
        message = await account_message(services, ask, span or arguments.this_month(today), today)
        await replies.to_channel(services, ask, message)
        return
    if len(found.found) == 1 and found.sure:
        message = await campaign_message(services, ask, found.found[0], span or ALL_TIME, today)
        await replies.to_channel(services, ask, message)
        await note_shown(services, ask, found.found[0].id)
        return
    await replies.to_asker(services, ask, _which(name, found, span or ALL_TIME))


def _require_account(ask: Ask) -> None:
    if ask.workspace.connected_at is None:
        raise NotConnected


def _visible(connection: Connection, ask: Ask, limit: int) -> list[StoredCampaign]:
    """The most recent campaigns that the asker may know of."""
    if not ask.guest:
        return enquiries.latest_campaigns(connection, ask.workspace.id, limit)
    shown = privacy.shown_campaigns(connection, ask.workspace.id, ask.channel)
    return enquiries.campaigns_by_id(connection, ask.workspace.id, shown[:limit])


def _understand(connection: Connection, ask: Ask, asked: str, today: date) -> tuple[str, Range | None, Match]:
    """The campaign's name in what was typed, the range behind it, and who may be meant. Raises RangeRefused."""
    if not asked:
        return "", None, Match()
    names = enquiries.campaign_names(connection, ask.workspace.id)
    if ask.guest:
        shown = set(privacy.shown_campaigns(connection, ask.workspace.id, ask.channel))
        names = [one for one in names if one.id in shown]
    exact = matching.exactly(asked, names)
    name, span = (asked, None) if exact else arguments.split_range(asked, today)
    found = matching.match(connection, ask.workspace.id, arguments.unquote(name), names) if name else Match()
    return name, span, found


def _which(name: str, found: Match, span: Range) -> Message:
    if found.found:
        return status.pick_campaign(quote(name), found.found, span)
    return words.not_found(quote(name), found.near)


async def zone_of(services: Services, ask: Ask) -> ZoneInfo:
    """The asker's time zone; the team's, when Slack does not tell."""
    try:
        return ZoneInfo((await services.slack.person(ask.user)).zone)
    except (Trouble, ZoneInfoNotFoundError, ValueError) as trouble:
        log.info("zone.unknown", reason=type(trouble).__name__)
    return services.policy.zone


async def today_of(services: Services, ask: Ask) -> date:
    """The asker's day."""
    return services.clock.now().astimezone(await zone_of(services, ask)).date()


async def campaign_message(
    services: Services, ask: Ask, campaign: StoredCampaign, span: Range, today: date, *, force: bool = False
) -> Message:
    """One campaign's answer with its picture."""
    await require_shown(services, ask, campaign.id)
    fresh = await refresh_campaign(services, ask.workspace, campaign, force=force)

    def look(connection: Connection) -> tuple[StoredCampaign, status.Standing, Progress | None]:
        mix = enquiries.mix(connection, ask.workspace.id, campaign.id, span.days)
        again = enquiries.campaign(connection, ask.workspace.id, campaign.id) or campaign
        _, expected = expectations.of_campaign(connection, ask.workspace.id, campaign.id, today)
        return again, standing_of(connection, ask, mix, span, today, fresh), expected

    again, standing, progress = await services.memory.read(look)
    picture = await _draw(services, again.facts.name, standing)
    return status.campaign_answer(again, standing, picture, progress)


async def account_message(services: Services, ask: Ask, span: Range, today: date) -> Message:
    """The whole account's answer with its picture."""
    require_insider(ask)
    fresh = await refresh_account(services, ask.workspace)

    def look(connection: Connection) -> tuple[list[status.Line], int, status.Standing]:
        mix = enquiries.total(connection, ask.workspace.id, span.days)
        shown = enquiries.listed(connection, ask.workspace.id, span.days, 0, status.LISTED)
        number = enquiries.number_listed(connection, ask.workspace.id, span.days)
        lines = [status.Line(*one) for one in shown]
        return lines, number, standing_of(connection, ask, mix, span, today, fresh)

    lines, number, standing = await services.memory.read(look)
    return status.account_answer(lines, number, standing, await _draw(services, "Your mail", standing))


def standing_of(
    connection: Connection, ask: Ask, mix: Mix, span: Range, today: date, fresh: Freshness
) -> status.Standing:
    """These numbers with the account's balance, and how fresh they are."""
    workspace = workspaces.by_id(connection, ask.workspace.id)
    # What the account holds is no guest's business, though the campaign was shown.
    balance = None if ask.guest else workspace.balance
    return status.Standing(mix, span, today, workspace.currency, balance, fresh.as_of, fresh.stale)


async def _draw(services: Services, title: str, standing: status.Standing) -> bytes:
    moment = standing.as_of or services.clock.now()
    caption = f"Ordered {standing.span.label} · as of {figures.moment(moment, services.policy.zone)}"
    return await services.studio.pie(Pie.of(title, caption, standing.mix))


async def mail_track(services: Services, ask: Ask) -> None:
    """`/mailtrack <piece>`: the dated scans of one piece, for the asker alone."""
    asked = arguments.unquote(arguments.clean(ask.text))
    if not asked or arguments.wants_help(asked):
        await replies.to_asker(services, ask, words.help_track(await _example_piece(services, ask)))
        return
    _require_account(ask)
    wanted = asked.removeprefix("#")
    found = await services.memory.read(enquiries.find_pieces, ask.workspace.id, wanted, PIECES_OFFERED + 1)
    if not found and wanted.isascii() and wanted.isdigit() and not ask.guest:
        found = await _fetch_unknown(services, ask, wanted)
    if ask.guest:
        found = [one for one in found if await may_see(services, ask, one.campaign_id, one.id)]
    if not found:
        await replies.to_asker(services, ask, words.no_piece(quote(asked)))
    elif len(found) == 1:
        await replies.to_asker(services, ask, await piece_message(services, ask, found[0]))
    else:
        offered = found[:PIECES_OFFERED]
        message = track.pick_piece(quote(asked), offered, more=len(found) > PIECES_OFFERED)
        await replies.to_asker(services, ask, message)


async def track_in_message(services: Services, ask: Ask) -> None:
    """*Track pieces here* on a message: the pieces whose ids stand in it (in `ask.text`), for the asker alone."""
    ids = arguments.piece_ids(ask.text)
    found: list[StoredPiece] = []
    for ref in ids:
        known = await services.memory.read(enquiries.find_pieces, ask.workspace.id, ref, 1)
        found += known or await _fetch_unknown(services, ask, ref)
    if not found:
        await replies.to_asker(services, ask, words.no_ids(len(ids)))
    elif len(found) == 1:
        await replies.to_asker(services, ask, await piece_message(services, ask, found[0]))
    else:
        await replies.to_asker(services, ask, track.pick_piece("this message", found, more=False))


async def _example_piece(services: Services, ask: Ask) -> str:
    for campaign in [] if ask.guest else await services.memory.read(_visible, ask, 3):
        page = await services.memory.read(listings.page, ask.workspace.id, campaign.id, Wish(), None, 1)
        if page:
            return page[0].ref
    return "16818211"


async def _fetch_unknown(services: Services, ask: Ask, ref: str) -> list[StoredPiece]:
    """A piece that we have not met may be known to the platform already."""
    try:
        batch = await services.platform.piece(ref, "")
    except (PieceUnknown, Outage, Refusal):
        return []
    await services.memory.learn(ask.workspace.id, batch, services.clock.now())
    return await services.memory.read(enquiries.find_pieces, ask.workspace.id, ref, 1)


async def piece_message(services: Services, ask: Ask, piece: StoredPiece) -> Message:
    """A piece's timeline, read again just now."""
    await require_shown(services, ask, piece.campaign_id, piece)
    news = await refresh_piece(services, ask.workspace, piece)
    steward = not ask.guest and await is_steward(services, ask)

    def look(connection: Connection) -> Message:
        scans = enquiries.timeline(connection, ask.workspace.id, piece.id)
        if ask.guest:
            return track.shared(news.piece, scans, "")
        told = outbox.told_of(connection, ask.workspace.id, piece.id)
        expected = expectations.of_piece(connection, ask.workspace.id, piece, services.clock.now().date())
        return track.piece_answer(
            news.piece, scans, told, expected, news.note, shareable=not ask.view_id, erasable=steward
        )

    return await services.memory.read(look)


async def mail_alerts(services: Services, ask: Ask) -> None:
    """`/mailalerts`: what this channel is told. Bare opens the settings; words do the same by typing."""
    asked = arguments.clean(ask.text)
    if arguments.wants_help(asked):
        await replies.to_asker(services, ask, words.help_alerts())
        return
    wish = arguments.parse_alerts(asked)
    if wish.verb == "":
        await open_alert_settings(services, ask)
    elif wish.verb == "list":
        await replies.to_asker(services, ask, await _listing(services, ask))
    elif wish.verb == "on":
        await _switch_on(services, ask, wish.target)
    elif wish.verb == "off":
        await _switch_off(services, ask, wish.target)
    else:
        await _mute(services, ask, wish)


async def _listing(services: Services, ask: Ask) -> Message:
    current = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    return alerts.listing(ask.channel, current)


async def open_alert_settings(services: Services, ask: Ask) -> None:
    """Shows the settings of the channel that was asked in."""
    current = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    known = await services.memory.read(enquiries.latest_campaigns, ask.workspace.id, alerts.OFFERED)
    chosen = await services.memory.read(choices.of, ask.workspace.id, ask.channel)
    await services.slack.open_view(ask.trigger_id, alerts.settings_form(ask.channel, current, known, chosen))


async def _named_campaign(services: Services, ask: Ask, target: str) -> tuple[CampaignId, str]:
    """The campaign of this name and its name in words; raises Refusal naming the nearest."""
    if not target or target.casefold() in ("all", alerts.EVERY):
        return NO_CAMPAIGN, alerts.EVERY
    found = await services.memory.read(matching.match, ask.workspace.id, target)
    if len(found.found) == 1 and found.sure:
        return found.found[0].id, f"*{escape(found.found[0].facts.name)}*"
    names = [one.facts.name for one in found.found[:3]] or found.near
    raise Refusal(words.not_found(quote(target), names).text)


async def _switch_on(services: Services, ask: Ask, target: str) -> None:
    campaign_id, what = await _named_campaign(services, ask, target)
    await subscribe(services, ask, campaign_id, what, frozenset(alerts.DEFAULT_WANTS))


async def subscribe(
    services: Services,
    ask: Ask,
    campaign_id: CampaignId,
    what: str,
    wants: frozenset[Want],
    chosen: Choices | None = None,
) -> None:
    """Tells the channel from now on, and says so there. A channel that cannot be posted to is not subscribed.

    `chosen`: when; None leaves that as it is, or as it usually is.
    """
    zone = str(await zone_of(services, ask))
    before = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    if chosen is None and not before:
        chosen = Choices(zone, alerts.DEFAULT_DIGEST, None, alerts.DEFAULT_ALARM)
    message = alerts.confirmed(what, wants, ask.user)
    await services.slack.post(ask.channel, message)
    now, key = services.clock.now(), ask.workspace.id

    def work(connection: Connection) -> None:
        workspaces.subscribe(connection, key, ask.channel, campaign_id, wants, ask.user, now)
        if chosen is not None:
            choices.keep(connection, key, ask.channel, replace(chosen, zone=zone))

    await write_down(services, ask, Act.SUBSCRIBED, what.strip("*"), f"channel {ask.channel}", work=work)


async def _switch_off(services: Services, ask: Ask, target: str) -> None:
    campaign_id, what = await _named_campaign(services, ask, target)

    def work(connection: Connection) -> bool:
        return bool(workspaces.unsubscribe(connection, ask.workspace.id, ask.channel, campaign_id if target else None))

    where = f"channel {ask.channel}"
    ended = await write_down(services, ask, Act.UNSUBSCRIBED, what.strip("*"), where, work=work)
    said = f"This channel is no longer told of {what}." if ended else f"This channel was not told of {what}."
    await replies.to_asker(services, ask, words.plain(f"{said} `/mailalerts on` changes that."))


async def _mute(services: Services, ask: Ask, wish: AlertsAsk) -> None:
    current = await services.memory.read(workspaces.subscriptions_of, ask.workspace.id, ask.channel)
    if not current:
        await replies.to_asker(services, ask, alerts.listing(ask.channel, current))
        return
    until = services.clock.now() + wish.mute if wish.mute else None
    mute = partial(outbox.mute, workspace_id=ask.workspace.id, channel=ask.channel, until=until)
    await write_down(services, ask, Act.MUTED if until else Act.UNMUTED, f"channel {ask.channel}", work=mute)
    said = f"Muted until {figures.stamp(until)}. What happens meanwhile is told then." if until else "No longer muted."
    await replies.to_asker(services, ask, words.plain(said))


async def mention(services: Services, ask: Ask) -> None:
    """`@Piecewise status …` or `track …`, answered in the same thread."""
    verb, _, rest = arguments.clean(ask.text).partition(" ")
    inner = replace(ask, text=rest)
    if verb.casefold() in ("status", "mailstatus", "/mailstatus"):
        await mail_status(services, inner)
    elif verb.casefold() in ("track", "mailtrack", "/mailtrack"):
        await mail_track(services, inner)
    else:
        await replies.to_asker(services, ask, words.help_status(EXAMPLE))
