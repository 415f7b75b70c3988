"""Keeps aside what the database refuses for good: of which piece or campaign it was, why, and when; all else goes on.

Nothing of a recipient is kept here. A person finds the newest in `piecewise check`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection, delete, func, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from storage.database import upsert
from storage.failures import is_outage, place_of, reason_of
from storage.ledger.stage import cut_text
from storage.records import Batch, Campaign, Change, Piece, WorkspaceId
from storage.schema.account_tables import set_aside

log = structlog.get_logger()

#: What a bad value raises, in the database or on the way to it.
POISON: Final = (SQLAlchemyError, ValueError, TypeError, ArithmeticError, LookupError)
#: What a fault of ours raises that a bad value does not.
FAULTS: Final = (AttributeError, RuntimeError, AssertionError)
#: So many are kept for each workspace, the newest, and for so long.
MOST: Final = 1000
KEPT_FOR: Final = timedelta(days=30)
#: Bytes of a reference.
LONGEST_REF: Final = 200


class OwnFault(ValueError):
    """A fault of ours over something in a batch. `orig`: what it raised."""

    def __init__(self, orig: Exception) -> None:
        super().__init__(type(orig).__name__)
        self.orig = orig


@contextmanager
def own_faults() -> Iterator[None]:
    """A fault of ours in here is raised as OwnFault, and so is poison: what it is about is found and set aside.

    For what is done with a batch inside a transaction and nothing more: outside of it a RuntimeError may be an outage.
    """
    try:
        yield
    except FAULTS as error:
        raise OwnFault(error) from error


@dataclass(frozen=True)
class Refused:
    """What was refused, by its id at the platform, and why."""

    ref: str
    reason: str


@dataclass
class Sieve:
    """Takes a batch apart until what is refused stands alone. `todo`: what is to be tried, the last of it first."""

    todo: list[Batch]
    refused: list[Refused] = field(default_factory=list)
    #: Whether a fault of ours was found, and said.
    broke: bool = False

    def refuse(self, part: Batch, error: Exception) -> None:
        """Goes on with the halves of what was refused. Raises the error where it says nothing about the batch."""
        # What is said of one piece stays together as long as it can.
        facts: list[Campaign | Piece | Change] = [*part.campaigns]
        facts += sorted((*part.pieces, *part.changes), key=_ref)
        if is_outage(error) or not facts:
            raise error
        if len(facts) == 1:
            self.refused.append(Refused(_ref(facts[0]), reason_of(error)))
            if isinstance(error, OwnFault) and not self.broke:
                # The first of a batch, for all that break are likely to break in the same place.
                self.broke = True
                log.error("ledger.broke", ref=_ref(facts[0]), place=place_of(error.orig))
        else:
            middle = len(facts) // 2
            self.todo += [_batch(facts[middle:]), _batch(facts[:middle])]


def _ref(fact: Campaign | Piece | Change) -> str:
    return fact.piece_ref if isinstance(fact, Change) else fact.ref


def _batch(facts: Sequence[Campaign | Piece | Change]) -> Batch:
    """Without fingerprints: a piece may be kept, and what was told of it refused."""
    return Batch(
        campaigns=tuple(one for one in facts if isinstance(one, Campaign)),
        pieces=tuple(replace(one, listed_print=None, placed_print=None) for one in facts if isinstance(one, Piece)),
        changes=tuple(one for one in facts if isinstance(one, Change)),
    )


def keep(connection: Connection, workspace_id: WorkspaceId, refused: Sequence[Refused], now: datetime) -> None:
    """Keeps what was refused, once for each reference; of too many, the newest."""
    reasons = {_short(one.ref): one.reason for one in refused[-MOST:]}
    rows = [{"ref": ref, "reason": reason} for ref, reason in sorted(reasons.items())]
    adding = upsert(connection, set_aside).values(workspace_id=workspace_id, first_at=now, last_at=now)
    new = {"reason": adding.excluded.reason, "last_at": adding.excluded.last_at}
    connection.execute(adding.on_conflict_do_update(index_elements=[*set_aside.primary_key.columns], set_=new), rows)
    key = tuple_(set_aside.c.workspace_id, set_aside.c.ref)
    mine = select(set_aside.c.workspace_id, set_aside.c.ref).where(set_aside.c.workspace_id == workspace_id)
    beyond = mine.order_by(set_aside.c.last_at.desc(), set_aside.c.ref).limit(10 * MOST).offset(MOST)
    connection.execute(delete(set_aside).where(key.in_(beyond)))


def _short(ref: str) -> str:
    return cut_text("".join(c for c in ref if c.isprintable()), LONGEST_REF)


def forget(connection: Connection, now: datetime) -> None:
    """Drops what was not refused again for a month."""
    connection.execute(delete(set_aside).where(set_aside.c.last_at < now - KEPT_FOR))


@dataclass(frozen=True)
class Found:
    """How many references are kept aside, and the newest of them."""

    number: int
    newest: Refused
    at: datetime


def look(connection: Connection) -> Found | None:
    """What is kept aside of all workspaces; None for nothing."""
    row = connection.execute(select(set_aside).order_by(set_aside.c.last_at.desc()).limit(1)).first()
    if row is None:
        return None
    number = connection.scalar(select(func.count()).select_from(set_aside)) or 0
    return Found(number, Refused(row.ref, row.reason), row.last_at)
