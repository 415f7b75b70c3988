"""The command line: one function for each command; what it does beside running the bot is in `bot/cli/`."""

import asyncio
import contextlib
import errno
import gc
import json
import os
import signal
import sys
import tomllib
import webbrowser
from collections.abc import Coroutine, Iterator
from datetime import UTC, date, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Never

import structlog
import typer
from rich.console import Console
from sqlalchemy.exc import SQLAlchemyError

from bot.settings import Settings, SettingsError, load_settings
from bot.telemetry import set_up_logging
from handlers.errors import ImportRefusedError, Trouble
from storage.database import DatabaseDownError, DatabaseUrlError
from storage.failures import is_locked, is_outage, reason_of, says_why
from storage.files import DatabaseBusyError
from storage.pooling import PooledByTransactionError
from storage.schema.revision import SchemaError
from storage.vault import VaultError
from storage.workspaces import WorkspaceUnknownError

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    help="Where is our mail? A Slack bot.",
)
out = Console(highlight=False, soft_wrap=True)
log = structlog.get_logger()

WorkspaceOption = Annotated[str, typer.Option("--workspace", help="With many workspaces: whose, by its team id, T….")]
#: No mail is older than that.
EARLIEST = date(2000, 1, 1)
MANIFEST = Path(__file__).parent / "manifest.yml"


EXAMPLE = Path(__file__).parent / "env.example"


def version() -> str:
    """Which version this is: as it was installed, or as its sources say where they run uninstalled (in a container)."""
    try:
        return metadata.version("piecewise")
    except metadata.PackageNotFoundError:
        sources = Path(__file__).parent.parent / "pyproject.toml"
        return str(tomllib.loads(sources.read_text(encoding="utf-8"))["project"]["version"])


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"piecewise {version()}")
        raise typer.Exit


@app.callback()
def first_words(
    ask: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Say which version this is.")
    ] = False,
) -> None:
    """Where is our mail? A Slack bot."""
    if ask.invoked_subcommand is None:
        typer.echo(READY if Path(".env").exists() or "SLACK_BOT_TOKEN" in os.environ else NEW)


NEW = """\
Piecewise is a Slack bot that says where your mail is.

  piecewise demo               try it: a made-up company in your browser, nothing to set up

Then, for your own Slack:

  piecewise manifest           1. print the Slack app, to paste at api.slack.com/apps
  piecewise settings > .env    2. a file to fill in: two tokens from Slack, a key from your mail account
  piecewise check              3. see whether everything is in place
  piecewise run                4. run it

piecewise --help lists every command."""
READY = """\
Piecewise is set up here. Next:

  piecewise check    see whether everything is in place
  piecewise run      run it until Ctrl-C

piecewise --help lists every command."""


def refuse(text: str) -> Never:
    """Says what is wrong, in plain lines, and ends with exit code 1."""
    for line in text.splitlines():
        typer.secho(f"✗ {line}", err=True, fg="red" if sys.stderr.isatty() else None)
    raise typer.Exit(1)


def settings_or_refuse(*, to_run: bool = False) -> Settings:
    """The settings; ends the program naming each that is wrong, and with `to_run` also what a run would miss."""
    try:
        return load_settings(to_run=to_run)
    except SettingsError as error:
        refuse(str(error))


def carry_out(work: Coroutine[Any, Any, None]) -> None:
    """Runs it; a failure that a person can act on ends as a sentence."""
    try:
        with _database_in_words():
            asyncio.run(work)
    except (
        SettingsError, SchemaError, DatabaseBusyError, DatabaseUrlError, WorkspaceUnknownError, VaultError, Trouble
    ) as error:  # fmt: skip
        refuse(str(error))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            refuse("The port is taken by another program. Choose another with --port.")
        refuse(_unwritable(error))


def _unwritable(error: OSError) -> str:
    return f"{error.filename or 'This folder'}: {error.strerror or error}. Is the folder there, and may we write in it?"


async def wait_for_a_signal() -> None:
    """Until Ctrl-C or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


@app.command()
def run(
    serve: Annotated[bool, typer.Option("--serve", help="Only what comes in: Slack and webhooks.")] = False,
    work: Annotated[bool, typer.Option("--work", help="Only what goes out and by the clock.")] = False,
) -> None:
    """Run the bot until Ctrl-C or SIGTERM. On PostgreSQL any number of --serve and --work may run beside each other."""
    # While modules are loaded there is next to nothing to collect, and looking for it takes a tenth of the start.
    gc.disable()
    from bot.app import Part, running  # noqa: PLC0415 - `--help` and `manifest` need none of it

    settings = settings_or_refuse(to_run=True)
    set_up_logging(settings.piecewise_log_format)

    part = Part.ALL if serve == work else (Part.SERVE if serve else Part.WORK)
    if part is not Part.ALL and settings.database_url.startswith("sqlite"):
        refuse(
            "--serve and --work need PostgreSQL: set DATABASE_URL to postgresql://…. With SQLite, plain `run` does both"
        )

    async def live() -> None:
        async with running(settings, part) as app:
            # What is loaded stays: no collection walks through it again, in which all requests would wait.
            gc.freeze()
            gc.enable()
            # Pictures bring half as much again.
            app.warming.add_done_callback(lambda _warmed: gc.freeze())
            stop = asyncio.create_task(wait_for_a_signal())
            await asyncio.sleep(0)  # whoever reads "ready" may send the signal in the same moment
            log.info("ready", mode=app.mode.value, part=part.value, port=app.port, many=settings.is_for_many())
            await stop
        log.info("stopped")

    carry_out(live())


@app.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one object, with a list of findings.")] = False,
) -> None:
    """Look whether everything is in place: settings, Slack, database, mail account."""
    from bot.cli.check import check as look  # noqa: PLC0415 - `--help` needs none of it
    from bot.cli.check import misspelt_lines, refused  # noqa: PLC0415

    lines = misspelt_lines(os.environ)
    try:
        lines += asyncio.run(look(load_settings(to_run=True)))
    except SettingsError as error:
        lines += refused(error)
    well = all(line.ok for line in lines)
    if as_json:
        found = [{"what": line.what, "ok": line.ok, "text": line.text} for line in lines]
        typer.echo(json.dumps({"ok": well, "findings": found}, indent=2))
        raise typer.Exit(0 if well else 1)
    width = max(len(line.what) for line in lines)
    for line in lines:
        mark = "[green]ok[/]" if line.ok else "[red]✗ [/]"
        out.print(f"{mark}  {line.what:<{width}}  ", end="")
        out.print(line.text, markup=False)
    if not well:
        raise typer.Exit(1)


@app.command()
def migrate(
    partitions: Annotated[
        int, typer.Option(help="Divide an empty PostgreSQL by workspace, into so many partitions; for very many rows.")
    ] = 0,
) -> None:
    """Bring the database to the schema that this version needs."""
    from bot.app import await_database  # noqa: PLC0415
    from storage.database import open_database, sole_user  # noqa: PLC0415
    from storage.schema import revision  # noqa: PLC0415 - Alembic is slow to import
    from storage.schema.partitions import NotSpreadableError  # noqa: PLC0415

    settings = settings_or_refuse()
    try:
        with (
            _database_in_words(),
            sole_user(settings.database_url),
            contextlib.closing(open_database(settings.database_url)) as database,
        ):
            asyncio.run(await_database(database))
            before = database.read(revision.state)
            revision.migrate(database, parts=partitions)
            after = database.read(revision.state)
    except (DatabaseBusyError, SchemaError, NotSpreadableError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(_unwritable(error))
    if after == before:
        out.print(f"Schema {after.revision}: nothing to do. Versions from schema {after.oldest} on run on it.")
    else:
        now = f"Schema {before.revision or 'empty'} → {after.revision}."
        out.print(f"{now} Versions from schema {after.oldest} on run on it, also beside each other.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file whose first line names its columns; `id` is needed.")],
    again: Annotated[bool, typer.Option("--again", help="From the beginning, though it was imported before.")] = False,
    workspace: WorkspaceOption = "",
) -> None:
    """Import pieces and their scans from a CSV file. Stopped at any moment, it goes on where it was."""
    from bot.cli.maintenance import import_csv  # noqa: PLC0415 - `--help` needs none of it

    with _interruptible(f"Stopped. What was imported is kept; to go on: piecewise import {file}"):
        import_csv(settings_or_refuse(), file, out, again=again, team=workspace)


@app.command()
def sync(
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day, like 2026-01-31.")],
    workspace: WorkspaceOption = "",
) -> None:
    """Read the mail account's past since a day. Stopped at any moment, it goes on where it was."""
    from bot.cli.maintenance import sync_account  # noqa: PLC0415 - `--help` needs none of it

    if not EARLIEST <= since.date() <= datetime.now(UTC).date():
        refuse(f"--since must be a day from {EARLIEST} to today")
    settings = settings_or_refuse()
    with _interruptible(f"Stopped. What was read is kept; to go on: piecewise sync --since {since:%Y-%m-%d}"):
        carry_out(sync_account(settings, since.date(), out, workspace))


@app.command()
def recount(
    repair: Annotated[bool, typer.Option("--repair", help="Correct what differs.")] = False,
) -> None:
    """Compare every count with the pieces that it counts. The bot may be running on PostgreSQL meanwhile."""
    from bot.cli.maintenance import recount as look  # noqa: PLC0415 - `--help` needs none of it

    with _interruptible("Stopped. Nothing was changed."):
        differs = look(settings_or_refuse(), out, repair=repair)
    if differs and not repair:
        raise typer.Exit(1)


@app.command("new-key")
def new_key() -> None:
    """Make a key for PIECEWISE_ENCRYPTION_KEYS. Keep a copy of it: what it sealed opens with no other."""
    from storage.vault import new_key as make  # noqa: PLC0415 - `--help` needs none of it

    typer.echo(make())


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Seal every stored secret with the first of PIECEWISE_ENCRYPTION_KEYS; the others can go then."""
    from bot.cli.maintenance import rotate_keys as rotate  # noqa: PLC0415 - `--help` needs none of it

    settings = settings_or_refuse()
    if not settings.piecewise_encryption_keys.get_secret_value():
        refuse("PIECEWISE_ENCRYPTION_KEYS is missing: the new key first, then the one in use, comma-separated")
    with _interruptible("Stopped. What was sealed anew is kept; run it again for the rest."):
        rotate(settings, out)


@app.command()
def forget(
    piece: Annotated[str, typer.Argument(help="The piece's id.")],
    workspace: WorkspaceOption = "",
) -> None:
    """Drop who a piece was sent to, for good. Its scans and its cost stay."""
    from bot.cli.maintenance import forget as drop  # noqa: PLC0415 - `--help` needs none of it

    with _interruptible("Stopped. Nothing was changed."):
        drop(settings_or_refuse(), piece, out, workspace)


@contextlib.contextmanager
def _interruptible(said: str) -> Iterator[None]:
    """Ctrl-C ends with a sentence that says how to go on; a failure that a person can act on, as it says itself."""
    try:
        with _database_in_words():
            yield
    except KeyboardInterrupt:
        out.print(f"\n{said}", markup=False)
        raise typer.Exit(130) from None
    except (ImportRefusedError, SchemaError, DatabaseBusyError, WorkspaceUnknownError, VaultError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or 'The file'}: {error.strerror or error}.")


@contextlib.contextmanager
def _database_in_words() -> Iterator[None]:
    """A database that is in trouble ends as a sentence."""
    try:
        yield
    except (DatabaseDownError, PooledByTransactionError) as error:
        refuse(str(error))
    except SQLAlchemyError as error:
        if not is_outage(error):
            raise
        if not says_why(error):
            refuse(str(DatabaseDownError.__doc__))
        if is_locked(error):
            refuse(
                f"Somebody else holds what this needs in the database ({reason_of(error)}). Run it again in a minute."
            )
        refuse(f"The database could not do it ({reason_of(error)}): is its disk full? Then run this again.")


@app.command()
def manifest(
    url: Annotated[str, typer.Option(help="For HTTP: your public https address. Left out: Socket Mode.")] = "",
    many: Annotated[bool, typer.Option("--many", help="For many workspaces, which install from your page.")] = False,
    steps: Annotated[bool, typer.Option("--steps", help="With steps for Workflow Builder (paid plans).")] = False,
) -> None:
    """Print the Slack app manifest to paste at api.slack.com/apps."""
    text = MANIFEST.read_text(encoding="utf-8")
    if many and not url:
        refuse("--many needs --url: Slack leads browsers back to it")
    if steps and not url:
        refuse("--steps needs --url: this app takes steps by HTTP")
    if not url:
        typer.echo(text, nl=False)
        return
    from bot.slack.manifest import for_http  # noqa: PLC0415 - YAML only here

    if not url.startswith("https://"):
        refuse("--url must begin with https://: Slack calls nothing else")
    typer.echo(for_http(text, url.rstrip("/"), many=many, steps=steps), nl=False)


@app.command()
def settings() -> None:
    """Print every setting with its meaning, to fill in: piecewise settings > .env"""
    typer.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)


@app.command()
def demo(
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Where the page listens. Left out: 8765, or the next free one.")
    ] = None,
    day_seconds: Annotated[float, typer.Option(help="How long a day of the story takes.")] = 6.0,
    browser: Annotated[
        bool | None, typer.Option("--browser/--no-browser", help="Open it in your browser. Left out: on a screen.")
    ] = None,
) -> None:
    """Try everything in a browser: a small company, its Slack and its mail, all on this machine."""
    from bot.cli.opening import free_port, has_screen  # noqa: PLC0415 - `--help` needs none of it
    from bot.sandbox.demo import serve  # noqa: PLC0415

    set_up_logging("console", level=30)
    chosen = free_port() if port is None else port
    shown = has_screen(os.environ, sys.platform, is_terminal=sys.stdout.isatty()) if browser is None else browser

    async def wait() -> None:
        if shown:
            # In a thread: a browser may be a program that takes its time.
            await asyncio.to_thread(webbrowser.open, f"http://127.0.0.1:{chosen}")
        await wait_for_a_signal()

    out.print("Starting the sandbox …", style="dim")
    carry_out(serve(chosen, day_seconds, wait))


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
