"""A request that waits for a second person, and what became of it, as people read it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from handlers.text import formatting, short_answers
from handlers.text.buttons import Action, OneRow
from handlers.text.codec import write
from handlers.text.messages import (
    Message,
    actions,
    button,
    confirmation,
    context,
    escape,
    section,
)
from storage.audit import Approval
from storage.records import Money


@dataclass(frozen=True)
class Wanted:
    """What a request asks for: exactly these pieces. `what`: in plain words. Of `unpriced` the cost is not known."""

    what: str
    pieces: int
    saves: Money
    unpriced: int


def approval_wanted(number: int, wanted: Wanted, by: str, deciders: frozenset[str], above: Decimal) -> Message:
    """The request, in the channel, for a second person. `deciders`: who may approve."""
    worth = f"save {formatting.money(wanted.saves)}"
    if wanted.unpriced:
        worth += f", not counting {formatting.pieces(wanted.unpriced)} whose cost I don't know"
    what = f"*{escape(wanted.what)}*"
    what = what if wanted.pieces == 1 else f"{formatting.pieces(wanted.pieces)} of {what}"
    asked, allowed = f"<@{by}> wants to cancel {what} and {worth}.", _allowed(deciders)
    why = f"Cancellations above {formatting.money(Money(above, wanted.saves.currency))} need a second person"
    why += ", and so does every one whose cost isn't known." if wanted.unpriced else "."
    these = "this piece" if wanted.pieces == 1 else f"these {formatting.pieces(wanted.pieces)}"
    sure = confirmation(
        "Cancel this mail?",
        # A message looks alike to all: whoever may not is told before the last press.
        f"I'll stop {these}. This can't be undone. It works only for someone the request says can approve.",
        "Approve",
        "Not yet",
    )
    return Message(
        f"{asked} {allowed}",
        [
            section(asked),
            context(f"{why} I'll stop exactly these pieces, and no others. The request expires after 24 hours."),
            section(allowed),
            actions(
                button("Approve", Action.APPROVE, write(OneRow(number)), style="danger", confirm=sure),
                button("Decline", Action.DECLINE, write(OneRow(number))),
            ),
        ],
    )


def _allowed(deciders: frozenset[str]) -> str:
    if not deciders:
        return f"Nobody can approve yet: {short_answers.IN_SETTINGS}"
    if "everyone" in deciders:
        return "Anyone else here except guests can approve."
    named = [f"<@{one}>" for one in sorted(deciders - {"admins"})]
    named += ["another workspace admin"] if "admins" in deciders else []
    text = ", ".join(named[:-1]) + (" or " if named[:-1] else "") + named[-1]
    return f"{text[:1].upper()}{text[1:]} can approve."


def decided(approval: Approval, what: str, outcome: str, by: str, at: datetime) -> Message:
    """What became of the request, in its place."""
    text = f"<@{by}> {outcome} <@{approval.asked_by}>'s request to cancel *{escape(what)}* {formatting.stamp(at)}."
    return Message(text, [section(text)])
