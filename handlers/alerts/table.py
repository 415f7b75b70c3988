"""What this wing answers."""

from handlers.alerts import actions, commands
from handlers.context.services import Request, Services
from handlers.context.table import Command, Filled, Press, Submission, Table
from handlers.text.buttons import Action, Form


async def _save(services: Services, request: Request, filled: Filled) -> None:
    digest, quiet, alarm = (filled[name].chosen or "off" for name in ("digest", "quiet", "alarm"))
    notify_on = list(filled["wants"].several)
    await actions.save_alerts(services, request, filled["campaign"].chosen, notify_on, (digest, quiet, alarm))


TABLE = Table(
    commands={"/mailalerts": Command(commands.mail_alerts, opens_page=True)},
    actions={Action.ALERT_SETTINGS: Press(actions.alert_settings)},
    forms={Form.ALERTS: Submission(_save, kept=True, channel=lambda filled: filled.metadata)},
)
