"""What people do in Slack, and what Slack tells of it, by the same ways in as the bot's listeners."""

import asyncio
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import SQLAlchemyError

from bot.front.departures import departures
from handlers.asked import PRESSES, TABLE, Given
from handlers.context.services import Request
from handlers.errors import Trouble
from handlers.text.buttons import Action, OnePiece
from handlers.text.codec import write
from storage import channel_settings, workspaces
from storage.records import ChannelId, ChannelSettings, PieceId, Rules, UserId, WorkspaceId
from tests.handlers.conftest import pressable
from tests.simulation.invariants import must_be_told, told_in
from tests.simulation.store import ask, rows

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.slack import Room
    from tests.simulation.world import Tenant, World

#: Slack shows a failure after so many seconds.
SLACK_WAITS = 3.0


@dataclass(frozen=True)
class Pressed:
    """A button that somebody pressed: what it was about, and whether they were allowed to at that moment."""

    tenant: int
    user: str
    action: str
    about: str
    at: float
    is_admin: bool
    #: Whether a second person had to agree.
    needs_second: bool


@dataclass(frozen=True)
class Typed:
    """A command that a process took: whether it must have been answered can be told at the end."""

    tenant: int
    place: str
    at: float
    process: "Process"


async def type_command(world: "World", number: int, user: str, room: str, said: str) -> None:
    """Somebody types `/mailalerts …`."""
    tenant, process = world.tenants.get(number), world.one()
    if tenant is not None and tenant.id and process is not None:
        process.do(_command(world, process, tenant, user, room, said))
        await asyncio.sleep(5)


async def _command(world: "World", process: "Process", tenant: "Tenant", user: str, room: str, said: str) -> None:
    tenant.team.steps += 1
    trigger = f"{tenant.number}.{tenant.team.steps}"
    found = await process.tenants.enter(None, tenant.team.name, False)
    if found is None:
        return
    command = TABLE.commands["/mailalerts"]
    place = f"{user} in {room} ({trigger})"
    request = Request(
        found.workspace, UserId(user), ChannelId(room), said, response_url=place, trigger_id=trigger,
        open_to_guests=command.for_guests, nameless=command.nameless,
    )  # fmt: skip
    process.dispatcher.take(request, f"command:{trigger}", command.handler, in_turn=not command.opens_page)
    if said == "list":
        world.typed.append(Typed(tenant.number, place, world.loop.time(), process))


async def crowd(world: "World", again: bool) -> None:
    """Everybody asks at once, of the same process. `again`: so that what they ask shares a transaction."""
    process = world.one()
    if process is None:
        return
    for _ in range(3 if again else 1):
        for tenant in world.tenants.values():
            if tenant.id:
                process.do(_command(world, process, tenant, "U0BEN", "C0OPS", "list"))
    await asyncio.sleep(5)


async def press(world: "World", number: int, user: str, action: str, about: str) -> None:
    """Somebody presses a button, and once more where Slack shows that it failed."""
    tenant = world.tenants.get(number)
    value = _value(world, tenant, action, about) if tenant is not None and tenant.id else None
    if tenant is None or value is None:
        return
    for pause in (15.0, 90.0, 0.0):
        process = world.one()
        if process is not None:
            work = process.do(_press(world, process, tenant, user, action, about, value))
            await asyncio.wait([work], timeout=SLACK_WAITS)
            if work.done() and not work.cancelled() and work.exception() is None:
                return
        await asyncio.sleep(pause)


def _value(world: "World", tenant: "Tenant", action: str, about: str) -> str | None:
    """What the button carries; None where there is none."""
    if action in (Action.CANCEL_PIECE, Action.ERASE):
        found = rows(world.store, f"SELECT id FROM pieces WHERE workspace_id = {tenant.id} AND ref = '{about}'")
        return write(OnePiece(PieceId(found[0]["id"]))) if found else None
    shown = [
        one for room in tenant.team.rooms.values() for post in room.posts for one in pressable(post.message.blocks)
    ]
    values = [value for name, value in shown if name == action]
    return values[-1] if values else None


async def _press(
    world: "World", process: "Process", tenant: "Tenant", user: str, action: str, about: str, value: str
) -> None:
    tenant.team.steps += 1
    trigger = f"{tenant.number}.{tenant.team.steps}"
    found = await process.tenants.enter(None, tenant.team.name, False)
    if found is None:
        return
    way = PRESSES[action]
    request = Request(
        found.workspace, UserId(user), ChannelId("C0OPS"), response_url=f"{user} pressed ({trigger})",
        trigger_id=trigger, click="" if way.in_turn else f"click:{user}:{action}:{value}",
        open_to_guests=way.for_guests, nameless=way.nameless,
    )  # fmt: skip
    person, above = tenant.team.people[user], tenant.above
    second = above is not None and above < 1
    world.pressed.append(
        Pressed(tenant.number, user, action, about, world.loop.time(), person.is_admin, needs_second=second)
    )
    key = f"action:{trigger}"
    kept = await process.dispatcher.keep(request, Given(action, value), key) if way.kept else None
    if kept is None and way.kept:
        return
    request = replace(request, kept=kept)
    process.dispatcher.take(
        request, key, lambda services, request: way.handler(services, request, value), in_turn=way.in_turn
    )


def rank(world: "World", number: int, user: str, is_admin: bool) -> None:
    """Slack makes somebody an admin, or no longer one."""
    tenant = world.tenants.get(number)
    if tenant is not None:
        people = tenant.team.people
        people[user] = replace(people[user], is_admin=is_admin)


def rule(world: "World", number: int, above: int) -> None:
    """A steward chooses from which sum on a second person must agree."""
    from decimal import Decimal

    tenant = world.tenants.get(number)
    if tenant is not None and tenant.id:
        tenant.above = above
        ask(world.store, workspaces.keep_rules, WorkspaceId(tenant.id), Rules(approval_above=Decimal(above)))


def hours(world: "World", number: int, room: str, settings: tuple[Any, ...]) -> None:
    """Somebody chooses when a channel is told: its zone, the hour of its digest, and its quiet hours."""
    tenant = world.tenants.get(number)
    if tenant is not None and tenant.id:
        zone, digest, quiet = settings
        chosen = ChannelSettings(zone, digest, quiet, None)
        ask(world.store, channel_settings.keep, WorkspaceId(tenant.id), ChannelId(room), chosen)


def close(world: "World", number: int, name: str, how: str, seconds: float | None) -> None:
    """A channel is archived, or the app taken out of it; after so many seconds, if ever, it is as before."""
    tenant = world.tenants.get(number)
    room = tenant.team.room(name) if tenant is not None else None
    if tenant is None or room is None or not room.is_open:
        return
    room.untold |= {one for one in must_be_told(world, tenant, name) if not told_in(room, sure=False)[one]}
    began = world.loop.time()
    room.archived, room.joined = how == "archived", how != "left"
    room.closed.append((began, inf))
    if seconds is not None:
        world.loop.call_later(seconds, _open, world, room, began, context=world.loop.outdoors())


def _open(world: "World", room: "Room", began: float) -> None:
    room.archived, room.joined = False, True
    room.closed[-1] = (began, world.loop.time())
    world.note(f"{room.name} is open again")


async def leave(world: "World", number: int, told: tuple[float, ...]) -> None:
    """An admin takes the app out: its tokens end at once, and Slack says so sooner or later, perhaps twice."""
    tenant = world.tenants.get(number)
    if tenant is None or not tenant.id:
        return
    tenant.team.tokens.clear()
    tenant.left.append(world.loop.time())
    at = world.now().timestamp()
    for delay in told:
        world.loop.create_task(_tell_left(world, tenant, at, delay), context=world.loop.outdoors())


async def _tell_left(world: "World", tenant: "Tenant", at: float, delay: float) -> None:
    await asyncio.sleep(delay)
    for pause in (60.0, 300.0, 900.0):
        process = world.one()
        if process is not None:
            listen = departures(process.tenants, process.leaving, process.dispatcher.in_flight)
            whose: Any = type("Named", (), {"enterprise_id": None, "team_id": tenant.team.name})()
            whose.is_enterprise_install = False
            told = {"type": "app_uninstalled"}
            body = {"event_time": at, "event_id": f"Ev{tenant.number}.{at}", "event": told}
            # Bolt acknowledges what its listener leaves unacknowledged.
            unasked: Any = None
            hearing: Any = listen(unasked, whose, body)
            work = process.do(hearing)
            await asyncio.wait([work], timeout=SLACK_WAITS)
            error = work.exception() if work.done() and not work.cancelled() else None
            if work.done() and not work.cancelled() and error is None:
                world.heard_left[tenant.number] += 1
                return
            if error is not None and not isinstance(error, (SQLAlchemyError, Trouble)):
                world.fault(f"Slack's word that {tenant.team.name} is gone was not taken: {error!r}")
        await asyncio.sleep(pause)
