"""Reads the mail account: campaigns, pieces and timelines. Stopped anywhere, the next poll goes on."""

from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, Self

import structlog

from handlers.context.gaps import Call, Gaps, require_key
from handlers.context.memory import PORTION
from handlers.context.refreshing import read_balance
from handlers.context.services import Services
from handlers.errors import NotOffered, Outage, PieceUnknown, PlatformDown, PlatformRefused, ReadCut, Refusal, Trouble
from handlers.ingest import counting
from storage import details, workspaces
from storage.ledger.apply import Heard, portions
from storage.privacy import LONGEST_WAY
from storage.queries import mail as queries
from storage.queries.recognized import Print
from storage.records import (
    ENDED_STAGES,
    NO_CAMPAIGN,
    Batch,
    Campaign,
    Mix,
    Piece,
    PlatformState,
    StoredCampaign,
    StoredPiece,
    Workspace,
    WorkspaceId,
)
from storage.statuses import FINAL

log = structlog.get_logger()

#: So many campaigns whose pieces are not told of are named.
NAMED: Final = 3
#: How the platform fails when it fails.
PLATFORM: Final = (Refusal, Outage)
#: Campaigns that may lack their report, and pieces their timeline, before we take it that the account offers none.
MISSES: Final = 3
#: What was read is news: when more is read so much later, both are merged at once.
SOON: Final = timedelta(seconds=1)


@dataclass
class Gathered:
    """What is new on each page or timeline, gathered until it fills a transaction: of most that is a row or two.

    What was gathered when its reading ends in an error is merged, too: else each poll would read it and lose it.
    """

    services: Services
    workspace_id: WorkspaceId
    #: Each with the moment at which it was read, which says what is newer.
    told: list[Heard] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.learn()

    async def add(self, batch: Batch) -> None:
        """Merges it, once there is enough, or the first was read a while before this one."""
        now = self.services.clock.now()
        self.told += [(now, part) for part in portions(batch, PORTION)]
        enough = sum(map(_size, self.told)) >= PORTION
        if enough or now - self.told[0][0] >= SOON:
            await self.learn()

    async def learn(self) -> None:
        """Merges what was gathered."""
        told, self.told = self.told, []
        for some in _by_portion(told):
            await self.services.memory.learn_heard(self.workspace_id, some, self.services.clock.now())


def _by_portion(told: Sequence[Heard]) -> Iterator[list[Heard]]:
    some: list[Heard] = []
    for one in told:
        if some and sum(map(_size, some)) + _size(one) > PORTION:
            yield some
            some = []
        some.append(one)
    if some:
        yield some


def _size(told: Heard) -> int:
    return len(told[1].pieces) + len(told[1].changes)


async def poll(services: Services, workspace_id: WorkspaceId) -> None:
    """Brings campaigns, pieces and timelines up to date. Each page is its own transaction and may be read again:
    stopped anywhere, the next poll goes on. All but the list of campaigns can be done without: what is not answered
    is noted, and asked for again. Raises Trouble when the platform does not answer."""
    workspace = await services.memory.read(workspaces.by_id, workspace_id)
    started = services.clock.now()
    gaps = Gaps(dict(workspace.gaps))
    campaigns = await _read_campaigns(services, gaps)
    await services.memory.learn(workspace.id, Batch(campaigns=tuple(campaigns)), started)
    await _read_balance(services, workspace, gaps)
    own = await _read_reports(services, workspace, gaps)
    singles = await _place_pieces(services, workspace, campaigns, gaps)
    await _read_timelines(services, workspace, gaps)
    if Call.BALANCE not in workspace.gaps and gaps.may_pass(Call.BALANCE):
        # It failed just now and never before: perhaps only for a moment.
        await _read_balance(services, workspace, gaps)
    ended = services.clock.now()
    await services.memory.write(workspaces.keep_gaps, workspace.id, gaps.known)
    _require_pieces(services, workspace, gaps, singles=bool(singles))
    baseline = workspace.baseline_at or ended
    await services.memory.write(workspaces.keep_platform_state, workspace.id, PlatformState(own, singles))
    await services.memory.write(workspaces.note, workspace.id, polled_at=ended, baseline_at=baseline)
    await counting.survey(services, workspace_id)
    log.info("poll.ended", workspace=workspace.id, campaigns=len(campaigns), seconds=(ended - started).total_seconds())


async def _read_campaigns(services: Services, gaps: Gaps) -> Sequence[Campaign]:
    try:
        campaigns = await services.platform.campaigns()
    except ReadCut as cut:
        gaps.note(Call.CAMPAIGNS, cut, services.clock.now())
        return cut.campaigns
    gaps.close(Call.CAMPAIGNS)
    return campaigns


async def _read_balance(services: Services, workspace: Workspace, gaps: Gaps) -> None:
    if gaps.rests(Call.BALANCE, services.clock.now()):
        return
    try:
        await read_balance(services, workspace)
    except PLATFORM as trouble:
        gaps.note(Call.BALANCE, trouble, services.clock.now())
    else:
        gaps.close(Call.BALANCE)


def _require_pieces(services: Services, workspace: Workspace, gaps: Gaps, *, singles: bool) -> None:
    """A reading in which pieces could be read nowhere is none. What is refused for good is no reason to wait for it."""
    lasting = Call.REPORT in workspace.gaps and singles
    if gaps.may_pass(Call.REPORT) and not lasting:
        raise PlatformDown(platform=services.platform.name)


async def _read_reports(services: Services, workspace: Workspace, gaps: Gaps) -> Any:
    """The account's pieces since the oldest that is still under way; gives what the platform remembers of it."""
    now = services.clock.now()
    today = now.date()
    first = await _first_day(services, workspace, today)
    gathered = Gathered(services, workspace.id)
    own = workspace.platform_state.own
    # What did not answer some time ago may do so now.
    asked = None if Call.NEWER in gaps.known and not gaps.rests(Call.NEWER, now) else own
    try:
        known = services.memory.recognizing(workspace.id, Print.LISTED)
        async with Gathered(services, workspace.id) as gathered:
            async for page in services.platform.pieces(first, today + timedelta(days=1), asked, known):
                await gathered.add(page.batch)
                own = page.state
                if page.instead is not None:
                    gaps.note(Call.NEWER, page.instead, now)
                elif asked is None:
                    gaps.close(Call.NEWER)
    except PLATFORM as trouble:
        gaps.note(Call.REPORT, trouble, services.clock.now())
        return None if isinstance(trouble, NotOffered) else own
    gaps.close(Call.REPORT)
    return own


async def _first_day(services: Services, workspace: Workspace, today: date) -> date:
    if workspace.baseline_at is None:
        return today - services.policy.history
    # What is under way for longer no longer widens every poll; its campaign's own report still tells of it.
    earliest = today - LONGEST_WAY
    oldest = await services.memory.read(queries.oldest_open_day, workspace.id, earliest)
    return min(oldest or today, today - timedelta(days=2))


async def _place_pieces(
    services: Services, workspace: Workspace, campaigns: Sequence[Campaign], gaps: Gaps
) -> bool | None:
    """Learns which pieces belong to which campaign, where the account offers that report; gives whether it does (None:
    not known)."""
    if gaps.rests(Call.SINGLES, services.clock.now()):
        return workspace.platform_state.campaign_reports
    answered, missed, untold = 0, list[Trouble](), dict[str, tuple[str, Trouble]]()
    waiting = deque(await _unfinished(services, workspace, campaigns))
    tried = set[str]()
    while waiting:
        campaign = waiting.popleft()
        try:
            await _place_campaign(services, workspace, campaign.facts.ref)
        except PLATFORM as trouble:
            # One campaign that is gone or broken must not switch the report off for all.
            log.warning("poll.campaign_refused", campaign=campaign.facts.ref, reason=type(trouble).__name__)
            missed.append(trouble)
            untold[campaign.facts.ref] = campaign.facts.name, trouble
            if not answered and len(missed) >= MISSES:
                break
            if isinstance(trouble, Outage) and campaign.facts.ref not in tried:
                # Perhaps only for a moment: once more, after the others.
                tried.add(campaign.facts.ref)
                waiting.append(campaign)
            continue
        answered += 1
        untold.pop(campaign.facts.ref, None)
    # Where none is told of, that is what is said.
    _note_untold(gaps, list(untold.values()) if answered else [], services.clock.now())
    if missed and not answered:
        gaps.note(Call.SINGLES, missed[-1], services.clock.now())
        return False if isinstance(missed[-1], NotOffered) else workspace.platform_state.campaign_reports
    if answered:
        gaps.close(Call.SINGLES)
    return True if answered else workspace.platform_state.campaign_reports


def _note_untold(gaps: Gaps, untold: Sequence[tuple[str, Trouble]], now: datetime) -> None:
    """These campaigns (their names) were not told of: their pieces seem to be none, so it is said."""
    if not untold:
        gaps.close(Call.SOME)
        return
    names = sorted(name for name, _ in untold)
    named = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    gaps.note(Call.SOME, untold[0][1], now, of=f"({named})")


async def _place_campaign(services: Services, workspace: Workspace, ref: str) -> None:
    known, bare = services.memory.recognizing(workspace.id, Print.PLACED), list[str]()
    async with Gathered(services, workspace.id) as gathered:
        async for batch in services.platform.campaign_pieces(ref, known):
            await gathered.add(batch)
            bare += [piece.ref for piece in batch.pieces if piece.created_at is None]
    await _meet_unknown(services, workspace, bare)


async def _unfinished(services: Services, workspace: Workspace, campaigns: Sequence[Campaign]) -> list[StoredCampaign]:
    """The campaigns whose pieces may still move, or are not all known."""
    listed = {campaign.ref for campaign in campaigns}
    known = await services.memory.read(queries.campaigns_of, workspace.id)
    mixes = await services.memory.read(queries.mixes, workspace.id)
    return [one for one in known if one.facts.ref in listed and not _is_over(one, mixes.get(one.id))]


def _is_over(campaign: StoredCampaign, mix: Mix | None) -> bool:
    if mix is None or campaign.facts.stage not in ENDED_STAGES:
        return False
    whole = mix.total >= (campaign.facts.recipients or 0)
    return whole and mix.of(*FINAL) == mix.total


async def _meet_unknown(services: Services, workspace: Workspace, bare: Sequence[str]) -> None:
    """A campaign's report may name pieces without saying when they were made: those are asked for one by one."""
    unknown = await services.memory.read(queries.unknown_refs, workspace.id, bare)
    async with Gathered(services, workspace.id) as gathered:
        for ref in unknown[: services.policy.details]:
            try:
                found = await services.platform.piece(ref, "")
            except PieceUnknown:
                log.info("poll.piece_refused", piece=ref, reason="PieceUnknown")
                continue
            except PLATFORM as trouble:
                log.info("poll.piece_refused", piece=ref, reason=type(trouble).__name__)
                return
            await gathered.add(found)


async def _read_timelines(services: Services, workspace: Workspace, gaps: Gaps) -> None:
    """Fetches timelines of pieces that moved, as many as one poll may; the rest waits for the next."""
    due = await services.memory.read(queries.details_due, workspace.id, services.policy.details)
    if Call.SINGLES in workspace.gaps and Call.TIMELINES in workspace.gaps:
        # Nothing tells to which campaigns they belong: their news does not wait for that.
        alone = [Piece(one.ref, one.created_at, campaign_ref="") for one in due if one.campaign_id == NO_CAMPAIGN]
        await services.memory.learn(workspace.id, Batch(pieces=tuple(alone)), services.clock.now())
    if gaps.rests(Call.TIMELINES, services.clock.now()):
        return
    async with Gathered(services, workspace.id) as gathered:
        async for batch in _timelines(services, workspace, due, gaps):
            await gathered.add(batch)


async def _timelines(
    services: Services, workspace: Workspace, due: Sequence[StoredPiece], gaps: Gaps
) -> AsyncIterator[Batch]:
    """What the platform tells of each of these pieces, until it refuses too many in a row.

    One that is refused, or told of as another, lets the others pass: it comes last the next time. Only where none is
    told of, or the platform is down, is the call taken for one that is not answered.
    """
    missed, told = 0, False
    for piece in due:
        try:
            batch = await services.platform.piece(piece.ref, piece.kind)
            if all(one.ref != piece.ref for one in batch.pieces):
                raise PlatformRefused
        except PieceUnknown:
            log.info("poll.piece_gone", piece=piece.ref)
            await services.memory.write(details.drop, workspace.id, piece.id)
            continue
        except PLATFORM as trouble:
            require_key(trouble)
            await services.memory.write(details.postpone, workspace.id, piece.id)
            missed += 1
            if isinstance(trouble, Outage) or (not told and missed == min(MISSES, len(due))):
                gaps.note(Call.TIMELINES, trouble, services.clock.now())
            if missed == MISSES or isinstance(trouble, Outage):
                return
            continue
        gaps.close(Call.TIMELINES)
        missed, told = 0, True
        yield batch
