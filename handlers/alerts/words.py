"""What people say behind `/mailalerts`, as a request. A word that is nearly one of these is read as it, but not obeyed:
what changes something for everybody is offered as a button then."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from handlers.text import parsing, ranges
from handlers.text.ranges import MONTHS, WEEKDAYS
from storage.outbox import LONGEST_MUTE

#: When a mute until a day ends: in the morning, with the digest.
MORNING: Final = time(9)
VERBS: Final = {
    "on": "on start enable activate subscribe follow watch notify yes add tell",
    "off": "off stop disable deactivate unsubscribe unfollow unwatch end remove no quit cancel",
    "list": "list status show what what's whats which current info state see view who ls why",
    "mute": "mute pause snooze silence quiet hush dnd sleep hold shush",
    "unmute": "unmute unpause resume continue wake unsnooze restart",
    "settings": "settings setting edit change configure config options preferences setup",
}
_VERB_OF: Final = {word: verb for verb, words in VERBS.items() for word in words.split()}
#: What stands between the verb and what it is about.
_FILLERS: Final = (
    "for of about to from the on in at this channel here me us please pls alerts alert notifications notification news "
    "updates mail my our up is are everything all campaigns campaign it them these those back again telling "
    "sending posting notifying"
)
FILLERS: Final = frozenset(_FILLERS.split())
#: A question: it is answered, and changes nothing.
_ASKS: Final = re.compile(r"(?:are|is|do|does|did|has|have|when|what'?s)\b(?! not\b| n[o']t\b)", re.IGNORECASE)
#: What stands around a request, a question's mark among it.
_MARKS: Final = " ?？!.“”\"'"
#: Words that turn something on or off, and say only behind them which.
_TURNS: Final = ("turn", "switch", "set", "keep", "go")
#: Who asks so may want it done: that is offered.
_WONDERS: Final = re.compile(r"(?:(?:how|should) (?:do|does|can|could|would|to|i|we|you|one)\b ?)+", re.IGNORECASE)
#: What people say before they come to it.
_POLITE: Final = "please pls hey hi can could would you just i we want lets let's to now be"
POLITE: Final = frozenset(_POLITE.split())
ALL: Final = frozenset({"", "all", "all campaigns", "everything", "every campaign", "any", "anything"})


#: Said with these, "on" means all campaigns, and not only those that were on before.
EVERY: Final = re.compile(r"\b(?:all|every|everything|any|anything)\b", re.IGNORECASE)
#: Kinds of news, alone: no campaign is meant by them, and they are ticked in the settings.
KINDS: Final = re.compile(
    r"(?:(?:only|just|the|and|or|news|cards?|returns?|returned|deliver(?:y|ies|ed)|cancel(?:lations?|led|ed)|"
    r"digests?|summar(?:y|ies)|alarms?|warnings?)[ ,]*)+",
    re.IGNORECASE,
)
#: Words of a setting that has no verb of its own, beside a moment or a number: "digest at 8am".
SETTING: Final = re.compile(
    r"\b(?:digests?|summar(?:y|ies)|alarms?|weekly|reports?|quiet (?:hours?|times?|from|between|after|at|\d))",
    re.IGNORECASE,
)
#: The same of kinds of news: where no verb was understood, nothing else can be meant.
OF_KINDS: Final = re.compile(r"\b(?:returns?|returned|deliver(?:y|ies|ed)|cancel(?:lations?|led))\b", re.IGNORECASE)
#: Another channel, as Slack writes it or as it was typed; `#222` is a campaign.
CHANNEL: Final = re.compile(r"<#(?P<id>\w+)(?:\|[^>]*)?>|(?<![^\s(,])(?P<typed>#(?!\d+\b)[^\W_][\w-]*)")


#: What stands before a channel's name, and belongs to it. "On" does not: it is what is to be done.
_BEFORE_CHANNEL: Final = re.compile(r"\b(?:here )?(?:in|to|for|at|into)\s+$", re.IGNORECASE)


def without_channel(typed: str, channel: str, name: str) -> str:
    """The text without the channel that it is typed in: its id, and its name where that is known ("" else)."""
    named = CHANNEL.search(typed)
    if named is None:
        return typed
    own = bool(name) and (named["typed"] or "").casefold() == f"#{name.casefold()}"
    if named["id"] != channel and not own:
        return typed
    before = _BEFORE_CHANNEL.sub("", typed[: named.start()])
    return " ".join(f"{before} {typed[named.end() :]}".split())


@dataclass(frozen=True)
class AlertsAsk:
    """What was asked: `verb` is on, off, list, mute, unmute, settings, or "" when none was understood.

    `target`: a campaign, "" for all. `until`: when a mute ends; None where that was not said. `sure`: the verb was
    typed so; else it is only nearly that. `only`: and nothing else.
    """

    verb: str
    target: str = ""
    until: datetime | None = None
    sure: bool = True
    only: bool = False


def without_only(target: str) -> str:
    """A campaign without the words that say: this one, and no other."""
    return _target([word for word in target.split() if word.casefold().strip(",.") not in ("only", "alone")])


def parse_alerts(text: str, now: datetime) -> AlertsAsk:
    """The words behind `/mailalerts`, `now` by the asker's clock."""
    plain = text.replace("’", "'").strip(' “”"')
    typed = plain.strip(' ?？!.“”"').split()
    if _ASKS.match(" ".join(typed)):
        return AlertsAsk("list")
    # What ends so is a question, whatever it is about: what it may ask for is offered.
    guessed = only = False
    asks = any(mark in plain[len(plain.rstrip(_MARKS)) :] for mark in "?？")
    if wonders := _WONDERS.match(" ".join(typed) + " "):
        typed, guessed = " ".join(typed)[wonders.end() :].split(), True
    typed = _without_polite(typed)
    if typed and typed[0].casefold() == "only" and not KINDS.fullmatch(" ".join(typed)):
        # What else is on is not for a guess to end.
        typed, only = _without_polite(typed[1:]), True
    if not typed:
        return AlertsAsk("settings")
    words = [word.casefold() for word in typed]
    if asks and _how_it_stands(words):
        return AlertsAsk("list")
    verb, rest, sure = _verb(words, typed)
    sure = sure and (not (guessed or asks or only) or verb == "list")
    if verb == "mute":
        return AlertsAsk(verb, _target(rest), _until(" ".join(rest).casefold(), now), sure)
    return AlertsAsk(verb, _target(rest), sure=sure, only=only)


def _without_polite(typed: list[str]) -> list[str]:
    while len(typed) > 1 and typed[0].casefold().strip(",'’") in POLITE:
        typed = typed[1:]
    return typed


def _how_it_stands(words: list[str]) -> bool:
    """Whether it is asked whether something is on, and not to turn it on: "any alerts on?", "on or off?"."""
    if not set(words) - {"on", "off", "or"}:
        return True
    return words[-1] in ("on", "off") and words[0] not in _VERB_OF and words[0] not in _TURNS


def _verb(words: list[str], typed: list[str]) -> tuple[str, list[str], bool]:
    """The verb, the rest as typed, and whether it was typed so: "turn on Spring", "pause", "Spring off"."""
    if words[0] in _TURNS and "off" in words[1:]:
        return _around("off", words, typed)
    if words[0] in _TURNS[:-1] and "on" in words[1:]:
        return _around("on", words, typed)
    if words[0] in ("un-mute", "un-pause"):
        return "unmute", typed[1:], True
    if verb := _VERB_OF.get(words[0]):
        return verb, typed[1:], True
    if words[-1] in ("on", "off"):
        return words[-1], typed[:-1], True
    if near := _nearly(words[0]):
        return near, typed[1:], False
    return "", typed, False


def _around(verb: str, words: list[str], typed: list[str]) -> tuple[str, list[str], bool]:
    place = words.index(verb, 1)
    return verb, [*typed[1:place], *typed[place + 1 :]], True


def _nearly(word: str) -> str:
    # Needed by those alone who mistype, and it takes three megabytes.
    from rapidfuzz.distance import OSA  # noqa: PLC0415

    if len(word) < 4:  # noqa: PLR2004 - shorter words are too alike
        return ""
    near = [(OSA.distance(word, known), verb) for known, verb in _VERB_OF.items() if len(known) > 3]  # noqa: PLR2004
    best = min(near)
    return best[1] if best[0] <= 1 else ""


def _target(rest: list[str]) -> str:
    """The campaign in these words, "" for all."""
    while rest and rest[0].casefold() in FILLERS:
        rest = rest[1:]
    while rest and rest[-1].casefold() in ("please", "pls", "here", "now", "alerts", "campaign", "anymore"):
        rest = rest[:-1]
    # Of a quoted name at the end, one mark went with what stands around the whole.
    target = parsing.unquote(" ".join(rest)).strip('“”"')
    return "" if target.casefold() in ALL else target


_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SPAN: Final = re.compile(
    r"(?:for )?(?:the )?(?:next )?(?P<n>\d{1,4}|an?|one|two|three|four|half an|(?:a )?couple(?: of)?|(?:a )?few) ?"
    r"(?P<unit>m|h|d|w)(?:in|ins|inutes?|ours?|rs?|ays?|eeks?|k|ks)?"
)


#: Where, and what, is muted: that is this channel, and all of it.
_HERE: Final = re.compile(r"\b(?:(?:in|on|for) )?(?:(?:this|the|our) channel|here)\b")
_MUTED: Final = frozenset(["alerts", "please", "pls", "notifications", "it", "all", "everything", "us", "me", "them"])


def until(text: str, now: datetime) -> datetime | None:
    """When a mute ends, by these words; None when they do not say."""
    return _until(text.casefold(), now)


def _until(text: str, now: datetime) -> datetime | None:
    """When a mute ends, by these words; None when they do not say."""
    text = _HERE.sub(" ", text)
    text = " ".join(word for word in text.split() if word not in _MUTED)
    if match := _SPAN.fullmatch(text):
        return _at_most(now + _long(match), now)
    day = re.sub(r"^(?:for|until|till|til|to|thru|through|up to) (?:the )?", "", text)
    if clock := re.fullmatch(r"(?:at )?(\d{1,2})(?::(\d\d))? ?(am|pm|a|p)?", day):
        return _clock(clock, now)
    return _morning(day, now)


def _long(match: re.Match[str]) -> timedelta:
    said = match["n"].removeprefix("a ").removesuffix(" of") or "a"
    unit = {_UNITS[match["unit"]]: 1}
    if said == "half an":
        return timedelta(**unit) / 2
    return timedelta(**unit) * (int(said) if said.isdigit() else ranges.NUMBERS[said])


def _clock(match: re.Match[str], now: datetime) -> datetime | None:
    hour, minute = int(match[1]), int(match[2] or 0)
    if match[3] and 1 <= hour <= 12:  # noqa: PLR2004 - a clock
        hour = hour % 12 + (12 if match[3].startswith("p") else 0)
    if hour > 23 or minute > 59:  # noqa: PLR2004 - a clock
        return None
    end = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return end if end > now else end + timedelta(days=1)


def _morning(day: str, now: datetime) -> datetime | None:
    day = re.sub(r" ?(?:morning|am)$", "", day)
    if day in ("tomorrow", "the day", "day", "today", "overnight", "tonight", "night", "rest of the day", "the night"):
        return _on(now + timedelta(days=1))
    if day in ("weekend", "this weekend", "rest of the week", "this week", "week", "next week"):
        day = "monday"
    name = re.sub(r"^(?:next|this|on) ", "", day)
    if name in WEEKDAYS:
        return _on(now + timedelta(days=(WEEKDAYS[name] - now.weekday() - 1) % 7 + 1))
    if day in ("forever", "further notice", "indefinitely", "ever"):
        return now + LONGEST_MUTE
    return _date(day, now)


def mornings(now: datetime) -> tuple[datetime, datetime]:
    """Tomorrow's, and that of the next Monday."""
    return _on(now + timedelta(days=1)), _on(now + timedelta(days=7 - now.weekday()))


def _date(day: str, now: datetime) -> datetime | None:
    if alone := re.fullmatch(r"(\d{1,2})(?:st|nd|rd|th)", day):
        number = int(alone[1])
        ahead = (now + timedelta(days=days) for days in range(1, 63))
        return next((_on(one) for one in ahead if one.day == number), None)
    if re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        return _exactly(day, now)
    match = re.fullmatch(r"([a-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?|(\d{1,2})/(\d{1,2})", day)
    if match is None or (match[1] and match[1] not in MONTHS):
        return None
    month, number = (MONTHS[match[1]], int(match[2])) if match[1] else (int(match[3]), int(match[4]))
    for year in (now.year, now.year + 1):
        try:
            end = _on(now.replace(year=year, month=month, day=number))
        except ValueError:
            return None
        if end > now:
            return _at_most(end, now)
    return None


def _exactly(day: str, now: datetime) -> datetime | None:
    try:
        that = date.fromisoformat(day)
    except ValueError:
        return None
    ahead = that - now.date()
    # A day that is far ahead may be none that a clock can tell.
    return _at_most(_on(now + min(ahead, 2 * LONGEST_MUTE)), now) if ahead > timedelta() else None


def _on(day: datetime) -> datetime:
    return day.replace(hour=MORNING.hour, minute=0, second=0, microsecond=0)


def _at_most(end: datetime, now: datetime) -> datetime | None:
    return min(end, now + LONGEST_MUTE) if end > now else None
