"""What Stannp's words mean: those for where a piece is, and those for how far a campaign has come."""

import re
from typing import Final

from bot.platforms.values import Json, text
from storage.records import CampaignStage
from storage.statuses import Status

#: Stannp's words for each status, with those seen only in clients and older documents.
WORDS: Final[dict[Status, tuple[str, ...]]] = {
    Status.RECEIVED: ("received", "queueing", "created"),
    Status.PRODUCING: ("producing", "printing", "production"),
    Status.CANCELLED: ("cancelled", "canceled"),
    Status.HANDED_OVER: ("handed_over", "dispatched", "mailed"),
    Status.IN_TRANSIT: ("in_transit",),
    Status.LOCAL_DELIVERY: ("local_delivery",),
    Status.DELIVERED: ("delivered",),
    Status.RETURNED: ("returned",),
}
ALIASES: Final = {word: status for status, words in WORDS.items() for word in words}

#: Its words for a campaign, with those seen only in clients and older documents.
STAGES: Final = {
    "draft": CampaignStage.DRAFT,
    "approved": CampaignStage.DRAFT,
    "provisioned": CampaignStage.DRAFT,
    "booked": CampaignStage.BOOKED,
    "scheduled": CampaignStage.BOOKED,
    "running": CampaignStage.RUNNING,
    "complete": CampaignStage.COMPLETE,
    "cancelled": CampaignStage.CANCELLED,
    "canceled": CampaignStage.CANCELLED,
}


def status(value: Json) -> tuple[Status | None, str]:
    """The status that a word means, and the word as it came (kept when it means none of ours)."""
    word = text(value)
    key = re.sub(r"[\s\-]+", "_", word.casefold())
    return ALIASES.get(key), word[:80]


def stage(value: Json) -> CampaignStage | None:
    """What a campaign's word means; None where it says none."""
    word = text(value).casefold()
    return STAGES.get(word, CampaignStage.UNKNOWN) if word else None
