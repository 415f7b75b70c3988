"""`make bench`: prints one table of promises, each as a ratio to its floor in the same run, and writes bench.json.

Ours and the floor take turns, so that a noisy moment meets both. Medians; nothing is asserted. ARGS=quick is smaller.
"""

import asyncio
import io
import json
import logging
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table
from slack_sdk.signature import SignatureVerifier
from sqlalchemy import func, select

from bot.app import running
from bot.sandbox.slack import SlackDouble, encode, sign
from bot.sandbox.stannp import StannpDouble
from bot.telemetry import set_up_logging
from handlers.charts import Pie, draw_pie, slices
from handlers.styles import STYLES
from storage import enquiries, mailings, schema, tally, workspaces
from storage.database import open_database
from storage.records import Batch, CampaignId, Change, Piece, Source
from storage.statuses import LIFECYCLE, Status
from storage.tables import pieces
from tests.builders import START, a_campaign
from tests.journeys.conftest import a_small_world, people_and_places, settings_for

OUT = Path("bench.json")


@dataclass
class Result:
    """A promise: ours and its floor (milliseconds unless said), their ratio, and the goal for it."""

    promise: str
    ours: float
    floor: float
    ratio: float
    goal: str
    held: bool


def turns(number: int, *works: Callable[[int], object]) -> list[list[float]]:
    """Milliseconds of each work, in turns."""
    times: list[list[float]] = [[] for _ in works]
    for turn in range(number):
        for index, work in enumerate(works):
            begin = time.perf_counter()
            work(turn)
            times[index].append((time.perf_counter() - begin) * 1000)
    return times


def compared(promise: str, ours: list[float], floor: list[float], goal: float, *, at_least: bool = False) -> Result:
    """Medians and their ratio, against a goal."""
    mine, theirs = statistics.median(ours), statistics.median(floor)
    ratio = mine / theirs
    held = ratio >= goal if at_least else ratio <= goal
    return Result(promise, mine, theirs, ratio, f"{'≥' if at_least else '≤'} {goal:g}", held)


def stock_pie(pie: Pie) -> bytes:
    """The way that matplotlib's own examples show."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    parts = slices(pie)
    axes.pie([p.number for p in parts], colors=[p.colour for p in parts], autopct="%.1f %%", startangle=90)
    axes.set_title(pie.title)
    axes.legend([f"{p.label} {p.number:,}" for p in parts], loc="center left", bbox_to_anchor=(1, 0.5))
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def pillow_pie(pie: Pie) -> bytes:
    """The same picture drawn by Pillow: twice as large, then reduced, for smooth edges."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), 54)
    image = Image.new("RGB", (2560, 1600), "white")
    pen = ImageDraw.Draw(image)
    start = -90.0
    parts = slices(pie)
    total = sum(p.number for p in parts) or 1
    pen.text((88, 70), pie.title, "black", font)
    for row, part in enumerate(parts):
        end = start + 360 * part.number / total
        pen.pieslice((136, 386, 1184, 1434), start, end, part.colour, "white")
        pen.rectangle((1320, 420 + row * 116, 1380, 480 + row * 116), part.colour)
        pen.text((1416, 420 + row * 116), part.label, "black", font)
        pen.text((2180, 420 + row * 116), f"{part.number:,}", "black", font, anchor="ra")
        start = end
    out = io.BytesIO()
    image.resize((1280, 800), Image.Resampling.LANCZOS).quantize(64).save(out, "png", compress_level=6)
    return out.getvalue()


def bench_pie(quick: bool) -> list[Result]:
    dice = random.Random(1)
    pies = [
        Pie(f"Campaign {n}", "Ordered in November 2026", tuple(dice.randrange(1, 99_999) for _ in LIFECYCLE), 0)
        for n in range(10 if quick else 60)
    ]
    fresh = draw_pie.__wrapped__
    for draw in (fresh, stock_pie, pillow_pie):
        draw(pies[0])
    ours, stock, pillow = turns(
        len(pies), lambda n: fresh(pies[n]), lambda n: stock_pie(pies[n]), lambda n: pillow_pie(pies[n])
    )
    heaviest = max(len(fresh(pie)) for pie in pies) / 1024
    return [
        compared("pie, warm ÷ stock matplotlib", ours, stock, 0.40),
        compared("pie, warm ÷ Pillow twin", ours, pillow, 1.35),
        Result("pie, KiB at 1280×800", heaviest, 45, heaviest / 45, "≤ 1", heaviest <= 45),
    ]


def timed_process(code: str) -> Callable[[int], object]:
    return lambda _turn: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def bench_cold(quick: bool) -> list[Result]:
    ours = "from handlers.charts import Pie, draw_pie; draw_pie(Pie('x', 'y', (1,) * 8, 0))"
    floor = "import matplotlib.figure, matplotlib.backends.backend_agg"
    mine, theirs = turns(3 if quick else 9, timed_process(ours), timed_process(floor))
    start = "import bot.app"
    libraries = (
        "import aiohttp.web, slack_bolt.async_app, slack_bolt.adapter.socket_mode.async_handler, sqlalchemy, alembic.command,"
        "apscheduler.schedulers.asyncio, structlog, pydantic_settings, rapidfuzz.process"
    )
    up, bare = turns(3 if quick else 9, timed_process(start), timed_process(libraries))
    return [
        compared("pie, cold process ÷ importing figure + Agg", mine, theirs, 1.3),
        compared("importing the program ÷ importing its libraries", up, bare, 1.25),
    ]


def bench_mix(quick: bool) -> list[Result]:
    """The status mix through the repository function, beside counting the pieces over a covering index."""
    number = 20_000 if quick else 200_000
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/bench.db")
        schema.migrate(database)
        workspace = database.write(workspaces.ensure, "T1", "Bench", "USD")
        begin = time.perf_counter()
        for first in range(0, number, 5_000):
            database.write(mailings.apply, workspace.id, made_batch(first, 5_000), START)
        loading = (time.perf_counter() - begin) * 1000 / number * 1000
        database.write(tally.fold)
        campaign = database.read(enquiries.campaigns_of, workspace.id)[0].id
        with database.writer.begin() as connection:
            connection.exec_driver_sql("CREATE INDEX covering ON pieces (workspace_id, campaign_id, status)")

        def ours(_turn: int) -> object:
            return database.read(enquiries.mix, workspace.id, campaign)

        def counted(_turn: int) -> object:
            return database.read(count_pieces, workspace.id, campaign)

        assert (
            sum(row[1] for row in database.read(count_pieces, workspace.id, campaign))
            == database.read(enquiries.mix, workspace.id, campaign).total
        )
        mine, floor = turns(20, ours, counted)
        database.close()
    return [
        compared(f"status mix from tallies ÷ GROUP BY over {number:,} pieces (SQLite)", mine, floor, 0.1),
        Result(
            f"ledger, µs per piece with two changes, {number:,} pieces (SQLite)",
            loading,
            float("nan"),
            float("nan"),
            "no goal yet",
            True,
        ),
    ]


def made_batch(first: int, number: int) -> Batch:
    refs = [str(n) for n in range(first, first + number)]
    changes = [Change(ref, Status.RECEIVED, START, source=Source.IMPORT) for ref in refs]
    changes += [Change(ref, LIFECYCLE[int(ref) % 8], START, source=Source.IMPORT) for ref in refs]
    return Batch(
        (a_campaign(),), tuple(Piece(ref, START, campaign_ref="222", detailed=True) for ref in refs), tuple(changes)
    )


def count_pieces(connection: Any, workspace_id: Any, campaign_id: CampaignId) -> Any:
    rows = select(pieces.c.status, func.count()).where(
        pieces.c.workspace_id == workspace_id, pieces.c.campaign_id == campaign_id
    )
    return connection.execute(rows.group_by(pieces.c.status)).all()


async def bench_ack(quick: bool) -> list[Result]:
    """A signed slash command to its acknowledgement, beside the same server with only the signature check."""
    slack, stannp = SlackDouble(), StannpDouble(per_minute=10_000_000)
    await slack.start()
    await stannp.start()
    people_and_places(slack)
    a_small_world(stannp)
    number = 100 if quick else 1000
    with tempfile.TemporaryDirectory() as folder:
        settings = settings_for(slack, stannp, f"sqlite:///{folder}/bench.db", "http")
        async with running(settings) as app, aiohttp.ClientSession() as session:
            floor = await bare_server(slack.signing_secret)
            addresses = [f"http://127.0.0.1:{app.port}/slack/events", floor[1]]
            times: list[list[float]] = [[], []]
            for turn in range(number):
                raw, kind = encode(
                    "slash_commands",
                    {
                        "command": "/mailstatus",
                        "text": "help",
                        "user_id": "U0ANA",
                        "channel_id": "C0OPS",
                        "trigger_id": f"{turn}",
                        "response_url": slack.url,
                    },
                )
                headers = sign(slack.signing_secret, raw, int(time.time())) | {"Content-Type": kind}
                for index, address in enumerate(addresses):
                    begin = time.perf_counter()
                    async with session.post(address, data=raw, headers=headers) as response:
                        assert response.status == 200
                    times[index].append((time.perf_counter() - begin) * 1000)
                # The work behind the acknowledgement ends before the next is measured.
                while any(task.get_name().startswith("command:") for task in app.in_flight.tasks):
                    await asyncio.sleep(0.001)
            await floor[0].cleanup()
    await slack.stop()
    await stannp.stop()
    return [compared("slash command to ack ÷ signature check alone", *times, 2.5)]


async def bare_server(secret: str) -> tuple[web.AppRunner, str]:
    verifier = SignatureVerifier(secret)

    async def answer(request: web.Request) -> web.Response:
        raw = await request.read()
        ok = verifier.is_valid_request(raw.decode(), dict(request.headers))
        return web.Response(status=200 if ok else 401)

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/"


def show(results: list[Result]) -> None:
    table = Table("promise", "ours", "floor", "ratio", "goal", "")
    for one in results:
        numbers = [f"{value:,.2f}" if value == value else "–" for value in (one.ours, one.floor, one.ratio)]  # noqa: PLR0124 - NaN
        table.add_row(one.promise, *numbers, one.goal, "held" if one.held else "short")
    Console(width=130).print(table)


def main() -> None:
    quick = "quick" in sys.argv[1:]
    set_up_logging("console", logging.ERROR)
    assert len(STYLES) == len(LIFECYCLE)
    results = [*bench_pie(quick), *bench_cold(quick), *bench_mix(quick), *asyncio.run(bench_ack(quick))]
    show(results)
    machine = f"{platform.machine()}, Python {platform.python_version()}, {platform.system()}"
    OUT.write_text(
        json.dumps({"machine": machine, "quick": quick, "results": [asdict(one) for one in results]}, indent=2)
    )
    print(f"Medians, in milliseconds unless said; {machine}. Written to {OUT}.")


if __name__ == "__main__":
    main()
