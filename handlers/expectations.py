"""How long mail takes, brought together with a campaign or a piece. Reads a few rows, and counts nothing."""

from collections import Counter
from datetime import date

from sqlalchemy import Connection

from handlers import forecasts
from handlers.forecasts import Cohort, Outlook, Progress
from storage import transits
from storage.records import CampaignId, StoredPiece, Transit, WorkspaceId


def of_campaign(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, today: date
) -> tuple[Outlook, Progress | None]:
    """What the other campaigns say, and where this one stands beside it (None before its first hand-over)."""
    known = transits.since(connection, workspace_id, today - forecasts.HISTORY)
    expected, those = split(known, campaign_id, today)
    return expected, forecasts.progress(those, expected, today)


def split(known: list[Transit], campaign_id: CampaignId, today: date) -> tuple[Outlook, list[Cohort]]:
    """What the others of its form say of a campaign, and its own hand-over days."""
    mine = [one for one in known if one.campaign_id == campaign_id]
    return forecasts.outlook(known, form_of(mine), today, campaign_id), forecasts.cohorts(mine)


def form_of(those: list[Transit]) -> str:
    """The form of most of these pieces."""
    forms: Counter[str] = Counter()
    for one in those:
        forms[one.form] += one.pieces
    return forms.most_common(1)[0][0] if forms else ""


def of_piece(connection: Connection, workspace_id: WorkspaceId, piece: StoredPiece, today: date) -> Outlook:
    """What is known of mail of this piece's form."""
    known = transits.since(connection, workspace_id, today - forecasts.HISTORY)
    return forecasts.outlook(known, f"{piece.kind} {piece.format}", today)
