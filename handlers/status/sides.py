"""The sides of what is compared, as typed: where one ends and the next begins. Pure words."""

import re
from typing import Final

VERSUS: Final = re.compile(
    r" (?:vs\.?|versus|v\.|against|v|compared (?:to|with)|in comparison (?:to|with)"
    r"|(?:doing |going )?(?:better|worse|faster|slower|quicker|earlier|later) than) ",
    re.IGNORECASE,
)
COMPARE: Final = re.compile(r"(?:compare|comparison of|comparing|difference between|diff) (?P<rest>.+)", re.IGNORECASE)
#: What stands between two where it was said that they are compared.
JOINED: Final = re.compile(r" (?:with|to|and|&) |, ?| ?/ ?", re.IGNORECASE)
#: So many places to part a text are tried; of more, the first.
PLACES: Final = 6

_UNIT: Final = "weekend|week|month|quarter|year|wk|mo|qtr|yr"
_WHOLE: Final = re.compile(rf"\b(?P<which>this|current|last|past|previous|prior) (?P<unit>{_UNIT})\b", re.IGNORECASE)
_ELLIPSIS: Final = re.compile(
    rf"(?:the )?(?:(?P<word>this|current|last|past|previous|prior)(?: one)?|(?:(?:{_UNIT}|one) )?before(?: that)?)",
    re.IGNORECASE,
)


def parted(asked: str) -> list[list[str]]:
    """The ways to part what was typed: each in two, the first place first; last, in all its parts if these are more.

    There are none where nothing is compared.
    """
    text = asked.strip(" ?.")
    said = COMPARE.fullmatch(text)
    body = said["rest"] if said else text
    places = list(VERSUS.finditer(body)) or (list(JOINED.finditer(body)) if said else [])
    # Who types more of them compares nothing that could be told apart.
    tried = places if len(places) <= PLACES else places[:1]
    ways = [[body[: place.start()], body[place.end() :]] for place in tried]
    if 1 < len(places) <= PLACES:
        ends = [0, *(place.end() for place in places)]
        starts = [*(place.start() for place in places), len(body)]
        ways.append([body[end:start] for end, start in zip(ends, starts, strict=True)])
    return [stripped for way in ways if all(stripped := [side.strip() for side in way])]


def spelled_out(sides: list[str]) -> list[str]:
    """With the word that one of two leaves out: "this month vs last" is "this month vs last month"."""
    if len(sides) != 2:  # noqa: PLR2004 - of two
        return sides
    one, other = sides
    return [_spelled(one, other), _spelled(other, one)]


def _spelled(side: str, beside: str) -> str:
    short, whole = _ELLIPSIS.fullmatch(side), _WHOLE.search(beside)
    if short is None or whole is None:
        return side
    if short["word"]:
        return f"{short['word']} {whole['unit']}"
    if whole["which"].casefold() in ("this", "current"):
        return f"last {whole['unit']}"
    return f"2 {whole['unit']}s ago"
