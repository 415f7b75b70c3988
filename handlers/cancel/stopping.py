"""Stopping mail: exactly the pieces that were confirmed, each read just before and just after, and told as it went.

What was decided is an intent with a row a piece (`storage.intents`). A piece that was asked for and does not show it is
looked at again for some days; nothing is called cancelled that was not read back as cancelled.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.cancel import view as cancel_view
from handlers.cancel.view import Result, Who
from handlers.context import intents as working
from handlers.context.intents import Hold
from handlers.context.kept import TakenOverError
from handlers.context.services import Request, Services
from handlers.errors import (
    LASTING,
    CampaignBooked,
    CampaignUnknown,
    Outage,
    PieceUnknown,
    PlatformBusy,
    Refusal,
    TooLate,
    Trouble,
)
from handlers.text import formatting, messages
from handlers.text.messages import Message
from storage import audit, cancellations, workspaces
from storage import intents as stored
from storage.audit import Act
from storage.cancellations import Outcome
from storage.intents import Kind, PieceRow
from storage.queries import mail as queries
from storage.records import (
    NO_CAMPAIGN,
    Batch,
    CampaignId,
    Money,
    PieceId,
    Source,
    StoredCampaign,
    StoredPiece,
    UserId,
    Workspace,
    WorkspaceId,
)
from storage.statuses import CANCELLABLE, Status

log = structlog.get_logger()

#: After these a person may ask again.
RETRY: Final = (Outcome.DOWN.value, Outcome.UNCLEAR.value, Outcome.REFUSED.value, Outcome.UNSETTLED.value)
#: Pieces of a campaign that are asked for at the same time.
AT_ONCE: Final = 4
#: A request of an earlier version without an end for this long belongs to a process that died.
ABANDONED: Final = timedelta(minutes=2)
#: A piece that does not show what was asked for is looked at again after these pauses: three days in all.
LOOKS: Final = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 1440, 1440)]
#: The numbers of what is written and told of an intent, three of each: the line in the log, the answer, the channel.
FIRST: Final = 0
LATE: Final = 3
#: A campaign of more recipients is not read whole for each of its pieces.
MOST_REREAD: Final = 1000
#: Pieces that are read in one go.
SOME: Final = 500


@dataclass(frozen=True)
class Worth:
    """What stopping some pieces saves: of so many the cost is not known."""

    pieces: int
    amount: Money
    unpriced: int


def worth_of(pieces: Sequence[StoredPiece], currency: str) -> Worth:
    """What these cost together, as far as that is known."""
    known = [piece.cost for piece in pieces if piece.cost is not None]
    return Worth(len(pieces), Money(sum(known, Decimal(0)), currency), len(pieces) - len(known))


def stoppable(connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId) -> list[StoredPiece]:
    """The campaign's pieces that may still be stopped."""
    return queries.pieces_at(connection, workspace_id, campaign_id, sorted(CANCELLABLE))


@dataclass(frozen=True)
class Standing:
    """What can still be stopped of the pieces that were asked for, and how many more of the campaign by now."""

    pieces: list[StoredPiece]
    grown: int


def standing_of(connection: Connection, workspace_id: WorkspaceId, intent_id: int, campaign_id: CampaignId) -> Standing:
    """Compares what an intent names with what its campaign (0: none) holds now."""
    ids = [row.piece_id for row in stored.rows_of(connection, workspace_id, intent_id)]
    if campaign_id == NO_CAMPAIGN:
        found = [piece for group in _groups(ids) for piece in queries.pieces_by_id(connection, workspace_id, group)]
        return Standing([piece for piece in found if piece.status in CANCELLABLE], 0)
    named = set(ids)
    now = stoppable(connection, workspace_id, campaign_id)
    mine = [piece for piece in now if piece.id in named]
    return Standing(mine, len(now) - len(mine))


def payload_of(request: Request, campaign_id: CampaignId = NO_CAMPAIGN) -> dict[str, str | int]:
    """What is to be stopped for whom, and where that is told. Campaign 0: a single piece."""
    return {
        "campaign": campaign_id,
        "by": request.user,
        "approver": "",
        "channel": request.channel,
        "view": request.view_id,
    }


# ---- Working it off ---------------------------------------------------------------------------------------------


async def stop_pieces(hold: Hold) -> timedelta | None:
    """Asks for each piece that was not asked for yet, tells what came of it, and looks again at what is unclear."""
    workspace = await hold.services.memory.read(workspaces.by_id, hold.workspace_id)
    told_before = hold.told > FIRST + 1
    open_ = [row for row in await _rows(hold) if not row.outcome]
    fresh = [row for row in open_ if not row.looks]
    if fresh or told_before:
        # A summary that Slack has not taken yet comes before another look: each look is one of a few.
        await _work_off(hold, workspace, fresh or open_)
    rows = await _rows(hold)
    if any(not row.outcome and not row.looks for row in rows):
        return timedelta(0)
    await _tell(hold, workspace, rows, FIRST)
    looks = [row.looks for row in rows if not row.outcome]
    if looks:
        return LOOKS[min(looks) - 1]
    late = [row for row in rows if row.looks]
    if told_before and late:
        await _tell(hold, workspace, late, LATE)
    return None


async def _rows(hold: Hold) -> list[PieceRow]:
    return await hold.services.memory.read(stored.rows_of, hold.workspace_id, hold.intent.id)


async def _work_off(hold: Hold, workspace: Workspace, rows: Sequence[PieceRow]) -> None:
    """A few at a time. Asked to stop, or when one of them fails, none is begun any more; what was begun is ended."""
    waiting, failed = iter(rows), False

    async def work() -> None:
        nonlocal failed
        for row in waiting:
            if hold.stopping or failed:
                return
            # Until it has ended well it counts as failed.
            well = False
            try:
                await _stop(hold, workspace, row)
                well = True
            finally:
                failed = failed or not well

    for ended in await asyncio.gather(*(work() for _ in range(AT_ONCE)), return_exceptions=True):
        if ended is not None:
            raise ended


async def _stop(hold: Hold, workspace: Workspace, row: PieceRow) -> None:
    services = hold.services
    piece = await services.memory.read(queries.piece_by_id, workspace.id, row.piece_id)
    outcome, status = (Outcome.REFUSED, None) if piece is None else await _try_to_cancel(hold, workspace, piece, row)
    if outcome is Outcome.UNCLEAR:
        looks = row.looks + 1
        ended = replace(row, status=status, looks=looks, outcome=Outcome.UNSETTLED.value if looks > len(LOOKS) else "")
    else:
        ended = replace(row, status=status, outcome=outcome.value)
    if not await services.memory.write(_keep_outcome, hold, ended):
        raise TakenOverError
    log.info("cancel.ended", piece=piece.ref if piece else "", outcome=outcome.value, by=hold.intent.payload["by"])


def _keep_outcome(connection: Connection, hold: Hold, row: PieceRow) -> bool:
    if not stored.note_piece(connection, *hold.key, row):
        return False
    if row.outcome:
        now = hold.services.clock.now()
        cancellations.end(connection, hold.workspace_id, row.piece_id, row.outcome, now, hold.intent.id)
    return True


async def _try_to_cancel(
    hold: Hold, workspace: Workspace, piece: StoredPiece, row: PieceRow
) -> tuple[Outcome, Status | None]:
    earlier = await hold.services.memory.read(cancellations.of, workspace.id, piece.id)
    asked = earlier is not None and earlier.intent_id == hold.intent.id and not earlier.outcome
    try:
        before = await _read_again(hold.services, workspace, piece, ours=asked)
    except PlatformBusy:
        raise
    except Trouble as trouble:
        log.info("cancel.not_read", piece=piece.ref, reason=type(trouble).__name__)
        if asked:
            return Outcome.UNCLEAR, None
        return Outcome.DOWN if isinstance(trouble, Outage) else Outcome.REFUSED, None
    if before is Status.CANCELLED:
        return Outcome.CANCELLED if asked else Outcome.ALREADY, before
    if before not in CANCELLABLE:
        return Outcome.TOO_LATE, before
    if row.looks:
        return Outcome.UNCLEAR, before
    begun = await hold.services.memory.write(_begin, hold, piece.id)
    if begun is not None:
        return begun, before
    return await _ask_and_read(hold, workspace, piece, asked=asked)


def _begin(connection: Connection, hold: Hold, piece_id: PieceId) -> Outcome | None:
    """Notes that it is asked for now; gives what came of it where somebody else has asked for it already."""
    if not stored.renew(connection, *hold.key):
        raise TakenOverError
    by, now = UserId(hold.intent.payload["by"]), hold.services.clock.now()
    if cancellations.begin(connection, hold.workspace_id, piece_id, by, now, RETRY, hold.intent.id):
        return None
    earlier = cancellations.of(connection, hold.workspace_id, piece_id)
    ended = Outcome(earlier.outcome) if earlier and earlier.outcome else Outcome.ASKED_BEFORE
    return Outcome.ALREADY if ended is Outcome.CANCELLED else ended


async def _ask_and_read(
    hold: Hold, workspace: Workspace, piece: StoredPiece, *, asked: bool
) -> tuple[Outcome, Status | None]:
    said: Trouble | None = None
    try:
        await hold.services.platform.cancel_piece(piece.ref, piece.kind)
    except PlatformBusy:
        raise
    except Trouble as trouble:
        # Whether a request that broke off was carried out is known only by reading again.
        said = trouble
        log.info("cancel.troubled", piece=piece.ref, reason=type(trouble).__name__, code=trouble.code)
    try:
        after = await _read_again(hold.services, workspace, piece, ours=True)
    except PlatformBusy:
        raise
    except Trouble:
        return Outcome.UNCLEAR, None
    # Refused where it was asked for before, too: that first request may be what stands in the way.
    return _judge(after, None if asked else said), after


def _judge(after: Status | None, said: Trouble | None) -> Outcome:
    """What happened, from what is read afterwards and from what the platform said."""
    if after is Status.CANCELLED:
        return Outcome.CANCELLED
    if after not in CANCELLABLE:
        return Outcome.TOO_LATE
    if isinstance(said, Outage):
        # A request that broke off may still be carried out: it is looked at again.
        return Outcome.UNCLEAR
    return Outcome.REFUSED if isinstance(said, (TooLate, PieceUnknown, Refusal)) else Outcome.UNCLEAR


async def _read_again(services: Services, workspace: Workspace, piece: StoredPiece, *, ours: bool) -> Status | None:
    """Where the platform says the piece is now; what it says is kept. `ours`: a cancellation is what we asked for."""
    batch = await _look(services, workspace, piece)
    await services.memory.learn(workspace.id, _as_asked(batch) if ours else batch, services.clock.now())
    again = await services.memory.read(queries.piece_by_id, workspace.id, piece.id)
    return again.status if again else None


async def _look(services: Services, workspace: Workspace, piece: StoredPiece) -> Batch:
    """What the platform says of this piece. Where it gives the account no single pieces, what its campaign's report
    says: else nobody could stop anything there. Outages and limits are not got round.
    """
    try:
        return await services.platform.piece(piece.ref, piece.kind)
    except Refusal:
        campaign = await services.memory.read(queries.campaign, workspace.id, piece.campaign_id)
        if campaign is None or await _size(services, workspace, campaign) > MOST_REREAD:
            raise
        report = services.platform.campaign_pieces(campaign.facts.ref)
        told = tuple([change async for some in report for change in some.changes if change.piece_ref == piece.ref])
        if not told:
            raise
        return Batch(changes=told)


async def _size(services: Services, workspace: Workspace, campaign: StoredCampaign) -> int:
    """How many pieces it has: as the platform says, else as many as we know."""
    known = await services.memory.read(queries.mix, workspace.id, campaign.id)
    return max(campaign.facts.recipients or 0, known.total)


def _as_asked(batch: Batch) -> Batch:
    changes = tuple(
        replace(one, source=Source.CANCEL) if one.status is Status.CANCELLED else one for one in batch.changes
    )
    return replace(batch, changes=changes)


# ---- Telling it -------------------------------------------------------------------------------------------------


async def _tell(hold: Hold, workspace: Workspace, rows: Sequence[PieceRow], number: int) -> None:
    """The first time (`number` FIRST) all that is known, LATE what was unclear. It stands in the log before, whether or
    not Slack takes it; each is done once."""
    results = await hold.services.memory.read(_results, workspace.id, rows)
    payload, currency = hold.intent.payload, workspace.currency
    # Kept before the form was confirmed it may be older than that; of an earlier version it has no other moment.
    asked_at = datetime.fromtimestamp(payload["asked_at"], UTC) if "asked_at" in payload else hold.intent.made_at
    who = Who(payload["by"], asked_at, payload["approver"])
    stopped = worth_of([one.piece for one in results if one.outcome is Outcome.CANCELLED], currency)
    if payload["campaign"] == NO_CAMPAIGN:
        if not results:
            return
        saved = stopped.amount if stopped.pieces > stopped.unpriced else None
        message = cancel_view.piece_result(results[0], who, saved, hold.services.platform.name)
        subject, detail = f"piece {results[0].piece.ref}", results[0].outcome.value
        send = partial(_to_asker, hold, message, by_button=number == FIRST)
    else:
        campaign_id = CampaignId(payload["campaign"])
        campaign = await hold.services.memory.read(queries.campaign, workspace.id, campaign_id)
        if campaign is None:
            return
        dashboard = hold.services.platform.dashboard(campaign.facts.ref)
        name = hold.services.platform.name
        message = cancel_view.campaign_result(
            campaign, results, who, stopped.amount, dashboard, name, late=number == LATE
        )
        subject, detail = campaign.facts.name, f"{stopped.pieces} of {formatting.pieces(len(results))} stopped"
        send = partial(_to_channel, hold, message)

    def record_audit(connection: Connection) -> None:
        now = hold.services.clock.now()
        audit.note(connection, workspace.id, who.by, Act.STOPPED, now, subject=subject, detail=detail)

    await hold.note(number, record_audit)
    await hold.tell(number + 1, send)
    single = payload["campaign"] == NO_CAMPAIGN and payload["channel"] and not payload["approver"]
    # What showed only at a later look is announced when that is told, and not before as well.
    is_news = number == LATE or not rows[0].looks
    if single and is_news and results[0].outcome is Outcome.CANCELLED:
        await hold.tell(number + 2, partial(_announce, hold, message))


def _results(connection: Connection, workspace_id: WorkspaceId, rows: Sequence[PieceRow]) -> list[Result]:
    """Each piece with what became of it; an open one is unclear."""
    by_id = {row.piece_id: row for row in rows}
    return [
        Result(piece, Outcome(by_id[piece.id].outcome or Outcome.UNCLEAR.value), by_id[piece.id].status)
        for group in _groups(list(by_id))
        for piece in queries.pieces_by_id(connection, workspace_id, group)
    ]


def _groups(ids: Sequence[PieceId]) -> Iterator[Sequence[PieceId]]:
    for start in range(0, len(ids), SOME):
        yield ids[start : start + SOME]


async def _to_asker(hold: Hold, message: Message, *, by_button: bool) -> None:
    """In the place of what was pressed; where that is gone, or later, in a direct message (with a second person: in
    the channel where both read it)."""
    slack, payload, url = hold.services.slack, hold.intent.payload, hold.secrets().get("url", "")
    if payload["approver"]:
        await _to_channel(hold, message)
        return
    try:
        if by_button and payload["view"]:
            await slack.update_view(payload["view"], messages.modal("Cancel", message.blocks))
            return
        if by_button and url:
            await slack.answer(url, message.without_picture(), replace=True)
            return
    except Refusal as refusal:
        log.info("cancel.told_directly", reason=type(refusal).__name__, code=refusal.code)
    await slack.post(payload["by"], message)


async def _to_channel(hold: Hold, message: Message) -> None:
    """To the channel, or where that cannot be, to the people (a submitted modal has no address for answers)."""
    slack, payload = hold.services.slack, hold.intent.payload
    try:
        await slack.post(payload["channel"] or payload["by"], message)
    except LASTING as refusal:
        log.info("cancel.told_directly", reason=type(refusal).__name__, code=refusal.code)
        await slack.post(payload["by"], message)


async def _announce(hold: Hold, message: Message) -> None:
    """Says it in the channel as well; the asker has their answer already, so a closed channel is no failure."""
    try:
        await hold.services.slack.post(hold.intent.payload["channel"], message)
    except Refusal as refusal:
        log.info("cancel.not_announced", reason=type(refusal).__name__, code=refusal.code)


async def delete_draft(hold: Hold) -> timedelta | None:
    """A campaign that is not booked is removed whole; after an interruption it is looked for first."""
    payload, services = hold.intent.payload, hold.services
    campaign = await services.memory.read(queries.campaign, hold.workspace_id, CampaignId(payload["campaign"]))
    if campaign is None:
        return None
    who = Who(payload["by"], hold.intent.made_at)
    message, detail = cancel_view.deleted(campaign, who, services.platform.name), "the draft was deleted"
    try:
        await services.platform.campaign(campaign.facts.ref)
        await hold.still_ours()
        await services.platform.delete_campaign(campaign.facts.ref)
    except CampaignUnknown:
        log.info("draft.gone", campaign=campaign.facts.ref)
    except CampaignBooked as booked:
        message = cancel_view.booked(
            str(booked), services.platform.dashboard(campaign.facts.ref), services.platform.name
        )
        detail = "it was booked meanwhile"

    def record_audit(connection: Connection) -> None:
        now, name = services.clock.now(), campaign.facts.name
        audit.note(connection, hold.workspace_id, who.by, Act.STOPPED, now, subject=name, detail=detail)

    await hold.note(0, record_audit)
    await hold.tell(1, partial(_to_channel, hold, message))
    return None


# ---- What an earlier version left open --------------------------------------------------------------------------


async def adopt_abandoned(services: Services, workspace_id: WorkspaceId) -> list[int]:
    """Requests of an earlier version whose process died become intents: read again, never asked for blindly."""
    before = services.clock.now() - ABANDONED

    def work(connection: Connection) -> list[int]:
        made = []
        for earlier in cancellations.unfinished(connection, workspace_id, before):
            payload = {"campaign": NO_CAMPAIGN, "by": earlier.asked_by, "approver": "", "channel": "", "view": ""}
            number = stored.keep(connection, workspace_id, Kind.CANCEL, payload, piece_ids=[earlier.piece_id], looks=1)
            cancellations.adopt(connection, workspace_id, earlier.piece_id, number)
            made.append(number)
        return made

    return await services.memory.write(work)


async def settle_abandoned(services: Services, workspace_id: WorkspaceId) -> None:
    """Adopts them, and works them off."""
    for number in await adopt_abandoned(services, workspace_id):
        await working.begin(services, workspace_id, number, stop_pieces)
