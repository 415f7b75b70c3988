"""Which campaign somebody means: its number, its name, a part of that, its words in any order, then the nearest.

Done where the database is read, beside the event loop: it grows with the number of campaigns.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from sqlalchemy import Connection

from storage.ledger.pieces import fold_text
from storage.queries import mail as queries
from storage.queries.mail import Named
from storage.records import StoredCampaign, WorkspaceId

#: Alike enough to be offered as a choice; and barely alike, to be offered where nothing else is. Of 100.
OFFERED: Final = 75
HINTED: Final = 50
#: A single name that is so much alike, and by so much more than the next, is what was meant.
MEANT: Final = 80
AHEAD: Final = 10
CHOICES: Final = 10
#: Campaigns that a menu can hold.
MENU: Final = 100
#: Names that are compared letter by letter, of the most recently changed campaigns: so many take some ten ms.
LOOKED_AT = 2000
#: Words of a question that are compared with them, each once: no name has more.
WORDS: Final = 16

#: "campaign #222", "no. 222".
NUMBERED: Final = re.compile(r"(?:campaign|drop|mailing)? ?(?:#|no\.? ?|nr\.? ?|number )?(\d{1,18})", re.IGNORECASE)
APOSTROPHES: Final = str.maketrans("", "", "'’‘`´")


@dataclass(frozen=True)
class Match:
    """Who may be meant, most recent first.

    `sure`: these match as typed; else they are guesses. `guessed`: the only one by far, in spite of how it was typed.
    `near`: names that are barely alike.
    """

    found: Sequence[StoredCampaign] = ()
    sure: bool = False
    guessed: bool = False
    near: Sequence[str] = ()

    @property
    def one(self) -> StoredCampaign | None:
        """The campaign that is meant, if that is clear."""
        return self.found[0] if len(self.found) == 1 and (self.sure or self.guessed) else None


class _Key(NamedTuple):
    """A name as it is compared: without case and accents; its words without apostrophes and marks, in a line, and run
    together."""

    folded: str
    words: tuple[str, ...]
    line: str
    run: str


#: Names whose keys are remembered, some hundred bytes each: one question compares all names of an account many times.
REMEMBERED: Final = 30_000


@lru_cache(REMEMBERED)
def _key(text: str) -> _Key:
    folded = fold_text(text)
    plain = folded.translate(APOSTROPHES).replace("&", " and ")
    words = tuple("".join(c if c.isalnum() else " " for c in plain).split())
    return _Key(folded, words, " ".join(words), "".join(words))


def exactly(asked: str, names: Sequence[Named]) -> list[Named]:
    """The campaign with this id, else all with this name (names are not unique)."""
    number = NUMBERED.fullmatch(asked.strip())
    refs = {asked.removeprefix("#"), number[1] if number else asked}
    if by_ref := [one for one in names if one.ref in refs]:
        return by_ref
    key = _key(asked)
    same = [one for one in names if key.folded and _key(one.name).folded == key.folded]
    if same or not (run := key.run):
        return same
    return [one for one in names if _key(one.name).run == run]


def holding(asked: str, names: Sequence[Named]) -> list[Named]:
    """The campaigns in whose name these words stand, in this order and each of them whole."""
    line = _key(asked).line
    return [one for one in names if line and f" {line} " in f" {_key(one.name).line} "]


def held(asked: str, names: Sequence[Named]) -> list[Named]:
    """The campaigns whose whole names stand in these words."""
    line = f" {_key(asked).line} "
    return [one for one in names if _key(one.name).line and f" {_key(one.name).line} " in line]


def match(connection: Connection, workspace_id: WorkspaceId, asked: str, names: Sequence[Named] | None = None) -> Match:
    """The campaigns that may be meant by these words; of those `names`, if they were read already."""
    if names is None:
        names = queries.campaign_names(connection, workspace_id)
    certain = exactly(asked, names) or contains(asked, names) or _by_words(asked, names)
    scored = [] if certain else _alike(asked, names)
    meant = certain or [one for score, one in scored if score >= OFFERED][:CHOICES]
    guessed = not certain and _stands_out([score for score, _ in scored])
    near = [] if meant else list(dict.fromkeys(one.name for _, one in scored))[:3]
    ids = [one.id for one in (meant[:1] if guessed else meant[:MENU])]
    return Match(queries.campaigns_by_id(connection, workspace_id, ids), bool(certain), guessed, near)


def named(connection: Connection, workspace_id: WorkspaceId, names: Sequence[str]) -> list[StoredCampaign]:
    """The campaigns of these names, to be offered."""
    known = queries.campaign_names(connection, workspace_id)
    return queries.campaigns_by_id(connection, workspace_id, [one.id for one in known if one.name in names][:MENU])


def contains(asked: str, names: Sequence[Named]) -> list[Named]:
    """The campaigns in whose name these words stand as they were typed: from the beginning of one of its words."""
    key = _key(asked)
    if not key.folded:
        return []
    found = [one for one in names if key.run and f" {key.line}" in f" {_key(one.name).line}"]
    found = found or [one for one in names if key.folded in _key(one.name).folded]
    return found or [one for one in names if len(key.run) > 3 and key.run in _key(one.name).run]  # noqa: PLR2004 - letters


def _by_words(asked: str, names: Sequence[Named]) -> list[Named]:
    """The campaigns of whose name each typed word is the beginning of a word, in whatever order."""
    words = _key(asked).words
    return [one for one in names if words and _hold(_key(one.name).words, words)]


def _hold(own: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(mine.startswith(word) for mine in own) for word in words)


def _stands_out(scores: Sequence[float]) -> bool:
    return bool(scores) and scores[0] >= MEANT and (len(scores) == 1 or scores[0] - scores[1] >= AHEAD)


def _alike(asked: str, names: Sequence[Named]) -> list[tuple[float, Named]]:
    """The nearest names with how near they are, of 100: by the name as a whole, or by each word that was typed."""
    # Needed by those alone who mistype a name, and it takes three megabytes.
    from rapidfuzz import fuzz, process  # noqa: PLC0415

    key = _key(asked)
    if not key.run:
        return []
    keys = [_key(one.name) for one in names[:LOOKED_AT]]
    known = sorted({word for one in keys for word in one.words})
    words = list(dict.fromkeys(key.words))[:WORDS]
    near = [{word: score for word, score, _ in process.extract(typed, known, scorer=fuzz.ratio, score_cutoff=60,
                                                               limit=50)} for typed in words]  # fmt: skip
    found = []
    for one, own in zip(names, keys, strict=False):
        by_word = sum(max((scores.get(word, 0.0) for word in own.words), default=0.0) for scores in near) / len(near)
        whole = fuzz.ratio(key.run, own.run)
        # Where every typed word is nearly one of the name's, more words in the name do not matter.
        score = max(by_word, whole)
        if score >= HINTED:
            found.append((score, one))
    return sorted(found, key=lambda pair: -pair[0])[: 2 * CHOICES]
