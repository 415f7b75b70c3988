"""What somebody typed after the slash, as a request. Every refusal says which forms work."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from handlers.errors import Refusal
from handlers.text.formatting import day, span
from storage.queries.mail import Days

#: Longer than any campaign name or address that a mail platform takes.
LONGEST_TYPED: Final = 200
RANGE_FORMS: Final = (
    "`today`, `last week`, `past 30 days`, `since Monday`, `last month`, `October`, `Oct-Nov`, `Nov 1-10`, `Q4`, "
    "`year to date`, `10/01/2026-10/31/2026`, `2026-10-01..2026-10-31`, `all time`"
)


#: Days that can be chosen with two pickers: a year, leap or not.
LONGEST_SPAN: Final = 366


#: No mail is older, and none planned further ahead.
FIRST_YEAR, LAST_YEAR = 2000, 2099


QUOTES: Final = "\"'“”‘’«»"


class RangeRefused(Refusal):
    """I couldn't read that range."""


class TooLong(Refusal):
    """That is longer than any campaign name, recipient or address. Type just the name, the piece's id or a ZIP code."""


@dataclass(frozen=True)
class Range:
    """Days with the words for them. No days: everything."""

    days: Days
    label: str

    @property
    def said(self) -> str:
        """What is counted, as words of their own: "All orders", "Ordered in October 2026"."""
        if self.days.current:
            return "Moving now, or ordered in the last 30 days"
        if self.days == Days():
            return "All orders"
        # "In the last week" would be the last seven days.
        if self.label.startswith(("last ", "past ")) and not CALENDAR.match(self.label):
            return f"Ordered in the {self.label}"
        return f"Ordered in {self.label}" if WHOLE.fullmatch(self.label) else f"Ordered {self.label}"


#: A month, a quarter or a year.
WHOLE: Final = re.compile(r"(?:[A-Z][a-z]+|Q\d) \d{4}|\d{4}")
#: Days of a calendar: "last week, Nov 9–15".
CALENDAR: Final = re.compile(r"(?:last|past) (?:week|weekend)\b")
ALL_TIME: Final = Range(Days(), "all time")


def now(today: date) -> Range:
    """The default range: what still moves, and what was ordered lately."""
    return Range(Days(current=today), "now")


def clean(text: str) -> str:
    """The text as typed: Slack's three escapes undone, controls dropped, spaces folded. Raises TooLong."""
    plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    line = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    if len(line) > LONGEST_TYPED:
        raise TooLong
    return line


def unquote(text: str) -> str:
    """The text without quotation marks around it."""
    if len(text) > 1 and text[0] in QUOTES and text[-1] in QUOTES:
        return text[1:-1].strip()
    return text


HELP: Final = frozenset(
    {"help", "help me", "how", "how does this work", "usage", "what can you do", "what can i do", "what can i type",
     "what can i ask", "how do i use this", "commands", "examples"}
)  # fmt: skip


#: What a status means: the help explains each.
MEANING: Final = re.compile(
    r"(?:what (?:do|does)|what['’]?s) (?:the (?:status )?)?[“\"']?"
    r"(?:received|producing|handed[- ]over|in[- ]transit|local delivery|delivered|returned|cancelled|other"
    r"|(?:these |those |your )?status(?:es)?)[”\"']?(?: status)? (?:mean|stand for)",
    re.IGNORECASE,
)


def wants_help(text: str) -> bool:
    """Whether the asker wants to be shown how."""
    asked = text.casefold().strip(" ?!.-").removeprefix("please ").removesuffix(" please")
    return asked in HELP or text == "?" or MEANING.fullmatch(asked) is not None


#: What is said to a colleague, and asks for nothing.
_GREETING: Final = re.compile(
    r"(?:(?:hi|hello|hey|thanks|thank you|thx|ty|ok|okay|cool|great|nice|good (?:morning|afternoon|evening)"
    r"|that(?:['’]?s| is| will be) (?:all|it)|got it|perfect|all good|never ?mind|(?:good)?bye)"
    r"(?: (?:there|all|team|everyone|piecewise|bot|again|so much|a lot|very much|job|work"
    r"|for (?:now|today|(?:the|your) help)))*[ ,.!]*)+",
    re.IGNORECASE,
)


def greets(text: str) -> bool:
    """Whether somebody says hello or thanks, and no more."""
    return _GREETING.fullmatch(text) is not None


#: How people begin who want mail stopped, and think that typing does it.
STOPPING: Final = re.compile(r"(?:please |pls |can you |could you )*(?P<verb>stop|cancel|halt|kill)\b", re.IGNORECASE)


#: What people say who want to see returns, or a file: a status answers neither alone.
CAME_BACK: Final = re.compile(
    r"\b(?:c[ao]m(?:e|es|ing)|sent|brought|went) back\b"
    r"|\b(?:returns?|returned|bounce[sd]?|undeliverable|rts|nixies?|bad address(?:es)?)\b",
    re.IGNORECASE,
)
#: How people ask for a day, and not only for where things are.
WHEN: Final = re.compile(
    r"\b(?:when(?:'?s| will| is| are| does| do| should| would| can| might)|eta|how (?:long|soon)|by when|what day)\b",
    re.IGNORECASE,
)
#: Whether it goes as it should, beside what is usual.
PACE: Final = re.compile(
    r"\b(?:ahead|behind|late|early|overdue|delay(?:ed|s)?|stuck|stalled|hold[- ]?up|slow(?:er)?|fast(?:er)?"
    r"|on (?:track|time|schedule))\b",
    re.IGNORECASE,
)
#: What arrived: a range of orders says nothing of when.
LANDED: Final = re.compile(
    r"\b(?:delivered|delivery|deliveries|landed|arrived|land(?:s|ing)?|arriv(?:es?|ing))\b", re.IGNORECASE
)
#: Of what came back: the reasons, and not only who.
WHY: Final = re.compile(r"\b(?:why|reasons?|how come)\b", re.IGNORECASE)
#: A share of what was mailed needs what it is a share of: the numbers of what was ordered in these days.
SHARE: Final = re.compile(r"\b(?:rates?|per ?cent(?:age)?|share)\b|%", re.IGNORECASE)
#: Who asks how many of no certain days wants the numbers of all.
NUMBER: Final = re.compile(r"\b(?:how (?:many|much)|counts?|totals?|numbers?)\b", re.IGNORECASE)
#: How a question begins, with or without its mark.
QUESTION: Final = re.compile(
    r"(?:(?:where|what|when|why|who|how)(?:['’]?s)?|which|is|are|did|does|has|have)\b", re.IGNORECASE
)
EXPORTED: Final = re.compile(r"\b(?:exports?|exported|downloads?|csv|spreadsheet)\b", re.IGNORECASE)


def asks_to_stop(text: str, name: str) -> bool:
    """Whether somebody asks to stop this campaign, and does not only type a name that begins so."""
    match = STOPPING.match(text)
    return match is not None and not name.casefold().startswith(match["verb"].casefold())


def this_month(today: date) -> Range:
    """The whole month."""
    return _month(today.year, today.month)


def _month(year: int, month: int) -> Range:
    first = date(year, month, 1)
    last = date(year, month, calendar.monthrange(year, month)[1])
    return Range(Days(first, last), f"{first:%B %Y}")


def last_days(number: int, today: date) -> Range:
    """Today and the days before it; raises RangeRefused for none, or more than ten years."""
    if not 1 <= number <= 3660:  # noqa: PLR2004 - ten years
        raise RangeRefused("Ask for between 1 and 3660 days, like `last 7 days`.")
    label = "last day" if number == 1 else f"last {number} days"
    return Range(Days(today - timedelta(days=number - 1), today), label)


def today_only(today: date) -> Range:
    """This one day."""
    return Range(Days(today, today), f"today, {day(today)}")


def last_month(today: date) -> Range:
    """The month before this one."""
    before = today.replace(day=1) - timedelta(days=1)
    return _month(before.year, before.month)


#: Ranges that can be chosen, by the key under which a choice is kept: it moves on with the calendar.
PRESETS: Final[dict[str, tuple[str, Callable[[date], Range]]]] = {
    "now": ("Now", now),
    "today": ("Today", today_only),
    "last-7": ("Last 7 days", lambda today: last_days(7, today)),
    "this-month": ("This month", this_month),
    "last-month": ("Last month", last_month),
    "all": ("All time", lambda _today: ALL_TIME),
}


DEFAULT_PRESET: Final = "now"


def kept(text: str, today: date) -> Range:
    """The range that was kept as this text: a preset's key, or two days. Anything else is the default."""
    if text in PRESETS:
        return PRESETS[text][1](today)
    first, _, last = text.partition("..")
    try:
        days = Days(date.fromisoformat(first), date.fromisoformat(last))
    except ValueError:
        return now(today)
    assert days.first is not None  # noqa: S101 - just made
    assert days.last is not None  # noqa: S101
    return Range(days, span(days.first, days.last))


def between(first: date, last: date, today: date) -> tuple[str, str]:
    """The valid range nearest to these two days, to be kept, and a sentence when it is not the one asked for."""
    said = []
    if last < first:
        first, last = last, first
        said.append("I put the earlier day first.")
    if last > today:
        first, last = min(first, today), today
        said.append("Days to come hold no orders yet, so it ends today.")
    if (last - first).days >= LONGEST_SPAN:
        first = last - timedelta(days=LONGEST_SPAN - 1)
        said.append("That was more than a year, so I kept the last of it; *All time* shows everything.")
    said += [f"This is {span(first, last)}."] if said else []
    return f"{first}..{last}", " ".join(said)


#: What people say around a recipient: left out where nothing holds these words, too.
_AROUND: Final = (
    "where what when why how who which is are was were isn wasn did do does didn doesn has have hasn haven had been "
    "the a an our my piece pieces mail mailpiece postcard postcards letter letters card package parcel id no number "
    "to for of in at on from with about show find track look tell know up me please pls status sent mr mrs ms dr zip "
    "miss arrive arrived arriving deliver delivered get gets got gotten getting receive received reach reached came "
    "come back happen happened happening became become gone whats wheres whens hows whos her his their hers theirs "
    "everything all any every news yet already supposed"
)
#: The same, where they are written small: "Will" and "He" are names, too.
_AROUND_SMALL: Final = (
    "it they them he she him we you i us this that will would can could may still ever be now there here if whether "
    "going so just need want lost missing late stuck"
)
_CONTRACTED: Final = re.compile(r"(?<=\w)['’](?:s|re|ve|d|ll|m|t)$")


def _bare(word: str) -> str:
    """The word as it is compared with those that people say around a name: "What's" is "what"."""
    return _CONTRACTED.sub("", word.casefold().strip("."))


def wordings(asked: str) -> list[str]:
    """How a piece is asked for: as typed, without the words around it, and by the five digits of a long ZIP code.

    What is written large within a sentence may be a name: it is looked for with these words before they are left out.
    """
    whole = asked.strip().removeprefix("#").strip()
    always, small = frozenset(_AROUND.split()), frozenset(_AROUND_SMALL.split())
    words = re.sub(r"[?!,;:#]", " ", whole).split()
    bare = " ".join(word for word in words if _bare(word) not in always | small)
    named = " ".join(
        word
        for number, word in enumerate(words)
        # The first is written large anyway.
        if _bare(word) not in always | small or (word[:1].isupper() and (number or _bare(word) in small))
    )
    short = re.sub(r"(?<!\d)(\d{5})-\d{4}(?!\d)", r"\1", bare)
    # "Jane Doe's letter".
    owners = (re.sub(r"(?<=\w)['’]s\b", "", one) for one in (named, bare))
    return list(dict.fromkeys(one for one in (whole, named, bare, short, *owners) if one))


#: What else people say who ask what came back, and mean nobody.
_OF_NO_ONE: Final = (
    "last latest newest recent recently lately first past since so far one ones anything something anyone anybody "
    "everyone someone who which why how many much some more that this these those there today yesterday week weeks "
    "month months day days have had been be were would will just again only now i we you can could see list lists of "
    "mails items item stuff things addresses address recipients people sender us it they them he she him whom mine "
    "ours morning afternoon evening night tonight noon earlier later still already between until and or bad count "
    "total rate rates reason reasons report file files excel give send make want need coming going usps post office "
    "over"
)


#: So many of them: nobody, and no house or ZIP code alone.
COUNT: Final = re.compile(r"\d{1,3}", re.ASCII)


def whose_return(asked: str) -> str:
    """Of a question what came back, the words that name somebody or something; "" where none is left.

    Its days are taken away before (`ranges.within`).
    """
    around = frozenset(f"{_AROUND} {_OF_NO_ONE}".split())
    said = EXPORTED.sub(" ", CAME_BACK.sub(" ", asked.replace("’", "'")))
    words = re.sub(r"[?!.,;:#]", " ", said).split()
    return re.sub(
        r"(?<=\w)'s\b", "", " ".join(word for word in words if _bare(word) not in around and not COUNT.fullmatch(word))
    )


MUTE_FORMS: Final = "`mute 2h`, `mute until tomorrow`, `mute until Monday`"
