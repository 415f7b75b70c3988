"""Work that outlives its request: taken under a lease, kept alive while it is done, given back or ended, never lost."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from handlers.context import farewells, kept
from handlers.context.kept import TakenOverError
from handlers.context.services import Services
from handlers.errors import Outage, Refusal, Trouble
from storage import intents
from storage.cancellations import Outcome
from storage.failures import is_outage
from storage.intents import Intent, Kind
from storage.records import PieceId, WorkspaceId
from storage.vault import Vault, VaultError

log = structlog.get_logger()

#: The lease is renewed so often: three times before it ends.
BEAT: Final = intents.LEASE / 3
#: After an outage that names no time of its own, and at most; after a refusal, which a person must mend.
PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(hours=1)
UNTIL_MENDED: Final = timedelta(minutes=10)
#: What could not be ended after this time is given up, visibly in the log, and the asker is told.
GIVEN_UP: Final = timedelta(days=4)
#: So many tries to tell that.
FAREWELLS: Final = 3
BROKE: Final = "Something went wrong here each time (reference intent {}): whoever runs Piecewise finds it in the log."
IN_THE_WAY: Final = "For four days something stood in the way: {}"


@dataclass
class Hold:
    """An intent that this process works at. What is done in its name asks first whether it is still ours."""

    services: Services
    intent: Intent
    told: int = field(init=False)

    def __post_init__(self) -> None:
        self.told = self.intent.told

    @property
    def workspace_id(self) -> WorkspaceId:
        return self.intent.workspace_id

    @property
    def key(self) -> tuple[WorkspaceId, int, int]:
        """By which storage knows the holder."""
        return self.intent.workspace_id, self.intent.id, self.intent.token

    @property
    def stopping(self) -> bool:
        """Whether the process ends: finish the step, and begin no other."""
        return self.services.stopping.is_set()

    def secrets(self) -> Mapping[str, Any]:
        """What was sealed; nothing when no key opens it any more. The answer then goes to the person directly, and what
        cannot be done without it ends in words that say what to do: to wait for a key would leave them in the dark."""
        if not self.intent.sealed:
            return {}
        try:
            opened = vault_of(self.services).open(intents.place(self.workspace_id), self.intent.sealed)
        except VaultError:
            log.warning("intent.sealed", intent=self.intent.id)
            return {}
        return dict(opened)

    async def still_ours(self, lease: timedelta | None = None) -> None:
        """Raises TakenOverError when another process has it; else the lease begins anew."""
        if not await self.services.memory.write(intents.renew, *self.key, lease):
            raise TakenOverError

    async def tell(
        self,
        number: int,
        send: Callable[[], Awaitable[object]],
        also: Callable[[Connection], object] = lambda _connection: None,
    ) -> None:
        """Sends its message with this number, unless that was done, and keeps that it was, and what `also` writes."""
        if self.told > number:
            return
        # Whether Slack took it is known only when it answers: who is paused until then is waited for.
        await self.still_ours(intents.TELLING)
        await send()
        self.told = number + 1

        def work(connection: Connection) -> bool:
            also(connection)
            return intents.note_told(connection, *self.key, self.told)

        if not await self.services.memory.write(work):
            raise TakenOverError

    async def note(self, number: int, also: Callable[[Connection], object]) -> None:
        """Writes this under its number among the messages, once."""
        await self.tell(number, _nothing, also)


async def _nothing() -> None:
    """What is written down only is sent nowhere."""


#: Does what there is to do; gives None at the end, else when to go on.
Work = Callable[[Hold], Awaitable[timedelta | None]]


def vault_of(services: Services) -> Vault:
    """What seals an intent's secrets: the stored keys, or one made of the settings' own secret."""
    return Vault(services.policy.sealing_keys)


def sealed(services: Services, workspace_id: WorkspaceId, secrets: Mapping[str, Any]) -> str:
    """These, sealed for an intent of this workspace."""
    return vault_of(services).seal(intents.place(workspace_id), dict(secrets)) if secrets else ""


async def keep(
    services: Services,
    workspace_id: WorkspaceId,
    kind: Kind,
    payload: Mapping[str, Any],
    secrets: Mapping[str, Any] | None = None,
    *,
    piece_ids: Sequence[PieceId] = (),
    name: str | None = None,
    also: Callable[[Connection], object] | None = None,
    asked: Intent | None = None,
) -> int:
    """Writes an intent, and in the same transaction whatever `also` writes; gives its number. `asked`: what was kept of
    the request, which the intent takes over."""
    made = sealed(services, workspace_id, secrets or {})

    def work(connection: Connection) -> int:
        number = intents.keep(connection, workspace_id, kind, payload, sealed=made, piece_ids=piece_ids, name=name)
        if also is not None:
            also(connection)
        kept.pass_on(connection, asked)
        return number

    return await services.memory.write(work)


async def begin(services: Services, workspace_id: WorkspaceId, intent_id: int, work: Work) -> Refusal | None:
    """Does it now, unless another process is quicker. What cannot be done now is done later, by whichever process;
    where a person can mend what stands in its way, that is given. What breaks leaves its row leased, and so is tried
    again after growing pauses, until that has been enough."""
    taken = await services.memory.write(intents.take, workspace_id, intent_id)
    if taken is None:
        return None
    structlog.contextvars.bind_contextvars(intent=taken.id)
    return await carry_out(Hold(services, taken), work)


async def carry_out(hold: Hold, work: Work) -> Refusal | None:
    """Does what this process holds, and gives it back or ends it: see `begin`."""
    beating = asyncio.create_task(_beat(hold))
    try:
        if hold.intent.tries >= intents.MOST_TRIES:
            await _give_up(hold, BROKE.format(hold.intent.id))
        else:
            await _settle(hold, await work(hold))
    except TakenOverError:
        log.info("intent.taken_over", intent=hold.intent.id, kind=hold.intent.kind.value)
    except Trouble as trouble:
        log.info("intent.later", intent=hold.intent.id, reason=type(trouble).__name__, code=trouble.code)
        await _put_off(hold, trouble)
        return trouble if isinstance(trouble, Refusal) else None
    except SQLAlchemyError as error:
        # The row is still there, and so is its lease: when that ends, it is taken again.
        if not is_outage(error):
            raise
        log.warning("intent.not_kept", intent=hold.intent.id, reason=type(error).__name__)
    finally:
        beating.cancel()
    return None


async def _settle(hold: Hold, delay: timedelta | None) -> None:
    memory, intent = hold.services.memory, hold.intent
    if delay is not None:
        await memory.write(intents.give_back, *hold.key, delay, failed=False)
        return
    await memory.write(intents.end, *hold.key, "done")
    log.info("intent.ended", intent=intent.id, kind=intent.kind.value)


async def _put_off(hold: Hold, trouble: Trouble) -> None:
    memory = hold.services.memory
    if not await memory.read(intents.is_old, hold.workspace_id, hold.intent.id, GIVEN_UP):
        await memory.write(intents.give_back, *hold.key, _pause(trouble), failed=True)
        return
    await _give_up(hold, IN_THE_WAY.format(trouble), last=True)


async def _give_up(hold: Hold, why: str, *, last: bool = False) -> None:
    """Tells the asker, and ends it undone. Where Slack cannot be reached it is told later, unless this is the `last`
    time; a farewell that breaks as well is not tried for ever."""
    try:
        if hold.intent.tries < intents.MOST_TRIES + FAREWELLS:
            await hold.still_ours()
            await farewells.say(hold.services, hold.intent, hold.secrets(), why)
    except Trouble as trouble:
        if isinstance(trouble, Outage) and not last:
            raise
        log.warning("intent.untold", intent=hold.intent.id, reason=type(trouble).__name__, code=trouble.code)
    await hold.services.memory.write(_end_undone, hold, hold.services.clock.now())
    log.error("intent.given_up", intent=hold.intent.id, kind=hold.intent.kind.value)


def _end_undone(connection: Connection, hold: Hold, now: datetime) -> None:
    if intents.give_up(connection, *hold.key, Outcome.UNSETTLED.value):
        farewells.record_audit(connection, hold.intent, now)


def _pause(trouble: Trouble) -> timedelta:
    if not isinstance(trouble, Outage):
        return UNTIL_MENDED
    asked = PAUSE if trouble.retry_after is None else timedelta(seconds=min(trouble.retry_after, 3600.0))
    return min(asked, LONGEST_PAUSE)


async def _beat(hold: Hold) -> None:
    """Keeps the lease for as long as the work takes. When it is lost, the next step finds that out."""
    while True:
        await asyncio.sleep(BEAT.total_seconds())
        try:
            if not await hold.services.memory.write(intents.renew, *hold.key):
                return
        except SQLAlchemyError as error:
            log.warning("intent.not_renewed", intent=hold.intent.id, reason=type(error).__name__)
