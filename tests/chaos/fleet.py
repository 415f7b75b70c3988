"""The same story with several processes on one PostgreSQL: two that serve and two that work, any of them killed."""

import asyncio
import signal
import socket
from dataclasses import dataclass, field

from tests.chaos.story import Story
from tests.processes import Begun

PARTS = ("--serve", "--serve", "--work", "--work")


@dataclass
class Fleet(Story):
    """Four processes. Webhooks go to either of those that serve, as a proxy would send them."""

    processes: dict[int, Begun] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.verdict.kind = "2 serve + 2 work"
        for _ in PARTS:
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                self.ports.append(taken.getsockname()[1])

    async def _start(self) -> None:
        for place in range(len(PARTS)):
            await self._start_one(place)

    async def _start_one(self, place: int) -> None:
        self.processes[place] = await self._launch(self.ports[place], PARTS[place])

    async def _stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        for process in self.processes.values():
            if process.returncode is None:
                process.send_signal(how)
        for process in self.processes.values():
            await process.wait()

    async def _torment(self) -> None:
        """Any of them is killed at any moment, also while it is still starting, and comes back."""
        ways = [self._rude_slack, self._rude_platform, self._cut_sockets]
        while self.verdict.kills < self.kills:
            await asyncio.sleep(0.5 + self.dice.random() * 2.5)
            if self.dice.random() < 0.2:
                await self.dice.choice(ways)()
            place = self.dice.randrange(len(PARTS))
            victim = self.processes[place]
            if victim.returncode is None:
                victim.kill()
                await victim.wait()
                self.verdict.kills += 1
                self.verdict.outages[f"killed {PARTS[place]}"] += 1
            await self._start_one(place)

    def _door(self) -> int:
        return self.ports[self.dice.randrange(2)]
