"""Who may write into a channel: one process at a time, be it news, a digest, or a card that is brought up to date."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Concatenate, Final, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from handlers.context.services import Services
from handlers.errors import Outage
from storage import outbox
from storage.failures import is_outage, is_statement, reason_of
from storage.outbox import Hold
from storage.records import ChannelId, WorkspaceId

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

#: Seconds between two tries to write down what was told, while the database is away: at first, and at most.
SHORTEST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 3.0
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


async def record(
    services: Services, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Writes down what was told a moment ago, for as long as that takes: while the database is away it would else be
    forgotten, and told again."""
    pause = SHORTEST_PAUSE
    while True:
        try:
            return await services.memory.write(work, *args, **kwargs)
        except SQLAlchemyError as error:
            if not is_outage(error) or is_statement(error):
                raise
            log.warning("told.not_recorded", reason=reason_of(error))
        await services.clock.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
