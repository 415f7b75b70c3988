"""Numbers as people read them: counts, shares that add up to a hundred, money, days, moments."""

import math
from collections.abc import Collection, Sequence
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from storage.records import Money

UTC: Final = ZoneInfo("UTC")
NOON: Final = 12
#: By so much a half may be written too small: 57 of 200 is a little less than 0.285.
TINY: Final = 1e-9
#: A day so near needs no year.
NEAR: Final = 180
SIGNS: Final = {"USD": "$", "GBP": "£", "EUR": "€", "CAD": "CA$"}


def count(number: int) -> str:
    """1,234,567."""
    return f"{number:,}"


def compact(number: int) -> str:
    """ "1,234", "12k", "3.9M": for a place where the exact number does not fit."""
    for size, sign in ((1_000_000, "M"), (1000, "k")):
        if number >= 10 * size or (number >= size and sign == "M"):
            return f"{number / size:.1f}".removesuffix(".0") + sign if sign == "M" else f"{number // size}k"
    return count(number)


def pieces(number: int) -> str:
    """ "1 piece", "1,234 pieces"."""
    return f"{count(number)} piece{'' if number == 1 else 's'}"


def wholes(counts: Sequence[int], alone: Collection[int] = ()) -> list[int]:
    """Shares in whole per cents that add up to exactly 100 (or are all 0): the largest remainders round up.

    `alone`: the places of those that are read beside others' elsewhere. Each is rounded as it would be without the
    others, and the others make up the hundred: as far as they are not so few that they stay below one ("< 1%").
    """
    total = sum(counts)
    if total <= 0:
        return [0] * len(counts)

    def order(place: int) -> tuple[int, int, int]:
        if place in alone and _goes_up(counts[place], total):
            return 0, counts[place], place
        return 1, -(counts[place] * 100 % total), place

    def may_grow(place: int) -> bool:
        if place in alone:
            return _goes_up(counts[place], total)
        return not alone or 200 * counts[place] >= total

    floors = [number * 100 // total for number in counts]
    for index in sorted(filter(may_grow, range(len(counts))), key=order)[: 100 - sum(floors)]:
        floors[index] += 1
    return floors


def _goes_up(number: int, total: int) -> bool:
    """Half a per cent goes up, of more than the half of all down: so it and what is left make a hundred."""
    twice = 2 * (number * 100 % total)
    return twice > total or (twice == total and 2 * number <= total)


def shares(counts: Sequence[int], alone: Collection[int] = ()) -> list[str]:
    """Shares as text: "62%"; "< 1%" for a few among very many; "100%" only for all of them."""
    total = sum(counts)
    return [percent(whole, number, total) for whole, number in zip(wholes(counts, alone), counts, strict=True)]


def percent(whole: int, number: int, total: int) -> str:
    """A rounded share as text, true at its ends: "0%" is none, and "100%" all."""
    if number and not whole:
        return "< 1%"
    if number < total and whole == 100:  # noqa: PLR2004 - all of it
        return "> 99%"
    return f"{whole}%"


def share(part: int, total: int) -> str:
    """ "62%" of so many; "0%" of none."""
    return shares([part, total - part], (0, 1))[0] if total else "0%"


def whole(part: float) -> int:
    """A share of one in whole per cents, by the same rule."""
    half = 0.5 if part <= 0.5 else 0.5 - 2 * TINY  # noqa: PLR2004 - see `_goes_up`
    return math.floor(100 * part + half + TINY)


def money(value: Money) -> str:
    """ "$1,234.50"; "1,234.50 CHF" for a currency whose sign we do not use."""
    amount = value.amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    sign = SIGNS.get(value.currency)
    minus = "-" if amount < 0 else ""
    return f"{minus}{sign}{abs(amount):,}" if sign else f"{amount:,} {value.currency}"


def day(value: date) -> str:
    """ "Nov 2, 2026"."""
    return f"{value:%b} {value.day}, {value.year}"


def day_near(value: date, today: date) -> str:
    """ "Nov 2"; with its year where that may be in doubt."""
    return f"{value:%b} {value.day}" if abs((value - today).days) < NEAR else day(value)


def span(first: date, last: date) -> str:
    """ "Nov 2, 2026", "Nov 2–9, 2026", "Oct 28 – Nov 2, 2026"."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%b} {first.day}–{last.day}, {last.year}"
    if first.year == last.year:
        return f"{first:%b} {first.day} – {day(last)}"
    return f"{day(first)} – {day(last)}"


def span_near(first: date, last: date, today: date) -> str:
    """ "Nov 2–9"; with its year where that may be in doubt."""
    if max(abs((first - today).days), abs((last - today).days)) >= NEAR:
        return span(first, last)
    return span(first, last).removesuffix(f", {last.year}").replace(f", {first.year}", "")


def hour(value: time) -> str:
    """ "5:42 PM", "9:00 AM": as Slack shows it, so that two of them side by side are written alike."""
    half = "AM" if value.hour < NOON else "PM"
    return f"{(value.hour - 1) % NOON + 1}:{value.minute:02} {half}"


def full_hour(number: int) -> str:
    """ "9:00 AM", for 9."""
    return hour(time(number))


def moment(value: datetime, zone: ZoneInfo) -> str:
    """ "Nov 2, 2026, 5:42 PM CST", for pictures, where Slack cannot show each reader their own zone."""
    local = value.astimezone(zone)
    return f"{day(local.date())}, {hour(local.time())} {local:%Z}"


def stamp(value: datetime, *, seconds: bool = False) -> str:
    """A moment that Slack shows to each reader in their own zone, with UTC where it cannot."""
    form = "{date_short_pretty} at {time_secs}" if seconds else "{date_short_pretty} at {time}"
    return f"<!date^{int(value.timestamp())}^{form}|{moment(value, UTC)}>"


def stamp_day(value: datetime) -> str:
    """A day that Slack shows to each reader in their own zone."""
    return f"<!date^{int(value.timestamp())}^{{date_short_pretty}}|{day(value.date())}>"
