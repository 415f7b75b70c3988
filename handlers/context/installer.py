"""Who hears what is wrong with the set-up: who installed the bot, else whom the settings name, else who subscribed."""

import structlog

from handlers.context.services import Services
from handlers.errors import Outage, Refusal
from handlers.text.messages import Message
from storage import workspaces
from storage.records import Workspace

log = structlog.get_logger()


async def tell(services: Services, workspace: Workspace, message: Message) -> bool:
    """Sends it to the first of them whom Slack lets us write to; gives whether anybody got it, or ever will."""
    first = await services.memory.read(workspaces.first_subscriber, workspace.id)
    people = [one for one in (workspace.installer, services.policy.installer, first) if one]
    for person in dict.fromkeys(people):
        try:
            await services.slack.post(person, message)
        except Refusal as refusal:
            # They may have left the team: the next one is there.
            log.info("installer.untold", workspace=workspace.id, reason=type(refusal).__name__, code=refusal.code)
        except Outage as outage:
            log.info("installer.later", workspace=workspace.id, reason=type(outage).__name__)
            return False
        else:
            return True
    return False
