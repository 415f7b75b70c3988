"""What buttons, forms and choices carry: written here, read here, and nowhere else taken apart.

A value is the fields of one of our dataclasses in their order, "|" between them. A dataclass says its VERSION: 1 has no
mark, for so the messages speak that stand in channels since before there was one; each later one begins with "~2|".
What comes back from Slack may be old, of a newer version, or made up: whatever is not exactly ours raises Outdated.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from types import UnionType
from typing import Any, ClassVar, Final, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from handlers.errors import Outdated

#: What Slack carries for us. Only this module makes one.
Value = NewType("Value", str)

#: Slack's limits (docs.slack.dev, Block Kit reference): of a choice, of a button, and of a form.
CHOICE: Final = 150
BUTTON: Final = 2000
FORM: Final = 3000
#: The largest row number that a database can have.
LARGEST: Final = 2**63 - 1
MARK: Final = "~"
ESCAPES: Final = {"%": "%25", "|": "%7C", "~": "%7E"}

Carrying = TypeVar("Carrying", bound="Carried")


class Carried:
    """What a button, a choice or a form carries: a frozen dataclass of ids, days, yes or no, and words."""

    VERSION: ClassVar[int] = 1
    LONGEST: ClassVar[int] = CHOICE


def write(carried: Carried) -> Value:
    """This, as Slack keeps it for us; raises ValueError for what is longer than Slack takes."""
    assert is_dataclass(carried)  # noqa: S101 - each is; a class cannot say so of its children
    parts = [_written(getattr(carried, one.name)) for one in fields(carried)]
    text = "|".join([*_mark(type(carried)), *parts])
    if len(text) > carried.LONGEST:
        raise ValueError(f"a {type(carried).__name__} of {len(text)} characters")
    return Value(text)


def read(shape: type[Carrying], value: str) -> Carrying:
    """What `write` made of one of these; raises Outdated for everything else."""
    parts, mark, kinds = value.split("|"), _mark(shape), _kinds(shape)
    known = parts[: len(mark)] == mark and (bool(mark) or not value.startswith(MARK))
    rest = parts[len(mark) :]
    if not known or len(rest) != len(kinds) or len(value) > shape.LONGEST:
        raise Outdated
    try:
        made = shape(**{name: _read(kinds[name], part) for name, part in zip(kinds, rest, strict=True)})
    except (ValueError, KeyError):
        raise Outdated from None
    if write(made) != value:
        # A day or a number that we would write otherwise: it reads well, and is none of ours.
        raise Outdated
    return made


def is_of(shape: type[Carried], value: str) -> bool:
    """Whether it has the mark of this shape's version."""
    return value.split("|")[: len(_mark(shape))] == _mark(shape)


def _mark(shape: type[Carried]) -> list[str]:
    return [f"{MARK}{shape.VERSION}"] if shape.VERSION > 1 else []


def _kinds(shape: type[Carried]) -> Mapping[str, Any]:
    """The types of its fields, without the names that we gave them."""
    hints = get_type_hints(shape)
    return {one.name: _bare(hints[one.name]) for one in fields(shape)}  # type: ignore[arg-type]


def _bare(kind: Any) -> Any:
    # A union with a `NewType` is another class than one of plain types, before Python 3.14.
    if get_origin(kind) in (Union, UnionType):
        return tuple(_bare(one) for one in get_args(kind))
    return getattr(kind, "__supertype__", kind)


def _written(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Enum):
        # A word of ours is kept as it is; of a rank, which may be numbered anew, the name.
        return value.value if isinstance(value, str) else value.name
    if isinstance(value, date):
        return value.isoformat()
    return "".join(ESCAPES.get(one, one) for one in str(value))


def _read(kind: Any, text: str) -> object:
    """Raises ValueError or KeyError for what is nothing of this kind."""
    if isinstance(kind, tuple):
        first, _none = kind
        return None if text == "" else _read(first, text)
    if issubclass(kind, Enum):
        return kind(text) if issubclass(kind, str) else kind[text]
    return READERS[kind](text)


def _number(text: str) -> int:
    # "²" is a digit to Python, and no number.
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(LARGEST)) or int(text) > LARGEST:
        raise ValueError
    return int(text)


def _words(text: str) -> str:
    for plain, escape in reversed(ESCAPES.items()):
        text = text.replace(escape, plain)
    return text


READERS: Final[Mapping[type, Callable[[str], object]]] = {
    int: _number,
    str: _words,
    bool: {"yes": True, "no": False}.__getitem__,
    date: date.fromisoformat,
}
