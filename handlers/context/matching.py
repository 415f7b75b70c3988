"""Which campaign somebody means: exact id, exact name, part of a name, then the nearest names.

Done where the database is read, beside the event loop: it grows with the number of campaigns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from storage.ledger.pieces import fold_text
from storage.queries import mail as queries
from storage.queries.mail import Named
from storage.records import StoredCampaign, WorkspaceId

#: Alike enough to be offered as a choice; and barely alike, to be named as a hint. Of 100.
OFFERED: Final = 75
HINTED: Final = 45
CHOICES: Final = 10
#: Campaigns that a menu can hold.
MENU: Final = 100
#: Names that are compared letter by letter, of the most recently changed campaigns: so many take some ten ms.
LOOKED_AT = 2000


@dataclass(frozen=True)
class Match:
    """Who may be meant, most recent first. `sure`: these match as typed; else they are guesses. `near`: hints."""

    found: Sequence[StoredCampaign] = ()
    sure: bool = False
    near: Sequence[str] = ()


def exactly(asked: str, names: Sequence[Named]) -> list[Named]:
    """The campaign with this id, else all with this name (names are not unique)."""
    by_ref = [one for one in names if one.ref == asked.removeprefix("#")]
    key = fold_text(asked)
    return by_ref or [one for one in names if key and fold_text(one.name) == key]


def match(connection: Connection, workspace_id: WorkspaceId, asked: str, names: Sequence[Named] | None = None) -> Match:
    """The campaigns that may be meant by these words; of those `names`, if they were read already."""
    if names is None:
        names = queries.campaign_names(connection, workspace_id)
    key = fold_text(asked)
    certain = exactly(asked, names) or [one for one in names if key and key in fold_text(one.name)]
    meant = certain or _alike(key, names, OFFERED)
    near = [] if meant else list(dict.fromkeys(one.name for one in _alike(key, names, HINTED)))[:3]
    found = queries.campaigns_by_id(connection, workspace_id, [one.id for one in meant[:MENU]])
    return Match(found, bool(certain), near)


def _alike(key: str, names: Sequence[Named], score: int) -> list[Named]:
    # Needed by those alone who mistype a name, and it takes three megabytes.
    from rapidfuzz import fuzz, process  # noqa: PLC0415

    if not key:
        return []
    folded = [fold_text(one.name) for one in names[:LOOKED_AT]]
    found = process.extract(key, folded, scorer=fuzz.WRatio, score_cutoff=score, limit=CHOICES)
    return [names[index] for _, _, index in found]
