"""The story's clock: it runs as the real one does, and jumps. Everything in the sandbox goes by it, and by no other."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass
class StoryClock:
    """Never behind the real time. A lease is as long as it says, unless a jump falls into it."""

    jumped: timedelta = timedelta()

    def now(self) -> datetime:
        """This moment of the story, aware and UTC."""
        return datetime.now(UTC) + self.jumped

    def stamp(self) -> float:
        """The same in seconds since 1970, as Slack writes it."""
        return self.now().timestamp()

    def elapsed(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def jump(self, span: timedelta) -> None:
        """The story goes on by this much at once."""
        self.jumped += span
