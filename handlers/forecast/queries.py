"""How long mail takes, brought together with a campaign or a piece. Reads a few rows, and counts nothing."""

from collections import Counter
from datetime import date
from typing import Final

from sqlalchemy import Connection

from handlers.forecast import model
from handlers.forecast.model import Cohort, Outlook, Progress
from storage.queries import transits
from storage.records import CampaignId, Mix, StoredPiece, Transit, WorkspaceId
from storage.statuses import MAILED, Status

#: Below so many mailed pieces a share of returns says little.
ENOUGH_MAILED: Final = 50


def of_campaign(
    connection: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, today: date
) -> tuple[Outlook, Progress | None]:
    """What the other campaigns say, and where this one stands beside it (None before its first hand-over)."""
    known = transits.since(connection, workspace_id, today - model.HISTORY)
    expected, those = split(known, campaign_id, today)
    return expected, model.progress(those, expected, today)


def split(known: list[Transit], campaign_id: CampaignId, today: date) -> tuple[Outlook, list[Cohort]]:
    """What the others of its form say of a campaign, and its own hand-over days."""
    mine = [one for one in known if one.campaign_id == campaign_id]
    return model.outlook(known, form_of(mine), today, campaign_id), model.cohorts(mine)


def share_returned(others: Mix) -> float | None:
    """The share of mailed pieces that usually comes back, of the other campaigns; None before there is a usual."""
    mailed = others.of(*MAILED)
    return others.of(Status.RETURNED) / mailed if mailed >= ENOUGH_MAILED else None


def form_of(those: list[Transit]) -> str:
    """The form of most of these pieces."""
    forms: Counter[str] = Counter()
    for one in those:
        forms[one.form] += one.pieces
    return forms.most_common(1)[0][0] if forms else ""


def of_piece(connection: Connection, workspace_id: WorkspaceId, piece: StoredPiece, today: date) -> Outlook:
    """What is known of mail of this piece's form."""
    known = transits.since(connection, workspace_id, today - model.HISTORY)
    return model.outlook(known, f"{piece.kind} {piece.format}", today)
