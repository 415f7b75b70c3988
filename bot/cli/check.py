"""`piecewise check`: is everything in place? Each line is ok, or says what to do. Changes nothing anywhere."""

import contextlib
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.app import SystemClock, build_client
from bot.platforms import registry
from bot.settings import Settings, SettingsError, misspelt
from bot.slack import client as slack
from handlers.context import gaps
from handlers.errors import PlatformDown, SlackDown, Trouble
from handlers.text import formatting
from storage import aside, inbox_file, intents, workspaces
from storage import secrets as sealed_secrets
from storage.database import open_database, parse_url
from storage.pooling import PooledByTransactionError
from storage.records import Money
from storage.schema import revision

T = TypeVar("T")

#: Slack refuses requests that are five minutes off; this warns earlier.
MOST_SKEW: Final = 60
#: What was set aside within this time is a finding; what is older is only said.
FRESH: Final = timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """One finding: what was looked at, whether it is well, and what it is or what to do."""

    what: str
    ok: bool
    text: str


async def check(settings: Settings) -> list[Finding]:
    """Looks at settings, Slack, the database and the mail account, and goes on after each failure."""
    lines = _settings(settings)
    async with aiohttp.ClientSession() as session:
        if settings.is_for_many():
            lines.append(_database(settings))
            lines += [*_vault(settings), *_kept(settings)] if lines[-1].ok and not _missing_file(settings) else []
            return lines
        lines += await _slack(settings, session)
        lines.append(_database(settings))
        lines += _kept(settings) if lines[-1].ok and not _missing_file(settings) else []
        lines.append(await _platform(settings, session))
    return lines


def refused(error: SettingsError) -> list[Finding]:
    """What is wrong with the settings, a line each."""
    return [Finding("Settings", False, line) for line in str(error).splitlines()]


def misspelt_lines(environment: Mapping[str, str]) -> list[Finding]:
    """Names that nothing reads: most often a known one, mistyped."""
    return [
        Finding("Settings", False, f"nothing reads {name}: did you mean {near}?" if near else f"nothing reads {name}")
        for name, near in misspelt(environment).items()
    ]


def _settings(settings: Settings) -> list[Finding]:
    try:
        return [Finding("Settings", True, f"complete, for {settings.require_run().value}")]
    except SettingsError as error:
        return refused(error)


def _vault(settings: Settings) -> list[Finding]:
    """Whether every stored secret opens, and which workspaces still have to connect."""
    if not settings.piecewise_encryption_keys.get_secret_value():
        return []
    vault, closed, old = settings.vault(), 0, 0
    database = open_database(settings.database_url)
    try:
        sealed = [
            (sealed_secrets.bound(key, place), text) for key, place, text in database.read(sealed_secrets.every_sealed)
        ]
        sealed += [(intents.place(key), text) for key, text in database.read(intents.every_sealed)]
        known = database.read(workspaces.every)
    finally:
        database.close()
    for place, text in sealed:
        if vault.opens(place, text):
            old += not vault.is_current(text)
        else:
            closed += 1
    if closed:
        return [
            Finding(
                "Secrets", False, f"{closed} do not open with PIECEWISE_ENCRYPTION_KEYS: add the key that sealed them"
            )
        ]
    later = f"; {old} still with an older key: piecewise rotate-keys" if old else ""
    waiting = sum(one.connected_at is None for one in known)
    return [
        Finding("Secrets", True, f"all {len(sealed)} open{later}"),
        Finding("Workspaces", True, f"{len(known)} installed, {waiting} without a mail account"),
    ]


async def _guarded(what: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(what, True, await look())
    except SlackApiError as error:
        return Finding(what, False, str(slack.named(error)))
    except (PlatformDown, SlackDown) as trouble:
        return Finding(what, False, f"{trouble} Is this machine online? If it is, try again in a minute")
    except Trouble as trouble:
        return Finding(what, False, str(trouble))
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Finding(what, False, f"cannot be reached ({_why(error)}). Is this machine online?")


def _why(error: Exception) -> str:
    """What kept us from a place, in words and without its address, which may hold a key."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name was not found"
    if isinstance(error, aiohttp.ClientSSLError):
        return "its certificate was not accepted"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return "the connection broke"


async def _slack(settings: Settings, session: aiohttp.ClientSession) -> list[Finding]:
    if not settings.slack_bot_token.get_secret_value():
        return [Finding("Slack bot token", False, "not looked at: SLACK_BOT_TOKEN is missing")]
    client = build_client(settings, session, settings.slack_bot_token.get_secret_value())
    headers: dict[str, str] = {}

    async def token() -> str:
        answer = await client.auth_test()
        headers.update({name.casefold(): value for name, value in answer.headers.items()})
        return f"{answer['user']} in {answer['team']}"

    lines = [await _guarded("Slack bot token", token)]
    if lines[0].ok:
        lines += [_scopes(headers.get("x-oauth-scopes", "")), _clock(headers.get("date", ""))]
    if settings.slack_app_token.get_secret_value():
        lines.append(await _guarded("Slack Socket Mode", lambda: _socket(settings, session)))
    return lines


async def _socket(settings: Settings, session: aiohttp.ClientSession) -> str:
    client = build_client(settings, session, settings.slack_bot_token.get_secret_value())
    await client.apps_connections_open(app_token=settings.slack_app_token.get_secret_value())
    return "the app-level token opens a connection"


def _scopes(granted: str) -> Finding:
    have = {scope.strip() for scope in granted.split(",") if scope.strip()}
    missing = sorted(set(slack.SCOPES) - have)
    if missing:
        return Finding("Slack scopes", False, f"missing: {', '.join(missing)}. Reinstall the app from manifest.yml")
    return Finding("Slack scopes", True, ", ".join(sorted(slack.SCOPES)))


def _clock(date: str) -> Finding:
    if not date:
        return Finding("Clock", True, "not compared: Slack sent no date")
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if skew > MOST_SKEW:
        return Finding("Clock", False, f"{skew:.0f} seconds off from Slack's. Switch on time synchronization (NTP)")
    return Finding("Clock", True, "agrees with Slack's")


def _missing_file(settings: Settings) -> str:
    """The SQLite file that `run` has yet to make; to look into it would make it. Empty if there is a database."""
    url = parse_url(settings.database_url)
    is_missing = url.get_backend_name() == "sqlite" and not Path(url.database or "").exists()
    return url.database or "in memory" if is_missing else ""


def _database(settings: Settings) -> Finding:
    if file := _missing_file(settings):
        if not (folder := Path(file).parent).is_dir():
            return Finding("Database", False, f"the folder {folder} is not there. Make it, or change DATABASE_URL")
        return Finding("Database", True, f"sqlite, no file yet; run makes it ({file})")
    kind = parse_url(settings.database_url).get_backend_name()
    try:
        found = _look(settings, revision.state, sessions=True)
        found.require()
    except (revision.SchemaError, PooledByTransactionError) as error:
        return Finding("Database", False, f"{kind}: {error}")
    except (SQLAlchemyError, OSError) as error:
        return Finding("Database", False, f"{kind} cannot be opened: {_unopened(error)}. Check DATABASE_URL")
    return Finding("Database", True, f"{kind}, schema {found.revision}")


def _unopened(error: SQLAlchemyError | OSError) -> str:
    """Why, in words. The driver's own may hold the password: they are searched, and not repeated."""
    text = str(error)
    known = {
        "password authentication failed": "the password or the user is wrong",
        "does not exist": "there is no such database or user",
        "refused": "nobody listens there",
        "resolve": "its host's name was not found",
        "timeout": "it did not answer in time",
        "not a database": "that file is no database",
        "denied": "we may not read it",
        "unable to open": "we may not read or write it",
    }
    return next((said for mark, said in known.items() if mark in text), "it refused")


def _look(settings: Settings, work: Callable[[Connection], T], *, sessions: bool = False) -> T:
    """`sessions`: raises PooledByTransactionError where we could not run."""
    with contextlib.closing(open_database(settings.database_url)) as database:
        if sessions:
            database.require_sessions()
        return database.read(work)


def _kept(settings: Settings) -> list[Finding]:
    """What went wrong when the accounts were last read, or with what is to be kept."""
    return [*_inbox(settings), *_aside(settings), *_gaps(settings)]


def _inbox(settings: Settings) -> list[Finding]:
    """What is wrong with the file that holds webhook calls until they are merged, if anything. SQLite alone has one."""
    url = parse_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        return []
    path, why = inbox_file.path_beside(url.database), inbox_file.damage(url.database)
    return [Finding("Inbox", False, f"{path}: {why}. {inbox_file.MENDED}")] if why else []


def _aside(settings: Settings) -> list[Finding]:
    """What the database refused for good, if anything."""
    found = _look(settings, aside.look)
    if found is None:
        return []
    kept = f"{found.number} could not be kept; the newest, {found.newest.ref}, on {found.at:%Y-%m-%d}"
    # What is old was seen in an earlier look; it goes after a month.
    fresh = datetime.now(UTC) - found.at < FRESH
    return [Finding("Kept aside", not fresh, f"{kept}: {found.newest.reason}. All else goes on; please report this")]


def _gaps(settings: Settings) -> list[Finding]:
    """What the mail platform did not answer when the accounts were last read. The rest goes on without it."""
    return [
        Finding(
            f"{registry.named(settings).profile.name} for {one.name}",
            True,
            f"goes without {name}: {gap.why} since {gap.since:%Y-%m-%d %H:%M} UTC",
        )
        for one in _look(settings, workspaces.every)
        for name, gap in gaps.lines(one.gaps)
    ]


async def _platform(settings: Settings, session: aiohttp.ClientSession) -> Finding:
    chosen = registry.named(settings)
    name, (keys, currency) = f"{chosen.profile.name} key", chosen.account(settings)
    if not keys.key:
        return Finding(name, False, f"not looked at: {chosen.profile.key_setting} is missing")
    platform = chosen.open(session, SystemClock(), keys)

    async def look() -> str:
        owner, balance, refused = await platform.introduce()
        said = [f"accepted ({owner})" if owner else "accepted"]
        said += [] if balance is None else [f"balance {formatting.money(Money(balance, currency))}"]
        try:
            said.append(f"campaigns {len(await platform.campaigns())}")
        except Trouble as trouble:
            refused.append(f"campaigns: {trouble}")
        return "; ".join([*said, *(["not answered: " + ", ".join(refused)] if refused else [])])

    return await _guarded(name, look)
