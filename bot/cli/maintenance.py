"""What the command line does beside running the bot: imports, back-fills and recounts, with their progress shown."""

import asyncio
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from sqlalchemy import Connection

from bot.app import SystemClock, prepare_database
from bot.cli.importing import import_file, key_of, side_of, sync
from bot.platforms import registry
from bot.platforms.kinds import AccountKeys, MailAccount
from bot.settings import Settings
from handlers.context.inbox import Inflow
from handlers.context.memory import Memory
from handlers.errors import KeyRefused
from handlers.ingest.merging import Merger
from handlers.text.status_styles import label
from storage import audit, imports, intents, privacy, workspaces
from storage import secrets as sealed_secrets
from storage.audit import Act
from storage.database import Database, sole_user
from storage.imports import ImportProgress as Reached
from storage.inbox import inbox_of
from storage.ledger import tallies as tally
from storage.queries import mail as queries
from storage.records import Workspace
from storage.secrets import SecretKind
from storage.statuses import status_of
from storage.workspaces import WorkspaceUnknownError

NO_WORKSPACE = "No workspace is known yet. Start the bot once, so that it meets your Slack team: piecewise run"


@contextmanager
def _opened(settings: Settings, team: str = "") -> Iterator[tuple[Database, list[Workspace]]]:
    """The database, and its workspaces (with `team`: that one). Raises WorkspaceUnknownError."""
    with sole_user(settings.database_url):
        database = prepare_database(settings)
        try:
            known = [database.read(workspaces.by_team, team)] if team else database.read(workspaces.every)
            if not known:
                raise WorkspaceUnknownError(NO_WORKSPACE)
            yield database.patient, known
        finally:
            database.close()


def import_csv(settings: Settings, path: Path, out: Console, *, again: bool, team: str = "") -> None:
    """Imports a file with a bar: rows kept and refused, rows a second, time left."""
    key = key_of(path)
    with _opened(settings, team) as (database, known), _bar(out) as bar, _between_portions() as may_go_on:
        _require_one(known)
        if again:
            database.write(imports.forget, known[0].id, key)
        task = bar.add_task(path.name, total=None, note="")
        begun = time.monotonic()
        first: Reached | None = None

        def report(reached: Reached, size: int) -> None:
            nonlocal first
            # The first report says where it begins: only then can it be said that something was there before.
            if first is None:
                first = reached
                if reached.position >= size:
                    bar.console.print("This file was imported before. To begin anew, add --again.")
                elif reached.position:
                    bar.console.print(f"Goes on behind row {reached.kept + reached.refused:,}.")
            rows = reached.kept + reached.refused - first.kept - first.refused
            rate = rows / max(time.monotonic() - begun, 0.001)
            note = f"{reached.kept:,} kept, {reached.refused:,} refused, {rate:,.0f} rows/s"
            bar.update(task, total=size, completed=reached.position, note=note)
            may_go_on()

        done = import_file(database, known[0].id, path, report)
    out.print(f"{done.kept:,} rows are imported, {done.refused:,} were refused.", markup=False)
    if done.refused:
        out.print(f"Each refused row, with the reason, is in {side_of(path)}: mend and import it.", markup=False)


def _require_one(known: list[Workspace]) -> None:
    if len(known) > 1:
        raise WorkspaceUnknownError("There are several workspaces: say which with --workspace and its team id, T….")


def _platform_of(
    settings: Settings, database: Database, workspace: Workspace, session: aiohttp.ClientSession
) -> MailAccount:
    """The mail account of this workspace; raises KeyRefused when there is none."""
    platform = registry.named(settings)
    keys = platform.account(settings)[0]
    if settings.is_for_many():
        kept = database.read(sealed_secrets.secret, settings.vault(), workspace.id, SecretKind.ACCOUNT) or {}
        platform, region = registry.regions(settings)[kept.get("region") or next(iter(registry.region_names()))]
        keys = AccountKeys(region.url, kept.get("key", ""))
        if not keys.key:
            raise KeyRefused("This workspace has connected no mail account yet: that is done in Piecewise's Home.")
    if not keys.key:
        raise KeyRefused(platform.key_missing)
    return platform.open(session, SystemClock(), keys)


async def sync_account(settings: Settings, since: date, out: Console, team: str = "") -> None:
    """Reads the account's past with a bar, week by week."""
    today = datetime.now(UTC).date()
    with _opened(settings, team) as (database, known), _bar(out) as bar:
        _require_one(known)
        task = bar.add_task(f"since {since}", total=max((today - since).days, 1), note="")
        reached = Reached()
        async with aiohttp.ClientSession() as session:
            platform = _platform_of(settings, database, known[0], session)
            async for until, reached in sync(database, known[0].id, platform, since, today):
                bar.update(task, completed=(until - since).days, note=f"{reached.kept:,} pieces, up to {until}")
        database.write(tally.fold)
    out.print(f"{reached.kept:,} pieces were read. Channels are not told of what is past.", markup=False)


def recount(settings: Settings, out: Console, *, repair: bool) -> bool:
    """Compares every count with its pieces, and says what differs; gives whether anything does."""
    differs = False
    with _opened(settings) as (database, known):
        for workspace in known:
            names = {one.id: one.facts.name for one in database.read(queries.campaigns_of, workspace.id)}
            found = database.read(tally.drift, workspace.id)
            differs = differs or bool(found)
            for one in found:
                out.print(_difference(names.get(one.campaign_id, "no campaign"), one), markup=False)
            if found and repair:
                out.print(f"{database.write(tally.repair, workspace.id)} counts were corrected.")
        if repair:
            database.write(tally.fold)
    if not differs:
        out.print("Every count agrees with its pieces.")
    elif not repair:
        out.print("To correct them: piecewise recount --repair")
    return differs


def _difference(campaign: str, drift: tally.Drift) -> str:
    where = f"{campaign}, ordered {drift.day}, {label(status_of(drift.rank))}"
    if not drift.counted:
        return f"{where}: the cost is {abs(drift.cost)} too {'high' if drift.cost > 0 else 'low'}."
    return f"{where}: {abs(drift.counted):,} counted too {'many' if drift.counted > 0 else 'few'}."


def rotate_keys(settings: Settings, out: Console) -> None:
    """Seals every stored secret with the first key. The bot may be running meanwhile. Raises VaultError."""
    vault = settings.vault()
    database = prepare_database(settings)
    try:
        total = 0
        while done := database.write(sealed_secrets.seal_again, vault, datetime.now(UTC)):
            total += done
        while done := database.write(intents.seal_again, vault):
            total += done
    finally:
        database.close()
    out.print(f"{total:,} secrets were sealed anew. Only the first key is needed now.", markup=False)


def forget(settings: Settings, ref: str, out: Console, team: str = "") -> None:
    """Drops who a piece was sent to, for good."""
    with _opened(settings, team) as (database, known):
        _require_one(known)
        # What waits may tell who it was sent to: it is merged, and so dropped, before that is erased.
        merge_all(database)
        found = database.read(queries.find_pieces, known[0].id, ref, 1)
        if not found or found[0].ref != ref:
            raise WorkspaceUnknownError(f"There is no piece {ref} here.")
        now = datetime.now(UTC)

        def work(connection: Connection) -> None:
            privacy.erase_piece(connection, known[0].id, found[0].id)
            audit.note(connection, known[0].id, "", Act.ERASED, now, subject=f"piece {ref}", detail="command line")

        database.write(work)
        cleared, is_file = database.clear_log(), database.is_file
    if not cleared and is_file:
        out.print("Another program reads the database: its log (-wal) holds it until that ends and the bot has run.")
    elif not cleared:
        out.print(
            "PostgreSQL is busy: its files hold it until it has cleaned up the table inbox, as it does by itself."
        )
    copied = f"Have {registry.named(settings).profile.name} remove its copy as well."
    out.print(f"Who piece {ref} was sent to is no longer kept here. {copied}", markup=False)


def merge_all(database: Database) -> None:
    """Merges the webhook calls that wait, as a running bot does."""
    with ThreadPoolExecutor(1) as one:
        readings = {key: platform.read_delivery for key, platform in registry.PLATFORMS.items()}
        inflow = Inflow(inbox_of(database), one, SystemClock(), readings)
        asyncio.run(Merger(Memory(database, one, one), inflow).drain())


@contextmanager
def _between_portions() -> Iterator[Callable[[], None]]:
    """Ctrl-C and SIGTERM end the work where what is given is called, and not in the middle of a statement."""
    asked: list[int] = []
    handlers = {
        number: signal.signal(number, lambda n, _: asked.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }

    def may_go_on() -> None:
        if asked:
            raise KeyboardInterrupt

    try:
        yield may_go_on
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextmanager
def _bar(out: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[note]}"))
    with Progress(*columns, TimeRemainingColumn(), console=out) as bar:
        yield bar
