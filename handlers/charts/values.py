"""What the pictures show, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from handlers.forecast import model
from handlers.forecast.model import Forecast, Point
from handlers.text.mixes import rows_of, share_of_mailed
from handlers.text.status_styles import OTHER, style_of
from storage.records import Mix
from storage.statuses import LIFECYCLE, Status


@dataclass(frozen=True)
class Pie:
    """What a pie shows. `title` is whose mail it is; `caption` the line at its foot: the moment of the numbers."""

    title: str
    caption: str
    counts: tuple[int, ...]
    other: int

    @classmethod
    def of(cls, title: str, caption: str, mix: Mix) -> "Pie":
        return cls(title, caption, tuple(number for _, number in mix.in_order()), mix.other)

    @property
    def mix(self) -> Mix:
        """Its numbers by status."""
        return _mix_of((*self.counts, self.other))


@dataclass(frozen=True)
class Pair:
    """Two names with how many pieces stand at each status, in reading order, the unknown ones last."""

    names: tuple[str, str]
    counts: tuple[tuple[int, ...], tuple[int, ...]]
    #: The line at the foot: the moment of the numbers.
    caption: str = ""

    def rows(self) -> list[tuple[str, str, tuple[str, str]]]:
        """Label, color and the two shares of each status that holds a piece on either side."""
        looks = [(style.label, style.color) for style in (*map(style_of, LIFECYCLE), OTHER)]
        shares = [{row.style.label: row.share for row in rows_of(_mix_of(counts))} for counts in self.counts]
        found = zip(looks, zip(*self.counts, strict=True), strict=True)
        held = [look for look, numbers in found if any(numbers)]
        one, other = shares
        return [(label, color, (one.get(label, NONE), other.get(label, NONE))) for label, color in held]


#: The share of a status that holds no piece.
NONE: Final = "0%"


def _mix_of(counts: Sequence[int]) -> Mix:
    *known, other = counts
    return Mix(dict(zip(LIFECYCLE, known, strict=True)), other)


@dataclass(frozen=True)
class Curve:
    """The share delivered day by day, beside what is usual, and what is expected from today on.

    `message`: what it says, in a sentence.
    """

    title: str
    message: str
    points: tuple[Point, ...]
    today: date
    #: What the pale band is.
    usual: str = "usual"
    #: What stands at the line's end: the share delivered now, as it is said everywhere else.
    now: str = ""

    @classmethod
    def of(cls, title: str, message: str, told: Forecast, mix: Mix) -> "Curve":
        usual = "usual" if told.outlook.is_own else "USPS's 4–7 days"
        now = share_of_mailed(mix, Status.DELIVERED)
        return cls(title, message, tuple(model.points(told)), told.today, usual, now)


@dataclass(frozen=True)
class States:
    """What came back, by state: `returned` of `mailed` pieces to each. Keys are what stands in the addresses."""

    title: str
    message: str
    rows: tuple[tuple[str, int, int], ...]
    #: The moment of the numbers.
    caption: str = ""
