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
from handlers.status import sides
from handlers.text import parsing, ranges
from handlers.text.parsing import Range, RangeRefused
from storage.queries.mail import Named
from storage.records import WorkspaceId

#: What people say around a name: dropped where it matches nothing as it stands.
_BEFORE: Final = (
    "when will export download who who's why and left is in much cost costs spend we us you i it any still there "
    "what what's what’s how how's how’s are did does many where where's where’s show me give tell get see check "
    "find status stats numbers report update result results progress pieces mail return returns delivery "
    "deliveries please pls hey the our my for of on about with up from to a an campaign campaigns drop mailing "
    "named called cancel stop went out sent ordered mailed was were anything everything all come came back going "
    "has have be which ones whats wheres hows whos whens happening right arriving news some "
    "hasn't hasnt haven't havent isn't gotten still can csv file spreadsheet exports rate percent percentage % total "
    "share count number far along with do hold holdup hi hello morning afternoon bad address addresses undelivered "
    "eta mailings so send soon long until by day due got everybody everyone anybody anyone"
)
_AFTER: Final = (
    "please pls doing going do go status stats numbers report update result results progress performance campaign "
    "campaigns drop mailing now thanks returns returned delivered delivery pieces come came back land landed "
    "at one went out sent late yet landed arrive arrived and why who cost costs spend spent us so far "
    "be in all home homes right been happening mailer mailers coming arriving landing expected tomorrow along done "
    "gotten theirs deliver transit still on track left ahead behind or of schedule than usual running early "
    "to as csv file export spreadsheet there hit due eta doin goin so slow fast slower faster delayed overdue costing "
    "bounce bounced bounces was were stuck stalled post office usps never made worst best the it"
)
BEFORE: Final = re.compile(rf"(?:(?:{_BEFORE.replace(' ', '|')})[ :,!]+)+", re.IGNORECASE)
AFTER: Final = frozenset(_AFTER.split())
#: What mail is printed on, said behind a name.
PAPER: Final = frozenset(
    {"card", "cards", "postcard", "postcards", "letter", "letters", "mailer", "mailers", "mailings", "flyer", "flyers"}
)
#: What ends a name, or a word behind it.
MARKS: Final = " ?!.,;:"
#: Words that ask for all mail.
EVERYTHING: Final = frozenset(
    {"", "mail", "our mail", "my mail", "all mail", "campaigns", "all campaigns", "my campaigns", "our campaigns",
     "list", "list campaigns", "account", "overview", "summary", "balance", "spend", "spent", "budget", "money", "now",
     "right now"}
)  # fmt: skip
#: Words that ask the same, where no campaign is called so.
ABOUT_ALL: Final = frozenset(
    {"cost", "costs", "spending", "total cost", "price", "expenses", "return", "returns", "returned", "bounces",
     "undeliverable", "delivered", "deliveries", "pie", "chart", "all of it", "dashboard", "late", "stuck", "overdue",
     "moving", "still moving", "out there", "still out there", "outstanding", "problems", "issues", "wrong", "new",
     "cancelled", "cancellations", "cancelled pieces", "booked", "scheduled", "upcoming", "upcoming drops",
     "upcoming campaigns", "next mailing", "next drop", "next campaign", "planned", "drop", "drops",
     "our account", "my account", "the account", "stuff", "things", "ones", "pieces", "everything we sent"}
)  # fmt: skip
#: Parts of the mail that people ask for, and that are not shown alone.
APART: Final = {
    "cancelled": re.compile(r"\bcancel(?:l?ed|lations?)\b", re.IGNORECASE),
    "upcoming": re.compile(
        r"\b(?:booked|scheduled|planned|upcoming|next (?:mailings?|drops?|campaigns?))\b", re.IGNORECASE
    ),
}
#: Where another question begins.
MORE: Final = re.compile(
    r"(?<=\?)\s+|(?:,? (?:and|or) |, ?)(?=(?:is|are|was|were|will|has|have|did|does) (?:it|they)\b)", re.IGNORECASE
)
#: Behind what is to be stopped.
APPROVED: Final = re.compile(
    r",? (?:and )?(?:with|after|once|if|pending|needs?|subject to|get|ask for)\b.*"
    r"\b(?:approv\w*|second (?:person|admin)|sign[- ]?off)\b.*$",
    re.IGNORECASE,
)
#: What is asked of what was named already.
SAME: Final = frozenset(
    f"{_BEFORE} {_AFTER} it they them their its that this those these do does would should not no yes if whether been "
    "there being now yet ever just really maybe again time".split()
)
NO_MATCH: Final = Match()
#: Words that somebody says before a name, at most.
LONGEST_PHRASE: Final = 12
#: What is left of "show me the latest campaign".
LATEST: Final = frozenset({"latest", "newest", "most recent", "last", "latest and greatest"})


@dataclass(frozen=True)
class Meant:
    """One reading: the campaign's name as typed ("" for the account), its days (None: none typed), and who is meant.

    `newest`: the latest campaign was asked for. `mended`: the range was mistyped, and is read as this. `bare`: days
    alone were typed. `typed`: the words of a side. `others`: what it is compared with. `home_by`: a day ahead, of which
    it is asked whether it will be in homes by then. `paper`: what it is printed on was all that was named ("letters").
    """

    name: str = ""
    span: Range | None = None
    found: Match = NO_MATCH
    mended: bool = False
    bare: bool = False
    newest: bool = False
    typed: str = ""
    others: "tuple[Meant, ...]" = ()
    home_by: date | None = None
    paper: str = ""

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
        compared = None if matching.exactly(parsing.unquote(asked), self.names) else self._compared(asked)
        return self._alone(asked) if compared is None else compared

    def _alone(self, asked: str, *, is_side: bool = False) -> Meant:
        """The same where nothing is compared."""
        if matching.exactly(parsing.unquote(asked), self.names):
            return Meant(asked, None, self.match(asked))
        literal = list(self._readings(asked))
        for reading in literal:
            if reading.is_account or reading.found.sure:
                return reading
        if (called := self.called(asked)) is not None:
            return called
        bare = without_words_around(asked)
        bare = _without_paper(asked) if bare == asked else bare
        if bare != asked:
            again = Meant() if not bare else self._alone(bare, is_side=True) if is_side else self.understand(bare)
            if again.is_account or again.found.found or again.others:
                return again
        return self._guessed(asked, literal)

    def called(self, asked: str) -> Meant | None:
        """What stands behind words that people say before a name, where a campaign is called exactly so: "of Back"."""
        words = asked.rstrip(MARKS).split()
        for place in range(1, min(len(words), LONGEST_PHRASE)):
            before, name = " ".join(words[:place]), " ".join(words[place:])
            if not BEFORE.fullmatch(f"{before} "):
                return None
            # The end of "came back" is no name.
            parted = len(list(parsing.CAME_BACK.finditer(asked))) > len(
                [*parsing.CAME_BACK.finditer(before), *parsing.CAME_BACK.finditer(name)]
            )
            if not parted and matching.exactly(parsing.unquote(name), self.names):
                return Meant(name, None, self.match(name))
        return None

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
            yield Meant("", span, bare=True)
            return
        if matching.contains(whole, self.names):
            yield Meant(asked, None, self.match(asked))
        elif _plain(asked) in ABOUT_ALL or self._paper(asked):
            yield Meant(paper=self._paper(asked))
            return
        for name, span in ranges.splits(asked, self.today):
            name = name if matching.exactly(name, self.names) else without_words_around(name)  # noqa: PLW2901
            # Beside days mail of a kind is meant, and no campaign that only has it in its name.
            paper = self._paper(name) or (_plain(name) if _plain(name) in PAPER and not self._is_name(name) else "")
            if paper or (_plain(name) in EVERYTHING | ABOUT_ALL and not matching.contains(name, self.names)):
                name = ""  # noqa: PLW2901
            yield Meant(name, span, self.match(name) if name else NO_MATCH, paper=paper)
        _, refused = ranges.split_range(asked, self.today) if whole == asked else (asked, None)
        yield Meant(asked, None, self.match(asked)) if refused is None else Meant(asked)

    def _is_name(self, name: str) -> bool:
        return bool(matching.exactly(name, self.names))

    def _paper(self, name: str) -> str:
        """What mail is printed on, where that is all that is named, and no campaign holds it in its name; "" else."""
        plain = _plain(name).removeprefix("all ").removeprefix("our ").removeprefix("the ")
        return plain if plain in PAPER and not matching.contains(plain, self.names) else ""

    def _compared(self, asked: str) -> Meant | None:
        """The sides, where the text is best parted: in two that are known; else in more; else at the first place."""
        ways = [sides.spelled_out(way) for way in sides.parted(asked)]
        if not ways:
            return None
        known: dict[str, Meant | RangeRefused] = {}
        for way in ways:
            for side in way:
                known[side] = known.get(side) or self._side(side)
            found = [one for one in (known[side] for side in way) if isinstance(one, Meant)]
            if len(found) == len(way) and all(one.is_account or one.found.sure for one in found):
                return self._beside(way, found)
        first = [known[side] for side in ways[0]]
        for one in first:
            if isinstance(one, RangeRefused):
                raise one
        return self._beside(ways[0], [one for one in first if isinstance(one, Meant)])

    def _side(self, typed: str) -> Meant | RangeRefused:
        try:
            return replace(self._alone(typed, is_side=True), typed=typed)
        except RangeRefused as refused:
            return refused

    def _beside(self, way: Sequence[str], found: Sequence[Meant]) -> Meant:
        """The first with its others; "Summer Sale 2025 vs 2026" are two names where both are known."""
        if len(found) == 2 and found[1].bare and not found[0].is_account:  # noqa: PLR2004 - of two
            words = way[0].split()
            for size in range(len(words) - 1, 0, -1):
                if ranges.read_range(" ".join(words[size:]), self.today) is not None:
                    name = f"{' '.join(words[:size])} {way[1]}"
                    if matching.exactly(name, self.names):
                        found = [found[0], Meant(name, None, self.match(name), typed=name)]
        return replace(found[0], others=tuple(found[1:]))


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip(" ?!.,").split())


def is_everything(text: str) -> bool:
    """Whether these words ask for all mail: "our mail", "overview"."""
    return _plain(text) in EVERYTHING | ABOUT_ALL


def not_apart(text: str) -> str:
    """That all mail is shown where a part of it was asked for that is not shown alone; "" where that is not so."""
    apart = next((mail for mail, words in APART.items() if words.search(text)), "")
    return f"I can't show {apart} mail alone: this is all your mail." if apart else ""


def asks_for_latest(text: str, names: Sequence[Named]) -> bool:
    """Whether these words ask for the latest campaign, and are no name."""
    bare = _plain(without_words_around(text))
    return bare in LATEST and not (matching.contains(bare, names) or matching.exactly(text, names))


def without_more_questions(text: str) -> str:
    """Of several questions in a line the one that names something, where only one does: "when will Spring land? Is it
    ahead?" asks both of Spring."""
    parts = [one for one in MORE.split(text) if one.strip(MARKS)]
    naming = [one for one in parts if any(_no_contraction(word) not in SAME for word in one.split())]
    return naming[0] if len(naming) == 1 and len(parts) > 1 else text


def without_approval(text: str) -> str:
    """The text without who is to approve it: "stop Spring, with approval by Dana"."""
    return APPROVED.sub("", text)


def _no_contraction(word: str) -> str:
    return re.sub("['’](?:s|re|ll)$", "", word.casefold().strip(MARKS))


def without_words_around(text: str) -> str:
    """The text without what people say around a name: "how is Spring doing?" is "Spring"."""
    bare = _without_words_behind(text.strip())
    begun = BEFORE.match(bare + " ")
    return (bare[begun.end() :] if begun else bare).strip(" ,:")


def _without_paper(text: str) -> str:
    """The text without what its mail is printed on, where nothing is called so: "Spring cards"."""
    name, _, last = text.rstrip(MARKS).rpartition(" ")
    return name if name and last.casefold() in PAPER else text


def _without_words_behind(text: str) -> str:
    """The text without what people say behind a name.

    Word by word, for a pattern would try each run of marks in all its parts: two hundred characters can take it years.
    """
    while True:
        text = text.rstrip(MARKS)
        begin = max(text.rfind(" "), text.rfind(","))
        # "The spring mailer's status".
        word = text[begin + 1 :].casefold().replace("’", "'").removesuffix("'s")
        if begin < 0 or word not in AFTER:
            return text
        text = text[:begin]


def understand(
    connection: Connection, workspace_id: WorkspaceId, names: Sequence[Named], asked: str, today: date
) -> Meant:
    """What was meant; raises RangeRefused for what is plainly meant as a range but is none."""
    return Reader(connection, workspace_id, names, today).understand(asked) if asked else Meant()
