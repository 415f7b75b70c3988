"""What was pressed or sent and changes something: kept before Slack hears that it is taken, and answered from there.

Who took it answers at once. When that process dies, the clock of any other takes it up: rights are asked afresh, and
whatever was done before is not done again (`handlers.context.kept`).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy import Connection

from handlers.admin import table as admin
from handlers.alerts import table as alerts
from handlers.cancel import table as cancel
from handlers.context import intents as working
from handlers.context import kept as answering
from handlers.context import replies
from handlers.context.access import recognized
from handlers.context.intents import Hold
from handlers.context.services import Request, Services
from handlers.context.table import Field, Filled, Press, Submission, merged
from handlers.errors import Outage, Outdated, Overloaded, Refusal, Removed, Trouble
from handlers.home import table as home
from handlers.pieces import table as pieces
from handlers.returns import table as returns
from handlers.setup import table as setup
from handlers.status import table as status
from handlers.text import short_answers
from handlers.text.messages import Message
from handlers.track import table as track
from storage import intents, leases, workspaces
from storage.intents import Intent, Kind
from storage.records import ChannelId, UserId, Workspace
from storage.vault import Vault

log = structlog.get_logger()

#: The most used command is registered first: Bolt tries them in order.
WINGS: Final = (status, track, alerts, pieces, returns, cancel, home, setup, admin)
TABLE: Final = merged({wing.__name__: wing.TABLE for wing in WINGS})
PRESSES: Final[dict[str, Press]] = {action.value: press for action, press in TABLE.actions.items()}
FORMS: Final[dict[str, Submission]] = {form.value: submission for form, submission in TABLE.forms.items()}

#: The same person pressing the same button again within this time means it once.
DOUBLE_CLICK: Final = timedelta(seconds=1.5)

#: Said where the answer has to wait: trying again would only do it twice.
WAITS: Final = "My own database is not answering right now. What you asked for is kept, and done when that is over."

#: What was not begun in this time is not done any more: who asked has long seen to it otherwise, or forgotten it.
TOO_OLD: Final = timedelta(hours=1)

Work = Callable[[Services, Request], Awaitable[None]]


class Unreadable(Refusal):
    """I can no longer read what you sent: the key that sealed it is gone. Nothing was changed; please send it again."""


class Lapsed(Refusal):
    """This waited for more than an hour, because I was not running. Nothing was changed; please ask for it anew."""


@dataclass(frozen=True)
class Given:
    """What was pressed, with its value, or which form was sent, with what it held."""

    name: str
    value: str = ""
    filled: Filled | None = None


def is_first(connection: Connection, request: Request, key: str, now: datetime) -> bool:
    """Whether this very request was not handled before, and is no second click."""
    # Another workspace's request of the same name is another request.
    mine = f"{request.workspace.id}:"
    if not leases.first_time(connection, mine + key, now):
        return False
    return not request.click or leases.first_click(connection, mine + request.click, DOUBLE_CLICK)


def keeping(
    vault: Vault, request: Request, given: Given, key: str, now: datetime, is_late: Callable[[], bool]
) -> Callable[[Connection], Intent | None]:
    """What writes it down, held by this process; gives None for a request that was handled before. The ids are kept as
    they are; where the asker can be answered, and all that a person typed, are sealed.

    Raises Overloaded when its turn comes so late that Slack has shown a failure by then: who presses again must not
    have asked twice.
    """
    payload = {
        "by": request.user, "name": given.name, "form": given.filled is not None, "value": given.value,
        "channel": request.channel, "message": request.message_ts, "view": request.view_id, "guest": request.guest,
    }  # fmt: skip
    secrets: dict[str, Any] = {"url": request.response_url, "metadata": request.metadata}
    if given.filled is not None:
        fields = {name: asdict(field) for name, field in given.filled.fields.items()}
        secrets |= {"metadata": given.filled.metadata, "fields": fields}
    sealed = vault.seal(intents.place(request.workspace.id), secrets) if any(secrets.values()) else ""

    def work(connection: Connection) -> Intent | None:
        if is_late():
            raise Overloaded
        if not is_first(connection, request, key, now):
            return None
        made = intents.keep_taken(connection, request.workspace.id, Kind.ASKED, payload, sealed, f"asked:{key}")
        if is_late():
            # A lock held it up.
            raise Overloaded
        return made

    return work


async def resume(hold: Hold) -> timedelta | None:
    """Answers what another process took and did not answer."""
    workspace = await hold.services.memory.read(workspaces.by_id, hold.workspace_id)
    secrets = hold.secrets()
    if hold.intent.sealed and not secrets:
        return await answer(hold, _as_asked(hold.intent, workspace, {}), _unreadable)
    return await answer(hold, _as_asked(hold.intent, workspace, secrets), _work(hold.intent.payload, secrets))


def _as_asked(intent: Intent, workspace: Workspace, secrets: Mapping[str, Any]) -> Request:
    """As it was asked, but for the id that opens a page: that is good for three seconds."""
    payload = intent.payload
    return Request(
        workspace, UserId(payload["by"]), ChannelId(payload["channel"]), response_url=secrets.get("url", ""),
        message_ts=payload["message"], view_id=payload["view"], metadata=secrets.get("metadata", ""),
        guest=payload["guest"],
    )  # fmt: skip


def _work(payload: Mapping[str, Any], secrets: Mapping[str, Any]) -> Work:
    """What answers it. What no wing answers any more is out of date."""
    name, value = payload["name"], payload["value"]
    if payload["form"]:
        submission = FORMS.get(name)
        filled = Filled(secrets.get("metadata", ""), _fields(secrets.get("fields", {})))
        return partial(_send, submission, filled) if submission else _outdated
    press = PRESSES.get(name)
    return partial(_press, press, value) if press else _outdated


def _fields(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, Field]:
    return {
        name: Field(one["typed"], one["chosen"], tuple(one["several"]), tuple(one["people"]))
        for name, one in stored.items()
    }


async def _press(press: Press, value: str, services: Services, request: Request) -> None:
    await press.handler(services, request, value)


async def _send(submission: Submission, filled: Filled, services: Services, request: Request) -> None:
    await submission.handler(services, request, filled)


async def _outdated(_services: Services, _ask: Request) -> None:
    raise Outdated


async def _unreadable(_services: Services, _ask: Request) -> None:
    raise Unreadable


async def answer(hold: Hold, request: Request, work: Work) -> timedelta | None:
    """Answers it, in words where it cannot be done: that is an answer, too. What could not be said is tried again."""
    if hold.told >= answering.PASSED_ON:
        return None
    services = hold.services
    try:
        await hold.still_ours()
        if request.workspace.removed_at is not None:
            raise Removed
        if hold.told < answering.DONE and await services.memory.read(_is_too_old, hold):
            raise Lapsed
        await work(services, await recognized(services, replace(request, kept=hold.intent)))
    except Trouble as trouble:
        log.info("listener.refused", intent=hold.intent.id, reason=type(trouble).__name__, code=trouble.code)
        told = await _told(hold)
        if told == answering.DONE:
            # A refusal would not be true: it is done. Shown later, where only the answer was in trouble.
            if isinstance(trouble, Outage):
                raise
            return None
        if told < answering.PASSED_ON or isinstance(trouble, Refusal):
            await hold.tell(answering.REFUSAL, partial(_refuse, services, request, short_answers.refusal(trouble)))
    return None


def _is_too_old(connection: Connection, hold: Hold) -> bool:
    return intents.is_old(connection, hold.workspace_id, hold.intent.id, TOO_OLD)


async def _told(hold: Hold) -> int:
    """How far it has come by now."""
    found = await hold.services.memory.read(intents.of, hold.workspace_id, hold.intent.id)
    return found.told if found is not None else 0


async def _refuse(services: Services, request: Request, message: Message) -> None:
    """Where it was asked, or directly: that place may be gone by now."""
    try:
        await replies.refused(services, request, message)
    except Refusal as refusal:
        log.info("listener.told_directly", reason=type(refusal).__name__, code=refusal.code)
        try:
            await services.slack.post(request.user, message)
        except Refusal as again:
            log.warning("listener.unheard", reason=type(again).__name__, code=again.code)


async def answer_now(services: Services, request: Request, kept: Intent, work: Work) -> None:
    """Answers what this process has just taken."""
    workspace = await services.memory.read(workspaces.by_id, request.workspace.id)
    request = replace(request, workspace=workspace)
    await working.carry_out(Hold(services, kept), lambda hold: answer(hold, request, work))
