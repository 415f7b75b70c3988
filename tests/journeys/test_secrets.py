"""Planted secrets and personal data are looked for in everything that leaves: logs, answers, errors, metrics, the page."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest

from bot.sandbox.slack import Fault
from bot.sandbox.stannp import Trouble
from bot.telemetry import set_up_logging
from handlers.asked import PRESSES
from handlers.context.table import Press
from handlers.ingest import poll as polling
from storage import workspaces
from storage.records import WorkspaceId
from tests.house import ACME, BOLT, House, house

PLANTED = "planted-"


@pytest.fixture
async def two(postgres_url: str) -> AsyncIterator[House]:
    async with house(postgres_url) as made:
        for team in (ACME, BOLT):
            made.mail[team].api_key = f"{PLANTED}key-{team}"
            await made.install(team)
            await made.connect(team)
        yield made


def logs() -> io.StringIO:
    """All lines of the log from now on, at their most talkative, in the form of production."""
    set_up_logging("json", logging.DEBUG)
    heard = io.StringIO()
    logging.getLogger().handlers[0].stream = heard  # type: ignore[attr-defined]
    return heard


async def test_nothing_that_leaves_holds_a_secret_or_a_recipient(two: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_given: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setitem(PRESSES, "refresh_status", Press(broken))
    heard = logs()
    try:
        shown = await trouble_of_all_kinds(two)
    finally:
        set_up_logging("console", logging.INFO)
    said = heard.getvalue()
    assert "listener.broke" in said
    assert "webhook.signature_refused" in said
    secrets = [
        *two.cloud.refreshes, *(one.bot_token for one in two.cloud.teams.values()), two.cloud.client_secret,
        two.cloud.signing_secret, *(one.api_key for one in two.mail.values()), f"{PLANTED}webhook",
        two.settings.piecewise_encryption_keys.get_secret_value(), (await address(two)).rsplit("/", 1)[1],
    ]  # fmt: skip
    mail = two.mail[ACME]
    people = {text for piece in mail.pieces.values() for text in (piece.lastname, piece.address1) if len(text) > 3}
    for one in secrets:
        assert one not in said, "a secret is in the log"
        assert one not in shown, "a secret is in an answer"
        assert one not in repr(two.settings) + repr(two.tenants.opened) + repr(two.tenants.keys)
    for one in people:
        assert one not in said, "a recipient is in the log"


async def address(two: House) -> str:
    key = (await two.tenants.template.memory.read(workspaces.by_team, ACME)).id
    return await two.tenants.webhook(key)


async def trouble_of_all_kinds(two: House) -> str:
    """Everything that is usually done, and everything that goes wrong; gives all that was answered."""
    key = WorkspaceId((await two.tenants.template.memory.read(workspaces.by_team, ACME)).id)
    await two.tenants.keep_webhook_secret(key, f"{PLANTED}webhook")
    services = await two.tenants.of(key)
    slack, mail = two.slack(ACME), two.mail[ACME]
    slack.paced = False
    await polling.poll(services, key)
    shown = []
    piece = next(iter(mail.pieces.values()))
    for name, text in (("/mailstatus", "spring"), ("/mailtrack", str(piece.id)), ("/mailalerts", "on")):
        for method, error, status in (
            ("none", "", 200),
            ("chat.postMessage", "", 500),
            ("users.info", "token_revoked", 200),
        ):
            slack.faults.append(Fault(method, error, status))
            before = len(slack.messages)
            await slack.command("U0ANA", "C0MAIL", name, text)
            await asyncio.sleep(0.4)
            slack.faults.clear()
            shown += [m.text for m in slack.messages[before:] if m.only_for is None]
    # A late answer to one of these would be taken for that to the next.
    assert two.app is not None
    at_work = two.app.in_flight.tasks
    await two.until(lambda: not [task for task in at_work if task.get_name().startswith("command:")])
    answer = await two.say(ACME, "/mailstatus", "spring")
    await slack.press("U0ANA", answer, "refresh_status")
    broke = await two.until(lambda: next((m for m in slack.messages if "eference" in m.text), None))
    shown.append(broke.text)
    mail.troubles.append(Trouble("", 401, body='{"error": "the key is wrong"}', times=3))
    await two.say(ACME, "/mailstatus", "spring")
    mail.troubles.clear()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{two.app.metrics_port}/metrics") as page:
            shown += [await page.text(), str(page.headers)]
        for path in (
            "/metrics",
            "/healthz",
            "/readyz",
            "/slack/install",
            "/slack/oauth_redirect?code=x&state=y",
            "/nothing",
        ):
            async with session.get(two.public + path, allow_redirects=False) as page:
                shown += [await page.text(), str(page.headers)]
        for raw in (b"{}", b"[1]", b"x"):
            async with session.post(await address(two), data=raw, headers={"X-Stannp-Signature": "0"}) as page:
                shown.append(await page.text())
    return "\n".join(shown)


async def test_who_sends_slowly_is_not_waited_for(two: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from bot.front import web

    monkeypatch.setattr(web, "BODY_SECONDS", 0.3)
    port = two.settings.piecewise_port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    await writer.drain()
    assert b"408" in await asyncio.wait_for(reader.readline(), 3)
    writer.close()
    assert web.LIMITS["keepalive_timeout"] <= 30


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /slack/events HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 9000 + b"\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(200)) + b"\r\n", b"400"),
        (b"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n" + b"a" * 1_500_000, b"413"),
    ],
    ids=["header", "line", "headers", "body"],
)
async def test_what_is_too_large_is_refused(two: House, head: bytes, status: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", two.settings.piecewise_port)
    try:
        writer.write(head)
        await writer.drain()
    except ConnectionError:
        pass
    assert status in await asyncio.wait_for(reader.readline(), 5)
    writer.close()
