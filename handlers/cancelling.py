"""Stopping mail: the intent is kept, the platform is read just before and just after, and the truth is told."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.ports import Outage, PieceUnknown, Refusal, TooLate, Trouble
from handlers.services import Services
from handlers.views.cancel import Outcome, Result
from storage import cancellations, enquiries
from storage.records import Batch, CampaignId, Source, StoredPiece, UserId, Workspace
from storage.statuses import CANCELLABLE, Status

log = structlog.get_logger()

#: After these a person may ask again.
RETRY: Final = (Outcome.DOWN.value, Outcome.UNCLEAR.value, Outcome.REFUSED.value)
#: Pieces of a campaign that are asked for at the same time.
AT_ONCE: Final = 4
#: A request without an end for this long belongs to a process that died.
ABANDONED: Final = timedelta(minutes=2)


async def cancel_piece(services: Services, workspace: Workspace, piece: StoredPiece, by: UserId) -> Result:
    """Asks the platform to stop one piece, and gives what really happened. Never asks twice for the same piece."""
    now = services.clock.now()
    begun = await services.memory.write(cancellations.begin, workspace.id, piece.id, by, now, RETRY)
    if not begun:
        return await _asked_before(services, workspace, piece)
    outcome, standing = await _try_to_cancel(services, workspace, piece)
    ended = services.clock.now()
    await services.memory.write(cancellations.end, workspace.id, piece.id, outcome.value, ended)
    log.info("cancel.ended", piece=piece.ref, outcome=outcome.value, by=by)
    return Result(piece, outcome, standing)


async def _asked_before(services: Services, workspace: Workspace, piece: StoredPiece) -> Result:
    earlier = await services.memory.read(cancellations.of, workspace.id, piece.id)
    ended = Outcome(earlier.outcome) if earlier and earlier.outcome else Outcome.ASKED_BEFORE
    return Result(piece, Outcome.ALREADY if ended is Outcome.CANCELLED else ended, piece.status)


async def _try_to_cancel(services: Services, workspace: Workspace, piece: StoredPiece) -> tuple[Outcome, Status | None]:
    try:
        before = await _read_again(services, workspace, piece)
    except Trouble as trouble:
        log.info("cancel.not_begun", piece=piece.ref, reason=type(trouble).__name__)
        return Outcome.DOWN if isinstance(trouble, Outage) else Outcome.REFUSED, None
    if before is Status.CANCELLED:
        return Outcome.ALREADY, before
    if before not in CANCELLABLE:
        return Outcome.TOO_LATE, before
    said: Trouble | None = None
    try:
        await services.platform.cancel_piece(piece.ref, piece.kind)
    except Trouble as trouble:
        # Whether a request that broke off was carried out is known only by reading again.
        said = trouble
        log.info("cancel.troubled", piece=piece.ref, reason=type(trouble).__name__, code=trouble.code)
    try:
        after = await _read_again(services, workspace, piece)
    except Trouble:
        return (Outcome.DOWN if isinstance(said, Outage) else Outcome.UNCLEAR), None
    return _judge(after, said), after


def _judge(after: Status | None, said: Trouble | None) -> Outcome:
    """What happened, from what is read afterwards and from what the platform said."""
    if after is Status.CANCELLED:
        return Outcome.CANCELLED
    if after not in CANCELLABLE:
        return Outcome.TOO_LATE
    if isinstance(said, Outage):
        return Outcome.DOWN
    return Outcome.REFUSED if isinstance(said, (TooLate, PieceUnknown, Refusal)) else Outcome.UNCLEAR


async def _read_again(services: Services, workspace: Workspace, piece: StoredPiece) -> Status | None:
    """Where the platform says the piece is now; what it says is kept."""
    batch = await services.platform.piece(piece.ref, piece.kind)
    now = services.clock.now()
    await services.memory.learn(workspace.id, _as_asked(batch), now)
    again = await services.memory.read(enquiries.piece_by_id, workspace.id, piece.id)
    return again.status if again else None


def _as_asked(batch: Batch) -> Batch:
    changes = tuple(
        replace(one, source=Source.CANCEL) if one.status is Status.CANCELLED else one for one in batch.changes
    )
    return replace(batch, changes=changes)


async def cancel_all(
    services: Services, workspace: Workspace, pieces: Sequence[StoredPiece], by: UserId
) -> list[Result]:
    """Asks for each of these pieces, a few at a time; results in their order."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(piece: StoredPiece) -> Result:
        async with turns:
            return await cancel_piece(services, workspace, piece, by)

    return list(await asyncio.gather(*(one(piece) for piece in pieces)))


@dataclass(frozen=True)
class Settled:
    """A request whose process died, and how it turned out."""

    result: Result
    by: UserId
    asked_at: datetime


async def settle_abandoned(services: Services, workspace: Workspace) -> list[Settled]:
    """Ends requests whose process died: by reading again, never by cancelling blindly."""
    before = services.clock.now() - ABANDONED
    settled = []
    for request in await services.memory.read(cancellations.unfinished, workspace.id, before):
        piece = await services.memory.read(enquiries.piece_by_id, workspace.id, request.piece_id)
        if piece is None:
            continue
        try:
            standing = await _read_again(services, workspace, piece)
        except Trouble as trouble:
            log.info("cancel.still_open", piece=piece.ref, reason=type(trouble).__name__)
            continue
        outcome = _judge(standing, None)
        ended = services.clock.now()
        await services.memory.write(cancellations.end, workspace.id, piece.id, outcome.value, ended)
        settled.append(Settled(Result(piece, outcome, standing), request.asked_by, request.asked_at))
    return settled


def stoppable(connection: Connection, workspace: Workspace, campaign_id: CampaignId) -> list[StoredPiece]:
    """The campaign's pieces that may still be stopped."""
    return enquiries.pieces_at(connection, workspace.id, campaign_id, sorted(CANCELLABLE))
