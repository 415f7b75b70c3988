"""The pie of Home where Slack shows no picture there: to the asker alone, or in a channel."""

from datetime import date

import structlog

from handlers.context import asker, replies
from handlers.context.services import Request, Services
from handlers.context.table import Filled
from handlers.errors import HomeChanged, Outage, Outdated, Refusal, Trouble
from handlers.home import actions as home_actions
from handlers.home import view as home_view
from handlers.status import answers
from handlers.text import buttons, parsing
from handlers.text.messages import Message, waiting
from handlers.text.parsing import Range

log = structlog.get_logger()


async def show_pie(services: Services, request: Request, value: str) -> None:
    """*Show the pie*: in the asker's direct messages with the app; Home then says so."""
    message = await _pie(services, request, value)
    await replies.show(services, message, lambda shown: services.slack.post(request.user, shown))
    try:
        await home_actions.publish(services, request, sent=True)
    except (HomeChanged, Refusal, Outage) as trouble:
        log.info("home.not_shown", reason=type(trouble).__name__)


async def open_post(services: Services, request: Request, value: str) -> None:
    """*Post pie…*: asks for the channel."""
    today = await asker.today_of(services, request)
    await services.slack.open_view(
        request.trigger_id, home_view.post_form(buttons.carry(None, _span(value, today).days))
    )


async def post_pie(services: Services, request: Request, filled: Filled) -> None:
    """The channel was chosen. What Slack refuses there is said in the form that asked."""
    channel = filled["channel"].chosen
    if not channel:
        raise Outdated
    try:
        message = await _pie(services, request, filled.metadata)
        await replies.show(services, message, lambda shown: services.slack.post(channel, shown))
    except Trouble as trouble:
        await services.slack.update_view(request.view_id, home_view.not_posted(channel, str(trouble)))
        return
    await services.slack.update_view(request.view_id, home_view.posted(channel))


def meanwhile(_filled: Filled) -> dict[str, object]:
    """What the form shows until then."""
    return waiting("Post pie")


async def _pie(services: Services, request: Request, value: str) -> Message:
    today = await asker.today_of(services, request)
    return await answers.account_message(services, request, _span(value, today), today)


def _span(value: str, today: date) -> Range:
    _, span = buttons.carried(value)
    return parsing.now(today) if span.days.current else span
