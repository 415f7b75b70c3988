"""Where a campaign's pieces, or the account's, stand: the answer to `/mailstatus`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from handlers.forecast import model, words
from handlers.forecast.model import Forecast, Progress
from handlers.text import formatting
from handlers.text.buttons import Action, OneCampaign, carry, range_menu, range_pickers
from handlers.text.codec import write
from handlers.text.messages import (
    TEXT,
    Block,
    Message,
    Picture,
    actions,
    button,
    clip,
    context,
    divider,
    escape,
    header,
    section,
)
from handlers.text.parsing import Range
from handlers.text.status_styles import OTHER_LABEL, STYLES
from storage.records import CampaignStage, Mix, Money, StoredCampaign
from storage.statuses import CANCELLABLE, MAILED, SCANNED, UNDER_WAY, Status

#: Campaigns listed in one answer; the rest are a command away.
LISTED: Final = 8
ESTIMATE: Final = "Delivered is USPS's estimate."
NO_SCAN: Final = "1–4 % of letters never get a final scan; they are not lost."
UNSCANNED: Final = f"{' and '.join(STYLES[status].label for status in SCANNED)} may never be scanned."
WAITING: Final = "Handed Over can last a long time before USPS's first scan."


@dataclass(frozen=True)
class Standing:
    """The numbers of an answer, and how fresh they are."""

    mix: Mix
    span: Range
    today: date
    currency: str
    balance: Money | None
    #: When the platform last told us everything; None before the first time.
    as_of: datetime | None
    #: The platform does not answer: these are the last known numbers.
    stale: bool = False


@dataclass(frozen=True)
class CampaignLine:
    """A campaign with its mix, for the account's list."""

    campaign: StoredCampaign
    mix: Mix


def counts_text(mix: Mix) -> str:
    """Every number of the pie in plain words, in reading order; "No pieces" for none. Escape it in mrkdwn."""
    rows = [(STYLES[status].label, number) for status, number in mix.in_order()]
    if mix.other:
        rows.append((OTHER_LABEL, mix.other))
    parts = formatting.shares([number for _, number in rows])
    said = [f"{label} {formatting.count(n)} ({part})" for (label, n), part in zip(rows, parts, strict=True) if n]
    return " · ".join(said) or "No pieces"


def caveats(mix: Mix) -> str:
    """What must be said beside these numbers so that nobody reads more into them."""
    said = []
    if mix.of(Status.DELIVERED):
        said.append(ESTIMATE)
    if mix.of(Status.DELIVERED) and mix.of(*UNDER_WAY):
        said.append(NO_SCAN)
    elif mix.of(Status.HANDED_OVER):
        said.append(WAITING)
    elif mix.of(*MAILED) and not mix.of(*SCANNED):
        said.append(UNSCANNED)
    if mix.other:
        said.append(f'"{OTHER_LABEL}" are pieces with a status word that I do not know.')
    return " ".join(said)


def campaign_answer(
    campaign: StoredCampaign, standing: Standing, picture: bytes | None, progress: Progress | None = None
) -> Message:
    """One campaign: its pie, all its numbers, when it is due, and what can be done."""
    name = campaign.facts.name
    mix = standing.mix
    total = formatting.pieces(mix.total)
    text = f"{escape(name)}, {standing.span.label}: {total}. {escape(counts_text(mix))}."
    blocks = [
        header(name),
        freshness(standing, _campaign_note(campaign, standing)),
        section(f"*{total}* · {escape(counts_text(mix))}"),
        section(money_line(standing) + _landing_line(campaign, mix, progress)),
        *([context(caveats(mix))] if caveats(mix) else []),
        _campaign_buttons(campaign, standing),
        range_pickers(campaign.id, standing.span),
    ]
    return Message(text, blocks, _picture(picture, f"Pie chart of {name}: {total}. {counts_text(mix)}.", name))


def account_answer(lines: Sequence[CampaignLine], number: int, standing: Standing, picture: bytes | None) -> Message:
    """The whole account: its pie, all its numbers, and the first of its so many campaigns."""
    mix = standing.mix
    total = formatting.pieces(mix.total)
    blocks = [
        header("Your mail"),
        freshness(standing, ""),
        section(f"*{total}* · {escape(counts_text(mix))}"),
        section(money_line(standing)),
        *([context(caveats(mix))] if caveats(mix) else []),
        *_campaign_list(lines, number),
        actions(range_menu(None, standing.span, standing.today), _refresh(None, standing)),
        range_pickers(None, standing.span),
    ]
    text = f"Your mail, {standing.span.label}: {total}. {escape(counts_text(mix))}."
    return Message(text, blocks, _picture(picture, f"Pie chart of all mail: {total}. {counts_text(mix)}.", "Your mail"))


def _picture(png: bytes | None, alt: str, title: str) -> Picture | None:
    return Picture(png, clip(alt, 1900), title) if png else None


def freshness(standing: Standing, note: str) -> Block:
    """Of which moment the numbers are, and whether the platform answers."""
    if standing.as_of is None:
        when = "still reading your account for the first time: these numbers will grow"
    elif standing.stale:
        when = f":warning: Stannp is not answering; last known numbers, as of {formatting.stamp(standing.as_of)}"
    else:
        when = f"as of {formatting.stamp(standing.as_of)}, from Stannp"
    return context(f"Ordered {escape(standing.span.label)} · {when}{note}")


def _campaign_note(campaign: StoredCampaign, standing: Standing) -> str:
    expected = campaign.facts.recipients or 0
    if standing.span.days.first is None and expected > standing.mix.total:
        return (
            f" · Stannp lists {formatting.count(standing.mix.total)} of {formatting.count(expected)} recipients so far"
        )
    if standing.mix.total == 0:
        return " · Numbers seem low? The range may be wrong: choose another below."
    return ""


def money_line(standing: Standing) -> str:
    """Spent in the range, and the balance where it is known."""
    spent = f"*Spent* {formatting.money(Money(standing.mix.spent, standing.currency))}"
    return spent if standing.balance is None else f"{spent} · *Balance* {formatting.money(standing.balance)}"


def _landing_line(campaign: StoredCampaign, mix: Mix, progress: Progress | None) -> str:
    due = model.landing(campaign)
    if due is None:
        send_on = campaign.facts.send_on
        return f"\n*Mailing date* {formatting.day(send_on)}" if send_on else ""
    mailed = mix.of(*MAILED)
    landed = mix.of(Status.DELIVERED)
    actual = f"{formatting.percent(landed, mailed)} of {formatting.count(mailed)} mailed delivered so far"
    if campaign.delivered_first is not None:
        actual += f", the first {formatting.stamp_day(campaign.delivered_first)}"
    if progress is None:
        return f"\n*Expected* {formatting.span(*due)} ({words.USPS_WINDOW}) · *Actual* {actual}"
    stands = words.stands(progress) if progress.is_known else ""
    return f"\n*Expected* {words.expected(progress, due)}\n*Actual* {actual}{f'; {stands}' if stands else ''}"


CURVE_CAPTION: Final = "Share of the mailed pieces delivered by the end of each day"


def curve_answer(campaign: StoredCampaign, told: Forecast | None, picture: bytes | None) -> Message:
    """The campaign's way day by day, beside what is expected and usual: as a picture, and every number in words."""
    name = campaign.facts.name
    lines = words.points(told) if told else []
    progress, due = model.progress(told) if told else None, model.landing(campaign)
    summary = f"*Expected* {words.expected(progress, due)}" if progress and due else ""
    news = words.moved(told) if told else ""
    blocks = [
        header(f"Delivery of {name}"),
        context(f"Share of the mailed pieces delivered by the end of each day. {ESTIMATE}"),
        *([section(f"{summary} {news}".strip())] if summary else []),
        section("\n".join(lines) or "Nothing was handed over to USPS yet."),
    ]
    text = f"Delivery of {escape(name)}. " + "; ".join([*([summary.replace("*", "")] if summary else []), *lines])
    alt = f"Curve of the delivery of {name}. " + "; ".join(lines)
    return Message(clip(text, TEXT), blocks, _picture(picture, alt, f"Delivery of {name}"))


def _refresh(campaign: StoredCampaign | None, standing: Standing) -> Block:
    value = carry(campaign.id if campaign else None, standing.span.days)
    return button("Refresh", Action.REFRESH, value, spoken="Refresh these numbers")


def _campaign_buttons(campaign: StoredCampaign, standing: Standing) -> Block:
    name, this = campaign.facts.name, write(OneCampaign(campaign.id))
    row = [
        button("View details", Action.VIEW_DETAILS, this, spoken=f"View the pieces of {name}"),
        _refresh(campaign, standing),
        range_menu(campaign.id, standing.span, standing.today),
    ]
    if campaign.handed_over_first is not None:
        spoken = f"How {name} is delivered, day by day"
        row.append(button("Delivery curve", Action.DELIVERY_CURVE, this, spoken=spoken))
    if returned := standing.mix.of(Status.RETURNED):
        label = f"Returns ({formatting.count(returned)})"
        row.append(button(label, Action.RETURNS, this, spoken=f"What came back of {name}"))
    if may_offer_cancel(campaign, standing.mix):
        row.append(button("Cancel…", Action.CANCEL_CAMPAIGN, this, spoken=f"Cancel what can be in {name}"))
    return actions(*row)


def may_offer_cancel(campaign: StoredCampaign, mix: Mix) -> bool:
    """Whether anything of it may still be stopped: unbooked, or with pieces not yet in production."""
    return bool(mix.of(*CANCELLABLE)) or campaign.facts.stage is CampaignStage.DRAFT


def _campaign_list(lines: Sequence[CampaignLine], number: int) -> list[Block]:
    if not lines:
        return [
            section("No campaigns in this range. *Numbers seem low? The range may be wrong:* choose another below.")
        ]
    blocks = [divider(), *(campaign_line(line) for line in lines[:LISTED])]
    more = number - LISTED
    if more > 0:
        blocks.append(context(f"and {more} more: `/mailstatus` with a name shows any of them"))
    return blocks


def campaign_line(line: CampaignLine) -> Block:
    """A campaign in a list, with *View details*."""
    name = line.campaign.facts.name
    mix = line.mix
    landed = formatting.percent(mix.of(Status.DELIVERED), mix.total)
    said = f"*{escape(name)}*\n{formatting.pieces(mix.total)} · {landed} delivered"
    returned = mix.of(Status.RETURNED)
    said += f" · {formatting.count(returned)} returned" if returned else ""
    return section(
        said,
        button(
            "View details",
            Action.VIEW_DETAILS,
            write(OneCampaign(line.campaign.id)),
            spoken=f"View the pieces of {name}",
        ),
    )
