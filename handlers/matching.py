"""Which campaign somebody means: exact id, exact name, part of a name, then the nearest names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from storage.arrivals import fold_text
from storage.records import StoredCampaign

#: Alike enough to be offered as a choice; and barely alike, to be named as a hint. Of 100.
OFFERED: Final = 75
HINTED: Final = 45
CHOICES: Final = 10


@dataclass(frozen=True)
class Match:
    """Who may be meant, most recent first. `sure` means that these match as typed; else they are guesses."""

    found: Sequence[StoredCampaign]
    sure: bool


def exactly(asked: str, campaigns: Sequence[StoredCampaign]) -> list[StoredCampaign]:
    """The campaign with this id, else all with this name (names are not unique)."""
    by_ref = [one for one in campaigns if one.facts.ref == asked.removeprefix("#")]
    key = fold_text(asked)
    return by_ref or [one for one in campaigns if key and fold_text(one.facts.name) == key]


def match(asked: str, campaigns: Sequence[StoredCampaign]) -> Match:
    """The campaigns that may be meant by these words."""
    exact = exactly(asked, campaigns)
    if exact:
        return Match(exact, sure=True)
    key = fold_text(asked)
    parts = [one for one in campaigns if key and key in fold_text(one.facts.name)]
    if parts:
        return Match(parts, sure=True)
    return Match(_alike(key, campaigns, OFFERED), sure=False)


def nearest(asked: str, campaigns: Sequence[StoredCampaign]) -> list[str]:
    """Up to three names that look a little like it."""
    return list(dict.fromkeys(one.facts.name for one in _alike(fold_text(asked), campaigns, HINTED)))[:3]


def _alike(key: str, campaigns: Sequence[StoredCampaign], score: int) -> list[StoredCampaign]:
    # Needed by those alone who mistype a name, and it takes three megabytes.
    from rapidfuzz import fuzz, process  # noqa: PLC0415

    names = [fold_text(one.facts.name) for one in campaigns]
    if not key:
        return []
    found = process.extract(key, names, scorer=fuzz.WRatio, score_cutoff=score, limit=CHOICES)
    return [campaigns[index] for _, _, index in found]
