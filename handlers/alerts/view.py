"""What a channel is told of: the settings, and the news itself: one card per campaign, returns in its thread."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from handlers.status.view import ESTIMATE, counts_text
from handlers.text import formatting
from handlers.text.buttons import Action, Form
from handlers.text.messages import (
    VIEW_TITLE,
    Block,
    Message,
    actions,
    button,
    clip_plain,
    context,
    escape,
    input_block,
    option,
    section,
    select,
)
from handlers.text.status_styles import emoji, label
from handlers.track.view import short_name
from storage.records import (
    NO_CAMPAIGN,
    ChannelId,
    ChannelSettings,
    Mix,
    NotifyOn,
    StoredCampaign,
    StoredPiece,
    Subscription,
)
from storage.statuses import FINAL, Status

T = TypeVar("T")
LISTED: Final = 10
#: Campaigns that can be chosen, beside "all": a menu holds a hundred.
OFFERED: Final = 99
WANTS: Final = {
    NotifyOn.RETURNED: "Each return: who, where and when",
    NotifyOn.DELIVERED: "Each delivery, grouped",
    NotifyOn.CANCELLED: "Pieces that Stannp cancelled without being asked here",
    NotifyOn.BROADCAST: "Returns in the channel, too, not only in the thread",
    NotifyOn.WEEKLY: "A weekly report with the pie, on Mondays",
}


DIGEST_HOURS: Final = (7, 8, 9, 10, 12, 17)
QUIET_HOURS: Final = ((18, 8), (19, 7), (20, 8), (22, 7))
ALARMS: Final = (2, 3, 5, 10)


#: How a channel is told until it says otherwise: a digest at nine, and an alarm above what is common (USPS: 4 to 7 %).
DEFAULT_DIGEST, DEFAULT_ALARM = 9, 5


DEFAULT_WANTS: Final = (NotifyOn.RETURNED, NotifyOn.CANCELLED)
EVERY: Final = "all campaigns"


def settings_form(
    channel: ChannelId, current: Sequence[Subscription], campaigns: Sequence[StoredCampaign], chosen: ChannelSettings
) -> Block:
    """The modal behind `/mailalerts`: which campaigns, and what of them."""
    choices = [option("All campaigns", "0"), *(option(c.facts.name, str(c.id)) for c in campaigns[:OFFERED])]
    campaign = str(current[0].campaign_id) if current else "0"
    initial = next((choice for choice in choices if choice["value"] == campaign), choices[0])
    notify_on = current[0].notify_on if current else frozenset(DEFAULT_WANTS)
    boxes = [option(text, want) for want, text in WANTS.items()]
    ticked = [box for box in boxes if box["value"] in notify_on]
    checkboxes: Block = {"type": "checkboxes", "action_id": "wants", "options": boxes}
    menu = select("campaign", "Campaign", choices, initial)
    return {
        "type": "modal",
        "callback_id": Form.ALERTS,
        "private_metadata": channel,
        "title": {"type": "plain_text", "text": clip_plain("Mail alerts", VIEW_TITLE)},
        "submit": {"type": "plain_text", "text": "Save"},
        "close": {"type": "plain_text", "text": "Leave as it is"},
        "blocks": [
            section(f"<#{channel}> gets one card for each campaign, kept up to date, and this news in its thread:"),
            input_block("Campaigns", "campaign", menu),
            input_block(
                "Tell this channel of",
                "wants",
                checkboxes | ({"initial_options": ticked} if ticked else {}),
                optional=True,
            ),
            *_hours(chosen if current else ChannelSettings(chosen.zone, DEFAULT_DIGEST, None, DEFAULT_ALARM)),
            context(_now(current)),
        ],
    }


def _hours(chosen: ChannelSettings) -> list[Block]:
    """The digest, the quiet hours and the alarm; "off" for each is among the choices."""
    off = option("Off", "off")
    digests = [off, *(option(f"At {hour}:00", str(hour)) for hour in DIGEST_HOURS)]
    quiet = [off, *(option(f"From {first}:00 to {last}:00", f"{first}-{last}") for first, last in QUIET_HOURS)]
    limits = [off, *(option(f"Above {limit} % of the mailed pieces", str(limit)) for limit in ALARMS)]
    hours = "off" if chosen.quiet is None else f"{chosen.quiet[0]}-{chosen.quiet[1]}"
    return [
        input_block("Morning digest", "digest", _select("digest", digests, chosen.digest_hour)),
        input_block("Quiet hours: nothing but the digest", "quiet", _select("quiet", quiet, hours)),
        input_block("Alarm when a campaign's returns are", "alarm", _select("alarm", limits, chosen.alarm_percent)),
        context(f"Hours are those of {escape(chosen.zone)}; saving sets them to your own time zone."),
    ]


def _select(name: str, options: Sequence[Block], value: object) -> Block:
    return select(name, "Choose", options, next((one for one in options if one["value"] == str(value)), options[0]))


def chosen_hours(zone: str, digest: str, quiet: str, alarm: str) -> ChannelSettings:
    """What was chosen in the form; raises ValueError for what it does not offer."""
    first, _, last = quiet.partition("-")
    return ChannelSettings(
        zone,
        None if digest == "off" else _one_of(int(digest), DIGEST_HOURS),
        None if quiet == "off" else _one_of((int(first), int(last)), QUIET_HOURS),
        None if alarm == "off" else _one_of(int(alarm), ALARMS),
    )


def _one_of(value: T, offered: Sequence[T]) -> T:
    if value not in offered:
        raise ValueError
    return value


def _now(current: Sequence[Subscription]) -> str:
    if not current:
        return "This channel is not told of anything yet."
    return "Now: " + "; ".join(_described(one) for one in current[:8])


def _described(one: Subscription) -> str:
    what = escape(one.campaign_name) if one.campaign_id != NO_CAMPAIGN else EVERY
    news = ", ".join(sorted(one.notify_on)) or "only the card"
    return f"*{what}* ({news})"


def listing(channel: ChannelId, current: Sequence[Subscription]) -> Message:
    """What this channel is told of, and whether anything stands in the way."""
    if not current:
        text = f"<#{channel}> is not told of anything. `/mailalerts on` changes that."
        return Message(text, [section(text)])
    text = f"<#{channel}> is told of " + "; ".join(_described(one) for one in current) + "."
    blocks = [section(text)]
    if current[0].muted_until is not None:
        blocks.append(
            context(f":mute: Muted until {formatting.stamp(current[0].muted_until)}. Nothing is lost meanwhile.")
        )
    if current[0].blocked:
        blocks.append(context(f":warning: The last message could not be posted: {escape(current[0].blocked)}"))
    blocks.append(actions(settings_button()))
    return Message(text, blocks)


def settings_button() -> Block:
    """Opens the settings of the channel in which it is pressed."""
    return button("Alert settings", Action.ALERT_SETTINGS, "settings")


def confirmed(what: str, notify_on: frozenset[NotifyOn], by: str) -> Message:
    """Said in the channel, so that everyone there knows where the news will come from."""
    news = [WANTS[want][0].lower() + WANTS[want][1:] for want in WANTS if want in notify_on]
    text = f"<@{by}> switched mail alerts on for {what}: one card per campaign" + "".join(f", {n}" for n in news) + "."
    return Message(text, [section(text), context("`/mailalerts` changes this, `/mailalerts off` ends it.")])


def card(campaign: StoredCampaign | None, mix: Mix, currency_line: str, now: datetime) -> Message:
    """The living card of one campaign in a channel."""
    name = escape(campaign.facts.name) if campaign else "Mail sent singly"
    total = mix.total - mix.of(Status.CANCELLED)
    landed, returned = mix.of(Status.DELIVERED), mix.of(Status.RETURNED)
    share = formatting.percent(landed, total)
    text = f"{name}: {formatting.count(landed)} of {formatting.pieces(total)} delivered ({share})"
    text += f", {formatting.count(returned)} returned" if returned else ""
    done = is_finished(mix)
    closing = " · :checkered_flag: All pieces have reached their end." if done else ""
    blocks = [
        section(f"*{name}*\n{text.removeprefix(name + ': ')}{closing}", _details(campaign)),
        context(escape(counts_text(mix))),
        context(f"as of {formatting.stamp(now)} · {currency_line} · {ESTIMATE}"),
    ]
    return Message(text, blocks)


def _details(campaign: StoredCampaign | None) -> Block | None:
    if campaign is None:
        return None
    name = campaign.facts.name
    return button("View details", Action.VIEW_DETAILS, str(campaign.id), spoken=f"View the pieces of {name}")


def is_finished(mix: Mix) -> bool:
    """Whether nothing more is expected of any piece."""
    return mix.total > 0 and mix.of(*FINAL) == mix.total


def news(title: str, status: Status, pieces: Sequence[StoredPiece], number: int) -> Message:
    """A group of pieces that reached a status, for a channel: recipients are shortened, *Track* shows the rest."""
    said = f"{formatting.pieces(number)} of {escape(title)} {VERBS[status]}"
    blocks = [section(f"{emoji(status)} *{said}*"), *(_news_line(piece, status) for piece in pieces[:LISTED])]
    if number > LISTED:
        blocks.append(
            context(f"and {formatting.count(number - LISTED)} more: *View details* on the card lists them all")
        )
    if status is Status.RETURNED and pieces[0].campaign_id != NO_CAMPAIGN:
        campaign_id = str(pieces[0].campaign_id)
        blocks.append(
            actions(button("Returns desk", Action.RETURNS, campaign_id, spoken="All returns of this campaign"))
        )
    if status is Status.RETURNED:
        blocks.append(context("USPS could not deliver to these addresses. Check them before the next mailing."))
    names = "; ".join(short_name(piece.recipient) for piece in pieces[:LISTED])
    return Message(f"{said}: {names}", blocks)


VERBS: Final = {
    Status.DELIVERED: "delivered (by USPS's estimate)",
    Status.RETURNED: "came back",
    Status.CANCELLED: "cancelled by Stannp; nobody here asked for it",
}


def _news_line(piece: StoredPiece, status: Status) -> Block:
    when = (
        f" · {label(status)} {formatting.stamp(piece.status_at)}" if piece.status_at and piece.status is status else ""
    )
    line = f"{short_name(piece.recipient)}{when} · `{escape(piece.ref)}`"
    return section(line, button("Track", Action.TRACK, str(piece.id), spoken=f"Track piece {piece.ref}"))
