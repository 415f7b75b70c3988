"""Rude platforms, stopped polls, dropped sockets, repeats: the answer still comes, once, and nobody's data leaks."""

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from bot.sandbox.slack import Fault
from bot.sandbox.stannp import MailCampaign, Trouble
from storage import workspaces
from storage.queries import mail as queries
from storage.queries import piece_pages
from storage.queries.piece_pages import PieceFilter
from storage.records import CampaignId, PlatformState
from tests.journeys.conftest import ANA, OPS, Stage, everything, is_news
from tests.rudeness import NAMELESS
from tests.storage.test_mailings import recount, snapshot


class Interrupted(Exception):
    """The process stops here."""


class Stopping:
    """The platform, until it has been asked so many times: then the process stops."""

    def __init__(self, real: Any, calls: int) -> None:
        self.real, self.left = real, calls

    def count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Interrupted

    def __getattr__(self, name: str) -> Any:
        if name == "profile":
            return self.real.profile
        if name in ("pieces", "campaign_pieces"):
            return partial(self.pages, name)

        async def request(*words: Any) -> Any:
            self.count()
            return await getattr(self.real, name)(*words)

        return request

    async def pages(self, name: str, *words: Any) -> Any:
        self.count()
        async for page in getattr(self.real, name)(*words):
            self.count()
            yield page


async def mixes(stage: Stage) -> dict[str, int]:
    services, workspace = stage.app.services, stage.app.workspace
    found = await services.memory.read(queries.mixes, workspace.id)
    names = {one.id: one.facts.name for one in await services.memory.read(queries.campaigns_of, workspace.id)}
    return {names.get(key, "none"): mix.total for key, mix in found.items()}


async def test_a_poll_that_is_stopped_anywhere_goes_on_where_it_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for piece in stage.stannp.pieces_of(222):
        piece.move("delivered", datetime.now(UTC))
    newcomer = stage.world._make_piece(223, stage.world.now)
    stage.stannp.pieces[newcomer.id] = newcomer
    services = stage.app.services
    real = services.platform
    stopped = 0
    for calls in range(60):
        object.__setattr__(services, "platform", Stopping(real, calls))
        try:
            await stage.poll()
        except Interrupted:
            stopped += 1
        else:
            break
    object.__setattr__(services, "platform", real)
    assert stopped > 5
    assert await mixes(stage) == {"Spring lapsed": 12, "Holiday postcards": 5, "Spring welcome": 1}
    end = await services.memory.read(snapshot)
    assert end["tallies"] == await services.memory.read(recount)
    await stage.poll()
    assert await services.memory.read(snapshot) == end


@pytest.mark.calm(*NAMELESS)
async def test_a_small_account_without_campaign_reports_is_placed_piece_by_piece(stage: Stage) -> None:
    stage.stannp.offers_singles, stage.stannp.reports = False, ("list",)
    workspace = stage.app.workspace
    await stage.app.services.memory.write(workspaces.keep_platform_state, workspace.id, PlatformState())
    for _ in range(3):
        newcomer = stage.world._make_piece(225, datetime.now(UTC))
        stage.stannp.pieces[newcomer.id] = newcomer
    await stage.poll()
    assert (await mixes(stage))["Spring welcome"] == 4
    assert "4 pieces" in (await stage.say("/mailstatus", "Spring welcome")).text


@pytest.mark.calm(*NAMELESS)
async def test_an_account_with_campaign_reports_alone_is_read_piece_by_piece(stage: Stage) -> None:
    stage.stannp.reports = ()
    newcomer = stage.world._make_piece(225, datetime.now(UTC))
    stage.stannp.pieces[newcomer.id] = newcomer
    await stage.poll()
    assert (await mixes(stage))["Spring welcome"] == 2


async def test_hostile_rows_do_not_stop_a_poll_and_the_good_ones_are_kept(stage: Stage) -> None:
    stage.stannp.extra_rows = [
        None,
        {"id": "x" * 5000, "status": "\u0000"},
        {"id": {"a": 1}},
        {"status": "delivered"},
        7,
    ]
    newcomer = stage.world._make_piece(225, datetime.now(UTC))
    stage.stannp.pieces[newcomer.id] = newcomer
    await stage.poll()
    assert (await mixes(stage))["Spring welcome"] == 2


async def test_a_slow_platform_delays_the_answer_but_never_the_acknowledgement(stage: Stage) -> None:
    stage.stannp.troubles.append(Trouble("reporting", status=0, delay=20, times=9))
    begin = asyncio.get_running_loop().time()
    before = len(stage.slack.messages)
    assert (await stage.slack.command(ANA, OPS, "/mailstatus", "Spring lapsed")).ok
    assert asyncio.get_running_loop().time() - begin < 1
    assert "isn't answering" in everything(await stage.answer(before))


async def test_a_delivery_that_slack_repeats_is_answered_once(stage: Stage) -> None:
    event = {"type": "app_mention", "user": ANA, "channel": OPS, "text": "<@U0BOT> status Spring lapsed", "ts": "1.5"}
    body = {"type": "event_callback", "team_id": "T0ACME", "api_app_id": "A0", "event_id": "Ev1", "event": event}
    for attempt in range(3):
        # A second later, and so with another signature.
        assert (await stage.slack.deliver("events_api", body | {"event_time": attempt})).ok
    await stage.answer(0)
    await stage.until(lambda: not [t for t in stage.app.in_flight.tasks if t.get_name().startswith("event:")])
    assert len([m for m in stage.slack.messages if "12 pieces" in m.text]) == 1


async def test_a_dropped_socket_is_opened_again(stage: Stage, mode: str) -> None:
    if mode == "socket":
        await stage.slack.drop_sockets()
        await stage.until(lambda: [s for s in stage.slack.sockets if not s.closed], 30)
    assert "12 pieces" in (await stage.say("/mailstatus", "Spring lapsed")).text


async def test_two_campaigns_of_one_name_are_told_apart(stage: Stage) -> None:
    stage.stannp.campaigns[300] = MailCampaign(300, "Spring lapsed", "draft", datetime.now(UTC))
    await stage.poll()
    choice = await stage.say("/mailstatus", "Spring lapsed")
    assert "#222" in everything(choice)
    assert "#300" in everything(choice)
    assert "12 pieces" in (await stage.say("/mailstatus", "222")).text


async def test_a_button_of_an_older_version_is_answered(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    for block in answer.blocks:
        for element in block.get("elements", []):
            if element.get("action_id") == "refresh_status":
                element["action_id"] = "refresh_from_before"
    before = await stage.press(answer, "refresh_from_before")
    assert "out of date" in (await stage.answer(before)).text


async def test_an_answer_that_slack_cannot_take_is_given_up_and_the_next_one_comes(stage: Stage) -> None:
    fault = Fault("response_url", status=500, times=100)
    stage.slack.faults.append(fault)
    before = len(stage.slack.messages)
    assert (await stage.slack.command(ANA, OPS, "/mailstatus", "help")).ok
    await stage.until(lambda: not [t for t in stage.app.in_flight.tasks if t.get_name().startswith("command:")])
    # The answer was tried, and then the refusal; nothing hangs on.
    assert fault.times == 98
    assert len(stage.slack.messages) == before
    stage.slack.faults.clear()
    assert "/mailtrack" in everything(await stage.say("/mailtrack", "help"))


async def test_no_name_address_or_typed_word_reaches_the_log(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    piece = stage.stannp.pieces_of(222)[0]
    piece.lastname, piece.address1 = "Quuxley", "77 Plantedstreet"
    await stage.say("/mailalerts", "on")
    await stage.say("/mailtrack", str(piece.id))
    await stage.say("/mailtrack", "Quuxley")
    await stage.say("/mailstatus", "typedsecret")
    piece.move("returned", datetime.now(UTC))
    await stage.poll()
    await stage.until(lambda: [m for m in stage.slack.messages if is_news(m)])
    ours = [record for record in caplog.records if not record.name.startswith(("asyncio", "slack_sdk", "sqlalchemy"))]
    log = " ".join(str(record.msg) + str(record.args) for record in ours)
    for secret in ("Quuxley", "Plantedstreet", "typedsecret", stage.slack.bot_token, stage.stannp.api_key):
        assert secret not in log


async def test_another_workspaces_ids_open_nothing(stage: Stage) -> None:
    services = stage.app.services
    other = await services.memory.write(workspaces.ensure, "T0OTHER", "Other", "USD")
    known = await services.memory.read(queries.campaigns_of, stage.app.workspace.id)
    assert known
    for one in known:
        assert await services.memory.read(queries.campaign, other.id, CampaignId(one.id)) is None
        assert await services.memory.read(piece_pages.page, other.id, one.id, PieceFilter(), None, 5) == []
