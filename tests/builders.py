"""Facts for tests: each builder fills in what the test does not care about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from storage.records import Batch, Campaign, CampaignStage, Change, Piece, Recipient, Source
from storage.statuses import Status

START = datetime(2026, 10, 28, 9, 0, tzinfo=UTC)
JANE = Recipient(
    name="Jane Smith", address="1234 Main Street", city="Austin", region="TX", postcode="78701", country="US"
)


def a_campaign(ref: str = "222", name: str = "Spring lapsed", **facts: Any) -> Campaign:
    return replace(
        Campaign(ref=ref, name=name, stage=CampaignStage.RUNNING, kind="6x9-postcard", created_at=START), **facts
    )


def a_piece(ref: str = "1001", campaign_ref: str | None = "222", **facts: Any) -> Piece:
    made = Piece(
        ref=ref,
        created_at=START,
        kind="postcard",
        format="6x9",
        cost=Decimal("0.84"),
        campaign_ref=campaign_ref,
        recipient=JANE,
    )
    return replace(made, **facts)


def a_change(ref: str = "1001", status: Status | None = Status.DELIVERED, hours: float = 0, **facts: Any) -> Change:
    made = Change(piece_ref=ref, status=status, occurred_at=START + timedelta(hours=hours), source=Source.WEBHOOK)
    return replace(made, **facts)


def a_batch(*things: Campaign | Piece | Change) -> Batch:
    return Batch(
        campaigns=tuple(t for t in things if isinstance(t, Campaign)),
        pieces=tuple(t for t in things if isinstance(t, Piece)),
        changes=tuple(t for t in things if isinstance(t, Change)),
    )
