"""The counts that every answer reads: written as differences with each change, folded later, checked by recounting."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection, Date

from storage.database import run, sql
from storage.dialects import is_postgresql
from storage.records import CampaignId, WorkspaceId
from storage.schema.tables import UNITS


def write(connection: Connection, workspace_id: WorkspaceId, *, met: bool) -> None:
    """Counts the batch's pieces where they belong now, and no longer where they were. `met`: some were described."""
    run(connection, WRITE_MET if met else WRITE_MOVES, workspace=workspace_id)


_MOVED: Final = """
    SELECT v.campaign_id, v.day, v.was AS status, -1 AS n, -v.cost AS cost FROM stage_moves v WHERE v.status <> v.was {}
    UNION ALL SELECT v.campaign_id, v.day, v.status, 1, v.cost FROM stage_moves v WHERE v.status <> v.was {}"""


_MET: Final = """
    UNION ALL SELECT campaign_id, day, status, -1, -cost FROM stage_met WHERE NOT arrived
    UNION ALL SELECT p.campaign_id, p.day, p.status, 1, coalesce(p.cost, 0)
    FROM stage_met m JOIN LATERAL (SELECT * FROM pieces p WHERE p.id = m.piece_id OFFSET 0) p ON true"""


_NOT_MET: Final = "AND NOT EXISTS (SELECT 1 FROM stage_met m WHERE m.piece_id = v.piece_id)"


_NET: Final = """
    INSERT INTO tally_deltas (workspace_id, campaign_id, day, status, pieces, cost)
    SELECT CAST(:workspace AS INTEGER), campaign_id, day, status, sum(n), sum(cost) FROM ({}) net
    GROUP BY campaign_id, day, status HAVING sum(n) <> 0 OR sum(cost) <> 0"""


WRITE_MOVES: Final = sql(_NET.format(_MOVED.format("", "")))


WRITE_MET: Final = sql(_NET.format(_MOVED.format(_NOT_MET, _NOT_MET) + _MET))


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
    if is_postgresql(connection):
        run(connection, FOLD_AT_ONCE)
        return
    run(connection, FOLD)
    run(connection, FOLDED)


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


_KEYS: Final = "workspace_id, campaign_id, day, status"


_ADD: Final = f"""ON CONFLICT ({_KEYS})
    DO UPDATE SET pieces = tallies.pieces + excluded.pieces, cost = tallies.cost + excluded.cost"""


_SUMS: Final = f"SELECT {_KEYS}, sum(pieces), sum(cost) FROM {{}} WHERE true GROUP BY {_KEYS} ORDER BY {_KEYS}"


#: In one statement, or a difference that another process commits in between would be removed and not added.
FOLD_AT_ONCE: Final = sql(f"""
    WITH gone AS (DELETE FROM tally_deltas RETURNING {_KEYS}, pieces, cost)
    INSERT INTO tallies ({_KEYS}, pieces, cost) {_SUMS.format("gone")} {_ADD}""")


FOLD: Final = sql(f"INSERT INTO tallies ({_KEYS}, pieces, cost) {_SUMS.format('tally_deltas')} {_ADD}")


FOLDED: Final = sql("DELETE FROM tally_deltas")


_MINE: Final = "workspace_id = :workspace AND campaign_id % :parts = :part"


#: One statement sees one moment, so that what is being written meanwhile does not look like drift.
_DRIFT: Final = f"""
    SELECT campaign_id, day, status, sum(n) AS n, sum(cost) AS cost FROM (
        SELECT campaign_id, day, status, pieces AS n, cost FROM tallies WHERE {_MINE}
        UNION ALL SELECT campaign_id, day, status, pieces, cost FROM tally_deltas WHERE {_MINE}
        UNION ALL SELECT campaign_id, day, status, -count(*), -sum(coalesce(cost, 0)) FROM pieces WHERE {_MINE}
        GROUP BY campaign_id, day, status) counts
    GROUP BY campaign_id, day, status HAVING sum(n) <> 0 OR sum(cost) <> 0"""


DRIFT: Final = sql(_DRIFT)


REPAIR: Final = sql(f"""
    INSERT INTO tally_deltas ({_KEYS}, pieces, cost)
    SELECT CAST(:workspace AS INTEGER), campaign_id, day, status, -n, -cost FROM ({_DRIFT}) wrong""")
