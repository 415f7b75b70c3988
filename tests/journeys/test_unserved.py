"""What is still to be done for a workspace that cannot be served keeps no other workspace waiting."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.scheduler import INTENTS_AT_ONCE
from storage import intents, workspaces
from storage.intents import Kind
from storage.secrets import SecretKind, drop_secret
from tests.house import ACME, BOLT, House, house

pytestmark = pytest.mark.calm


@pytest.fixture(params=["sqlite_url", "postgres_url"])
async def two(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with house(request.getfixturevalue(request.param)) as made:
        await made.install(ACME)
        await made.install(BOLT)
        yield made


async def test_open_work_of_a_workspace_without_a_token_lets_the_others_work_be_done(two: House) -> None:
    memory = two.tenants.template.memory
    acme, bolt = [(await memory.read(workspaces.by_team, team)).id for team in (ACME, BOLT)]

    def left_behind(connection: Any) -> None:
        drop_secret(connection, acme, SecretKind.SLACK)
        for number in range(INTENTS_AT_ONCE):
            intents.keep(connection, acme, Kind.LOG, {"by": "U0ANA"}, name=f"left:{number}")

    await memory.write(left_behind)
    two.tenants.forget(acme)
    await memory.write(intents.keep, bolt, Kind.LOG, {"by": "U0BOB"})
    await two.until(lambda: [f for f in two.slack(BOLT).files.values() if f.name == "audit-log.csv"])
