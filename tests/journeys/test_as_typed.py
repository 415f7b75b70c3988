"""What people and platforms say arrives as they said it: escaped once, where it is shown."""

import json
from datetime import timedelta
from functools import partial
from html import unescape

from bot.sandbox.stannp import Trouble
from tests.journeys.conftest import ANA, Stage, everything

NAMED = "Tom & Jerry <b>"


async def test_what_the_platform_refuses_is_shown_as_it_said_it(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "New Year draft")
    said = "<!channel> 5 < 6 & so on"
    body = json.dumps({"success": False, "error": said})
    stage.stannp.troubles.append(Trouble("campaigns/", status=400, body=body, times=9))
    before = await stage.press(answer, "cancel_campaign")
    told = await stage.answer(before)
    assert "<!" not in told.text
    assert said in unescape(told.text)
    stage.stannp.troubles.clear()


async def test_an_unknown_name_is_shown_as_it_was_typed(stage: Stage) -> None:
    for command in ("/mailalerts", "/mailstatus"):
        answer = await stage.say(command, f"{'on ' if command == '/mailalerts' else ''}{NAMED}")
        assert f"“{NAMED}”" in unescape(answer.text), command
        assert "<" not in answer.text


async def test_a_workflows_step_says_it_in_plain_words(stage: Stage) -> None:
    for name, key in (("get_campaign_status", "campaign"), ("track_a_piece", "piece")):
        step = await stage.slack.run_step(name, {key: NAMED})
        assert NAMED in await stage.until(partial(getattr, step, "error"))


async def test_the_audit_log_names_a_campaign_as_it_is_named(stage: Stage) -> None:
    stage.world.add_campaign(400, NAMED, stage.world.now, 3, leaves=timedelta(days=90))
    await stage.poll()
    await stage.say("/mailalerts", f"on {NAMED}")
    await stage.slack.open_home(ANA)
    home = await stage.until(
        lambda: stage.slack.homes.get(ANA) if "open_audit_log" in str(stage.slack.homes.get(ANA)) else None
    )
    await stage.press(home, "open_audit_log")
    shown = everything(await stage.modal(holding="audit_export"))
    assert NAMED in unescape(shown)
    assert "<b" not in shown
