"""Two campaigns, or two spans of the account, side by side: the numbers, and what of their difference is chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from handlers.charts.values import Pair
from handlers.forecast import days
from handlers.status import chance
from handlers.text import formatting
from handlers.text.buttons import Action, Comparing
from handlers.text.codec import write
from handlers.text.messages import TEXT, Block, Message, Picture, button, clip, context, escape, header, section
from storage.records import Mix
from storage.statuses import FINAL, MAILED, Status

#: Days by which two campaigns may be apart and still be compared before they are complete.
APART: Final = 1
#: Below so many mailed pieces on one side nearly every difference is chance.
FEW: Final = 50


@dataclass(frozen=True)
class Side:
    """One of the two: what it is called, where its pieces stand, and when the first were handed over."""

    name: str
    mix: Mix
    handed_on: date | None = None

    @property
    def mailed(self) -> int:
        return self.mix.of(*MAILED)

    def part(self, status: Status) -> int:
        """How many of the mailed pieces stand there."""
        return self.mix.of(status)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of any piece."""
        return self.mix.of(*FINAL) == self.mix.total

    def age(self, today: date) -> int | None:
        """Delivery days since the first hand-over."""
        return None if self.handed_on is None else days.delivery_days(self.handed_on, today)


def pair_of(one: Side, other: Side) -> Pair:
    """What the picture shows."""
    first, second = ((*(number for _, number in side.mix.in_order()), side.mix.other) for side in (one, other))
    return Pair((one.name, other.name), (first, second))


def answer(one: Side, other: Side, today: date, picture: bytes | None) -> Message:
    """Both, with their differences in words."""
    title = f"{one.name} vs {other.name}"
    said = differences(one, other, today)
    lines = [f"• {label}: {first} vs {second}" for label, _, (first, second) in pair_of(one, other).rows()]
    numbers = "\n".join(lines) or "No pieces on either side."
    blocks = [
        header(title),
        context(f"{_count(one)} vs {_count(other)}"),
        section("\n".join(escape(line) for line in said)),
        section(escape(numbers)),
        context("Chance: in one of twenty comparisons of like mail a difference this large comes by itself."),
    ]
    text = clip(f"{escape(title)}. {escape(' '.join(said))}", TEXT)
    alt = f"Two pies, {title}. {'; '.join(lines)}"
    return Message(text, blocks, Picture(picture, clip(alt, 1900), clip(title, 200)) if picture else None)


def _count(side: Side) -> str:
    return escape(f"{side.name}: {formatting.pieces(side.mix.total)}, {formatting.count(side.mailed)} mailed")


def differences(one: Side, other: Side, today: date) -> list[str]:
    """What differs, in sentences, and whether that says anything."""
    if not one.mailed or not other.mailed:
        waiting = one.name if not one.mailed else other.name
        return [f"Nothing of {waiting} has been handed to USPS yet, so there is nothing to compare."]
    said = [_share("delivered", Status.DELIVERED, one, other), _share("came back", Status.RETURNED, one, other)]
    if early := _too_early(one, other, today):
        said[0] = early
    if min(one.mailed, other.mailed) < FEW:
        fewest = one if one.mailed <= other.mailed else other
        said.append(
            f"{fewest.name} has only {formatting.pieces(fewest.mailed)} mailed: small campaigns differ by luck alone."
        )
    return said


def _share(verb: str, status: Status, one: Side, other: Side) -> str:
    first, second = one.part(status), other.part(status)
    shares = [formatting.share(part, side.mailed) for part, side in ((first, one), (second, other))]
    said = f"{shares[0]} of {one.name} {verb}, {shares[1]} of {other.name}"
    gap = chance.difference(first, one.mailed, second, other.mailed)
    if gap is None or (first == 0 and second == 0):
        return f"{said}."
    return f"{said}: {'more than chance explains' if gap.is_real else 'that may be chance'}."


def _too_early(one: Side, other: Side, today: date) -> str:
    """Where one had more days than the other, how much was delivered says nothing yet."""
    ages = one.age(today), other.age(today)
    if (one.is_over and other.is_over) or ages[0] is None or ages[1] is None or abs(ages[0] - ages[1]) <= APART:
        return ""
    ahead, behind = (one, other) if ages[0] > ages[1] else (other, one)
    apart = abs(ages[0] - ages[1])
    parts = [f"{formatting.share(side.part(Status.DELIVERED), side.mailed)} of {side.name}" for side in (one, other)]
    return (
        f"{parts[0]} and {parts[1]} delivered, but {ahead.name} has been under way {apart} delivery days longer than "
        f"{behind.name}: compare deliveries when both are complete."
    )


def choices(labeled: Sequence[tuple[str, Comparing]]) -> Message:
    """Which two are meant."""
    text = "Which do you want to compare?"
    return Message(text, [section(text), *(_choice(label, value) for label, value in labeled)])


def _choice(label: str, value: Comparing) -> Block:
    return section(f"*{escape(label)}*", button("Compare", Action.COMPARE, write(value), spoken=f"Compare {label}"))
