"""Days as people type them, before or behind a name: "last week", "Q4", "Nov 1-10", "since Monday", "10/1 to 10/31".

The calendar is the American one: 10/1 is October 1 (unless only the other reading is a day), and weeks begin on Monday,
as offices count them. A day or a month without a year is the last one that has begun: mail is asked for once it was
ordered.
"""

import calendar
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from handlers.text import formatting, holidays, parsing
from handlers.text.parsing import ALL_TIME, FIRST_YEAR, LAST_YEAR, RANGE_FORMS, Range, RangeRefused
from storage.queries.mail import Days

FIRST_DAY: Final = date(FIRST_YEAR, 1, 1)
#: No range has more words: "from the 1st of October 2025 up to the 31st of October 2026".
LONGEST_RANGE: Final = 14
MONTHS: Final = {name.casefold(): n for n, name in enumerate(calendar.month_name) if name} | {
    name.casefold(): n for n, name in enumerate(calendar.month_abbr) if name
} | {"sept": 9}  # fmt: skip
WEEKDAYS: Final = {name.casefold(): n for n, name in enumerate(calendar.day_name)} | {
    name.casefold(): n for n, name in enumerate(calendar.day_abbr)
} | {"tues": 1, "thur": 3, "thurs": 3}  # fmt: skip
NUMBERS: Final = {
    "one": 1, "a": 1, "an": 1, "two": 2, "couple": 2, "couple of": 2, "three": 3, "few": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "fourteen": 14, "thirty": 30, "sixty": 60,
    "ninety": 90,
}  # fmt: skip
ORDINALS: Final = {"first": 1, "second": 2, "third": 3, "fourth": 4, "1st": 1, "2nd": 2, "3rd": 3, "4th": 4}


def _any(words: "dict[str, int] | list[str]") -> str:
    return "(?:" + "|".join(sorted(words, key=len, reverse=True)) + ")"


_MONTH: Final = rf"{_any(MONTHS)}\b\.?"
_YEAR: Final = r"(?:20\d\d|'\d\d)"
_DAY: Final = r"[0-3]?\d(?:st|nd|rd|th)?"
_COUNT: Final = rf"(?:\d{{1,6}}|(?:a )?{_any(NUMBERS)})"
_THIS: Final = r"(?:this|the current|current)"
_LAST: Final = r"(?:(?:the )?(?:last|past|previous|prior))"
_UNIT: Final = r"(?:week|month|quarter|year|weekend|wk|mo|qtr|yr)"
SHORT: Final = {"wk": "week", "mo": "month", "qtr": "quarter", "yr": "year"}

#: A single expression, how it is read, and whether it is one day. Longer forms come before shorter ones.
Read = Callable[[re.Match[str], date], tuple[date, date]]


def _year(text: str | None, month: int, until: date) -> int:
    """The year that was typed, of this century; else the last one in which this month had begun by then."""
    if text:
        return 2000 + int(text[-2:])
    return until.year if month <= until.month else until.year - 1


def month_of(year: int, month: int) -> tuple[date, date]:
    """The first and the last day of a month."""
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def week_of(day: date) -> tuple[date, date]:
    """Monday and Sunday around a day."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def quarter_of(year: int, quarter: int) -> tuple[date, date]:
    """The first and the last day of a quarter."""
    return date(year, 3 * quarter - 2, 1), month_of(year, 3 * quarter)[1]


def _one(day: date) -> tuple[date, date]:
    return day, day


def _iso(match: re.Match[str], _until: date) -> tuple[date, date]:
    return _one(date(int(match["y"]), int(match["m"]), int(match["d"])))


def _slashed(match: re.Match[str], until: date) -> tuple[date, date]:
    month, day = int(match["m"]), int(match["d"])
    if month > 12 >= day:  # noqa: PLR2004 - only the European reading is a day
        month, day = day, month
    year = match["y"]
    if year:
        return _one(date(int(year) if len(year) == 4 else 2000 + int(year), month, day))  # noqa: PLR2004 - digits
    return _one(_latest(month, day, until))


def _latest(month: int, day: int, until: date) -> date:
    """This day of the year, the last time that it was; raises ValueError when there is none."""
    this = date(until.year, month, day) if (month, day) != (2, 29) or calendar.isleap(until.year) else None
    if this and this <= until:
        return this
    years = (year for year in range(until.year - 1, until.year - 9, -1))
    return next(date(y, month, day) for y in years if (month, day) != (2, 29) or calendar.isleap(y))


def _month_day(match: re.Match[str], until: date) -> tuple[date, date]:
    month, day = _number_of_month(match["month"]), int(re.sub(r"\D", "", match["day"]))
    if match["year"]:
        return _one(date(_year(match["year"], month, until), month, day))
    return _one(_latest(month, day, until))


def _day_alone(match: re.Match[str], until: date) -> tuple[date, date]:
    """The last time that it was this day of a month. Raises StopIteration for a day that no month has."""
    number = int(match["day"])
    months = (_back("month", ago, until) for ago in range(3))
    days = (first.replace(day=number) for first, last in months if number <= last.day)
    return _one(next(day for day in days if day <= until))


def _week_with(match: re.Match[str], until: date) -> tuple[date, date]:
    return week_of(_month_day(match, until)[0])


def _number_of_month(text: str) -> int:
    return MONTHS[text.casefold().strip(". ")]


def _weekday(match: re.Match[str], until: date) -> tuple[date, date]:
    back = (until.weekday() - WEEKDAYS[match["weekday"].casefold()]) % 7
    if not back and match["last"]:
        back = 7
    return _one(until - timedelta(days=back))


def _ago(match: re.Match[str], until: date) -> tuple[date, date]:
    number = _count(match["count"])
    if match["unit"].casefold() == "day":
        return _one(until - timedelta(days=number))
    return _back(match["unit"], number, until)


def _count(text: str) -> int:
    word = text.casefold().removeprefix("a ")
    return int(text) if text.isdigit() else NUMBERS[word]


def _whole(match: re.Match[str], until: date) -> tuple[date, date]:
    return _back(match["unit"], 0 if match["this"] else 1, until)


def _back(unit: str, number: int, until: date) -> tuple[date, date]:
    """The whole week, month, quarter, year or weekend so many of them ago."""
    unit = SHORT.get(unit.casefold(), unit.casefold())
    if unit == "week":
        return week_of(until - timedelta(weeks=number))
    if unit == "weekend":
        saturday = week_of(until)[0] + timedelta(days=5)
        saturday -= timedelta(weeks=number if saturday <= until else max(number, 1))
        return saturday, saturday + timedelta(days=1)
    if unit == "year":
        return date(until.year - number, 1, 1), date(until.year - number, 12, 31)
    months = until.year * 12 + until.month - 1
    if unit == "month":
        return month_of((months - number) // 12, (months - number) % 12 + 1)
    quarters = months // 3 - number
    return quarter_of(quarters // 4, quarters % 4 + 1)


def _last_some(match: re.Match[str], until: date) -> tuple[date, date]:
    number, unit = _count(match["count"]), match["unit"].casefold()[:1]
    if unit == "h":
        number, unit = -(-number // 24) + 1, "d"
    days = {"d": number, "w": number * 7, "y": number * 365}.get(unit)
    if days is not None:
        return parsing.last_days(days, until).days.first or until, until
    if not 1 <= number <= 120:  # noqa: PLR2004 - ten years of months
        raise RangeRefused("Ask for between 1 and 120 months, like `last 3 months`.")
    months = until.year * 12 + until.month - 1 - number
    first, last = month_of(months // 12, months % 12 + 1)
    return min(date(first.year, first.month, min(until.day, last.day)) + timedelta(days=1), until), until


def _month_alone(match: re.Match[str], until: date) -> tuple[date, date]:
    month = _number_of_month(match["month"])
    if match["which"] and "last" in match["which"].casefold() and month == until.month:
        return month_of(until.year - 1, month)
    return month_of(_year(match["year"], month, until), month)


def _week_of_month(match: re.Match[str], until: date) -> tuple[date, date]:
    """Seven days from the 1st, 8th, 15th or 22nd on; the last week is the month's last seven days."""
    if match["month"]:
        month = _number_of_month(match["month"])
        first, last = month_of(_year(match["year"], month, until), month)
    else:
        first, last = _back("month", 1 if match["last"] else 0, until)
    if match["week"].casefold() == "last":
        return last - timedelta(days=6), last
    begin = first + timedelta(weeks=ORDINALS[match["week"].casefold()] - 1)
    return begin, begin + timedelta(days=6)


def _quarter(match: re.Match[str], until: date) -> tuple[date, date]:
    number = int(match["q"]) if match["q"] else ORDINALS[match["ordinal"].casefold()]
    return quarter_of(_year(match["year"] or match["before"], 3 * number - 2, until), number)


def _half(match: re.Match[str], until: date) -> tuple[date, date]:
    number = int(match["h"])
    year = _year(match["year"], 6 * number - 5, until)
    return date(year, 6 * number - 5, 1), month_of(year, 6 * number)[1]


def _to_date(match: re.Match[str], until: date) -> tuple[date, date]:
    unit = {"y": "year", "q": "quarter", "m": "month", "w": "week"}[match["unit"].casefold()[0]]
    return _back(unit, 0, until)[0], until


def _so_far(match: re.Match[str], until: date) -> tuple[date, date]:
    return _back(match["unit"] or match["u"], 0, until)[0], until


def _year_alone(match: re.Match[str], _until: date) -> tuple[date, date]:
    year = int(match["year"])
    return date(year, 1, 1), date(year, 12, 31)


POINTS: Final[list[tuple[str, Read, bool]]] = [
    (r"(?P<y>\d{4})-(?P<m>\d\d)-(?P<d>\d\d)", _iso, True),
    (r"(?P<m>\d\d?)/(?P<d>\d\d?)(?:/(?P<y>\d{4}|\d\d))?", _slashed, True),
    (r"(?P<m>\d\d?)-(?P<d>\d\d?)-(?P<y>\d{4})", _slashed, True),
    (rf"(?P<month>{_MONTH}) ?(?P<day>{_DAY})(?:,? (?P<year>{_YEAR}))?", _month_day, True),
    (rf"(?:the )?(?P<day>{_DAY}) (?:of )?(?P<month>{_MONTH})(?:,? (?P<year>{_YEAR}))?", _month_day, True),
    (r"the (?P<day>\d\d?)(?:st|nd|rd|th)", _day_alone, True),
    (r"(?:the )?day before yesterday", lambda _match, until: _one(until - timedelta(days=2)), True),
    (r"yesterday(?: (?:morning|afternoon|evening))?|last night",
     lambda _match, until: _one(until - timedelta(days=1)), True),
    (r"(?:earlier )?today|now|this (?:morning|afternoon|evening)|tonight", lambda _match, until: _one(until), True),
    (rf"(?:(?P<last>last|past|previous)|this|on)? ?(?P<weekday>{_any(WEEKDAYS)})", _weekday, True),
    (rf"(?P<count>{_COUNT}) (?P<unit>day|week|month|year)s? ago", _ago, True),
    (rf"(?P<unit>year|quarter|month|week)[ -]to[ -]date|(?:(?:the )?{_THIS} )?(?P<u>year|quarter|month|week) so far",
     _so_far, False),
    (r"(?P<unit>y|q|m|w)td", _to_date, False),
    (rf"{_LAST} (?P<count>{_COUNT}) ?(?P<unit>hours?|hrs?|h|days?|d|weeks?|wks?|w|months?|mos?|years?|yrs?|y)",
     _last_some, False),
    (r"(?P<count>\d{1,4}) ?(?P<unit>d)", _last_some, False),
    (r"the weekend", lambda _match, until: _back("weekend", 0, until), False),
    (rf"{_LAST} fortnight", lambda _match, until: (until - timedelta(days=13), until), False),
    (rf"(?:the )?week (?:of|around) (?P<month>{_MONTH}) ?(?P<day>{_DAY})(?:,? (?P<year>{_YEAR}))?", _week_with, False),
    (rf"(?:(?P<this>{_THIS})|{_LAST}) (?P<unit>{_UNIT})", _whole, False),
    ((rf"(?:(?P<before>20\d\d) )?(?:q ?(?P<q>[1-4])|(?P<ordinal>{_any(ORDINALS)}) quarter)"
     rf"(?: (?:of )?(?P<year>{_YEAR}))?"), _quarter, False),
    ((rf"(?P<week>last|{_any(ORDINALS)}) week (?:of|in) "
     rf"(?:(?P<month>{_MONTH})(?:,? (?P<year>{_YEAR}))?|(?:(?:{_THIS}|the|(?P<last>{_LAST})) )month)"),
     _week_of_month, False),
    (rf"h(?P<h>[12])(?: (?P<year>{_YEAR}))?", _half, False),
    (rf"(?P<which>(?:the )?(?:last|this) )?(?P<month>{_MONTH})(?:,? (?P<year>{_YEAR}))?", _month_alone, False),
    (r"(?P<year>20\d\d)", _year_alone, False),
]  # fmt: skip


#: Of A to Z alone: the Turkish ı and İ are other letters, and no month or number is spelled with them.
ANY_CASE: Final = re.IGNORECASE | re.ASCII
_NAMED: Final = re.compile(r"\(\?P<\w+>")
_POINT: Final = "(?:" + "|".join(_NAMED.sub("(?:", pattern) for pattern, _, _ in POINTS) + ")"
_TO: Final = r" ?(?:-|–|—|\.\.\.?|…| to | through | thru | until | till ) ?"
_LEAD: Final = r"(?:(?:in|for|from|during|over|of|on|within|ordered|ordered in|sent in|mailed in) )?(?:the )?"
ALWAYS: Final = r"(?:for |of |from |over )?(?:all(?:[ -]time)?|ever|overall|everything|lifetime|any ?time)"

#: A whole range, from the most to the least that it says.
FORMS: Final = [
    (rf"(?:from |between )?(?P<a>{_POINT})(?:{_TO}| and )(?P<b>{_POINT})", "between"),
    ((rf"(?:in |from )?(?P<month>{_MONTH}) ?(?P<a>{_DAY}) ?(?:-|–|—|to|through|thru) ?(?P<b>{_DAY})"
     rf"(?:,? (?P<year>{_YEAR}))?"), "days"),
    # Behind these words alone: campaigns are called after holidays.
    (rf"(?:since|after) (?P<a>{holidays.NAMES})", "holiday"),
    (rf"(?:since|after|starting(?: from)?|as of|beginning) (?:the )?(?P<a>{_POINT})", "since"),
    (rf"(?:from )?(?P<a>{_POINT}) (?:on|onwards?|to date|until now|till now|and later)", "since"),
    (rf"(?:until|till|through|thru|before|up to|by) (?:the )?(?P<a>{_POINT})", "until"),
    (ALWAYS, "all"),
    (rf"(?P<lead>{_LEAD})(?P<a>{_POINT})(?:'s)?", "point"),
]  # fmt: skip


@lru_cache(maxsize=1)
def _compiled() -> tuple[list[tuple[re.Pattern[str], Read, bool]], list[tuple[re.Pattern[str], str]]]:
    """Compiled on first use: nothing happens at import."""
    points = [(re.compile(pattern, ANY_CASE), read, day) for pattern, read, day in POINTS]
    return points, [(re.compile(form, ANY_CASE), kind) for form, kind in FORMS]


class _Point(NamedTuple):
    first: date
    last: date
    one_day: bool


def _point(text: str, until: date) -> _Point:
    """The days of a single expression, and whether it is one day; raises ValueError when the calendar has none such."""
    for pattern, read, one_day in _compiled()[0]:
        match = pattern.fullmatch(text.strip())
        if match:
            return _Point(*read(match, until), one_day)
    raise ValueError(text)


def read_range(text: str, today: date) -> Range | None:
    """The range that this whole text is; None when it is none.

    Raises RangeRefused for what is plainly meant as a range but is none.
    """
    for pattern, kind in _compiled()[1]:
        match = pattern.fullmatch(text.strip())
        if match is None:
            continue
        try:
            return _ranged(match, kind, today)
        except (ValueError, StopIteration, OverflowError):
            raise RangeRefused(f"I couldn't read that range: no such day. These work: {RANGE_FORMS}.") from None
    return None


def _ranged(match: re.Match[str], kind: str, today: date) -> Range:
    if kind == "all":
        return ALL_TIME
    if kind == "days":
        return _labeled(*_days_of_month(match, today), match, today)
    if kind == "between":
        end = _point(match["b"], today)
        return _labeled(_point(match["a"], end.last).first, end.last, match, today)
    first, last, one_day = (
        (*_one(holidays.last(match["a"], today)), True) if kind == "holiday" else _point(match["a"], today)
    )
    if kind == "until":
        until = first - timedelta(days=1) if match[0].casefold().startswith("before") else last
        _require_known(until, until)
        return Range(Days(FIRST_DAY, until), f"until {formatting.day(until)}")
    if kind in ("since", "holiday") or (one_day and match["lead"].casefold().startswith("from")):
        begin = last + timedelta(days=1) if match[0].casefold().startswith("after") else first
        return _labeled(begin, max(today, begin), match, today)
    return _labeled(first, last, match, today)


def _days_of_month(match: re.Match[str], today: date) -> tuple[date, date]:
    month = _number_of_month(match["month"])
    one, other = (int(re.sub(r"\D", "", match[name])) for name in ("a", "b"))
    first = date(_year(match["year"], month, today), month, one) if match["year"] else _latest(month, one, today)
    return first, first.replace(day=other)


def _require_known(first: date, last: date) -> None:
    """Raises RangeRefused for days on which nobody mails anything."""
    if first.year < FIRST_YEAR or last.year > LAST_YEAR:
        raise RangeRefused(f"I know days from {FIRST_YEAR} to {LAST_YEAR}. These work: {RANGE_FORMS}.")


def _labeled(first: date, last: date, match: re.Match[str], today: date) -> Range:
    _require_known(first, last)
    if last < first:
        # Nobody means an empty range, and the label says how it was read.
        first, last = last, first
    typed = match[0].casefold()
    days = Days(first, last)
    if first == last == today:
        return parsing.today_only(today)
    if typed.startswith(("last ", "past ", "in the last", "this ")) and "week" in typed:
        return Range(days, f"{typed.removeprefix('in ')}, {formatting.span(first, last)}")
    if last == today and (again := re.fullmatch(rf"(?:.* )?{_LAST} (\d+) days?", typed)):
        return parsing.last_days(int(again[1]), today)
    return name_days(days)


def name_days(days: Days) -> Range:
    """Days with words for them: a month, a quarter or a year by its name."""
    first, last = days.first, days.last
    if first is None or last is None:
        return ALL_TIME
    if first == FIRST_DAY:
        return Range(days, f"until {formatting.day(last)}")
    if (first, last) == month_of(first.year, first.month):
        return Range(days, f"{first:%B %Y}")
    for number in range(1, 5):
        if (first, last) == quarter_of(first.year, number):
            return Range(days, f"Q{number} {first.year}")
    if (first, last) == (date(first.year, 1, 1), date(first.year, 12, 31)):
        return Range(days, str(first.year))
    return Range(days, formatting.span(first, last))


def month_with(day: date) -> Range:
    """The month in which this day is."""
    return name_days(Days(*month_of(day.year, day.month)))


def splits(text: str, today: date) -> Iterator[tuple[str, Range]]:
    """Each way to read a name with a range before or behind it, the longest range first.

    What stands between quotation marks is a name as a whole. Raises RangeRefused as `read_range` does.
    """
    words = text.split()
    for size in range(min(len(words), LONGEST_RANGE), 0, -1):
        sides = ((words[:-size], words[-size:]), (words[size:], words[:size]))
        for name, typed in sides[: 1 if size == len(words) else 2]:
            joined = " ".join(typed).strip(",;:?!()[]")
            # Who says "right now" means all that moves.
            if joined.casefold() == "now" or any(mark in joined for mark in parsing.QUOTES if mark not in "'’"):
                continue
            found = read_range(joined, today)
            if found is not None:
                yield parsing.unquote(" ".join(name).strip(" ,;:-–")), found


def within(text: str, today: date) -> tuple[str, Range | None]:
    """The other words, and the longest range among them wherever it stands (None when there is none).

    Raises RangeRefused as `read_range` does.
    """
    words = text.split()
    for size in range(min(len(words), LONGEST_RANGE), 0, -1):
        for begin in range(len(words) - size + 1):
            typed = " ".join(words[begin : begin + size]).strip(" ,;:?!.")
            # "Which may have come back": a month that is written small and alone is none.
            if typed != "may" and (found := read_range(typed, today)) is not None:
                return " ".join([*words[:begin], *words[begin + size :]]), found
    return text, None


def split_range(text: str, today: date) -> tuple[str, Range | None]:
    """A campaign's name and the range before or behind it (None when there is none). `today` is the asker's day.

    Raises RangeRefused for what is plainly meant as a range but is none.
    """
    found = next(splits(text, today), None)
    if found is not None:
        return found
    if re.search(r"\d{4}-\d\d?-\d|\.\.|\b(?:last|past)\s+-?\d", text, re.IGNORECASE):
        raise RangeRefused(f"I couldn't read that range. These work: {RANGE_FORMS}.")
    return parsing.unquote(text), None


#: Words of ranges that are worth mending when they are mistyped.
VOCABULARY: Final = sorted(
    {"today", "yesterday", "this", "last", "past", "previous", "week", "weeks", "month", "months", "days", "year",
     "years", "quarter", "since", "until", "through", "weekend", "between", "date"}
    | {*map(str.casefold, (*calendar.month_name[1:], *calendar.day_name))}
)  # fmt: skip


def mend(text: str) -> str:
    """The text with each word that is nearly one of a range's written so: "lats week" is "last week"."""
    # Needed by those alone who mistype, and it takes three megabytes.
    from rapidfuzz.distance import OSA  # noqa: PLC0415

    def mended(word: str) -> str:
        low = word.casefold()
        if len(low) < 4 or low in VOCABULARY or not low.isalpha():  # noqa: PLR2004 - shorter words are too alike
            return word
        most = 1 if len(low) < 8 else 2  # noqa: PLR2004 - letters
        near = min((OSA.distance(low, known, score_cutoff=most), known) for known in VOCABULARY)
        return near[1] if near[0] <= most else word

    return " ".join(mended(word) for word in text.split())
