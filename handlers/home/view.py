"""The Home tab: the account's reporting page. Status mix, money, and the campaigns of a range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from handlers.status.view import CampaignLine, Standing, campaign_line, caveats, counts_text, freshness, money_line
from handlers.text import formatting
from handlers.text.buttons import NOTHING, Action, OneRow, Word, carry
from handlers.text.codec import write
from handlers.text.messages import (
    Block,
    actions,
    button,
    clip,
    context,
    date_picker,
    divider,
    escape,
    header,
    image_at,
    option,
    section,
    select,
)
from handlers.text.parsing import PRESETS, Range
from handlers.text.status_styles import OTHER_LABEL, STYLES
from storage.records import Mix
from storage.statuses import Status

#: Campaigns on one page; with what is above and below them a view stays within its hundred blocks.
PAGE: Final = 40
#: Characters of the longest bar.
BAR: Final = 20


@dataclass(frozen=True)
class Report:
    """What Home shows. `kept` is the range as it is remembered, `note` a remark about it."""

    standing: Standing
    #: The campaigns of this page, of so many.
    lines: Sequence[CampaignLine]
    number: int
    kept: str
    page: int = 0
    #: Where the pie can be fetched; "" where it cannot, and bars of text stand for it.
    picture: str = ""
    note: str = ""
    #: How far the balance reaches, in a sentence; "" where nothing is booked.
    runway: str = ""
    #: Whether the account was read at least once.
    known: bool = True
    #: Whether this person may change settings, and whether the mail account is connected from here.
    settings_admin: bool = False
    account: bool = False
    #: What only a person can mend, in words.
    problems: Sequence[str] = ()
    #: How far the webhook is set up, and what the platform does not answer, in a sentence; "" where all is well.
    webhook: str = ""
    gaps: str = ""


def home(report: Report) -> Block:
    """The whole tab."""
    standing = report.standing
    total = formatting.pieces(standing.mix.total)
    blocks = [
        header("Your mail"),
        *(section(f":warning: {one}") for one in report.problems),
        _range_row(report),
        *([context(f":warning: {escape(report.note)}")] if report.note else []),
        section(f"*{total}* ordered {escape(standing.span.label)}\n{money_line(standing)}"),
        *([context(report.runway)] if report.runway else []),
        *_mix(report),
        freshness(standing, ""),
        divider(),
        *_campaigns(report),
        divider(),
        *([_steering(report)] if report.settings_admin else []),
        *([context(report.webhook)] if report.settings_admin and report.webhook else []),
        *([context(f":warning: {report.gaps}")] if report.gaps else []),
        context(
            "`/mailstatus Spring` posts a campaign's pie in a channel · `/mailtrack 78701` finds a piece · "
            "`/mailalerts on` tells a channel what comes back"
        ),
    ]
    return {"type": "home", "blocks": blocks}


def full(most: int) -> str:
    """Why a campaign may be missing."""
    return (
        f"Your mail account has at least {formatting.count(most)} campaigns. Piecewise knows that many and takes in no "
        "more: the pieces of further ones are counted and told, but not by their campaign's name."
    )


def _steering(report: Report) -> Block:
    """What only those who may change settings see."""
    account = [
        button("Mail account", Action.CONNECT, NOTHING, spoken="Connect another mail account"),
        button("Webhook", Action.WEBHOOK, NOTHING, spoken="Set up the mail platform's webhook"),
    ]
    return actions(
        button("Settings", Action.SETTINGS, NOTHING, spoken="Who may cancel, and who may change settings"),
        button("Audit log", Action.AUDIT, NOTHING, spoken="Who did what"),
        *(account if report.account else []),
    )


def _range_row(report: Report) -> Block:
    options = {key: option(label, write(Word(key))) for key, (label, _) in PRESETS.items()}
    days = report.standing.span.days
    row = actions(
        select(Action.HOME_RANGE, "Range", list(options.values()), options.get(report.kept)),
        date_picker(Action.HOME_FIRST, "First day", days.first),
        date_picker(Action.HOME_LAST, "Last day", days.last),
        button("Refresh", Action.HOME_REFRESH, write(OneRow(report.page)), spoken="Read the numbers again"),
        *([_returns(report)] if report.standing.mix.of(Status.RETURNED) else []),
    )
    # Slack keeps what was chosen in a block of the same name, whatever it is told to show.
    return row | {"block_id": f"range {report.kept} {report.standing.span.label}"[:255]}


def _returns(report: Report) -> Block:
    number = formatting.count(report.standing.mix.of(Status.RETURNED))
    value = carry(None, report.standing.span.days)
    return button(f"Returns ({number})", Action.RETURNS_RANGE, value, spoken="What came back of this range's mail")


def _mix(report: Report) -> list[Block]:
    mix = report.standing.mix
    if not report.known:
        return [section("I am reading your mail account for the first time. This page fills itself in a few minutes.")]
    if not mix.total:
        return [
            section(
                "*No pieces were ordered in this range.* Numbers low? The range may be wrong: choose *All time* above "
                "to see everything. Days are those on which pieces were ordered, not those on which they moved."
            )
        ]
    said = [context(caveats(mix))] if caveats(mix) else []
    if report.picture:
        alt = f"Pie chart of your mail, {report.standing.span.label}. {counts_text(mix)}."
        return [image_at(report.picture, alt), section(escape(counts_text(mix))), *said]
    return [section(bars(mix)), *said]


def bars(mix: Mix) -> str:
    """Every number of the pie, each with a bar of text."""
    rows = [(STYLES[status].emoji, STYLES[status].label, number) for status, number in mix.in_order()]
    rows += [(":grey_question:", OTHER_LABEL, mix.other)] if mix.other else []
    most = max(number for _, _, number in rows) or 1
    parts = formatting.shares([number for _, _, number in rows])
    lines = [
        f"{emoji} `{_bar(number, most)}` *{label}* {formatting.count(number)} ({escape(part)})"
        for (emoji, label, number), part in zip(rows, parts, strict=True)
        if number
    ]
    return "\n".join(lines)


def _bar(number: int, most: int) -> str:
    full = max(round(number * BAR / most), 1)
    return "█" * full + "░" * (BAR - full)


def _campaigns(report: Report) -> list[Block]:
    shown, number, first = report.lines, report.number, report.page * PAGE
    if not shown:
        return [section("*Campaigns*\nNone has pieces in this range.")]
    head = f"*Campaigns* · {formatting.count(number)} in this range, the latest to move first"
    if number > PAGE:
        head += f" · {formatting.count(first + 1)} to {formatting.count(first + len(shown))}"
    return [section(head), *(campaign_line(line) for line in shown), *_pager(report, number)]


def _pager(report: Report, number: int) -> list[Block]:
    row = []
    if report.page:
        row.append(
            button("Previous page", Action.HOME_PAGE, write(OneRow(report.page - 1)), spoken="Previous campaigns")
        )
    if (report.page + 1) * PAGE < number:
        row.append(button("Next page", Action.HOME_PAGE, write(OneRow(report.page + 1)), spoken="Next campaigns"))
    # A row may hold each action once.
    return [actions(one) for one in row]


def title_of(span: Range) -> str:
    """The line under the pie's title."""
    return clip(f"Ordered {span.label}", 70)
