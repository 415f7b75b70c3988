"""A forecast in plain words: dates, where the campaign stands, and how that is known."""

from collections.abc import Sequence
from datetime import date
from typing import Final

from handlers.forecast import model
from handlers.forecast.model import Forecast, Point, Progress
from handlers.text import formatting
from handlers.text.messages import escape
from storage.queries.current import SILENT

USPS_WINDOW: Final = "USPS's 4–7 days for Marketing Mail"
NAMES: Final = ("half", "most", "nearly all")
#: What "nearly all" is: some of each mailing come back, and some are never scanned.
NEARLY_ALL: Final = "19 of 20 of the pieces that are delivered at all"
#: How a campaign may be late, and campaigns that are named of each kind.
LATE: Final = ("unusually late", "behind usual")
NAMED: Final = 3
#: Whether anything is late, where nothing is out; and of mail of no campaign, of which nothing is foretold.
NOTHING: Final = "Nothing is on its way, so nothing is late."
SINGLY: Final = "I can't tell whether pieces sent singly are late: `/mailtrack` has each."
#: Days by which a date may be off before that is worth words.
WIDE: Final = 2


def chance(of: float) -> str:
    """ "85%", "below 1%"."""
    return "below 1%" if of < model.LEAST else f"{formatting.whole(of)}%"


def dates(progress: Progress, today: date) -> str:
    """By when half, most and nearly all are expected; what is there already is left out."""
    if not progress.open:
        return "nothing more is on its way"
    return ", ".join(_parts(progress, today)) or "nearly all has arrived; a few stragglers may follow"


def _parts(progress: Progress, today: date) -> list[str]:
    # Of parts due on the same day the largest says it for all, as unsure as the least sure of them.
    by_day: dict[date, tuple[str, int]] = {}
    for name, due in zip(NAMES, progress.due, strict=True):
        if due.day is not None:
            by_day[due.day] = name, max(due.give_or_take, by_day.get(due.day, ("", 0))[1])
    return [f"{name} by {_date(day, off, today)}" for day, (name, off) in by_day.items()]


def _date(day: date, give_or_take: int, today: date) -> str:
    off = f" (give or take {give_or_take} days)" if give_or_take >= WIDE else ""
    return formatting.day_near(day, today) + off


def late(progress: Progress, platform: str) -> str:
    """Said in the place of dates when less has come than of any campaign of the past."""
    weeks, days = divmod(progress.day, 7)
    after = f"{progress.day} days" if days or not weeks else f"{weeks} week{'s' if weeks > 1 else ''}"
    what = f"{formatting.count(progress.landed)} of {formatting.count(progress.mailed)}"
    return f"Unusually late: {what} scanned as delivered after {after}. Ask {platform} about this drop."


def stands(progress: Progress) -> str:
    """Where it is beside the usual band; "" within it, where too little is known, and when that is said otherwise."""
    if progress.late or not progress.beside:
        return ""
    way, latest = "ahead" if progress.beside > 0 else "behind", progress.lately[0]
    return f"On day {latest.day} you're usually at {_between(latest.low, latest.high)}. You're {way}."


def pace(progress: Progress) -> str:
    """The same in three words, for a first line: "ahead of usual", "behind usual"; "" where there is nothing to say."""
    if progress.late:
        return "unusually late"
    return {1: "ahead of usual", -1: "behind usual"}.get(progress.beside, "")


def beside_usual(progress: Progress | None) -> str:
    """The same as a sentence, for who asks: also within the band, and why nobody can tell yet."""
    if progress is None:
        return "Too early to tell."
    if progress.late:
        return "Unusually late."
    if not progress.open:
        return "Nothing more is on its way."
    if progress.finished < model.ENOUGH_FINISHED:
        return "Too early to tell: too few of your campaigns like it are done to know what's usual."
    if len(progress.lately) < model.AGREED:
        return "Too early to tell: ask again in a day or two."
    latest, today, said = progress.lately[0], progress.now, pace(progress).capitalize()
    if not said and today.side > 0:
        return f"Ahead so far today: by tonight it's usually {_between(today.low, today.high)}."
    said = said or ("Not clear yet" if latest.side else "About usual")
    share = f"{formatting.whole(latest.share)}%"
    return f"{said}: {share} by day {latest.day}, usually {_between(latest.low, latest.high)}."


def of_all(
    known: Sequence[tuple[str, Progress | None]], number: int, *, singly: bool, silent: bool, waits: bool
) -> tuple[str, str]:
    """Of campaigns that are on their way, by name: whether any is late, in a sentence; and how the others stand.

    These are some of so many. `singly`: mail of no campaign is out, too. `silent`: anything is, though it may have been
    silent for long. `waits`: something is still to be mailed.
    """
    if not known:
        return _of_none(singly=singly, silent=silent, waits=waits), ""
    ways: dict[str, list[str]] = {way: [] for way in (*LATE, "ahead of usual", "about usual", "too early to tell")}
    for name, progress in known:
        ways[_way(progress)].append(name)
    late = [f"{_names(ways[way])} {'is' if len(ways[way]) == 1 else 'are'} {way}" for way in LATE if ways[way]]
    others = [f"{way.capitalize()}: {_names(names)}." for way, names in ways.items() if names and way not in LATE]
    if number > len(known):
        others.append(f"I checked the {len(known)} likeliest to be late of {number}: ask about others by name.")
    others += [SINGLY] if singly else []
    none = f"None of the {len(known)} I checked is late" if number > len(known) else "Nothing is late"
    return f"{'; '.join(late) or none}.", " ".join(others)


def _of_none(*, singly: bool, silent: bool, waits: bool) -> str:
    """Whether anything is late, where no campaign is on its way of which that could be told."""
    if singly:
        return SINGLY
    if silent:
        return f"Nothing new is on its way. What's still out has been silent for over {SILENT.days} days."
    return "Nothing is with USPS yet, so it's too early to tell." if waits else NOTHING


def _way(progress: Progress | None) -> str:
    """How a campaign stands, in a few words."""
    if progress is None or progress.finished < model.ENOUGH_FINISHED or len(progress.lately) < model.AGREED:
        return pace(progress) if progress and progress.late else "too early to tell"
    return pace(progress) or "about usual"


def _names(names: Sequence[str]) -> str:
    """ "Spring", "Spring and Fall", "Spring, Fall and 3 more"."""
    listed = [*names[:NAMED], *([f"{len(names) - NAMED} more"] if len(names) > NAMED else [])]
    return " and ".join(filter(None, (", ".join(listed[:-1]), listed[-1])))


def why(progress: Progress) -> str:
    """How it is known: from which campaigns, and what changed among them."""
    said = source(progress.form, progress.own, progress.others)
    if progress.own and progress.since is not None:
        said += f", {'slower' if progress.slower else 'faster'} since {progress.since:%B}"
    return f"{said} and its own scans" if progress.landed else said


def source(form: str, own: int, others: int) -> str:
    """From which campaigns of the past something is known."""
    if own > 1:
        return f"from your last {own} {escape(form)} campaigns"
    if own:
        return f"from your only {escape(form)} campaign"
    if others:
        return f"the first of its format: from USPS's standards and your {_campaigns(others)} of other formats"
    return "from USPS's standards"


def _campaigns(number: int) -> str:
    return f"{number} campaign{'s' if number > 1 else ''}"


def expected(progress: Progress, window: tuple[date, date], today: date, platform: str) -> str:
    """When it is due and how that is known; USPS's window where nothing else is. `platform`: its name."""
    if progress.late:
        return late(progress, platform)
    if not progress.is_known and progress.open:
        return f"{formatting.span_near(*window, today)}, by {USPS_WINDOW}"
    said = dates(progress, today)
    if progress.open and any(due.day is not None for due in progress.due):
        said += f", {why(progress)}"
    return f"{said[0].upper()}{said[1:]}."


def soon(progress: Progress | None, window: tuple[date, date], today: date) -> str:
    """The day alone, for who asks when, short enough for a first line; "" where there is none to say: all is over, or
    later than ever before."""
    if progress is None or (not progress.is_known and progress.open and not progress.late):
        return f"Expected {formatting.span_near(*window, today)}."
    if progress.late or not progress.open:
        return ""
    said = [dates(progress, today), *_parts(progress, today)][-1]
    return f"{said[0].upper()}{said[1:]}."


def points(told: Forecast, now: str) -> list[str]:
    """A line for each day of the curve. `now`: the share delivered today, as it is said everywhere else."""
    usual = "usually" if told.outlook.is_own else "by USPS's window"
    return [_point(one, told.today, usual, now) for one in model.points(told)]


def _point(one: Point, today: date, known: str, now: str) -> str:
    usual = f"{known} {_between(*one.usual)}"
    share = now if one.day == today else f"{formatting.whole(one.actual or 0)}%"
    actual = "" if one.actual is None else f"*{escape(share)}* · "
    if one.day < today:
        return f"{formatting.day_near(one.day, today)}: {actual}{usual}"
    return f"{formatting.day_near(one.day, today)}: {actual}expected {_between(one.low, one.high)} · {usual}"


def _between(low: float, high: float) -> str:
    low, high = formatting.whole(low), formatting.whole(high)
    return f"{low}–{high}%" if low < high else f"{low}%"


def moved(told: Forecast) -> str:
    """What changed since yesterday: the day by which nearly all is expected; "" when that has not moved."""
    before, now = told.yesterday, told.dates[2].day
    if before is None or now is None or told.is_late or not told.landed:
        return ""
    then = before.dates[2].day
    if then is None or then == now:
        return ""
    off = abs((now - then).days)
    days = f"{off} day{'s' if off > 1 else ''} {'later' if now > then else 'sooner'}"
    return f"Nearly all is now expected {days} than yesterday ({formatting.day_near(then, told.today)})."
