"""May this person do this here? The workspace's own rules say who may; guests see what their channel was shown.

Whom Slack does not name is a guest. What may be looked at falls back, for some hours, on what Slack last said; what
changes something does not.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Final

import structlog

from handlers.context.ports import Person
from handlers.context.services import Policy, Request, Services
from handlers.errors import Refusal, Trouble
from handlers.text import short_answers
from storage import privacy, workspaces
from storage.records import NO_PIECE, CampaignId, PieceId, Rules, StoredPiece, UserId, WorkspaceId

log = structlog.get_logger()

#: So long somebody may go on looking as who Slack last said they are, while it does not answer.
LAST_KNOWN: Final = timedelta(hours=12)
NOBODY: Final = UserId("")
#: People whom Slack is asked about to find those who may decide, and how many of these are named.
LOOKED_AT, FEW = 20, 4
#: And so far ahead of us may be the clock of the process that heard it: what is later was told by one set back since.
CLOCKS: Final = timedelta(minutes=5)


class NotAllowed(Refusal):
    """You can't cancel mail here. Ask a workspace admin."""


class NotSteward(Refusal):
    """You can't change settings here. Ask a workspace admin."""


class GuestsLook(Refusal):
    """As a guest you can see only what I've shown in this channel. Please ask somebody on the team."""


class Unrecognized(Refusal):
    """Slack isn't telling me right now who you are, so I can't do this. Nothing was changed; try again in a minute."""


def _is_among(chosen: frozenset[str], user: str, person: Person) -> bool:
    return "everyone" in chosen or user in chosen or ("admins" in chosen and person.is_admin)


def cancellers(policy: Policy, rules: Rules) -> frozenset[str]:
    """Who may cancel mail: as admins chose it, else as it was set up."""
    return policy.cancellers if rules.cancellers is None else rules.cancellers


def may_cancel(policy: Policy, rules: Rules, user: str, person: Person) -> bool:
    """Whether this person may cancel mail."""
    return not person.outside and _is_among(cancellers(policy, rules), user, person)


def needs_second(rules: Rules, worth: Decimal, unpriced: int) -> bool:
    """Whether a cancellation of this worth needs a second person; where a cost is not known, it may be any."""
    above = rules.approval_above
    return above is not None and (worth > above or unpriced > 0)


def may_steward(rules: Rules, user: str, person: Person) -> bool:
    """Whether this person may change settings. Admins always may, or a wrong choice could not be taken back."""
    return not person.outside and (person.is_admin or _is_among(rules.stewards, user, person))


async def known_admins(services: Services, workspace_id: WorkspaceId, but: UserId) -> frozenset[UserId]:
    """The admins among those who used the bot lately, without one person; none where these are too many to name."""
    users = await services.memory.read(workspaces.familiar, workspace_id, LOOKED_AT)
    people = await _known_in_time(services, users)
    found = {user for user, one in people.items() if one.is_admin and not one.outside and user != but}
    return frozenset(found) if len(found) <= FEW else frozenset()


async def _known_in_time(services: Services, users: Sequence[UserId]) -> dict[UserId, Person]:
    """Who these are, as far as Slack says so in time: the request is posted after this, and waits for nobody else."""
    asked = {asyncio.create_task(_known(services, one)): one for one in users}
    if not asked:
        return {}
    try:
        answered, _late = await asyncio.wait(asked, timeout=services.policy.patience)
    finally:
        # What is not asked any longer says nothing more.
        for task in asked:
            task.cancel()
    people = {asked[task]: task.result() for task in answered}
    return {user: person for user, person in people.items() if person is not None}


async def _known(services: Services, user: UserId) -> Person | None:
    """Who this is; None where Slack does not say."""
    try:
        return await services.slack.person(user)
    except Trouble as trouble:
        log.info("person.unknown", reason=type(trouble).__name__, code=trouble.code)
        return None


async def is_outside(services: Services, request: Request) -> bool | None:
    """Whether Slack says that the asker is no member of the team; None when it neither says so nor did so lately."""
    began = request.at or services.clock.now()
    try:
        person = await services.slack.person(request.user, since=None if request.nameless else began)
    except Trouble as trouble:
        log.info("person.unknown", reason=type(trouble).__name__, code=trouble.code)
        lately = began - LAST_KNOWN, began + CLOCKS
        return await services.memory.read(workspaces.last_known, request.workspace.id, request.user, *lately)
    if person.as_of is not None and began <= person.as_of <= services.clock.now():
        await services.memory.write_grouped(
            workspaces.note_person, request.workspace.id, request.user, person.outside, began
        )
    return person.outside


async def recognized(services: Services, request: Request) -> Request:
    """The same, with who asks as Slack tells it now; raises GuestsLook where a guest may not ask this."""
    request = replace(request, at=services.clock.now())
    if request.user and not request.guest:
        outside = await is_outside(services, request)
        request = replace(request, guest=outside is not False, unknown=outside is None)
    if request.guest and not request.open_to_guests:
        raise as_guest(request)
    return request


def as_guest(request: Request) -> Refusal:
    """Why a guest is refused."""
    return Unrecognized() if request.unknown else GuestsLook()


async def _at_this_moment(services: Services, request: Request) -> Person:
    """The asker as Slack knows them now: what changes something is never decided from memory. Raises Unrecognized."""
    try:
        return await services.slack.person(request.user, since=request.at or services.clock.now())
    except Trouble as trouble:
        log.info("person.unknown", reason=type(trouble).__name__, code=trouble.code)
        raise Unrecognized from None


async def require_canceller(services: Services, request: Request) -> None:
    """Raises NotAllowed unless Slack says now that the asker may cancel mail."""
    person = await _at_this_moment(services, request)
    if not may_cancel(services.policy, request.workspace.rules, request.user, person):
        chosen = cancellers(services.policy, request.workspace.rules)
        raise NotAllowed(f"You can't cancel mail here. {await _whom_to_ask(services, request, chosen)}")


async def require_decider(services: Services, request: Request, asked_by: UserId) -> None:
    """The same for a cancellation that somebody else asked for, who cannot approve it either."""
    person = await _at_this_moment(services, request)
    if not may_cancel(services.policy, request.workspace.rules, request.user, person):
        raise NotAllowed(f"You can't approve cancellations. {await who_decides(services, request, asked_by)}")


async def who_decides(services: Services, request: Request, asked_by: UserId) -> str:
    """Whom to ask for an approval: neither who presses just now nor who asked for it."""
    chosen = cancellers(services.policy, request.workspace.rules)
    if "everyone" in chosen:
        return "Anyone else here except guests can."
    if not chosen - {asked_by}:
        return f"Nobody else can yet: {short_answers.IN_SETTINGS}"
    return await _whom_to_ask(services, request, chosen - {asked_by}, asked_by)


async def require_settings_admin(services: Services, request: Request) -> None:
    """Raises NotSteward unless Slack says now that the asker may change settings."""
    if not may_steward(request.workspace.rules, request.user, await _at_this_moment(services, request)):
        chosen = request.workspace.rules.stewards | {"admins"}
        raise NotSteward(f"You can't change settings here. {await _whom_to_ask(services, request, chosen)}")


async def _whom_to_ask(services: Services, request: Request, chosen: frozenset[str], asked_by: UserId = NOBODY) -> str:
    """Who may instead, by name as far as Slack says so in time: the settings that list them open for admins alone.

    `asked_by`: who may not either.
    """
    admins = await known_admins(services, request.workspace.id, request.user) if "admins" in chosen else frozenset()
    admins -= {asked_by}
    asked = sorted({*admins, *(UserId(one) for one in chosen - {"admins", "everyone"})} - {request.user})
    people = await _known_in_time(services, asked[:FEW])
    names = sorted({one.name for one in people.values() if one.name and not one.outside})
    if not names or "admins" in chosen or asked[FEW:]:
        names.append("another workspace admin" if asked_by or (admins and names) else "a workspace admin")
    return f"Ask {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}."


async def is_steward(services: Services, request: Request) -> bool:
    """Whether to show what only stewards may press; pressing it asks again. No, while Slack does not say."""
    try:
        return may_steward(request.workspace.rules, request.user, await services.slack.person(request.user))
    except Trouble as trouble:
        log.info("person.unknown", reason=type(trouble).__name__, code=trouble.code)
        return False


def require_insider(request: Request) -> None:
    """Raises GuestsLook for guests."""
    if request.guest:
        raise as_guest(request)


async def may_see(services: Services, request: Request, campaign_id: CampaignId, piece_id: PieceId = NO_PIECE) -> bool:
    """Whether the asker may look at this campaign, or at this piece: guests, at what their channel was shown."""
    if not request.guest:
        return True
    return await services.memory.read(privacy.was_shown, request.workspace.id, request.channel, campaign_id, piece_id)


async def require_shown(
    services: Services, request: Request, campaign_id: CampaignId, piece: StoredPiece | None = None
) -> None:
    """Raises GuestsLook when a guest asks for what their channel was not shown."""
    if not await may_see(services, request, campaign_id, piece.id if piece else NO_PIECE):
        raise as_guest(request)


async def note_shown(
    services: Services, request: Request, campaign_id: CampaignId, piece_id: PieceId = NO_PIECE
) -> None:
    """Remembers what everybody in the channel was shown by an answer."""
    if request.channel and not request.guest:
        await services.memory.write_grouped(privacy.show, request.workspace.id, request.channel, campaign_id, piece_id)
