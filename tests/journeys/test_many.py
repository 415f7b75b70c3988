"""Two workspaces at once on one Piecewise: installed, connected, told, renewed, governed, removed; and kept apart."""

import asyncio
import csv
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from slack_sdk.oauth.installation_store.models.installation import Installation
from sqlalchemy import Connection

from bot.app import SystemClock
from bot.front.oauth import Store
from bot.sandbox.slack import Channel, Fault, User
from bot.sandbox.stannp import Rude
from bot.tenants import Many
from handlers import upkeep
from handlers.ingest import poll as polling
from handlers.text import short_answers
from handlers.text.short_answers import plain
from storage import audit, health, workspaces
from storage import secrets as sealed_secrets
from storage.queries import mail as queries
from storage.records import NO_PIECE, CampaignId, UserId, WorkspaceId
from storage.secrets import SecretKind
from storage.vault import Vault, VaultError, new_key
from tests.house import ACME, BOLT, House, house
from tests.rudeness import NAMELESS, UNREAD, be_rude

HELPER = {ACME: "U0ACM2", BOLT: "U0BOL2"}


@pytest.fixture
async def two(postgres_url: str, rudeness: str) -> AsyncIterator[House]:
    """Both installed and connected."""
    async with house(postgres_url) as made:
        for team in (ACME, BOLT):
            be_rude(rudeness, made.slack(team), made.mail[team])
            await made.install(team)
            await made.connect(team)
        yield made


class Later(SystemClock):
    """A clock that is ahead by so much."""

    def __init__(self, **ahead: float) -> None:
        self.ahead = timedelta(**ahead)

    def now(self) -> datetime:
        return super().now() + self.ahead


async def polled(two: House) -> None:
    for team in (ACME, BOLT):
        key = await id_of(two, team)
        await polling.poll(await two.tenants.of(key), key)


async def id_of(two: House, team: str) -> WorkspaceId:
    return (await two.tenants.template.memory.read(workspaces.by_team, team)).id


async def test_each_workspace_is_answered_from_its_own_mail(two: House) -> None:
    await polled(two)
    ours, theirs = await asyncio.gather(two.say(ACME, "/mailstatus"), two.say(BOLT, "/mailstatus"))
    assert "Acme Outdoors spring" in str(ours.blocks)
    assert "Bolt" not in str(ours.blocks)
    assert "Bolt Bikes spring" in str(theirs.blocks)
    assert "Acme" not in str(theirs.blocks)
    assert "£" in str(theirs.blocks) or "GBP" in str(theirs.blocks)


async def test_slack_is_not_asked_who_we_are_with_each_request(two: House) -> None:
    await polled(two)
    for _ in range(3):
        await two.say(ACME, "/mailstatus", "spring")
    assert [name for name, _ in two.slack(ACME).calls].count("auth.test") == 1, "once, while installing"


async def test_a_button_of_another_workspace_finds_nothing(two: House) -> None:
    await polled(two)
    key = await id_of(two, BOLT)
    memory = two.tenants.template.memory

    foreign = (await memory.read(queries.campaigns_of, key))[0]
    answer = await two.say(ACME, "/mailstatus", "spring")
    shown = next(
        e for block in answer.blocks for e in block.get("elements", []) if e.get("action_id") == "refresh_status"
    )
    shown["value"] = shown["value"].replace(shown["value"].split("|")[0], str(foreign.id))
    slack = two.slack(ACME)
    before = len(slack.messages)
    assert (await slack.press("U0ANA", answer, "refresh_status")).ok
    said = await two.until(lambda: slack.messages[before:])
    assert "out of date" in said[0].text
    assert "Bolt" not in str([m.blocks for m in slack.messages])


async def test_a_wrong_key_is_told_and_asked_for_again_and_stored_nowhere(postgres_url: str) -> None:
    async with house(postgres_url) as made:
        await made.install(ACME)
        slack = made.slack(ACME)
        home = await made.until(lambda: slack.homes.get("U0ANA"))
        await slack.press("U0ANA", home, "connect_account")
        form = await made.modal(ACME, "U0ANA", "save_account")
        await made.submit(ACME, "U0ANA", form, key="planted-wrong-key", region="eu")
        again = await made.modal(ACME, "U0ANA", "refused this key")
        assert "planted" not in str(again.view)
        assert "United Kingdom" in str(
            next(b for b in again.view["blocks"] if b.get("block_id") == "region")["element"]["initial_option"]
        )
        assert (await made.tenants.template.memory.read(workspaces.by_team, ACME)).connected_at is None
        refused = await made.say(ACME, "/mailstatus")
        assert "No mail account is connected yet" in refused.text


async def test_the_webhook_has_an_address_of_its_own_and_an_old_one_is_out_of_use(two: House) -> None:
    await polled(two)
    slack = two.slack(ACME)
    await slack.press(
        "U0ANA",
        await two.until(lambda: slack.homes["U0ANA"] if "set_up_webhook" in str(slack.homes["U0ANA"].view) else None),
        "set_up_webhook",
    )
    form = await two.modal(ACME, "U0ANA", "/webhooks/stannp/")
    old = str(form.view).split("```")[1]
    await slack.press("U0ANA", form, "new_webhook")
    form = await two.modal(ACME, "U0ANA", "This is a new address")
    address = str(form.view).split("```")[1]
    assert address != old
    mail = two.mail[ACME]
    await two.submit(ACME, "U0ANA", form, secret=mail.webhook_secret)
    await two.modal(ACME, "U0ANA", "Saved")
    piece = mail.pieces_of(222)[0]
    raw = mail.delivery([piece], 1)
    assert await mail.call_webhook(address, raw) == 200
    assert await mail.call_webhook(old, raw) == 404
    assert await mail.call_webhook(address + "x", raw) == 404
    assert await mail.call_webhook(address, raw, "0" * 64) == 401
    assert await mail.call_webhook(address, raw, "") == 401


async def test_a_webhook_without_a_secret_is_not_believed(two: House) -> None:
    key = await id_of(two, ACME)
    address = await two.tenants.webhook(key)
    mail = two.mail[ACME]
    assert await mail.call_webhook(address, mail.delivery([mail.pieces_of(222)[0]], 1)) == 401


async def test_tokens_are_renewed_before_they_end_once_for_all_processes(postgres_url: str) -> None:
    async with house(postgres_url) as made:
        made.cloud.lifetime = 3600
        await made.install(ACME)
        await made.connect(ACME)
        key = await id_of(made, ACME)
        # Another process with the same database: its own cache, its own idea of the token.
        first = made.tenants
        second = Many(
            first.template,
            first.vault,
            first.keys,
            first.regions,
            first.make_client,
            first.open_account,
            first.make_slack,
        )
        for tenants in (first, second):
            tenants.opened.clear()
        renewed = made.cloud.renewals
        await first.template.memory.write(lambda c: c.exec_driver_sql("DELETE FROM leases WHERE name LIKE 'renew:%%'"))
        made.cloud.lifetime = 43_200
        await asyncio.gather(*(tenants.of(key) for _ in range(10) for tenants in (first, second)))
        assert made.cloud.renewals - renewed == 1
        # The old token ends; a push in the background goes out with the new one.
        slack = made.slack(ACME)
        slack.older_tokens = dict.fromkeys(slack.older_tokens, time.time() - 1)
        for tenants in (first, second):
            tenants.opened.clear()
            await (await tenants.of(key)).slack.post("C0MAIL", plain("after the renewal"))
        assert [m.text for m in slack.messages].count("after the renewal") == 2
        assert made.cloud.every_problem() == []


async def test_leaving_ends_everything_at_once_and_is_forgotten_after_the_stated_time(two: House) -> None:
    await polled(two)
    key, memory = await id_of(two, ACME), two.tenants.template.memory
    services = await two.tenants.of(key)
    assert all(one.ok for one in await two.cloud.uninstall(ACME))

    async def gone() -> bool:
        return (await memory.read(workspaces.by_id, key)).removed_at is not None

    for _ in range(200):
        # What was open is shut a moment after it is written that they left.
        if await gone() and await two.tenants.enter(None, ACME, False) is None:
            break
        await asyncio.sleep(0.02)
    assert await gone()
    assert await memory.read(sealed_secrets.secret, two.tenants.vault, key, SecretKind.ACCOUNT) is None
    assert await two.tenants.enter(None, ACME, False) is None
    assert [one.team_id for one in await memory.read(workspaces.every)] == [BOLT]
    await upkeep.purge(services)
    assert await memory.read(sealed_secrets.leftovers, key) != [], "what is kept is kept for the stated time"

    await upkeep.purge(replace(services, clock=Later(days=31)))
    assert await memory.read(sealed_secrets.leftovers, key) == []
    orphaned = await memory.read(
        lambda c: c.exec_driver_sql(
            "SELECT count(*) FROM changes WHERE piece_id NOT IN (SELECT id FROM pieces)"
        ).scalar()
    )
    assert orphaned == 0
    theirs = await two.say(BOLT, "/mailstatus")
    assert "Bolt Bikes spring" in str(theirs.blocks), "the other workspace lost nothing"


async def test_who_comes_back_before_that_loses_nothing(two: House) -> None:
    await polled(two)
    key = await id_of(two, ACME)
    await two.cloud.uninstall(ACME)
    await asyncio.sleep(1.6)  # else the second press counts as a double click
    await two.install(ACME)
    assert await id_of(two, ACME) == key
    await two.connect(ACME)
    answer = await two.say(ACME, "/mailstatus", "spring")
    assert "Acme Outdoors spring" in str(answer.blocks)


@pytest.mark.calm(*UNREAD)
async def test_a_second_person_approves_above_the_limit(two: House) -> None:
    await polled(two)
    slack = two.slack(ACME)
    home = await two.until(lambda: slack.homes["U0ANA"] if "open_settings" in str(slack.homes["U0ANA"].view) else None)
    await slack.press("U0ANA", home, "open_settings")
    form = await two.modal(ACME, "U0ANA", "save_settings")
    await two.submit(ACME, "U0ANA", form, cancellers="everyone", above="lots")
    form = await two.modal(ACME, "U0ANA", "must be a number")
    assert "lots" in str(form.view), "what was typed is kept"
    await two.submit(ACME, "U0ANA", form, cancellers="everyone", above="0.01")
    await two.modal(ACME, "U0ANA", "Saved")
    answer = await two.say(ACME, "/mailstatus", "Acme Outdoors autumn")
    await slack.press("U0ANA", answer, "cancel_campaign")
    dry = await two.modal(ACME, "U0ANA", "confirm_cancel_campaign")
    assert (await slack.submit("U0ANA", dry)).ok
    request = await two.until(lambda: next((m for m in slack.messages if "wants to cancel" in m.text), None))
    before = len(slack.messages)
    await slack.press("U0ANA", request, "approve_cancel")
    refused = await two.until(lambda: slack.messages[before:])
    assert "someone else must approve it" in refused[0].text
    assert all(piece.status != "cancelled" for piece in two.mail[ACME].pieces_of(223))
    slack.faults.append(Fault("chat.update", "message_not_found"))
    await slack.press(HELPER[ACME], request, "approve_cancel")
    await two.until(lambda: all(piece.status == "cancelled" for piece in two.mail[ACME].pieces_of(223)))
    await two.until(lambda: any("cancelled" in m.text for m in slack.messages[before:]))
    # Each act stands in the log, which an admin exports.
    home = slack.homes["U0ANA"]
    await slack.press("U0ANA", home, "open_audit_log")
    shown = str((await two.modal(ACME, "U0ANA", "Audit log")).view)
    for act in ("approved", "asked for approval", "changed the settings", "connected the mail account"):
        assert act in shown
    modal = await two.modal(ACME, "U0ANA", "Audit log")
    await slack.press("U0ANA", modal, "audit_export")
    file = await two.until(
        lambda: next((f for f in slack.files.values() if f.name == "audit-log.csv" and f.data), None)
    )
    rows = list(csv.reader(file.data.decode("utf-8-sig").splitlines()))
    assert rows[0] == ["at", "person", "act", "subject", "detail"]
    assert {row[2] for row in rows[1:]} >= {"installed", "approved", "asked to cancel"}


async def test_only_those_who_may_change_settings(two: House) -> None:
    slack = two.slack(ACME)
    await slack.open_home("U0ANA")
    home = await two.until(lambda: slack.homes["U0ANA"] if "open_settings" in str(slack.homes["U0ANA"].view) else None)
    for action in ("open_settings", "open_audit_log", "connect_account", "set_up_webhook"):
        before = len(slack.messages)
        # A press of another person's button cannot come from Slack; a forged one must not do more.
        await slack.press(HELPER[ACME], home, action)
        said = await two.until(lambda: slack.messages[before:])  # noqa: B023
        assert "can't change settings" in said[0].text
    assert not slack.stack_of(HELPER[ACME])


@pytest.mark.parametrize("kind", ["slack connect", "guest"])
async def test_guests_see_what_their_channel_was_shown_and_cancel_nothing(two: House, kind: str) -> None:
    await polled(two)
    slack = two.slack(ACME)
    slack.add_user(
        User(
            "U0OUT",
            "Pat Partner",
            is_admin=True,
            team="T0PART" if kind == "slack connect" else "",
            restricted=kind == "guest",
        )
    )
    slack.add_channel(Channel("C0SHARED", "shared"))
    for text in ("", "spring"):
        unseen = await two.say(ACME, "/mailstatus", text, "U0OUT", "C0SHARED")
        assert "Acme Outdoors" not in str(unseen.blocks) + unseen.text
    await two.say(ACME, "/mailstatus", "Acme Outdoors spring", "U0ANA", "C0SHARED")
    seen = await two.say(ACME, "/mailstatus", "Acme Outdoors spring", "U0OUT", "C0SHARED")
    assert "Acme Outdoors spring" in str(seen.blocks)
    assert "balance" not in str(seen.blocks).casefold()
    still = await two.say(ACME, "/mailstatus", "autumn", "U0OUT", "C0SHARED")
    assert "Acme Outdoors autumn" not in str(still.blocks)
    for action in ("view_details", "cancel_campaign", "delivery_curve"):
        if action in str(seen.blocks):
            before = len(slack.messages)
            await slack.press("U0OUT", seen, action)
            said = await two.until(lambda: slack.messages[before:])  # noqa: B023
            assert "guest" in said[0].text
    piece = two.mail[ACME].pieces_of(222)[0]
    hidden = await two.say(ACME, "/mailtrack", str(piece.id), "U0OUT", "C0SHARED")
    assert piece.lastname not in str(hidden.blocks)
    refused = await two.say(ACME, "/mailalerts", "on", "U0OUT", "C0SHARED")
    assert "guest" in refused.text


@pytest.mark.calm(*NAMELESS)
async def test_a_recipient_is_erased_on_request_and_stays_erased(two: House) -> None:
    await polled(two)
    slack, piece = two.slack(ACME), two.mail[ACME].pieces_of(222)[0]
    answer = await two.say(ACME, "/mailtrack", str(piece.id))
    assert piece.lastname in str(answer.blocks)
    await slack.press("U0ANA", answer, "erase_recipient")
    await two.until(lambda: any("I no longer know who piece" in m.text for m in slack.messages))
    await polled(two)
    again = await two.say(ACME, "/mailtrack", str(piece.id))
    assert piece.lastname not in str(again.blocks)
    assert piece.address1 not in str(again.blocks)
    theirs = two.mail[BOLT].pieces_of(222)[0]
    assert theirs.lastname in str((await two.say(BOLT, "/mailtrack", str(theirs.id))).blocks)


@pytest.mark.calm(*NAMELESS)
async def test_recipients_are_dropped_after_the_stated_time(two: House) -> None:
    for piece in two.mail[ACME].pieces_of(222):
        piece.move("delivered", two.tenants.template.clock.now() - timedelta(days=2))
    # What an account was too busy for at first, the next poll asks for.
    for _ in range(2):
        await polled(two)
    key, memory = await id_of(two, ACME), two.tenants.template.memory
    services = await two.tenants.of(key)
    await upkeep.erase(services, key)
    named = "SELECT count(*) FROM pieces WHERE name <> '' AND workspace_id = " + str(key)
    assert await memory.read(lambda c: c.exec_driver_sql(named).scalar()) == 10
    soon = replace(services, policy=replace(services.policy, keep_recipients=timedelta(days=1)))
    if two.mail[ACME].rude.undated_scans:
        # Without dates the time begins when a scan was first heard of, and does not begin anew each time.
        soon = replace(soon, clock=Later(days=2))
        await polling.poll(soon, key)
    await upkeep.erase(soon, key)
    assert await memory.read(lambda c: c.exec_driver_sql(named).scalar()) == 4, "what is under way keeps its recipient"


async def test_the_metrics_tell_how_it_stands_and_name_nobody(two: House) -> None:
    await polled(two)
    await two.say(ACME, "/mailstatus")
    async with aiohttp.ClientSession() as session:
        assert two.app is not None
        async with session.get(f"http://127.0.0.1:{two.app.metrics_port}/metrics") as answer:
            text = await answer.text()
        async with session.get(f"{two.public}/metrics", headers={"X-Forwarded-For": "203.0.113.9"}) as outside:
            assert outside.status == 404
        async with session.get(f"{two.public}/slack/install", allow_redirects=False) as page:
            assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
            assert "SameSite=Lax" in page.headers["Set-Cookie"]
            assert "Server" not in page.headers
    for name in (
        "outbox_depth",
        "outbox_age_seconds",
        "poll_lag_seconds",
        "ack_seconds_bucket",
        "slack_seconds_bucket",
        "ledger_objects",
        'slack_calls_total{outcome="rate_limited"}',
    ):
        assert f"piecewise_{name}" in text
    assert 'piecewise_workspaces{state="connected"} 2.0' in text
    assert not any(word in text for word in ("Acme", ACME, "U0ANA", "acme-key"))
    seen = await two.tenants.template.memory.read(health.look, two.tenants.template.clock.now())
    assert seen.workspaces == {"removed": 0, "connected": 2, "unconnected": 0}


async def test_a_state_that_another_browser_began_is_refused(postgres_url: str) -> None:
    async with house(postgres_url) as made, aiohttp.ClientSession() as session:
        async with session.get(f"{made.public}/slack/install", allow_redirects=False) as page:
            state = page.headers["Location"].split("state=")[1].split("&")[0]
        for query in (f"code=x&state={state}", "code=x&state=invented", "error=<script>alert(1)</script>", ""):
            async with (
                aiohttp.ClientSession() as other,
                other.get(f"{made.public}/slack/oauth_redirect?{query}") as answer,
            ):
                text = await answer.text()
                assert "was not installed" in text
                assert "<script>" not in text
        assert await made.tenants.template.memory.read(workspaces.every) == []


def test_a_secret_opens_only_in_its_place_and_with_its_keys() -> None:
    old, new = new_key(), new_key()
    sealed = Vault([old]).seal("1:slack", {"token": "xoxb-planted"})
    assert "planted" not in sealed
    assert "planted" not in repr(Vault([old])) + repr(old[:0])
    assert Vault([new, old]).open("1:slack", sealed) == {"token": "xoxb-planted"}
    for vault, place in ((Vault([new]), "1:slack"), (Vault([old]), "2:slack"), (Vault([old]), "1:account")):
        with pytest.raises(VaultError):
            vault.open(place, sealed)


async def test_keys_are_rotated_while_the_bot_runs(two: House) -> None:
    memory, old = two.tenants.template.memory, two.tenants.vault
    both = Vault([new_key(), *old.keys])
    assert await memory.write(sealed_secrets.seal_again, both, two.tenants.template.clock.now()) == 4
    assert await memory.write(sealed_secrets.seal_again, both, two.tenants.template.clock.now()) == 0
    key = await id_of(two, ACME)
    only = Vault(both.keys[:1])
    opened = await memory.read(sealed_secrets.secret, only, key, SecretKind.ACCOUNT)
    assert opened is not None
    assert opened["key"] == "acme-key"
    with pytest.raises(VaultError):
        await memory.read(sealed_secrets.secret, old, key, SecretKind.ACCOUNT)


async def test_no_secret_and_no_key_is_in_the_database_in_the_clear(two: House) -> None:
    await two.tenants.keep_webhook_secret(await id_of(two, ACME), "planted-webhook-secret")
    address = await two.tenants.webhook(await id_of(two, ACME))
    token = address.rsplit("/", 1)[1]
    planted = ["acme-key", "bolt-key", "planted-webhook-secret", token, two.slack(ACME).bot_token, *two.cloud.refreshes]

    def everything(connection: Connection) -> str:
        from storage.schema.tables import metadata

        return str([connection.execute(table.select()).all() for table in metadata.sorted_tables])

    held = await two.tenants.template.memory.read(everything)
    assert not [one for one in planted if one in held]
    assert "Acme Outdoors" in held


async def test_an_organization_is_one_workspace_of_ours(postgres_url: str) -> None:
    greeted: list[str] = []

    async def greet(workspace: Any) -> None:
        greeted.append(workspace.team_id)

    async with house(postgres_url) as made:
        store = Store(made.tenants, greet)
        token: dict[str, Any] = {"bot_token": "xoxb-org", "bot_id": "B1", "bot_user_id": "U1", "user_id": "U0CEO"}
        await store.async_save(
            Installation(
                enterprise_id="E0ORG", enterprise_name="Org", team_id=None, is_enterprise_install=True, **token
            )
        )
        assert greeted == ["E0ORG"]
        found = [await made.tenants.enter("E0ORG", team, True) for team in ("T0ONE", "T0TWO")]
        assert [one.workspace.team_id for one in found if one] == ["E0ORG", "E0ORG"]
        assert {one.token for one in found if one} == {"xoxb-org"}
        # A team of the organization that installed us by itself has a mail account of its own.
        await store.async_save(
            Installation(enterprise_id="E0ORG", team_id="T0ONE", team_name="One", **token | {"bot_token": "xoxb-one"})
        )
        own = await made.tenants.enter("E0ORG", "T0ONE", False)
        assert own is not None
        assert (own.workspace.team_id, own.token) == ("T0ONE", "xoxb-one")
        assert await made.tenants.enter("E0OTHER", "T0THREE", False) is None
        assert await made.tenants.enter(None, None, False) is None


async def test_a_request_for_approval_lapses_and_is_decided_once(two: House) -> None:
    key, memory = WorkspaceId(await id_of(two, ACME)), two.tenants.template.memory
    now = two.tenants.template.clock.now()
    number = await memory.write(audit.ask_approval, key, CampaignId(1), NO_PIECE, UserId("U0ANA"), now)

    async def decide(outcome: str, by: UserId, at: datetime) -> bool:
        return await memory.write(audit.decide, key, number, outcome, by, at)

    assert not await decide("approved", UserId("U0ANA"), now), "not by who asked"
    assert not await decide("approved", UserId("U0BEN"), now + audit.LAPSES), "not after a day"
    assert not await memory.write(audit.decide, WorkspaceId(key + 1), number, "approved", UserId("U0BEN"), now)
    assert await decide("declined", UserId("U0BEN"), now)
    assert not await decide("approved", UserId("U0BEN"), now), "not twice"


async def test_a_refused_renewal_is_no_trouble_while_the_old_token_lasts(postgres_url: str) -> None:
    async with house(postgres_url) as made:
        made.cloud.lifetime = 3600
        await made.install(ACME)
        key = WorkspaceId(await id_of(made, ACME))
        # As after a crash between Slack's answer and its record: the refresh token that is kept was used.
        made.cloud.refreshes.clear()
        services = await made.tenants.of(key)
        assert await services.slack.post("C0MAIL", short_answers.plain("still here"))


@pytest.mark.parametrize("switch", ["me_404", "balance_403", "me_500"])
async def test_any_proof_is_enough_to_connect_and_the_webhook_is_added_before_its_secret(
    database_url: str, switch: str
) -> None:
    async with house(database_url) as here:
        here.mail[ACME].rude = Rude.on(switch, "handshake_unsigned")
        await here.install(ACME)
        await here.connect(ACME)
        workspace = await here.tenants.template.memory.read(workspaces.by_team, ACME)
        address = await here.tenants.webhook(workspace.id)
        assert await here.mail[ACME].shake_hands(address) == 200
        assert await here.mail[ACME].shake_hands(address + "x") == 404
