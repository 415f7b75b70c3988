"""What this wing answers."""

from handlers.alerts import actions, commands
from handlers.alerts.view import chosen_hours
from handlers.context.services import Request, Services
from handlers.context.table import Command, Filled, Press, Submission, Table
from handlers.text.buttons import Action, AlertsForm, Form, Hours, Limit, News, OneCampaign, Word
from handlers.text.codec import read
from storage.records import CampaignId


async def _save(services: Services, request: Request, filled: Filled) -> None:
    _channel(filled)
    told_at = chosen_hours(
        _zone(filled),
        read(Limit, filled["digest"].chosen),
        read(Hours, filled["quiet"].chosen),
        read(Limit, filled["alarm"].chosen),
    )
    notify_on = frozenset(read(News, one).notify_on for one in filled["wants"].several)
    asked = read(OneCampaign, filled["campaign"].chosen)
    await actions.save_alerts(services, request, asked, notify_on, told_at, _dropped(filled))


def _zone(filled: Filled) -> str:
    """The saver's own where they ticked that; "" leaves the channel's."""
    ticked = filled.fields["zone"].several if "zone" in filled.fields else ()
    return read(Word, ticked[0]).word if ticked else ""


def _dropped(filled: Filled) -> set[CampaignId]:
    """What the form showed as on, and was unticked."""
    shown = read(AlertsForm, filled.metadata).shown
    if not shown:
        return set()
    return {read(OneCampaign, one).campaign for one in set(shown.split(";")) - set(filled["keep"].several)}


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
