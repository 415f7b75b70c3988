"""Takes the pictures of README and docs anew: of the running sandbox by a browser, and of the benchmarks' table.

`make pictures`; ARGS=chart draws the chart alone. Needs a Chromium: PIECEWISE_CHROMIUM names
another than /usr/bin/chromium.
"""

import asyncio
import io
import os
import re
import sys
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from playwright.async_api import async_playwright

from bot.sandbox.demo import sandbox
from bot.telemetry import set_up_logging
from scripts.icon import TARGET as ICON
from scripts.icon import draw

DOCS = Path(__file__).resolve().parent.parent / "docs"
#: As on a phone, where everything is read: a wide page is illegible when it is shown at a phone's width.
WIDTH, HEIGHT = 390, 780
#: The still picture is sharp on screens of two dots a pixel; the moving one is as wide as a README shows it.
SHARP = 2
SHOWN = 585
#: So many colors suit flat pages, and halve the file.
COLORS = 128
#: A name on the chart hides the line behind it.
CLEAR = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
#: Seconds of a day while pictures are taken.
DAY = 6.0


class Story:
    """The frames of the moving picture, each with the time that it stays."""

    def __init__(self, page):
        self.page, self.frames, self.first = page, [], 0

    async def frame(self, seconds):
        """What is on the screen now."""
        await self.page.wait_for_timeout(150)
        picture = Image.open(io.BytesIO(await self.page.screenshot())).convert("RGB")
        small = picture.resize((SHOWN, HEIGHT * SHOWN // WIDTH), Image.Resampling.LANCZOS)
        self.frames.append((small, int(seconds * 1000)))

    def begin_here(self):
        """What is on the screen next is seen first: where nothing moves, it is the only picture that is seen."""
        self.first = len(self.frames)

    def save(self, path):
        """As an APNG, with one palette for all frames."""
        self.frames = self.frames[self.first :] + self.frames[: self.first]
        palette = max((picture for picture, _ in self.frames), key=lambda one: len(one.getcolors(1 << 24))).quantize(
            COLORS
        )
        pictures = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture, _ in self.frames]
        stays = [stay for _, stay in self.frames]
        first, *others = pictures
        first.save(path, save_all=True, append_images=others, duration=stays, loop=0, optimize=True)


#: The newest of the messages that came after the first so many; with a picture, where one is waited for.
NEWEST = """
([before, pictured]) => [...document.querySelectorAll('#messages > article')].slice(before)
    .filter(one => !pictured || [...one.querySelectorAll('img')].some(img => img.complete && img.naturalWidth > 400))
    .at(-1)
"""


async def say(page, story, text, *, pictured):
    """Types it in the channel, and waits for the answer; gives how many messages there were before."""
    box = page.locator("#text")
    before = await page.locator("#messages > article").count()
    for end in (len(text) // 3, 2 * len(text) // 3, len(text)):
        await box.fill(text[:end])
        await story.frame(0.3)
    await box.press("Escape")
    await box.press("Enter")
    await page.wait_for_function(NEWEST, arg=[before, pictured], timeout=60_000)
    await page.wait_for_timeout(1500)
    await clear(page)
    return before


async def look_at(page, before, block, *, pictured):
    """Scrolls to where the answer starts or ends. The page draws anew while days pass: nothing is held on to."""
    await page.evaluate(
        f"([before, pictured, block]) => ({NEWEST.strip()})([before, pictured]).scrollIntoView({{block}})",
        [before, pictured, block],
    )


async def newest_picture(page):
    """The bytes of the picture that was posted last."""
    source = await page.evaluate(
        f"() => [...({NEWEST.strip()})([0, true]).querySelectorAll('img')].at(-1).getAttribute('src')"
    )
    return await (await page.request.get(page.url.rstrip("/") + "/" + source.lstrip("/"))).body()


async def tell(page):
    """The whole story; leaves docs/story.png, docs/sandbox.png and docs/pie.png."""
    story = Story(page)
    await page.wait_for_function("() => document.querySelector('#day').textContent !== '…'")
    await page.wait_for_timeout(1500)
    await close_welcome(page)
    await page.locator("#pause").click()
    await clear(page)
    await story.frame(1.5)
    before = await say(page, story, "/mailstatus Spring", pictured=True)
    await look_at(page, before, "start", pictured=True)
    story.begin_here()
    await story.frame(3.0)
    await page.screenshot(path=DOCS / "sandbox.png")
    (DOCS / "pie.png").write_bytes(await newest_picture(page))
    await look_at(page, before, "end", pictured=True)
    await story.frame(3.0)
    before = await say(page, story, "/mailtrack Jane", pictured=False)
    await look_at(page, before, "end", pictured=False)
    await story.frame(3.0)
    await page.locator("#pause").click()
    for _ in range(4):
        await page.wait_for_timeout(int(DAY * 1000))
        await story.frame(1.0)
    await story.frame(2.0)
    story.save(DOCS / "story.png")


async def clear(page):
    """Closes the news that lies over the answer."""
    await page.evaluate(
        "() => document.querySelectorAll('#toasts button').forEach(one => one.textContent === '✕' && one.click())"
    )


async def close_welcome(page):
    """Closes what greets a newcomer, where something does."""
    for name in ("Skip", "Close", "Got it", "Close the welcome"):
        button = page.get_by_role("button", name=name, exact=True)
        if await button.count() and await button.first.is_visible():
            await button.first.click()
            return


async def take():
    """Starts the sandbox and a browser, and takes what they show."""
    binary = os.environ.get("PIECEWISE_CHROMIUM", "/usr/bin/chromium")
    async with sandbox(0, DAY) as made, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SHARP)
        await page.goto(made.base)
        await tell(page)
        await browser.close()


def measured():
    """The rows of the benchmarks' table that have a goal: (promise, what of the goal was used, held?)."""
    rows = []
    columns = 7
    for line in (DOCS / "benchmarks.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        goal = re.match(r"([≤≥]) ([\d.]+)$", cells[5]) if len(cells) == columns else None
        if goal and re.match(r"[\d.]+$", cells[4]) and float(goal[2]) and float(cells[4]):
            used = float(cells[4]) / float(goal[2])
            rows.append((cells[0].replace("`", ""), used if goal[1] == "≤" else 1 / used, cells[6] == "held"))
    return sorted(rows, key=lambda row: row[1])


def chart():
    """Draws docs/benchmarks.png: each promise beside its goal, the best on top."""
    rows = measured()
    figure = Figure(figsize=(5, 0.45 * len(rows) + 1), dpi=160, layout="constrained")
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(places, [row[1] for row in rows], color=["#0B5D4E" if row[2] else "#D1495B" for row in rows], height=0.35)
    axes.set_yticks([])
    # Each name above its bar: beside it, both would be too small for a phone.
    for place, row in enumerate(rows):
        axes.text(0.102, place - 0.26, row[0][:64], fontsize=9, verticalalignment="bottom", bbox=CLEAR)
    axes.set_xscale("log")
    axes.axvline(1, color="#222222", linewidth=1, zorder=0)
    axes.set_ylim(-1, len(rows) - 0.5)
    axes.set_xticks(
        [0.1, 0.25, 0.5, 1, 2, 4], ["a tenth", "a quarter", "half", "the goal", "twice", "4 times"], fontsize=9
    )
    axes.set_xlim(0.1, max(4, *(row[1] * 1.1 for row in rows)))
    axes.minorticks_off()
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("What each promise takes of its goal:\ngreen is held, red falls short", fontsize=11, loc="left")
    FigureCanvasAgg(figure).print_png(DOCS / "benchmarks.png")


def main():
    """All of it, or the chart alone."""
    chart()
    if sys.argv[1:] != ["chart"]:
        set_up_logging("console", level=30)
        draw().save(ICON, optimize=True)
        asyncio.run(take())


if __name__ == "__main__":
    main()
