"""What is kept of a channel between its digests: what was told already, and the days that it set; and its clock."""

import json
from dataclasses import dataclass, field, fields, replace
from datetime import date
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from storage.records import CampaignId, ChannelSettings


def zone_of(chosen: ChannelSettings) -> ZoneInfo:
    """The channel's zone; UTC for one that this machine does not know."""
    try:
        return ZoneInfo(chosen.zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@dataclass(frozen=True)
class State:
    """What was told already: the counts of the last digest, the silent pieces, the campaigns of alarms, the balance."""

    counts: dict[str, int] = field(default_factory=dict)
    spent: str = ""
    silent: int = 0
    alarmed: list[int] = field(default_factory=list)
    low: bool = False
    #: The day of the last weekly report.
    week: str = ""
    #: Campaign to the day by which it is to be in homes, and the chance in per cent below which that is told.
    deadlines: dict[str, list[str | int]] = field(default_factory=dict)
    #: The chance below which this channel wants to be told, where a day is set without one; 0: it chose none.
    below: int = 0
    #: Campaigns that were told to be at risk, and the hour of the last look at that.
    at_risk: list[int] = field(default_factory=list)
    risk_hour: str = ""
    #: A deadline was set before the first look at the rest.
    unseen: bool = False
    #: Of the silent pieces, the most that was told of each campaign.
    late: dict[str, int] = field(default_factory=dict)
    #: Of which campaigns (0: all) these are the counts; empty where an earlier version kept them.
    heard: list[int] = field(default_factory=list)
    #: Alerts were turned on since the last digest, after a while without any: the next one begins there.
    fresh: bool = False

    @classmethod
    def read(cls, text: str) -> "State":
        """What was kept; nothing for a channel that was never told anything."""
        known = json.loads(text) if text else {}
        return cls(**{one.name: known[one.name] for one in fields(cls) if one.name in known})

    def written(self) -> str:
        return json.dumps(self.__dict__)

    def anew(self) -> "State":
        """The same for a channel that was told of nothing for a while: what happened meanwhile is no news."""
        return State(
            week=self.week, deadlines=self.deadlines, below=self.below, alarmed=self.alarmed, unseen=True, fresh=True
        )

    def with_deadline(self, campaign_id: CampaignId, day: date | None, below: int, *, first: bool) -> "State":
        """The same with this day set for a campaign, or none; what was told of it may be told again."""
        key = str(campaign_id)
        deadlines = {one: those for one, those in self.deadlines.items() if one != key}
        if day is not None:
            deadlines[key] = [str(day), below]
        at_risk = [one for one in self.at_risk if one != campaign_id]
        return replace(self, deadlines=deadlines, at_risk=at_risk, risk_hour="", unseen=self.unseen or first)
