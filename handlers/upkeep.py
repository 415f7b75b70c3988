"""Keeps the tables small and true: folds, forgets, erases, purges, and recounts a part each night."""

from typing import Final

import structlog

from handlers.cancel.stopping import settle_abandoned
from handlers.context.services import Services
from storage import aside, intents, leases, privacy, thinning
from storage import secrets as sealed_secrets
from storage.ledger import tallies as tally
from storage.records import WorkspaceId

log = structlog.get_logger()

NIGHTS: Final = 7
REPAIR: Final = "piecewise recount --repair"


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


async def thin(services: Services, workspace_id: WorkspaceId) -> None:
    """Drops the scans between of old pieces, and changes whose piece never came; a portion at a time, so that nobody
    waits for it."""
    found = await services.memory.read(thinning.bounds, workspace_id, services.clock.now())
    if found is None:
        return
    before, thinned, lost = found.passed - services.policy.keep_history, 0, 0
    for campaign_id in await services.memory.read_long(thinning.due, workspace_id, before, found.never):
        while some := await services.memory.write(thinning.thin_some, workspace_id, campaign_id, before, found.never):
            thinned += some
    while some := await services.memory.write(thinning.drop_orphans, workspace_id, found.passed):
        lost += some
    if thinned or lost:
        log.info("history.thinned", pieces=thinned, changes_without_piece=lost)


async def purge(services: Services) -> None:
    """Forgets the workspaces that removed us, when their time has come; and installations that nobody ended."""
    now = services.clock.now()
    await services.memory.write(sealed_secrets.forget_begun, now)
    for workspace_id in await services.memory.read(sealed_secrets.purge_due, now):
        rows = 0
        while gone := await services.memory.write(sealed_secrets.purge_some, workspace_id, now):
            rows += gone
        if rows:
            # On SQLite what still waits of it lies in another file.
            rows += await services.memory.on_writer(services.inflow.inbox.forget, workspace_id)
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
