"""Changes of a channel's alerts that are one click away, and how they are taken back."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from handlers.alerts import view as alerts_view
from handlers.errors import Outdated
from handlers.status import understanding
from handlers.text import formatting
from handlers.text.buttons import Action, AlertsDo, AlertsUndo
from handlers.text.codec import write
from handlers.text.days_ahead import Deadline
from handlers.text.messages import TEXT, Block, Message, actions, button, clip, clip_plain, escape, section
from storage.records import CampaignId, ChannelSettings, NotifyOn, StoredCampaign, Subscription

#: How long a change can be taken back.
UNDO: Final = timedelta(minutes=10)
OFFERED: Final = 5
#: Of a campaign's name, within a command to copy.
NAMED: Final = 60
#: A word each, so that what a channel was told of fits into a button.
LETTERS: Final = dict(zip(NotifyOn, "rdcaw", strict=True))


def offer(text: str, choices: Iterable[tuple[str, AlertsDo]]) -> Message:
    """A question, and its answers as buttons."""
    blocks = [section(text)]
    for label, choice in choices:
        blocks.append(section(label, button(_verb(choice), Action.ALERTS_DO, write(choice), spoken=label)))
    return Message(text, blocks)


def _verb(choice: AlertsDo) -> str:
    return {
        "on": "Turn on",
        "again": "Turn on",
        "off": "Turn off",
        "only": "Only this",
        "mute": "Mute",
        "mute_for": "Mute",
        "unmute": "Unmute",
        "card": "Only the card",
    }.get(choice.verb, "Show")


def campaigns(verb: str, asked: str, found: Sequence[StoredCampaign]) -> Message:
    """Which campaign is meant. A mute is of a whole channel, and so is its end. `asked` is escaped by the caller."""
    whole = verb == "unmute"
    verb = verb if verb in ("on", "off") else "on"
    everything = ("The whole channel", AlertsDo("unmute")) if whole else ("All campaigns", AlertsDo(verb))
    choices = [(f"*{escape(one.facts.name)}*", AlertsDo(verb, one.id)) for one in found[:OFFERED]]
    if not found:
        return offer(f"No campaign called “{asked}”.", [everything, ("What is on here", AlertsDo("list"))])
    return offer(f"No alerts changed yet: which campaign do you mean by “{asked}”?", [*choices, everything])


def covered(what: str, campaign_id: CampaignId) -> Message:
    """One campaign was to be turned off where all are on."""
    text = f"This channel gets alerts for all campaigns, {alerts_view.named(what)} among them."
    return offer(
        text,
        [(f"Only the card of {alerts_view.named(what)}, no news", AlertsDo("card", campaign_id)),
         ("Everything in this channel", AlertsDo("off"))],
    )  # fmt: skip


def on_but_muted(names: str, until: datetime, *, all_too: bool = False) -> Message:
    """What was to be turned on is on already, and silent. `all_too`: all campaigns are not."""
    text = f"Alerts for {names} are on here, but muted until {formatting.stamp(until)}."
    every = [("*All campaigns*, too", AlertsDo("on"))] if all_too else []
    return offer(text, [("Alerts in this channel", AlertsDo("unmute")), *every])


def on_already(listing: Message, names: str, *, all_too: bool = False) -> Message:
    """What was to be turned on is on already. `all_too`: all campaigns are not, and are one click away."""
    note = f"Alerts for {names} are already on here."
    if not all_too:
        return alerts_view.noted(listing, note)
    offered = offer(f"{note} Nothing changed.", [("*All campaigns*, too", AlertsDo("on"))])
    return Message(f"{offered.text} {listing.text}", [*offered.blocks, *listing.blocks[1:]])


def only(asked: str, found: Sequence[StoredCampaign]) -> Message:
    """One campaign was to be told, and nothing else: everybody's other alerts are not for a guess to end. `asked` is
    escaped by the caller."""
    text = f"No alerts changed yet. Is this what “{asked}” should be: one campaign, and no other alerts here?"
    return offer(text, [(f"*{escape(one.facts.name)}* alone", AlertsDo("only", one.id)) for one in found[:OFFERED]])


def mutes(morning: datetime, monday: datetime, *, again: bool = False) -> Message:
    """For how long. `again`: a button was pressed whose mute would be over."""
    choices = {
        "For an hour": AlertsDo("mute_for", until=int(timedelta(hours=1).total_seconds())),
        "Until tomorrow, 9:00 AM": AlertsDo("mute", until=int(morning.timestamp())),
        "Until Monday, 9:00 AM": AlertsDo("mute", until=int(monday.timestamp())),
    }
    text = "Mute this channel for how long? You can type it, too: `mute 2h`, `mute until Friday`."
    return offer(f"That moment has passed. {text}" if again else text, choices.items())


def anything(asked: str, verb: str = "") -> Message:
    """Nothing was understood for sure; it may be this verb that was meant. `asked` is escaped by the caller."""
    choices = {
        "on": ("Alerts for all campaigns", AlertsDo("on")),
        "unmute": ("Alerts that were muted", AlertsDo("unmute")),
        "list": ("What is on here", AlertsDo("list")),
        "off": ("All alerts in this channel", AlertsDo("off")),
    }
    text = f"I don't know what to do with “{asked}”. Did you mean one of these?"
    if verb in choices:
        return offer(text, [choices[verb]])
    offered = offer(text, choices.values())
    return Message(text, [*offered.blocks, actions(alerts_view.settings_button())])


def in_homes(asked: Deadline) -> Message:
    """It was asked whether a campaign will be in homes by a day: where that is said, and how a channel is warned."""
    named = understanding.without_words_around(asked.what) or "Spring"
    typed = f"{escape(clip_plain(named, NAMED).replace('`', chr(39)))} in home by {escape(asked.day)}"
    text = (
        f"`/mailstatus {typed}` says how likely that is. `/mailalerts {typed}`, without a question mark, warns this "
        "channel when it gets unlikely. Nothing changed yet."
    )
    return Message(text, [section(text)])


def for_a_while(end: datetime) -> Message:
    """Alerts were to be turned off for a time: that is a mute."""
    text = "Nothing changed yet. Off for a while is a mute, and I catch you up after it."
    choices = {
        f"Mute until {formatting.stamp(end)}": AlertsDo("mute", until=int(end.timestamp())),
        "Turn everything off in this channel": AlertsDo("off"),
    }
    return offer(text, choices.items())


def kinds(chosen: ChannelSettings | None = None) -> Message:
    """A kind of news or an hour was named, and no campaign. `chosen`: how it is now, where alerts are on."""
    text = (
        "What this channel gets (returns, deliveries, cancellations, the digest, the weekly report), its hours and its "
        "alarm are chosen in its settings."
    )
    text += f" {alerts_view.hours_now(chosen)}" if chosen else ""
    return Message(text, [section(text, alerts_view.settings_button())])


def switched_off(
    by: str, ended: Sequence[str], undo: AlertsUndo | None, left: str = "", *, rest: bool = False
) -> Message:
    """Said to everyone, as switching on is. `rest`: other campaigns are on still."""
    what = ", ".join(alerts_view.named(one) for one in ended[: alerts_view.LISTED])
    what += f" and {len(ended) - alerts_view.LISTED} more" if len(ended) > alerts_view.LISTED else ""
    back = "`/mailalerts on` brings them back as they were."
    if rest:
        # "on" alone adds nothing to what is on.
        name = "all" if ended[0] == alerts_view.EVERY else clip_plain(ended[0], NAMED).replace("`", "'")
        command = f"`/mailalerts on {escape(name)}`"
        back = f"{command} brings it back as it was."
        if len(ended) > 1:
            back = f"`/mailalerts on` with a name, like {command}, brings each back as it was."
    text = clip(f"<@{by}> turned off mail alerts for {what}.{left} {back}", TEXT)
    return Message(text, [section(text), *_undo(undo, "Turn these alerts on again")])


def muted(by: str, until: datetime | None, undo: AlertsUndo | None) -> Message:
    """Said to everyone."""
    text = f"<@{by}> unmuted mail alerts in this channel."
    if until is not None:
        text = f"<@{by}> muted mail alerts here until {formatting.stamp(until)}. I'll catch you up then."
    return Message(text, [section(text), *_undo(undo, "Take this back")])


def undone(by: str, verb: str, names: Sequence[str] = (), until: datetime | None = None, *, on: bool = True) -> Message:
    """In the place of what was said. `verb`: what was undone, `names`: of which campaigns. `until`: the channel is
    muted; not `on`: it has no alerts."""
    listed = ", ".join(alerts_view.named(one) for one in names[: alerts_view.LISTED])
    listed += f" and {len(names) - alerts_view.LISTED} more" if len(names) > alerts_view.LISTED else ""
    again = f"turned mail alerts on again for {listed}, as they were" if listed else "turned mail alerts on again"
    end = f" until {formatting.stamp(until)}" if until else ""
    what = {"off": again, "mute": "took the mute back", "unmute": f"muted mail alerts again{end}"}[verb]
    if verb != "unmute" and until:
        what += f". This channel is muted{end}"
    text = clip(f"<@{by}> {what}.{'' if on else OFF}", TEXT)
    return Message(text, [section(text)])


OFF: Final = " Alerts are off here: `/mailalerts on` turns them on."


def not_undone(until: datetime | None, *, on: bool) -> str:
    """A mute was to be taken back, or set again, and the channel is not as it was left then."""
    if until is not None:
        return (
            f"Somebody changed the mute since: it lasts until {formatting.stamp(until)}. `/mailalerts unmute` ends it."
        )
    return f"That mute is over, so there was nothing to undo.{' Alerts are on here.' if on else OFF}"


def _undo(undo: AlertsUndo | None, spoken: str) -> list[Block]:
    if undo is None:
        return []
    try:
        value = write(undo)
    except ValueError:
        # A channel with hundreds of choices: they do not fit into a button.
        return []
    return [actions(button("Undo", Action.ALERTS_UNDO, value, spoken=spoken))]


def packed(subscriptions: Sequence[Subscription]) -> str:
    """What a channel was told of, for *Undo*."""
    return ";".join(f"{one.campaign_id}:{''.join(LETTERS[want] for want in one.notify_on)}" for one in subscriptions)


def unpacked(before: str) -> list[tuple[CampaignId, frozenset[NotifyOn]]]:
    """What `packed` wrote; raises Outdated."""
    wants = {letter: want for want, letter in LETTERS.items()}
    found = []
    for part in before.split(";") if before else ():
        number, _, letters = part.partition(":")
        if not (number.isascii() and number.isdigit()) or not set(letters) <= set(wants):
            raise Outdated
        found.append((CampaignId(int(number)), frozenset(wants[letter] for letter in letters)))
    return found
