"""What is typed into Home's *Find*: campaigns and pieces, in a modal for the asker alone."""

from typing import Final

from sqlalchemy import Connection

from handlers.context import matching
from handlers.context.access import require_insider
from handlers.context.asker import require_account
from handlers.context.services import Request, Services
from handlers.home import view as home_view
from handlers.text import parsing
from storage.queries import search as search_pieces
from storage.records import StoredCampaign, StoredPiece

CAMPAIGNS: Final = 10
PIECES: Final = 20


async def search(services: Services, request: Request, value: str) -> None:
    """Finds campaigns by name and pieces by recipient, ZIP, address or id."""
    require_insider(request)
    require_account(request)
    asked = parsing.unquote(parsing.clean(value))
    if not asked:
        return

    def look(connection: Connection) -> tuple[list[StoredCampaign], list[StoredPiece]]:
        found = matching.match(connection, request.workspace.id, asked)
        pieces = search_pieces.search(connection, request.workspace.id, parsing.wordings(asked), PIECES + 1)
        return list(found.found[:CAMPAIGNS]), list(pieces.pieces)

    campaigns, pieces = await services.memory.read(look)
    view = home_view.found(asked, campaigns, pieces[:PIECES], more=len(pieces) > PIECES)
    await services.slack.open_view(request.trigger_id, view)
