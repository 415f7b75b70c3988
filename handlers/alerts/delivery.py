"""Outbox to Slack: claims a channel, edits its card, posts what deserves a post, and records what became of it.

One message at most per turn and channel; what is left waits for the channel's next turn, a second later. A crash
between sending and recording repeats at most that one message; an edit repeats invisibly.
"""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Concatenate, Final, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from handlers.alerts import cards
from handlers.alerts import view as alerts_view
from handlers.alerts.facts import Facts, gather, handfuls
from handlers.alerts.notices import SWITCHED_OFF, Plan, plan
from handlers.context.grouped_commits import Group, Queued, settled
from handlers.context.services import Services, Tenants
from handlers.errors import (
    ChannelClosed,
    MemoryDown,
    MessageGone,
    MessageRefused,
    NotInChannel,
    Outage,
    Refusal,
    SlackDown,
    SlackRefused,
    Trouble,
)
from storage import outbox
from storage.cards import BEHIND, Card
from storage.failures import is_outage, is_statement, reason_of
from storage.outbox import Item, NewsBatch, Settlement
from storage.records import ChannelId, NotifyOn, WorkspaceId
from storage.statuses import Status

P = ParamSpec("P")
T = TypeVar("T")
log = structlog.get_logger()

#: How long a channel rests after Slack could not be reached, refused for a while, or after something broke: twice as
#: long after each failure in a row, up to the second.
REST: Final = timedelta(seconds=30)
#: And after Slack asked to be left alone, if it named no longer time: refused again and again, it is asked ever more
#: rarely, and the tries after which old news is given up (`storage.outbox.ENOUGH_TRIES`) take hours.
BUSY_REST: Final = timedelta(seconds=1)
LONGEST_REST: Final = timedelta(minutes=15)
#: How long a channel that Slack refuses is left alone before its next news is tried.
UNBLOCK: Final = timedelta(minutes=10)
#: Channels that are being written to at once, in all and of one workspace: enough for a thousand a second.
AT_ONCE: Final = 300
AT_ONCE_EACH: Final = 100
#: Channels claimed in one transaction, and batches recorded in one.
CLAIMED: Final = 200
RECORDED: Final = 500
#: The sender looks this often (in seconds) while there is something to do.
BREATH: Final = 0.025
#: A lease is renewed so often (in seconds) while a message is under way.
RENEW: Final = 20.0
#: A message is begun only so long (in seconds) after a lease: the slowest call to Slack then ends within it.
SURE: Final = outbox.LEASE.total_seconds() - 25.0
#: After the database was away, nothing is claimed for so long (in seconds), and recording is tried at least so often.
AFTER_AN_OUTAGE: Final = 5.0
LONGEST_PAUSE: Final = 3.0
#: Seconds for which a statement that is refused is repeated: its schema may be changing just now. Beyond that it is a
#: fault of ours, and holds up the other channels.
STATEMENT_PATIENCE: Final = 60.0
#: So many tries of the same message that end in the same word of Slack's that we do not know, or in the same fault of
#: ours, are enough: that message alone is given up, with the reason, and the channel goes on.
ENOUGH: Final = 5
BROKE: Final = "Something went wrong here (reference {}). Whoever runs Piecewise finds the cause in its log."
UNRECORDED: Final = (
    "This may have been told, but what became of it could not be written down (reference {}). Whoever runs Piecewise "
    "finds the cause in its log."
)


def _uptime() -> float:
    """Seconds of a clock that nobody sets, and that goes on while this process, or the whole machine, is paused."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class LeaseLost(Exception):
    """Another process has taken the channel over: what is left to tell is its to tell."""


@dataclass
class Turn:
    """A channel's turn: its batch, and what of it is being said just now."""

    batch: NewsBatch
    #: Raises LeaseLost where another may write to the channel by now.
    require_lease: Callable[[], Awaitable[None]]
    saying: tuple[Item, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.saying = self.batch.items


@dataclass(frozen=True)
class Failing:
    """A message, named by its first row, and the word in which it ended so many times in a row."""

    row_id: int
    word: str
    times: int


@dataclass
class OutboxSender:
    """Serves the channels of every workspace, each as fast as Slack lets it; a slow one holds up no other."""

    services: Services
    tenants: Tenants
    flying: dict[asyncio.Task[None], NewsBatch] = field(default_factory=dict)
    #: Until when (by `_uptime`) a message that is begun ends within its channel's lease, by workspace and channel.
    sure: dict[tuple[WorkspaceId, ChannelId], float] = field(default_factory=dict)
    renewed: float = field(default_factory=_uptime)
    #: Nothing is claimed before this, so that what was told before an outage of the database is recorded first.
    away_until: float = 0.0
    stopping: bool = False
    failing: dict[tuple[WorkspaceId, ChannelId], Failing] = field(default_factory=dict)
    #: Channels of which nothing at all can be written down: what is told there would be told for ever, and so is not.
    stuck: set[tuple[WorkspaceId, ChannelId]] = field(default_factory=set)
    settlements: Group[Settlement] = field(init=False)

    def __post_init__(self) -> None:
        self.settlements = Group(self._record, RECORDED)

    async def serve(self) -> int:
        """Serves what is due, and what becomes due before the channels have rested; gives how many turns that took."""
        services, served, quiet = self.services, 0, 0.0
        # A channel's next turn comes a pace after its last: who waits for the clock's tick instead loses half of them.
        while not self.stopping and quiet < services.policy.pace.total_seconds() + 2 * BREATH:
            begun = await self._begin_due()
            served += begun
            if not served:
                break
            quiet = 0.0 if begun or self.flying else quiet + BREATH
            await services.clock.sleep(BREATH)
            await self._renew_due()
        while self.flying:
            await asyncio.wait(list(self.flying), timeout=RENEW)
            await self._renew_due()
        return served

    def stop(self) -> None:
        """Begins nothing new."""
        self.stopping = True

    async def _begin_due(self) -> int:
        services = self.services
        room = AT_ONCE - len(self.flying)
        if room <= 0 or _uptime() < self.away_until:
            return 0
        begun = _uptime()
        try:
            if not await services.memory.read(outbox.is_due, services.policy.settle):
                return 0
            load = Counter(batch.workspace_id for batch in self.flying.values())
            busy = [workspace_id for workspace_id, number in load.items() if number >= AT_ONCE_EACH]
            here = {_place(batch) for batch in self.flying.values()} | self.stuck
            claimed = await services.memory.write(outbox.claim, services.policy.settle, min(room, CLAIMED), busy, here)
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            self.away_until = _uptime() + AFTER_AN_OUTAGE
            log.warning("delivery.database_away", reason=reason_of(error))
            return 0
        self.sure.update((_place(batch), begun + SURE) for batch in claimed)
        for group in handfuls(claimed):
            # Where one of them cannot be read, each is read alone, behind its own boundary.
            found, _error = await settled(services.memory.read(gather, group))
            known = {_place(facts.batch): facts for facts in found or []}
            for batch in group:
                task = asyncio.create_task(self._guarded(batch, known.get(_place(batch))))
                self.flying[task] = batch
                task.add_done_callback(self._landed)
        return len(claimed)

    def _landed(self, task: asyncio.Task[None]) -> None:
        self.sure.pop(_place(self.flying.pop(task)), None)

    async def _renew_due(self) -> None:
        """Holds the channels that are being written to; most turns end long before that is needed."""
        begun = _uptime()
        if not self.flying or begun - self.renewed < RENEW:
            return
        self.renewed = begun
        try:
            await self._renew(list(self.flying.values()))
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            log.warning("delivery.not_renewed", batches=len(self.flying), reason=reason_of(error))

    async def _renew(self, batches: list[NewsBatch]) -> None:
        begun = _uptime()
        ours = await self.services.memory.write(outbox.renew, batches)
        for batch in batches:
            if _place(batch) in ours:
                self.sure[_place(batch)] = begun + SURE
            else:
                self.sure.pop(_place(batch), None)

    async def require_lease(self, batch: NewsBatch) -> None:
        """Raises LeaseLost where another process may write to the channel by now: we were paused, or slow."""
        if _uptime() >= self.sure.get(_place(batch), 0.0):
            await self._renew([batch])
        if _uptime() >= self.sure.get(_place(batch), 0.0):
            raise LeaseLost

    async def _guarded(self, batch: NewsBatch, facts: Facts | None) -> None:
        """One bad row must not stop the others: whatever breaks here rests this channel alone."""
        turn = Turn(batch, partial(self.require_lease, batch))
        try:
            await self._deliver(turn, facts)
        except LeaseLost:
            log.warning("delivery.lease_lost", channel=batch.channel)
        except Exception as error:
            reference = uuid.uuid4().hex[:8]
            log.exception("delivery.broke", reference=reference, channel=batch.channel)
            await self._end(self._later(turn, BROKE.format(reference), type(error).__name__))

    async def _deliver(self, turn: Turn, facts: Facts | None) -> None:
        services, batch = self.services, turn.batch
        if batch.doubt_since is not None:
            # Its sender died, or Slack's answer was lost: should Slack have taken that message, this one repeats it.
            log.warning("delivery.maybe_again", channel=batch.channel, since=batch.doubt_since.isoformat())
        try:
            services = await self.tenants.of(batch.workspace_id)
            settlement = await _tell(services, facts or await self._read(batch), turn)
        except (NotInChannel, ChannelClosed) as refusal:
            log.info("delivery.blocked", channel=batch.channel, reason=type(refusal).__name__, code=refusal.code)
            await self._block(batch, str(refusal))
            return
        except MessageRefused as refusal:
            log.warning("delivery.refused", channel=batch.channel, reason=type(refusal).__name__, code=refusal.code)
            settlement = Settlement(batch, services.policy.pace, refused=turn.saying, refusal=str(refusal))
        except (Outage, Refusal) as trouble:
            # Of all else nobody knows that it will last, and nobody in the channel can mend it.
            settlement = self._later(turn, str(trouble), _unknown(trouble), trouble)
            name, seconds = type(trouble).__name__, settlement.rest.total_seconds()
            log.info("delivery.later", channel=batch.channel, reason=name, code=trouble.code, seconds=seconds)
        else:
            self.failing.pop(_place(batch), None)
        await self._end(settlement)

    async def _read(self, batch: NewsBatch) -> Facts:
        try:
            return (await self.services.memory.read(gather, [batch]))[0]
        except SQLAlchemyError as error:
            if not is_outage(error):
                raise
            raise MemoryDown from None

    def _later(self, turn: Turn, why: str, word: str, trouble: Trouble | None = None) -> Settlement:
        """Puts it off; where this message has ended in the same `word` ("": one that says nothing of it) often enough,
        it is refused instead."""
        place, row_id = _place(turn.batch), turn.saying[0].row_id
        if word:
            before = self.failing.pop(place, None)
            times = before.times + 1 if before and (before.row_id, before.word) == (row_id, word) else 1
            if times >= ENOUGH:
                log.warning("delivery.refused", channel=turn.batch.channel, reason=word, rows=len(turn.saying))
                return Settlement(turn.batch, self.services.policy.pace, refused=turn.saying, refusal=why)
            self.failing[place] = Failing(row_id, word, times)
        return _put_off(turn.batch, why, trouble)

    async def _block(self, batch: NewsBatch, reason: str) -> None:
        if not await self._as_long_as_it_takes(1, None, outbox.block, batch, reason, UNBLOCK):
            raise LeaseLost

    async def _end(self, settlement: Settlement) -> None:
        """Records it. What the database refuses for good is not said again: it ends as told to nobody knows whom."""
        batch, reference = settlement.batch, uuid.uuid4().hex[:8]
        try:
            await self.settlements.enqueue(settlement).done
        except SQLAlchemyError as error:
            log.error("delivery.unrecorded", reference=reference, channel=batch.channel, reason=reason_of(error))  # noqa: TRY400 - the values are people's
            await self._end_bare(Settlement(batch, REST, refused=batch.items, refusal=UNRECORDED.format(reference)))

    async def _end_bare(self, settlement: Settlement) -> None:
        try:
            await self.settlements.enqueue(settlement).done
        except SQLAlchemyError as error:
            self.stuck.add(_place(settlement.batch))
            log.error("delivery.stuck", channel=settlement.batch.channel, reason=reason_of(error))  # noqa: TRY400 - see above

    async def _record(self, taken: list[Queued[Settlement]], patience: float | None = None) -> None:
        """What was sent must be kept, and until it is, the channel is not claimed here again (see `flying`)."""
        settlements = [queued.what for queued in taken]
        try:
            stale = await self._as_long_as_it_takes(len(settlements), patience, outbox.settle, settlements)
        except SQLAlchemyError:
            if len(taken) == 1:
                raise
            # One of them cannot be written down: the others are.
            for queued in taken:
                await self._record_alone(queued)
            return
        for settlement in stale:
            log.warning("delivery.stale", channel=settlement.batch.channel, told=len(settlement.told))
        for queued in taken:
            queued.succeed()

    async def _record_alone(self, queued: Queued[Settlement]) -> None:
        try:
            # For what is wrong with the statement, the group has waited.
            await self._record([queued], 0.0)
        except SQLAlchemyError as error:
            queued.fail(error)

    async def _as_long_as_it_takes(
        self,
        batches: int,
        patience: float | None,
        work: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Writes to the database; while that is away, tries again, more and more rarely.

        `patience`: the seconds for which a statement is repeated that is refused as such.
        """
        pause = 0.5
        end = _uptime() + (STATEMENT_PATIENCE if patience is None else patience)
        while True:
            try:
                return await self.services.memory.write(work, *args, **kwargs)
            except SQLAlchemyError as error:
                if not is_outage(error) or (is_statement(error) and _uptime() >= end):
                    raise
                log.warning("delivery.not_recorded", batches=batches, reason=reason_of(error))
                self.away_until = _uptime() + AFTER_AN_OUTAGE
                await self.services.clock.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)


def _place(batch: NewsBatch) -> tuple[WorkspaceId, ChannelId]:
    return batch.workspace_id, batch.channel


def _unknown(trouble: Trouble) -> str:
    """Slack's word where we do not know it, and so not whether it is about this message; else ""."""
    return (trouble.code or "no reason") if type(trouble) is SlackRefused else ""


def _put_off(batch: NewsBatch, why: str, trouble: Trouble | None = None) -> Settlement:
    """Nothing ends, and the channel rests: longer with each failure in a row, and no shorter than Slack asks for."""
    asked = trouble.retry_after if trouble else None
    growing = min((REST if asked is None else BUSY_REST) * 2 ** min(batch.tries, 20), LONGEST_REST)
    rest = max(growing, timedelta(seconds=asked or 0))
    doubtful = batch.doubt_since is not None or trouble is None or isinstance(trouble, SlackDown)
    return Settlement(batch, rest, refusal=why, failed=True, in_doubt=doubtful)


async def deliver_due(services: Services, tenants: Tenants) -> int:
    """Serves everything that may be told now; gives how many turns that took."""
    return await OutboxSender(services, tenants).serve()


async def _tell(services: Services, facts: Facts, turn: Turn) -> Settlement:
    batch = facts.batch
    if facts.notify_on is None:
        return Settlement(batch, timedelta(0), refused=batch.items, refusal=SWITCHED_OFF)
    todo = plan(batch.items, facts.notify_on, facts.pieces)
    card, posted = await _show_card(services, facts, turn)
    told = [(item, card.message_ts) for item in todo.quiet]
    if not posted and todo.groups and facts.card is not None:
        turn.saying = tuple(todo.groups[0][1])
        await turn.require_lease()
        told += await _post_news(services, facts, todo, card)
    changed = None if card == facts.card else card
    return Settlement(batch, services.policy.pace, tuple(told), card=changed)


async def _show_card(services: Services, facts: Facts, turn: Turn) -> tuple[Card, bool]:
    """Brings the card up to date, at most once a minute; gives it, and whether that took a new message."""
    batch, card, now = facts.batch, facts.card, services.clock.now()
    spent = cards.spent_line(facts.mix, facts.workspace.currency)
    fingerprint = cards.fingerprint(facts.campaign, facts.mix, spent)
    if card is not None and (card.shows == fingerprint or _is_young(services, facts, now)):
        return card, False
    message = alerts_view.card(facts.campaign, facts.mix, spent, now)
    await turn.require_lease()
    if card is not None:
        try:
            await services.slack.edit(batch.channel, card.message_ts, message)
        except MessageGone as gone:
            log.info("card.reposted", channel=batch.channel, code=gone.code)
        except SlackRefused as refusal:
            # Of the card alone: the news goes on, and the card is tried again when it is no longer young.
            log.warning("card.not_edited", channel=batch.channel, code=refusal.code)
            return replace(card, shows=BEHIND, edited_at=now), False
        else:
            return Card(card.message_ts, fingerprint, now), False
        await turn.require_lease()
    return Card(await services.slack.post(batch.channel, message), fingerprint, now), True


def _is_young(services: Services, facts: Facts, now: datetime) -> bool:
    """Whether it was edited a moment ago, and so can wait for `cards.refresh`, which looks after campaigns."""
    edited_at = facts.card.edited_at if facts.card else None
    # Edited "tomorrow" was by a clock that has been set back since.
    return facts.campaign is not None and edited_at is not None and abs(now - edited_at) < services.policy.card_pace


async def _post_news(services: Services, facts: Facts, todo: Plan, card: Card) -> list[tuple[Item, str]]:
    """Posts the most pressing group in the card's thread; the others have the channel's next turns."""
    status, items = todo.groups[0]
    title = facts.campaign.facts.name if facts.campaign else "mail sent singly"
    pieces = [facts.pieces[item.piece_id] for item in items]
    message = alerts_view.news(title, status, pieces, len(items), services.platform.name)
    in_channel = status is Status.RETURNED and NotifyOn.BROADCAST in (facts.notify_on or frozenset())
    ts = await services.slack.post(facts.batch.channel, message, thread=card.message_ts, broadcast=in_channel)
    log.info("delivery.told", channel=facts.batch.channel, rows=len(items), status=status.name)
    return [(item, ts) for item in items]
