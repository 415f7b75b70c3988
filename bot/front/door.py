"""Who may connect to us: so many connections in all and from one outside address, and those that ask go first.

A connection that has begun a request (a new one always has) and not ended it within some seconds is closed. When room
is needed, the one goes that has been without a request for longest, whatever it asked before. So a crowd that says
nothing keeps nobody out, and some open files are always left for our own calls and the database.
"""

import asyncio
import ipaddress
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog
from aiohttp import web

log = structlog.get_logger()

#: Seconds in which the whole head of a request must come: from the beginning, and later from its first byte.
HEAD_SECONDS: Final = 10.0
#: Open files that we ask the system for, and connections that may come in; more than this nobody needs.
FILES: Final = 65_536
MOST: Final = 10_000
#: What is refused is logged so often at most (in seconds), with its number: a line for each would fill the disk.
SAID_EVERY: Final = 60.0
#: Connections to the metrics: a Prometheus or two.
METRICS: Final = 32
#: With many workspaces, so many may be slow at once before the others wait for connections.
SLOW: Final = 20
#: What one household or machine is given of IPv6 (RFC 6177): it can take any address in it.
NETWORK: Final = 64


@dataclass(frozen=True)
class Room:
    """How the open files that the system allows are shared: the rest is for the database, files and logs."""

    #: Connections that come in.
    front: int
    #: To Slack, for somebody who waits: modals, answers, people.
    asking: int
    #: To Slack, for posts and files.
    telling: int
    #: To the mail platform.
    mail: int
    #: Connections that ask for the metrics.
    metrics: int = METRICS

    @classmethod
    def of(cls, files: int) -> "Room":
        """A share for each, of so many files."""
        few = min(files // 10, 200)
        return cls(min(files // 2, MOST), few, min(files // 5, 400), few, min(files // 20, METRICS))

    def each(self, *, many: bool) -> "Room":
        """The most of it that goes to one workspace."""
        if not many:
            return self
        asking, telling, mail = (max(part // SLOW, 2) for part in (self.asking, self.telling, self.mail))
        return replace(self, asking=asking, telling=telling, mail=mail)


def open_files() -> int:
    """How many files this process may hold open, after asking the system for as many as it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


class Visit(asyncio.Protocol):
    """One connection that comes in. What it sends is another protocol's business."""

    def __init__(self, door: "Door") -> None:
        self.door = door
        self.inner = door.serve()
        self.peer = ""
        self.transport: asyncio.Transport | None = None
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        self.transport, self.peer = transport, outside_address(transport.get_extra_info("peername"))
        if not self.door.admit(self):
            self.transport = None
            transport.abort()
            return
        self._expect_head()
        self.inner.connection_made(transport)

    def _expect_head(self) -> None:
        self.timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self.close)

    def heard(self) -> None:
        """It has sent a whole request, and waits for the answer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.door.mute.pop(self, None)

    def answered(self) -> None:
        """It has its answer, and is as mute as a new one; how long it may stay so is the server's business."""
        if self in self.door.open:
            self.door.mute[self] = None

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()
            self.door.leave(self)

    def data_received(self, data: bytes) -> None:
        if self.timer is None and self in self.door.mute:
            self._expect_head()
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self.inner.eof_received()

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.transport is not None:
            self.transport = None
            self.heard()
            self.door.leave(self)
            self.inner.connection_lost(exc)


@dataclass
class Door:
    """Makes a protocol for each connection. `serve` makes what answers; `most`: in all; `each`: of one address."""

    serve: Callable[[], asyncio.Protocol]
    most: int
    each: int
    open: dict[Visit, None] = field(default_factory=dict)
    #: Those that wait for no answer, the longest mute first.
    mute: dict[Visit, None] = field(default_factory=dict)
    peers: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    said_at: float = -SAID_EVERY

    def __call__(self) -> Visit:
        return Visit(self)

    def admit(self, visit: Visit) -> bool:
        """Whether there is room for it: for want of any, the one goes that has been mute for longest."""
        if visit.peer and self.peers[visit.peer] >= self.each:
            self._say("one address")
            return False
        if len(self.open) >= self.most:
            self._say("in all")
            silent = next(iter(self.mute), None)
            if silent is None:
                return False
            silent.close()
        self.open[visit] = self.mute[visit] = None
        self.peers[visit.peer] += 1
        return True

    def leave(self, visit: Visit) -> None:
        if visit in self.open:
            del self.open[visit]
            self.mute.pop(visit, None)
            self.peers[visit.peer] -= 1
            if not self.peers[visit.peer]:
                del self.peers[visit.peer]

    def _say(self, of: str) -> None:
        self.refused += 1
        now = time.monotonic()
        if now - self.said_at >= SAID_EVERY:
            log.warning("connections.refused", number=self.refused, limit=of, open=len(self.open))
            self.refused, self.said_at = 0, now


def outside_address(peername: Any) -> str:
    """The address of somebody outside (of IPv6, the network that they can take any address of); "" for this machine and
    private networks, where our own proxy stands."""
    try:
        address = ipaddress.ip_address(peername[0])
    except (TypeError, IndexError, ValueError):
        return ""
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not mapped.is_global:
        return ""
    return str(mapped) if mapped.version == 4 else str(ipaddress.ip_network((int(mapped), NETWORK), strict=False))  # noqa: PLR2004 - IPv4


@contextmanager
def request_of(request: web.Request) -> Iterator[None]:
    """A whole request has come on its connection, which waits for the answer until the end."""
    visit = request.transport.get_protocol() if request.transport is not None else None
    if not isinstance(visit, Visit):
        yield
        return
    visit.heard()
    try:
        yield
    finally:
        visit.answered()


def log_once(loop: asyncio.AbstractEventLoop) -> None:
    """When the system itself has no room for a connection, asyncio logs each try: once a minute says as much."""
    said_at = -SAID_EVERY

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal said_at
        if "out of system resource" not in context.get("message", ""):
            loop.default_exception_handler(context)
        elif time.monotonic() - said_at >= SAID_EVERY:
            said_at = time.monotonic()
            log.error("connections.no_room", reason=str(context.get("exception")), do="Allow more open files.")

    loop.set_exception_handler(handle)
