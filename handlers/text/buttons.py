"""The names of all buttons, menus and forms, and what they carry: ids and days, never names or addresses."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from handlers.errors import Outdated
from handlers.text import codec
from handlers.text.codec import Carried, Value, read, write
from handlers.text.messages import Block, actions, context, date_picker, option, select
from handlers.text.parsing import DEFAULT_PRESET, PRESETS, Range, now
from handlers.text.ranges import name_days
from storage.queries.mail import Days
from storage.queries.returns import CameBack
from storage.records import NO_CAMPAIGN, CampaignId, ChannelId, NotifyOn, PieceId
from storage.statuses import Status


class Action(StrEnum):
    """Everything that can be pressed or chosen. Each is in the table of one wing."""

    VIEW_DETAILS = "view_details"
    DETAILS_NEXT = "details_next"
    DETAILS_FILTER = "details_filter"
    DETAILS_EXPORT = "details_export"
    HOME_RANGE = "home_range"
    HOME_NEAREST = "home_nearest"
    HOME_FIRST = "home_first"
    HOME_LAST = "home_last"
    HOME_PAGE = "home_page"
    HOME_REFRESH = "home_refresh"
    HOME_SEARCH = "home_search"
    SHOW_PIE = "show_pie"
    POST_PIE = "post_pie"
    TRACK = "track_piece"
    PICK_CAMPAIGN = "pick_campaign"
    PICK_PIECE = "pick_piece"
    FOUND_LIST = "found_list"
    FOUND_PAGE = "found_page"
    REFRESH = "refresh_status"
    CHOOSE_RANGE = "choose_range"
    RANGE_FIRST = "range_first"
    RANGE_LAST = "range_last"
    COMPARE = "compare_mail"
    CANCEL_PIECE = "cancel_piece"
    CANCEL_CAMPAIGN = "cancel_campaign"
    DELIVERY_CURVE = "delivery_curve"
    RETURNS = "returns_desk"
    RETURNS_RANGE = "returns_of_range"
    RETURNS_PUSH = "returns_push"
    RETURNS_NEXT = "returns_next"
    RETURNS_MAP = "returns_map"
    RETURN_OPEN = "return_open"
    RETURN_CHECK = "return_check"
    RETURN_REASON = "return_reason"
    RETURN_HANDLED = "return_handled"
    SHARE_PIECE = "share_piece"
    ALERT_SETTINGS = "alert_settings"
    ALERTS_DO = "alerts_do"
    ALERTS_UNDO = "alerts_undo"
    OPEN_DASHBOARD = "open_dashboard"
    CONNECT = "connect_account"
    WEBHOOK = "set_up_webhook"
    NEW_WEBHOOK = "new_webhook"
    SETTINGS = "open_settings"
    AUDIT = "open_audit_log"
    AUDIT_OLDER = "audit_older"
    AUDIT_EXPORT = "audit_export"
    APPROVE = "approve_cancel"
    DECLINE = "decline_cancel"
    ERASE = "erase_recipient"
    ERASE_OTHERS = "erase_others"


class Form(StrEnum):
    """Every modal that can be submitted."""

    ALERTS = "save_alerts"
    CANCEL_CAMPAIGN = "confirm_cancel_campaign"
    DETAILS = "search_details"
    CONNECT = "save_account"
    WEBHOOK = "save_webhook"
    RULES = "save_settings"
    POST_PIE = "send_pie"


@dataclass(frozen=True)
class OneCampaign(Carried):
    """A campaign."""

    campaign: CampaignId


@dataclass(frozen=True)
class OnePiece(Carried):
    """A piece."""

    piece: PieceId


@dataclass(frozen=True)
class OneRow(Carried):
    """A request for approval, a line of the audit log, or a page of Home."""

    number: int


@dataclass(frozen=True)
class AlertsForm(Carried):
    """Whose settings a form holds, and which campaigns it showed as on (";" between them): unticked, those end.

    `days`: which of them it showed with a day by which they are to be in homes. `stood`: how the channel stood then.
    """

    VERSION = 4
    LONGEST = codec.FORM

    channel: ChannelId
    shown: str
    days: str = ""
    stood: str = ""


@dataclass(frozen=True)
class Word(Carried):
    """One of the words of a menu. Whoever reads it looks whether it is one."""

    word: str


@dataclass(frozen=True)
class News(Carried):
    """What a channel may be told of."""

    notify_on: NotifyOn


@dataclass(frozen=True)
class Limit(Carried):
    """An hour or a share; None for off."""

    VERSION = 2

    number: int | None


@dataclass(frozen=True)
class Hours(Carried):
    """From this hour to that; None for off."""

    VERSION = 2

    first: int | None
    last: int | None


@dataclass(frozen=True)
class MailOf(Carried):
    """A campaign (None: the account) and days (None: without an end)."""

    campaign: CampaignId | None
    first: date | None
    last: date | None


@dataclass(frozen=True)
class Comparing(Carried):
    """Two campaigns (None: the account) with their days, side by side."""

    VERSION = 2

    campaign: CampaignId | None
    first: date | None
    last: date | None
    other: CampaignId | None
    other_first: date | None
    other_last: date | None


@dataclass(frozen=True)
class CurrentMailOf(Carried):
    """A campaign (None: the account), and what is current on this day."""

    VERSION = 2

    campaign: CampaignId | None
    on: date


@dataclass(frozen=True)
class OtherDates(Carried):
    """A campaign (None: the account), and the days that are shown while others are to be chosen.

    `on`: what is current on this day is shown; then there are no others.
    """

    VERSION = 3

    campaign: CampaignId | None
    first: date | None
    last: date | None
    on: date | None

    @property
    def shown(self) -> Value:
        """What is shown, as `carry` writes it."""
        return carry(self.campaign, Days(current=self.on) if self.on else Days(self.first, self.last))


@dataclass(frozen=True)
class AtStatus(Carried):
    """A status by its name, for ranks may change; None: whatever it is."""

    VERSION = 2

    status: Status | None


@dataclass(frozen=True)
class PiecesShown(Carried):
    """What a list of pieces shows, as the modal itself keeps it. It never leaves Slack's view of it."""

    VERSION = 2
    LONGEST = codec.FORM

    campaign: CampaignId
    status: Status | None
    asked: str


@dataclass(frozen=True)
class PiecesPage(Carried):
    """The pieces after this one; None: from the first. `every`: whatever was asked for before."""

    VERSION = 2

    after: PieceId | None = None
    every: bool = False


@dataclass(frozen=True)
class PiecesFound(Carried):
    """The pieces that a search found, by their row numbers, as many as fit: what was typed is never carried.

    `start`: from which of them a page shows; `total`: how many were found.
    """

    VERSION = 2
    LONGEST = codec.BUTTON

    numbers: str
    start: int
    total: int

    @classmethod
    def of(cls, pieces: Sequence[PieceId], start: int = 0) -> "PiecesFound":
        """These, as many as a button carries."""
        written = [f"{one:x}" for one in pieces]
        while len(joined := ".".join(written)) > cls.LONGEST - 50:
            written = written[: len(written) * (cls.LONGEST - 60) // len(joined)]
        return cls(joined, start, len(pieces))

    @property
    def pieces(self) -> list[PieceId]:
        """The row numbers; raises Outdated."""
        parts = self.numbers.split(".") if self.numbers else []
        if not all(re.fullmatch(r"[0-9a-f]{1,16}", part) for part in parts):
            raise Outdated
        return [PieceId(int(part, 16)) for part in parts]


NOWHERE: Final = ChannelId("")


@dataclass(frozen=True)
class ReturnsOf(Carried):
    """A campaign's returns: behind which piece, and where their picture goes ("": to the person).

    `back`: when that piece came back, in microseconds since 1970 as it was shown: it may be corrected since.
    """

    VERSION = 3

    campaign: CampaignId
    after: PieceId | None = None
    back: int | None = None
    channel: ChannelId = NOWHERE
    thread: str = ""

    @classmethod
    def behind(
        cls, campaign: CampaignId, last: CameBack | None, channel: ChannelId = NOWHERE, thread: str = ""
    ) -> "ReturnsOf":
        """The page behind this one; None: the first."""
        if last is None:
            return cls(campaign, None, None, channel, thread)
        return cls(campaign, last.piece, last.stamp, channel, thread)

    @property
    def last(self) -> CameBack | None:
        """Behind which one it begins; None: it is the first page. Raises Outdated."""
        if self.after is None:
            return None
        try:
            return CameBack.stamped(self.back or 0, self.after)
        except OverflowError:
            raise Outdated from None


@dataclass(frozen=True)
class OneReturn(Carried):
    """A returned piece, and the page of its campaign's returns over which it is shown (see `ReturnsOf`).

    In the modal itself also the list's own id, and what the register said of the address (None: not asked yet; as the
    register writes it, "" for a bad one). That never leaves Slack's view of it.
    """

    VERSION = 3
    LONGEST = codec.FORM

    piece: PieceId
    campaign: CampaignId
    after: PieceId | None = None
    back: int | None = None
    channel: ChannelId = NOWHERE
    thread: str = ""
    desk: str = ""
    is_valid: bool | None = None
    written: str = ""

    @property
    def listed(self) -> ReturnsOf:
        """The page of the list."""
        return ReturnsOf(self.campaign, self.after, self.back, self.channel, self.thread)


@dataclass(frozen=True)
class Settled(Carried):
    """A returned piece, and whether it is to be settled or open again."""

    VERSION = 2

    piece: PieceId
    done: bool


@dataclass(frozen=True)
class AlertsDo(Carried):
    """A change of a channel's alerts that is offered: a word of `alerts.words`, a campaign (0: all), and a moment.

    Of "mute_for" the latter is a number of seconds: what is offered as an hour is one whenever that is pressed.
    """

    VERSION = 2

    verb: str
    campaign: CampaignId = NO_CAMPAIGN
    until: int | None = None


@dataclass(frozen=True)
class AlertsUndo(Carried):
    """What takes back a change of a channel's alerts: which it was, when, how it was before, and the end of a mute."""

    VERSION = 3
    LONGEST = codec.BUTTON

    verb: str
    at: int
    before: str
    until: int | None = None


@dataclass(frozen=True)
class Cancelling(Carried):
    """What a form confirms: an intent, or (without one) that this draft goes; and the channel that reads of it."""

    VERSION = 2

    campaign: CampaignId
    intent: int | None
    channel: ChannelId


OTHER_DATES: Final = "Other dates…"
#: What carries nothing: there is one of these only, and nobody reads it.
NOTHING: Final = write(Word("1"))
#: A file that is asked for on the returns desk, and on no other list.
ON_RETURNS: Final = write(Word("returns"))


def carry(campaign_id: CampaignId | None, days: Days) -> Value:
    """A campaign (None: the account) and days, as a button's value."""
    if days.current:
        return write(CurrentMailOf(campaign_id, days.current))
    return write(MailOf(campaign_id, days.first, days.last))


def carried(value: str) -> tuple[CampaignId | None, Range]:
    """What `carry` packed; raises Outdated."""
    if codec.is_of(CurrentMailOf, value):
        current = read(CurrentMailOf, value)
        return current.campaign, now(current.on)
    one = read(MailOf, value)
    return one.campaign, name_days(Days(one.first, one.last))


def range_pickers(campaign_id: CampaignId | None, chosen: Range) -> list[Block]:
    """Two calendars for any range. A calendar carries no value of ours: its block says of what, and the other day."""
    row = actions(
        date_picker(Action.RANGE_FIRST, "From", chosen.days.first),
        date_picker(Action.RANGE_LAST, "To", chosen.days.last),
    )
    # A calendar that shows a day no longer shows what the day is for.
    return [context("From and to, both days included:"), row | {"block_id": carry(campaign_id, chosen.days)}]


def _ranges(campaign_id: CampaignId | None, today: date) -> dict[str, Range]:
    """Those to choose from, by their labels."""
    ranges = {label: build(today) for label, build in PRESETS.values()}
    if campaign_id is not None:
        # One campaign is shown whole, whether it moves or not.
        del ranges[PRESETS[DEFAULT_PRESET][0]]
    return ranges


def is_listed(campaign_id: CampaignId | None, chosen: Range, today: date) -> bool:
    """Whether this range is one of those to choose from."""
    return any(one.days == chosen.days for one in _ranges(campaign_id, today).values())


def range_menu(campaign_id: CampaignId | None, chosen: Range, today: date) -> Block:
    """The list of ranges to choose from, with a way to any other; shows the chosen one when it is among them."""
    ranges, days = _ranges(campaign_id, today), chosen.days
    options = {label: option(label, carry(campaign_id, one.days)) for label, one in ranges.items()}
    chosen_one = [options[label] for label, one in ranges.items() if one.days == days]
    other = option(OTHER_DATES, write(OtherDates(campaign_id, days.first, days.last, days.current)))
    return select(Action.CHOOSE_RANGE, "Range", [*options.values(), other], chosen_one[0] if chosen_one else None)
