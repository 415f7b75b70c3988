"""What each kind of intent comes to, in whichever process takes it up."""

from collections.abc import Mapping
from typing import Final

from handlers import asked
from handlers.admin.erasing import tell_erased
from handlers.admin.log import send_log
from handlers.cancel import requests
from handlers.cancel.stopping import delete_draft, stop_pieces
from handlers.context import intents as working
from handlers.context.intents import Work
from handlers.context.services import Services
from handlers.home import hello
from handlers.pieces import actions as pieces_actions
from handlers.workflow import steps as workflow_steps
from storage import intents
from storage.intents import Kind
from storage.records import WorkspaceId

#: What each kind of intent comes to, in whichever process takes it.
WORK: Final[Mapping[Kind, Work]] = {
    Kind.ASKED: asked.resume,
    Kind.CANCEL: stop_pieces,
    Kind.DELETE: delete_draft,
    Kind.STEP: workflow_steps.finish_step,
    Kind.EXPORT: pieces_actions.send_export,
    Kind.LOG: send_log,
    Kind.ERASE: tell_erased,
    Kind.REQUEST: requests.post_request,
    Kind.HELLO: hello.say_hello,
}


async def resume(services: Services, workspace_id: WorkspaceId, intent_id: int) -> None:
    """Goes on with an intent that another process left, or that was to wait."""
    found = await services.memory.read(intents.of, workspace_id, intent_id)
    if found is not None:
        await working.begin(services, workspace_id, intent_id, WORK[found.kind])
