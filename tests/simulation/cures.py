"""Cures of faults that the bot once had, taken out one at a time: what finds nothing then is not worth its time."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from sqlalchemy import text

import storage.outbox
from bot.scheduler import Timetable
from handlers.alerts import digests
from handlers.alerts.delivery import OutboxSender
from handlers.alerts.holding import holding
from handlers.context.grouped_commits import settled
from handlers.context.memory import Memory
from storage.ledger import pieces
from storage.statements import Sql


def _jobs(stack: ExitStack) -> None:
    """Nobody goes on with what a process that died had taken: a confirmed cancellation was dropped by a restart."""

    async def resume(_timetable: Timetable) -> None:
        return

    stack.enter_context(patch.object(Timetable, "_resume", resume))


def _digest(stack: ExitStack) -> None:
    """Who looked at a channel before posts its digest, whoever told it meanwhile: two workers told it twice."""

    async def serve(services: Any, workspace_id: Any, subscription: Any, account: Any, now: Any) -> None:
        async with holding(services, workspace_id, subscription.channel) as held:
            if held is not None:
                await digests._look_at(services, held, subscription, account, now)

    stack.enter_context(patch.object(digests, "_serve", serve))


def _fence(stack: ExitStack) -> None:
    """Who leased a channel once believes to have it still: a process that was paused told all of it again."""

    async def require(_sender: OutboxSender, _batch: Any) -> None:
        return

    def renew(_connection: Any, held: Any) -> Any:
        return {(one.workspace_id, one.channel) for one in held}

    stack.enter_context(patch.object(OutboxSender, "require_lease", require))
    stack.enter_context(patch.object(storage.outbox, "renew", renew))
    stack.enter_context(patch.object(storage.outbox, "holds", lambda _connection, _held: True))
    free = _without(storage.outbox.FREE, " AND channels.token = (r.value ->> 2)")
    stack.enter_context(patch.object(storage.outbox, "FREE", free))


def _news(stack: ExitStack) -> None:
    """News is whatever was written down after the first reading: old mail was announced when its scans were read."""
    known = (
        "  AND NOT EXISTS (SELECT 1 FROM changes e WHERE e.piece_id = c.piece_id AND e.status >= c.status\n"
        "                  AND (e.recorded_at <= w.baseline_at OR e.recorded_at <= s.since\n"
        "                       OR e.source = :imported AND e.recorded_at < c.recorded_at))\n"
    )
    old = "  AND c.occurred_at >= (CASE WHEN s.since > :now THEN :now ELSE s.since END) - :grace * 1000000\n"
    for name in ("TELL_NEWS", "TELL_HISTORY"):
        shorter = _without(_without(getattr(storage.outbox, name), known), old)
        stack.enter_context(patch.object(storage.outbox, name, shorter))


def _singles(stack: ExitStack) -> None:
    """What shares a transaction fails together: a neighbour's click of a moment ago took everybody's answers along."""

    async def together(memory: Memory, taken: list[Any]) -> None:
        def work(connection: Any) -> list[Any]:
            return [queued.what.work(connection) for queued in taken]

        results, error = await settled(memory.write(work))
        for number, queued in enumerate(taken):
            if error is None:
                queued.what.result = (results or [])[number]
                queued.succeed()
            else:
                queued.fail(error)

    stack.enter_context(patch.object(Memory, "_do_together", together))


def _facts(stack: ExitStack) -> None:
    """A row is recognized though it was heard by a clock behind the one before: what it told was never taken."""
    keep = _without(pieces.KEEP_PRINTS, "\n  AND s.facts_at >= p.facts_at")
    stack.enter_context(patch.object(pieces, "KEEP_PRINTS", keep))


def _unblock(stack: ExitStack) -> None:
    """A channel that refused once is not looked at any more, though somebody opened it again."""
    looked = "c.lease_until <= :now OR c.lease_until > :leased)"
    due = _changed(storage.outbox.DUE, looked, f"{looked} AND c.blocked = ''")
    stack.enter_context(patch.object(storage.outbox, "DUE", due))


#: By the name under which `make simulate ARGS="without=…"` takes them out.
CURES: Final[dict[str, Callable[[ExitStack], None]]] = {
    "jobs": _jobs, "digest": _digest, "fence": _fence, "news": _news, "singles": _singles, "facts": _facts,
    "unblock": _unblock,
}  # fmt: skip


def _without(statement: Sql, part: str) -> Sql:
    """The statement for SQLite, but for this part of it."""
    return _changed(statement, part, "")


def _changed(statement: Sql, part: str, into: str) -> Sql:
    """The same, with something else in its place."""
    made = statement.sqlite
    assert made is not None
    assert part in made.text, "the statement was changed: say here what is to be changed in it"
    shorter = text(made.text.replace(part, into))
    bound = {key: one for key, one in made._bindparams.items() if f":{key}" in shorter.text}
    return replace(statement, sqlite=shorter.bindparams(*bound.values()))


@contextmanager
def without(names: str) -> Iterator[None]:
    """These cures (their names, with commas) are not there."""
    with ExitStack() as stack:
        for name in filter(None, names.split(",")):
            CURES[name](stack)
        yield
