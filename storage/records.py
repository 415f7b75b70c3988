"""The facts that cross layers, as frozen values. Moments are aware and UTC; money is Decimal; ids are text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, Final, NewType

from storage.statuses import LIFECYCLE, Status

WorkspaceId = NewType("WorkspaceId", int)
#: A campaign's number in our own tables; 0 means "not part of a campaign".
CampaignId = NewType("CampaignId", int)
#: A piece's number in our own tables.
PieceId = NewType("PieceId", int)
#: A Slack channel, as Slack names it (C…, D…).
ChannelId = NewType("ChannelId", str)
UserId = NewType("UserId", str)

NO_CAMPAIGN = CampaignId(0)
NO_PIECE = PieceId(0)


class NaiveMomentError(ValueError):
    """A moment without a time zone reached a record."""


def aware(moment: datetime) -> datetime:
    """The same moment in UTC; raises NaiveMomentError for one without a zone."""
    if moment.tzinfo is None:
        raise NaiveMomentError
    return moment.astimezone(UTC)


@dataclass(frozen=True)
class Money:
    """An amount in one currency (ISO 4217). Adding two currencies is a mistake and raises ValueError."""

    amount: Decimal
    currency: str = "USD"

    def __add__(self, other: "Money") -> "Money":
        if self.currency != other.currency:
            message = f"cannot add {other.currency} to {self.currency}"
            raise ValueError(message)
        return Money(self.amount + other.amount, self.currency)


class Source(IntEnum):
    """Through which door a change came in. Stored: never renumber."""

    WEBHOOK = 1
    POLL = 2
    IMPORT = 3
    CANCEL = 4


@dataclass(frozen=True)
class Recipient:
    """Who a piece is addressed to: personal data, shown in full only to the person who asks."""

    name: str = ""
    company: str = ""
    address: str = ""
    city: str = ""
    region: str = ""
    postcode: str = ""
    country: str = ""


NOBODY = Recipient()


class CampaignStage(StrEnum):
    """How far a campaign has come, made of the platform's words where its bytes are read. Stored: never rename."""

    #: Made, and not booked: nothing is paid, and it can be deleted.
    DRAFT = "draft"
    #: Booked, and waiting for its mailing date.
    BOOKED = "booked"
    #: Its mailing date has come.
    RUNNING = "running"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    #: The platform says a word that we do not know, or says nothing.
    UNKNOWN = "unknown"

    @classmethod
    def of(cls, kept: str) -> "CampaignStage":
        """The stage that was kept as this text; UNKNOWN for what is none of ours."""
        return next((stage for stage in cls if stage.value == kept), cls.UNKNOWN)


#: Paid for, and perhaps not yet taken from the balance.
BOOKED_STAGES: Final = frozenset({CampaignStage.BOOKED, CampaignStage.RUNNING})
#: A campaign that has nothing more to say once all its pieces are known and final.
ENDED_STAGES: Final = frozenset({CampaignStage.COMPLETE, CampaignStage.CANCELLED})


@dataclass(frozen=True)
class Campaign:
    """A campaign as one message tells of it: what it does not tell is None, and is never written."""

    ref: str
    name: str | None = None
    stage: CampaignStage | None = None
    kind: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    send_on: date | None = None
    recipients: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True)
class KnownCampaign(Campaign):
    """All that was ever told of a campaign. Its name stands in for itself until one is told; other texts are ""."""

    name: str = ""
    stage: CampaignStage = CampaignStage.UNKNOWN
    kind: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece as one message tells of it: what it does not tell is None (of texts: ""), and is never written.

    Without `created_at` it cannot be counted, so such a description only adds to a piece that is known already.
    `campaign_ref` is None while it is not known to which campaign it belongs, and "" when it belongs to none.
    """

    ref: str
    created_at: datetime | None
    kind: str = ""
    format: str = ""
    dispatched_at: datetime | None = None
    cost: Decimal | None = None
    campaign_ref: str | None = None
    recipient: Recipient | None = None
    detailed: bool = False
    #: A fingerprint of the row that told of it, by where that stood: in the account's report, or in its campaign's.
    listed_print: int | None = None
    placed_print: int | None = None


@dataclass(frozen=True)
class Change:
    """One thing heard about one piece.

    `status` is None for a word that we do not know; the word is kept. `exact` is False when the platform gave
    no moment of its own and `occurred_at` is when we learned of it.
    """

    piece_ref: str
    status: Status | None
    occurred_at: datetime
    exact: bool = True
    word: str = ""
    place: str = ""
    source: Source = Source.POLL

    def __post_init__(self) -> None:
        object.__setattr__(self, "occurred_at", aware(self.occurred_at))


@dataclass(frozen=True)
class Batch:
    """What one answer, delivery or file brought in, to be applied in one transaction."""

    campaigns: tuple[Campaign, ...] = ()
    pieces: tuple[Piece, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Mix:
    """How many pieces stand where, and what they cost. `other` counts pieces known only by foreign words."""

    counts: Mapping[Status, int] = field(default_factory=dict)
    other: int = 0
    spent: Decimal = Decimal(0)

    @property
    def total(self) -> int:
        return sum(self.counts.values()) + self.other

    def of(self, *statuses: Status) -> int:
        """How many pieces stand in any of these."""
        return sum(self.counts.get(status, 0) for status in statuses)

    def in_order(self) -> list[tuple[Status, int]]:
        """All statuses with their counts, in reading order."""
        return [(status, self.counts.get(status, 0)) for status in LIFECYCLE]


@dataclass(frozen=True)
class Rules:
    """Who may do what, as admins chose it. Each set holds "admins", "everyone", or Slack user ids; None: as set up."""

    cancellers: frozenset[str] | None = None
    stewards: frozenset[str] = frozenset({"admins"})
    #: A cancellation worth more than this waits for a second person; None: none does.
    approval_above: Decimal | None = None


@dataclass(frozen=True)
class PlatformState:
    """What is remembered of the mail platform from one reading to the next."""

    #: Its own: any JSON, which it is given back. Nobody else reads it.
    own: Any = None
    #: Whether it gives the pieces of a single campaign; None until found out.
    campaign_reports: bool | None = None


@dataclass(frozen=True)
class Workspace:
    """One Slack team and its mail account. Secrets are not part of it."""

    id: WorkspaceId
    team_id: str
    name: str
    currency: str = "USD"
    balance: Money | None = None
    balance_at: datetime | None = None
    polled_at: datetime | None = None
    #: When the first complete poll ended. What was learned before is history, and is told to nobody.
    baseline_at: datetime | None = None
    platform_state: PlatformState = field(default_factory=PlatformState)
    #: When the mail platform last called us, and for which silence somebody was told.
    webhook_at: datetime | None = None
    silence_told: datetime | None = None
    #: Who installed the bot; "" when that is not known. And when.
    installer: str = ""
    installed_at: datetime | None = None
    #: When Slack said that the bot was taken out, as long as that is not clear.
    leaving_at: datetime | None = None
    #: When Slack took the bot out: it answers nothing from then on.
    removed_at: datetime | None = None
    #: When a mail account was connected.
    connected_at: datetime | None = None
    rules: Rules = field(default_factory=Rules)
    #: When it last asked, unsigned, whether its webhook finds us.
    handshake_at: datetime | None = None
    #: What the platform did not answer when it was last read, by call.
    gaps: "Mapping[str, Gap]" = field(default_factory=dict)


@dataclass(frozen=True)
class Gap:
    """A call that the platform did not answer, or not wholly: why, since when, and from when on it is made again."""

    why: str
    since: datetime
    again: datetime
    #: Whether it may pass by itself.
    passing: bool = False


@dataclass(frozen=True)
class StoredCampaign:
    """A campaign with what we know of its way."""

    id: CampaignId
    facts: KnownCampaign
    handed_over_first: datetime | None = None
    handed_over_last: datetime | None = None
    delivered_first: datetime | None = None
    delivered_last: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True)
class StoredPiece:
    """A piece with where it stands. `status` is None when only foreign words (`word`) were heard."""

    id: PieceId
    ref: str
    status: Status | None
    status_at: datetime | None
    kind: str
    format: str
    created_at: datetime
    dispatched_at: datetime | None
    cost: Decimal | None
    campaign_id: CampaignId
    campaign_name: str
    recipient: Recipient
    word: str = ""
    changed_at: datetime | None = None
    #: Whether who it was sent to was dropped for good: of the recipient at most state and country are left.
    erased: bool = False


#: A day of mail begins so long after midnight in UTC: at night in all of the United States. By UTC's own days what is
#: scanned there in the evening would be the next day's, and today's curve without it.
NIGHT: Final = timedelta(hours=5)


def mail_day(moment: datetime) -> date:
    """The day of mail in which this moment lies; midnight stands for a day whose hour was not told."""
    told = moment.astimezone(UTC)
    return (told - NIGHT).date() if told.time() > time.min else told.date()


@dataclass(frozen=True)
class Transit:
    """Pieces of a campaign that were handed over on one day of mail and ended alike, so many days later.

    `ended` is Delivered or Returned, or None for pieces still under way; then `days` is 0.
    """

    campaign_id: CampaignId
    form: str
    handed_on: date
    ended: Status | None
    days: int
    pieces: int


@dataclass(frozen=True)
class Scan:
    """One line of a piece's timeline, oldest first in lists."""

    status: Status | None
    word: str
    occurred_at: datetime
    exact: bool
    place: str


class NotifyOn(StrEnum):
    """What a channel asks to be told of, beside the card that it always gets."""

    RETURNED = "returned"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    #: Returns are shown in the channel as well as in the card's thread.
    BROADCAST = "aloud"
    WEEKLY = "weekly"


@dataclass(frozen=True)
class ChannelSettings:
    """How a channel wants to be told. Hours are of the clock in `zone` (IANA); None: not at all."""

    zone: str = "UTC"
    digest_hour: int | None = None
    #: From this hour until that one nothing is posted but the digest.
    quiet: tuple[int, int] | None = None
    alarm_percent: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a channel's alerts were before they were turned off."""

    #: What was told of each campaign when that last ended.
    notify_on: Mapping[CampaignId, frozenset[NotifyOn]]
    #: What was on until the channel was told of nothing any longer.
    last: Sequence[CampaignId]
    #: None: it never chose any.
    settings: ChannelSettings | None
    muted_until: datetime | None = None


@dataclass(frozen=True)
class ChannelSubscription:
    """A channel that is told of something: its choices, and what it was told by digests and alarms."""

    channel: ChannelId
    settings: ChannelSettings
    #: Campaign to what is wanted of it; campaign 0 stands for all others.
    notify_on: Mapping[CampaignId, frozenset[NotifyOn]]
    digested_on: date | None = None
    #: JSON, written by the handlers.
    state: str = ""
    #: The quiet hours that last now or come next, as last noted.
    quiet_window: tuple[datetime, datetime] | None = None
    #: Slack does not take messages for it, or it asked to be left alone.
    resting: bool = False

    def hears_of(self, campaign_id: CampaignId) -> frozenset[NotifyOn] | None:
        """What it wants of this campaign; None when it is not told of it at all."""
        return self.notify_on.get(campaign_id, self.notify_on.get(NO_CAMPAIGN))


@dataclass(frozen=True)
class Subscription:
    """A channel that is told of a campaign, or of all (`campaign_id` 0)."""

    channel: ChannelId
    campaign_id: CampaignId
    notify_on: frozenset[NotifyOn]
    campaign_name: str = ""
    muted_until: datetime | None = None
    blocked: str = ""


@dataclass(frozen=True)
class Told:
    """Where a piece's news went: the channel, the status told, and when, or why it could not be."""

    channel: ChannelId
    status: Status
    sent_at: datetime | None
    refusal: str
    #: Nothing was posted of it: the campaign's card was edited, as the channel asked for.
    only_card: bool = False
