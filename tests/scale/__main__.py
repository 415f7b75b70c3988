"""`make scale`: prints what each thing costs, and what 1,000 workspaces of a million pieces a month would need.

ARGS="seconds=60 workspaces=40 polled=10 pieces=1000" are the usual: webhooks tell of the mail of all workspaces, and
some have a mail account with so many pieces that is polled without a pause. Two or three minutes.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.data import postgres
from tests.scale.account import Size, largest, resources, said, table
from tests.scale.fleet import fleet_of, measured

USUAL = {"seconds": 60, "workspaces": 40, "polled": 10, "pieces": 1000}


def server_of(folder: Path) -> int:
    """The process of the PostgreSQL in this folder."""
    return int((folder / "postmaster.pid").read_text().split()[0])


async def main() -> None:
    given = USUAL | {key: int(value) for key, value in (word.split("=") for word in sys.argv[1:])}
    with tempfile.TemporaryDirectory(prefix="scale-", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with postgres(folder / "postgres") as create:
            url = create("scale")
            words = given["workspaces"], given["polled"], given["pieces"]
            # One piece in a hundred rises while a workspace waits two seconds for its next poll.
            async with fleet_of(url, server_of(folder / "postgres"), folder, words, 200.0) as fleet:
                units, done = await measured(fleet, given["seconds"])
    size = Size()
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; done: {', '.join(f'{v:,.0f} {k}' for k, v in done.items())}"
    )
    print(f"\n{said(units)}\n\n{table(units, size)}\n")
    first = resources(units, size)[0]
    print(f"First to end: {first.resource}. So many workspaces fit: {largest(units, size):,.0f}.")


if __name__ == "__main__":
    asyncio.run(main())
