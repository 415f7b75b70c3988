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
from handlers.text.mixes import share_of_mailed
from storage.records import Mix
from storage.statuses import FINAL, MAILED, Status

#: Not mailed, and may still be.
BEFORE: Final = frozenset(Status) - MAILED - FINAL

#: Days by which two campaigns may be apart and still be compared before they are complete.
APART: Final = 1
#: Below so many mailed pieces on one side nearly every difference is chance.
FEW: Final = 50

#: Whichever of the two was said above.
CHANCE: Final = (
    "More than chance: of twenty comparisons of like mail, fewer than one would show a difference this large."
)

OF_MAILED: Final = "The sentences above count what was mailed; the numbers below count every piece."

FORMS: Final = "`/mailstatus Spring vs Fall` or `/mailstatus this month vs last month`"


@dataclass(frozen=True)
class Side:
    """One of the two: what it is called, where its pieces stand, and when the first and the last were handed over.

    Of a part of a campaign, or of the account, these days are not known.
    """

    name: str
    mix: Mix
    handed_on: date | None = None
    handed_last: date | None = None
    #: What it is called within a sentence, where that is not its name.
    spoken: str = ""

    @property
    def said(self) -> str:
        return self.spoken or self.name

    @property
    def mailed(self) -> int:
        return self.mix.of(*MAILED)

    def share(self, *statuses: Status) -> str:
        """How many of the mailed pieces stand there, in per cents."""
        return share_of_mailed(self.mix, *statuses)

    def part(self, status: Status) -> int:
        """How many of the mailed pieces stand there."""
        return self.mix.of(status)

    @property
    def under_way(self) -> int:
        """How many of the mailed pieces may still be delivered, or come back."""
        return self.mix.of(*(MAILED - FINAL))

    def ages(self, today: date) -> tuple[int, int] | None:
        """Delivery days since the first and the last hand-over; None where they are not known."""
        if self.handed_on is None:
            return None
        last = self.handed_last or self.handed_on
        return days.delivery_days(self.handed_on, today), days.delivery_days(last, today)


def pair_of(one: Side, other: Side, caption: str = "") -> Pair:
    """What the picture shows, and at its foot of when."""
    first, second = ((*(number for _, number in side.mix.in_order()), side.mix.other) for side in (one, other))
    return Pair((one.name, other.name), (first, second), caption)


def answer(one: Side, other: Side, today: date, picture: bytes | None) -> Message:
    """Both: what of their difference matters, then the counts."""
    title = f"{one.name} vs {other.name}"
    said = differences(one, other, today)
    lines = [f"• {label}: {first} vs {second}" for label, _, (first, second) in pair_of(one, other).rows()]
    numbers = "\n".join(lines)
    judged = [_judged(status, one, other, today) for status in (Status.DELIVERED, Status.RETURNED)]
    chanced = [context(CHANCE)] if any(verdict is not None for verdict in judged) else []
    counts = f"{_count(one)} vs {_count(other)}"
    if any(0 < side.mailed < side.mix.total for side in (one, other)):
        # Else one status would have two per cents here, and nobody could tell why.
        counts += f". {OF_MAILED}"
    blocks = [
        header(title),
        section(f"*{escape(said[0])}*" + "".join(f"\n{escape(line)}" for line in said[1:])),
        context(counts),
        *([section(escape(numbers))] if numbers else []),
        *chanced,
    ]
    text = clip(f"{escape(' '.join(said))} {counts}", TEXT)
    alt = f"Two pies, {title}. {'; '.join(lines)}"
    return Message(text, blocks, Picture(picture, clip(alt, 1900), clip(title, 200)) if picture else None)


def _count(side: Side) -> str:
    return escape(f"{side.name}: {formatting.pieces(side.mix.total)}, {formatting.count(side.mailed)} mailed")


def differences(one: Side, other: Side, today: date) -> list[str]:
    """What differs, in sentences, and whether that says anything."""
    empty = [side for side in (one, other) if not side.mailed]
    if empty:
        return [_nothing(empty)]
    said = [_deliveries(one, other, today), _share("came back", Status.RETURNED, one, other, today)]
    if min(one.mailed, other.mailed) < FEW:
        fewest = one if one.mailed <= other.mailed else other
        said.append(
            f"{fewest.name} has only {formatting.pieces(fewest.mailed)} mailed: small campaigns differ by luck alone."
        )
    return said


def _nothing(empty: Sequence[Side]) -> str:
    """Why there is nothing to compare: "yet" is said of what may still be mailed alone."""
    if all(not side.mix.total for side in empty):
        what = "Neither side has any pieces" if len(empty) > 1 else f"There are no pieces of {empty[0].said}"
    else:
        # Of two the one that waits says more than the one that is empty.
        side = max(empty, key=lambda one: one.mix.of(*BEFORE))
        waits = "has been handed to USPS yet" if side.mix.of(*BEFORE) else "was handed to USPS"
        what = f"Nothing of {side.said} {waits}"
    return f"{what}, so there is nothing to compare."


def _deliveries(one: Side, other: Side, today: date) -> str:
    if _verdict(Status.DELIVERED, one, other, today) is not None:
        return _share("delivered", Status.DELIVERED, one, other, today)
    parts = [f"{side.share(Status.DELIVERED)} of {side.said}" for side in (one, other)]
    return f"{parts[0]} and {parts[1]} delivered, but {_why_early(one, other, today)}"


def _why_early(one: Side, other: Side, today: date) -> str:
    mine, theirs = one.ages(today), other.ages(today)
    if mine and theirs and (apart := abs(mine[0] - theirs[0])) > APART:
        ahead, behind = (one, other) if mine[0] > theirs[0] else (other, one)
        return (
            f"{ahead.said} has been under way {apart} delivery days longer than {behind.said}: "
            f"compare deliveries when both are complete."
        )
    most = max((one, other), key=lambda side: side.under_way / side.mailed)
    share = most.share(*(MAILED - FINAL))
    return f"{share} of {most.said} is still on its way: too early to compare deliveries."


def _share(verb: str, status: Status, one: Side, other: Side, today: date) -> str:
    shares = [side.share(status) for side in (one, other)]
    if shares[0] == shares[1]:
        of_both = f"{shares[0]} of both" if one.part(status) or other.part(status) else "None of either"
        return f"{of_both} {verb}{' so far' if one.under_way or other.under_way else ''}."
    said = f"{shares[0]} of {one.said} {verb}, {shares[1]} of {other.said}"
    verdict = _judged(status, one, other, today)
    if verdict is None:
        return f"{said}{' so far' if one.under_way or other.under_way else ''}."
    return f"{said}: {'that is more than chance explains' if verdict else 'that may be chance'}."


def _judged(status: Status, one: Side, other: Side, today: date) -> int | None:
    """The verdict where one is said; None where nothing is said of chance."""
    if not (one.mailed and other.mailed) or not (one.part(status) or other.part(status)):
        return None
    # What reads the same is not called different, nor chance.
    return None if one.share(status) == other.share(status) else _verdict(status, one, other, today)


def _verdict(status: Status, one: Side, other: Side, today: date) -> int | None:
    """Whether more of the other (1) or of this one (-1) got there than chance explains, or neither (0).

    None: too early to tell. Where one had more time than the other, or nobody knows, what is still under way is
    thought to get there all on one side and not at all on the other, and the same the other way round: what holds both
    ways is no matter of age.
    """
    mine, theirs = one.ages(today), other.ages(today)
    if mine and theirs and all(abs(a - b) <= APART for a, b in zip(mine, theirs, strict=True)):
        return _sign(one.part(status), one.mailed, other.part(status), other.mailed)
    parts = one.part(status), other.part(status)
    ways = {
        _sign(parts[0] + one.under_way, one.mailed, parts[1], other.mailed),
        _sign(parts[0], one.mailed, parts[1] + other.under_way, other.mailed),
    }
    return ways.pop() if len(ways) == 1 else None


def _sign(part: int, total: int, other: int, other_total: int) -> int:
    gap = chance.difference(part, total, other, other_total)
    return 0 if gap is None or not gap.is_real else (1 if gap.low > 0 else -1)


def choices(labeled: Sequence[tuple[str, Comparing]], why: str = "") -> Message:
    """Which two are meant, or what to type where none can be offered. `why` is escaped by the caller."""
    asked = "Which do you want to compare?" if labeled else f"Type two campaigns or two ranges, like {FORMS}."
    text = f"{why} {asked}".strip()
    return Message(text, [section(text), *(_choice(label, value) for label, value in labeled)])


def _choice(label: str, value: Comparing) -> Block:
    return section(f"*{escape(label)}*", button("Compare", Action.COMPARE, write(value), spoken=f"Compare {label}"))
