"""What a button or a form names, looked up again: a value from Slack is only an id, and may be old or foreign."""

from handlers.context.services import Request, Services
from handlers.errors import Refusal
from storage.queries import mail as queries
from storage.records import CampaignId, PieceId, StoredCampaign, StoredPiece


class Outdated(Refusal):
    """This button belongs to something that is no longer there. Ask again with /mailstatus or /mailtrack."""


def number_of(value: str) -> int:
    """The row number that a button carries; raises Outdated."""
    # "²" is a digit to Python, and no number.
    if not (value.isascii() and value.isdigit()) or len(value) > 18:  # noqa: PLR2004 - beyond any row number
        raise Outdated
    return int(value)


async def campaign_of(services: Services, request: Request, value: str) -> StoredCampaign:
    """The campaign with this number, given as text; raises Outdated."""
    campaign_id = CampaignId(number_of(value))
    found = await services.memory.read(queries.campaign, request.workspace.id, campaign_id)
    if found is None:
        raise Outdated
    return found


async def piece_of(services: Services, request: Request, value: str) -> StoredPiece:
    """The piece with this number, given as text; raises Outdated."""
    piece_id = PieceId(number_of(value))
    found = await services.memory.read(queries.piece_by_id, request.workspace.id, piece_id)
    if found is None:
        raise Outdated
    return found
