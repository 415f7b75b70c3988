"""Finding pieces by what people know of them: parts of name, company, street, city and ZIP code, in any order, without
apostrophes, in either spelling of an address, and nearly so.

An id and the beginning of a name, an address or a ZIP code are looked up in their indexes (see `mail.alike`); other
words are looked for in the newest pieces, and mistyped ones in fewer of them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, text

from storage.ledger.pieces import fold_text
from storage.queries import mail as queries
from storage.queries.postal_words import other_spellings
from storage.records import CampaignId, PieceId, StoredPiece, WorkspaceId
from storage.statements import load

#: Of more pieces than this nobody chooses; they are counted so far.
COUNTED: Final = 500
#: Pieces of a workspace that are looked through for words, and that are compared letter by letter: its newest.
LOOKED_THROUGH: Final = 100_000
COMPARED: Final = 20_000
#: Words that are looked for; more say nothing more.
WORDS: Final = 8
APOSTROPHES: Final = str.maketrans("", "", "'’‘`´")
IGNORED: Final = frozenset({"and", "the", "of"})
ZIP_PLUS_4: Final = re.compile(r"(?<!\d)(\d{5})-?(\d{4})(?!\d)")
POSSESSIVE: Final = re.compile(r"['’]s\b")


@dataclass(frozen=True)
class Found:
    """Pieces, the best first, at most `COUNTED`. `exact`: they hold what was typed; else they are only alike.

    `more`: there may be more than these.
    """

    ids: Sequence[PieceId] = ()
    exact: bool = True
    pieces: Sequence[StoredPiece] = field(default_factory=list)
    more: bool = False


def words_of(asked: str) -> list[str]:
    """The words that are looked for, as they are compared."""
    whole = ZIP_PLUS_4.sub(r"\1\2", asked)
    plain = fold_text(POSSESSIVE.sub(" ", whole) if POSSESSIVE.search(whole) else whole).translate(APOSTROPHES)
    plain = re.sub(r"\bp ?o ?box\b", "po box", "".join(c if c.isalnum() else " " for c in plain))
    words = list(dict.fromkeys(plain.split()))
    return [word for word in words if word not in IGNORED][:WORDS] or words[:WORDS]


def search(connection: Connection, workspace_id: WorkspaceId, wordings: Sequence[str], shown: int) -> Found:
    """The pieces that are meant by the first of these wordings that is met, of which so many are read.

    What is typed to the letter comes first; when no wording is met so, what is nearly the last of them.
    """
    for asked in wordings:
        if ids := _literal(connection, workspace_id, asked, shown):
            return Found(ids, True, queries.pieces_by_id(connection, workspace_id, ids[:shown]), len(ids) >= COUNTED)
    for words in filter(None, map(words_of, reversed(wordings))):
        ids = _holding(connection, workspace_id, words) if _is_zip_plus_4(words[0]) else []
        if ids := ids or _nearly(connection, workspace_id, words):
            return Found(ids, False, queries.pieces_by_id(connection, workspace_id, ids[:shown]), len(ids) >= COUNTED)
    return Found()


def _literal(connection: Connection, workspace_id: WorkspaceId, asked: str, shown: int) -> list[PieceId]:
    ids, words = queries.alike(connection, workspace_id, asked), words_of(asked)
    if words and len(ids) <= shown and not _is_exact(connection, workspace_id, ids, asked):
        # Nine digits alone may be an id as well: what lies in the short ZIP code is no more than a guess.
        shortened = len(words) > 1 or "-" in asked
        ids = list(dict.fromkeys([*ids, *_holding(connection, workspace_id, words, shortened=shortened)]))
    return ids[:COUNTED]


def _is_exact(connection: Connection, workspace_id: WorkspaceId, ids: Sequence[PieceId], asked: str) -> bool:
    """Whether it is the one piece with this id."""
    return len(ids) == 1 and connection.scalar(REF, {"workspace": workspace_id, "id": ids[0]}) == asked


REF: Final = text("SELECT ref FROM pieces WHERE NOT workspace_id <> :workspace AND id = :id")


def _haystack() -> str:
    line = "name_key || ' ' || company || ' ' || address_key || ' ' || city || ' ' || region || ' ' || postcode"
    for mark, instead in (("''", ""), ("’", ""), (".", ""), ("-", " "), (",", " "), ("/", " ")):
        line = f"replace({line}, '{mark}', '{instead}')"
    # A long ZIP code is looked for without its dash.
    return f"lower(' ' || {line} || ' ' || replace(postcode, '-', '') || ' ')"


#: All words of a piece in one line, each between spaces.
HAYSTACK: Final = _haystack()


def holding_at(connection: Connection, workspace_id: WorkspaceId, words: Sequence[str], status: int) -> list[PieceId]:
    """The pieces at this rank that hold each of these words, or the beginning of one, the newest first."""
    return _holding(connection, workspace_id, words, status=status)[:COUNTED] if words else []


def _holding(
    connection: Connection,
    workspace_id: WorkspaceId,
    words: Sequence[str],
    *,
    shortened: bool = True,
    status: int | None = None,
) -> list[PieceId]:
    """The pieces (at this rank; None: at any) that hold each of these words, or the beginning of one, the newest first.

    `shortened`: of a long ZIP code the first five digits do.
    """
    tests, patterns = _tests(words, shortened=shortened)
    values: dict[str, Any] = {"workspace": workspace_id, "limit": COUNTED + 1, "span": LOOKED_THROUGH}
    values |= patterns | ({} if status is None else {"status": status})
    at = "" if status is None else "AND status = :status"
    statement = text(f"""
        SELECT id FROM (SELECT id, {HAYSTACK} AS hay FROM pieces WHERE workspace_id = :workspace {at}
                        AND id > coalesce((SELECT id FROM pieces WHERE workspace_id = :workspace
                                           ORDER BY id DESC LIMIT 1 OFFSET :span), 0)) known
        WHERE {tests} ORDER BY id DESC LIMIT :limit""")
    return [PieceId(key) for key in connection.scalars(statement, values)]


def holding_in(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    words: Sequence[str],
    status: int | None = None,
) -> list[PieceId]:
    """The pieces of a campaign (at this rank; None: at any) that hold each of these words, or the beginning of one; a
    number as a whole.

    Looks through as many of its pieces as through a workspace's, the first ones.
    """
    if not words:
        return []
    tests, patterns = _tests(words, shortened=True, whole=True)
    values: dict[str, Any] = {"workspace": workspace_id, "campaign": campaign_id, "limit": COUNTED + 1}
    values["span"] = LOOKED_THROUGH
    values |= patterns | ({} if status is None else {"status": status})
    at = "" if status is None else "AND status = :status"
    statement = text(f"""
        SELECT id FROM (SELECT id, {HAYSTACK} AS hay FROM pieces
                        WHERE workspace_id = :workspace AND campaign_id = :campaign {at} ORDER BY id LIMIT :span) known
        WHERE {tests} ORDER BY id LIMIT :limit""")
    return [PieceId(key) for key in connection.scalars(statement, values)]


def _tests(words: Sequence[str], *, shortened: bool, whole: bool = False) -> tuple[str, dict[str, str]]:
    """What a piece's line must hold, and the patterns by their names."""
    tests, values = [], {}
    for number, word in enumerate(words):
        either = []
        for place, pattern in enumerate(_patterns(word, shortened=shortened, whole=whole)):
            name = f"w{number}_{place}"
            values[name] = pattern
            either.append(f"hay LIKE :{name}")
        tests.append(f"({' OR '.join(either)})")
    return " AND ".join(tests), values


def _is_zip_plus_4(word: str) -> bool:
    return word.isdigit() and len(word) == 9  # noqa: PLR2004 - five and four


def _patterns(word: str, *, shortened: bool, whole: bool) -> Iterator[str]:
    """The word as the beginning of one, its other spellings as a whole, and of a long ZIP code the short one.

    `whole`: a number is no beginning of another.
    """
    yield f"% {word} %" if whole and word.isdigit() else f"% {word}%"
    for other in sorted(other_spellings(word)):
        yield f"% {other} %"
    if shortened and _is_zip_plus_4(word):
        yield f"% {word[:5]} %"
    if word == "po":
        yield "% p o %"


SAME_RECIPIENT: Final = load("same_recipient")


def same_recipient(connection: Connection, workspace_id: WorkspaceId, piece_id: PieceId) -> list[PieceId]:
    """The other pieces that go to the name and address of this one, the newest first, at most `COUNTED`."""
    values = {"workspace": workspace_id, "piece": piece_id, "limit": COUNTED}
    return [PieceId(key) for key in connection.scalars(SAME_RECIPIENT.on(connection), values)]


NEWEST: Final = text("""
    SELECT id, name_key, company, address_key, city, region, postcode FROM pieces WHERE workspace_id = :workspace
    ORDER BY id DESC LIMIT :limit""")


def _nearly(connection: Connection, workspace_id: WorkspaceId, words: Sequence[str]) -> list[PieceId]:
    """The newest pieces that hold all of these words with a typo in each, else all but one of them."""
    # Needed by those alone who mistype, and it takes three megabytes.
    from rapidfuzz import process  # noqa: PLC0415
    from rapidfuzz.distance import OSA  # noqa: PLC0415

    rows = connection.execute(NEWEST, {"workspace": workspace_id, "limit": COMPARED}).all()
    held = {PieceId(row[0]): frozenset(words_in(row[1:])) for row in rows}
    known = sorted(frozenset().union(*held.values()))
    near = []
    for word in words:
        most = 0 if any(c.isdigit() for c in word) or len(word) < 4 else 1 + (len(word) > 6)  # noqa: PLR2004 - letters
        alike = {one for one, _, _ in process.extract(word, known, scorer=OSA.distance, score_cutoff=most, limit=100)}
        near.append(alike | {one for one in known if one.startswith(word)} | other_spellings(word))
    by_hits: dict[int, list[PieceId]] = {}
    for key, own in held.items():
        by_hits.setdefault(sum(not own.isdisjoint(one) for one in near), []).append(key)
    enough = [hits for hits in (len(words), len(words) - 1) if hits and by_hits.get(hits)]
    return by_hits[enough[0]][:COUNTED] if enough and (len(words) > 1 or enough[0] == len(words)) else []


def words_in(texts: Sequence[str]) -> Iterator[str]:
    """The words of a piece as they are compared."""
    for one in texts:
        folded = fold_text(POSSESSIVE.sub("s", one)).translate(APOSTROPHES)
        yield from "".join(c if c.isalnum() else " " for c in folded).split()
