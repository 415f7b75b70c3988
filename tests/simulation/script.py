"""What happens in a story, made from its seed alone: a list of events, each of which can be left out."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
#: The first moment of a story: some days before the clocks are set back in New York and Chicago.
BEGAN = datetime(2026, 10, 28, 13, 0, tzinfo=UTC)
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


THEMES = {"news": 4, "digest": 2, "cancelling": 3, "leaving": 2, "people": 2}


def theme_of(seed: int) -> str:
    """What this seed's story is mostly about."""
    return Random(f"theme {seed}").choices(list(THEMES), list(THEMES.values()))[0]


def script(seed: int) -> list[Event]:
    """The events of this seed, in their order."""
    pen, theme = Pen(seed, Random(f"script {seed}")), theme_of(seed)
    tenants = 2 + pen.dice.randrange(2) if theme == "leaving" else pen.dice.choices((1, 2), (4, 1))[0]
    for tenant in range(tenants):
        _tenant(pen, tenant, theme)
        _closings(pen, tenant)
    _troubles(pen, theme)
    ordered = sorted(enumerate(pen.events), key=lambda one: (one[1][0], one[0]))
    return [Event(at, number, kind, facts) for number, (_, (at, kind, facts)) in enumerate(ordered)]


def _tenant(pen: Pen, tenant: int, theme: str) -> None:
    dice = pen.dice
    # Some come when their mail is long under way.
    at = pen.gap(3 * DAY, 6 * DAY) if theme == "news" and dice.random() < 0.35 else pen.gap(1, HOUR)
    pen.add(at, "install", tenant)
    at += pen.gap(1, HOUR)
    pen.add(at, "connect", tenant)
    if theme != "news" or dice.random() < 0.9:
        pen.add(at + pen.gap(10, HOUR), "type", tenant, "U0ANA", "C0OPS", "on")
    for number in range(dice.choices((1, 2), (4, 1))[0]):
        early = theme == "news" and dice.random() < 0.6
        _campaign(pen, tenant, number, 0.0 if early else at + pen.gap(MINUTE, DAY), theme)
    for _ in range(dice.choices((0, 1, 2), (3, 2, 1))[0]):
        said = dice.choices(("on", "stop", "mute for 2 hours", "resume", "list"), (4, 1, 1, 1, 1))[0]
        pen.add(at + pen.gap(10, 4 * DAY), "type", tenant, dice.choice(PEOPLE), dice.choice(ROOMS), said)
    SCENES[theme](pen, tenant, at)


def _closings(pen: Pen, tenant: int) -> None:
    """A channel is archived, or the app is taken out of it: for minutes, for days, or for good."""
    # By a chance of its own: the rest of the story is the same without it.
    dice = Random(f"closings {pen.seed} {tenant}")
    if dice.random() < 0.7:
        return
    moves = [at for at, kind, facts in pen.events if kind == "move" and facts[0] == tenant]
    at = max(HOUR, dice.choice(moves or [DAY]) + dice.choice((-HOUR, -MINUTE, 2.0, HOUR)))
    room, seconds = dice.choice(ROOMS), dice.choice((5 * MINUTE, 3 * HOUR, DAY, 4 * DAY))
    pen.add(at, "close", tenant, room, dice.choice(("archived", "left")), seconds if dice.random() < 0.8 else None)
    if dice.random() < 0.5:
        pen.add(at + seconds + dice.choice((10.0, HOUR)), "type", tenant, "U0BEN", room, "on")


def _stopped_while_telling(pen: Pen, tenant: int, at: float) -> None:
    """A process is stopped with news in its hands, and the others tell it meanwhile."""
    dice = pen.dice
    if tenant or dice.random() < 0.5:
        return
    at += 2 * HOUR + pen.gap(1, DAY)
    pen.add(at - HOUR, "book", tenant, 5, 2)
    pen.add(at, "move", tenant, "600", "RETURNED", (1.0,))
    place = dice.choice(("read gather", "written claim", "before slack", "after slack", "before settle"))
    seconds = pen.gap(100, 900)
    pen.add(at + 1.5, "trap", place, 1, "pause", seconds)
    for number in range(8):
        pen.add(at + 45 + number * seconds / 6, "moment")


def _digests(pen: Pen, tenant: int, at: float) -> None:
    dice = pen.dice
    if not tenant and dice.random() < 0.6:
        nine = DAY + HOUR + MINUTE
        pen.add(at + 2 * HOUR, "book", tenant, 5, 2)
        pen.add(at + 3 * HOUR, "move", tenant, "600", "RETURNED", (1.0,))
        pen.add(nine - 5 * MINUTE, "move", tenant, "601", "HANDED_OVER", (1.0,))
        place = dice.choice(("read _account", "read _account", "written hold", "read listeners", "before slack"))
        seconds = pen.gap(100, 900)
        pen.add(nine - MINUTE + 1, "trap", place, 1, "pause", seconds)
        for number in range(10):
            pen.add(nine - MINUTE + 2 + number * (30 + seconds / 8), "moment")
    if dice.random() < 0.4:
        quiet = dice.choice((None, (18, 8), (22, 6)))
        zone = dice.choice(("America/New_York", "Europe/Paris", "America/Chicago"))
        pen.add(at + 2 * HOUR, "hours", tenant, "C0OPS", zone, dice.choice((8, 9, 16)), quiet)


def _cancels(pen: Pen, tenant: int, at: float) -> None:
    dice = pen.dice
    if dice.random() < 0.3:
        pen.add(at + 1, "rule", tenant, 0)
    for _ in range(dice.choices((1, 2), (2, 1))[0]):
        then = at + DAY + pen.gap(1, HOUR)
        if dice.random() < 0.3:
            pen.add(then - pen.gap(1, HOUR), "rank", tenant, "U0BEN", False)
        pen.add(then, "press", tenant, dice.choice(PEOPLE), "cancel_piece", f"{100 + dice.randrange(2)}")
        if dice.random() < 0.5:
            decided = dice.choice(("approve_cancel", "approve_cancel", "decline_cancel"))
            pen.add(then + pen.gap(5, 2 * HOUR), "press", tenant, dice.choice(PEOPLE), decided, "")


def _leaves(pen: Pen, tenant: int, at: float) -> None:
    dice = pen.dice
    if tenant and dice.random() < 0.3:
        return
    then = at + pen.gap(HOUR, 3 * DAY)
    told = tuple(
        pen.gap(0.5, 20) if dice.random() < 0.7 else pen.gap(MINUTE, 2 * HOUR) for _ in range(dice.choice((1, 2)))
    )
    # Just before, so that whoever asks is known to the processes.
    for before in (14, 8, 2):
        pen.add(then - before, "crowd", True)
    pen.add(then, "leave", tenant, told)
    # Who is looked into is gone half a second later, and known to be gone everywhere half a minute later.
    for after in (0.8, 7, 13):
        pen.add(then + told[0] + after + pen.gap(0.2, 5), "crowd", True)
    if dice.random() < 0.6:
        then += pen.gap(5, DAY)
        pen.add(then, "install", tenant)
        pen.add(then + pen.gap(5, HOUR), "connect", tenant)


def _persons(pen: Pen, tenant: int, at: float) -> None:
    dice = pen.dice
    for _ in range(dice.choice((1, 2))):
        then = at + DAY + pen.gap(1, DAY)
        pen.add(then, "press", tenant, dice.choice(PEOPLE), "erase_recipient", f"{100 + dice.randrange(2)}")
    pen.add(at + pen.gap(MINUTE, DAY), "rank", tenant, dice.choice(PEOPLE), dice.random() < 0.5)


SCENES = {
    "news": _stopped_while_telling,
    "digest": _digests,
    "cancelling": _cancels,
    "leaving": _leaves,
    "people": _persons,
}


def _campaign(pen: Pen, tenant: int, number: int, at: float, theme: str) -> None:
    dice = pen.dice
    # One account whose mail is long under way: more than one reading of its timelines.
    size = dice.choice((3, 4, 5)) if at == 0.0 else dice.choices((1, 2, 3, 5), (4, 3, 2, 1))[0]
    pen.add(at, "book", tenant, number, size)
    for piece in range(size):
        # What is to be cancelled waits for its production date.
        began = at + 1.2 * DAY if theme == "cancelling" else at
        for when, status in _way(pen, began):
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


#: Where a process is stopped or dies, by what the story is about. See `Weather.reach`.
PLACES = {
    "news": ("before slack", "after slack", "read gather", "written claim", "before settle", "written settle",
             "written renew", "before apply", "written apply", "read <lambda>", "written hold"),
    "digest": ("read _account", "written hold", "read listeners", "before slack", "after slack", "before told",
               "written told", "written renew", "written release"),
    "cancelling": ("before mail", "after mail", "before slack", "after slack", "written take", "written work",
                   "written note_piece", "written _keep_outcome", "written _begin", "before end", "written end",
                   "written release_held", "written _decide_now"),
    "leaving": ("before slack", "after slack", "written _hear", "before _leave", "written _leave", "written _save"),
    "people": ("written work", "before slack", "after slack", "written take", "before end"),
}  # fmt: skip


def _troubles(pen: Pen, theme: str) -> None:
    """What goes wrong with processes and with what is outside."""
    dice = pen.dice
    moments = [at for at, _, _ in pen.events]
    pen.add(0.0, "processes", dice.choices((1, 2, 3), (1, 4, 1))[0])
    if theme == "digest":
        _mornings(pen)
        moments += [at for at, kind, _ in pen.events if kind == "moment"] * 3
    if dice.random() < 0.15:
        return
    for whom in ("slack", "mail", "database"):
        if dice.random() < 0.4:
            pen.add(0.0, "weather", whom, dice.choice((0.01, 0.03, 0.1)))
    for _ in range(dice.choices((0, 1, 2, 4), (1, 3, 3, 1))[0]):
        _trouble(pen, theme, moments)


def _mornings(pen: Pen) -> None:
    """The hours at which channels are told of the day before, over some days and the end of daylight saving."""
    for day in range(pen.dice.choice((3, 5))):
        for hour in (1, 2):
            pen.add(day * DAY + hour * HOUR + pen.gap(1, MINUTE), "moment")


def _trouble(pen: Pen, theme: str, moments: list[float]) -> None:
    dice = pen.dice
    # Just before something happens, or just after: that is when something is under way.
    at = max(0.0, dice.choice(moments) + pen.gap(0.05, 5 * MINUTE) * dice.choice((1, 1, -1)))
    kind = dice.choices(("trap", "crash", "pause", "clock", "storm"), (10, 2, 2, 1, 2))[0]
    if kind == "trap":
        place = dice.choice(PLACES[theme] if dice.random() < 0.8 else PLACES["news"])
        what = dice.choices(("crash", "pause", "cut"), (2, 2, 1))[0]
        seconds = pen.gap(20, 30 * MINUTE) if what == "pause" else pen.gap(1, HOUR)
        pen.add(at, kind, place, dice.choices((1, 2, 3, 5), (6, 3, 2, 1))[0], what, seconds)
    elif kind == "storm":
        pen.add(at, kind, dice.choice(("slack", "mail", "database")), pen.gap(5, 8 * HOUR))
    elif kind == "clock":
        pen.add(at, kind, dice.randrange(3), dice.choice((-1, 1)) * pen.gap(1, 2 * HOUR))
    else:
        pen.add(at, kind, dice.randrange(3), pen.gap(1, HOUR) if kind == "crash" else pen.gap(1, 20 * MINUTE))
