"""What the platform does not answer an account: each optional call fails alone, with its reason, and is made again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog

from handlers.errors import KeyRefused, NotOffered, Outage, Trouble
from handlers.text import formatting
from handlers.text.messages import escape
from storage.records import Gap

log = structlog.get_logger()

#: What an account does not have is looked for again so much later; what is refused to it, sooner; after an outage, the
#: next poll asks again.
NOT_OFFERED: Final = timedelta(days=1)
REFUSED: Final = timedelta(hours=1)


class Call(StrEnum):
    """What a poll can do without, or go on with in part. Stored: never rename."""

    CAMPAIGNS = "campaigns"
    REPORT = "report"
    NEWER = "newer report"
    SINGLES = "campaign report"
    SOME = "some campaign reports"
    BALANCE = "balance"
    TIMELINES = "timelines"


NAMES: Final = {
    Call.CAMPAIGNS: "the list of campaigns",
    Call.REPORT: "the report of pieces",
    Call.NEWER: "the newer report of pieces (I use the older one)",
    Call.SINGLES: "the pieces of each campaign",
    Call.SOME: "the pieces of some campaigns",
    Call.BALANCE: "the balance",
    Call.TIMELINES: "the scans of single pieces",
}


@dataclass
class Gaps:
    """The calls that were not answered, as one poll finds them. `known` begins with what the last one found."""

    known: dict[str, Gap] = field(default_factory=dict)

    def note(self, call: Call, trouble: Trouble, now: datetime, of: str = "") -> None:
        """This call failed; `of`: for what alone, if not for all.

        Raises the failure when the key itself is refused: then no other call is answered.
        """
        require_key(trouble)
        wait = timedelta(0) if isinstance(trouble, Outage) else REFUSED
        wait = NOT_OFFERED if isinstance(trouble, NotOffered) else wait
        since = self.known[call].since if call in self.known else now
        self.known[call] = Gap(f"{of} {_why(trouble)}".strip(), since, now + wait, passing=isinstance(trouble, Outage))
        log.warning("platform.gap", call=call.value, reason=type(trouble).__name__, code=trouble.code)

    def close(self, call: Call) -> None:
        """This call was answered."""
        self.known.pop(call, None)

    def may_pass(self, call: Call) -> bool:
        """Whether this call failed in a way that may pass by itself."""
        return call in self.known and self.known[call].passing

    def rests(self, call: Call, now: datetime) -> bool:
        """Whether this call is not to be made yet."""
        return call in self.known and now < self.known[call].again


def require_key(trouble: Trouble) -> None:
    """Raises the failure when it is the key itself that is refused."""
    if isinstance(trouble, KeyRefused) and trouble.code == "401":
        raise trouble


def _why(trouble: Trouble) -> str:
    if isinstance(trouble, Outage):
        return f"no answer ({trouble.code})" if trouble.code else "no answer"
    return f"refused ({trouble.code})" if trouble.code else str(trouble)


def lines(known: Mapping[str, Gap]) -> list[tuple[str, Gap]]:
    """The calls that were not answered, named for people."""
    return [(name, known[call]) for call, name in NAMES.items() if call in known]


def sentence(known: Mapping[str, Gap], platform: str) -> str:
    """What is missing and why, as Slack's markup; "" where nothing is."""
    said = [f"{name}: {escape(gap.why)} since {formatting.stamp(gap.since)}" for name, gap in lines(known)]
    return (
        f"{platform} does not tell me everything. {'; '.join(said)}. I keep asking; the rest goes on." if said else ""
    )
