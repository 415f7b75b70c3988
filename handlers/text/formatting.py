"""Numbers as people read them: counts, shares that add up to a hundred, money, days, moments."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final
from zoneinfo import ZoneInfo

from storage.records import Money

SIGNS: Final = {"USD": "$", "GBP": "£", "EUR": "€", "CAD": "CA$"}


def count(number: int) -> str:
    """1,234,567."""
    return f"{number:,}"


def pieces(number: int) -> str:
    """ "1 piece", "1,234 pieces"."""
    return f"{count(number)} piece{'' if number == 1 else 's'}"


def tenths(counts: Sequence[int]) -> list[int]:
    """Shares in tenths of a per cent that add up to exactly 1,000 (or are all 0): the largest remainders round up."""
    total = sum(counts)
    if total <= 0:
        return [0] * len(counts)
    floors = [number * 1000 // total for number in counts]
    by_remainder = sorted(range(len(counts)), key=lambda i: (-(counts[i] * 1000 % total), i))
    for index in by_remainder[: 1000 - sum(floors)]:
        floors[index] += 1
    return floors


def shares(counts: Sequence[int]) -> list[str]:
    """Shares as text: "62.5 %"; "< 0.1 %" for a few among very many; "100.0 %" only for all of them."""
    total = sum(counts)
    return [_share(tenth, number, total) for tenth, number in zip(tenths(counts), counts, strict=True)]


def _share(tenth: int, number: int, total: int) -> str:
    if number and not tenth:
        return "< 0.1 %"
    if number < total and tenth == 1000:  # noqa: PLR2004 - all of it, in tenths of a per cent
        return "> 99.9 %"
    return f"{tenth // 10}.{tenth % 10} %"


def percent(part: int, total: int) -> str:
    """ "62 %", rounded down, so that 100 % means all of them."""
    return f"{part * 100 // total} %" if total else "0 %"


def money(value: Money) -> str:
    """ "$1,234.50"; "1,234.50 CHF" for a currency whose sign we do not use."""
    amount = value.amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    sign = SIGNS.get(value.currency)
    minus = "-" if amount < 0 else ""
    return f"{minus}{sign}{abs(amount):,}" if sign else f"{amount:,} {value.currency}"


def day(value: date) -> str:
    """ "2 Nov 2026"."""
    return f"{value.day} {value:%b %Y}"


def span(first: date, last: date) -> str:
    """ "2 Nov 2026", "2–9 Nov 2026", "28 Oct – 2 Nov 2026"."""
    if first == last:
        return day(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day(last)}"
    if first.year == last.year:
        return f"{first.day} {first:%b} – {day(last)}"
    return f"{day(first)} – {day(last)}"


def moment(value: datetime, zone: ZoneInfo) -> str:
    """ "2 Nov 2026, 14:05 CET", for pictures, where Slack cannot show each reader their own zone."""
    local = value.astimezone(zone)
    return f"{day(local.date())}, {local:%H:%M %Z}"


def stamp(value: datetime, *, seconds: bool = False) -> str:
    """A moment that Slack shows to each reader in their own zone, with UTC where it cannot."""
    form = "{date_short_pretty} at {time_secs}" if seconds else "{date_short_pretty} at {time}"
    return f"<!date^{int(value.timestamp())}^{form}|{value:%Y-%m-%d %H:%M} UTC>"


def stamp_day(value: datetime) -> str:
    """A day that Slack shows to each reader in their own zone."""
    return f"<!date^{int(value.timestamp())}^{{date_short_pretty}}|{value:%Y-%m-%d}>"
