"""What a wing answers: an entry for each command, button, form, shortcut and event, with how it is to be taken.

Each wing has a table of its own; `handlers.asked` merges them, and a test says that no two claim the same.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handlers.context.services import Request, Services
from handlers.errors import Outdated
from handlers.text.buttons import Action, Form
from handlers.text.messages import Block


@dataclass(frozen=True)
class Command:
    """Something that is typed. What opens a page cannot wait its turn: Slack lets it do so for three seconds only."""

    handler: Callable[[Services, Request], Awaitable[None]]
    for_guests: bool = False
    #: The answer names no recipient, unless its handler asks Slack anew before, and changes nothing that is shared.
    nameless: bool = False
    opens_page: bool = False


@dataclass(frozen=True)
class Press:
    """A button or a menu; its value comes with it.

    `in_turn`: it shows something else in the same place, so it is answered after the same person's earlier ones, and
    the last stands. Pressed again it shows the same again: that is no double click.
    """

    handler: Callable[[Services, Request, str], Awaitable[None]]
    in_turn: bool = False
    #: It changes something, or promises a file: written down before it is acknowledged, and answered though the process
    #: that took it dies. What only opens a page cannot be: Slack lets us do so for three seconds.
    kept: bool = False
    #: It shows again what the channel of a guest was shown.
    for_guests: bool = False
    nameless: bool = False


@dataclass(frozen=True)
class Field:
    """What somebody filled in: typed, chosen from a list, or picked."""

    typed: str = ""
    chosen: str = ""
    several: tuple[str, ...] = ()
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class Filled:
    """A submitted form: what it carried for itself, its fields by name, and its view as Slack takes it back."""

    metadata: str
    fields: Mapping[str, Field]
    view: Block = field(default_factory=dict)

    def __getitem__(self, name: str) -> Field:
        """The field with this name; raises Outdated for a form of another version that had none.

        Nobody chose what a missing field would say.
        """
        if name not in self.fields:
            raise Outdated
        return self.fields[name]


def as_it_is(filled: Filled) -> Block:
    """The same form again, for as long as the answer takes."""
    return filled.view


@dataclass(frozen=True)
class Submission:
    """A form. `meanwhile`: what it shows until the answer takes its place; None: it closes at once.

    `channel`: to which channel it belongs, where it carries one.
    """

    handler: Callable[[Services, Request, Filled], Awaitable[None]]
    meanwhile: Callable[[Filled], Block] | None = None
    #: As with a button.
    kept: bool = False
    channel: Callable[[Filled], str] = lambda _filled: ""


@dataclass(frozen=True)
class Table:
    """All that one wing answers."""

    commands: Mapping[str, Command] = field(default_factory=dict)
    actions: Mapping[Action, Press] = field(default_factory=dict)
    forms: Mapping[Form, Submission] = field(default_factory=dict)


async def nothing(_services: Services, _ask: Request, _value: str) -> None:
    """A button that only opens a page: Slack tells us of it, and wants no more than an acknowledgement."""


def merged(tables: Mapping[str, Table]) -> Table:
    """One table of all wings; raises ValueError where two claim one name."""
    parts: dict[str, dict[Any, Any]] = {"commands": {}, "actions": {}, "forms": {}}
    for wing, table in tables.items():
        for kind, known in parts.items():
            entries = getattr(table, kind)
            if twice := known.keys() & entries.keys():
                raise ValueError(f"{wing}: somebody else has {', '.join(sorted(twice))}")
            known.update(entries)
    return Table(**parts)
