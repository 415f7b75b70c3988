"""No dead ends in typing: what people type is answered, or is one click away. Typed over real sockets."""

import os
import random
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from bot.sandbox.slack import Channel, Posted
from bot.sandbox.stannp import MailCampaign, Mailpiece
from handlers.text import buttons
from storage import outbox, workspaces
from storage.queries import mail as queries
from storage.records import CampaignId, ChannelId, NotifyOn, PieceId, UserId
from storage.schema.tables import channels
from tests.journeys import typed, typed_later
from tests.journeys.conftest import ANA, OPS, Stage

pytestmark = [pytest.mark.calm, pytest.mark.parametrize("pairing", ["socket-sqlite"], indirect=True)]

#: From the best to the worst. A hint says what to type, a dead end does not.
CHANNELS = 40
#: The first list was written by hand, the others are made by chance.
SEEDS = [int(seed) for seed in os.environ.get("PIECEWISE_TYPED", "1").split(",")]
BY_CHANCE = pytest.mark.parametrize("seed", [None, *SEEDS], ids=str)
KINDS = ("answered", "click", "hint", "dead", "WRONG")


async def furnish(stage: Stage) -> dict[str, Mailpiece]:
    """Campaigns and recipients whose names people mistype."""
    now, world = stage.world.now, stage.world
    # Each channel takes a message a second, and a picture that is not ready at once is waited for.
    stage.slack.file_delay = 0
    for number in range(CHANNELS):
        stage.slack.add_channel(Channel(f"C0MANY{number}", f"many-{number}"))
    world.add_campaign(221, typed.CAMPAIGNS[221], now - timedelta(days=9), 8, leaves=timedelta(days=2))
    for number in (231, 232, 233, 234):
        stage.stannp.campaigns[number] = MailCampaign(number, typed.CAMPAIGNS[number], "draft", now - timedelta(days=3))
    made = {}
    for (name, one), piece in zip(typed.PEOPLE.items(), stage.stannp.pieces_of(222), strict=False):
        piece.firstname, piece.lastname, piece.company = one.first, one.last, one.company
        piece.address1, piece.city, piece.county, piece.postcode = one.street, one.city, one.state, one.zip
        made[name] = piece
    world.advance(now)
    await stage.poll()
    for piece in made.values():
        await stage.say("/mailtrack", str(piece.id))
    return made


async def at_rest(stage: Stage) -> None:
    """Waits until everything that was typed or pressed is answered."""
    kinds = ("command:", "action:")
    await stage.until(lambda: not [one for one in stage.app.in_flight.tasks if one.get_name().startswith(kinds)])


async def typing(stage: Stage, command: str, text: str, channel: str = "") -> list[Any]:
    """What Ana then sees: messages, and a form that opened."""
    before = len(stage.slack.messages)
    stage.slack.close_views(ANA)
    channel = channel or f"C0MANY{before % CHANNELS}"
    assert (await stage.slack.command(ANA, channel, command, text)).ok
    await at_rest(stage)
    return [*stage.slack.messages[before:], *stage.slack.stack_of(ANA)]


def elements(message: Posted) -> list[dict[str, Any]]:
    """Everything in a message that can be pressed or chosen."""
    inner = [[block.get("accessory"), *block.get("elements", [])] for block in message.blocks]
    return [one for many in inner for one in many if isinstance(one, dict) and "action_id" in one]


def values_in(block: dict[str, Any], action: str) -> bool:
    return str(dict(block.get("accessory") or {}).get("action_id")) == action


def values(message: Posted, action: str) -> list[str]:
    """What its buttons and menus of this name carry."""
    found = [one for one in elements(message) if one["action_id"] == action]
    return [
        str(value)
        for one in found
        for value in [one.get("value"), *(o["value"] for o in one.get("options", []))]
        if value
    ]


class Judge:
    """Compares what came with what was meant."""

    def __init__(self, refs: dict[CampaignId, str], pieces: dict[PieceId, str]) -> None:
        self.refs, self.pieces = refs, pieces

    def chosen(self, value: str) -> tuple[str, object]:
        campaign_id, span = buttons.carried(value)
        days = (span.days.first, span.days.last)
        return (self.refs[campaign_id] if campaign_id else ""), days

    def status(self, seen: Sequence[Posted], meant: str, days: object) -> str:
        if not seen:
            return "dead"
        message = seen[0]
        if "+" in meant:
            wanted = [typed.CAMPAIGNS[int(ref)] for ref in meant.split("+") if ref]
            both = len(values(message, "refresh_status")) == 0 and " vs " in message.text
            named = all(name in message.text for name in wanted)
            if message.only_for is None:
                return "answered" if both and named else "WRONG"
            offered = [str(block.get("text")) for block in message.blocks if values_in(block, "compare_mail")]
            return "click" if [one for one in offered if all(name in one for name in wanted)] else "dead"

        def fits(got: tuple[str, object]) -> bool:
            return got[0] in meant.split("|") and days in (typed.ANY, got[1])

        answers = [self.chosen(value) for value in values(message, "refresh_status")]
        if answers:
            # Before it may stand the way to the nearest month that has mail.
            return "answered" if "|" not in meant and fits(answers[-1]) else "WRONG"
        choices = [self.chosen(value) for value in values(message, "pick_campaign")]
        if choices:
            mine = [one for one in choices if one[0] in meant.split("|")]
            if len(mine) < len(meant.split("|")):
                return "hint"
            return "click" if all(fits(one) for one in mine) else "WRONG"
        return self.told(message, [typed.CAMPAIGNS[int(ref)] for ref in meant.split("|") if ref])

    def track(self, seen: Sequence[Posted], ref: str, name: str) -> str:
        if not seen:
            return "dead"
        message = seen[0]
        answers = [self.pieces[PieceId(int(value))] for value in values(message, "share_piece")]
        if answers:
            return "answered" if answers == [ref] else "WRONG"
        choices = [self.pieces[PieceId(int(value))] for value in values(message, "pick_piece")]
        if choices:
            return "click" if ref in choices else "WRONG"
        return self.told(message, [name])

    @staticmethod
    def told(message: Posted, names: Sequence[str]) -> str:
        return "hint" if any(name in message.text for name in names) or "These work" in message.text else "dead"


def came_back(seen: Sequence[Posted]) -> str:
    """Of who asked what came back: whether that was answered, to them alone."""
    told = [one for one in seen if one.only_for and re.match(r"Nothing |\d+ pieces? ", one.text)]
    return "answered" if told else "WRONG"


async def judge_of(stage: Stage) -> Judge:
    def look(connection: Any) -> tuple[dict[CampaignId, str], dict[PieceId, str]]:
        key = stage.app.workspace.id
        names = queries.campaign_names(connection, key)
        rows = connection.exec_driver_sql("SELECT id, ref FROM pieces").all()
        return {one.id: one.ref for one in names}, {PieceId(row.id): row.ref for row in rows}

    return Judge(*await stage.app.services.memory.read(look))


def report(found: list[tuple[str, str]]) -> Counter[str]:
    """Prints what was not answered, worst first, and gives how often each kind came."""
    for kind in reversed(KINDS[1:]):
        for said, line in found:
            if said == kind:
                print(f"{said:9} {line}")
    counted = Counter(said for said, _ in found)
    print({kind: counted[kind] for kind in KINDS}, "of", len(found))
    return counted


def lines_of(today: date) -> list[tuple[str, str, object]]:
    """What was written by hand."""
    return [*typed.status_lines(today), *typed.compared_lines(), *typed_later.status_lines(today)]


def require_no_dead_ends(counted: Counter[str]) -> None:
    total = sum(counted.values())
    assert counted["dead"] == counted["WRONG"] == 0, counted
    assert (counted["answered"] + counted["click"]) / total >= 110 / 130, counted


@pytest.mark.timeout(400)
@BY_CHANCE
async def test_what_people_type_behind_mailstatus_is_answered_or_one_click_away(stage: Stage, seed: int | None) -> None:
    await furnish(stage)
    judge = await judge_of(stage)
    today = stage.app.services.clock.now().astimezone(ZoneInfo(stage.slack.users[ANA].zone)).date()
    found = []
    for text, meant, days in lines_of(today) if seed is None else typed.status_by_chance(random.Random(seed), today):
        seen = await typing(stage, "/mailstatus", text)
        judged = came_back(seen) if meant == "returns" else judge.status(seen, meant, days)
        found.append((judged, f"/mailstatus {text}"))
    require_no_dead_ends(report(found))


@pytest.mark.timeout(400)
@BY_CHANCE
async def test_what_people_type_behind_mailtrack_is_answered_or_one_click_away(stage: Stage, seed: int | None) -> None:
    made = await furnish(stage)
    judge = await judge_of(stage)
    found = []
    lines = [*typed.TRACK_LINES, *typed_later.TRACK_LINES]
    for text, name in lines if seed is None else typed.track_by_chance(random.Random(seed)):
        asked = text.format(**{key: piece.id for key, piece in made.items()}) if seed is None else text
        seen = await typing(stage, "/mailtrack", asked)
        found.append((judge.track(seen, str(made[name].id), typed.PEOPLE[name].last), f"/mailtrack {asked}"))
    require_no_dead_ends(report(found))


async def standing(stage: Stage, channel: ChannelId) -> str:
    """How the channel stands: the campaigns that it is told of, and whether it is muted."""
    services, key = stage.app.services, stage.app.workspace.id
    current = await services.memory.read(workspaces.subscriptions_of, key, channel)
    known = {one.id: one.ref for one in await services.memory.read(queries.campaign_names, key)}
    refs = sorted((known.get(one.campaign_id, "0") for one in current), reverse=True)
    return ",".join(refs) + (" muted" if current and current[0].muted_until else "")


async def set_up(stage: Stage, channel: ChannelId, before: str) -> None:
    refs, _, muted = before.partition(" ")
    services, key = stage.app.services, stage.app.workspace.id
    now = services.clock.now()

    def work(connection: Any) -> None:
        workspaces.unsubscribe(connection, key, channel)
        # "on" is to turn on what it says, not what the line before left.
        connection.execute(update(channels).where(channels.c.workspace_id == key).values(ended=None))
        known = {one.ref: one.id for one in queries.campaign_names(connection, key)} | {"0": CampaignId(0)}
        for ref in refs.split(",") if refs else ():
            wants = [NotifyOn.RETURNED, NotifyOn.CANCELLED]
            workspaces.subscribe(connection, key, channel, known[ref], wants, UserId(ANA), now)
        outbox.mute(connection, key, channel, now + timedelta(hours=1) if muted else None)

    await services.memory.write(work)


async def alerted(stage: Stage, channel: ChannelId, before: str, text: str, after: str) -> str:
    """Whether the channel then stands as it was meant; else whether a button leads there."""
    await set_up(stage, channel, before)
    seen = await typing(stage, "/mailalerts", text, channel)
    if after == "form":
        return "answered" if [one for one in seen if not isinstance(one, Posted)] else "dead"
    if after == "?":
        said = "".join(one.text for one in seen if isinstance(one, Posted))
        return "answered" if "all campaigns" in said or "Spring lapsed" in said else "dead"
    if after == "there":
        # Of another channel nothing is said here, but where to ask.
        return "answered" if any("Type it in #" in one.text for one in seen if isinstance(one, Posted)) else "dead"
    now = await standing(stage, channel)
    if now == after:
        return "answered"
    if now != before:
        return "WRONG"
    pressable = [(one, value) for one in seen if isinstance(one, Posted) for value in values(one, "alerts_do")]
    for message, value in pressable:
        if value not in values(message, "alerts_do"):
            # What was pressed before took its place; a person would have pressed this one.
            seen = await typing(stage, "/mailalerts", text, channel)
            message = next(one for one in seen if isinstance(one, Posted))  # noqa: PLW2901
        await stage.press(message, "alerts_do", value)
        await at_rest(stage)
        if await standing(stage, channel) == after:
            return "click"
        await set_up(stage, channel, before)
    return "hint" if seen else "dead"


@pytest.mark.timeout(400)
@BY_CHANCE
async def test_what_people_type_behind_mailalerts_is_done_or_one_click_away(stage: Stage, seed: int | None) -> None:
    await furnish(stage)
    found = []
    lines = (
        [*typed.ALERT_LINES, *typed_later.ALERT_LINES] if seed is None else typed.alerts_by_chance(random.Random(seed))
    )
    for number, (before, text, after) in enumerate(lines):
        said = await alerted(stage, ChannelId(f"C0MANY{number % CHANNELS}"), before, text, after)
        found.append((said, f"/mailalerts {text}  ({before or 'off'} → {after})"))
    require_no_dead_ends(report(found))


async def test_the_channel_that_is_typed_in_may_be_named(stage: Stage) -> None:
    name = stage.slack.channels[OPS].name
    said = await stage.say("/mailalerts", f"on #{name}")
    assert "mail alerts on for all campaigns" in said.text
    assert await standing(stage, ChannelId(OPS)) == "0"
