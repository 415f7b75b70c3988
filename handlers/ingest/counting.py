"""How long mail takes and where it came back, counted per campaign: in short reads, and without holding a lock."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from handlers.context.services import Services
from storage.queries import mail, returns, transits
from storage.records import CampaignId, Mix, PieceId, WorkspaceId

#: Longer than any transaction from the moment that its rows bear until its commit.
IN_WRITING: Final = timedelta(minutes=5)


#: A campaign rests so long after it was counted, for each read that counting it takes: one of a million pieces is
#: counted at most every fifty minutes, one of a hundred thousand with each poll. What is foretold of it is of days.
REST: Final = timedelta(minutes=1)


async def survey(services: Services, workspace_id: WorkspaceId) -> None:
    """Counts every campaign that moved since it was counted, unless it is a large one that was counted just now."""
    outdated = await services.memory.read(transits.outdated, workspace_id)
    if not outdated:
        return
    now, counted = services.clock.now(), await services.memory.read(transits.counted, workspace_id)
    mixes = await services.memory.read(mail.mixes, workspace_id)
    for campaign_id in outdated:
        rest = REST * (mixes.get(campaign_id, Mix()).total // transits.READ)
        # A clock that was set back since says nothing of how long it rested.
        if campaign_id not in counted or abs(now - counted[campaign_id]) >= rest:
            await count(services, workspace_id, campaign_id)


async def bring_up_to_date(services: Services, workspace_id: WorkspaceId, campaign_id: CampaignId) -> None:
    """Counts this campaign if it moved, for somebody who asks for its days or places now."""
    if campaign_id in await services.memory.read(transits.outdated, workspace_id):
        await count(services, workspace_id, campaign_id)


async def count(services: Services, workspace_id: WorkspaceId, campaign_id: CampaignId) -> None:
    """Counts a campaign, and keeps what was counted in the place of what was known."""
    # What is being written right now bears a moment that has passed already.
    begun = services.clock.now() - IN_WRITING
    counted, places = Counter[transits.Key](), Counter[returns.Place]()
    after = PieceId(0)
    while True:
        part, last = await services.memory.read(transits.count, workspace_id, campaign_id, after)
        if last is None:
            break
        counted += part
        places += await services.memory.read(returns.count_places, workspace_id, campaign_id, after, last)
        after = last
    await services.memory.write(_keep, workspace_id, campaign_id, counted, places, begun)


async def mailed_by_state(services: Services, workspace_id: WorkspaceId, campaign_id: CampaignId) -> Counter[str]:
    """How many of a campaign's pieces were mailed to each state: counted now, in short reads, and not kept."""
    counted, after = Counter[str](), PieceId(0)
    while True:
        part, last = await services.memory.read(returns.count_mailed, workspace_id, campaign_id, after)
        if last is None:
            return counted
        counted, after = counted + part, last


def _keep(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    counted: Counter[transits.Key],
    places: Counter[returns.Place],
    begun: datetime,
) -> None:
    transits.keep(connection, workspace_id, campaign_id, counted, begun)
    returns.keep_places(connection, workspace_id, campaign_id, places)
