"""The work of the clock: reads the mail account, finishes what a crash left open, and keeps the tables small."""

from datetime import date, timedelta
from typing import Final

import structlog

from handlers import surveys
from handlers.cancelling import settle_abandoned
from handlers.freshness import read_balance
from handlers.installer import tell
from handlers.ports import NotOffered, PieceUnknown, PlatformRefused, Refusal
from handlers.services import Services
from handlers.views import words
from storage import aside, details, enquiries, installs, intents, leases, privacy, tally, workspaces
from storage.records import Batch, Campaign, Mix, StoredCampaign, Workspace, WorkspaceId
from storage.statuses import FINAL

log = structlog.get_logger()

#: A campaign whose platform status is one of these has nothing more to say once all its pieces are known and final.
ENDED: Final = frozenset({"complete", "cancelled", "canceled"})
#: Mail still under way after this many days no longer widens every poll; its campaign's own report still tells of it.
LONGEST_WAY: Final = timedelta(days=60)
#: So much later than the last call a piece moved: with working webhooks that would have been a call.
SILENCE: Final = timedelta(hours=6)
NIGHTS: Final = 7
REPAIR: Final = "piecewise recount --repair"
#: Campaigns that may lack their report before we take it that the account offers none.
MISSES: Final = 3


async def poll(services: Services, workspace_id: WorkspaceId) -> None:
    """Brings campaigns, pieces and timelines up to date. Each page is its own transaction and may be read again:
    stopped anywhere, the next poll goes on. Raises Trouble when the platform does not answer."""
    workspace = await services.memory.read(workspaces.by_id, workspace_id)
    started = services.clock.now()
    campaigns = await services.platform.campaigns()
    await services.memory.learn(workspace.id, Batch(campaigns=tuple(campaigns)), started)
    await read_balance(services, workspace)
    route = await _read_reports(services, workspace)
    singles = await _place_pieces(services, workspace, campaigns)
    await _read_timelines(services, workspace)
    ended = services.clock.now()
    baseline = workspace.baseline_at or ended
    facts = {"polled_at": ended, "baseline_at": baseline, "list_route": route, "singles_offered": singles}
    await services.memory.write(workspaces.note, workspace.id, **facts)
    await surveys.survey(services, workspace_id)
    log.info("poll.ended", workspace=workspace.id, campaigns=len(campaigns), seconds=(ended - started).total_seconds())


async def _read_reports(services: Services, workspace: Workspace) -> str | None:
    """The account's pieces since the oldest that is still under way; gives the report that answered."""
    today = services.clock.now().date()
    first = await _first_day(services, workspace, today)
    route = workspace.list_route
    try:
        async for page in services.platform.pieces(first, today + timedelta(days=1), route):
            await services.memory.learn(workspace.id, page.batch, services.clock.now())
            route = page.route
    except NotOffered:
        log.warning("poll.no_report", workspace=workspace.id)
        return None
    return route


async def _first_day(services: Services, workspace: Workspace, today: date) -> date:
    if workspace.baseline_at is None:
        return today - services.policy.history
    earliest = today - LONGEST_WAY
    oldest = await services.memory.read(enquiries.oldest_open_day, workspace.id, earliest)
    return min(oldest or today, today - timedelta(days=2))


async def _place_pieces(services: Services, workspace: Workspace, campaigns: list[Campaign]) -> bool | None:
    """Learns which pieces belong to which campaign, where the account offers that report; gives whether it does."""
    offered, misses = workspace.singles_offered, 0
    if offered is False:
        return False
    for campaign in await _unfinished(services, workspace, campaigns):
        try:
            batch = await services.platform.campaign_pieces(campaign.facts.ref)
        except NotOffered:
            # One campaign that is gone must not switch the report off for all.
            misses += 1
            if not offered and misses == MISSES:
                return False
            continue
        except PlatformRefused as refusal:
            log.warning("poll.campaign_refused", campaign=campaign.facts.ref, reason=str(refusal))
            continue
        offered = True
        await services.memory.learn(workspace.id, batch, services.clock.now())
        await _meet_unknown(services, workspace, batch)
    return False if misses and not offered else offered


async def _unfinished(services: Services, workspace: Workspace, campaigns: list[Campaign]) -> list[StoredCampaign]:
    """The campaigns whose pieces may still move, or are not all known."""
    listed = {campaign.ref for campaign in campaigns}
    known = await services.memory.read(enquiries.campaigns_of, workspace.id)
    mixes = await services.memory.read(enquiries.mixes, workspace.id)
    return [one for one in known if one.facts.ref in listed and not _is_over(one, mixes.get(one.id))]


def _is_over(campaign: StoredCampaign, mix: Mix | None) -> bool:
    if mix is None or campaign.facts.status not in ENDED:
        return False
    whole = mix.total >= (campaign.facts.recipients or 0)
    return whole and mix.of(*FINAL) == mix.total


async def _meet_unknown(services: Services, workspace: Workspace, batch: Batch) -> None:
    """A campaign's report may name pieces without saying when they were made: those are asked for one by one."""
    bare = [piece.ref for piece in batch.pieces if piece.created_at is None]
    unknown = await services.memory.read(enquiries.unknown_refs, workspace.id, bare)
    for ref in unknown[: services.policy.details]:
        try:
            found = await services.platform.piece(ref, "")
        except Refusal as refusal:
            log.info("poll.piece_refused", piece=ref, reason=type(refusal).__name__)
            continue
        await services.memory.learn(workspace.id, found, services.clock.now())


async def _read_timelines(services: Services, workspace: Workspace) -> None:
    """Fetches timelines of pieces that moved, as many as one poll may; the rest waits for the next."""
    due = await services.memory.read(enquiries.details_due, workspace.id, services.policy.details)
    for piece in due:
        try:
            batch = await services.platform.piece(piece.ref, piece.kind)
        except PieceUnknown:
            log.info("poll.piece_gone", piece=piece.ref)
            await services.memory.write(details.drop, workspace.id, piece.id)
            continue
        await services.memory.learn(workspace.id, batch, services.clock.now())


async def listen_for_silence(services: Services, workspace_id: WorkspaceId) -> None:
    """When pieces move and Stannp has not called for long, tells who set the bot up, once."""
    workspace = await services.memory.read(workspaces.by_id, workspace_id)
    moved = await services.memory.read(workspaces.newest_move, workspace_id)
    since = workspace.webhook_at
    if since is None or moved is None or moved - since < SILENCE or workspace.silence_told == since:
        return
    if not await services.memory.write(workspaces.tell_silence, workspace_id, workspace.silence_told, since):
        # Another process tells it.
        return
    log.warning("webhook.silent", workspace=workspace_id, since=since.isoformat())
    told = False
    try:
        told = await tell(services, workspace, words.silent(since))
    finally:
        if not told:
            await services.memory.write(workspaces.tell_silence, workspace_id, since, workspace.silence_told)


async def settle_cancellations(services: Services, workspace_id: WorkspaceId) -> None:
    """Ends requests to cancel of an earlier version whose process died, and tells the people who asked."""
    await settle_abandoned(services, workspace_id)


async def tidy(services: Services) -> None:
    """Folds tallies and forgets what Slack will not send again."""
    await services.memory.write(tally.fold)
    await services.memory.write(aside.forget, services.clock.now())
    await services.memory.write(leases.forget, services.clock.now())
    await services.memory.write(intents.forget)


async def erase(services: Services, workspace_id: WorkspaceId) -> None:
    """Drops who pieces were sent to, some time after their final status; a portion at a time."""
    before = services.clock.now() - services.policy.keep_recipients
    total, after = 0, 0
    while True:
        erased, last = await services.memory.write(privacy.erase_ended, workspace_id, before, after)
        total += erased
        if last is None:
            break
        after = last
    if total:
        log.info("recipients.erased", pieces=total)


async def purge(services: Services) -> None:
    """Forgets the workspaces that removed us, when their time has come; and installations that nobody ended."""
    now = services.clock.now()
    await services.memory.write(installs.forget_begun, now)
    for workspace_id in await services.memory.read(installs.purge_due, now):
        rows = 0
        while gone := await services.memory.write(installs.purge_some, workspace_id, now):
            rows += gone
        log.info("workspace.purged", workspace=workspace_id, rows=rows)


async def recount(services: Services, workspace_id: WorkspaceId) -> None:
    """Compares the counts of a part of the campaigns with their pieces: each night another part, all within a week."""
    night = services.clock.now().toordinal() % NIGHTS
    found = await services.memory.read_long(tally.drift, workspace_id, night, NIGHTS)
    if found:
        campaigns = sorted({one.campaign_id for one in found})
        log.error("recount.drift", workspace=workspace_id, counts=len(found), campaigns=campaigns[:10], do=REPAIR)
    else:
        log.info("recount.agrees", workspace=workspace_id, part=f"{night + 1} of {NIGHTS}")
