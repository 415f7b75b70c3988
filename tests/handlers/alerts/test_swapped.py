"""Whatever is typed, pressed and saved in whatever order, also late and twice, in two channels: what is said is so."""

import os
import random
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from handlers.alerts import actions, commands
from handlers.alerts.table import TABLE
from handlers.errors import Refusal
from handlers.text.buttons import Action, Form
from storage import channel_settings, workspaces
from storage.records import ChannelId, ChannelSettings, Subscription
from storage.statuses import Status
from tests.handlers.alerts.test_unwidened import as_shown
from tests.handlers.conftest import ANA, BEN, OPS, Office, pressable

SALES = ChannelId("C0SALES")
TYPED = (
    "on", "on", "on all", "on Spring lapsed", "on Fall catalog", "off", "off", "off Spring lapsed", "off all", "mute 2h",
    "mute until Monday", "mute 5m", "mute", "unmute", "only Spring lapsed", "only tell us about Winter", "turn it back on",
)  # fmt: skip
#: What stands in a channel: campaigns with their news, the end of a mute that lasts, and the hours.
Standing = tuple[dict[int, frozenset[str]], datetime | None, ChannelSettings]


def standing(office: Office, channel: ChannelId) -> Standing:
    def look(connection: Any) -> Standing:
        on: list[Subscription] = workspaces.subscriptions_of(connection, office.workspace.id, channel)
        until = channel_settings.muted_until(connection, office.workspace.id, channel)
        lasts = until if channel_settings.is_muted(until, office.clock.now()) else None
        chosen = channel_settings.of(connection, office.workspace.id, channel)
        return {one.campaign_id: frozenset(one.notify_on) for one in on}, lasts, chosen

    return office.read(look)


class Channel:
    """A channel, what was shown there that can be pressed, and the settings that somebody has open."""

    def __init__(self, office: Office, name: ChannelId) -> None:
        self.office, self.name = office, name
        self.buttons: list[tuple[str, str]] = []
        self.forms: list[Any] = []

    async def act(self, dice: random.Random) -> str:
        office, kind = (
            self.office,
            dice.choice(("type", "type", "type", "press", "press", "press", "open", "save", "wait")),
        )
        request = office.request(user=dice.choice((ANA, BEN)), channel=self.name)
        if kind == "type":
            text = dice.choice(TYPED)
            await commands.mail_alerts(office.services, replace(request, text=text))
            return text
        if kind == "press" and self.buttons:
            action, value = dice.choice(self.buttons)
            press = actions.undo if action == Action.ALERTS_UNDO else actions.carry_out
            await press(office.services, request, value)
            return f"press {action} {value}"
        if kind == "open":
            await commands.mail_alerts(office.services, replace(request, text=""))
            self.forms.append(office.slack.last.shown)
        if kind == "save" and self.forms:
            form = as_shown(dice.choice(self.forms))
            await TABLE.forms[Form.ALERTS].handler(office.services, replace(request, response_url=""), form)
            return "save"
        if kind == "wait":
            office.clock.pass_time(minutes=dice.choice((1, 4, 7, 70)))
        return kind


SEEDS = range(int(os.environ.get("SWAPPED", "6")))


@pytest.mark.parametrize("seed", SEEDS)
async def test_what_is_said_is_so(office: Office, seed: int) -> None:
    dice = random.Random(seed)
    for ref, name in (("222", "Spring lapsed"), ("223", "Fall catalog"), ("224", "Winter")):
        await office.campaign(Status.DELIVERED, ref=ref, name=name)
    places, story = [Channel(office, OPS), Channel(office, SALES)], list[str]()
    for _ in range(30):
        here, there = dice.sample(places, 2)
        before, other = standing(office, here.name), standing(office, there.name)
        said, lines, moment = len(office.slack.said), len(office.log()), office.clock.now()
        try:
            did = await here.act(dice)
        except Refusal as refusal:
            did = f"refused: {refusal}"
        after, new = standing(office, here.name), office.slack.said[said:]
        story.append(
            f"{here.name} {did}: {[(one.way, one.text[:150]) for one in new if one.way != 'open']} → {after[:2]}"
        )
        told = "\n".join(story)
        for one in new:
            if one.way != "open":
                here.buttons += [
                    b for b in pressable(one.shown.blocks) if b[0] in (Action.ALERTS_UNDO, Action.ALERTS_DO)
                ]
        if office.clock.now() == moment:
            assert standing(office, there.name) == other, told
            changed = after != before
            assert len(office.log()) - lines == changed, told
            assert bool([one for one in new if one.way in ("post", "edit") or one.text.startswith("<@")]) == changed, (
                told
            )
        words = " ".join(one.text for one in new if one.way != "open")
        require_true(words, did, before, after, str([one.shown for one in new]), told)


def require_true(words: str, did: str, before: Standing, after: Standing, shown: str, told: str) -> None:
    """What is said of a channel is how it stands, and nothing that it had grows by itself."""
    on, muted = after[0], after[1]
    claims = [
        ("Alerts are on here" in words or "already on" in words or "on again" in words, bool(on)),
        ("Alerts are off here" in words or "gets no alerts" in words, not on),
        ("uted until" in words, muted is not None),
        (did in ("on", "turn it back on") and bool(before[0]), on == before[0]),
        (did.startswith("press alerts_do") and "only" in did and on != before[0], len(on) == 1),
        (muted is not None and bool(on) and on != before[0] and "turned off" not in words, "uted until" in shown),
    ]
    assert all(so for said, so in claims if said), (claims, told)
