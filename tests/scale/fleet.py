"""Two processes that serve and two that work, on one PostgreSQL, for many workspaces; and what each thing costs them."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import psutil  # type: ignore[import-untyped]
from sqlalchemy import Connection, text

from bot.platforms.stannp import wire
from bot.tenants import digest
from storage import secrets as sealed_secrets
from storage import workspaces
from storage.database import Database, open_database
from storage.records import WorkspaceId
from storage.schema import revision
from storage.secrets import SecretKind
from storage.vault import Vault, new_key
from tests.benchmarks.harness import ROOT, http, load
from tests.scale.account import PAGE, Units
from tests.scale.platform import STATUSES

SECRET = "a webhook secret of ours"
PARTS = ("--serve", "--serve", "--work", "--work")
CONNECTIONS = 32
PATIENCE = 300.0


@dataclass
class Spent:
    """Seconds of a processor so far: of those that serve, of those that work, of PostgreSQL."""

    serving: float = 0.0
    working: float = 0.0
    stored: float = 0.0

    def since(self, before: "Spent") -> "Spent":
        return Spent(self.serving - before.serving, self.working - before.working, self.stored - before.stored)


@dataclass
class Fleet:
    """`polled` of the workspaces have a mail account with so many `pieces`; webhooks tell of the others' mail."""

    url: str
    server: int
    platform: int
    workspaces: int
    polled: int
    folder: Path
    keys: str = field(default_factory=new_key)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        self.database = open_database(self.url)
        revision.migrate(self.database)
        for first in range(1, self.workspaces + 1, 50):
            self.database.write(self._furnish, first, min(first + 50, self.workspaces + 1))

    def _furnish(self, connection: Connection, first: int, end: int) -> None:
        vault, now = Vault([self.keys]), datetime.now(UTC)
        for number in range(first, end):
            made = workspaces.ensure(connection, f"T{number}", f"Team {number}", "USD")
            assert made.id == number
            workspaces.note(connection, made.id, installed_at=now, webhook_key=digest(f"token-{number}"))
            slack = {"token": f"xoxb-{number}", "bot_id": "B1", "bot_user": "U1", "scopes": ""}
            account = {
                "key": f"key-{number}",
                "region": "us",
                "webhook_token": f"token-{number}",
                "webhook_secret": SECRET,
            }
            sealed_secrets.keep_secret(connection, vault, made.id, SecretKind.SLACK, slack, now)
            sealed_secrets.keep_secret(connection, vault, made.id, SecretKind.ACCOUNT, account, now)

    def connect_accounts(self) -> None:
        """From now on the accounts are polled."""
        for number in range(1, self.polled + 1):
            self.database.write(workspaces.note, WorkspaceId(number), connected_at=datetime.now(UTC))

    def _environment(self, port: int) -> dict[str, str]:
        base = f"http://127.0.0.1:{self.platform}"
        return {
            "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(ROOT),
            "SLACK_CLIENT_ID": "1.1", "SLACK_CLIENT_SECRET": "client secret", "SLACK_SIGNING_SECRET": "signing secret",
            "SLACK_API_URL": f"{base}/slack/", "STANNP_API_URL": f"{base}/v1", "DATABASE_URL": self.url,
            "PIECEWISE_ENCRYPTION_KEYS": self.keys, "PIECEWISE_PORT": str(port),
            "PIECEWISE_PUBLIC_URL": "https://mail.example.com", "PIECEWISE_POLL_SECONDS": "2",
        }  # fmt: skip

    async def start(self) -> None:
        """Starts the four, and waits until those that serve answer."""
        for part in PARTS:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                port = taken.getsockname()[1]
            self.ports.append(port)
            with (self.folder / "log.txt").open("ab") as log:
                command = [sys.executable, "-W", "ignore", "-m", "bot", "run", part]
                environment = self._environment(port)
                made = subprocess.Popen(command, env=environment, cwd=self.folder, stdout=log, stderr=log)
            self.processes.append(made)
        async with aiohttp.ClientSession() as session:
            for port in self.ports[:2]:
                await self.until(lambda port=port: _answers(session, f"http://127.0.0.1:{port}/healthz"))

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)
        self.database.close()

    async def until(self, found: Any) -> None:
        """Returns when it is so; raises AssertionError, with the end of the log, when that takes too long."""
        end = time.monotonic() + PATIENCE
        while not await found():
            log = self.folder / "log.txt"
            assert time.monotonic() < end, log.read_text()[-2000:] if log.exists() else "nothing was started"
            assert all(process.poll() is None for process in self.processes), log.read_text()[-2000:]
            await asyncio.sleep(0.1)

    def spent(self) -> Spent:
        own = [sum(psutil.Process(process.pid).cpu_times()[:2]) for process in self.processes]
        server = psutil.Process(self.server)
        stored = sum(server.cpu_times()[:4])
        for child in server.children(recursive=True):
            try:
                stored += sum(child.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
        return Spent(sum(own[:2]), sum(own[2:]), stored)

    def number(self, question: str) -> float:
        with self.database.reader.connect() as connection:
            return float(connection.execute(text(question)).scalar_one() or 0)

    def disk(self) -> float:
        return self.number(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname IN ('pieces', 'changes')"
        )

    def calls(self) -> Iterator[tuple[int, bytes]]:
        """Signed calls without end: each piece rises through all its stages, and pieces of all workspaces take turns."""
        ordered = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
        for first in itertools.count(0, 1000):
            for stage, n in itertools.product(range(len(STATUSES)), range(first, first + 1000)):
                row = {
                    "id": 5_000_000_000 + n, "timestamp": ordered, "status": STATUSES[stage], "type": "postcard",
                    "format": "6x9", "cost": "0.84", "dispatched": ordered if stage else None,
                }  # fmt: skip
                body = json.dumps({"webhook_id": n, "event": "mailpiece_status", "mailpieces": [row]}).encode()
                headers = {"X-Stannp-Signature": wire.sign(body, SECRET), "Content-Type": "application/json"}
                path = f"/webhooks/stannp/token-{n % self.workspaces + 1}"
                yield n, http(path, body, headers)


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def webhooks(fleet: Fleet, seconds: float) -> dict[str, float]:
    """What a call costs, over so many seconds, until each is merged. Raises AssertionError when one is not."""
    told, sent = fleet.calls(), 0
    before, log, disk = fleet.spent(), fleet.number(WAL), fleet.disk()
    end = time.monotonic() + seconds
    while time.monotonic() < end or not sent:
        some = [raw for _, raw in itertools.islice(told, 5000)]
        await asyncio.gather(*(load(port, some[place::2], CONNECTIONS) for place, port in enumerate(fleet.ports[:2])))
        sent += len(some)

    async def merged() -> bool:
        return fleet.number("SELECT count(*) FROM inbox") == 0

    await fleet.until(merged)
    spent = fleet.spent().since(before)
    kept = fleet.number("SELECT count(*) FROM changes")
    # A call with the day of the hand-over tells of that, too.
    assert kept == sent + sent // len(STATUSES), f"{sent} calls, {kept} changes"
    return {
        "taken": spent.serving / sent, "merged": spent.working / sent, "stored": spent.stored / sent,
        "log": (fleet.number(WAL) - log) / sent, "disk": (fleet.disk() - disk) / sent, "calls": sent,
    }  # fmt: skip


async def polls(fleet: Fleet, seconds: float) -> dict[str, float]:
    """What a poll costs where few pieces moved, once all are known."""
    fleet.connect_accounts()

    async def read() -> bool:
        done = "SELECT count(*) FROM workspaces WHERE baseline_at IS NOT NULL"
        return fleet.number(done) == fleet.polled

    await fleet.until(read)
    before, counted = fleet.spent(), await told(fleet)
    most = 0.0
    end = time.monotonic() + seconds
    after = counted
    # On a busy machine the next poll may come later than that: it is waited for.
    while time.monotonic() < end or (after["polls"] == counted["polls"] and time.monotonic() < end + PATIENCE):
        await asyncio.sleep(0.5)
        most = max(most, fleet.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"))
        after = await told(fleet)
    spent, after = fleet.spent().since(before), await told(fleet)
    rows, made = after["rows"] - counted["rows"], after["polls"] - counted["polls"]
    assert made, "no workspace was polled"
    pages = rows / PAGE
    return {
        "read": spent.working / rows, "looked_up": spent.stored / rows, "polls": made, "rows": rows,
        "besides": max((after["requests"] - counted["requests"] - pages) / made, 0),
        "connections": most / len(PARTS),
    }  # fmt: skip


async def told(fleet: Fleet) -> dict[str, int]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{fleet.platform}/counted") as answer:
        return dict(await answer.json())


WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"


@asynccontextmanager
async def fleet_of(
    url: str, server: int, folder: Path, words: tuple[int, int, int], step: float
) -> AsyncIterator[Fleet]:
    """The four, started; `words` are workspaces, those that are polled, and the pieces of each."""
    every, polled, pieces = words
    command = [sys.executable, "-W", "ignore", "-m", "tests.scale.platform", str(pieces), str(step)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as house:
        assert house.stdout
        try:
            port = json.loads(house.stdout.readline())["port"]
            fleet = Fleet(url, server, port, every, polled, folder)
            try:
                await fleet.start()
                yield fleet
            finally:
                fleet.stop()
        finally:
            house.kill()


async def measured(fleet: Fleet, seconds: float) -> tuple[Units, dict[str, float]]:
    """Half of the time webhooks, half of it polls; gives the unit costs, and how much was done."""
    by_call = await webhooks(fleet, seconds / 2)
    by_poll = await polls(fleet, seconds / 2)
    found = by_call | by_poll
    names = Units.__dataclass_fields__
    return Units(**{name: found[name] for name in names}), {k: v for k, v in found.items() if k not in names}
