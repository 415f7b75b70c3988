"""Processes of the bot for tests: real ones, with their own number, signals and end, but without the two seconds of imports.

One process of each worker imports the program, and is copied for each that is asked for. That it can be copied follows
from a rule of this house: importing does nothing. How a process begins from nothing is tried where that is the question
(tests/test_wheel.py, tests/journeys/test_deploy.py, and the ones here that name an interpreter).
"""

import asyncio
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import Any, Final, TextIO

PRELOADED: Final = [
    "bot.app",
    "bot.cli.importing",
    "bot.sandbox.demo",
    "matplotlib.backends.backend_agg",
    "tests.processes",
]
#: Seconds between two looks whether a process ended.
GLANCE: Final = 0.02
_SERVER: Final = multiprocessing.get_context("forkserver")


@dataclass
class Begun:
    """A process. `returncode` is as of `subprocess`: None while it runs, less than 0 for the signal that ended it."""

    process: BaseProcess
    # How it ended is read once, and may be asked for by several at a time.
    _asking: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        with self._asking:
            return self.process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit code, once it ended."""
        while self.returncode is None:
            await asyncio.sleep(GLANCE)
        return self.returncode

    def ended(self, seconds: float = 60) -> int:
        """The same for who has no loop. Raises TimeoutError."""
        late = time.monotonic() + seconds
        while self.returncode is None:
            if time.monotonic() > late:
                raise TimeoutError
            time.sleep(GLANCE)
        return self.returncode


def begin(words: Sequence[str], environment: Mapping[str, str], folder: Path, says: int, module: str = "bot") -> Begun:
    """`python -m` with this module and these words, in this folder, with nothing but this environment; both of its
    streams go to the file `says`, which stays the caller's."""
    _SERVER.set_forkserver_preload(PRELOADED)
    process = _SERVER.Process(target=_be, args=(module, list(words), dict(environment), str(folder), _Out(says)))
    process.start()
    return Begun(process)


@dataclass
class Heard(Begun):
    """A process whose streams are read as one: `said`."""

    said: TextIO

    def communicate(self) -> str:
        """What it says until it ends."""
        with self.said:
            told = self.said.read()
        self.ended()
        return told


def hear(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> Heard:
    """Begins `piecewise` with these words."""
    said, says = os.pipe()
    try:
        return Heard(begin(words, environment, folder, says).process, os.fdopen(said, encoding="utf-8"))
    finally:
        os.close(says)


def ran(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> tuple[int, str]:
    """How `piecewise` with these words ended, and what it said."""
    process = hear(words, environment, folder)
    said = process.communicate()
    return process.ended(), said


@dataclass
class Running(Begun):
    """The same for a loop: `stdout` is what it says."""

    stdout: asyncio.StreamReader
    transport: asyncio.BaseTransport

    async def communicate(self) -> str:
        """What else it says until it ends."""
        told = await self.stdout.read()
        await self.wait()
        return told.decode()


async def start_bot(words: Sequence[str], environment: Mapping[str, str], folder: Path) -> Running:
    """Begins `piecewise` with these words."""
    heard = await asyncio.to_thread(hear, words, environment, folder)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), heard.said
    )
    return Running(heard.process, reader, transport)


# ---- In the new process ----------------------------------------------------------------------------------------------


class _Out:
    """An end of a pipe on its way to a new process."""

    def __init__(self, end: int) -> None:
        self.end = end

    def __reduce__(self) -> Any:
        return _detached, (DupFd(self.end),)


def _detached(passed: Any) -> int:
    return int(passed.detach())


def _be(module: str, words: list[str], environment: dict[str, str], folder: str, says: int) -> None:
    """Is `python -m` with this module from here on."""
    for stream in (1, 2):
        os.dup2(says, stream)
    os.close(says)
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _stream(number: int) -> TextIO:
    """As of an interpreter that begins with a pipe there."""
    late = number == 1
    return os.fdopen(
        number, "w", -1 if late else 1, encoding="utf-8", errors="strict" if late else "backslashreplace", closefd=False
    )
