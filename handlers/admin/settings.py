"""Who may do what in this workspace: its settings."""

from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Final

from sqlalchemy import Connection

from handlers.admin import view as admin_view
from handlers.admin.view import AmountRefused
from handlers.context.access import require_settings_admin
from handlers.context.audit import record_audit
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.text import formatting
from storage import workspaces
from storage.audit import Act
from storage.records import Money, Rules


def decides_alone(rules: Rules, usual: frozenset[str]) -> bool:
    """Whether one person alone may cancel, so that there is nobody to approve."""
    chosen = usual if rules.cancellers is None else rules.cancellers
    return len(chosen) == 1 and not chosen & {"admins", "everyone"}


#: The settings, as the log names them.
NAMED: Final = {
    "cancellers": "who may cancel",
    "stewards": "who may change settings",
    "approval_above": "a second person above",
}


ALONE: Final = (
    "With this limit a second person must approve, but only one person may cancel. Add another person who may cancel, "
    "or leave the limit empty."
)


class SavedMeanwhile(Refusal):
    """Somebody else saved the settings a moment ago. Here they are as they stand now; nothing of yours was saved."""


async def open_settings(services: Services, request: Request, _value: str) -> None:
    """*Settings* in Home."""
    await require_settings_admin(services, request)
    view = admin_view.form(request.workspace.rules, services.policy.cancellers, request.workspace.currency)
    await services.slack.open_view(request.trigger_id, view)


async def save_settings(services: Services, request: Request, chosen: Rules, amount: str) -> None:
    """The settings were submitted. A wrong amount is asked for again, with all else as it was chosen."""
    await require_settings_admin(services, request)
    try:
        made = replace(chosen, approval_above=admin_view.amount(amount))
    except AmountRefused as refusal:
        again = admin_view.form(chosen, services.policy.cancellers, request.workspace.currency, str(refusal), amount)
        await services.slack.update_view(request.view_id, again)
        return
    wrong = "" if made.cancellers else "Name at least one person who may cancel."
    if made.approval_above is not None and decides_alone(made, services.policy.cancellers):
        wrong = ALONE
    if wrong:
        again = admin_view.form(made, services.policy.cancellers, request.workspace.currency, wrong, amount)
        await services.slack.update_view(request.view_id, again)
        return
    keep = partial(_keep, request=request, made=made)
    try:
        await record_audit(
            services,
            request,
            Act.RULES,
            detail=_told(request.workspace.rules, made, request.workspace.currency),
            work=keep,
        )
    except SavedMeanwhile as refusal:
        now = (await services.memory.read(workspaces.by_id, request.workspace.id)).rules
        again = admin_view.form(now, services.policy.cancellers, request.workspace.currency, str(refusal))
        await services.slack.update_view(request.view_id, again)
        return
    await services.slack.update_view(request.view_id, admin_view.saved())


def _keep(connection: Connection, request: Request, made: Rules) -> None:
    if workspaces.by_id(connection, request.workspace.id).rules != request.workspace.rules:
        raise SavedMeanwhile
    workspaces.keep_rules(connection, request.workspace.id, made)


def _told(before: Rules, after: Rules, currency: str) -> str:
    return "; ".join(
        f"{said}: {_word(getattr(before, name), currency)} → {_word(getattr(after, name), currency)}"
        for name, said in NAMED.items()
        if getattr(before, name) != getattr(after, name)
    )


def _word(value: object, currency: str) -> str:
    if value is None:
        return "not set"
    if isinstance(value, Decimal):
        return formatting.money(Money(value, currency))
    return ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)
