"""What a channel is told of: the settings, and the news itself: one card per campaign, returns in its thread."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final, TypeVar

from handlers.alerts import home_by
from handlers.alerts.home_by import HomeBy
from handlers.errors import Outdated
from handlers.status.view import ESTIMATE
from handlers.text import formatting
from handlers.text.buttons import (
    NOTHING,
    Action,
    AlertsDo,
    AlertsForm,
    Form,
    Hours,
    Limit,
    News,
    OneCampaign,
    OnePiece,
    Word,
)
from handlers.text.codec import Carried, write
from handlers.text.messages import (
    TEXT,
    VIEW_TITLE,
    Block,
    Message,
    actions,
    button,
    clip,
    clip_plain,
    context,
    escape,
    input_block,
    option,
    section,
    select,
)
from handlers.text.mixes import counts_text, headline
from handlers.text.status_styles import emoji
from handlers.track.view import recipient_briefly
from storage.records import (
    NO_CAMPAIGN,
    CampaignId,
    ChannelId,
    ChannelSettings,
    Ended,
    Mix,
    NotifyOn,
    StoredCampaign,
    StoredPiece,
    Subscription,
)
from storage.statuses import FINAL, Status

Choice = TypeVar("Choice", bound=Carried)
LISTED: Final = 10
#: Campaigns that can be chosen, beside "all": a menu holds a hundred.
OFFERED: Final = 99
OPTIONS: Final = 100
#: Boxes that Slack shows in one field.
BOXES: Final = 10
WANTS: Final = {
    NotifyOn.RETURNED: "Each return: who, where and when",
    NotifyOn.DELIVERED: "Each delivery, grouped",
    NotifyOn.CANCELLED: "Surprise cancellations: pieces that were stopped without anyone here asking",
    NotifyOn.BROADCAST: "Returns in the channel, too, not only in the thread",
    NotifyOn.WEEKLY: "A weekly report with the pie, on Mondays",
}


DIGEST_HOURS: Final = (7, 8, 9, 10, 12, 17)
QUIET_HOURS: Final = ((18, 8), (19, 7), (20, 8), (22, 7))
ALARMS: Final = (2, 3, 5, 10)


#: How a channel is told until it says otherwise: a digest at nine, and an alarm above what is common (USPS: 4 to 7%).
DEFAULT_DIGEST, DEFAULT_ALARM = 9, 5


#: A channel that had no alerts before.
NEVER_ON: Final = Ended({}, (), None)
CHANGES: Final = "`/mailalerts` changes this, `/mailalerts off` ends it."
DEFAULT_WANTS: Final = (NotifyOn.RETURNED, NotifyOn.CANCELLED)
EVERY: Final = "all campaigns"
GONE: Final = "a campaign that's no longer here"
#: In the menu of a channel that is off: whatever it had, all of it.
AS_IT_WAS: Final = write(Word("as it was"))


def settings_form(
    channel: ChannelId,
    current: Sequence[Subscription],
    campaigns: Sequence[StoredCampaign],
    chosen: ChannelSettings,
    own_zone: str,
    days: Sequence[HomeBy] = (),
    ended: Ended = NEVER_ON,
    stood: str = "",
) -> Block:
    """The modal behind `/mailalerts`: which campaigns, and what of them. What else is on stays on, unless unticked.

    `ended`: how they were before they were turned off; a channel that is told of nothing is offered that.
    """
    hours = chosen if current else ended.settings or ChannelSettings(own_zone, DEFAULT_DIGEST, None, DEFAULT_ALARM)
    zone = hours.zone
    names = {one.id: one.facts.name for one in campaigns[:OFFERED]}
    # What the form stands on is among its choices, though that campaign may be gone.
    first = {one.campaign_id: what_of(one) for one in current[:1] if one.campaign_id not in names}
    names = {NO_CAMPAIGN: EVERY} | first | names
    had = [] if current else [names[one] for one in ended.last if one in names]
    stands_on = current[0].campaign_id if current else next((one for one in ended.last if one in names), NO_CAMPAIGN)
    menu = _campaigns(names, stands_on, had)
    notify_on = current[0].notify_on if current else ended.notify_on.get(stands_on, frozenset(DEFAULT_WANTS))
    boxes = {want: option(text, write(News(want))) for want, text in WANTS.items()}
    ticked = [box for want, box in boxes.items() if want in notify_on]
    checkboxes: Block = {"type": "checkboxes", "action_id": "wants", "options": list(boxes.values())}
    kept = _kept(current)
    return {
        "type": "modal",
        "callback_id": Form.ALERTS,
        "private_metadata": write(AlertsForm(channel, _joined(kept), _joined(home_by.boxes(days)), stood)),
        "title": {"type": "plain_text", "text": clip_plain("Mail alerts", VIEW_TITLE)},
        "submit": {"type": "plain_text", "text": "Save"},
        "close": {"type": "plain_text", "text": "Leave as it is"},
        "blocks": [
            section(
                _gets(channel, had, is_on=bool(current), was_on=bool(ended.last)),
            ),
            input_block("Campaigns", "campaign", menu),
            input_block(
                "What to post here",
                "wants",
                checkboxes | ({"initial_options": ticked} if ticked else {}),
                optional=True,
            ),
            *_stays_on(kept, len(current) - len(kept)),
            *_hours(hours),
            *(home_by.fields(days) if current else []),
            *_zone(zone, own_zone),
            *([context(_now(current))] if current else []),
        ],
    }


def _campaigns(names: Mapping[CampaignId, str], stands_on: CampaignId, had: Sequence[str]) -> Block:
    """Which campaign the form is about; of several that a channel `had`, first of all all of these."""
    choices = {key: option(_title(name), write(OneCampaign(key))) for key, name in names.items()}
    if len(had) < 2:  # noqa: PLR2004 - one alone is what the form stands on
        return select("campaign", "Campaign", list(choices.values())[:OPTIONS], choices[stands_on])
    every = option(f"As it was: {', '.join(had)}", AS_IT_WAS)
    return select("campaign", "Campaign", [every, *choices.values()][:OPTIONS], every)


def _title(what: str) -> str:
    return what if what != EVERY else "All campaigns"


def _joined(boxes: Sequence[Block]) -> str:
    return ";".join(box["value"] for box in boxes)


def _hours(chosen: ChannelSettings) -> list[Block]:
    """The digest, the quiet hours and the alarm; "off" for each is among the choices."""
    digests = {Limit(hour): f"At {formatting.full_hour(hour)}" for hour in DIGEST_HOURS}
    quiet = {Hours(*one): f"From {_between(one)}" for one in QUIET_HOURS}
    limits = {Limit(limit): f"Above {limit}% of the mailed pieces" for limit in ALARMS}
    hours = Hours(*(chosen.quiet or (None, None)))
    return [
        input_block("Morning digest", "digest", _select("digest", digests, Limit(chosen.digest_hour), Limit(None))),
        input_block("Quiet hours: nothing but the digest", "quiet", _select("quiet", quiet, hours, Hours(None, None))),
        input_block(
            "Alarm when a campaign's returns are",
            "alarm",
            _select("alarm", limits, Limit(chosen.alarm_percent), Limit(None)),
        ),
    ]


def place_of(zone: str) -> str:
    """ "Chicago", for "America/Chicago"."""
    return zone.rpartition("/")[2].replace("_", " ")


def _kept(current: Sequence[Subscription]) -> list[Block]:
    """What is on, as boxes: unticked, it ends, and be it what the menu stands on; nothing else does."""
    if len(current) < 2:  # noqa: PLR2004 - one alone is what the form is about
        return []
    return [option(_title(what_of(one)), write(OneCampaign(one.campaign_id))) for one in current[:BOXES]]


def _stays_on(boxes: list[Block], more: int) -> list[Block]:
    """`more`: for so many there is no box, and they stay on whatever is ticked."""
    if not boxes:
        return []
    element: Block = {"type": "checkboxes", "action_id": "keep", "options": boxes, "initial_options": boxes}
    said = f"{more} more stay on, too. `/mailalerts list` shows them, and `/mailalerts off` with a name ends one."
    return [input_block("Stays on", "keep", element, optional=True), *([context(said)] if more > 0 else [])]


def _zone(zone: str, own_zone: str) -> list[Block]:
    """In whose hours: saving moves them only where that is ticked."""
    said = context(f"Times are in {escape(place_of(zone))} time.")
    if zone == own_zone:
        return [said]
    box = option(f"Use my time zone ({place_of(own_zone)})", write(Word(own_zone)))
    element: Block = {"type": "checkboxes", "action_id": "zone", "options": [box]}
    return [said, input_block("Time zone", "zone", element, optional=True)]


def _select(name: str, offered: Mapping[Choice, str], chosen: Choice, off: Choice) -> Block:
    options = {one: option(label, write(one)) for one, label in ({off: "Off"} | dict(offered)).items()}
    return select(name, "Choose", list(options.values()), options.get(chosen, options[off]))


def chosen_hours(zone: str, digest: Limit, quiet: Hours, alarm: Limit) -> ChannelSettings:
    """What was chosen in the form; raises Outdated for what it does not offer."""
    between = None if quiet.first is None or quiet.last is None else (quiet.first, quiet.last)
    if digest.number not in (None, *DIGEST_HOURS) or alarm.number not in (None, *ALARMS):
        raise Outdated
    if between not in (None, *QUIET_HOURS):
        raise Outdated
    return ChannelSettings(zone, digest.number, between, alarm.number)


def _gets(channel: ChannelId, had: Sequence[str], *, is_on: bool, was_on: bool) -> str:
    """What saving brings. `had`: what was on before; of several the form brings back all."""
    what = "one card for each campaign, kept up to date, and this news in its thread:"
    if is_on:
        return f"<#{channel}> gets {what}"
    if len(had) > 1:
        names = f"{', '.join(named(one) for one in had[:LISTED])}{' and more' if len(had) > LISTED else ''}"
        return (
            f"<#{channel}> gets no alerts right now. It had alerts for {names}: once you save, all of these are on as "
            f"they were, unless you choose another campaign or other news. It gets {what}"
        )
    when = "right now." if was_on else "yet."
    when += " This is what it had." if had else ""
    return f"<#{channel}> gets no alerts {when} Once you save, it gets {what}"


def _now(current: Sequence[Subscription]) -> str:
    return "Now: " + "; ".join(_described(one) for one in current[:8])


def _described(one: Subscription) -> str:
    what = escape(what_of(one))
    news = ", ".join(sorted(one.notify_on)) or "only the card"
    return f"*{what}* ({news})"


def nothing_on(channel: ChannelId, *, was_on: bool) -> Message:
    """A channel without alerts, and the button that mends it."""
    when = "right now" if was_on else "yet"
    text = f"<#{channel}> gets no alerts {when}. `/mailalerts on` changes that."
    label = "Turn on again" if was_on else "Turn on"
    turning = button(label, Action.ALERTS_DO, write(AlertsDo("again")), spoken=f"{label}: alerts in this channel")
    return Message(text, [section(text, turning)])


def listing(
    channel: ChannelId, current: Sequence[Subscription], chosen: ChannelSettings, days: Sequence[HomeBy], today: date
) -> Message:
    """Everything that is on, in words, and whether anything stands in the way."""
    text = f"<#{channel}> gets alerts for {names_of(current)}."
    blocks = [section(text), *_is_on(current, chosen), *home_by.lines(days, today), *_in_the_way(current)]
    if current[0].blocked:
        blocks.append(context(f":warning: The last message could not be posted: {escape(current[0].blocked)}"))
    blocks.append(actions(settings_button()))
    return Message(clip(text, TEXT), blocks)


def on_again(
    by: str, current: Sequence[Subscription], chosen: ChannelSettings, days: Sequence[HomeBy], today: date, *,
    again: bool = True,
) -> Message:  # fmt: skip
    """Said in the channel when what was off is on as it was: all of it, so that nobody has to look it up. Not `again`:
    as all campaigns were."""
    text = f"<@{by}> turned mail alerts on again, as they were: {names_of(current)}."
    if not again:
        text = f"<@{by}> turned on mail alerts for {names_of(current)}, with the news that all campaigns had."
    blocks = [section(text), *_is_on(current, chosen), *home_by.lines(days, today)]
    if (until := current[0].muted_until) is not None:
        blocks.append(_muted(until))
    # In words: what is pressed on a message for everyone would take its place.
    rest = "" if NO_CAMPAIGN in {one.campaign_id for one in current} else "`/mailalerts on all` adds all campaigns. "
    blocks.append(context(f"{rest}{CHANGES}"))
    return Message(clip(text, TEXT), blocks)


def what_of(one: Subscription) -> str:
    """What a channel is told about, in plain words."""
    return EVERY if one.campaign_id == NO_CAMPAIGN else one.campaign_name or GONE


def _muted(until: datetime) -> Block:
    """For a message to everyone: in words, for what is pressed there would take its place."""
    return context(f":mute: Muted until {formatting.stamp(until)}. `/mailalerts unmute` ends that now.")


def names_of(current: Sequence[Subscription]) -> str:
    """What is on, by name, in a sentence."""
    names = ", ".join(named(what_of(one)) for one in current[:LISTED])
    return names + (f" and {len(current) - LISTED} more" if len(current) > LISTED else "")


def _is_on(current: Sequence[Subscription], chosen: ChannelSettings) -> list[Block]:
    """What of each campaign is told, and when."""
    lines = [f"• {named(what_of(one))}: {in_words(one.notify_on)}" for one in current]
    if len(current) > 1 and current[0].campaign_id == NO_CAMPAIGN:
        lines[0] = lines[0].replace(EVERY, f"{EVERY} but these", 1)
    return [section("\n".join(lines)), context(_when(chosen))]


def _in_the_way(current: Sequence[Subscription]) -> list[Block]:
    """A mute, with its end."""
    until = current[0].muted_until
    if until is None:
        return []
    text = f":mute: Muted until {formatting.stamp(until)}. Nothing is lost meanwhile."
    return [section(text, button("Unmute", Action.ALERTS_DO, write(AlertsDo("unmute")), spoken="Unmute this channel"))]


def in_words(notify_on: frozenset[NotifyOn]) -> str:
    """What of a campaign is told."""
    news = [WANTS[want][0].lower() + WANTS[want][1:] for want in WANTS if want in notify_on]
    return "; ".join(["one live card", *news])


def hours_now(chosen: ChannelSettings) -> str:
    """The same, of one who is about to change them."""
    return _when(chosen).replace("Also: ", "Now: ", 1)


def _when(chosen: ChannelSettings) -> str:
    """The hours and the alarm, in words."""
    said = [
        "no morning digest"
        if chosen.digest_hour is None
        else f"a digest at {formatting.full_hour(chosen.digest_hour)}",
        "no quiet hours" if chosen.quiet is None else f"quiet from {_between(chosen.quiet)}",
        "no alarm" if chosen.alarm_percent is None else f"an alarm above {chosen.alarm_percent}% returns",
    ]
    return f"Also: {', '.join(said)}. Times are in {escape(place_of(chosen.zone))} time."


def _between(hours: tuple[int, int]) -> str:
    return f"{formatting.full_hour(hours[0])} to {formatting.full_hour(hours[1])}"


def noted(message: Message, note: str) -> Message:
    """The same, with a sentence before it."""
    return Message(f"{note} {message.text}", [section(note), *message.blocks])


def settings_button() -> Block:
    """Opens the settings of the channel in which it is pressed."""
    return button("Alert settings", Action.ALERT_SETTINGS, NOTHING)


def named(what: str) -> str:
    """A campaign's name, or all of them, in a sentence."""
    return what if what == EVERY else f"*{escape(what)}*"


def confirmed(
    what: str, notify_on: frozenset[NotifyOn], by: str, ended: Sequence[str] = (),
    hours: ChannelSettings | None = None, *, changed: bool = False, muted: datetime | None = None,
) -> Message:  # fmt: skip
    """Said in the channel, so that everyone there knows where the news will come from, and what has ended.

    `hours`: when the channel is told. `changed`: it was on before. `muted`: it is silent until then.
    """
    done = f"changed mail alerts for {named(what)}" if changed else f"switched mail alerts on for {named(what)}"
    text = f"<@{by}> {done}: {in_words(notify_on)}."
    if ended:
        text += f" Off from now on: {', '.join(named(one) for one in ended)}."
    text = clip(text, TEXT)
    when = [context(_when(hours))] if hours else []
    when += [_muted(muted)] if muted else []
    return Message(text, [section(text), *when, context(CHANGES)])


def not_saved(by: str) -> Message:
    """In the place of what was posted already, where somebody else was faster."""
    text = f"I didn't save <@{by}>'s alert settings: somebody else changed this channel's alerts at the same moment."
    return Message(text, [section(text), context("`/mailalerts list` shows what's on.")])


def card(campaign: StoredCampaign | None, mix: Mix, currency_line: str, now: datetime) -> Message:
    """The living card of one campaign in a channel."""
    name = escape(campaign.facts.name) if campaign else "Mail sent singly"
    said = escape(headline(mix))
    closing = " :checkered_flag: All done." if is_finished(mix) else ""
    blocks = [
        section(f"*{name}*\n{said}.{closing}", _details(campaign)),
        context(escape(counts_text(mix))),
        context(f"updated {formatting.stamp(now)} · {currency_line} · {ESTIMATE}"),
    ]
    return Message(f"{name}: {said}", blocks)


def _details(campaign: StoredCampaign | None) -> Block | None:
    if campaign is None:
        return None
    name = campaign.facts.name
    return button(
        "View details", Action.VIEW_DETAILS, write(OneCampaign(campaign.id)), spoken=f"View the pieces of {name}"
    )


def is_finished(mix: Mix) -> bool:
    """Whether nothing more is expected of any piece."""
    return mix.total > 0 and mix.of(*FINAL) == mix.total


def news(title: str, status: Status, pieces: Sequence[StoredPiece], number: int, platform: str) -> Message:
    """A group of pieces that reached a status, for a channel: a line each with its recipient shortened, one button."""
    said = f"{formatting.pieces(number)} of {escape(title)} {VERBS[status].format(platform=platform)}"
    names = [recipient_briefly(piece) for piece in pieces[:LISTED]]
    lines = [_news_line(piece, name, status) for piece, name in zip(pieces[:LISTED], names, strict=True)]
    if number > LISTED:
        lines.append(f"and {formatting.count(number - LISTED)} more")
    blocks = [section(f"{emoji(status)} *{said}*\n" + "\n".join(lines), _news_button(status, pieces))]
    return Message(f"{said}: {'; '.join(names)}", blocks)


def _news_button(status: Status, pieces: Sequence[StoredPiece]) -> Block:
    """The one next step: the piece itself, its returns desk, or the campaign's list."""
    first = pieces[0]
    if len(pieces) == 1 or first.campaign_id == NO_CAMPAIGN:
        label = "Track" if len(pieces) == 1 else "Track the first"
        return button(label, Action.TRACK, write(OnePiece(first.id)), spoken=f"Track piece {first.ref}")
    campaign = write(OneCampaign(first.campaign_id))
    if status is Status.RETURNED:
        return button("Returns desk", Action.RETURNS, campaign, spoken="All returns of this campaign")
    return button("View details", Action.VIEW_DETAILS, campaign, spoken="All pieces of this campaign")


#: `{platform}` becomes the mail platform's name.
VERBS: Final = {
    Status.DELIVERED: "delivered (by USPS's estimate)",
    Status.RETURNED: "came back",
    Status.CANCELLED: "cancelled by {platform} on its own",
}


def _news_line(piece: StoredPiece, name: str, status: Status) -> str:
    when = f" · {formatting.stamp_day(piece.status_at)}" if piece.status_at and piece.status is status else ""
    return f"• {name}{when} · `{escape(piece.ref)}`"
