"""The ledger: merges what was heard about campaigns and pieces into rows, counts and the outbox, in one transaction.

The end state is a function of the *set* of changes: their order, repetition and grouping do not matter. Every step
is a statement over the whole batch, so a batch of ten thousand costs little more than one of ten.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice
from operator import itemgetter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, bindparam, case, func, or_, select, true

from storage import details, outbox
from storage.database import upsert
from storage.ledger import changes as ledger_changes
from storage.ledger import pieces as ledger_pieces
from storage.ledger import stage
from storage.ledger import tallies as tally
from storage.records import Batch, Campaign, Change, WorkspaceId
from storage.schema.tables import Moment, campaigns

T = TypeVar("T")
#: What was heard, and when.
Heard = tuple[datetime, Batch]


#: Campaigns that are known of one workspace: for ten a day, the next five years. Whoever signs its webhooks could
#: otherwise make any number.
MOST_CAMPAIGNS = 20_000


#: Asked for in one statement: SQLite takes so many parameters and no more.
SOME: Final = 5000


#: What may be told of a campaign, beside its ref.
TEXTS: Final = ("name", "stage", "kind")


#: With its ref behind, the name of a campaign until one is told.
STANDS_IN: Final = "Campaign "


FACTS: Final = ("created_at", "updated_at", "send_on", "recipients", "cost")


@dataclass(frozen=True)
class Applied:
    """What a batch came to: pieces met for the first time, changes kept, and changes of pieces still unknown."""

    arrived: int = 0
    recorded: int = 0
    orphaned: int = 0

    def __add__(self, other: "Applied") -> "Applied":
        return Applied(self.arrived + other.arrived, self.recorded + other.recorded, self.orphaned + other.orphaned)


def apply(connection: Connection, workspace_id: WorkspaceId, batch: Batch, now: datetime) -> Applied:
    """Merges a batch that is heard now (aware, UTC), in the caller's transaction.

    Applying it twice, or in another order with others, ends in the same rows, counts and outbox.
    """
    return apply_heard(connection, workspace_id, [(now, batch)], now)


def apply_heard(connection: Connection, workspace_id: WorkspaceId, told: Sequence[Heard], now: datetime) -> Applied:
    """Merges what was heard at these moments, which may have waited until now (all aware, UTC), as one batch.

    When it was heard decides what is news to whom, and which facts are the newer; when it is merged, what has moved
    since somebody looked.
    """
    told = sorted(told, key=itemgetter(0))
    batch = told[0][1] if len(told) == 1 else merged([one for _, one in told])
    _merge_campaigns(connection, workspace_id, told, now)
    if not batch.pieces and not batch.changes:
        return Applied()
    stage.begin(connection)
    described = [(heard_at, one.pieces) for heard_at, one in told]
    arrived = ledger_pieces.upsert_pieces(connection, workspace_id, described) if batch.pieces else 0
    waiting = ledger_pieces.waiting_changes(connection, workspace_id) if arrived else []
    floor = ledger_changes.after_marks(connection, workspace_id, now)
    heard = [(max(heard_at, floor) if floor else heard_at, one.changes) for heard_at, one in told]
    found = ledger_changes.stage_changes(connection, [*waiting, *heard])
    recorded, orphaned = 0, 0
    if found.exact or found.vague:
        last = None if floor else heard[-1][0]
        recorded, orphaned = ledger_changes.record(connection, workspace_id, found, last)
    moved = ledger_changes.move(connection, workspace_id, now, words=found.words) if recorded else 0
    if batch.pieces or moved:
        tally.write(connection, workspace_id, met=bool(batch.pieces))
    if batch.pieces or recorded:
        # Only who names its campaign can bring a known piece into one.
        placed = any(piece.campaign_ref is not None for piece in batch.pieces)
        detailed = any(piece.detailed for piece in batch.pieces)
        ledger_changes.widen_dates(connection, workspace_id, now, recorded=bool(recorded), placed=placed)
        details.note(connection, workspace_id, moved=bool(moved), arrived=bool(arrived), detailed=detailed)
        news = bool(recorded) and found.news
        outbox.enqueue(connection, workspace_id, news=news, placed=placed, now=now)
    return Applied(arrived, recorded, orphaned)


def portions(batch: Batch, size: int) -> Iterator[Batch]:
    """The same in batches of about so many pieces, each with its changes, so that no transaction is long."""
    if len(batch.pieces) + len(batch.changes) + len(batch.campaigns) <= size:
        yield batch
        return
    for campaigns_told in _sliced(batch.campaigns, size):
        yield Batch(campaigns=campaigns_told)
    told: dict[str, list[Change]] = {}
    for change in batch.changes:
        told.setdefault(change.piece_ref, []).append(change)
    for pieces in _sliced(batch.pieces, size):
        refs = dict.fromkeys(piece.ref for piece in pieces)
        yield Batch(pieces=pieces, changes=tuple(change for ref in refs for change in told.pop(ref, ())))
    for changes in _sliced(chain.from_iterable(told.values()), size):
        yield Batch(changes=changes)


def merged(batches: Sequence[Batch]) -> Batch:
    """Several as one."""
    return Batch(
        campaigns=tuple(one for batch in batches for one in batch.campaigns),
        pieces=tuple(one for batch in batches for one in batch.pieces),
        changes=tuple(one for batch in batches for one in batch.changes),
    )


def _sliced(things: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    rest = iter(things)
    while part := tuple(islice(rest, size)):
        yield part


def _merge_campaigns(connection: Connection, workspace_id: WorkspaceId, told: Sequence[Heard], now: datetime) -> None:
    known: dict[str, Campaign] = {}
    heard: dict[str, datetime] = {}
    for heard_at, batch in told:
        for campaign in batch.campaigns:
            known[campaign.ref] = _fuller(campaign, known.get(campaign.ref))
            heard[campaign.ref] = heard_at
    named = {piece.campaign_ref for _, batch in told for piece in batch.pieces if piece.campaign_ref}
    refused = _without_room(connection, workspace_id, known.keys() | named)
    if named - known.keys() - refused:
        _insert_stubs(connection, workspace_id, named - known.keys() - refused)
    refused |= _told_before(connection, workspace_id, known)
    known = {ref: campaign for ref, campaign in known.items() if ref not in refused}
    if not known:
        return
    statement = upsert(connection, campaigns)
    new = statement.excluded
    # A name stands in for itself only where the campaign is new: what was told is asked for, not what is inserted.
    texts: dict[str, Any] = {name: func.coalesce(bindparam(f"told_{name}"), campaigns.c[name]) for name in TEXTS}
    facts: dict[str, Any] = {name: func.coalesce(new[name], campaigns.c[name]) for name in FACTS}
    # What waited may be older, by its own word or else by when it was heard, than what was told since: it fills what
    # that left open, and no more. What is told now is the newer whatever it says of itself, and no word of the future
    # holds up what comes after it.
    unsaid = or_(campaigns.c.updated_at.is_(None), campaigns.c.updated_at > now)
    as_of = func.coalesce(new.updated_at, bindparam("heard_at", type_=Moment))
    newer = or_(unsaid, as_of >= campaigns.c.updated_at) if told[0][0] < now else true()
    merging: dict[str, Any] = {}
    for name, value in (texts | facts).items():
        kept = campaigns.c[name]
        is_open = kept.in_(("", STANDS_IN + campaigns.c.ref)) if name in TEXTS else kept.is_(None)
        merging[name] = case((newer | is_open, value), else_=kept)
    key = [campaigns.c.workspace_id, campaigns.c.ref]
    statement = statement.on_conflict_do_update(index_elements=key, set_=merging)
    rows = [
        _campaign_row(workspace_id, known[ref])
        | {f"told_{name}": _text_of(known[ref], name) for name in TEXTS}
        | {"heard_at": heard[ref]}
        for ref in sorted(known)
    ]
    connection.execute(statement, rows)


def _without_room(connection: Connection, workspace_id: WorkspaceId, refs: Set[str]) -> set[str]:
    """Those of these campaigns that are new and beyond the most that a workspace may have."""
    mine, new = campaigns.c.workspace_id == workspace_id, set(refs)
    for some in _sliced(sorted(refs), SOME):
        new.difference_update(connection.scalars(select(campaigns.c.ref).where(mine, campaigns.c.ref.in_(some))))
    if not new:
        return new
    room = MOST_CAMPAIGNS - int(connection.scalar(select(func.count()).select_from(campaigns).where(mine)) or 0)
    # Later ones have higher numbers, and are asked for more often.
    return set(sorted(new, key=lambda ref: (len(ref), ref))[: max(len(new) - max(room, 0), 0)])


def _told_before(connection: Connection, workspace_id: WorkspaceId, told: Mapping[str, Campaign]) -> set[str]:
    """Those of whom nothing is told that is not known: each poll repeats them all."""
    columns, found = [campaigns.c[name] for name in ("ref", *TEXTS, *FACTS)], set[str]()
    for some in _sliced(sorted(told), SOME):
        rows = select(*columns).where(campaigns.c.workspace_id == workspace_id, campaigns.c.ref.in_(some))
        for row in connection.execute(rows).mappings():
            one = told[row["ref"]]
            texts = all(_text_of(one, name) in (None, row[name]) for name in TEXTS)
            if texts and all(getattr(one, name) in (None, row[name]) for name in FACTS):
                found.add(one.ref)
    return found


def is_full(connection: Connection, workspace_id: WorkspaceId) -> bool:
    """Whether no more campaigns are taken in. Pieces of others are kept, as if sent singly."""
    rows = select(campaigns.c.id).where(campaigns.c.workspace_id == workspace_id)
    return connection.scalar(rows.offset(MOST_CAMPAIGNS - 1).limit(1)) is not None


def _fuller(campaign: Campaign, earlier: Campaign | None) -> Campaign:
    """What both tell; where both do, the newer by their own word, or else the later heard."""
    if earlier is None:
        return campaign
    if campaign.updated_at and earlier.updated_at and campaign.updated_at < earlier.updated_at:
        campaign, earlier = earlier, campaign
    untold = {name: getattr(earlier, name) for name in (*TEXTS, *FACTS) if getattr(campaign, name) is None}
    return replace(campaign, **untold)


def _insert_stubs(connection: Connection, workspace_id: WorkspaceId, refs: Iterable[str]) -> None:
    rows = [_campaign_row(workspace_id, Campaign(ref)) for ref in sorted(refs)]
    connection.execute(upsert(connection, campaigns).on_conflict_do_nothing(), rows)


def _text_of(campaign: Campaign, name: str) -> str | None:
    told = getattr(campaign, name)
    return None if told is None else str(told)


def _campaign_row(workspace_id: WorkspaceId, campaign: Campaign) -> dict[str, Any]:
    """A row for a campaign that is met for the first time."""
    facts = {name: getattr(campaign, name) for name in FACTS}
    texts = {name: _text_of(campaign, name) for name in TEXTS} | {"name": campaign.name or f"{STANDS_IN}{campaign.ref}"}
    return (
        {"workspace_id": workspace_id, "ref": campaign.ref} | facts | {key: told or "" for key, told in texts.items()}
    )
