"""A day that lies ahead, as people type it, and what is asked about one."""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from handlers.errors import Refusal
from handlers.text import holidays, ranges
from handlers.text.parsing import LAST_YEAR, unquote
from handlers.text.ranges import MONTHS, WEEKDAYS

#: What ends a sentence, or a day within it.
MARKS: Final = " ?!.,;:"
#: A day without a year that was so lately is meant itself, and not that of next year.
RECENT: Final = timedelta(days=60)

FORMS: Final = "`Dec 12`, `12 December`, `12/12`, `2026-12-12`, `Friday`"
_NAMED: Final = re.compile(
    r"(?:(?P<month>[a-z]{3,9})\.? (?P<day>\d{1,2})|(?P<first>\d{1,2})\.? (?P<later>[a-z]{3,9})\.?)"
    r"(?:st|nd|rd|th)?(?:,? (?P<year>20\d\d))?",
    re.IGNORECASE,
)
_SLASHED: Final = re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})(?:/(?P<year>(?:20)?\d\d))?")
_DAY_ALONE: Final = re.compile(r"(?:the )?(?P<day>\d{1,2})(?:st|nd|rd|th)", re.IGNORECASE)
_WHEN: Final = re.compile(
    r"(?:(?:by )?when (?:to|should (?:we|i)|must (?:we|i)|do (?:we|i)(?: have to)?)|how late can (?:we|i)"
    r"|(?:what(?:'s|’s| is) )?the (?:last|latest) (?:day|date|time)(?: (?:we|i) can)?(?: to)?)"
    r" (?:book|mail|send)(?: (?P<what>.+?))?"
    r" (?:for|by) (?P<day>[^ ].*?)\??",
    re.IGNORECASE,
)
#: Without "when": what stands behind must be a day, for much is called "Mail by …".
_BY: Final = re.compile(
    r"(?:(?:we |i )?(?:must |should |need to |have to |want to |can we |can i )?(?:mail|book|send)"
    r"|(?:it |they )?(?:to |must |should )?arrive)"
    r"(?: (?:it|them|this|these|that|everything|our mail|the mail))?(?P<what>) (?:out )?by (?P<day>[^ ].*?)\??",
    re.IGNORECASE,
)
_HOMES: Final = re.compile(r"(?:to be )?in[- ]homes?(?P<what>) by (?P<day>[^ ].*?)\??", re.IGNORECASE)
_HOME: Final = re.compile(
    r"(?P<what>.+?)(?: be)? in[- ]homes? (?:by |(?=before ))(?P<day>.+?)(?:,? below (?P<below>\d{1,2}) ?%?)?",
    re.IGNORECASE,
)


#: In other words; what stands behind must be a day, as above.
_LANDS: Final = re.compile(
    r"(?P<what>.+?) (?:be (?:there|delivered|home|done)|arrives?|lands?|gets? there|makes? it"
    r"|(?:hits?|reach(?:es)?) (?:homes|mailboxes)) (?:by |(?=before ))(?P<day>.+?)(?:,? below (?P<below>\d{1,2}) ?%?)?",
    re.IGNORECASE,
)
#: "Before Christmas": the day before it is the last that will do.
_BEFORE: Final = re.compile(r"before (?P<day>.+)", re.IGNORECASE)
#: How people ask about a day that is over.
_PAST: Final = re.compile(r"(?:did|was|were)\b", re.IGNORECASE)


class NoSuchDay(Refusal):
    """I could not read that day."""


def read(text: str, today: date, *, past: bool = False) -> date:
    """The day that was typed, whatever marks stand behind it; without a year one that was lately, or the next of that
    name. `past`: it is over, so the last one is meant. Raises NoSuchDay."""
    try:
        found = _read(text.strip(MARKS), today)
        if past and found is not None and found > today:
            found = _last(text.strip(MARKS), today) or found
    except (ValueError, StopIteration):
        raise NoSuchDay(f"There is no such day. These work: {FORMS}.") from None
    if found is None:
        raise NoSuchDay(f"I could not read that day. These work: {FORMS}.")
    if found.year > LAST_YEAR:
        raise NoSuchDay(f"I know days until {LAST_YEAR}. These work: {FORMS}.")
    return found


def _read(text: str, today: date) -> date | None:
    """None for what is no day. Raises ValueError or StopIteration for one that no calendar has."""
    if (day := _called(text, today)) is not None:
        return day
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return date.fromisoformat(text)
    if match := _SLASHED.fullmatch(text):
        return _next(int(match["month"]), int(match["day"]), match["year"], today)
    if match := _DAY_ALONE.fullmatch(text):
        return next_of_month(int(match["day"]), today)
    if (weekday := WEEKDAYS.get(re.sub(r"^(?:next|this|on) ", "", text.casefold()))) is not None:
        return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    named = _NAMED.fullmatch(text)
    month = MONTHS.get((named["month"] or named["later"]).casefold()) if named else None
    if not named or month is None:
        return None
    return _next(month, int(named["day"] or named["first"]), named["year"], today)


def _called(text: str, today: date) -> date | None:
    """Today, tomorrow, a holiday that was lately, or its next, and the day before any day; None for anything else."""
    if before := _BEFORE.fullmatch(text):
        day = _read(before["day"], today)
        return None if day is None else day - timedelta(days=1)
    if text.casefold() in ("today", "tonight", "tomorrow"):
        return today + timedelta(days=text.casefold() == "tomorrow")
    holiday = holidays.days(text, range(today.year - 1, today.year + 2))
    return next((one for one in holiday if one >= today - RECENT), None)


def _next(month: int, number: int, year: str | None, today: date) -> date:
    if year:
        return date(2000 + int(year[-2:]), month, number)
    begin = today - RECENT
    # There may be eight years between two days of February 29.
    years = (begin.year + ahead for ahead in range(9))
    days = (date(one, month, number) for one in years if number <= calendar.monthrange(one, month)[1])
    return next(day for day in days if day >= begin)


def _last(text: str, today: date) -> date | None:
    """The last day of this name that has begun; None for one that has a year."""
    span = ranges.read_range(text, today)
    last = span.days.last if span else None
    return last if last is not None and last <= today else None


def next_of_month(number: int, after: date) -> date:
    """The next day of this number behind this one. Raises StopIteration for a number that no month has."""
    days = (after + timedelta(days=ahead) for ahead in range(1, 63))
    return next(day for day in days if day.day == number)


@dataclass(frozen=True)
class Planned:
    """When must mail be booked to be in homes by a day? `what`: a campaign to go by, or ""."""

    what: str
    day: str


def planned(text: str) -> Planned | None:
    """`when to book [campaign] for Dec 12`, `mail by Dec 12`, `in homes by Dec 12`; None for anything else."""
    found = _WHEN.fullmatch(text) or _HOMES.fullmatch(text)
    if found is None and (by := _BY.fullmatch(text)) and _is_day(by["day"].strip()):
        found = by
    return Planned(unquote(found["what"] or ""), found["day"].strip()) if found else None


def _is_day(text: str) -> bool:
    try:
        read(text, date(2000, 1, 1))
    except NoSuchDay:
        return False
    return True


@dataclass(frozen=True)
class Deadline:
    """A campaign is to be in homes by a day ("off": no longer); below this chance, in per cent, it is told of.

    `asks`: it ends as a question does. `past`: it asks what was.
    """

    what: str
    day: str
    below: int | None
    asks: bool = False
    past: bool = False


def deadline(text: str) -> Deadline | None:
    """`Spring in home by Dec 12 below 70%`; None for anything else."""
    found = _HOME.fullmatch(text.rstrip(MARKS))
    if found and _BEFORE.match(found["day"]) and not _is_day(found["day"].strip(MARKS)):
        found = None
    if not found and (lands := _LANDS.fullmatch(text.rstrip(MARKS))) and _is_day(lands["day"].strip(MARKS)):
        found = lands
    if not found:
        return None
    below = int(found["below"]) if found["below"] else None
    what, day = unquote(found["what"]), found["day"].strip(MARKS)
    return Deadline(what, day, below, text.rstrip().endswith("?"), _PAST.match(what) is not None)
