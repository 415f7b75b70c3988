"""Webhook calls on their way into memory, as far as the answer: those that arrive together are kept by one commit.

Each is kept as it came. What it says is read and merged a moment later (`handlers.ingest.merging`), so the answer waits
for the disk and for nothing else. There is room for so much of one workspace, and of all, in the inbox and on the
way there: beyond it a call is refused, and the platform sends it again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from handlers.context.grouped_commits import Group, Queued
from handlers.context.ports import Clock, Delivery
from handlers.errors import Overloaded
from storage.inbox import Call, Inbox, Waiting
from storage.records import WorkspaceId

#: Bytes that one commit keeps.
GROUP: Final = 4_000_000
#: What a call takes beside its body, in bytes.
EACH: Final = 200
#: Bytes that may wait, in all and of one workspace: a day's calls of a large account are some 50 MB.
ROOM: Final = 512_000_000
SHARE: Final = 128_000_000

#: Bytes that may be on their way there, in memory, in all and of one workspace: while the disk hangs none gets through.
QUEUE: Final = 50_000_000
QUEUE_SHARE: Final = 25_000_000

#: What a call of this platform says, when it was heard then (aware, UTC). Does no I/O. Raises PayloadRefused.
Reading = Callable[[bytes, datetime], Delivery]


@dataclass
class Inflow:
    """Where calls are taken. `patience`: the seconds until one must have been kept."""

    inbox: Inbox
    #: The thread that writes to the inbox, and nothing else.
    appender: Executor
    clock: Clock
    #: By the platform's key.
    readings: Mapping[str, Reading] = field(default_factory=dict)
    patience: float = 8.0
    #: Told how many seconds each call waited to be merged.
    lag: Callable[[float], None] = lambda _seconds: None
    #: Set when something was kept.
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    #: What waits as it was last counted, and the bytes that were kept since, of each workspace.
    counted: Mapping[WorkspaceId, Waiting] = field(default_factory=dict)
    since: Counter[WorkspaceId] = field(default_factory=Counter)
    #: The sum of both.
    size: int = 0
    #: Bytes that are on their way, of each workspace and in all.
    queued: Counter[WorkspaceId] = field(default_factory=Counter)
    queue: int = 0
    group: Group[Call] = field(init=False)

    def __post_init__(self) -> None:
        self.group = Group(self._keep_together, GROUP)

    async def keep(self, workspace_id: WorkspaceId, platform: str, body: bytes) -> None:
        """Returns when this signed call is kept for good.

        Raises Overloaded when there is no room or it took too long, or what the database raised when it is in trouble.
        """
        size = len(body) + EACH
        self._require_room(workspace_id, size)
        queued = self.group.enqueue(Call(workspace_id, self.clock.now(), platform, body), size, workspace_id)
        self._note_queued(workspace_id, size)
        try:
            async with asyncio.timeout(self.patience):
                await queued.done
        except TimeoutError:
            # If it is being kept just now, that does no harm: told again, it changes nothing.
            self.group.leave(queued)
            raise Overloaded from None
        except asyncio.CancelledError:
            self.group.leave(queued)
            raise
        finally:
            self._note_queued(workspace_id, -size)

    def _note_queued(self, workspace_id: WorkspaceId, size: int) -> None:
        self.queue += size
        self.queued[workspace_id] += size
        if not self.queued[workspace_id]:
            del self.queued[workspace_id]

    def _require_room(self, workspace_id: WorkspaceId, size: int) -> None:
        known = self.counted.get(workspace_id)
        mine = self.since[workspace_id] + (known.size + EACH * known.calls if known else 0)
        if self.size + size > ROOM or mine + size > SHARE:
            raise Overloaded
        if self.queue + size > QUEUE or self.queued[workspace_id] + size > QUEUE_SHARE:
            raise Overloaded
        # Noted before it is kept: a crowd that arrives at once is counted as it arrives.
        self.since[workspace_id] += size
        self.size += size

    async def _keep_together(self, taken: list[Queued[Call]]) -> None:
        calls = [queued.what for queued in taken]
        await asyncio.get_running_loop().run_in_executor(self.appender, self.inbox.append, calls)
        for queued in taken:
            queued.succeed()
        self.arrived.set()

    def count(self, waiting: Mapping[WorkspaceId, Waiting]) -> None:
        """What waits now, counted a moment ago. What is on its way there was not counted yet."""
        self.counted, self.since = waiting, Counter(self.queued)
        self.size = sum(one.size + EACH * one.calls for one in waiting.values()) + self.queue
