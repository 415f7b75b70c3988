"""What this wing answers."""

from handlers.alerts import actions, commands, deadlines, switching
from handlers.alerts.home_by import BELOWS
from handlers.alerts.view import AS_IT_WAS, chosen_hours
from handlers.context.services import Request, Services
from handlers.context.table import Command, Filled, Press, Submission, Table
from handlers.errors import Outdated
from handlers.text.buttons import Action, AlertsForm, Form, Hours, Limit, News, OneCampaign, Word
from handlers.text.codec import read
from storage.records import CampaignId


async def _save(services: Services, request: Request, filled: Filled) -> None:
    stood = read(AlertsForm, filled.metadata).stood
    await switching.require_unchanged(services, request, stood)
    told_at = chosen_hours(
        _zone(filled),
        read(Limit, filled["digest"].chosen),
        read(Hours, filled["quiet"].chosen),
        read(Limit, filled["alarm"].chosen),
    )
    notify_on = frozenset(read(News, one).notify_on for one in filled["wants"].several)
    if filled["campaign"].chosen == AS_IT_WAS:
        await actions.save_as_it_was(services, request, notify_on, told_at, stood)
    else:
        asked = read(OneCampaign, filled["campaign"].chosen)
        await actions.save_alerts(services, request, asked, notify_on, told_at, _dropped(filled), stood)
    ended, below = _days(filled)
    await deadlines.save(services, request, ended, below)


def _zone(filled: Filled) -> str:
    """The saver's own where they ticked that; "" leaves the channel's."""
    ticked = filled.fields["zone"].several if "zone" in filled.fields else ()
    return read(Word, ticked[0]).word if ticked else ""


def _dropped(filled: Filled) -> set[CampaignId]:
    """What the form showed as on, and was unticked."""
    return _unticked(read(AlertsForm, filled.metadata).shown, filled, "keep")


def _unticked(shown: str, filled: Filled, name: str) -> set[CampaignId]:
    if not shown:
        return set()
    return {read(OneCampaign, one).campaign for one in set(shown.split(";")) - set(filled[name].several)}


def _days(filled: Filled) -> tuple[set[CampaignId], int | None]:
    """The days in homes that were unticked, and below which chance the rest is told of (None: as it is)."""
    shown = read(AlertsForm, filled.metadata).days
    chosen = filled["below"].chosen if shown else ""
    below = read(Limit, chosen).number if chosen else None
    if below not in (None, *BELOWS):
        raise Outdated
    return _unticked(shown, filled, "home"), below


def _channel(filled: Filled) -> str:
    return read(AlertsForm, filled.metadata).channel


TABLE = Table(
    commands={"/mailalerts": Command(commands.mail_alerts, opens_page=True)},
    actions={
        Action.ALERT_SETTINGS: Press(actions.alert_settings),
        Action.ALERTS_DO: Press(actions.carry_out, kept=True),
        Action.ALERTS_UNDO: Press(actions.undo, kept=True),
    },
    forms={Form.ALERTS: Submission(_save, kept=True, channel=_channel)},
)
