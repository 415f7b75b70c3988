"""Two workspaces at once: installed from the web page in a real browser, connected, alerted, renewed, removed."""

import asyncio
import os
import time
from pathlib import Path

from playwright.async_api import Browser, async_playwright, expect

from handlers.ingest import poll as polling
from handlers.text import short_answers
from storage import workspaces
from tests.browser.test_demo import CHROMIUM, SWITCHES, pytestmark  # noqa: F401
from tests.browser.watched import watch
from tests.house import ACME, BOLT, House, house

TEAMS = {ACME: "Acme Outdoors", BOLT: "Bolt Bikes"}


async def by_hand(browser: Browser, made: House, team: str, troubles: list[str]) -> None:
    """A person clicks through."""
    context = await browser.new_context()
    watch(context, troubles)
    page = await context.new_page()
    await page.goto(f"{made.public}/slack/install")
    await page.get_by_label(TEAMS[team]).check()
    await page.get_by_role("button", name="Allow").click()
    await expect(page.get_by_role("heading", name="Piecewise is installed")).to_be_visible()
    await expect(page.locator("main")).to_contain_text(TEAMS[team])
    if folder := os.environ.get("PIECEWISE_SCREENSHOTS"):
        await page.screenshot(path=str(Path(folder) / f"installed-{team}.png"))
    # The address that Slack led back to is good once.
    await page.goto(page.url)
    await expect(page.get_by_role("heading", name="Piecewise was not installed")).to_be_visible()
    await context.close()


async def test_install_connect_alert_rotate_uninstall_for_two_workspaces_at_once(postgres_url: str) -> None:
    async with house(postgres_url) as made, async_playwright() as playwright:
        made.cloud.lifetime = 3600
        troubles: list[str] = []
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        await asyncio.gather(*(by_hand(browser, made, team, troubles) for team in TEAMS))
        context = await browser.new_context()
        watch(context, troubles)
        refused = await context.new_page()
        await refused.goto(f"{made.public}/slack/install")
        await refused.get_by_label("Acme Outdoors").check()
        await refused.get_by_role("button", name="Cancel").click()
        await expect(refused.locator("main")).to_contain_text("cancelled in Slack")
        if folder := os.environ.get("PIECEWISE_SCREENSHOTS"):
            await refused.screenshot(path=str(Path(folder) / "not-installed.png"))
        await browser.close()
        # An address that is good once, and Cancel, are refused as they should be.
        assert [one for one in troubles if "status of 4" not in one] == []
        both = asyncio.Barrier(len(TEAMS))
        await asyncio.gather(*(live(made, team, both) for team in TEAMS))
        assert made.cloud.every_problem() == []


async def live(made: House, team: str, both: asyncio.Barrier) -> None:
    slack, mail, memory = made.slack(team), made.mail[team], made.tenants.template.memory
    boss = next(iter(slack.users))
    welcome = await made.until(lambda: next((m for m in slack.messages if m.channel == f"D{boss}"), None))
    assert TEAMS[team] in welcome.text
    await made.connect(team)
    key = (await memory.read(workspaces.by_team, team)).id
    services = await made.tenants.of(key)
    await polling.poll(services, key)
    # Alert: a channel is told of a return, and the other company's channel of the same name is not.
    assert (await made.say(team, "/mailalerts", "on")).text
    mail.pieces_of(222)[0].move("returned", services.clock.now())
    await polling.poll(services, key)
    told = await made.until(lambda: [m for m in slack.messages if "1 came back" in m.text and m.channel == "C0MAIL"])
    assert not [m for m in slack.messages for other in TEAMS if other != team and TEAMS[other] in str(m.blocks)]
    assert told
    # Rotate: the token is about to end; a push in the background goes out with a new one, after the old one ended.
    before = slack.bot_token
    # Both companies' tokens live equally long: neither may get one that lasts before both have looked at theirs.
    await both.wait()
    made.cloud.lifetime = 43_200
    for _ in range(500):
        await memory.write(lambda c: c.exec_driver_sql(f"DELETE FROM leases WHERE name = 'renew:{key}'"))
        renewed = await made.tenants.of(key)
        if slack.bot_token != before:
            break
        # The clock may be at it just now.
        await asyncio.sleep(0.02)
    assert slack.bot_token != before
    slack.older_tokens = dict.fromkeys(slack.older_tokens, time.time() - 1)
    assert await renewed.slack.post("C0ELSE", short_answers.plain("still here"))
    # Uninstall: at once nothing is answered any more.
    assert all(acked.ok for acked in await made.cloud.uninstall(team))
    for _ in range(500):
        # Written first, and known to who answers a moment later.
        if await made.tenants.enter(None, team, False) is None:
            break
        await asyncio.sleep(0.02)
    assert await made.tenants.enter(None, team, False) is None
    assert (await memory.read(workspaces.by_id, key)).removed_at is not None
