"""A change of the mail account and its line in the audit log are one transaction, and so are a choice of alerts and what
it takes the place of."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from bot.sandbox.slack import View, initial_values
from storage import channel_settings, workspaces
from storage.audit import Act
from storage.records import ChannelId
from storage.schema.tables import workspaces as table
from tests.house import ACME, House, house
from tests.journeys.conftest import ANA, OPS, Stage
from tests.journeys.test_approvals import silent

BOSS = "U0ANA"


@pytest.fixture(params=["sqlite_url", "postgres_url"])
async def one(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with house(request.getfixturevalue(request.param)) as made:
        await made.install(ACME)
        yield made


async def went_wrong(made: House) -> None:
    await made.until(lambda: "went wrong" in str([v.view for v in made.slack(ACME).stack_of(BOSS)]))


async def webhook_form(made: House) -> View:
    slack = made.slack(ACME)
    home = await made.until(lambda: slack.homes[BOSS] if "set_up_webhook" in str(slack.homes[BOSS].view) else None)
    assert (await slack.press(BOSS, home, "set_up_webhook")).ok
    return await made.modal(ACME, BOSS, "save_webhook")


async def test_a_connected_account_and_its_line_are_one(one: House, monkeypatch: pytest.MonkeyPatch) -> None:
    silent(monkeypatch, Act.CONNECTED)
    slack = one.slack(ACME)
    home = await one.until(lambda: slack.homes.get(BOSS))
    assert (await slack.press(BOSS, home, "connect_account")).ok
    form = await one.modal(ACME, BOSS, "save_account")
    await one.submit(ACME, BOSS, form, key=one.mail[ACME].api_key, region="us")
    await went_wrong(one)
    connected = await one.tenants.template.memory.read(lambda c: c.scalar(select(table.c.connected_at)))
    assert connected is None


async def test_a_changed_webhook_and_its_line_are_one(one: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await one.connect(ACME)
    form = await webhook_form(one)
    memory, key = one.tenants.template.memory, select(table.c.webhook_key)
    before = await memory.read(lambda c: c.scalar(key))
    silent(monkeypatch, Act.WEBHOOK)
    assert (await one.slack(ACME).press(BOSS, form, "new_webhook")).ok
    await went_wrong(one)
    assert await memory.read(lambda c: c.scalar(key)) == before


async def test_a_choice_of_alerts_and_its_hours_are_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    memory, key = stage.app.services.memory, stage.app.workspace.id
    await stage.say("/mailalerts", "on Spring lapsed")
    await stage.slack.command(ANA, OPS, "/mailalerts")
    form = await stage.modal(holding="save_alerts")

    def broken(*_args: object) -> None:
        raise ValueError("the process dies here")

    monkeypatch.setattr(channel_settings, "keep", broken)
    values = initial_values(form.view)
    next(iter(values["campaign"].values()))["selected_option"] = {"value": "0"}
    assert (await stage.slack.submit(ANA, form, values)).ok
    await stage.until(lambda: [m for m in stage.slack.messages if "went wrong" in m.text])
    found = await memory.read(workspaces.subscriptions_of, key, ChannelId(OPS))
    assert [one.campaign_id != 0 for one in found] == [True], "it is told of more, at no hours that were chosen"
