"""The days by which campaigns are to be in homes, as a channel's settings and its list show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from handlers.alerts.state import State
from handlers.text import formatting
from handlers.text.buttons import Action, AlertsDo, Limit, OneCampaign
from handlers.text.codec import write
from handlers.text.messages import Block, button, context, escape, input_block, option, section, select
from storage.records import NO_CAMPAIGN, CampaignId, Subscription

#: The chance, in per cent, below which a channel is told that chose no other.
BELOW: Final = 80
#: Among these the settings let a channel choose.
BELOWS: Final = (50, 60, 70, 80, 90)
#: Boxes that Slack shows in one field.
BOXES: Final = 10


@dataclass(frozen=True)
class HomeBy:
    """A campaign is to be in homes by a day; below this chance, in per cent, that is told."""

    campaign: CampaignId
    name: str
    day: date
    below: int


def days_of(state: State, names: Mapping[CampaignId, str]) -> list[HomeBy]:
    """The days that a channel set, the nearest first; of campaigns that are no more, none."""
    found = [
        HomeBy(CampaignId(int(key)), names[CampaignId(int(key))], date.fromisoformat(str(day)), int(below))
        for key, (day, below) in state.deadlines.items()
        if CampaignId(int(key)) in names
    ]
    return sorted(found, key=lambda one: (one.day, one.name))


def heard(days: Sequence[HomeBy], on: Sequence[Subscription]) -> list[HomeBy]:
    """Those of campaigns that the channel is told of now: another one's day is kept until it is on again."""
    keys = {one.campaign_id for one in on}
    return [one for one in days if one.campaign in keys or NO_CAMPAIGN in keys]


def lines(days: Sequence[HomeBy], today: date) -> list[Block]:
    """For the list: each day, with the button that takes it away."""
    return [_line(one, today) for one in days[:BOXES]]


def _line(one: HomeBy, today: date) -> Block:
    said = f"*{escape(one.name)}* is to be in homes by {formatting.day_near(one.day, today)}; warns below {one.below}%"
    value = write(AlertsDo("no_day", one.campaign))
    return section(said, button("Remove", Action.ALERTS_DO, value, spoken=f"No day for {one.name} any more"))


def boxes(days: Sequence[HomeBy]) -> list[Block]:
    """For the settings: what is unticked ends."""
    return [
        option(f"{one.name[:40]}: {formatting.day(one.day)}", write(OneCampaign(one.campaign))) for one in days[:BOXES]
    ]


def fields(days: Sequence[HomeBy]) -> list[Block]:
    """The fields of the settings; before a day is set, how one is."""
    if not days:
        return [context("`/mailalerts Spring in home by Dec 12` warns here when that becomes unlikely.")]
    ticked = boxes(days)
    element: Block = {"type": "checkboxes", "action_id": "home", "options": ticked, "initial_options": ticked}
    limits = {limit: option(f"Below {limit}%", write(Limit(limit))) for limit in BELOWS}
    common = {one.below for one in days}
    chosen = limits.get(common.pop()) if len(common) == 1 else None
    menu = select("below", "As it is", list(limits.values()), chosen)
    return [
        input_block("To be in homes by", "home", element, optional=True),
        input_block("Warn when the chance of that is", "below", menu, optional=True),
    ]
