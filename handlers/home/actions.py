"""The Home tab: shown when it is opened, and again with each choice that is made in it.

Choices are answered in turn, from what is known; a slow look at the account never replaces a newer choice.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Final

import structlog
from sqlalchemy import Connection

from handlers.charts import addresses
from handlers.context import asker, gaps
from handlers.context.access import is_steward
from handlers.context.refreshing import Freshness, as_known, refresh_account
from handlers.context.services import Request, Services
from handlers.errors import HomeChanged, Outdated
from handlers.home import first_steps, hello, problem_view
from handlers.home import view as home_view
from handlers.home.view import Report
from handlers.status import answers
from handlers.status.runway import runway_of, runway_text
from handlers.status.view import CampaignLine
from handlers.text import parsing
from handlers.text.buttons import Action, OneRow, Word
from handlers.text.codec import read
from handlers.text.messages import Block
from handlers.text.parsing import Range
from storage import troubles, workspaces
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.troubles import Problem

log = structlog.get_logger()

#: How long a picture's address is good: Slack fetches it at once, and keeps its own copy.
PICTURE_KEPT: Final = timedelta(hours=1)


async def publish(services: Services, request: Request, *, sent: bool = False) -> None:
    """This person's Home as it is now, whatever they saw before. `sent`: the pie was just sent to them."""
    workspace = await services.memory.read(workspaces.by_id, request.workspace.id)
    await _show(services, replace(request, workspace=workspace, view_hash=""), sent=sent)


async def _show(services: Services, request: Request, *, page: int = 0, note: str = "", sent: bool = False) -> str:
    """Publishes this person's Home from what is known; gives its hash."""
    view = await _build(services, request, _as_kept(services, request), page, note, sent=sent)
    try:
        return await services.slack.publish_home(request.user, view, request.view_hash)
    except HomeChanged:
        # Another look was quicker. Each view is made from what is remembered, so one more shows both.
        view = await _build(services, request, _as_kept(services, request), page, note, sent=sent)
        return await services.slack.publish_home(request.user, view, "")


async def look(services: Services, request: Request, value: str = "") -> None:
    """Somebody opens the tab, or wants newer numbers: at once what is known, and then what the account says now."""
    if request.guest:
        await services.slack.publish_home(request.user, first_steps.for_guests(unknown=request.unknown), "")
        return
    if request.workspace.connected_at is None:
        settings_admin = await is_steward(services, request)
        await services.slack.publish_home(
            request.user, first_steps.first_steps(services.platform.name, settings_admin=settings_admin), ""
        )
        return
    page = read(OneRow, value).number if value else 0
    shown = await _show(services, request, page=page)
    fresh = await refresh_account(services, request.workspace)
    try:
        await services.slack.publish_home(request.user, await _build(services, request, fresh, page, ""), shown)
    except HomeChanged:
        log.info("home.overtaken")
    await hello.greet_first(services, request)


def _as_kept(services: Services, request: Request) -> Freshness:
    return as_known(services, request.workspace)


async def _build(
    services: Services, request: Request, fresh: Freshness, page: int, note: str, *, sent: bool = False
) -> Block:
    today = await asker.today_of(services, request)
    report, wrong = await services.memory.read(_look, request, today, fresh, page, note)
    many, url = services.accounts is not None, services.policy.public_url
    lasting = [problem_view.text(one, services.platform.profile, many=many, public_url=url) for one in wrong]
    admin = await is_steward(services, request)
    report = replace(report, settings_admin=admin, account=many, problems=lasting, sent=sent)
    return home_view.home(_with_picture(services, report))


def _look(
    connection: Connection, request: Request, today: date, fresh: Freshness, page: int, note: str
) -> tuple[Report, list[Problem]]:
    kept = workspaces.span_of(connection, request.workspace.id, request.user) or parsing.DEFAULT_PRESET
    span = parsing.kept(kept, today)
    key = request.workspace.id
    mix = queries.total(connection, key, span.days)
    standing = answers.standing_of(connection, request, mix, span, today, fresh)
    number = queries.number_listed(connection, key, span.days)
    page = min(page, max(number - 1, 0) // home_view.PAGE)
    lines = [
        CampaignLine(*one) for one in queries.listed(connection, key, span.days, page * home_view.PAGE, home_view.PAGE)
    ]
    booked = queries.booked_campaigns(connection, key, today)
    begun = queries.mixes_of(connection, key, [one.id for one in booked])
    runway = runway_of(booked, begun, standing.balance, today)
    said = runway_text(runway) if runway else ""
    note = note or (home_view.full(ledger.MOST_CAMPAIGNS) if ledger.is_full(connection, key) else "")
    workspace = workspaces.by_id(connection, key)
    report = Report(
        standing, lines, number, kept, page, note=note, runway=said, known=standing.as_of is not None,
        webhook=first_steps.handshake(workspace, fresh.platform), gaps=gaps.sentence(workspace.gaps, fresh.platform),
    )  # fmt: skip
    return replace(report, left_out=queries.number_left_out(connection, key, span.days)), troubles.of(connection, key)


def _with_picture(services: Services, report: Report) -> Report:
    policy, standing = services.policy, report.standing
    if not policy.public_url or not standing.mix.total or standing.as_of is None:
        return report
    pie = answers.pie_of(services, "Your mail", standing)
    # To the full hour, so that the same numbers have the same address, and are fetched once.
    expires = services.clock.now().replace(minute=0, second=0, microsecond=0) + 2 * PICTURE_KEPT
    address = addresses.address(policy.public_url, policy.picture_key, pie, expires)
    return replace(report, picture=address)


async def choose_range(services: Services, request: Request, value: str) -> None:
    """A range was chosen from the list, or the nearest one that has mail: it is remembered."""
    chosen = read(Word, value).word
    if chosen not in parsing.PRESETS:
        chosen, _ = parsing.between(*_days_of(chosen), await asker.today_of(services, request))
    await services.memory.write(workspaces.keep_span, request.workspace.id, request.user, chosen)
    await _show(services, request)


def _days_of(written: str) -> tuple[date, date]:
    """The days of a range that a button of ours carries; raises Outdated."""
    first, _, last = written.partition("..")
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise Outdated from None


async def choose_first(services: Services, request: Request, value: str) -> None:
    """The first day was chosen."""
    await _choose_day(services, request, Action.HOME_FIRST, value)


async def choose_last(services: Services, request: Request, value: str) -> None:
    """The last day was chosen."""
    await _choose_day(services, request, Action.HOME_LAST, value)


async def _choose_day(services: Services, request: Request, which: Action, value: str) -> None:
    today = await asker.today_of(services, request)
    try:
        chosen = date.fromisoformat(value)
    except ValueError:
        await _show(services, request, note="I couldn't read that as a date. Choose one from the calendar.")
        return
    days = (await _kept_range(services, request, today)).days
    first = chosen if which is Action.HOME_FIRST else (days.first or chosen)
    last = chosen if which is Action.HOME_LAST else (days.last or today)
    kept, note = parsing.between(first, last, today)
    await services.memory.write(workspaces.keep_span, request.workspace.id, request.user, kept)
    await _show(services, request, note=note)


async def _kept_range(services: Services, request: Request, today: date) -> Range:
    kept = await services.memory.read(workspaces.span_of, request.workspace.id, request.user)
    return parsing.kept(kept or parsing.DEFAULT_PRESET, today)


async def turn_page(services: Services, request: Request, value: str) -> None:
    """Another page of campaigns."""
    await _show(services, request, page=read(OneRow, value).number)
