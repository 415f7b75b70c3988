"""The names of all buttons, menus and forms, and what they carry: ids and days, never names or addresses."""

from datetime import date
from enum import StrEnum

from handlers.text.formatting import span
from handlers.text.messages import Block, option, select
from handlers.text.parsing import ALL_TIME, PRESETS, Range, this_month
from storage.queries.mail import Days
from storage.records import CampaignId


class Action(StrEnum):
    """Everything that can be pressed or chosen. Each is in the table of one wing."""

    VIEW_DETAILS = "view_details"
    DETAILS_NEXT = "details_next"
    DETAILS_FILTER = "details_filter"
    DETAILS_EXPORT = "details_export"
    HOME_RANGE = "home_range"
    HOME_FIRST = "home_first"
    HOME_LAST = "home_last"
    HOME_PAGE = "home_page"
    HOME_REFRESH = "home_refresh"
    TRACK = "track_piece"
    PICK_CAMPAIGN = "pick_campaign"
    PICK_PIECE = "pick_piece"
    REFRESH = "refresh_status"
    CHOOSE_RANGE = "choose_range"
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


class Form(StrEnum):
    """Every modal that can be submitted."""

    ALERTS = "save_alerts"
    CANCEL_CAMPAIGN = "confirm_cancel_campaign"
    DETAILS = "search_details"
    CONNECT = "save_account"
    WEBHOOK = "save_webhook"
    RULES = "save_settings"


def carry(campaign_id: CampaignId | None, days: Days) -> str:
    """A campaign (None: the account) and days, as a button's value."""
    parts = [
        "" if campaign_id is None else str(campaign_id),
        *(d.isoformat() if d else "" for d in (days.first, days.last)),
    ]
    return "|".join(parts)


def carried(value: str) -> tuple[CampaignId | None, Range]:
    """What `carry` packed. A value that is none of ours raises ValueError."""
    campaign, first, last = value.split("|")
    days = Days(date.fromisoformat(first) if first else None, date.fromisoformat(last) if last else None)
    return CampaignId(int(campaign)) if campaign else None, name_days(days)


def name_days(days: Days) -> Range:
    """Days with words for them."""
    if days.first is None or days.last is None:
        return ALL_TIME
    whole = this_month(days.first)
    return whole if whole.days == days else Range(days, span(days.first, days.last))


def range_menu(campaign_id: CampaignId | None, chosen: Range, today: date) -> Block:
    """The list of ranges to choose from; shows the chosen one when it is among them."""
    ranges = {label: build(today) for label, build in PRESETS.values()}
    options = {label: option(label, carry(campaign_id, one.days)) for label, one in ranges.items()}
    chosen_one = [options[label] for label, one in ranges.items() if one.days == chosen.days]
    return select(Action.CHOOSE_RANGE, "Range", list(options.values()), chosen_one[0] if chosen_one else None)
