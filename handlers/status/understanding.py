"""What was meant behind `/mailstatus`: campaigns and days, in either order, with typos, as questions, or compared.

The readings are tried from what was typed to the letter to what is only nearly so; the first that fits is meant.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sqlalchemy import Connection

from handlers.context import matching
from handlers.context.matching import Match
from handlers.text import parsing, ranges
from handlers.text.parsing import Range
from storage.queries.mail import Named
from storage.records import WorkspaceId

#: What people say around a name: dropped where it matches nothing as it stands.
_BEFORE: Final = (
    "what what's what’s is how how's how’s are did does many where where's where’s show me give tell get see check "
    "find status stats numbers report update result results progress pieces mail return returns delivery deliveries "
    "please pls hey the our my for of on in about with up from to a an campaign campaigns drop mailing named "
    "called cancel stop went out sent ordered mailed was were anything everything all come came back going has have"
)
_AFTER: Final = (
    "please pls doing going do go status stats numbers report update result results progress performance campaign "
    "campaigns drop mailing now thanks returns returned delivered delivery pieces come came back land landed "
    "at one went out sent"
)
BEFORE: Final = re.compile(rf"(?:(?:{_BEFORE.replace(' ', '|')})[ :,]+)+", re.IGNORECASE)
AFTER: Final = re.compile(rf"(?:[ ,]+(?:{_AFTER.replace(' ', '|')})|[ ?!.,;:])+$", re.IGNORECASE)
#: Words that ask for all mail.
EVERYTHING: Final = frozenset(
    {"", "mail", "our mail", "my mail", "all mail", "campaigns", "all campaigns", "my campaigns", "our campaigns",
     "list", "list campaigns", "account", "overview", "summary", "balance", "spend", "spent", "budget", "money"}
)  # fmt: skip
VERSUS: Final = re.compile(
    r" (?:vs\.?|versus|v\.|against|v|compared (?:to|with)|in comparison (?:to|with)) ", re.IGNORECASE
)
COMPARE: Final = re.compile(
    r"(?:compare|comparison of|comparing|difference between|diff) (?P<a>.+?)"
    r"(?: (?:with|to|and|vs\.?|versus|against|&) |, ?| ?/ ?)(?P<b>.+)",
    re.IGNORECASE,
)

NO_MATCH: Final = Match()


@dataclass(frozen=True)
class Meant:
    """One reading: the campaign's name as typed ("" for the account), its days (None: none typed), and who is meant.

    `mended`: the range was mistyped, and is read as this. `other`: what it is compared with.
    """

    name: str = ""
    span: Range | None = None
    found: Match = NO_MATCH
    mended: bool = False
    other: "Meant | None" = None

    @property
    def is_account(self) -> bool:
        return not self.name

    @property
    def is_clear(self) -> bool:
        """Whether it can be answered without asking back."""
        return self.is_account or self.found.one is not None


@dataclass(frozen=True)
class Reader:
    """What is needed to tell a name from other words."""

    connection: Connection
    workspace_id: WorkspaceId
    names: Sequence[Named]
    today: date

    def match(self, name: str) -> Match:
        return matching.match(self.connection, self.workspace_id, parsing.unquote(name), self.names)

    def understand(self, asked: str) -> Meant:
        """The first reading that fits. Raises RangeRefused for what is plainly meant as a range but is none."""
        if matching.exactly(parsing.unquote(asked), self.names):
            return Meant(asked, None, self.match(asked))
        compared = self._compared(asked)
        if compared is not None:
            return compared
        literal = list(self._readings(asked))
        for reading in literal:
            if reading.is_account or reading.found.sure:
                return reading
        bare = without_words_around(asked)
        if bare != asked:
            again = self.understand(bare) if bare else Meant()
            if again.is_account or again.found.found:
                return again
        return self._guessed(asked, literal)

    def _guessed(self, asked: str, literal: Sequence[Meant]) -> Meant:
        mended = ranges.mend(asked)
        if mended != asked.casefold() and mended != asked:
            for reading in self._readings(mended):
                if reading.span is not None and reading.is_clear:
                    return replace(reading, mended=True)
        clear = [one for one in literal if one.is_clear]
        offering = [one for one in literal if one.found.found]
        return (clear or offering or [*literal[-1:], Meant(asked)])[0]

    def _readings(self, asked: str) -> Iterator[Meant]:
        """As a range; as part of a name, to the letter; as a name beside a range; and as a name alone."""
        if _plain(asked) in EVERYTHING:
            yield Meant()
            return
        whole = parsing.unquote(asked)
        if whole == asked and (span := ranges.read_range(asked, self.today)) is not None:
            yield Meant("", span)
            return
        if matching.contains(whole, self.names):
            yield Meant(asked, None, self.match(asked))
        for name, span in ranges.splits(asked, self.today):
            name = name if matching.exactly(name, self.names) else without_words_around(name)  # noqa: PLW2901
            yield Meant(name, span, self.match(name) if name else NO_MATCH)
        _, refused = ranges.split_range(asked, self.today) if whole == asked else (asked, None)
        yield Meant(asked, None, self.match(asked)) if refused is None else Meant(asked)

    def _compared(self, asked: str) -> Meant | None:
        match = COMPARE.fullmatch(asked.strip(" ?."))
        sides = [match["a"], match["b"]] if match else VERSUS.split(asked.strip(" ?."))
        if len(sides) != 2:  # noqa: PLR2004 - a comparison is of two
            return None
        if match and (halves := VERSUS.split(f"{match['a']} vs {match['b']}")) and len(halves) == 2:  # noqa: PLR2004
            sides = halves
        one, other = (self.understand(side.strip()) for side in sides)
        return replace(one, other=other)


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip(" ?!.,").split())


def without_words_around(text: str) -> str:
    """The text without what people say around a name: "how is Spring doing?" is "Spring"."""
    bare = AFTER.sub("", text.strip())
    begun = BEFORE.match(bare + " ")
    return (bare[begun.end() :] if begun else bare).strip(" ,:")


def understand(
    connection: Connection, workspace_id: WorkspaceId, names: Sequence[Named], asked: str, today: date
) -> Meant:
    """What was meant; raises RangeRefused for what is plainly meant as a range but is none."""
    return Reader(connection, workspace_id, names, today).understand(asked) if asked else Meant()
