"""One hello in a direct message, once the account was first read: what was found, and the first three commands.

The token of a single workspace does not say who installed it. So whom the settings name is greeted; else the first
settings admin who opens Home. Who installs from the page is welcomed there (see `setup.actions.greet`).
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import Connection

from handlers.context import intents as working
from handlers.context.access import is_steward
from handlers.context.intents import Hold
from handlers.context.services import Request, Services
from handlers.home import hello_view
from handlers.home.hello_view import Found
from storage import workspaces
from storage.intents import KEPT, Kind
from storage.queries import current, piece_pages
from storage.queries import mail as queries
from storage.queries.piece_pages import PieceFilter
from storage.records import NO_CAMPAIGN, CampaignStage, UserId, Workspace, WorkspaceId
from storage.statuses import UNDER_WAY

#: So long after the first reading somebody is greeted. What was greeted is remembered longer: nobody is twice.
NEW: Final = KEPT / 2
NAME: Final = "hello"


def _is_new(services: Services, workspace: Workspace) -> bool:
    """Whether it was read for the first time lately, and nobody was welcomed by the page."""
    if services.accounts is not None or workspace.baseline_at is None:
        return False
    return timedelta(0) <= services.clock.now() - workspace.baseline_at < NEW


async def greet_named(services: Services, workspace_id: WorkspaceId) -> None:
    """Greets whom the settings name, after the account was read; once, whatever process asks how often."""
    if services.policy.installer and services.accounts is None:
        workspace = await services.memory.read(workspaces.by_id, workspace_id)
        if _is_new(services, workspace):
            await _greet(services, workspace_id, UserId(services.policy.installer))


async def greet_first(services: Services, request: Request) -> None:
    """Greets the first settings admin who opens Home, where the settings name nobody."""
    if services.accounts is not None or services.policy.installer or request.guest:
        return
    # Anew: who was served before the first reading ended knows of none.
    workspace = await services.memory.read(workspaces.by_id, request.workspace.id)
    if _is_new(services, workspace) and await is_steward(services, request):
        await _greet(services, workspace.id, request.user)


async def _greet(services: Services, workspace_id: WorkspaceId, person: UserId) -> None:
    number = await working.keep(services, workspace_id, Kind.HELLO, {"by": person}, name=NAME)
    await working.begin(services, workspace_id, number, say_hello)


async def say_hello(hold: Hold) -> None:
    """Sends it, with what is known by then."""
    services, workspace_id = hold.services, hold.workspace_id
    found = await services.memory.read(_look, workspace_id, services)
    message = hello_view.hello(found)
    await hold.tell(0, lambda: services.slack.post(hold.intent.payload["by"], message))


def _look(connection: Connection, workspace_id: WorkspaceId, services: Services) -> Found:
    known = [one for one in queries.campaigns_of(connection, workspace_id) if one.id != NO_CAMPAIGN]
    # A draft is no mail yet, and may be of none ever.
    ordered = [one for one in known if one.facts.stage is not CampaignStage.DRAFT]
    today = services.clock.now().astimezone(services.policy.zone).date()
    mixes = queries.mixes_of(connection, workspace_id, current.current_campaigns(connection, workspace_id, today))
    moving = [key for key, mix in mixes.items() if mix.of(*UNDER_WAY)]
    first = [*moving, *(one.id for one in ordered)][:1]
    page = piece_pages.page(connection, workspace_id, first[0], PieceFilter(), None, 1) if first else []
    example = next((one.facts.name for one in ordered if one.id == first[0]), "") if first else ""
    drafts = len(known) - len(ordered)
    return Found(len(ordered), len(moving), example, page[0].ref if page else "", drafts)
