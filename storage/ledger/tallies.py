"""The counts that every answer reads: written as differences with each change, folded later, checked by recounting."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, Date, text

from storage.database import run
from storage.dialects import is_postgresql
from storage.records import CampaignId, WorkspaceId
from storage.schema.tables import UNITS
from storage.statements import load


def write(connection: Connection, workspace_id: WorkspaceId, *, met: bool) -> None:
    """Counts the batch's pieces where they belong now, and no longer where they were. `met`: some were described."""
    run(connection, WRITE_MET if met else WRITE_MOVES, workspace=workspace_id)


WRITE_MOVES: Final = load("count_moves")
WRITE_MET: Final = load("count_met")


@dataclass(frozen=True)
class Drift:
    """A count that differs from its pieces: `counted` says how many more (or, below zero, fewer) than there are."""

    campaign_id: CampaignId
    day: date
    rank: int
    counted: int
    cost: Decimal


def fold(connection: Connection) -> None:
    """Adds the differences into the tallies and removes them."""
    run(connection, FOLD)
    if not is_postgresql(connection):
        connection.execute(FOLDED)


def drift(connection: Connection, workspace_id: WorkspaceId, part: int = 0, parts: int = 1) -> list[Drift]:
    """Recounts the pieces of the campaigns whose number leaves `part` when divided by `parts`, and says what differs.

    It reads every piece of these campaigns: work for the night.
    """
    values = {"workspace": workspace_id, "part": part, "parts": parts}
    rows = connection.execute(DRIFT.on(connection).columns(day=Date), values).all()
    return [Drift(CampaignId(r.campaign_id), r.day, r.status, int(r.n), Decimal(int(r.cost)) / UNITS) for r in rows]


def repair(connection: Connection, workspace_id: WorkspaceId) -> int:
    """Recounts everything and corrects what differs; gives how many counts did. Others may write meanwhile."""
    return run(connection, REPAIR, workspace=workspace_id, part=0, parts=1)


#: On PostgreSQL it removes them as well.
FOLD: Final = load("fold_tallies")
FOLDED: Final = text("DELETE FROM tally_deltas")
DRIFT: Final = load("drift")
REPAIR: Final = load("repair")
