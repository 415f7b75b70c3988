"""What this wing answers."""

from handlers.alerts import actions, commands
from handlers.alerts.view import chosen_hours
from handlers.context.services import Request, Services
from handlers.context.table import Command, Filled, Press, Submission, Table
from handlers.text.buttons import Action, Form, Hours, Limit, News, OneCampaign, OneChannel
from handlers.text.codec import read


async def _save(services: Services, request: Request, filled: Filled) -> None:
    _channel(filled)
    told_at = chosen_hours(
        "",
        read(Limit, filled["digest"].chosen),
        read(Hours, filled["quiet"].chosen),
        read(Limit, filled["alarm"].chosen),
    )
    notify_on = frozenset(read(News, one).notify_on for one in filled["wants"].several)
    await actions.save_alerts(services, request, read(OneCampaign, filled["campaign"].chosen), notify_on, told_at)


def _channel(filled: Filled) -> str:
    return read(OneChannel, filled.metadata).channel


TABLE = Table(
    commands={"/mailalerts": Command(commands.mail_alerts, opens_page=True)},
    actions={Action.ALERT_SETTINGS: Press(actions.alert_settings)},
    forms={Form.ALERTS: Submission(_save, kept=True, channel=_channel)},
)
