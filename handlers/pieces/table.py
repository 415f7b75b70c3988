"""What this wing answers."""

from dataclasses import replace

from handlers.context.services import Request, Services
from handlers.context.table import Filled, Press, Submission, Table, as_it_is
from handlers.pieces import actions
from handlers.text.buttons import Action, Form


async def _search(services: Services, request: Request, filled: Filled) -> None:
    await actions.search(services, replace(request, text=filled["search"].typed, metadata=filled.metadata))


TABLE = Table(
    actions={
        Action.VIEW_DETAILS: Press(actions.view_details),
        Action.DETAILS_NEXT: Press(actions.turn_page, in_turn=True),
        Action.DETAILS_FILTER: Press(actions.choose_status, in_turn=True),
        Action.DETAILS_EXPORT: Press(actions.export, kept=True),
    },
    # A plain acknowledgement would close the modal: it stays as it is until the answer takes its place.
    forms={Form.DETAILS: Submission(_search, meanwhile=as_it_is)},
)
