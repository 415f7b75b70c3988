"""What a button or a form names, looked up again: a value from Slack is only an id, and may be old or foreign."""

from handlers.context.services import Request, Services
from handlers.errors import Outdated
from storage.queries import mail as queries
from storage.records import CampaignId, PieceId, StoredCampaign, StoredPiece


async def campaign_of(services: Services, request: Request, campaign_id: CampaignId) -> StoredCampaign:
    """The campaign with this number, where this workspace has it; raises Outdated."""
    found = await services.memory.read(queries.campaign, request.workspace.id, campaign_id)
    if found is None:
        raise Outdated
    return found


async def piece_of(services: Services, request: Request, piece_id: PieceId) -> StoredPiece:
    """The piece with this number, where this workspace has it; raises Outdated."""
    found = await services.memory.read(queries.piece_by_id, request.workspace.id, piece_id)
    if found is None:
        raise Outdated
    return found
