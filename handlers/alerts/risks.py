"""Campaigns that are to be in homes by a day: told once, when the chance of that falls below what the channel chose."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from handlers.forecast import words
from handlers.forecast.model import Forecast
from handlers.forecast.queries import RECENT, Account
from handlers.text import formatting
from handlers.text.buttons import NOTHING, Action
from handlers.text.messages import Message, actions, button, clip_plain, context, escape, section
from storage.records import CampaignId, CampaignStage, Mix, StoredCampaign, mail_day
from storage.statuses import FINAL, Status

LISTED: Final = 10
NAME: Final = 100
#: Where no more than one piece of so many is still without an end, nearly all is in homes (`words.NEARLY_ALL`).
STRAGGLERS: Final = 20
#: Statuses after which more is expected.
OPEN: Final = [status for status in Status if status not in FINAL]


@dataclass(frozen=True)
class Risk:
    """A campaign, its day, the chance of keeping it, the limit, and when nearly all is expected (None: unsaid)."""

    campaign: StoredCampaign
    home_by: date
    chance: float
    below: int
    due: date | None


def found(
    deadlines: Mapping[str, Sequence[str | int]],
    told: Sequence[int],
    campaigns: Mapping[CampaignId, StoredCampaign],
    mixes: Mapping[CampaignId, Mix],
    account: Account,
) -> list[Risk]:
    """Those of these deadlines that are at risk and were not told of, nearest first. Work for a thread.

    Of what was cancelled, or is over but for stragglers, nothing is at risk any more.
    """
    risks = []
    for key, (day, below) in deadlines.items():
        campaign, home_by = campaigns.get(CampaignId(int(key))), date.fromisoformat(str(day))
        if campaign is None or int(key) in told or home_by < account.today:
            continue
        under_way = account.of(campaign.id)
        if _is_over(campaign, mixes.get(campaign.id, Mix()), under_way, account.today):
            continue
        forecast = under_way or account.planned(campaign)
        chance = forecast.chance(home_by)
        if chance * 100 < int(below):
            due = None if forecast.is_late else forecast.dates[2].day
            risks.append(Risk(campaign, home_by, chance, int(below), due))
    return sorted(risks, key=lambda one: one.home_by)


def _is_over(campaign: StoredCampaign, mix: Mix, under_way: Forecast | None, today: date) -> bool:
    """Whether nothing more of it can be late. What was handed over very long ago is not foretold at all."""
    stage, last = campaign.facts.stage, campaign.handed_over_last
    if stage is CampaignStage.CANCELLED:
        return True
    if under_way is not None:
        return not under_way.open or not under_way.is_recent
    if last is not None and mail_day(last) <= today - RECENT:
        return True
    # For the platform it is complete once all is handed over, of which there need not be a scan.
    return stage is CampaignStage.COMPLETE and mix.of(*OPEN) * STRAGGLERS <= mix.total


def message(risks: Sequence[Risk], platform: str) -> Message:
    """Said once for each campaign; those found together are told together."""
    lines = [_line(one) for one in risks[:LISTED]]
    blocks = [section(line) for line in lines]
    if len(risks) > LISTED:
        blocks.append(context(f"and {formatting.count(len(risks) - LISTED)} more campaigns"))
    note = f"Nearly all: {words.NEARLY_ALL}. Ask {platform} about a drop that does not move."
    settings = actions(button("Alert settings", Action.ALERT_SETTINGS, NOTHING))
    return Message(" ".join(line.replace("*", "") for line in lines), [*blocks, context(note), settings])


def _line(one: Risk) -> str:
    name = escape(clip_plain(one.campaign.facts.name, NAME))
    due = f" Nearly all is expected by {formatting.day(one.due)}." if one.due else ""
    return (
        f":hourglass: *{name} is at risk*: the chance that nearly all is in homes by {formatting.day(one.home_by)} is "
        f"{words.chance(one.chance)}; this channel asked to know below {one.below}%.{due}"
    )
