"""A cancellation above the workspace's limit waits for a second person; and every act is written down."""

from decimal import Decimal

from handlers.ports import ChannelClosed, NotInChannel, Refusal
from handlers.services import Ask, Services
from handlers.views import rules
from storage import audits
from storage.audits import Act
from storage.records import CampaignId, Money, PieceId


class NobodyWouldSee(Refusal):
    """This sum needs a second person's approval. Ask in a channel that I am in, where somebody can see the request."""


async def write_down(services: Services, ask: Ask, act: Act, subject: str = "", detail: str = "") -> None:
    """Keeps who did what. Subject and detail name no recipient and hold no secret."""
    await services.memory.together(
        audits.note, ask.workspace.id, ask.user, act, services.clock.now(), subject=subject, detail=detail
    )


def needs_second(ask: Ask, worth: Decimal) -> bool:
    """Whether a cancellation of this worth needs a second person."""
    above = ask.workspace.rules.approval_above
    return above is not None and worth > above


async def ask_second(
    services: Services, ask: Ask, campaign_id: CampaignId, piece_id: PieceId, what: str, saves: Money
) -> None:
    """Posts the request where it was asked; raises NobodyWouldSee where no second person would read it."""
    above = ask.workspace.rules.approval_above or Decimal(0)
    if not ask.channel or ask.channel.startswith("D"):
        raise NobodyWouldSee
    now = services.clock.now()
    number = await services.memory.write(audits.ask_approval, ask.workspace.id, campaign_id, piece_id, ask.user, now)
    try:
        await services.slack.post(ask.channel, rules.approval_wanted(number, what, ask.user, saves, above))
    except (NotInChannel, ChannelClosed):
        raise NobodyWouldSee from None
    await write_down(services, ask, Act.APPROVAL_ASKED, what.strip("*"), f"worth {saves.amount} {saves.currency}")
