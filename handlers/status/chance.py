"""Whether two shares differ by more than chance: Newcombe's interval for the difference of two proportions (Statistics
in Medicine 17, 1998, method 10), from Wilson's intervals of each. It holds for few pieces, and for none or all of them.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

#: The normal distribution's two-sided 95%.
Z: Final = 1.96


@dataclass(frozen=True)
class Difference:
    """How far the second share is above the first, and between what that may be by chance."""

    low: float
    high: float

    @property
    def is_real(self) -> bool:
        """Whether chance alone would do so in one of twenty comparisons at most."""
        return self.low > 0 or self.high < 0


def wilson(part: int, total: int) -> tuple[float, float]:
    """Between which shares the true one is, 95 times of 100."""
    share, square = part / total, Z * Z
    center = (share + square / (2 * total)) / (1 + square / total)
    reach = Z * sqrt(share * (1 - share) / total + square / (4 * total * total)) / (1 + square / total)
    return center - reach, center + reach


def difference(part: int, total: int, other: int, other_total: int) -> Difference | None:
    """The second share less the first; None where one side has nothing to count."""
    if not total or not other_total:
        return None
    one, two = part / total, other / other_total
    (low, high), (low_2, high_2) = wilson(part, total), wilson(other, other_total)
    gap = two - one
    return Difference(
        gap - sqrt((two - low_2) ** 2 + (high - one) ** 2), gap + sqrt((high_2 - two) ** 2 + (one - low) ** 2)
    )
