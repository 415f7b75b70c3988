"""Whether we were removed is found out in the end, whatever stands in the way; and a stop loses no token."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.app import running
from bot.sandbox.cloud import SlackCloud
from bot.sandbox.slack import Fault
from handlers.context.services import Services
from handlers.setup import leaving
from handlers.setup.leaving import Leaving
from storage import secrets as sealed_secrets
from storage import workspaces
from storage.database import open_database
from storage.records import Workspace, WorkspaceId
from storage.secrets import SecretKind
from storage.vault import Vault, new_key
from tests.house import ACME, BOLT, House, doubles, house

UNINSTALLED = {"type": "app_uninstalled"}
REVOKED = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0BOT"]}}


@pytest.fixture
async def two(sqlite_url: str) -> AsyncIterator[House]:
    """Two workspaces, installed."""
    async with house(sqlite_url) as made:
        await made.install(ACME)
        await made.install(BOLT)
        yield made


async def workspace_of(made: House, team: str = ACME) -> Workspace:
    return await made.tenants.template.memory.read(workspaces.by_team, team)


async def idle(made: House) -> None:
    """Nothing that was begun by a request is still under way."""
    assert made.app is not None
    tasks = made.app.in_flight.tasks
    await made.until(lambda: not [task for task in tasks if not task.get_name().startswith("tick:")])


async def look_again(made: House) -> None:
    await Leaving(made.tenants.template, made.tenants).look_again()


async def test_a_token_that_still_works_at_once_is_looked_at_again_before_it_is_believed(
    two: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Slack tells us before all of its machines know.
    assert (await two.slack(ACME).tell(UNINSTALLED)).ok
    await idle(two)
    two.slack(ACME).faults.append(Fault("auth.test", error="account_inactive", times=9))
    await look_again(two)
    assert (await workspace_of(two)).removed_at is not None
    # One that goes on working is believed.
    assert (await two.slack(BOLT).tell(UNINSTALLED)).ok
    await idle(two)
    monkeypatch.setattr(leaving, "LASTS", leaving.LASTS * 0)
    await look_again(two)
    stays = await workspace_of(two, BOLT)
    assert (stays.removed_at, stays.leaving_at) == (None, None)


async def test_what_breaks_for_one_does_not_keep_the_others_from_being_looked_into(
    two: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [(await workspace_of(two, team)).id for team in (ACME, BOLT)]
    for team in (ACME, BOLT):
        two.slack(team).faults.append(Fault("auth.test", status=503, times=2))
        assert (await two.slack(team).tell(UNINSTALLED)).ok
    await idle(two)
    of, looked = type(two.tenants).of, []

    async def broken(many: Any, workspace_id: WorkspaceId) -> Services:
        looked.append(workspace_id)
        if len(looked) == 1:
            raise RuntimeError("broken")
        return await of(many, workspace_id)

    monkeypatch.setattr(type(two.tenants), "of", broken)
    with pytest.raises(RuntimeError):
        await look_again(two)
    assert sorted(looked) == sorted(keys)


@pytest.mark.parametrize("event", [UNINSTALLED, REVOKED], ids=["uninstalled", "revoked"])
async def test_a_removal_is_heard_while_the_secret_does_not_open(two: House, event: dict[str, object]) -> None:
    many, key = two.tenants, (await workspace_of(two)).id
    memory, now = many.template.memory, many.template.clock.now()
    kept = await memory.read(sealed_secrets.sealed, key, SecretKind.SLACK)
    await memory.write(sealed_secrets.keep_secret, Vault([new_key()]), key, SecretKind.SLACK, {}, now)
    many.forget(key)
    await two.slack(ACME).tell(event)
    await idle(two)
    assert (await workspace_of(two)).leaving_at is not None, "it was lost"
    # The key is back.
    await memory.write(
        lambda c: c.exec_driver_sql("UPDATE secrets SET sealed = ? WHERE workspace_id = ?", (kept, key)).rowcount
    )
    two.slack(ACME).faults.append(Fault("auth.test", error="account_inactive", times=9))
    await look_again(two)
    assert (await workspace_of(two)).removed_at is not None


async def test_whose_secret_is_gone_has_left(two: House, caplog: pytest.LogCaptureFixture) -> None:
    many, key = two.tenants, (await workspace_of(two)).id
    two.slack(ACME).faults.append(Fault("auth.test", status=503, times=1))
    assert (await two.slack(ACME).tell(UNINSTALLED)).ok
    await idle(two)
    await many.template.memory.write(sealed_secrets.drop_secret, key, SecretKind.SLACK)
    caplog.clear()
    await look_again(two)
    assert (await workspace_of(two)).removed_at is not None
    assert "leaving.unclear" not in caplog.text


# ---- Tokens that end --------------------------------------------------------------------------------------------


async def test_a_stop_waits_for_the_record_of_a_new_token(sqlite_url: str) -> None:
    async with doubles(sqlite_url) as made:
        made.cloud.lifetime = 3600
        async with running(made.settings) as app:
            made.app = app
            made.cloud.send_to(f"{made.public}/slack/events")
            await made.install(ACME)
            await idle(made)
            made.cloud.hold, made.cloud.lifetime = asyncio.Event(), 43_200
            made.tenants.opened.clear()
            key, vault = (await workspace_of(made)).id, made.tenants.vault
            asking = asyncio.create_task(made.tenants.of(key))
            await made.until(lambda: made.cloud.holding)
            # Who asked has gone, and we are told to stop before Slack answers.
            asking.cancel()
            asyncio.get_running_loop().call_later(0.5, made.cloud.hold.set)
        opened = open_database(sqlite_url)
        kept = opened.read(sealed_secrets.secret, vault, key, SecretKind.SLACK)
        opened.close()
    assert kept is not None
    assert kept["token"] == made.slack(ACME).bot_token, "Slack's answer was lost"


@pytest.mark.parametrize("odd", [{"access_token": None}, {"expires_in": "soon"}, {"expires_in": 10**30}])
async def test_a_renewal_with_an_odd_answer_breaks_nothing(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, odd: dict[str, object]
) -> None:
    async with house(sqlite_url) as made:
        made.cloud.lifetime, made.cloud.grace = 3600, 60
        await made.install(ACME)
        await idle(made)
        key, issue = (await workspace_of(made)).id, SlackCloud._issue

        def oddly(cloud: SlackCloud, grant: Any) -> dict[str, Any]:
            answer = issue(cloud, grant) | odd
            return {name: value for name, value in answer.items() if value is not None}

        monkeypatch.setattr(SlackCloud, "_issue", oddly)
        made.tenants.opened.clear()
        for _ in range(2):
            services = await made.tenants.of(key)
            await services.slack.test()
            made.tenants.opened.clear()
        assert "Traceback" not in caplog.text
