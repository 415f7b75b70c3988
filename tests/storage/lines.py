"""A line to the PostgreSQL of the tests that can freeze, as in a failover: no FIN, no RST, and nothing comes through."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import make_url

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Line:
    """One host's address: `host` for DATABASE_URL. Bytes pass while it is open. `reach` connects to its far end."""

    def __init__(self, reach: Callable[[], Awaitable[Ends]]) -> None:
        self.reach = reach
        self.open = asyncio.Event()
        self.open.set()
        self.carried: list[asyncio.StreamWriter] = []
        self.host = ""

    def freeze(self) -> None:
        self.open.clear()

    def thaw(self) -> None:
        self.open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.open.wait()
        try:
            far_reader, far_writer = await self.reach()
        except OSError:
            # Nobody is there: the near end learns it as the far one would tell it.
            writer.close()
            return
        self.carried += [writer, far_writer]
        with suppress(OSError):
            await asyncio.gather(self.pump(reader, far_writer), self.pump(far_reader, writer))

    async def pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self.open.wait()
            sink.write(data)
            await sink.drain()
        sink.close()


@asynccontextmanager
async def line_to(uri: str) -> AsyncIterator[Line]:
    """A line to the server that listens in this folder."""
    folder = parse_qs(urlsplit(uri).query)["host"][0]
    async with _line(lambda: asyncio.open_unix_connection(f"{folder}/.s.PGSQL.5432")) as line:
        yield line


@asynccontextmanager
async def line_to_port(port: int) -> AsyncIterator[Line]:
    """A line to whoever listens at this port of this machine, now or later."""
    async with _line(lambda: asyncio.open_connection("127.0.0.1", port)) as line:
        yield line


@asynccontextmanager
async def _line(reach: Callable[[], Awaitable[Ends]]) -> AsyncIterator[Line]:
    line = Line(reach)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.host = "127.0.0.1:" + str(server.sockets[0].getsockname()[1])
    try:
        yield line
    finally:
        line.thaw()
        server.close()
        for writer in line.carried:
            writer.close()


def by(uri: str, *lines: Line) -> str:
    """The same database by these lines."""
    url = make_url(uri)
    return f"postgresql://{url.username}:@/{url.database}?" + "&".join(f"host={line.host}" for line in lines)
