"""A cancellation above the workspace's limit waits for a second person; and every act is written down."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from handlers.ports import ChannelClosed, NotInChannel, Refusal
from handlers.services import Ask, Services
from handlers.views import rules
from handlers.views.rules import Wanted
from storage import audits, intents
from storage.audits import Act, Bound
from storage.intents import Kind
from storage.records import CampaignId, PieceId, Rules


class NobodyWouldSee(Refusal):
    """This sum needs a second person's approval. Ask in a channel that I am in, where somebody can see the request."""


class OwnRequest(Refusal):
    """You asked for this yourself, so a second person must decide it."""


class AlreadyDecided(Refusal):
    """This request was decided already."""


class Lapsed(Refusal):
    """More than a day has passed, so this request has lapsed. Cancel it anew, and it can be approved."""


class EarlierRequest(Refusal):
    """This request names no pieces and no sum: an earlier version of Piecewise made it. Please ask for it anew."""


class Outgrown(Refusal):
    """These pieces cost more by now than the request said. Please ask for it anew."""


async def write_down(services: Services, ask: Ask, act: Act, subject: str = "", detail: str = "") -> None:
    """Keeps who did what. Subject and detail name no recipient and hold no secret."""
    await services.memory.together(
        audits.note, ask.workspace.id, ask.user, act, services.clock.now(), subject=subject, detail=detail
    )


def needs_second(ask: Ask, worth: Decimal, unpriced: int) -> bool:
    """Whether a cancellation of this worth needs a second person; where a cost is not known, it may be any."""
    above = ask.workspace.rules.approval_above
    return above is not None and (worth > above or unpriced > 0)


def decides_alone(rules: Rules, usual: frozenset[str]) -> bool:
    """Whether one person alone may cancel, so that there is nobody to approve."""
    chosen = usual if rules.cancellers is None else rules.cancellers
    return len(chosen) == 1 and not chosen & {"admins", "everyone"}


async def ask_second(
    services: Services,
    ask: Ask,
    wanted: Wanted,
    intent: int | tuple[Mapping[str, Any], Sequence[PieceId]],
    about: tuple[CampaignId, PieceId],
) -> None:
    """Posts the request where it was asked; raises NobodyWouldSee where no second person would read it.

    `intent`: the one that holds the pieces already, or what to make it of. `about`: campaign and piece.
    """
    if not ask.channel or ask.channel.startswith("D"):
        raise NobodyWouldSee
    now = services.clock.now()

    def work(connection: Connection) -> int:
        if isinstance(intent, int):
            held = intent
        else:
            payload, piece_ids = intent
            held = intents.keep(
                connection, ask.workspace.id, Kind.CANCEL, payload, piece_ids=piece_ids, held=True
            )  # fmt: skip
        bound = Bound(held, wanted.pieces, wanted.saves.amount, wanted.unpriced)
        detail = f"{wanted.pieces} pieces worth {wanted.saves.amount} {wanted.saves.currency}"
        audits.note(
            connection, ask.workspace.id, ask.user, Act.APPROVAL_ASKED, now, subject=wanted.what.strip("*"),
            detail=detail,
        )  # fmt: skip
        return audits.ask_approval(connection, ask.workspace.id, *about, ask.user, now, bound)

    number = await services.memory.write(work)
    chosen = ask.workspace.rules.cancellers
    deciders = (services.policy.cancellers if chosen is None else chosen) - {ask.user}
    above = ask.workspace.rules.approval_above or Decimal(0)
    try:
        await services.slack.post(ask.channel, rules.approval_wanted(number, wanted, ask.user, deciders, above))
    except (NotInChannel, ChannelClosed):
        raise NobodyWouldSee from None
