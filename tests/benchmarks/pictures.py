"""The picture and the start: warm, cold, bytes, memory; from a process to its first answer."""

import asyncio
import io
import os
import random
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw

from bot.sandbox.slack import SlackDouble
from bot.sandbox.stannp import StannpDouble
from handlers.charts.drawing import draw_pie
from handlers.charts.values import Pie
from handlers.text.mixes import rows_of
from storage.statuses import LIFECYCLE
from tests.benchmarks.harness import ROOT, Result, compared, judged, timed_process, turns

LIBRARIES = (
    "import aiohttp.web, slack_bolt.async_app, slack_bolt.adapter.socket_mode.async_handler, sqlalchemy,"
    "apscheduler.schedulers.asyncio, structlog, pydantic_settings, psycopg, typer, rich.console"
)


def stock_pie(pie: Pie) -> bytes:
    """The way that matplotlib's own examples show."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.4, 6.75), dpi=200)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    parts = rows_of(pie.mix)
    axes.pie([p.number for p in parts], colors=[p.style.color for p in parts], autopct="%.1f %%", startangle=90)
    axes.set_title(pie.title)
    axes.legend([f"{p.style.label} {p.number:,}" for p in parts], loc="center left", bbox_to_anchor=(1, 0.5))
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def pillow_pie(pie: Pie) -> bytes:
    """The same picture drawn by Pillow: twice as large, then reduced, for smooth edges."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), 54)
    image = Image.new("RGB", (2160, 2700), "white")
    drawing_thread = ImageDraw.Draw(image)
    start = -90.0
    parts = rows_of(pie.mix)
    total = sum(p.number for p in parts) or 1
    drawing_thread.text((88, 70), pie.title, "black", font)
    for row, part in enumerate(parts):
        end = start + 360 * part.number / total
        drawing_thread.pieslice((500, 360, 1660, 1520), start, end, part.style.color, "white")
        drawing_thread.rectangle((100, 1600 + row * 116, 160, 1660 + row * 116), part.style.color)
        drawing_thread.text((200, 1600 + row * 116), part.style.label, "black", font)
        drawing_thread.text((1640, 1600 + row * 116), f"{part.number:,}", "black", font, anchor="ra")
        start = end
    out = io.BytesIO()
    image.resize((1080, 1350), Image.Resampling.LANCZOS).quantize(64).save(out, "png", compress_level=6)
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
    for pie in (pies[0], pies[-1]):
        drawn = [Image.open(io.BytesIO(draw(pie))) for draw in (fresh, stock_pie, pillow_pie)]
        assert {one.size for one in drawn} == {(1080, 1350)}, "measured nothing: the three are not of one size"
        colors = [{color for _, color in one.convert("RGB").getcolors(2**20) or ()} for one in drawn[:2]]
        missing = [
            p.style.color
            for p in rows_of(pie.mix)
            if any(ImageColor.getrgb(p.style.color) not in found for found in colors)
        ]
        assert not missing, f"measured nothing: wedges are missing: {missing}"
    heaviest = max(len(fresh(pie)) for pie in pies) / 1024
    return [
        compared("pie, warm ÷ stock matplotlib", ours, stock, 0.30),
        compared("pie, warm ÷ Pillow twin", ours, pillow, 1.0),
        judged("pie, bytes at 1080×1350 ÷ 45 KiB", heaviest, 45, heaviest / 45, 1, unit="KiB"),
    ]


def bench_cold(quick: bool) -> list[Result]:
    ours = "from handlers.charts.drawing import draw_pie; from handlers.charts.values import Pie; assert draw_pie(Pie('x', 'y', (1,) * 8, 0)).startswith(b'\\x89PNG')"
    floor = "import matplotlib.figure, matplotlib.backends.backend_agg"
    mine, theirs = turns(3 if quick else 9, timed_process(ours), timed_process(floor))
    return [compared("pie, cold process ÷ importing figure + Agg", mine, theirs, 1.25)]


RENDERS = """
import resource, sys
from handlers.charts.drawing import draw_pie; from handlers.charts.values import Pie
def rss(): return int(open("/proc/self/statm").read().split()[1]) * 4 / 1024
for n in range(int(sys.argv[1])):
    draw_pie.__wrapped__(Pie(f"Campaign {n}", "Ordered in November 2026", tuple((n * k) % 99991 for k in range(1, 9)), n % 7))
    if n == 500: print(rss())
print(rss())
"""


def bench_picture_memory(quick: bool) -> list[Result]:
    number = 1_500 if quick else 10_000
    done = subprocess.run(
        [sys.executable, "-c", RENDERS, str(number)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    first, last = (float(line) for line in done.stdout.split())
    return [judged(f"memory after {number:,} pies ÷ after 500", last, first, last / first, 1.05, unit="MiB")]


async def bench_start(quick: bool, folder: Path) -> list[Result]:
    """From the process's start to `ready`, in turns with importing the same libraries; and its memory when idle."""
    slack, stannp = SlackDouble(), StannpDouble()
    await slack.start()
    await stannp.start()
    # Bytecode is kept, as where it is installed: without it each start would compile everything again.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = kept | {
        "SLACK_BOT_TOKEN": slack.bot_token, "SLACK_SIGNING_SECRET": slack.signing_secret, "SLACK_API_URL": slack.url,
        "STANNP_API_KEY": stannp.api_key, "STANNP_API_URL": stannp.url, "PIECEWISE_PORT": "0",
        "DATABASE_URL": f"sqlite:///{folder}/start.db", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    ready: list[float] = []
    bare: list[float] = []
    memory = 0.0
    for _ in range(4 if quick else 10):
        begin = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "run", env=environment, cwd=folder, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr
        while b" ready" not in (line := await process.stderr.readline()):
            assert line, "measured nothing: the bot ended before it was ready"
        ready.append((time.perf_counter() - begin) * 1000)
        await asyncio.sleep(0.1)
        memory = next(
            int(line.split()[1]) / 1024
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        )
        process.kill()
        await process.wait()
        begin = time.perf_counter()
        floor = await asyncio.create_subprocess_exec(
            sys.executable, "-c", LIBRARIES + "; import os; os._exit(0)", env=kept
        )
        assert await floor.wait() == 0, "measured nothing: the libraries could not be imported"
        bare.append((time.perf_counter() - begin) * 1000)
    await slack.stop()
    await stannp.stop()
    return [
        compared("start to ready ÷ importing the same libraries", ready[1:], bare[1:], 1.2),
        judged("memory at ready, before the first picture ÷ 80 MiB", memory, 80, memory / 80, 1, unit="MiB"),
    ]
