"""The arithmetic of size: what so many workspaces need of each resource, and which ends first. Pure."""

from dataclasses import dataclass
from typing import Final

#: A piece rises five times on its way, and is under way for so many days.
STEPS: Final = 5
DAYS: Final = 12
MONTH: Final = 30 * 86_400
#: Seconds between two polls of a workspace, and the seconds that one may last.
POLL: Final = 300
#: Pieces in an answer of the platform, and the requests that an account may make a minute.
PAGE: Final = 500
LIMIT: Final = 200
GIB: Final = 2**30
#: Days of history that are kept: `PIECEWISE_KEEP_HISTORY_DAYS` and sixty more.
KEPT: Final = 460


@dataclass(frozen=True)
class Units:
    """What one of each costs. Seconds of a processor, bytes, and how many."""

    #: A webhook call of one change: in the serving process, in the working one, in PostgreSQL.
    taken: float
    merged: float
    stored: float
    #: Bytes of log and of disk that a call leaves.
    log: float
    disk: float
    #: A piece that a poll reads and knows: in the working process, and in PostgreSQL.
    read: float
    looked_up: float
    #: Requests of a poll beside those for the pages of pieces.
    besides: float
    #: Connections of one process, at most.
    connections: float


@dataclass(frozen=True)
class Size:
    """How large it is to be. Pieces a month of one workspace; processes; connections and bytes that there are."""

    workspaces: int = 1000
    monthly: int = 1_000_000
    serving: int = 2
    working: int = 2
    connections: int = 100
    disk: int = 1024 * GIB


@dataclass(frozen=True)
class Line:
    """One resource: what is needed, what there is, and how many times over that is used (above 1: it has ended)."""

    resource: str
    needed: float
    there: float
    unit: str

    @property
    def used(self) -> float:
        return self.needed / self.there


def resources(units: Units, size: Size) -> list[Line]:
    """Every resource, the first to end at the top. One processor a process, and one for PostgreSQL."""
    changes = size.workspaces * size.monthly * STEPS / MONTH
    open_pieces = size.monthly * DAYS / 30
    read = size.workspaces * open_pieces / POLL
    pages = open_pieces / PAGE + units.besides
    lines = [
        Line("processor, serving: webhooks taken", changes * units.taken, size.serving, "cores"),
        Line("processor, working: webhooks merged", changes * units.merged, size.working, "cores"),
        Line("processor, working: polls of what is open", read * units.read, size.working, "cores"),
        Line("processor, PostgreSQL: webhooks", changes * units.stored, 1, "cores"),
        Line("processor, PostgreSQL: polls of what is open", read * units.looked_up, 1, "cores"),
        Line("connections", (size.serving + size.working) * units.connections, size.connections, ""),
        Line("requests to the platform, one account", pages * 60 / POLL, LIMIT, "a minute"),
        Line("log of PostgreSQL", changes * units.log / 2**20, 100, "MiB/s"),
        Line("disk, after 30 days", changes * MONTH * units.disk / GIB, size.disk / GIB, "GiB"),
        Line("disk, all history kept", changes * 86_400 * KEPT * units.disk / GIB, size.disk / GIB, "GiB"),
    ]
    return sorted(lines, key=lambda line: -line.used)


def largest(units: Units, size: Size) -> float:
    """How many workspaces of this kind fit before the first resource that grows with them ends."""
    shared = [line for line in resources(units, size) if line.resource not in ("connections", ACCOUNT)]
    return size.workspaces / max(line.used for line in shared)


ACCOUNT: Final = "requests to the platform, one account"


def table(units: Units, size: Size) -> str:
    """The lines in words, as the docs carry them."""
    rows = ["| resource | needed | there | used |", "|---|---|---|---|"]
    for line in resources(units, size):
        unit = f" {line.unit}" if line.unit else ""
        rows.append(f"| {line.resource} | {line.needed:,.1f}{unit} | {line.there:,.0f}{unit} | {line.used:,.2f} × |")
    return "\n".join(rows)


def said(units: Units) -> str:
    """What was measured, as the docs carry it."""
    micro = 1e6
    rows = [
        ("webhook call taken, serving process", f"{units.taken * micro:,.0f} µs"),
        ("its change merged, working process", f"{units.merged * micro:,.0f} µs"),
        ("the same, PostgreSQL", f"{units.stored * micro:,.0f} µs"),
        ("log a change", f"{units.log:,.0f} bytes"),
        ("disk a change, its share of the piece and all indexes included", f"{units.disk:,.0f} bytes"),
        ("known piece read by a poll, working process", f"{units.read * micro:,.1f} µs"),
        ("the same, PostgreSQL", f"{units.looked_up * micro:,.1f} µs"),
        ("requests of a poll beside the pages of pieces", f"{units.besides:,.1f}"),
        ("connections of a process", f"{units.connections:,.1f}"),
    ]
    return "\n".join(["| unit | cost |", "|---|---|", *(f"| {what} | {cost} |" for what, cost in rows)])
