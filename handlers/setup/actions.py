"""Arriving: greets who installed us, and connects the mail account and its webhook."""

from collections.abc import Callable

import structlog
from sqlalchemy import Connection

from handlers.context import kept, replies
from handlers.context.access import require_settings_admin
from handlers.context.audit import written
from handlers.context.ports import SECRET_REFUSED, Account, Accounts, is_secret
from handlers.context.services import Request, Services
from handlers.errors import HomeChanged, Outage, Refusal, Trouble
from handlers.home import actions as home_actions
from handlers.home import first_steps
from handlers.setup import view as setup_view
from handlers.text import messages
from storage.audit import Act
from storage.records import Workspace

log = structlog.get_logger()

LONGEST_KEY = 200


class BySettings(Refusal):
    """This installation's mail account stands in its settings, so it cannot be changed from Slack."""


class NoAddress(Refusal):
    """Piecewise has no outside address that {platform} could call. Its operator can set PIECEWISE_PUBLIC_URL."""


async def greet(services: Services, workspace: Workspace) -> None:
    """A direct message to whoever installed us, and their Home with the first steps."""
    if not workspace.installer:
        return
    welcome = setup_view.welcome(workspace.name)
    await replies.when_taken(services, lambda: services.slack.post(workspace.installer, welcome))
    if workspace.connected_at is None:
        await services.slack.publish_home(
            workspace.installer, first_steps.first_steps(services.platform.name, settings_admin=True), ""
        )


def _accounts(services: Services) -> Accounts:
    if services.accounts is None:
        raise BySettings
    return services.accounts


async def open_connect(services: Services, request: Request, _value: str) -> None:
    """*Connect mail account*."""
    await require_settings_admin(services, request)
    _accounts(services)
    await services.slack.open_view(
        request.trigger_id, setup_view.connect_form(services.platform.profile, _accounts(services).region_names())
    )


async def connect(services: Services, request: Request, key: str, region: str) -> None:
    """The key was submitted: tried once, then kept sealed. Home shows what it brings."""
    await require_settings_admin(services, request)
    key, regions = key.strip(), _accounts(services).region_names()
    if region not in regions or not key.isascii() or not key.isprintable() or " " in key or len(key) > LONGEST_KEY:
        await _again(services, request, region, "That is no API key: it is one word of letters and digits.")
        return

    def write(connection: Connection, account: Account) -> bool:
        return _once(request, written(services, request, Act.CONNECTED, account.owner, regions[region]))(connection)

    try:
        account = await _accounts(services).connect(request.workspace.id, key, region, write)
    except Outage:
        await _again(
            services,
            request,
            region,
            f"{services.platform.name} cannot be reached right now. Nothing was saved; try again in a minute.",
        )
        return
    except Trouble as trouble:
        log.info("connect.refused", reason=type(trouble).__name__)
        await _again(
            services,
            request,
            region,
            f"{services.platform.name} refused this key. Is it of the other region, or switched off?",
        )
        return
    await services.slack.update_view(request.view_id, messages.modal("Mail account", setup_view.connected(account)))
    await _show_home(services, request)


def _once(request: Request, line: Callable[[Connection], bool]) -> Callable[[Connection], bool]:
    """Writes the line, and gives whether the change is to be made: not where this request has made it before."""
    return lambda connection: not kept.was_done(request.kept) and line(connection)


async def _again(services: Services, request: Request, region: str, note: str) -> None:
    await services.slack.update_view(
        request.view_id,
        setup_view.connect_form(services.platform.profile, _accounts(services).region_names(), region, note),
    )


async def _show_home(services: Services, request: Request) -> None:
    try:
        await home_actions.publish(services, request)
    except (HomeChanged, Refusal, Outage) as trouble:
        log.info("home.not_shown", reason=type(trouble).__name__)


async def open_webhook(services: Services, request: Request, _value: str) -> None:
    """*Webhook*: its address and its secret."""
    await require_settings_admin(services, request)
    address = await _accounts(services).webhook(request.workspace.id)
    if not address:
        raise NoAddress(platform=services.platform.name)
    view = setup_view.webhook_form(services.platform.profile, address)
    if request.view_id:
        await services.slack.push_view(request.trigger_id, view)
    else:
        await services.slack.open_view(request.trigger_id, view)


async def new_webhook(services: Services, request: Request, _value: str) -> None:
    """*New address*: the earlier one is out of use."""
    await require_settings_admin(services, request)
    if kept.was_done(request.kept):
        address = await _accounts(services).webhook(request.workspace.id)
    else:
        line = written(services, request, Act.WEBHOOK, "new address")
        address = await _accounts(services).new_webhook(request.workspace.id, line)
    note = f"This is a new address. The earlier one no longer works: change it in {services.platform.name}'s dashboard."
    await services.slack.update_view(
        request.view_id, setup_view.webhook_form(services.platform.profile, address, note=note)
    )


async def save_webhook(services: Services, request: Request, secret: str) -> None:
    """The webhook's secret was submitted. One that protects nothing is asked for again."""
    await require_settings_admin(services, request)
    if not is_secret(secret):
        address = await _accounts(services).webhook(request.workspace.id)
        again = setup_view.webhook_form(
            services.platform.profile, address, note=f"The secret {SECRET_REFUSED}. Nothing was saved."
        )
        await services.slack.update_view(request.view_id, again)
        return
    line = _once(request, written(services, request, Act.WEBHOOK, "secret"))
    await _accounts(services).keep_webhook_secret(request.workspace.id, secret, line)
    await services.slack.update_view(
        request.view_id, messages.modal("Webhook", setup_view.webhook_saved(services.platform.name))
    )
