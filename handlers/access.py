"""May this person do this here? The workspace's own rules say who may; guests see what their channel was shown."""

from handlers.ports import Person, Refusal
from handlers.services import Ask, Policy, Services
from storage import privacy
from storage.records import NO_PIECE, CampaignId, PieceId, Rules, StoredPiece


class NotAllowed(Refusal):
    """You may not cancel mail here. Ask a workspace admin: *Settings* in Piecewise's Home says who may."""


class NotSteward(Refusal):
    """You may not change settings here. Ask a workspace admin: *Settings* in Piecewise's Home says who may."""


class GuestsLook(Refusal):
    """As a guest you can look at what Piecewise has shown in this channel, and no more. Ask somebody of the team."""


def _is_among(chosen: frozenset[str], user: str, person: Person) -> bool:
    return "everyone" in chosen or user in chosen or ("admins" in chosen and person.is_admin)


def may_cancel(policy: Policy, rules: Rules, user: str, person: Person) -> bool:
    """Whether this person may cancel mail."""
    chosen = policy.cancellers if rules.cancellers is None else rules.cancellers
    return not person.outside and _is_among(chosen, user, person)


def may_steward(rules: Rules, user: str, person: Person) -> bool:
    """Whether this person may change settings. Admins always may, or a wrong choice could not be taken back."""
    return not person.outside and (person.is_admin or _is_among(rules.stewards, user, person))


async def require_canceller(services: Services, ask: Ask) -> None:
    """Raises NotAllowed unless the asker may cancel mail."""
    person = await services.slack.person(ask.user)
    if not may_cancel(services.policy, ask.workspace.rules, ask.user, person):
        raise NotAllowed


async def require_steward(services: Services, ask: Ask) -> None:
    """Raises NotSteward unless the asker may change settings."""
    if not may_steward(ask.workspace.rules, ask.user, await services.slack.person(ask.user)):
        raise NotSteward


async def require_insider(services: Services, ask: Ask) -> None:
    """Raises GuestsLook for guests."""
    if ask.guest or (await services.slack.person(ask.user)).outside:
        raise GuestsLook


async def may_see(services: Services, ask: Ask, campaign_id: CampaignId, piece_id: PieceId = NO_PIECE) -> bool:
    """Whether the asker may look at this campaign, or at this piece: guests, at what their channel was shown."""
    if not ask.guest:
        return True
    return await services.memory.read(privacy.was_shown, ask.workspace.id, ask.channel, campaign_id, piece_id)


async def require_shown(
    services: Services, ask: Ask, campaign_id: CampaignId, piece: StoredPiece | None = None
) -> None:
    """Raises GuestsLook when a guest asks for what their channel was not shown."""
    if not await may_see(services, ask, campaign_id, piece.id if piece else NO_PIECE):
        raise GuestsLook


async def note_shown(services: Services, ask: Ask, campaign_id: CampaignId, piece_id: PieceId = NO_PIECE) -> None:
    """Remembers what everybody in the channel was shown by an answer."""
    if ask.channel and not ask.guest:
        await services.memory.together(privacy.show, ask.workspace.id, ask.channel, campaign_id, piece_id)
