"""How a mail account may differ from the kind one: everything that Stannp's documents leave open, as switches."""

from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

Json = Any

#: Documented are 200, 401, 404, 409 and 500 (API reference, "Response codes"); 403 and 429 come all the same.
REFUSALS: Final = (403, 404, 429, 500)
#: Rows of a page where the platform gives fewer than it was asked for.
SHORT_PAGE: Final = 7
#: Seconds that a slow answer takes.
SLOW: Final = 0.2
#: The Retry-After of a platform that is out of its mind.
FOR_EVER: Final = 999_999_999
#: The bytes of a huge answer, unpacked.
HUGE: Final = 400_000_000
#: What a bot can do without.
OPTIONAL: Final = (
    "users/me", "accounts/balance", "reporting/campaignSingles", "reporting/directMail", "letters/get", "postcards/get",
)  # fmt: skip


def _switch(gap: str) -> Any:
    return field(default=False, metadata={"gap": gap})


def _refusal(gap: str) -> Any:
    return field(default=0, metadata={"gap": gap, "refusal": True})


def _attack(gap: str) -> Any:
    return field(default=False, metadata={"gap": gap, "attack": True})


@dataclass(frozen=True)
class Rude:
    """How this account differs from the kind one. Everything is off; `Rude.on("me_403", "short_pages")` switches on.

    `names()` lists what can be switched on alone, `crowds()` what goes together. A refusal is a field that holds the
    HTTP status which is answered instead, and is named "field_status". `gap` says what the documents leave open.
    Attacks are what no account does, but a broken or hostile server may: after one the numbers are not the account's.
    """

    me: int = _refusal("GET users/me is in no reference; one guide calls it user/info")
    balance: int = _refusal("No key is said to lack accounts/balance, and no key has scopes: but a plan may")
    singles: int = _refusal("reporting/campaignSingles is in no reference; one client uses it in production")
    newer_report: int = _refusal("reporting/directMail/list is on the US page alone")
    timeline: int = _refusal("Whether every plan may read letters/get and postcards/get is said nowhere")
    short_pages: bool = _switch("The largest `limit` is documented nowhere: a page may hold fewer than asked for")
    no_offset: bool = _switch("campaigns/list documents neither offset nor limit: both may be ignored")
    bare_campaigns: bool = _switch("Webhooks hold `[campaign object]`, and that object has no name: only what changed")
    bare_pieces: bool = _switch("Webhooks hold `[mailpiece object]`: id and status may be all of it")
    costless_lists: bool = _switch("No list of pieces is promised to carry `cost` or `format`")
    undated_scans: bool = _switch("The elements of `tracking` are documented nowhere: they may have no dates")
    strange_scans: bool = _switch("The labels of `tracking` are documented nowhere: they may be any words")
    handshake_unsigned: bool = _switch(
        "Whether `test_url` is signed is not said; it comes before a secret can be saved"
    )
    webhooks_repeated: bool = _switch("Nothing promises that a call comes once: each comes twice")
    webhooks_late: bool = _switch("Nothing promises an order: the call before comes again after each call")
    slow: bool = _switch("No time-out is documented: every answer takes a while")
    busy_first: bool = _switch("What is answered over the limit is not documented: 429, and a Retry-After of 30 years")
    odd_limits: bool = _switch("X-RateLimit-Reset is a number of seconds; others send a moment since 1970")
    endless: bool = _attack("No list says how long it is: this one never ends")
    huge: bool = _attack("No answer says how long it is: lists come as 400 MB of gzip")

    @classmethod
    def names(cls, *, attacks: bool = False) -> list[str]:
        """All that can be switched on, each alone."""
        found = []
        for one in fields(cls):
            if one.metadata.get("refusal"):
                found += [f"{one.name}_{status}" for status in REFUSALS]
            elif attacks or not one.metadata.get("attack"):
                found.append(one.name)
        return found

    @classmethod
    def crowds(cls) -> list[list[str]]:
        """All that goes together: every switch, and what may be refused beside it, once for each kind of refusal.

        Not among them is what leaves nothing to see: where every report that places or names pieces is refused, or
        is busy for its first hour, there are neither. Those are tried alone.
        """
        alone = ("busy_first", "balance", "singles", "timeline")
        rest = [name for name in cls.names() if not name.startswith((*alone, "me_", "newer_report_"))]
        return [[*rest, f"me_{status}", f"newer_report_{status}"] for status in REFUSALS]

    @classmethod
    def on(cls, *names: str) -> "Rude":
        """With these switched on; raises KeyError for a name that is none of `names(attacks=True)`."""
        made = cls()
        for name in names:
            if name not in cls.names(attacks=True):
                raise KeyError(name)
            what, _, status = name.rpartition("_")
            made = replace(made, **({what: int(status)} if status.isdigit() else {name: True}))
        return made

    def refuses(self, path: str) -> int:
        """The status with which this path is refused; 0 for none."""
        refused = {
            "users/me": self.me, "accounts/balance": self.balance, "reporting/campaignSingles/": self.singles,
            "reporting/directMail/": self.newer_report, "letters/get/": self.timeline, "postcards/get/": self.timeline,
        }  # fmt: skip
        return next((status for begin, status in refused.items() if path.startswith(begin)), 0)

    def row(self, row: dict[str, Json]) -> dict[str, Json]:
        """A piece in a list."""
        return {name: value for name, value in row.items() if not (self.costless_lists and name in ("cost", "format"))}

    def told(self, row: dict[str, Json]) -> dict[str, Json]:
        """A piece in a webhook's call."""
        return {name: row[name] for name in ("id", "status")} if self.bare_pieces else row

    def campaign(self, row: dict[str, Json]) -> dict[str, Json]:
        """A campaign in a webhook's call: Stannp's object has no name (API reference, "Objects")."""
        kept = (
            ("id", "updated") if self.bare_campaigns else [name for name in row if name not in ("name", "recipients")]
        )
        return {name: row[name] for name in kept}

    def scans(self, scans: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """A piece's timeline."""
        if self.strange_scans and scans:
            scans = [*scans, scans[-1] | {"status": "Sorted at facility"}]
        return [{**scan, "date": None} for scan in scans] if self.undated_scans else scans
