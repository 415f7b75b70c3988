"""The same story across an upgrade and back: the version before and this one take turns on one PostgreSQL, and share it."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import tarfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import aiohttp
from sqlalchemy import text

from storage.statuses import Status
from tests.chaos.story import CHANNELS, ROOT, Story
from tests.house import free_port
from tests.processes import Begun, begin

#: The version before this one, which shares a database with it: a commit, and the schema that it was written for.
#: It moves on when `schema.revision.OLDEST` does.
BEFORE, SCHEMA_BEFORE = "62ebaef989cb096aaa1316deed0d456ec34801da", "0010"
#: The last version that stored ranks of one digit (schema 0009): no later one shares a database with it.
APART = "bf25390153746d487d7205555a22606b23d30b76"
OLD, NEW, LAST = "old", "new", "last"
#: How long the mail moves between two steps.
MEANWHILE = 0.5


def why_not(commit: str = BEFORE) -> str:
    """Why this earlier version cannot be had here; empty if it can, or if it must be: then its absence fails."""
    if os.environ.get("PIECEWISE_HISTORY") == "required":
        return ""
    try:
        subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=ROOT, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return f"the history does not hold {commit[:7]}, an earlier version: a shallow clone, or no clone at all"
    return ""


def unpack(folder: Path, commit: str) -> Path:
    """The program of an earlier version, into this folder."""
    parts = ("bot", "handlers", "storage", "manifest.yml")
    packed = subprocess.run(["git", "archive", commit, *parts], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@dataclass
class Pair(Story):
    """Each version is one whole process. Webhooks go to any that is ready, as a proxy would send them."""

    code: dict[str, Path] = field(default_factory=lambda: {NEW: ROOT})
    ports: dict[str, int] = field(default_factory=lambda: {OLD: free_port(), NEW: free_port()})
    running: dict[str, Begun | asyncio.subprocess.Process] = field(default_factory=dict)
    doors: list[str] = field(default_factory=list)
    late: int = 1
    before: str = BEFORE

    def __post_init__(self) -> None:
        super().__post_init__()
        self.verdict.kind = "upgrade and back"
        self.code[OLD] = unpack(self.folder / OLD, self.before)

    async def command(self, version: str, *words: str, well: bool = True) -> str:
        """What a command of this version says; it must end well, or not so."""
        file = self.folder / f"{version}-says.txt"
        with file.open("wb") as says:
            code = await (await self._begin_version(version, says, *words)).wait()
        said = file.read_text()
        assert (code == 0) is well, f"{version}: piecewise {' '.join(words)} says: {said}"
        return said

    async def _begin_version(self, version: str, says: BinaryIO, *words: str) -> Begun | asyncio.subprocess.Process:
        """`piecewise` of this version. The one before is not what this process could copy."""
        environment = self._environment_of(version)
        if version == NEW:
            return await asyncio.to_thread(begin, words, environment, self.folder, says.fileno())
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", *words, env=environment, cwd=self.folder, stdout=says, stderr=says
        )

    async def readiness(self, version: str) -> int:
        """What this version's /readyz answers; 0 while nobody listens."""
        async with aiohttp.ClientSession() as session:
            try:
                async with session.get(f"http://127.0.0.1:{self.ports[version]}/readyz") as answer:
                    return answer.status
            except aiohttp.ClientError:
                return 0

    def _environment_of(self, version: str) -> dict[str, str]:
        made = self._environment(self.ports[version])
        del made["SLACK_APP_TOKEN"]
        return made | {"PYTHONPATH": str(self.code[version]), "SLACK_SIGNING_SECRET": self.slack.signing_secret}

    async def start(self, version: str) -> None:
        """Starts it, and lets traffic in as soon as it is ready."""
        with (self.folder / f"{version}.txt").open("ab") as log:
            self.running[version] = await self._begin_version(version, log, "run")
        await self._until_ready(version)
        self.doors.append(version)

    async def _until_ready(self, version: str) -> None:
        while await self.readiness(version) != 200:
            process = self.running.get(version, self.process)
            assert process is None or process.returncode is None, f"{version} ended: see {self.folder}"
            await asyncio.sleep(0.05)

    async def stop(self, version: str) -> None:
        """Takes it from the proxy, and asks it to end."""
        self.doors.remove(version)
        process = self.running.pop(version)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0, (self.folder / f"{version}.txt").read_text()

    async def serves(self, version: str) -> None:
        """It is ready at the first try, and answers a person."""
        assert await self.readiness(version) == 200, f"{version} is not ready"
        piece = next(iter(self.stannp.pieces))
        before = len(self.slack.messages)
        await self.type(version, CHANNELS[0], "/mailtrack", str(piece))

        def answer() -> bool:
            return any(m.only_for == "U0ANA" and str(piece) in str(m.blocks) for m in self.slack.messages[before:])

        await self._until(answer, f"an answer by {version}")

    async def ask(self, version: str, name: str, words: str) -> str:
        """What Ana is answered by this version, in the first channel."""
        before = len(self.slack.messages)
        await self.type(version, CHANNELS[0], name, words)

        def answer() -> str:
            return next((m.text for m in self.slack.messages[before:] if m.only_for in (None, "U0ANA")), "")

        return str(await self._until(answer, f"an answer by {version}"))

    async def type(self, version: str, channel: str, name: str, words: str) -> None:
        """Ana types this, and Slack brings it to this version's door."""
        self.slack.events_url = f"http://127.0.0.1:{self.ports[version]}/slack/events"
        assert (await self.slack.command("U0ANA", channel, name, words)).ok

    async def _begin(self) -> None:
        self._furnish()
        await self.command(OLD, "migrate")
        await self.start(OLD)
        await self._until(lambda: self._ask("SELECT baseline_at FROM workspaces"), "the first poll")
        for channel in CHANNELS:
            await self.type(OLD, channel, "/mailalerts", "on")
        await self._until(lambda: self._ask("SELECT count(*) FROM subscriptions") == len(CHANNELS), "the subscriptions")
        # Stannp tells whole seconds: what happens in this one is before the subscription.
        await asyncio.sleep(MEANWHILE)
        # Answers so far; from now on all that stands in the channels is news.
        self.slack.messages.clear()

    async def _torment(self) -> None:
        await self.serves(OLD)
        said = await self.command(NEW, "migrate")
        assert "run on it" in said, said
        await self.serves(OLD)
        await self.start(NEW)
        await self._share()
        await self.stop(OLD)
        await self.start(OLD)
        await self.serves(OLD)
        await self.stop(OLD)
        await self._alone(NEW)
        # The way back, by the same steps as docs/deploy.md names.
        await self.command(OLD, "migrate")
        await self.start(OLD)
        await self._share()
        await self.stop(NEW)
        await self._alone(OLD)
        if self.kills:
            await self._kill_some()

    def _ask(self, question: str, **known: Any) -> Any:
        """One value from the database, whatever its schema."""
        return self._read(lambda d: d.read(lambda c: c.scalar(text(question), known)))

    async def _share(self) -> None:
        for version in (OLD, NEW):
            await self.serves(version)
        await asyncio.sleep(MEANWHILE)

    async def _alone(self, version: str) -> None:
        """It must read the account and tell all that there is, by itself."""
        piece = next(one for one in self.stannp.pieces.values() if one.status not in ("cancelled", "returned"))
        piece.move("returned", datetime.now(UTC))
        self.reached.setdefault(str(piece.id), set()).add(Status.RETURNED)
        told = "SELECT count(sent_at) FROM outbox o JOIN pieces p ON p.id = o.piece_id WHERE p.ref = :ref AND o.status = :rank"
        known = {"ref": str(piece.id), "rank": int(Status.RETURNED)}
        await self._until(lambda: self._ask(told, **known) == len(CHANNELS), f"news by {version} alone")
        await self.serves(version)

    async def _kill_some(self) -> None:
        await self.start(NEW)
        while self.verdict.kills < self.kills:
            version = self.dice.choice((OLD, NEW))
            self.doors.remove(version)
            self.running[version].kill()
            await self.running.pop(version).wait()
            self.verdict.kills += 1
            await asyncio.sleep(self.dice.random())
            await self.start(version)
            await asyncio.sleep(self.dice.random() * 2)

    def _door(self) -> int:
        return self.ports[self.dice.choice(self.doors)]

    async def _send(self, session: aiohttp.ClientSession, raw: bytes) -> int:
        # The proxy holds a call while it knows of nobody who is ready.
        while not self.doors:
            await asyncio.sleep(0.05)
        return await super()._send(session, raw)

    async def _start(self) -> None:
        """The one that tells what is left, when neither of the two runs any more."""
        await super()._start()
        self.ports[LAST] = self.port
        await self._until_ready(LAST)
        self.doors.append(LAST)

    async def _stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.doors.clear()
        for process in self.running.values():
            if process.returncode is None:
                process.send_signal(how)
            await process.wait()
        await super()._stop(how)
