"""A channel's alerts are turned off, and later on again: they are what they were."""

import asyncio

from bot.sandbox.slack import Posted, find_element, initial_values
from handlers.text.buttons import Hours, Limit
from handlers.text.codec import write
from storage import channel_settings, workspaces
from storage.records import ChannelId, ChannelSettings, NotifyOn
from tests.journeys.conftest import ANA, OPS, Stage, everything

CHOSEN = {"returned", "weekly", "aloud"}


async def standing(stage: Stage) -> tuple[list[tuple[int, frozenset[NotifyOn]]], ChannelSettings]:
    memory, key = stage.app.services.memory, stage.app.workspace.id
    found = await memory.read(workspaces.subscriptions_of, key, ChannelId(OPS))
    hours = await memory.read(channel_settings.of, key, ChannelId(OPS))
    return [(one.campaign_id, one.notify_on) for one in found], hours


async def choose(stage: Stage) -> None:
    """In the settings: a weekly report, a digest at eight, quiet nights, and an alarm above ten per cent."""
    assert (await stage.slack.command(ANA, OPS, "/mailalerts")).ok
    form = await stage.modal(holding="Mail alerts")
    values = initial_values(form.view)
    values["wants"] = {"wants": {"selected_options": [{"value": want} for want in sorted(CHOSEN)]}}
    for name, chosen in (("digest", Limit(8)), ("quiet", Hours(22, 7)), ("alarm", Limit(10))):
        values[name] = {name: {"selected_option": {"value": write(chosen)}}}
    assert (await stage.slack.submit(ANA, form, values)).ok
    hours = ChannelSettings("America/Chicago", 8, (22, 7), 10)
    await until_it_stands(stage, ([(0, frozenset(map(NotifyOn, CHOSEN)))], hours))


async def until_it_stands(stage: Stage, so: tuple[list[tuple[int, frozenset[NotifyOn]]], ChannelSettings]) -> None:
    for _ in range(500):
        if await standing(stage) == so:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(await standing(stage))


def as_read(answer: Posted) -> str:
    return f"{answer.text} {everything(answer)}"


async def test_off_and_on_again_brings_the_report_and_the_alarm_back(stage: Stage) -> None:
    await choose(stage)
    before = await standing(stage)
    off = await stage.say("/mailalerts", "off")
    assert "`/mailalerts on` brings them back as they were." in off.text
    assert (await standing(stage))[0] == []
    on = as_read(await stage.say("/mailalerts", "on"))
    assert await standing(stage) == before
    for what in ("on again, as they were", "weekly report", "a digest at 8:00 AM", "an alarm above 10% returns"):
        assert what in on
    assert {str(one) for one in before[0][0][1]} == CHOSEN


async def test_undo_the_form_and_a_new_invitation_bring_it_back_as_well(stage: Stage) -> None:
    await choose(stage)
    before = await standing(stage)
    await stage.press(await stage.say("/mailalerts", "off"), "alerts_undo")
    await until_it_stands(stage, before)
    await stage.say("/mailalerts", "off")
    stage.slack.channels[OPS].bot_in = False
    assert "/invite" in (await stage.say("/mailalerts", "on")).text
    assert (await standing(stage))[0] == []
    stage.slack.channels[OPS].bot_in = True
    assert (await stage.slack.command(ANA, OPS, "/mailalerts")).ok
    form = await stage.modal(holding="Mail alerts")
    assert find_element(form.view["blocks"], "alarm")["initial_option"]["value"] == write(Limit(10))
    assert (await stage.slack.submit(ANA, form)).ok
    await until_it_stands(stage, before)
