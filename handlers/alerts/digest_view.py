"""The morning digest, the weekly report, and alarms: short, with every number, and nothing when there is nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from handlers.status.runway import Runway, runway_text
from handlers.status.view import ESTIMATE, NO_SCAN, CampaignLine, campaign_line
from handlers.text import formatting
from handlers.text.buttons import NOTHING, Action, OneCampaign
from handlers.text.codec import write
from handlers.text.messages import (
    ALT,
    Block,
    Message,
    actions,
    button,
    clip,
    clip_plain,
    context,
    divider,
    escape,
    header,
    section,
)
from handlers.text.mixes import counts_text, headline, share_of_mailed
from handlers.text.status_styles import STYLES
from storage.records import Mix, Money, StoredCampaign
from storage.statuses import MAILED, Status

LISTED: Final = 10
#: It comes each week, and counts what moves, whenever that was ordered.
REPORT: Final = "Weekly report: your mail now"
#: Of a campaign's name in an alarm.
NAME: Final = 100


@dataclass(frozen=True)
class Morning:
    """What changed since the last digest."""

    since: Mapping[str, int]
    spent: Money
    #: Pieces expected to land today.
    due: int = 0
    #: Pieces past their expected day without a final scan, when these have grown.
    silent: int = 0
    runway: Runway | None = None
    #: Alerts were off for a while: it is what changed since they are on.
    fresh: bool = False

    @property
    def is_news(self) -> bool:
        """Whether there is anything to say."""
        moved = any(self.since.get(name, 0) > 0 for name in SAID)
        return moved or bool(self.silent) or self.runway is not None


def morning(told: Morning) -> Message:
    """The digest of a channel."""
    lines = [
        f"{emoji} *{formatting.count(number)}* {said}"
        for name, (emoji, said) in SAID.items()
        if (number := told.since.get(name, 0)) > 0
    ]
    if told.due:
        lines.append(f":calendar: About *{formatting.count(told.due)}* should arrive today")
    if told.spent.amount > 0:
        lines.append(f":dollar: *{formatting.money(told.spent)}* spent")
    if told.runway:
        lines.append(f":warning: {runway_text(told.runway)}")
    small = [ESTIMATE] if told.since.get("delivered", 0) > 0 else []
    if told.silent:
        verb = "is past its" if told.silent == 1 else "are past their"
        said = f"{formatting.pieces(told.silent)} {verb} expected day without a final scan"
        lines.append(f":grey_question: *{said}*")
        small.append(NO_SCAN)
    since = "Since alerts were turned on" if told.fresh else "Since the last digest"
    text = f"{since}: " + "; ".join(line.replace("*", "") for line in lines)
    blocks = [section(f"*Good morning. {since}:*\n" + "\n".join(lines))]
    return Message(text, [*blocks, *([context(" ".join(small))] if small else []), _settings()])


#: What is said of each count, in this order.
SAID: Final = {
    "delivered": (STYLES[Status.DELIVERED].emoji, "delivered"),
    "returned": (STYLES[Status.RETURNED].emoji, "came back"),
    "cancelled": (STYLES[Status.CANCELLED].emoji, "cancelled"),
    "mailed": (STYLES[Status.HANDED_OVER].emoji, "handed to USPS"),
}


def week(lines: Sequence[CampaignLine], mix: Mix, spent: Money, today: date) -> Message:
    """The weekly report of a channel; its picture comes beside."""
    said = escape(headline(mix))
    numbers = f"{formatting.pieces(mix.total)}: {escape(counts_text(mix))}"
    blocks: list[Block] = [
        header(REPORT),
        section(f"*{said}.*"),
        section(numbers),
        context(
            f"{formatting.day(today)} · what this channel follows, and moves now or was ordered in the last 30 days · "
            f"{formatting.money(spent)} spent on it"
        ),
        divider(),
        *(campaign_line(line, today) for line in lines[:LISTED]),
        *([context(f"and {more} more, which `/mailstatus` lists")] if (more := len(lines) - LISTED) > 0 else []),
        _settings(),
    ]
    return Message(f"{REPORT}: {said}. {numbers}", blocks)


def alt(mix: Mix) -> str:
    """The pie's numbers, for readers who do not see it."""
    return clip(f"Pie chart of your mail: {counts_text(mix)}.", ALT - 100)


@dataclass(frozen=True)
class Alarm:
    """A campaign's returns crossed what the channel chose. `usual` is the share of the account's other mail."""

    campaign: StoredCampaign
    mix: Mix
    limit: int
    usual: str | None


def alarm(raised: Sequence[Alarm]) -> Message:
    """Said once for each campaign; those that crossed together are told together."""
    said = [_alarm_line(one) for one in raised]
    blocks = [
        section(
            line,
            button("Returns desk", Action.RETURNS, write(OneCampaign(one.campaign.id)), spoken="What came back of it"),
        )
        for one, line in list(zip(raised, said, strict=True))[:LISTED]
    ]
    if len(said) > LISTED:
        blocks.append(
            context(f"and {formatting.count(len(said) - LISTED)} more campaigns: *Returns* in Home lists them")
        )
    note = "Check these addresses before the next mailing: the returns desk looks them up and exports them as CSV."
    return Message(" ".join(line.replace("*", "") for line in said[:LISTED]), [*blocks, context(note), _settings()])


def _alarm_line(raised: Alarm) -> str:
    share = share_of_mailed(raised.mix, Status.RETURNED)
    usual = "" if raised.usual is None else f" Your other mail: {escape(raised.usual)}."
    name = escape(clip_plain(raised.campaign.facts.name, NAME))
    back, mailed = formatting.count(raised.mix.of(Status.RETURNED)), formatting.count(raised.mix.of(*MAILED))
    # In whole per cents it may look as if it were not above the limit.
    asked = (
        f"That is just over the {raised.limit}% that this channel asked about."
        if share == f"{raised.limit}%"
        else f"This channel asked to hear about more than {raised.limit}%."
    )
    return f":rotating_light: *{name}*: {back} of {mailed} mailed came back ({escape(share)}).{usual} {asked}"


def _settings() -> Block:
    return actions(button("Alert settings", Action.ALERT_SETTINGS, NOTHING))
