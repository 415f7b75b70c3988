"""A mix in words: its rows with the shares that every answer and picture shows, and the one sentence that says it."""

from dataclasses import dataclass
from typing import Final

from handlers.text import formatting
from handlers.text.messages import escape
from handlers.text.status_styles import Style, style_of
from storage.records import Mix
from storage.statuses import MAILED, Status


@dataclass(frozen=True)
class Row:
    """What is said of one status wherever a mix is shown. `status` is None for "Other", `whole` a rounded per cent."""

    status: Status | None
    style: Style
    number: int
    whole: int
    share: str


#: What is read beside the same of other mail: 3 of 180 is not "1%" where 9 of 570 is "2%".
COMPARED: Final = (Status.DELIVERED, Status.RETURNED)


def rows_of(mix: Mix) -> list[Row]:
    """The statuses that hold pieces, in the order of a piece's way. Their shares add up to a hundred."""
    held: list[tuple[Status | None, int]] = [(status, number) for status, number in mix.in_order() if number]
    held += [(None, mix.other)] if mix.other else []
    numbers = [number for _, number in held]
    alone = [place for place, (status, _) in enumerate(held) if status in COMPARED]
    rounded = zip(held, formatting.wholes(numbers, alone), formatting.shares(numbers, alone), strict=True)
    return [Row(status, style_of(status), number, whole, share) for (status, number), whole, share in rounded]


def share(mix: Mix, *statuses: Status) -> str:
    """How many of all its pieces stand there, in per cents: the figure that the pie shows beside them."""
    there = [row for row in rows_of(mix) if row.status in statuses]
    return formatting.percent(sum(row.whole for row in there), sum(row.number for row in there), mix.total)


def share_of_mailed(mix: Mix, *statuses: Status) -> str:
    """The same of what was mailed: the pie's own figure once all of it was."""
    return share(mailed_part(mix), *statuses)


def mailed_part(mix: Mix) -> Mix:
    """Its pieces that were handed over."""
    return Mix({status: mix.of(status) for status in MAILED})


def counts_text(mix: Mix) -> str:
    """Every number of the pie in plain words, in reading order; "No pieces" for none. Escape it in mrkdwn."""
    said = [f"{row.style.label} {formatting.count(row.number)} ({row.share})" for row in rows_of(mix)]
    return " · ".join(said) or "No pieces"


#: Told by their number, for each of them is somebody's loss or decision.
COUNTED: Final = (Status.RETURNED, Status.CANCELLED)


def headline(mix: Mix) -> str:
    """What a colleague would say of it: "91% delivered, 14 came back". Without a full stop; plain text."""
    rows = rows_of(mix)
    if not rows:
        return "No pieces"
    if len(rows) == 1:
        return _all(rows[0])
    said = [f"{row.share} {row.style.said}" for row in _leading(rows)]
    said += [f"{formatting.count(row.number)} {row.style.said}" for row in rows if row.status in COUNTED]
    return ", ".join(said)


def _all(row: Row) -> str:
    number = formatting.count(row.number)
    return f"1 piece, {row.style.said}" if row.number == 1 else f"All {number} {row.style.said}"


def _leading(rows: list[Row]) -> list[Row]:
    """What has arrived, and where the most are as long as that is somewhere else."""
    told = [row for row in rows if row.status not in COUNTED]
    most = max(told, key=lambda row: row.number, default=None)
    arrived = [row for row in told if row.status is Status.DELIVERED]
    return arrived + ([most] if most is not None and most not in arrived else [])


#: Squares in a strip: each stands for four per cent.
STRIP: Final = 25


def strip(mix: Mix) -> str:
    """The mix as colored squares in a row, each status that holds a piece with at least one; "" for no pieces."""
    rows = rows_of(mix)
    if not rows:
        return ""
    squares = [max(1, round(row.whole * STRIP / 100)) for row in rows]
    while sum(squares) > STRIP:
        squares[squares.index(max(squares))] -= 1
    while sum(squares) < STRIP:
        squares[squares.index(max(squares))] += 1
    return "".join(row.style.square * number for row, number in zip(rows, squares, strict=True))


def legend(mix: Mix) -> str:
    """A line for each status that holds a piece: its square, name, number and share. Escaped."""
    return "\n".join(
        f"{row.style.square} *{row.style.label}* {formatting.count(row.number)} ({escape(row.share)})"
        for row in rows_of(mix)
    )
