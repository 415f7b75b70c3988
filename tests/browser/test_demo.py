"""A stranger tries the demo in a real browser: asks, sees the picture, tracks, cancels, subscribes, sees a return."""

import io
import os
import shutil
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Locator, Page, async_playwright, expect

from bot.sandbox.demo import sandbox
from handlers.text.status_styles import STYLES

CHROMIUM = (
    os.environ.get("PIECEWISE_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
FORBID_SKIP = os.environ.get("PIECEWISE_BROWSER") == "required"
expect.set_options(timeout=15_000)
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(
    not CHROMIUM and not FORBID_SKIP, reason="no Chromium found: install it, or name it in PIECEWISE_CHROMIUM"
)


@pytest.fixture(params=[(1200, 860), (390, 800)], ids=["desktop", "phone"])
async def page(request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """The demo's page, open in Chromium. An error in its script fails the test."""
    width, height = request.param
    troubles: list[str] = []
    async with sandbox(0, day_seconds=86_400) as running, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        opened = await browser.new_page(viewport={"width": width, "height": height})
        opened.on("pageerror", lambda error: troubles.append(str(error)))
        await opened.goto(running.base)
        await expect(opened.locator("#day")).not_to_have_text("…")
        yield opened
        await browser.close()
        assert troubles == []
        assert running.slack.problems == []


async def say(page: Page, text: str) -> Locator:
    """Types it, and gives the newest answer."""
    before = await page.locator("#messages > article").count()
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await expect(page.locator("#messages > article")).not_to_have_count(before, timeout=20_000)
    return page.locator("#messages > article").last


def width_of(page: Page) -> int:
    size = page.viewport_size
    assert size is not None
    return size["width"]


async def keep(page: Page, name: str) -> None:
    """A screenshot, where somebody wants to look at it."""
    folder = os.environ.get("PIECEWISE_SCREENSHOTS")
    if folder:
        await page.screenshot(path=str(Path(folder) / f"{name}-{width_of(page)}.png"))


async def test_asking_shows_a_real_picture_that_fits_the_page(page: Page) -> None:
    answer = await say(page, "/mailstatus Spring")
    picture = answer.locator("img")
    await expect(picture).to_be_visible()
    await page.wait_for_function(
        "image => image.complete && image.naturalWidth === 1080", arg=await picture.element_handle()
    )
    await picture.scroll_into_view_if_needed()
    shot = Image.open(io.BytesIO(await picture.screenshot())).convert("RGB")
    seen = Counter(shot.get_flattened_data())
    large = [style.label for style in STYLES.values() if seen[tuple(bytes.fromhex(style.color[1:]))] > 100]
    text = await answer.inner_text()
    assert large
    assert all(label in text for label in large)
    box = await picture.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width_of(page)
    assert await page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight"
    )
    await keep(page, "status")


async def test_a_piece_is_tracked_and_cancelled(page: Page) -> None:
    status = await say(page, "/mailstatus Holiday postcards")
    await status.get_by_role("button", name="View the pieces of Holiday postcards").click()
    modal = page.get_by_role("dialog")
    await expect(modal).to_contain_text("Received")
    await keep(page, "details")
    ref = (await modal.get_by_role("button", name="Tracking of piece").first.get_attribute("aria-label") or "").split()[
        -1
    ]
    await page.keyboard.press("Escape")
    await expect(modal).to_be_hidden()
    tracked = await say(page, f"/mailtrack {ref}")
    await expect(tracked).to_contain_text("Only visible to you")
    await tracked.get_by_role("button", name=f"Cancel piece {ref}").click()
    await expect(page.get_by_role("alertdialog")).to_contain_text("Cancel this piece?")
    await keep(page, "confirm")
    await page.get_by_role("button", name="Cancel the piece").click()
    await expect(page.locator("#messages")).to_contain_text("You saved", timeout=10_000)
    await expect(page.locator("#messages")).to_contain_text("Asked by @Ana Ruiz")
    await keep(page, "cancelled")


async def test_a_channel_is_subscribed_and_watches_a_return_arrive(page: Page) -> None:
    await page.get_by_role("button", name="# sales").click()
    await page.fill("#text", "/mailalerts")
    await page.press("#text", "Enter")
    modal = page.get_by_role("dialog", name="Mail alerts")
    await expect(modal).to_be_visible()
    await keep(page, "settings")
    await modal.get_by_role("button", name="Save").click()
    await expect(page.locator("#messages")).to_contain_text("switched mail alerts on")
    await page.evaluate("document.getElementById('return').click()")
    await expect(page.locator("#messages")).to_contain_text("came back", timeout=20_000)
    await expect(page.locator(".replies")).to_contain_text("Track")
    await keep(page, "return")


async def test_a_person_without_rights_is_refused_kindly(page: Page) -> None:
    await page.select_option("#who", "U0BEN")
    answer = await say(page, "/mailstatus Holiday postcards")
    await answer.get_by_role("button", name="Cancel what can be in Holiday postcards").click()
    await expect(page.locator("#messages")).to_contain_text("Ask a workspace admin")


async def test_words_that_are_no_command_are_answered_by_the_page(page: Page) -> None:
    await page.fill("#text", "/nonsense")
    await page.press("#text", "Enter")
    await expect(page.locator("#note")).to_contain_text("/mailstatus")


async def test_home_leads_through_a_range_to_details_tracking_and_export(page: Page) -> None:
    await page.get_by_role("button", name="Piecewise (Home)").click()
    home = page.locator(".home")
    await expect(home).to_contain_text("Your mail")
    await home.locator("select[name=home_range]").select_option("all")
    await expect(home).to_contain_text("1,420 pieces")
    await expect(home).to_contain_text("🟩")
    await keep(page, "home")
    await home.get_by_role("button", name="View the pieces of Fall catalog").click()
    modal = page.get_by_role("dialog")
    await expect(modal).to_contain_text("180 pieces")
    status = modal.locator("select[name=details_filter]")
    returned = status.locator("option", has_text="Delivered")
    label = await returned.inner_text()
    await status.select_option(await returned.get_attribute("value"))
    await expect(modal).to_contain_text("at Delivered")
    await keep(page, "filtered")
    await modal.get_by_role("button", name="Tracking of piece").first.click()
    # The list beneath says "Handed Over", too: only the piece's own page is waited for.
    await expect(page.get_by_role("dialog", name="Piece ")).to_contain_text("Handed Over")
    await keep(page, "tracking")
    await modal.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("dialog", name="Fall catalog")).to_be_visible()
    await modal.get_by_role("button", name="Send me exactly these pieces").click()
    await expect(modal).to_contain_text("preparing the file")
    await modal.get_by_role("button", name="Close").click()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Piecewise (direct)").click()
    link = page.get_by_role("link", name="fall-catalog.csv")
    await expect(link).to_be_visible()
    async with page.expect_download() as download:
        await link.click()
    rows = Path(await (await download.value).path()).read_text("utf-8-sig").splitlines()
    assert f"({len(rows) - 1})" in label
    await keep(page, "export")
