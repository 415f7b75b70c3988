"""Who may write into a channel: one process at a time, be it news, a digest, or a card that is brought up to date."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from handlers.context.services import Services
from handlers.errors import Outage
from storage import outbox
from storage.outbox import Hold
from storage.records import ChannelId, WorkspaceId

#: A message of somebody else takes a moment; a channel that is held longer has its turn later.
TRIES: Final = 8
BREATH: Final = 0.1


class Overtaken(Outage):
    """Another process has taken this channel over."""


@asynccontextmanager
async def holding(services: Services, workspace_id: WorkspaceId, channel: ChannelId) -> AsyncIterator[Hold | None]:
    """Holds a channel for as long as a message takes; None where somebody else does."""
    held = await services.memory.write(outbox.hold, workspace_id, channel)
    for _ in range(TRIES):
        if held is not None:
            break
        # In real time, as leases are.
        await asyncio.sleep(BREATH)
        held = await services.memory.write(outbox.hold, workspace_id, channel)
    try:
        yield held
    finally:
        if held is not None:
            await services.memory.write(outbox.release, held)
