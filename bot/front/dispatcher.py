"""Where requests arrive: each is admitted once in its workspace and answered in a task of ours within one boundary."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from handlers import asked
from handlers.asked import Given
from handlers.context import replies
from handlers.context.access import recognized
from handlers.context.memory import Memory
from handlers.context.ports import Clock
from handlers.context.services import Request, Services, Tenants
from handlers.errors import MemoryDown, Removed, Trouble
from handlers.text import short_answers
from handlers.text.messages import Message
from storage import intents, workspaces
from storage.failures import is_outage, reason_of
from storage.intents import Intent
from storage.records import UserId, Workspace
from storage.vault import Vault

log = structlog.get_logger()

Work = Callable[[Services, Request], Awaitable[None]]


@dataclass
class InFlight:
    """The work under way: kept by a strong reference, and waited for when we stop."""

    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def is_running(self, name: str) -> bool:
        return any(task.get_name() == name for task in self.tasks)

    async def drain(self, seconds: float) -> None:
        """Waits for the work under way; what takes longer is given up."""
        if self.tasks:
            await asyncio.wait(set(self.tasks), timeout=seconds)
        for task in list(self.tasks):
            log.warning("shutdown.given_up", task=task.get_name())
            task.cancel()


#: Slack shows a failure after three seconds (docs.slack.dev: "acknowledge within 3 seconds"): what could not be written
#: in this time is not written any more.
SOON: Final = 2.0


@dataclass(frozen=True)
class Dispatcher:
    """Where requests arrive: whose they are, and what answers them."""

    tenants: Tenants
    memory: Memory
    clock: Clock
    in_flight: InFlight
    #: Seals what is kept before it is acknowledged.
    vault: Vault
    #: The last question of each person that is still being answered.
    last: dict[UserId, asyncio.Task[None]] = field(default_factory=dict)

    async def keep(self, request: Request, given: Given, key: str) -> Intent | None:
        """Writes a request down before it is acknowledged; gives None for one that was handled before.

        What the database does not take is not acknowledged: the person sees that it failed.
        """
        late = self.clock.elapsed() + SOON
        keeping = asked.keeping(
            self.vault, request, given, key, self.clock.now(), is_late=lambda: self.clock.elapsed() > late
        )
        kept = await self.memory.write_grouped(keeping)
        if kept is None:
            log.info("listener.repeated", key=key)
        return kept

    def take(self, request: Request, key: str, work: Work, *, in_turn: bool = False) -> None:
        """Starts the work of a request that was acknowledged; `in_turn`: after the same person's earlier ones."""
        before = self.last.get(request.user) if in_turn else None
        task = self.in_flight.start(self._answer(request, key, work, before), name=key)
        if in_turn:
            self.last[request.user] = task
            task.add_done_callback(lambda done: self._forget(request.user, done))

    def _forget(self, user: UserId, done: asyncio.Task[None]) -> None:
        if self.last.get(user) is done:
            del self.last[user]

    async def _answer(self, request: Request, key: str, work: Work, before: asyncio.Task[None] | None) -> None:
        """The boundary round every listener: whatever goes wrong reaches the asker in words."""
        reference = uuid.uuid4().hex[:8]
        services: Services | None = None
        structlog.contextvars.bind_contextvars(workspace=request.workspace.id, reference=reference)
        if before is not None:
            await asyncio.wait([before])
        try:
            services = await self.tenants.of(request.workspace.id)
            await self._answer_once(services, request, key, work)
        except Trouble as trouble:
            log.info("listener.refused", key=key, reason=type(trouble).__name__, code=trouble.code)
            await self._say(services, request, short_answers.refusal(trouble))
        except Exception as error:
            if is_outage(error):
                log.error("listener.no_database", key=key, reason=reason_of(error))  # noqa: TRY400 - each of a crowd would say it
                said = str(MemoryDown()) if request.kept is None else asked.WAITS
                await self._say(services, request, short_answers.plain(said))
                return
            log.exception("listener.broke", key=key)
            if await self._say(services, request, short_answers.failed(reference)) and request.kept is not None:
                await self._end(request.kept)

    async def _end(self, kept: Intent) -> None:
        """The asker read that it failed, and with which reference: that is the answer."""
        try:
            await self.memory.write(intents.end, kept.workspace_id, kept.id, kept.token, "broke")
        except SQLAlchemyError as error:
            log.warning("intent.not_kept", intent=kept.id, reason=reason_of(error))

    async def _answer_once(self, services: Services, request: Request, key: str, work: Work) -> None:
        if request.kept is not None:
            await asked.answer_now(services, request, request.kept, work)
            return
        workspace = await self.memory.write_grouped(_admit, request, key, self.clock.now())
        if workspace is None:
            log.info("listener.repeated", key=key)
            return
        await work(services, await recognized(services, replace(request, workspace=workspace)))

    async def _say(self, services: Services | None, request: Request, message: Message) -> bool:
        """Whether the asker was reached."""
        if services is None:
            return False
        try:
            await replies.when_taken(services, partial(replies.refused, services, request, message))
        except Trouble as trouble:
            log.warning("listener.unheard", reason=type(trouble).__name__, code=trouble.code)
            return False
        return True


def _admit(connection: Connection, request: Request, key: str, now: datetime) -> Workspace | None:
    """The workspace as it is now; None when this very request was handled before, or was a second click."""
    if not asked.is_first(connection, request, key, now):
        return None
    workspace = workspaces.by_id(connection, request.workspace.id)
    if workspace.removed_at is not None:
        raise Removed
    return workspace
