"""Words of addresses that are written in two ways: USPS Publication 28, Appendixes C1 (street suffixes), C2 (secondary
units), B (states) and section 233 (directions), the common ones (https://pe.usps.com/text/pub28/28apc.htm)."""

from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

#: Each line: one thing, in all its spellings.
SPELLINGS: Final = (
    "alley aly", "annex anx", "avenue ave av", "beach bch", "bend bnd", "bluff blf", "boulevard blvd boul",
    "branch br", "bridge brg", "brook brk", "bypass byp", "canyon cyn", "causeway cswy", "center ctr cent",
    "circle cir circ", "cliff clf", "club clb", "common cmn", "corner cor", "corners cors", "court ct", "courts cts",
    "cove cv", "creek crk", "crescent cres", "crossing xing", "drive dr drv", "estate est", "estates ests",
    "expressway expy", "extension ext", "falls fls", "ferry fry", "field fld", "fields flds", "ford frd",
    "forest frst", "fork frk", "fort ft", "freeway fwy", "garden gdn", "gardens gdns", "gateway gtwy", "glen gln",
    "green grn", "grove grv", "harbor hbr", "haven hvn", "heights hts ht", "highway hwy", "hill hl",
    "hills hls", "hollow holw", "island is", "junction jct", "knoll knl", "knolls knls", "lake lk", "lakes lks",
    "landing lndg", "lane ln", "light lgt", "loop lp", "manor mnr", "meadow mdw", "meadows mdws", "mill ml",
    "mission msn", "mount mt", "mountain mtn", "orchard orch", "parkway pkwy pky pkway", "pass pas", "place pl",
    "plain pln", "plains plns", "plaza plz", "point pt", "points pts", "port prt", "prairie pr", "ranch rnch",
    "ridge rdg", "river riv", "road rd", "route rte", "saint st", "shore shr", "shores shrs", "spring spg",
    "springs spgs", "square sq", "station sta", "stream strm", "street st str", "summit smt", "terrace ter terr",
    "throughway trwy", "trace trce", "track trak", "trail trl", "tunnel tunl", "turnpike tpke", "union un",
    "valley vly", "viaduct via", "view vw", "village vlg", "ville vl", "vista vis", "walk wlk", "way wy", "wells wls",
    "north n no", "south s so", "east e", "west w", "northeast ne", "northwest nw", "southeast se", "southwest sw",
    "apartment apt", "basement bsmt", "building bldg", "department dept", "floor fl", "front frnt", "hangar hngr",
    "lobby lbby", "lower lowr", "office ofc", "penthouse ph", "room rm", "space spc", "suite ste", "trailer trlr",
    "upper uppr", "company co", "incorporated inc", "corporation corp", "brothers bros", "first 1st", "second 2nd",
    "third 3rd", "fourth 4th", "fifth 5th", "sixth 6th", "seventh 7th", "eighth 8th", "ninth 9th", "tenth 10th",
)  # fmt: skip
#: States of one word, which stand in addresses by their letters alone. "Co" is no Colorado to who types it, nor is "in"
#: Indiana.
STATES: Final = (
    "alabama al", "alaska ak", "arizona az", "arkansas ar", "california ca", "colorado co", "connecticut ct",
    "delaware de", "florida fl", "georgia ga", "hawaii hi", "idaho id", "illinois il", "indiana in", "iowa ia",
    "kansas ks", "kentucky ky", "louisiana la", "maine me", "maryland md", "massachusetts ma", "michigan mi",
    "minnesota mn", "mississippi ms", "missouri mo", "montana mt", "nebraska ne", "nevada nv", "ohio oh",
    "oklahoma ok", "oregon or", "pennsylvania pa", "tennessee tn", "texas tx", "utah ut", "vermont vt", "virginia va",
    "washington wa", "wisconsin wi", "wyoming wy",
)  # fmt: skip


@lru_cache(maxsize=1)
def _known() -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for line in SPELLINGS:
        words = line.split()
        for word in words:
            found[word].update(words)
    for line in STATES:
        name, letters = line.split()
        found[name].add(letters)
    return {word: frozenset(others - {word}) for word, others in found.items()}


def other_spellings(word: str) -> frozenset[str]:
    """How else this word is written: "st" is "street", "str" or "saint"."""
    return _known().get(word, frozenset())
