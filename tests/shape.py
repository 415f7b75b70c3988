"""`make house`: the shape of the product in figures: rooms, arrows, how far a request travels, habits of its functions.

Beside each figure stands what it was before each capability had a folder of its own. How far something travels is
watched while it happens, between the doubles of Slack and the mail platform: every file of ours in which a function is
called, on every thread. `ARGS=files` lists them.
"""

import ast
import asyncio
import logging
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bot.app import running
from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from bot.telemetry import set_up_logging
from storage.database import open_database
from storage.schema import revision
from tests.journeys.conftest import Stage, a_small_world, people_and_places, settings_for

ROOT: Final = Path(__file__).parent.parent
LAYERS: Final = ("bot", "handlers", "storage")
#: Not the product: the doubles, and steps that are never called again.
LEFT_OUT: Final = ("bot/sandbox/", "storage/migrations/")
#: The same figures, counted in the same way, before each capability had its folder: handlers was one room of 46 files.
BEFORE: Final = {
    "files": "115", "largest room, files": "46 (handlers)", "arrows between files": "749", "imports in functions": "36",
    "private functions": "35%", "private functions called once": "21%", "/mailstatus Spring: files": "46",
    "/mailstatus Spring: files before the first decision": "17", "a webhook: files": "23",
    "a webhook: files before the first decision": "3", "Cancel this piece: files": "44",
    "Cancel this piece: files before the first decision": "18",
}  # fmt: skip
#: Where a wing begins to decide.
DECIDES: Final = {
    "/mailstatus Spring": ("handlers/status/commands.py", "mail_status"),
    "a webhook": ("handlers/ingest/webhooks.py", ""),
    "Cancel this piece": ("handlers/cancel/actions.py", "cancel_one"),
}
console = Console(width=120)


@dataclass
class Watch:
    """Notes the files of ours in which a function is called, while it is on."""

    on: bool = False
    calls: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, frame: FrameType, event: str, _arg: Any) -> None:
        if self.on and event == "call" and frame.f_code.co_filename.startswith(f"{ROOT}/"):
            path = frame.f_code.co_filename.removeprefix(f"{ROOT}/")
            if path.startswith(LAYERS) and not path.startswith(LEFT_OUT):
                self.calls.append((path, frame.f_code.co_name))

    def files(self) -> list[str]:
        """Each once, in the order in which they were first come to."""
        return list(dict.fromkeys(path for path, _ in self.calls))

    def before(self, path: str, function: str) -> int:
        """How many of them were passed before this."""
        for number, (one, name) in enumerate(self.calls):
            if one == path and function in ("", name):
                return len({passed for passed, _ in self.calls[:number]} - {path})
        raise AssertionError(f"{path}: nobody came by {function}")


@asynccontextmanager
async def staged(folder: str) -> AsyncIterator[Stage]:
    """The whole bot over sockets, its account read once, and no clock that would do anything beside."""
    slack, stannp = SlackDouble(), StannpDouble(per_minute=100_000)
    await slack.start()
    await stannp.start()
    people_and_places(slack)
    world = a_small_world(stannp)
    url = f"sqlite:///{folder}/house.db"
    made = open_database(url)
    revision.migrate(made)
    made.close()
    async with running(settings_for(slack, stannp, url, "http")) as app:
        slack.events_url = f"http://127.0.0.1:{app.port}/slack/events"
        stage = Stage(slack, stannp, world, app)
        await stage.until(
            lambda: "GET accounts/balance" in stannp.requests and not app.in_flight.is_running("tick:poll")
        )
        app.scheduler.pause()
        await app.in_flight.drain(5)
        yield stage
        await app.in_flight.drain(5)
    await slack.stop()
    await stannp.stop()


async def travelled() -> dict[str, Watch]:
    """What three things that people do run through, when everything was loaded before."""
    watch, found = Watch(), {}
    threading.setprofile(watch)
    sys.setprofile(watch)
    with tempfile.TemporaryDirectory() as folder:
        async with staged(folder) as stage:
            piece = stage.stannp.pieces_of(223)[0]
            returned = stage.stannp.pieces_of(222)[0]
            address = f"http://127.0.0.1:{stage.app.port}/webhooks/stannp"

            async def webhook() -> None:
                assert await stage.stannp.call_webhook(address, stage.stannp.delivery([returned], 0)) == 200

            async def status() -> None:
                await stage.say("/mailstatus", "Spring lapsed")

            await status()
            tracking = await stage.say("/mailtrack", str(piece.id))

            async def cancel() -> None:
                before = await stage.press(tracking, "cancel_piece")
                await stage.answer(before)

            for name, do in (("/mailstatus Spring", status), ("a webhook", webhook), ("Cancel this piece", cancel)):
                watch.on, watch.calls = True, []
                await do()
                await stage.app.in_flight.drain(5)
                watch.on = False
                found[name] = Watch(calls=watch.calls)
    sys.setprofile(None)
    threading.setprofile(None)
    return found


def sources() -> dict[str, ast.Module]:
    """Every file of the product, parsed."""
    paths = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
    names = {path.relative_to(ROOT).as_posix(): path for path in paths}
    return {name: ast.parse(path.read_text()) for name, path in names.items() if not name.startswith(LEFT_OUT)}


def room_of(path: str) -> str:
    """The folder; of a file directly in a layer, the file itself."""
    folder = path.rpartition("/")[0]
    return folder if folder not in LAYERS else path.removesuffix(".py")


def arrows(trees: dict[str, ast.Module]) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Which file imports from which, and which room from which other."""
    files = set()
    for path, tree in trees.items():
        for module in _imported(tree):
            to = f"{module.replace('.', '/')}.py"
            if to in trees and to != path:
                files.add((path, to))
    return files, {(room_of(a), room_of(b)) for a, b in files if room_of(a) != room_of(b)}


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names)


def habits(trees: dict[str, ast.Module]) -> dict[str, str]:
    """Imports in functions, and of all functions: those that are private, and those of them that are called once."""
    inside, private, every, once = 0, 0, 0, 0
    for tree in trees.values():
        functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        inside += sum(isinstance(one, (ast.Import, ast.ImportFrom)) for node in functions for one in ast.walk(node))
        names = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        names += Counter(node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute))
        own = [node.name for node in functions if node.name.startswith("_") and not node.name.startswith("__")]
        every += len(functions)
        private += len(own)
        once += sum(names[name] == 1 for name in own)
    return {
        "imports in functions": str(inside),
        "private functions": f"{private / every:.0%}",
        "private functions called once": f"{once / every:.0%}",
    }


def figures(found: dict[str, Watch]) -> dict[str, str]:
    """Each figure by its name."""
    trees = sources()
    rooms = Counter(room_of(path) for path in trees if not path.endswith("__init__.py"))
    folders = Counter({room: number for room, number in rooms.items() if (ROOT / room).is_dir()})
    files, between = arrows(trees)
    (largest, most), wings = folders.most_common(1)[0], [one for one in folders if one.startswith("handlers/")]
    said = {
        "files": str(sum(rooms.values())),
        "rooms": f"{len(folders)}, {len(wings)} of them in handlers",
        "largest room, files": f"{most} ({largest})",
        "arrows between files": str(len(files)),
        "arrows between rooms": str(len(between)),
        "arrows between rooms of handlers": str(sum(a in wings and b in wings for a, b in between)),
    } | habits(trees)
    for name, watch in found.items():
        said[f"{name}: files"] = str(len(watch.files()))
        said[f"{name}: files before the first decision"] = str(watch.before(*DECIDES[name]))
    return said


def main(words: list[str], run: Callable[[], dict[str, Watch]] = lambda: asyncio.run(travelled())) -> int:
    """Prints the table."""
    set_up_logging("console", logging.ERROR)
    found = run()
    table = Table("", "before", "now")
    for name, value in figures(found).items():
        table.add_row(name, BEFORE.get(name, ""), value)
    console.print(table)
    if "files" in words:
        for name, watch in found.items():
            console.print(f"[bold]{name}[/]", *watch.files(), sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
