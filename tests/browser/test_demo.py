"""A stranger tries the demo in a real browser: the welcome, a campaign's whole way, each button, each person, each theme."""

import importlib.util
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from bot.sandbox.demo import Demo, sandbox
from bot.sandbox.people import ANA, OPS
from bot.sandbox.slack import Posted
from handlers.text.status_styles import STYLES
from tests.browser.watched import watch
from tests.house import UNHURRIED, unhurried

CHROMIUM = (
    os.environ.get("PIECEWISE_CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
FORBID_SKIP = os.environ.get("PIECEWISE_BROWSER") == "required"
expect.set_options(timeout=20_000)
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

pytestmark = pytest.mark.skipif(
    not CHROMIUM and not FORBID_SKIP, reason="no Chromium found: install it, or name it in PIECEWISE_CHROMIUM"
)
WIDE, NARROW = (1280, 860), (390, 800)


@dataclass(repr=False)
class Visit:
    """Somebody's browser on a running demo."""

    demo: Demo
    browser: Browser
    troubles: list[str]

    async def open(self, size: tuple[int, int], theme: str = "light", *, greeted: bool = True) -> Page:
        """Another window of the same person's, its welcome closed unless that is what it is about."""
        context = await self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",
        )  # fmt: skip
        if greeted:
            await context.add_init_script("if (location.host) localStorage.setItem('welcomed', 'yes')")
        watch(context, self.troubles)
        page = await context.new_page()
        await page.goto(self.demo.base)
        await expect(page.locator("#day")).not_to_have_text("…")
        await expect(page.get_by_role("button", name="# mail-ops")).to_be_visible()
        return page


@pytest.fixture(autouse=True)
def _unhurried() -> Iterator[None]:
    with unhurried():
        yield


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    """The demo, whose days pass as slowly as ours. Whatever a page complained of fails the test."""
    async with sandbox(0, day_seconds=86_400) as running, async_playwright() as playwright:
        running.slack.patience = UNHURRIED
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        made = Visit(running, browser, [])
        yield made
        await browser.close()
        assert made.troubles == []
        assert running.slack.problems == []


@pytest.fixture(params=[WIDE, NARROW], ids=["desktop", "phone"])
def window(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Wide today, narrow tomorrow."""
    size: tuple[int, int] = request.param
    return size


@pytest.fixture
async def page(window: tuple[int, int], visit: Visit) -> Page:
    return await visit.open(window)


async def say(page: Page, text: str) -> Locator:
    """Types it, and gives the newest answer."""
    before = await page.locator("#messages > article").count()
    await page.fill("#text", text)
    await page.press("#text", "Enter")
    await expect(page.locator("#messages > article")).not_to_have_count(before)
    return page.locator("#messages > article").last


def width_of(page: Page) -> int:
    size = page.viewport_size
    assert size is not None
    return size["width"]


async def fits(page: Page) -> bool:
    """Whether nothing reaches beyond the window."""
    return bool(
        await page.evaluate(
            "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight"
        )
    )


async def keep(page: Page, name: str) -> None:
    """A screenshot, where somebody wants to look at it."""
    folder = os.environ.get("PIECEWISE_SCREENSHOTS")
    if folder:
        await page.screenshot(path=str(Path(folder) / f"{name}-{width_of(page)}.png"))


async def complaints(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it stands."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None
    assert found.submodule_search_locations
    script = Path(found.submodule_search_locations[0]) / "axe.min.js"
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(script.read_text(encoding="utf-8"))
    told = await page.evaluate(
        "axe.run().then(({violations}) => violations.map(one => `${one.id}: ${one.nodes.map(n => n.html).join(' ')}`))"
    )
    return [str(one) for one in told]


async def make(page: Page, label: str) -> None:
    """Presses one of the buttons that make something happen."""
    events = page.locator("#events")
    if not await events.evaluate("box => box.open"):
        await events.locator("summary").click()
    await events.get_by_role("button", name=label).click()
    if width_of(page) < 720:
        await events.locator("summary").click()


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
    assert await fits(page)
    await keep(page, "status")


async def test_a_piece_is_tracked_and_cancelled(page: Page) -> None:
    status = await say(page, "/mailstatus Holiday postcards")
    await status.get_by_role("button", name="View the pieces of Holiday postcards").click()
    modal = page.get_by_role("dialog")
    await expect(modal).to_contain_text("Received")
    await keep(page, "details")
    tracking = modal.get_by_role("button", name="Tracking of piece").first
    ref = (await tracking.get_attribute("aria-label") or "").split()[-1]
    await page.keyboard.press("Escape")
    await expect(modal).to_be_hidden()
    tracked = await say(page, f"/mailtrack {ref}")
    await expect(tracked).to_contain_text("Only visible to you")
    await tracked.get_by_role("button", name=f"Cancel piece {ref}").click()
    await expect(page.get_by_role("alertdialog")).to_contain_text("Cancel this piece?")
    await keep(page, "confirm")
    await page.get_by_role("button", name="Cancel the piece").click()
    await expect(page.locator("#messages")).to_contain_text("You saved")
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
    await make(page, "A piece comes back")
    await expect(page.locator("#toasts")).to_contain_text("just came back")
    thread = page.locator("#messages .replies")
    await expect(thread).to_contain_text("1 reply")
    await thread.click()
    await expect(page.locator("#replies")).to_contain_text("came back")
    await keep(page, "thread")
    await page.keyboard.press("Escape")
    await expect(page.locator("#thread")).to_be_hidden()
    await expect(thread).to_be_focused()


async def test_a_toast_jumps_to_what_happened(page: Page) -> None:
    await page.get_by_role("button", name="# sales").click()
    await make(page, "A piece comes back")
    toast = page.locator(".toast", has_text="(thread)")
    await expect(toast).to_be_visible()
    await toast.get_by_role("button", name="Jump").click()
    await expect(page.locator("#replies")).to_contain_text("came back")
    await expect(page.get_by_role("button", name="# mail-ops")).to_have_attribute("aria-current", "page")


async def test_the_welcome_leads_through_three_steps_and_stays_closed(visit: Visit) -> None:
    page = await visit.open(NARROW, greeted=False)
    welcome = page.get_by_role("region", name="Welcome")
    await expect(welcome).to_contain_text("1 of 3")
    await keep(page, "welcome")
    await welcome.get_by_role("button", name="Ask /mailstatus Spring").click()
    await expect(page.locator("#messages img")).to_be_visible()
    await welcome.get_by_role("button", name="Next").click()
    await welcome.get_by_role("button", name="A piece comes back").click()
    await expect(page.locator("#messages")).to_contain_text("1 reply")
    await welcome.get_by_role("button", name="Next").click()
    await welcome.get_by_role("button", name="Ask /mailstatus Holiday").click()
    await expect(page.get_by_role("button", name="Cancel what can be in Holiday postcards")).to_be_visible()
    await welcome.get_by_role("button", name="Done").click()
    await expect(welcome).to_be_hidden()
    await page.reload()
    await expect(page.get_by_role("button", name="# mail-ops")).to_be_visible()
    await expect(welcome).to_be_hidden()


async def test_the_welcome_says_who_looks_and_what_they_can_do(visit: Visit) -> None:
    page = await visit.open(WIDE, greeted=False)
    welcome = page.get_by_role("region", name="Welcome")
    await expect(welcome).to_contain_text("You're Ana, in the Slack of Acme Outdoors.")
    await page.select_option("#who", label="Gus Novak (guest)")
    await expect(welcome).to_contain_text("You're Gus, a guest in the Slack of Acme Outdoors: you can ask about what")
    for _ in range(2):
        await welcome.get_by_role("button", name="Next").click()
    await expect(welcome).to_contain_text("Ana and Dana can cancel it: be one of them")
    await page.select_option("#who", label="Dana Lee (admin)")
    await expect(welcome).to_contain_text("isn't printed yet. Ask for it, then press Cancel…")


async def test_the_story_waits_while_its_welcome_is_open(visit: Visit) -> None:
    page = await visit.open(WIDE, greeted=False)
    calendar = visit.demo.calendar
    await expect(page.locator("#pace")).to_have_text("waits: welcome is open")
    await page.select_option("#speed", "2")
    jumped = calendar.clock.jumped
    # Several looks at the calendar.
    await page.wait_for_timeout(3000)
    assert calendar.clock.jumped == jumped
    await page.get_by_role("button", name="Close the welcome").click()
    while calendar.clock.jumped == jumped:
        await page.wait_for_timeout(200)
    await expect(page.locator("#pace")).not_to_have_text("waits: welcome is open")


async def test_a_cancellation_is_approved_by_a_second_person(visit: Visit) -> None:
    page = await visit.open(WIDE)
    await make(page, "Approvals by a second person")
    answer = await say(page, "/mailstatus Holiday postcards")
    await answer.get_by_role("button", name="Cancel what can be in Holiday postcards").click()
    modal = page.get_by_role("dialog")
    await expect(modal).to_contain_text("60")
    await modal.locator(".foot .primary").click()
    await expect(page.locator("#messages")).to_contain_text("wants to cancel")
    await expect(page.locator("#pace")).to_have_text("waits for an approval")
    await page.select_option("#who", ":U0DANA")
    await page.get_by_role("button", name="Approve").click()
    confirm = page.get_by_role("alertdialog")
    if await confirm.count():
        await confirm.locator(".danger").click()
    await expect(page.locator("#messages")).to_contain_text(re.compile("cancelled|stopped"))
    assert {one.status for one in visit.demo.story.platform.pieces_of(223)} == {"cancelled"}


async def test_a_narrow_window_stays_narrow_while_a_channel_has_news(visit: Visit) -> None:
    page = await visit.open(NARROW)
    # The last of the list, which lies beyond the window until one scrolls.
    visit.demo.slack.say("U0BEN", "C0RANDOM", "Morning!")
    await expect(page.locator("#channels .new")).to_be_attached()
    assert await fits(page)


async def test_what_one_did_is_explained_though_news_arrive(visit: Visit) -> None:
    page = await visit.open(WIDE)
    await make(page, "A workflow asks")
    await expect(page.locator("#toasts")).to_contain_text("A workflow asked")
    for number in range(4):
        visit.demo.slack.say("U0BEN", "C0SALES", f"News {number}", f"{number}.1")
    await expect(page.locator("#toasts")).to_contain_text("News 3")
    await expect(page.locator("#toasts")).to_contain_text("A workflow asked")


async def test_a_guest_sees_what_the_channel_was_shown(visit: Visit) -> None:
    page = await visit.open(NARROW)
    await make(page, "Be a guest")
    await expect(page.locator("#who")).to_have_value(":U0GUS")
    answer = await say(page, "/mailstatus Spring")
    await expect(answer).not_to_contain_text("Something went wrong")
    await expect(page.get_by_role("button", name="Cancel what can be")).to_have_count(0)


async def test_a_person_without_rights_is_refused_kindly(page: Page) -> None:
    await page.select_option("#who", ":U0BEN")
    answer = await say(page, "/mailstatus Holiday postcards")
    await answer.get_by_role("button", name="Cancel what can be in Holiday postcards").click()
    await expect(page.locator("#messages")).to_contain_text("You can't cancel mail here. Ask ")


async def test_one_windows_modal_is_in_no_other(visit: Visit) -> None:
    one, other = await visit.open(WIDE), await visit.open(WIDE)
    await other.select_option("#who", ":U0DANA")
    third = await visit.open(WIDE)
    await one.fill("#text", "/mailalerts")
    await one.press("#text", "Enter")
    await expect(one.get_by_role("dialog", name="Mail alerts")).to_be_visible()
    answer = await say(other, "/mailstatus Holiday")
    await expect(answer).to_be_visible()
    await expect(third.get_by_role("dialog")).to_have_count(0)
    await expect(other.get_by_role("dialog")).to_have_count(0)


async def test_a_dialog_keeps_the_focus_and_gives_it_back(page: Page) -> None:
    answer = await say(page, "/mailstatus Holiday postcards")
    button = answer.get_by_role("button", name="View the pieces of Holiday postcards")
    await button.focus()
    await page.keyboard.press("Enter")
    modal = page.get_by_role("dialog")
    await expect(modal).to_contain_text("Received")
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )
    await page.keyboard.press("Escape")
    await expect(modal).to_have_count(0)
    await expect(button).to_be_focused()


async def test_commands_are_offered_and_what_was_typed_comes_again(page: Page) -> None:
    await page.locator("#text").press_sequentially("/mailt")
    await expect(page.locator("#offers").get_by_role("option")).to_have_count(1)
    await page.keyboard.press("Tab")
    await expect(page.locator("#text")).to_have_value("/mailtrack ")
    await page.fill("#text", "")
    await say(page, "/mailstatus help")
    await page.locator("#text").press("ArrowUp")
    await expect(page.locator("#text")).to_have_value("/mailstatus help")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("#text")).to_have_value("")


async def test_a_messages_menu_tracks_the_pieces_in_it(visit: Visit) -> None:
    page = await visit.open(WIDE)
    ref = next(iter(visit.demo.story.platform.pieces_of(222))).id
    said = await say(page, f"Where is {ref}?")
    await said.hover()
    await said.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Track pieces here").press("Enter")
    await expect(page.locator("#messages")).to_contain_text(re.compile(f"Spring lapsed|{ref}.*Handed", re.DOTALL))
    await expect(page.locator("#messages > article")).to_have_count(2)


async def test_text_is_shown_as_slack_shows_it(visit: Visit) -> None:
    page = await visit.open(NARROW)
    now = int(visit.demo.calendar.clock.stamp())
    text = f"*bold* ~gone~ `a_b` <!date^{now}^{{date_short_pretty}} at {{time}}|then>\n```SELECT *\nFROM mail```\n&gt; said\n<https://a.test|here> &amp; :truck: <b>no</b>"
    visit.demo.slack.say("U0BEN", "C0OPS", text)
    body = page.locator("article .block")
    await expect(body.locator("strong")).to_have_text("bold")
    await expect(body.locator("s")).to_have_text("gone")
    await expect(body.locator("code")).to_have_text("a_b")
    await expect(body.locator("time")).to_contain_text("today at")
    await expect(body.locator("pre")).to_have_text("SELECT *\nFROM mail")
    await expect(body.locator("blockquote")).to_have_text("said")
    await expect(body.get_by_role("link", name="here")).to_have_attribute("href", "https://a.test")
    await expect(body).to_contain_text("& 🚚")
    await expect(body.locator("b")).to_have_count(0)


async def test_a_pie_is_posted_to_a_channel_and_shows_that_it_was(visit: Visit) -> None:
    page = await visit.open(WIDE)
    await page.get_by_role("button", name="Piecewise (Home)").click()
    await page.locator(".home .btn", has_text="Show the pie").click()
    await expect(page.locator(".toast", has_text="Piecewise (direct)")).to_be_visible()
    await page.locator(".home .btn", has_text="Post pie…").click()
    modal = page.get_by_role("dialog")
    await expect(modal.locator("option", has_text="#mail-ops")).to_have_count(1)
    await expect(modal.locator("option", has_text="Ana")).to_have_count(0)
    await modal.locator(".foot .primary").click()
    await expect(page.locator(".toast", has_text="#mail-ops")).to_be_visible()


async def test_the_first_line_of_a_new_answer_is_in_sight(page: Page) -> None:
    box = page.locator("#messages")
    for text, begins in (
        ("/mailstatus Spring lapsed", "delivered"),
        ("/mailstatus help", "Where is our mail?"),
        ("/mailstatus", "Your mail"),
    ):
        answer = await say(page, text)
        await expect(answer).to_contain_text(begins)
        gap = f"(newest, box) => newest.getBoundingClientRect().top - document.querySelector('{'#messages'}').getBoundingClientRect().top"
        await page.wait_for_timeout(300)
        above = await answer.evaluate(gap)
        assert above >= 0, f"{text}: {-above} pixels of the answer are out of sight"
        assert await box.evaluate("box => box.scrollTop") > 0


async def test_who_reads_further_up_stays_there(page: Page, visit: Visit) -> None:
    for text in ("/mailstatus Spring", "/mailstatus Fall", "/mailstatus help"):
        await say(page, text)
    box = page.locator("#messages")
    await expect(box.locator("img").last).to_be_visible()
    await box.evaluate("box => { box.scrollTop = 200 }")
    await page.wait_for_timeout(200)
    visit.demo.slack.say("U0BEN", "C0OPS", "Morning!")
    await expect(box).to_contain_text("Morning!")
    assert abs(await box.evaluate("box => box.scrollTop") - 200) < 3


async def test_who_chooses_days_keeps_the_place_and_sends_whole_ones(page: Page) -> None:
    await page.click("#pause")
    answer = await say(page, "/mailstatus")
    menu = answer.locator("select[name=choose_range]")
    await menu.focus()
    await menu.select_option(label="Other dates…")
    first = answer.locator("input[type=date]").first
    await expect(first).to_be_in_viewport(ratio=1)
    await expect(answer.locator("input[type=date]").last).to_be_in_viewport(ratio=1)
    await expect(menu).to_be_focused()
    await expect(menu).to_be_in_viewport(ratio=1)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(str(request.post_data)) if request.url.endswith("/do") else None)
    await first.focus()
    for digit in f"{datetime.now(UTC).date():%m%d%Y}":
        await page.keyboard.press(digit)
    assert sent == []
    await page.keyboard.press("Enter")
    await expect(answer).to_contain_text("Ordered")
    assert len(sent) == 1
    await expect(answer.locator("input[type=date]").first).to_be_focused()


async def test_home_is_read_from_its_top(page: Page) -> None:
    for text in ("/mailstatus Spring", "/mailstatus Fall"):
        await say(page, text)
    await page.locator("nav button", has_text="Piecewise (Home)").click()
    await expect(page.locator(".home")).to_contain_text("Your mail")
    assert await page.locator("#messages").evaluate("box => box.scrollTop") == 0
    # What is told meanwhile takes of its height on a phone, and moves nothing.
    await make(page, "The webhook falls silent")
    await expect(page.locator("#toasts")).to_contain_text("fell silent")
    assert await page.locator("#messages").evaluate("box => box.scrollTop") == 0


async def test_each_event_says_what_happened(visit: Visit) -> None:
    page = await visit.open(WIDE)
    for label, said in (
        ("Stannp cancels a drop", "cancelled Welcome back by itself"), ("The morning digest", "digest is in #mail-ops"),
        ("Monday's report", "report is in #mail-ops"), ("A workflow asks", "A workflow asked"),
        ("The webhook falls silent", "fell silent"), ("Stannp is down", "Stannp is down for 20 seconds"),
    ):  # fmt: skip
        await make(page, label)
        await expect(page.locator("#toasts")).to_contain_text(said)
    answer = await say(page, "/mailstatus Spring")
    await expect(answer).to_contain_text(re.compile("Stannp", re.IGNORECASE))
    await expect(page.locator("#messages")).to_contain_text("Morning workflow")
    await keep(page, "events")


async def test_a_second_workspace_installs_the_bot_and_connects_its_mail(visit: Visit) -> None:
    page = await visit.open(WIDE)
    # However far the story is: the bot's own timetable runs by the real time.
    await page.get_by_role("button", name="Next day").click()
    await expect(page.locator("#toasts")).to_contain_text("A day has passed")
    await make(page, "A second workspace installs it")
    await page.select_option("#who", "T0BOLT:U0BOB")
    await page.get_by_role("button", name="Piecewise (Home)").click()
    await expect(page.locator(".home")).to_contain_text("isn't installed here yet")
    await make(page, "Be a guest")
    await expect(page.locator("#toasts")).to_contain_text("You are Gus Novak now.")
    async with page.context.expect_page() as opened:
        await page.get_by_role("link", name="Install").click()
    slack = await opened.value
    await expect(slack.get_by_role("radio", name="Bolt Bikes")).to_be_checked()
    await slack.get_by_role("button", name="Allow").click()
    await expect(slack.locator("body")).to_contain_text("Piecewise")
    await slack.close()
    await expect(page.get_by_role("link", name="Install")).to_have_count(0)
    await page.select_option("#who", "T0BOLT:U0BOB")
    await expect(page.get_by_role("heading", name="Bolt Bikes")).to_be_visible()
    await page.get_by_role("button", name="Piecewise (Home)").click()
    await page.locator(".home").get_by_role("button", name=re.compile("Connect")).first.click()
    modal = page.get_by_role("dialog")
    await modal.locator("input[type=text]").first.fill("bolt-key")
    await keep(page, "connect")
    await modal.locator(".foot .primary").click()
    await expect(modal).to_contain_text("Connected to ops@bolt.example")
    await page.keyboard.press("Escape")
    second = visit.demo.calendar.second
    assert second is not None
    while not any("campaignSingles/502" in one for one in second.mail.requests):
        await page.wait_for_timeout(300)
    await page.get_by_role("button", name="# bolt-mail").click()
    await page.locator("#ideas").get_by_role("button", name="/mailstatus Bike season").click()
    answer = await say(page, "/mailstatus Bike season")
    await expect(answer).to_contain_text("70 pieces")


async def test_slack_may_be_slow_and_loses_nothing(visit: Visit) -> None:
    page = await visit.open(NARROW)
    await make(page, "Slack is slow")
    answer = await say(page, "/mailtrack Jane")
    await expect(answer).to_contain_text("Jane")


async def test_the_story_is_steered(visit: Visit) -> None:
    page = await visit.open(NARROW)
    day = await page.locator("#day").inner_text()
    await page.get_by_role("button", name="Next day").click()
    await expect(page.locator("#day")).not_to_have_text(day)
    await page.get_by_role("button", name="Pause").click()
    await expect(page.locator("#pace")).to_have_text("paused")
    await page.get_by_role("button", name="Play").click()
    await page.select_option("#speed", "2")
    later = await page.locator("#day").inner_text()
    await expect(page.locator("#day")).not_to_have_text(later)
    await page.get_by_role("button", name="Restart").click()
    await expect(page.locator("#day")).to_have_text(day, timeout=60_000)


# Thirty days, each of which stops at its morning and waits for what the bot has under way.
@pytest.mark.timeout(300)
async def test_a_campaign_goes_its_whole_way_at_speed(visit: Visit) -> None:
    page = await visit.open(WIDE)
    await page.select_option("#speed", "0.5")
    await expect(page.locator("#messages")).to_contain_text("Spring lapsed", timeout=60_000)
    calendar = visit.demo.calendar
    while calendar.clock.jumped.days < 30:
        await page.wait_for_timeout(500)
    calendar.paused = True
    await say(page, "/mailstatus Spring lapsed")
    answer = page.locator("article", has=page.locator("img[src*=files]"), has_text="Spring lapsed")
    await expect(answer.last).to_contain_text(re.compile(r"(8|9)\d% delivered"))
    booked = page.locator("article", has_text=re.compile(r"Loyalty letter \w+ \d+"))
    await expect(booked.filter(has_text="All done.")).to_be_visible()


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
    delivered = status.locator("option", has_text="Delivered")
    label = await delivered.inner_text()
    await status.select_option(await delivered.get_attribute("value"))
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


@pytest.mark.turns
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["desktop", "phone"])
async def test_axe_finds_nothing_to_complain_about(visit: Visit, size: tuple[int, int], theme: str) -> None:
    page = await visit.open(size, theme, greeted=False)
    assert await complaints(page) == []
    await keep(page, f"first-{theme}")
    await say(page, "/mailstatus Spring")
    await expect(page.locator("#messages img")).to_be_visible()
    await make(page, "A piece comes back")
    await page.locator("#messages .replies").click()
    await expect(page.locator("#replies")).to_contain_text("came back")
    assert await complaints(page) == []
    assert await fits(page)
    await keep(page, f"talk-{theme}")
    await page.locator("#unthread").click()
    answer = page.locator("article", has=page.locator("img"))
    await answer.get_by_role("button", name="View the pieces of Spring lapsed").click()
    await expect(page.get_by_role("dialog")).to_contain_text("240 pieces")
    assert await complaints(page) == []
    await keep(page, f"dialog-{theme}")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Piecewise (Home)").click()
    await expect(page.locator(".home")).to_contain_text("Your mail")
    assert await complaints(page) == []
    await keep(page, f"home-{theme}")


async def test_a_fault_of_the_page_is_told_as_one_and_the_page_goes_on(visit: Visit) -> None:
    page = await visit.open(WIDE)
    slack = visit.demo.slack
    slack.messages.append(Posted(slack.next_ts(), OPS, ANA, "", [{"type": "unheard of"}]))
    slack.changed()
    note = page.locator("#note")
    await expect(note).to_contain_text("Reload")
    assert [one for one in visit.troubles if "TypeError" in one]
    visit.troubles.clear()
    slack.messages.pop()
    slack.say(ANA, OPS, "Morning!")
    await expect(page.locator("#messages")).to_contain_text("Morning!")
    visit.troubles.clear()


async def test_only_a_sandbox_that_does_not_answer_is_away(visit: Visit) -> None:
    page = await visit.open(WIDE)
    await page.route("**/state?*", lambda route: route.abort())
    await expect(page.locator("#note")).to_contain_text("is away")
    await page.unroute("**/state?*")
    await expect(page.locator("#note")).to_have_text("")
    assert all("Failed to load" in one for one in visit.troubles)
    visit.troubles.clear()


async def test_plain_words_in_a_channel_are_answered_by_a_note_of_the_page(page: Page) -> None:
    await say(page, "Where is our mail?")
    note = page.locator("#note")
    await expect(note).to_contain_text("Piecewise answers slash commands")
    await expect(note).not_to_contain_text("Slack says")
    answer = await say(page, "/mailstatus help")
    await expect(answer).to_be_visible()
    await expect(note).to_have_text("")


async def test_a_dialog_begins_where_enter_does_no_harm(visit: Visit) -> None:
    page = await visit.open(WIDE)
    ref = next(iter(visit.demo.story.platform.pieces_of(223))).id
    status = await say(page, "/mailstatus Holiday postcards")
    await status.get_by_role("button", name="View the pieces of Holiday postcards").click()
    await expect(page.get_by_role("dialog").locator(":is(h2, select, input):focus")).to_have_count(1)
    await page.keyboard.press("Escape")
    tracked = await say(page, f"/mailtrack {ref}")
    await tracked.get_by_role("button", name=f"Cancel piece {ref}").click()
    confirm = page.get_by_role("alertdialog")
    await expect(confirm.locator("button:not(.danger)")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(confirm).to_have_count(0)
    assert visit.demo.story.platform.pieces[ref].status == "received"


async def is_cut(page: Page, inner: Locator) -> bool:
    """Whether this reaches below the edge of the messages."""
    edge, box = await page.locator("#messages").bounding_box(), await inner.bounding_box()
    assert edge is not None
    assert box is not None
    return box["y"] + box["height"] > edge["y"] + edge["height"] + 1


async def test_after_undo_the_message_has_the_focus_and_is_whole(visit: Visit) -> None:
    page = await visit.open(WIDE)
    await say(page, "/mailstatus Spring")
    answer = await say(page, "/mailalerts off")
    undo = answer.get_by_role("button", name="alerts")
    await expect(undo).to_be_visible()
    await undo.focus()
    await page.keyboard.press("Enter")
    await expect(undo).to_have_count(0)
    said = page.locator("#messages > article").last
    await expect(page.locator("#messages > article:focus")).to_have_count(1)
    assert not await is_cut(page, said)


async def test_the_first_reply_to_the_last_message_is_in_sight(page: Page) -> None:
    await say(page, "/mailstatus Spring")
    await make(page, "A piece comes back")
    replies = page.locator("#messages .replies").last
    await expect(replies).to_contain_text("1 reply")
    assert not await is_cut(page, replies)


async def test_a_toast_lies_over_no_text_and_no_button(page: Page) -> None:
    answer = await say(page, "/mailstatus Spring")
    await make(page, "A piece comes back")
    toast = page.locator(".toast").last
    await expect(toast).to_be_visible()
    box = await toast.bounding_box()
    assert box is not None
    if width_of(page) < 720:
        talk = await page.locator("#messages").bounding_box()
        first = await answer.bounding_box()
        assert talk is not None
        assert first is not None
        assert box["y"] + box["height"] <= talk["y"] <= first["y"]
    else:
        for one in await page.locator("#messages article .body").all():
            body = await one.bounding_box()
            assert body is not None
            assert body["x"] + body["width"] <= box["x"]


async def test_a_toast_outlasts_the_dialog_over_it_and_the_strip_shows_where_it_leads(visit: Visit) -> None:
    page = await visit.open(NARROW)
    answer = await say(page, "/mailstatus Spring")
    await answer.get_by_role("button", name="View the pieces of Spring lapsed").click()
    modal = page.get_by_role("dialog")
    await modal.get_by_role("button", name="Send me exactly these pieces").click()
    await expect(modal).to_contain_text("preparing the file")
    toast = page.locator(".toast", has_text="Piecewise (direct)")
    await expect(toast).to_be_attached()
    # Longer than a toast stays that can be read.
    await page.wait_for_timeout(10_000)
    await modal.get_by_role("button", name="Close").click()
    await expect(modal).to_contain_text("Find")
    await page.keyboard.press("Escape")
    await expect(modal).to_have_count(0)
    await expect(page.locator("#channels").get_by_role("button", name="Piecewise (direct)")).to_be_in_viewport(ratio=1)
    await toast.get_by_role("button", name="Jump").click()
    await expect(page.get_by_role("link", name="spring-lapsed.csv")).to_be_visible()


async def test_the_apps_page_has_slacks_two_tabs(page: Page) -> None:
    await page.get_by_role("button", name="Piecewise (Home)").click()
    await page.locator(".home .btn", has_text="Show the pie").click()
    await expect(page.locator(".home")).to_contain_text("open Messages above")
    await page.locator("#tabs").get_by_role("button", name="Messages").click()
    await expect(page.locator("#messages img")).to_be_visible()
    await page.locator("#tabs").get_by_role("button", name="Home").click()
    await expect(page.locator(".home")).to_be_visible()
