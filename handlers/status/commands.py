"""`/mailstatus`, and what was meant by what somebody typed behind it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from sqlalchemy import Connection

from handlers.context import matching, replies
from handlers.context.access import note_shown, recognized, require_insider
from handlers.context.asker import require_account, today_of, visible_campaigns, visible_names
from handlers.context.matching import Match
from handlers.context.services import Request, Services
from handlers.status import choice_view, compare_view, comparing, sides, understanding
from handlers.status import view as status_view
from handlers.status.answers import account_message, campaign_message
from handlers.status.booking import booking_message, in_homes_by
from handlers.status.comparing import Asked
from handlers.status.rights import guests_message, rights_message
from handlers.status.understanding import Meant
from handlers.text import days_ahead, parsing, ranges, rights, short_answers
from handlers.text.messages import Message, escape, quote
from handlers.text.parsing import ALL_TIME
from handlers.track.commands import mail_track
from handlers.track.newest import AskedBack
from storage.queries import mail as queries
from storage.queries import search
from storage.queries.mail import Named
from storage.records import CampaignStage, StoredCampaign, StoredPiece, WorkspaceId

EXAMPLE: Final = "Spring"
#: Of so many campaigns the latest is looked for.
LATELY: Final = 50


async def mail_status(services: Services, request: Request) -> None:
    """`/mailstatus [campaign] [range]`: the pie and its numbers, in the channel."""
    asked = parsing.clean(request.text).removeprefix("/mailstatus").strip()
    if (explained := await _explained(services, request, asked)) is not None:
        await replies.to_asker(services, request, explained)
        return
    require_account(request)
    today = await today_of(services, request)
    if (asked_when := days_ahead.planned(asked)) is not None:
        require_insider(request)
        await replies.to_asker(services, request, await booking_message(services, request, asked_when, today))
        return
    if await services.memory.read(_asks_what_came_back, request, asked, today):
        # Names are shown only to whom Slack calls a member now.
        request = await recognized(services, replace(request, nameless=False)) if request.nameless else request
        if not request.guest:
            await mail_track(services, replace(request, text=asked))
            return
    await _where(services, request, asked, today)


async def _explained(services: Services, request: Request, asked: str) -> Message | None:
    """What can be typed, who may cancel, or what guests see, for who asks that; None for who asks for mail."""
    greets = parsing.greets(asked) and not await services.memory.read(_is_in_a_name, request, asked)
    if greets or parsing.wants_help(asked):
        return await help_message(services, request)
    of_rights, of_guests = rights.asked(asked), rights.of_guests(asked)
    if not (of_rights or of_guests) or await services.memory.read(_is_name, request, asked):
        return None
    if of_guests and await services.memory.read(_names_guests, request, asked):
        return None
    if of_rights:
        require_insider(request)
        return await rights_message(services, request)
    return await (help_message if request.guest else guests_message)(services, request)


async def _where(services: Services, request: Request, asked: str, today: date) -> None:
    """Where mail is: all of it, a campaign's, two side by side; or who is meant."""
    meant = await services.memory.read(_understand, request, asked, today)
    if meant.others:
        await _compare(services, request, meant)
        return
    if not meant.is_clear:
        if request.nameless and not (meant.found.found or request.guest):
            # Pieces may be meant: whom they go to is shown only to whom Slack calls a member now.
            request = await recognized(services, replace(request, nameless=False))
        await replies.to_asker(services, request, await services.memory.read(_which, request, meant))
        return
    if meant.is_account:
        require_insider(request)
        late = meant.span is None and parsing.PACE.search(asked) is not None
        message = await account_message(services, request, meant.span or parsing.now(today), today, pace=late)
        shown = status_view.where_shown(message, asked, meant.span)
        remark = " ".join(filter(None, (_remark(meant) or understanding.not_apart(asked), shown)))
        await replies.to_channel(services, request, choice_view.noted(message, remark))
        return
    campaign = meant.found.found[0]
    beside = _beside(asked, campaign.facts.name, meant.name)
    when = meant.span is None and parsing.WHEN.search(beside) is not None
    pace = meant.span is None and parsing.PACE.search(beside) is not None
    span = meant.span or ALL_TIME
    stopping = asked if parsing.asks_to_stop(asked, campaign.facts.name) else ""
    message = await campaign_message(services, request, campaign, span, today, when=when, pace=pace, stopping=stopping)
    shown = status_view.where_shown(message, beside, None if request.guest else meant.span, campaign.facts.name)
    chance = await in_homes_by(services, request, campaign, meant.home_by, today) if meant.home_by else ""
    remark = " ".join(filter(None, (_remark(meant), chance, shown)))
    await replies.to_channel(services, request, choice_view.noted(message, remark))
    await note_shown(services, request, campaign.id)


async def help_message(services: Services, request: Request) -> Message:
    """What can be typed, with names that the asker may know; for a guest, what a guest can."""
    known = [one.facts.name for one in await services.memory.read(visible_campaigns, request, 2)]
    return short_answers.help_for_guests(known) if request.guest else short_answers.help_status((known or [EXAMPLE])[0])


def _beside(asked: str, *names: str) -> str:
    """What was typed around its name, of which no word asks for anything: the first of these that is in it."""
    for name in filter(None, names):
        # As a word, and the last: of "export for Port" the first letters of "export" are none.
        parts = re.split(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", asked.casefold())
        if len(parts) > 1:
            return f"{name.casefold().join(parts[:-1])} {parts[-1]}"
    return asked


async def _compare(services: Services, request: Request, meant: Meant) -> None:
    """Two side by side where it is clear which; else the pairs that may be meant, to the asker alone."""
    asked = comparing.asked(meant, await services.memory.read(_instead, request, meant))
    if not asked.clear:
        await replies.to_asker(services, request, compare_view.choices(asked.pairs, _why(asked)))
        return
    title, those = asked.pairs[0]
    message = await comparing.message(services, request, those)
    sides = (meant, *meant.others)
    inferred = asked.inferred or any(one.mended for one in sides)
    said = [f"I read that as {escape(title)}."] if inferred else []
    said += [_remark(replace(one, mended=False)) for one in sides]
    await replies.to_channel(services, request, choice_view.noted(message, " ".join(filter(None, said))))
    await comparing.note_compared(services, request, those)


def _instead(connection: Connection, request: Request, meant: Meant) -> list[StoredCampaign]:
    """Campaigns to offer for one that nobody knows: those nearly called so, then the latest."""
    names = [] if request.guest else [name for one in (meant, *meant.others) for name in one.found.near]
    near = matching.named(connection, request.workspace.id, names) if names else []
    latest = visible_campaigns(connection, request, comparing.OFFERED)
    return list({one.id: one for one in (*near, *latest)}.values())[: comparing.OFFERED]


def _why(asked: Asked) -> str:
    """Why it is asked."""
    if asked.unknown:
        return f"No campaign is called {' or '.join(f'“{quote(parsing.unquote(one))}”' for one in asked.unknown)}."
    if asked.more_than_two:
        return "I compare two at a time."
    return "" if asked.pairs else "Both sides of that are the same."


def _is_name(connection: Connection, request: Request, asked: str) -> bool:
    """Whether a campaign is called exactly so."""
    return bool(matching.exactly(parsing.unquote(asked), visible_names(connection, request)))


def _names_guests(connection: Connection, request: Request, asked: str) -> bool:
    """Whether a campaign that is called after guests is named: "what did Guest Welcome do?". One word alone may as
    well be the guests."""
    those = [one for one in matching.held(asked, visible_names(connection, request)) if len(one.name.split()) > 1]
    return any("guest" in one.name.casefold() for one in those)


def _is_in_a_name(connection: Connection, request: Request, asked: str) -> bool:
    """Whether a campaign is called so, or its name holds these words: "great", where there is a "Great Lakes"."""
    return bool(matching.holding(asked, visible_names(connection, request)))


def _asks_what_came_back(connection: Connection, request: Request, asked: str, today: date) -> bool:
    """Whether it is asked what came back: in certain days, which are then those on which it did so and not those of its
    order; or at any time, of nobody and no campaign by name. Raises RangeRefused."""
    if request.guest or not parsing.CAME_BACK.search(asked) or parsing.SHARE.search(asked) or sides.parted(asked):
        return False
    names, (name, _) = visible_names(connection, request), ranges.split_range(asked, today)
    if any(matching.exactly(one, names) or matching.contains(one, names) for one in (parsing.unquote(asked), name)):
        return False
    back = AskedBack.read(asked, today)
    if back.span is not None:
        return not back.name or _is_known(connection, request, back, names)
    is_question = "?" in asked or parsing.QUESTION.match(asked) is not None
    if not is_question or back.name or parsing.NUMBER.search(asked):
        return False
    # "What came back of Back?"
    return understanding.Reader(connection, request.workspace.id, names, today).called(asked) is None


def _is_known(connection: Connection, request: Request, back: AskedBack, names: Sequence[Named]) -> bool:
    """Whether a campaign, a place or somebody is called so to the letter: what is mistyped is looked for elsewhere."""
    key = request.workspace.id
    if any(matching.match(connection, key, one, names).sure for one in (back.rest, back.name) if one):
        return True
    found = search.search(connection, key, [back.name], 1)
    return bool(found.ids) and found.exact


def _understand(connection: Connection, request: Request, asked: str, today: date) -> Meant:
    """Which campaigns and days were meant, among those that the asker may know of. Raises Refusal."""
    if not asked:
        return Meant()
    names = visible_names(connection, request)
    whole = parsing.unquote(asked)
    is_name = bool(matching.exactly(whole, names) or matching.contains(whole, names))
    asked = asked if is_name else understanding.without_more_questions(understanding.without_approval(asked))
    if not is_name and (in_homes := days_ahead.deadline(asked)) is not None:
        # The day lies ahead: no range of orders is meant.
        meant = understanding.understand(connection, request.workspace.id, names, in_homes.what, today)
        day = days_ahead.read(in_homes.day, today, past=in_homes.past) if not meant.is_account else None
        return replace(meant, home_by=day)
    if understanding.asks_for_latest(asked, names) and (latest := _latest(connection, request)):
        return Meant(asked, None, Match([latest], sure=True), newest=True)
    return understanding.understand(connection, request.workspace.id, names, asked, today)


def _latest(connection: Connection, request: Request) -> StoredCampaign | None:
    """The one that was made last, of those that moved lately; a draft only where there is nothing else."""
    known = [one for one in visible_campaigns(connection, request, LATELY) if one.facts.created_at is not None]
    made = [one for one in known if one.facts.stage is not CampaignStage.DRAFT] or known
    return max(made, key=lambda one: (one.facts.created_at, one.id), default=None)


def _remark(meant: Meant) -> str:
    """How it was understood, where it was not typed so."""
    if meant.mended and meant.span is not None:
        said = f"I read that as {escape(meant.span.label)}."
        return f"{said} {_remark(replace(meant, mended=False))}".strip()
    if meant.paper:
        return f"I don't count {meant.paper} apart: this is all your mail."
    if meant.newest and meant.found.one is not None:
        return f"Showing *{escape(meant.found.one.facts.name)}*, the latest."
    if meant.found.guessed and meant.found.one is not None:
        return f"Showing *{escape(meant.found.one.facts.name)}*: no campaign is called “{quote(meant.name)}”."
    return ""


def _pieces(
    connection: Connection, key: WorkspaceId, name: str, near: Sequence[StoredCampaign]
) -> Sequence[StoredPiece]:
    """Pieces that are called so: to the letter, or, where no campaign is nearly called so, by any words of theirs."""
    begun = queries.find_pieces(connection, key, name, choice_view.BUTTONS)
    if begun or near:
        return begun
    found = search.search(connection, key, parsing.wordings(name), choice_view.BUTTONS)
    return found.pieces if found.exact else []


def _which(connection: Connection, request: Request, meant: Meant) -> Message:
    """Who may be meant, to choose from."""
    asked, span = quote(parsing.unquote(meant.name)), meant.span or ALL_TIME
    if meant.found.found:
        return choice_view.pick_campaign(asked, meant.found.found, span, sure=meant.found.sure)
    key = request.workspace.id
    latest = visible_campaigns(connection, request, choice_view.LISTED)
    if request.guest:
        return choice_view.not_shown(asked, latest, span)
    near = matching.named(connection, key, meant.found.near)[: choice_view.BUTTONS]
    pieces = _pieces(connection, key, meant.name, near)
    reading = request.workspace.baseline_at is None
    return choice_view.no_campaign(asked, near, latest, pieces, span, reading=reading)
