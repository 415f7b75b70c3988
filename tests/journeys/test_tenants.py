"""Installations and people that change while the bot runs: late events, doubtful tokens, guests, and revoked keys."""

import asyncio
import contextlib
import copy
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.exc import OperationalError

from bot.app import running
from bot.platforms.stannp import wire
from bot.sandbox.slack import BOT_USER, Fault, Posted, User, View
from handlers.ingest import poll as polling
from handlers.setup.leaving import Leaving
from handlers.text import short_answers
from storage import secrets as sealed_secrets
from storage import workspaces
from storage.database import open_database
from storage.records import Workspace, WorkspaceId
from storage.secrets import SecretKind
from tests.house import ACME, House, doubles, house

UNINSTALLED = {"type": "app_uninstalled"}
REVOKED = {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT_USER]}}


@pytest.fixture
async def acme(sqlite_url: str) -> AsyncIterator[House]:
    """One workspace, installed and connected."""
    async with house(sqlite_url) as made:
        await made.install(ACME)
        await made.connect(ACME)
        yield made


async def workspace_of(made: House) -> Workspace:
    return await made.tenants.template.memory.read(workspaces.by_team, ACME)


async def idle(made: House) -> None:
    """Nothing that was begun by a request is still under way."""
    assert made.app is not None
    tasks = made.app.in_flight.tasks
    await made.until(lambda: not [task for task in tasks if not task.get_name().startswith("tick:")])


async def has_key(made: House, key: WorkspaceId) -> bool:
    found = await made.tenants.template.memory.read(sealed_secrets.secret, made.tenants.vault, key, SecretKind.ACCOUNT)
    return found is not None and "key" in found


# ---- Events that come late --------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [UNINSTALLED, REVOKED], ids=["uninstalled", "revoked"])
@pytest.mark.parametrize("ago", [3600, 0], ids=["of an hour ago", "of just now"])
async def test_a_late_event_does_not_destroy_an_installation_that_works(
    acme: House, event: dict[str, object], ago: int
) -> None:
    await acme.install(ACME)
    assert (await acme.slack(ACME).tell(event, at=time.time() - ago)).ok
    await idle(acme)
    workspace = await workspace_of(acme)
    assert workspace.removed_at is None
    assert await has_key(acme, workspace.id)


async def test_a_passing_refusal_does_not_make_a_late_event_true(acme: House) -> None:
    await acme.install(ACME)
    acme.slack(ACME).faults.append(Fault("auth.test", error="invalid_auth"))
    assert (await acme.slack(ACME).tell(UNINSTALLED)).ok
    await idle(acme)
    workspace = await workspace_of(acme)
    assert workspace.removed_at is None
    assert await has_key(acme, workspace.id)


async def test_while_slack_cannot_say_nothing_is_destroyed_and_it_is_asked_again(acme: House) -> None:
    slack = acme.slack(ACME)
    slack.faults.append(Fault("auth.test", status=503, times=2))
    assert all(one.ok for one in await acme.cloud.uninstall(ACME))
    await idle(acme)
    workspace = await workspace_of(acme)
    assert workspace.removed_at is None
    assert await has_key(acme, workspace.id)
    slack.faults.clear()
    await Leaving(acme.tenants.template, acme.tenants).look_again()
    assert (await workspace_of(acme)).removed_at is not None
    assert not await has_key(acme, workspace.id)


async def test_an_event_that_comes_twice_is_looked_into_once(acme: House) -> None:
    slack = acme.slack(ACME)
    for seconds in (2, 1):
        assert (await slack.tell(UNINSTALLED, at=time.time() - seconds, event_id="Ev1")).ok
    await idle(acme)
    asked = [name for name, _ in slack.calls].count("auth.test")
    assert asked == 2, "once at the installation, and once for the event"


@pytest.mark.parametrize("when", [10**15, -(10**12), "soon", float("nan"), None])
async def test_a_removal_is_heard_however_its_envelope_is_written(acme: House, when: object) -> None:
    slack = acme.slack(ACME)
    slack.faults.append(Fault("auth.test", error="account_inactive", times=9))
    body = {"type": "event_callback", "team_id": slack.team, "api_app_id": "A0", "event": UNINSTALLED}
    await slack.deliver("events_api", body | ({"event_time": when} if when else {}))
    await idle(acme)
    assert (await workspace_of(acme)).removed_at is not None


async def test_another_bot_s_or_a_person_s_revoked_token_is_not_our_business(acme: House) -> None:
    slack = acme.slack(ACME)
    for tokens in ({"oauth": ["U0ANA"]}, {"oauth": [], "bot": ["U0OTHERBOT"]}):
        assert (await slack.tell({"type": "tokens_revoked", "tokens": tokens})).ok
    await idle(acme)
    assert [name for name, _ in slack.calls].count("auth.test") == 1, "only at the installation"
    assert (await workspace_of(acme)).removed_at is None


# ---- Webhook secrets --------------------------------------------------------------------------------------------


async def test_an_empty_secret_is_no_key(acme: House) -> None:
    key = (await workspace_of(acme)).id
    address, mail = await acme.tenants.webhook(key), acme.mail[ACME]
    raw = mail.delivery([mail.pieces_of(222)[0]], 1)
    assert await mail.call_webhook(address, raw, wire.sign(raw, "")) == 401


@pytest.mark.parametrize("secret", ["", "   ", "short"])
async def test_home_refuses_a_secret_that_protects_nothing(acme: House, secret: str) -> None:
    slack, key = acme.slack(ACME), (await workspace_of(acme)).id
    ready = await acme.until(
        lambda: slack.homes["U0ANA"] if "set_up_webhook" in str(slack.homes["U0ANA"].view) else None
    )
    await slack.press("U0ANA", ready, "set_up_webhook")
    form = await acme.modal(ACME, "U0ANA", "/webhooks/stannp/")
    await acme.submit(ACME, "U0ANA", form, secret=secret)
    await acme.modal(ACME, "U0ANA", "at least 8 characters")
    raw, mail = b'{"event": "mailpiece_status"}', acme.mail[ACME]
    address = await acme.tenants.webhook(key)
    assert await mail.call_webhook(address, raw, wire.sign(raw, secret)) == 401


# ---- Who somebody is --------------------------------------------------------------------------------------------


SILENT = "users.info"


@pytest.fixture
async def shown(acme: House) -> House:
    """The mail is known, and a guest is in the channel."""
    key = (await workspace_of(acme)).id
    acme.mail[ACME].pieces_of(222)[0].move("returned", acme.tenants.template.clock.now())
    await polling.poll(await acme.tenants.of(key), key)
    acme.slack(ACME).add_user(User("U0OUT", "Pat Partner", restricted=True))
    return acme


def silence(made: House) -> None:
    """Slack does not say who anybody is."""
    made.slack(ACME).faults.append(Fault(SILENT, status=429, retry_after=60, times=10_000))


async def refused(made: House, user: str, where: Posted | View, action: str, value: str | None = None) -> str:
    """What this person reads who presses this."""
    slack = made.slack(ACME)
    before, open_before = len(slack.messages), len(slack.stack_of(user))
    # As it was shown: a refusal takes a modal's place.
    assert (await slack.press(user, copy.deepcopy(where), action, value)).ok
    await idle(made)
    said = [m.text for m in slack.messages[before:] if m.only_for in (None, user)]
    stack = slack.stack_of(user)
    assert len(stack) <= max(open_before, 1), "nothing was opened"
    return " ".join(said) or str([view.view for view in slack.views.values()])


async def test_whom_slack_does_not_name_sees_no_list_and_gets_no_file(shown: House) -> None:
    slack, mail = shown.slack(ACME), shown.mail[ACME]
    answer = await shown.say(ACME, "/mailstatus", "Acme Outdoors spring")
    await slack.press("U0ANA", answer, "view_details")
    listed = copy.deepcopy(await shown.modal(ACME, "U0ANA", "Export CSV"))
    silence(shown)
    for where, action in ((answer, "view_details"), (listed, "details_export"), (answer, "returns_desk")):
        said = await refused(shown, "U0OUT", where, action)
        assert "isn't telling me" in said, said
    assert not slack.files or all(not file.name.endswith(".csv") for file in slack.files.values())
    tracked = await shown.say(ACME, "/mailtrack", str(mail.pieces_of(222)[1].id), "U0OUT")
    assert mail.pieces_of(222)[1].lastname not in str(tracked.blocks)
    for name in ("/mailalerts", "/mailstatus"):
        said = (await shown.say(ACME, name, "on" if name == "/mailalerts" else "", "U0OUT")).text
        assert "isn't telling me" in said, said


async def test_who_was_known_a_while_ago_goes_on_looking_while_slack_is_silent(shown: House) -> None:
    slack = shown.slack(ACME)
    answer = await shown.say(ACME, "/mailstatus", "Acme Outdoors spring")
    silence(shown)
    # As after a restart: only what the database holds is known.
    shown.tenants.opened.clear()
    await slack.press("U0ANA", answer, "view_details")
    await shown.modal(ACME, "U0ANA", "Export CSV")


async def test_who_became_a_guest_is_asked_for_again_at_each_step(shown: House) -> None:
    slack = shown.slack(ACME)
    answer = await shown.say(ACME, "/mailstatus", "Acme Outdoors spring")
    await slack.press("U0ANA", answer, "view_details")
    listed = copy.deepcopy(await shown.modal(ACME, "U0ANA", "Export CSV"))
    slack.users["U0ANA"].restricted = True
    for action, value in (("details_filter", "Returned (1)"), ("details_export", None), ("track_piece", None)):
        said = await refused(shown, "U0ANA", listed, action, value)
        assert "As a guest" in said, (action, said)
    assert (await slack.submit("U0ANA", listed, {"search": {"asked": {"type": "plain_text_input", "value": "a"}}})).ok
    await idle(shown)
    assert "As a guest" in str(slack.stack_of("U0ANA")[-1].view)


async def test_a_demoted_admin_neither_cancels_nor_changes_settings(shown: House) -> None:
    slack, mail = shown.slack(ACME), shown.mail[ACME]
    answer = await shown.say(ACME, "/mailstatus", "Acme Outdoors autumn")
    await slack.press("U0ANA", answer, "cancel_campaign")
    dry = await shown.modal(ACME, "U0ANA", "confirm_cancel_campaign")
    home = await shown.until(
        lambda: slack.homes["U0ANA"] if "open_settings" in str(slack.homes["U0ANA"].view) else None
    )
    slack.users["U0ANA"].is_admin = False
    before = len(slack.messages)
    assert (await slack.submit("U0ANA", dry)).ok
    await idle(shown)
    assert "can't cancel" in " ".join(m.text for m in slack.messages[before:])
    assert all(piece.status != "cancelled" for piece in mail.pieces_of(223))
    for action in ("open_settings", "open_audit_log", "set_up_webhook"):
        assert "can't change settings" in await refused(shown, "U0ANA", home, action)


async def test_rights_that_cannot_be_asked_for_are_no_rights(shown: House) -> None:
    slack, mail = shown.slack(ACME), shown.mail[ACME]
    answer = await shown.say(ACME, "/mailstatus", "Acme Outdoors autumn")
    await slack.press("U0ANA", answer, "cancel_campaign")
    dry = await shown.modal(ACME, "U0ANA", "confirm_cancel_campaign")
    silence(shown)
    before = len(slack.messages)
    assert (await slack.submit("U0ANA", dry)).ok
    await idle(shown)
    assert "isn't telling me" in " ".join(m.text for m in slack.messages[before:])
    assert all(piece.status != "cancelled" for piece in mail.pieces_of(223))


# ---- What only a person can mend --------------------------------------------------------------------------------


async def tick(made: House, name: str) -> None:
    """The clock comes to this job, whenever it was last done."""
    app = made.app
    assert app is not None
    await made.tenants.template.memory.write(lambda c: c.exec_driver_sql("DELETE FROM leases"))
    await app.scheduler.get_job(name).func()
    await made.until(lambda: not app.in_flight.is_running(f"tick:{name}"))


def told(made: House, word: str, user: str = "U0ANA") -> list[str]:
    """The direct messages to this person that hold this word."""
    return [m.text for m in made.slack(ACME).messages if m.channel == f"D{user}" and word in m.text]


async def home_of(made: House) -> str:
    slack = made.slack(ACME)
    assert (await slack.open_home("U0ANA")).ok
    await idle(made)
    return str(slack.homes["U0ANA"].view)


async def test_a_revoked_mail_key_is_told_once_with_what_to_do_and_until_it_works_again(shown: House) -> None:
    mail = shown.mail[ACME]
    mail.api_key = "another"
    for _ in range(12):
        await tick(shown, "poll")
    assert len(told(shown, "no longer accepts")) == 1
    assert "*Mail account*" in told(shown, "no longer accepts")[0]
    assert "no longer accepts" in await home_of(shown)
    mail.api_key = "acme-key"
    await tick(shown, "poll")
    assert "no longer accepts" not in await home_of(shown)
    mail.api_key = "another"
    await tick(shown, "poll")
    assert len(told(shown, "no longer accepts")) == 2, "it is news again"


async def test_who_cannot_be_told_is_not_the_last_to_be_asked(shown: House) -> None:
    slack, key = shown.slack(ACME), (await workspace_of(shown)).id
    await shown.say(ACME, "/mailalerts", "on", "U0ACM2")
    del slack.users["U0ANA"]
    shown.mail[ACME].api_key = "another"
    await tick(shown, "poll")
    assert len(told(shown, "no longer accepts", "U0ACM2")) == 1
    assert key


# ---- Tokens that end --------------------------------------------------------------------------------------------


@pytest.fixture
async def ending(sqlite_url: str) -> AsyncIterator[House]:
    """One workspace, whose token is about to end."""
    async with house(sqlite_url) as made:
        made.cloud.lifetime = 3600
        await made.install(ACME)
        await idle(made)
        made.cloud.lifetime = 43_200
        made.tenants.opened.clear()
        yield made


async def test_a_new_token_is_recorded_however_often_the_database_fails(
    ending: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, keep, failures = (await workspace_of(ending)).id, sealed_secrets.keep_secret, [1, 2]

    def failing(*args: object) -> None:
        if failures:
            failures.pop()
            raise OperationalError("UPDATE", {}, RuntimeError("gone"))
        keep(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sealed_secrets, "keep_secret", failing)
    await renewed(ending)
    kept = await ending.tenants.template.memory.read(sealed_secrets.secret, ending.tenants.vault, key, SecretKind.SLACK)
    assert kept is not None
    assert kept["refresh"] in ending.cloud.refreshes, "the one with which the next can be had"
    assert kept["token"] == ending.slack(ACME).bot_token


async def renewed(made: House) -> None:
    """The token is asked for until it is another."""
    key, before = (await workspace_of(made)).id, made.cloud.renewals
    await made.tenants.template.memory.write(lambda c: c.exec_driver_sql("DELETE FROM leases"))
    with contextlib.suppress(OperationalError):
        await made.tenants.of(key)
    await made.until(lambda: made.cloud.renewals > before)


async def test_a_renewal_never_overwrites_a_newer_installation(ending: House) -> None:
    key = (await workspace_of(ending)).id
    ending.cloud.hold = asyncio.Event()
    asking = asyncio.create_task(ending.tenants.of(key))
    await ending.until(lambda: ending.cloud.holding)
    await ending.install(ACME)
    newest = ending.slack(ACME).bot_token
    ending.cloud.hold.set()
    await asking
    kept = await ending.tenants.template.memory.read(sealed_secrets.secret, ending.tenants.vault, key, SecretKind.SLACK)
    assert kept is not None
    assert kept["token"] == newest


async def test_a_refused_renewal_is_told_in_time_and_until_the_app_is_installed_again(ending: House) -> None:
    ending.cloud.refreshes.clear()
    key = (await workspace_of(ending)).id
    for _ in range(3):
        await ending.tenants.of(key)
        await tick(ending, "silence")
    said = told(ending, "renew my access")
    assert len(said) == 1
    assert "/slack/install" in said[0]
    ending.cloud.lifetime = 43_200
    await ending.install(ACME)
    await ending.connect(ACME)
    assert "renew my access" not in await home_of(ending)


async def test_a_crash_between_slack_s_answer_and_its_record_costs_nothing(sqlite_url: str) -> None:
    async with doubles(sqlite_url) as made:
        made.cloud.grace, made.cloud.lifetime, made.cloud.hold = 60, 3600, asyncio.Event()
        async with running(made.settings) as app:
            made.app = app
            made.cloud.send_to(f"{made.public}/slack/events")
            await made.install(ACME)
            key = (await workspace_of(made)).id
            asking = asyncio.create_task(made.tenants.of(key))
            await made.until(lambda: made.cloud.holding)
            asking.cancel()
            # As by SIGKILL: the answer never comes to be recorded.
            for task in list(made.tenants.renewing):
                task.cancel()
        made.cloud.hold, made.cloud.lifetime, lost = None, 43_200, made.slack(ACME).bot_token
        long_ago = "UPDATE secrets SET renewing_at = renewing_at - 60000000"
        with open_database(sqlite_url).writer.begin() as connection:
            connection.exec_driver_sql(long_ago)
        async with running(made.settings) as app:
            made.app = app
            # Nobody asks for anything: it is finished by itself, and soon, as Slack's grace is short.
            await made.until(lambda: made.slack(ACME).bot_token != lost)
            await idle(made)
            services = await made.tenants.of(key)
            await services.slack.post("C0MAIL", short_answers.plain("still here"))
            kept = await made.tenants.template.memory.read(
                sealed_secrets.secret, made.tenants.vault, key, SecretKind.SLACK
            )
            assert kept is not None
            assert kept["refresh"] in made.cloud.refreshes
    assert made.cloud.every_problem() == []
