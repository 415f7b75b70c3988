"""Who did what, when: a log that only grows, and the cancellations that wait for a second person."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from storage.database import rows_changed
from storage.records import CampaignId, PieceId, UserId, WorkspaceId
from storage.schema.account_tables import approvals, audit

#: A request that nobody decided within this time has lapsed.
LAPSES: Final = timedelta(hours=24)


BATCH: Final = 500


class Act(StrEnum):
    """What is written down."""

    INSTALLED = "installed"
    REMOVED = "removed"
    CONNECTED = "connected the mail account"
    WEBHOOK = "changed the webhook"
    RULES = "changed the settings"
    SUBSCRIBED = "subscribed a channel"
    UNSUBSCRIBED = "unsubscribed a channel"
    MUTED = "muted a channel"
    UNMUTED = "unmuted a channel"
    CANCELLED = "asked to cancel"
    STOPPED = "cancelled"
    APPROVAL_ASKED = "asked for approval"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPORTED = "exported"
    ERASED = "erased a recipient"
    HANDLED = "handled a return"
    REOPENED = "opened a return again"
    REASON = "noted why a piece came back"
    CHECKED = "checked an address"


@dataclass(frozen=True)
class Entry:
    """One line of the log. `person` is a Slack user, "" the bot itself; `at` is aware UTC."""

    id: int
    at: datetime
    person: str
    act: str
    subject: str
    detail: str


def note(
    connection: Connection,
    workspace_id: WorkspaceId,
    person: str,
    act: Act,
    now: datetime,
    *,
    subject: str = "",
    detail: str = "",
) -> None:
    """Writes a line. Subject and detail never hold a secret or a recipient's data."""
    line = {"at": now, "person": person, "act": act.value, "subject": subject[:200], "detail": detail[:500]}
    connection.execute(audit.insert().values(workspace_id=workspace_id, **line))


def page(connection: Connection, workspace_id: WorkspaceId, before: int | None, limit: int) -> list[Entry]:
    """The newest lines, or those before the line with this number; newest first."""
    lines = select(audit).where(audit.c.workspace_id == workspace_id)
    if before is not None:
        lines = lines.where(audit.c.id < before)
    return [_entry(row) for row in connection.execute(lines.order_by(audit.c.id.desc()).limit(limit)).all()]


def every(connection: Connection, workspace_id: WorkspaceId) -> Iterator[Entry]:
    """All lines, newest first, read a few at a time."""
    before: int | None = None
    while lines := page(connection, workspace_id, before, BATCH):
        yield from lines
        before = lines[-1].id


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.id, row.at, row.person, row.act, row.subject, row.detail)


@dataclass(frozen=True)
class Bound:
    """What a request asks for, and no more: the intent that holds the pieces, how many, their sum, and how many without
    a known cost."""

    intent_id: int
    pieces: int
    amount: Decimal
    unpriced: int


@dataclass(frozen=True)
class Approval:
    """A cancellation that waits for a second person. `piece_id` 0: all of the campaign that can still be stopped."""

    id: int
    campaign_id: CampaignId
    piece_id: PieceId
    asked_by: UserId
    asked_at: datetime
    outcome: str
    decided_by: UserId
    #: The intent that holds the pieces; None for a request of an earlier version, which named none.
    intent_id: int | None = None
    #: What the request said: how many pieces, what they cost together, and of how many that was not known.
    pieces: int = 0
    amount: Decimal = Decimal(0)
    unpriced: int = 0


def ask_approval(
    connection: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    piece_id: PieceId,
    by: UserId,
    now: datetime,
    bound: Bound | None = None,
) -> int:
    """Keeps the request, and gives its number."""
    adding = approvals.insert().values(
        workspace_id=workspace_id, campaign_id=campaign_id, piece_id=piece_id, asked_by=by, asked_at=now,
        outcome="", decided_by="", **(asdict(bound) if bound else {}),
    )  # fmt: skip
    made = connection.execute(adding.returning(approvals.c.id)).scalar_one()
    return int(made)


def approval(connection: Connection, workspace_id: WorkspaceId, number: int) -> Approval | None:
    """The request with this number; None when there is none here."""
    mine = approvals.c.workspace_id == workspace_id, approvals.c.id == number
    row = connection.execute(select(approvals).where(*mine)).first()
    if row is None:
        return None
    return Approval(
        row.id, CampaignId(row.campaign_id), PieceId(row.piece_id), UserId(row.asked_by), row.asked_at, row.outcome,
        UserId(row.decided_by), row.intent_id, row.pieces or 0, row.amount or Decimal(0), row.unpriced or 0,
    )  # fmt: skip


def decide(
    connection: Connection, workspace_id: WorkspaceId, number: int, outcome: str, by: UserId, now: datetime
) -> bool:
    """Whether this decides the request: it still waited, has not lapsed, and somebody else asked for it."""
    mine = (
        approvals.c.workspace_id == workspace_id,
        approvals.c.id == number,
        approvals.c.outcome == "",
        approvals.c.asked_by != by,
        approvals.c.asked_at > now - LAPSES,
    )
    deciding = update(approvals).where(*mine).values(outcome=outcome, decided_by=by, decided_at=now)
    return rows_changed(connection, deciding) == 1


def withdraw(connection: Connection, workspace_id: WorkspaceId, number: int, now: datetime) -> bool:
    """Whether this ends the request undecided: it still waited."""
    mine = approvals.c.workspace_id == workspace_id, approvals.c.id == number, approvals.c.outcome == ""
    withdrawing = update(approvals).where(*mine).values(outcome=Act.WITHDRAWN.value, decided_at=now)
    return rows_changed(connection, withdrawing) == 1
