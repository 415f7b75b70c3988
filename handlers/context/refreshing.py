"""How fresh an answer is: asks the platform when what we know is old, and says so when it cannot be asked."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from handlers.context.gaps import Call
from handlers.context.ports import Ability
from handlers.context.services import Services
from handlers.errors import NotOffered, Outage, PieceUnknown, Refusal
from storage import workspaces
from storage.queries import mail as queries
from storage.queries.recognized import Print
from storage.records import StoredCampaign, StoredPiece, Workspace

log = structlog.get_logger()

#: What did not answer for longer than this is left to the polls: nobody who asks waits for it.
MOMENTARY: Final = timedelta(minutes=10)


@dataclass(frozen=True)
class Freshness:
    """When the numbers were read (None: never yet) of which platform, and whether it failed to answer just now."""

    platform: str
    as_of: datetime | None
    stale: bool = False


async def refresh_campaign(
    services: Services, workspace: Workspace, campaign: StoredCampaign, *, force: bool = False
) -> Freshness:
    """Reads a campaign's pieces again when the last poll is not fresh. Never fails: old numbers beat none."""
    now = services.clock.now()
    if _is_fresh(services, workspace, now) and not force:
        return as_known(services, workspace)
    try:
        async with asyncio.timeout(services.policy.patience):
            if workspace.platform_state.campaign_reports is not False and Call.SINGLES not in workspace.gaps:
                known = services.memory.recognizing(workspace.id, Print.PLACED)
                async for batch in services.platform.campaign_pieces(campaign.facts.ref, known):
                    await services.memory.learn(workspace.id, batch, now)
                await _refresh_balance(services, workspace)
                return Freshness(services.platform.name, now)
            await _refresh_balance(services, workspace)
    except NotOffered:
        # One campaign without such a report says nothing of the others: the poll finds out what the account offers.
        log.info("refresh.not_offered", campaign=campaign.facts.ref)
    except (Outage, Refusal, TimeoutError) as trouble:
        log.info("refresh.failed", reason=type(trouble).__name__)
        return Freshness(services.platform.name, workspace.polled_at, stale=True)
    return as_known(services, workspace)


def as_known(services: Services, workspace: Workspace) -> Freshness:
    """What is known, without asking."""
    return Freshness(services.platform.name, known_at(workspace, services.clock.now()))


def known_at(workspace: Workspace, now: datetime) -> datetime | None:
    """The moment of what is known: when the account was read, or when it called since; None before it was ever read.

    Where the account does not answer what it is asked, it is the former: calls tell only of what moved.
    """
    polled, called = workspace.polled_at, workspace.webhook_at
    return called if polled and called and polled < called <= now else polled


def _is_fresh(services: Services, workspace: Workspace, now: datetime) -> bool:
    # Read "tomorrow" was by a clock that has been set back since.
    return workspace.polled_at is not None and abs(now - workspace.polled_at) <= services.policy.fresh


async def refresh_account(services: Services, workspace: Workspace) -> Freshness:
    """Reads the balance again when it is not fresh; says whether the platform answers. Never fails."""
    if _is_fresh(services, workspace, services.clock.now()):
        return as_known(services, workspace)
    try:
        async with asyncio.timeout(services.policy.patience):
            await _refresh_balance(services, workspace)
    except (Outage, Refusal, TimeoutError) as trouble:
        log.info("refresh.failed", reason=type(trouble).__name__)
        return Freshness(services.platform.name, workspace.polled_at, stale=True)
    return as_known(services, workspace)


async def _refresh_balance(services: Services, workspace: Workspace) -> None:
    """Reads the balance, where the account answers that: what polls miss is no sign that the platform is down."""
    gap = workspace.gaps.get(Call.BALANCE)
    if gap is None:
        await read_balance(services, workspace)
        return
    if not gap.passing or abs(services.clock.now() - gap.since) > MOMENTARY:
        return
    try:
        await read_balance(services, workspace)
    except (Outage, Refusal) as trouble:
        log.info("refresh.failed", reason=type(trouble).__name__)
        return
    rest = {call: one for call, one in workspace.gaps.items() if call != Call.BALANCE}
    await services.memory.write(workspaces.keep_gaps, workspace.id, rest)


async def read_balance(services: Services, workspace: Workspace) -> None:
    """Asks for the balance and keeps it, where the platform tells one."""
    if Ability.BALANCE not in services.platform.profile.abilities:
        return
    amount = await services.platform.balance()
    now = services.clock.now()
    await services.memory.write(workspaces.note, workspace.id, balance=amount, balance_at=now)


@dataclass(frozen=True)
class PieceNews:
    """A piece as it stands, and a remark when the platform could not be asked."""

    piece: StoredPiece
    note: str = ""


async def refresh_piece(services: Services, workspace: Workspace, piece: StoredPiece) -> PieceNews:
    """Reads a piece and its timeline again. Never fails: what is known is shown with a remark."""
    name = services.platform.name
    try:
        async with asyncio.timeout(services.policy.patience):
            batch = await services.platform.piece(piece.ref, piece.kind)
    except PieceUnknown:
        return PieceNews(piece, f"{name} no longer knows this piece. This is the last I heard.")
    except Refusal as refusal:
        log.info("refresh.refused", reason=type(refusal).__name__, code=refusal.code)
        return PieceNews(piece, f":warning: {name} did not let me read this piece; this is what was heard before.")
    except (Outage, TimeoutError) as trouble:
        log.info("refresh.failed", reason=type(trouble).__name__)
        return PieceNews(piece, f":warning: {name} is not answering; this is what was heard before.")
    await services.memory.learn(workspace.id, batch, services.clock.now())
    again = await services.memory.read(queries.piece_by_id, workspace.id, piece.id)
    return PieceNews(again or piece)
