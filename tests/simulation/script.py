"""What happens in a story, made from its seed alone: a list of events, each of which can be left out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
PEOPLE = ("U0ANA", "U0BEN", "U0CAT")
ROOMS = ("C0OPS", "C0NEWS")


@dataclass(frozen=True, order=True)
class Event:
    """Something that happens at a moment (seconds since the story began)."""

    at: float
    number: int
    kind: str = field(compare=False)
    facts: tuple[Any, ...] = field(compare=False, default=())

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(map(str, self.facts))}"


@dataclass
class Pen:
    """Writes the events of one seed."""

    seed: int
    dice: Random
    events: list[tuple[float, str, tuple[Any, ...]]] = field(default_factory=list)

    def add(self, at: float, kind: str, *facts: Any) -> None:
        self.events.append((at, kind, facts))

    def gap(self, least: float = 1.0, most: float = 3 * DAY) -> float:
        """Some time: as often seconds as hours or days."""
        return float(least * (most / least) ** self.dice.random())


def script(seed: int) -> list[Event]:
    """The events of this seed, in their order."""
    pen = Pen(seed, Random(f"script {seed}"))
    tenants = pen.dice.choices((1, 2, 3), (6, 3, 1))[0]
    for tenant in range(tenants):
        _tenant(pen, tenant)
    _troubles(pen)
    ordered = sorted(enumerate(pen.events), key=lambda one: (one[1][0], one[0]))
    return [Event(at, number, kind, facts) for number, (_, (at, kind, facts)) in enumerate(ordered)]


def _tenant(pen: Pen, tenant: int) -> None:
    dice = pen.dice
    at = pen.gap(1, HOUR)
    pen.add(at, "install", tenant)
    at += pen.gap(1, HOUR)
    pen.add(at, "connect", tenant)
    for number in range(dice.choices((1, 2), (3, 1))[0]):
        _campaign(pen, tenant, number, at + dice.choice((-1, 1)) * pen.gap(MINUTE, 2 * DAY))
    for _ in range(dice.choices((1, 2, 3), (3, 2, 1))[0]):
        said = dice.choices(("on", "stop", "mute for 2 hours", "resume", "list"), (6, 1, 1, 1, 1))[0]
        pen.add(at + pen.gap(10, 4 * DAY), "type", tenant, dice.choice(PEOPLE), dice.choice(ROOMS), said)
    if dice.random() < 0.9:
        pen.add(at + pen.gap(10, HOUR), "type", tenant, "U0ANA", "C0OPS", "on")


def _campaign(pen: Pen, tenant: int, number: int, at: float) -> None:
    dice = pen.dice
    size = dice.choices((1, 2, 3, 5), (4, 3, 2, 1))[0]
    at = max(at, 0.0)
    pen.add(at, "book", tenant, number, size)
    for piece in range(size):
        for when, status in _way(pen, at):
            calls = tuple(_calls(pen))
            pen.add(when, "move", tenant, f"{100 * (number + 1) + piece}", status, calls)


def _way(pen: Pen, at: float) -> Iterator[tuple[float, str]]:
    """The statuses that a piece comes to, some left out, as the carrier's scanners do."""
    dice = pen.dice
    if dice.random() < 0.15:
        yield at + pen.gap(MINUTE, 2 * DAY), "CANCELLED"
        return
    for status, share in (("PRODUCING", 0.4), ("HANDED_OVER", 0.6), ("IN_TRANSIT", 0.4), ("LOCAL_DELIVERY", 0.2)):
        if dice.random() < share:
            at += pen.gap(MINUTE, 2 * DAY)
            yield at, status
    end = dice.random()
    if end < 0.45:
        yield at + pen.gap(MINUTE, 3 * DAY), "RETURNED"
    elif end < 0.9:
        at += pen.gap(MINUTE, 3 * DAY)
        yield at, "DELIVERED"
        if dice.random() < 0.2:
            yield at + pen.gap(MINUTE, 3 * DAY), "RETURNED"


def _calls(pen: Pen) -> Iterator[float]:
    """After how long the mail house's webhook says so: perhaps never, perhaps twice, perhaps late."""
    dice = pen.dice
    for _ in range(dice.choices((0, 1, 2), (4, 5, 2))[0]):
        yield pen.gap(1, 30) if dice.random() < 0.7 else pen.gap(MINUTE, 4 * DAY)


def _troubles(pen: Pen) -> None:
    """What goes wrong with processes and with what is outside."""
    dice, end = pen.dice, max(at for at, _, _ in pen.events)
    moments = [at for at, _, _ in pen.events]
    pen.add(0.0, "processes", dice.choices((1, 2, 3), (2, 4, 1))[0])
    for whom in ("slack", "mail", "database"):
        if dice.random() < 0.5:
            pen.add(0.0, "weather", whom, dice.choice((0.01, 0.03, 0.1)))
    for _ in range(dice.choices((0, 1, 2, 4), (1, 2, 2, 1))[0]):
        # Mostly just after something happened: that is when something is under way.
        at = dice.choice(moments) + pen.gap(0.05, 5 * MINUTE) if dice.random() < 0.8 else dice.random() * end
        kind = dice.choices(("crash", "pause", "clock", "storm"), (4, 4, 1, 3))[0]
        if kind == "storm":
            pen.add(at, kind, dice.choice(("slack", "mail", "database")), pen.gap(5, 8 * HOUR))
        elif kind == "clock":
            pen.add(at, kind, dice.randrange(3), dice.choice((-1, 1)) * pen.gap(1, 2 * HOUR))
        else:
            pen.add(at, kind, dice.randrange(3), pen.gap(1, HOUR) if kind == "crash" else pen.gap(1, 20 * MINUTE))
