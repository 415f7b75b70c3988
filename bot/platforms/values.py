"""Values as they come over a wire, from whomever: read strictly, cut to a length, raising only where it says so."""

import json
import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import DecodeError, Raw
from msgspec.json import Decoder

Json = Any
#: Longer than any real value; what exceeds it is cut.
LONGEST_TEXT: Final = 300
MOST_MONEY: Final = Decimal(10_000_000)
#: This machine's own names.
HERE: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class UnreadableError(ValueError):
    """An object that lacks what we cannot do without: an id, or a shape at all."""


def parse_json(raw: bytes) -> Json:
    """The JSON in these bytes. Raises ValueError for anything else, however deep, long or odd it is."""
    try:
        # Numbers keep their digits (0.10 stays 0.10), and 1e400 or NaN become text, which no field accepts as a number.
        return json.loads(raw, parse_float=str, parse_int=_whole, parse_constant=str)
    except RecursionError:
        raise ValueError("nested too deeply") from None


#: Bytes of an answer that is JSON by a generous reader alone; and of one object, or one field beside the objects.
MOST_ODD: Final = 1_000_000
MOST_ONE: Final = 500_000
_OBJECT: Final = Decoder(dict[str, Raw])
_LIST: Final = Decoder(list[Raw])
#: Bytes that are cut at once: some five milliseconds, in which no other thread runs.
STRETCH: Final = 1_000_000
#: How far into an answer its list begins, and how often a text is taken for the border of a stretch.
MOST_BEFORE: Final = 2_000
MOST_TRIES: Final = 20
_FIRST: Final = re.compile(rb"\[\s*(?=\{)")
_BETWEEN: Final = re.compile(rb"\}\s*,\s*(?=\{)")
_MARK: Final = b'"the list begins here"'


def cut_json(raw: bytes, within: Collection[str], stretch: int = STRETCH) -> Json:
    """The same, with the elements of its list left unread (`Raw`): the list itself, or the one found under these names.

    Reading a long list holds the interpreter for as long as it takes. Cutting it is some thirty times faster, and is
    done in stretches of so many bytes.
    """
    try:
        whole = _cut_in_stretches(raw, within, stretch) if len(raw) > stretch else None
        return _cut(raw, within) if whole is None else whole
    except (DecodeError, RecursionError):
        if len(raw) > MOST_ODD:
            raise ValueError("no JSON") from None
        return parse_json(raw)


def _cut(raw: bytes | Raw, within: Collection[str]) -> Json:
    begins = bytes(memoryview(raw)[:64]).lstrip()[:1]
    if begins == b"[":
        return _LIST.decode(raw)
    if begins == b"{":
        fields = _OBJECT.decode(raw)
        return {key: _cut(one, within) if key in within else _short(one) for key, one in fields.items()}
    return _short(raw)


def _cut_in_stretches(raw: bytes, within: Collection[str], stretch: int) -> Json:
    """None where the list is not found.

    Where it begins and where an object ends is guessed, and then proven: a guess within a text leaves that text open,
    and one within an object its brackets, so that what was cut there is no JSON.
    """
    begins = _FIRST.search(raw, 0, MOST_BEFORE)
    if begins is None:
        return None
    first, elements = begins.end(), list[Raw]()
    while len(raw) - first > stretch and (found := _one_stretch(raw, first, stretch)):
        some, first = found
        elements += some
    # What is left stands in the envelope, and the mark shows which of its lists it was.
    try:
        whole = _cut(raw[: begins.end()] + _MARK + b"," + raw[first:], within)
    except (DecodeError, RecursionError):
        return None
    return whole if _fill(whole, within, elements) else None


def _one_stretch(raw: bytes, first: int, stretch: int) -> tuple[list[Raw], int] | None:
    """The objects from here to the first border beyond a stretch, and where the next one begins."""
    for border in islice(_BETWEEN.finditer(raw, first + stretch), MOST_TRIES):
        try:
            return _LIST.decode(b"[" + raw[first : border.start() + 1] + b"]"), border.end()
        except (DecodeError, RecursionError):
            continue
    return None


def _fill(whole: Json, within: Collection[str], elements: list[Raw]) -> bool:
    """Puts these in the mark's place; False where it does not stand in a list under these names."""
    if isinstance(whole, dict):
        return any(_fill(whole[key], within, elements) for key in whole if key in within)
    if not isinstance(whole, list) or not whole or whole[0] != Raw(_MARK):
        return False
    whole[:1] = elements
    return True


def _short(raw: bytes | Raw) -> Json:
    """What is too long for any field stays unread, and so means nothing."""
    given = bytes(memoryview(raw))
    return parse_json(given) if len(given) <= MOST_ONE else Raw(given)


def read_cut(row: Json) -> Json:
    """An object that `cut_json` left unread; anything else as it is. Raises UnreadableError."""
    if not isinstance(row, Raw):
        return row
    given = bytes(memoryview(row))
    if len(given) > MOST_ONE:
        raise UnreadableError("too long")
    try:
        return parse_json(given)
    except ValueError:
        raise UnreadableError("no JSON") from None


def _whole(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 else digits  # noqa: PLR2004 - beyond 64 bits it can only be text


def text(value: Json) -> str:
    """A value as one short line; "" for what is not text or a number."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    said = value if isinstance(value, str) else str(value)
    if not said.isprintable():
        said = "".join(c for c in said if c.isprintable())
    return said.strip()[:LONGEST_TEXT]


def money(value: Json) -> Decimal | None:
    """An amount; None for what is none, or beyond any real one."""
    try:
        found = Decimal(text(value))
    except InvalidOperation:
        return None
    # `abs` rounds, and so raises for 1e9999999, which is finite and no amount.
    return found if found.is_finite() and found.copy_abs() < MOST_MONEY else None


def price(value: Json) -> Decimal | None:
    """What something costs; None where that is not known. Less than nothing would lower every sum it stands in."""
    found = money(value)
    return found if found is not None and found >= 0 else None


def whole(value: Json) -> int | None:
    """A count; None for what is none."""
    found = text(value)
    return int(found) if re.fullmatch(r"\d{1,9}", found) else None


def moment(value: Json) -> datetime | None:
    """A moment in UTC; one without a zone is taken for UTC.

    None for null, zeros, nonsense and other centuries.
    """
    found = text(value)
    if not re.match(r"20\d\d-\d\d-\d\d", found):
        return None
    try:
        parsed = datetime.fromisoformat(found)
        return (parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def day(value: Json) -> date | None:
    """A day; None for null, zeros and nonsense."""
    found = moment(text(value)[:10])
    return found.date() if found else None


def web_address(value: str) -> str:
    """An https address of a host; plain http only to this machine, since it would send the key in the clear.

    Raises ValueError, without the address: a name and a password in it would be shown wherever it is told.
    """
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is no web address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and host in HERE):
        raise ValueError("must begin with https://")
    if "@" in parts.netloc:
        raise ValueError("must hold no user name and no password")
    if not host or not re.fullmatch(r"[!-~]+", value):
        raise ValueError("is no web address")
    return value
