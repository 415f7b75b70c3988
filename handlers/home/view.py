"""The Home tab: the account's reporting page. Status mix, money, and the campaigns of a range."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from handlers.status.view import (
    CampaignLine,
    Standing,
    campaign_line,
    caveats,
    freshness,
    left_out_text,
    money_line,
    nearest_said,
    nothing_ordered,
)
from handlers.text import formatting
from handlers.text.buttons import NOTHING, Action, Form, OneCampaign, OnePiece, OneRow, Word, carry
from handlers.text.codec import Value, write
from handlers.text.messages import (
    Block,
    actions,
    button,
    context,
    date_picker,
    divider,
    escape,
    header,
    image_at,
    input_block,
    modal,
    option,
    quote,
    section,
    select,
)
from handlers.text.mixes import counts_text, headline, legend, strip
from handlers.text.parsing import PRESETS, Range
from handlers.track.view import plain_standing, recipient
from storage.records import StoredCampaign, StoredPiece
from storage.statuses import Status

#: Campaigns on one page; with what is above and below them a view stays within its hundred blocks.
PAGE: Final = 40
#: Characters that a search may have.
LONGEST_ASKED: Final = 100


@dataclass(frozen=True)
class Report:
    """What Home shows. `kept` is the range as it is remembered, `note` a remark about it."""

    standing: Standing
    #: The campaigns of this page, of so many.
    lines: Sequence[CampaignLine]
    number: int
    kept: str
    page: int = 0
    #: Campaigns with pieces that the range leaves out.
    left_out: int = 0
    #: Where the pie can be fetched; "" where it cannot, and colored squares stand for it.
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
    #: The pie was just sent to this person.
    sent: bool = False


def home(report: Report) -> Block:
    """The whole tab."""
    standing = report.standing
    said = f"{headline(standing.mix)}." if standing.mix.total else nothing_ordered(standing, report.left_out)
    blocks = [
        header("Your mail"),
        *(section(f":warning: {one}") for one in report.problems),
        _headline(said, standing.nearest),
        *_mix(report),
        section(_money(report)),
        freshness(standing, left_out_text(standing, report.left_out)),
        *([context(caveats(standing.mix))] if caveats(standing.mix) else []),
        *([context(report.runway)] if report.runway else []),
        _range_row(report),
        *([context(f":warning: {escape(report.note)}")] if report.note else []),
        _search(),
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


def _headline(said: str, near: Range | None) -> Block:
    """The first line; of an empty range with the button that shows the nearest one that has mail."""
    if near is None:
        return section(f"*{escape(said)}*")
    days = write(Word(f"{near.days.first}..{near.days.last}"))
    show = button(f"Show {near.label}", Action.HOME_NEAREST, days, spoken=nearest_said(near))
    return section(f"*{escape(said)}*", show)


def _money(report: Report) -> str:
    total = report.standing.mix.total
    return (f"*{formatting.pieces(total)}* · " if total else "") + money_line(report.standing)


def _search() -> Block:
    """Campaigns by name, pieces by recipient, ZIP, address or id: answered in a modal."""
    element: Block = {
        "type": "plain_text_input",
        "action_id": Action.HOME_SEARCH,
        "max_length": LONGEST_ASKED,
        "placeholder": {"type": "plain_text", "text": "Campaign, recipient, ZIP, address or piece id"},
        "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]},
    }
    return input_block("Find", "home_search", element, optional=True) | {"dispatch_action": True}


def full(most: int) -> str:
    """Why a campaign may be missing."""
    return (
        f"Your mail account has at least {formatting.count(most)} campaigns, and that is as many as I keep. Pieces of "
        "newer ones are counted, but without their campaign's name."
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
    return row | {"block_id": f"range {report.kept} {report.standing.span.said}"[:255]}


def _returns(report: Report) -> Block:
    number = formatting.count(report.standing.mix.of(Status.RETURNED))
    value = carry(None, report.standing.span.days)
    return button(f"Returns ({number})", Action.RETURNS_RANGE, value, spoken="What came back of this range's mail")


def _mix(report: Report) -> list[Block]:
    mix = report.standing.mix
    if not report.known or not mix.total:
        return []
    if report.picture:
        alt = f"Pie chart of your mail. {headline(mix)}. {counts_text(mix)}."
        return [image_at(report.picture, alt), section(escape(counts_text(mix))), actions(_post(report))]
    value = carry(None, report.standing.span.days)
    show = button("Show the pie", Action.SHOW_PIE, value, spoken="Send the pie to me in a direct message")
    done = [context(":white_check_mark: The pie is in our direct messages: open *Messages* above.")]
    return [section(f"{strip(mix)}\n{legend(mix)}"), actions(show, _post(report)), *(done if report.sent else [])]


def _post(report: Report) -> Block:
    value = carry(None, report.standing.span.days)
    return button("Post pie…", Action.POST_PIE, value, spoken="Post the pie in a channel")


def _campaigns(report: Report) -> list[Block]:
    shown, number, first = report.lines, report.number, report.page * PAGE
    if not shown:
        return []
    head = f"*Campaigns* ({formatting.count(number)})"
    if number > PAGE:
        head += f" · {formatting.count(first + 1)} to {formatting.count(first + len(shown))}"
    today = report.standing.today
    return [section(head), *(campaign_line(line, today) for line in shown), *_pager(report, number)]


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


def post_form(value: Value) -> Block:
    """Which channel the pie goes to. `value`: what is shown, as the button carried it."""
    element: Block = {
        "type": "conversations_select",
        "action_id": "channel",
        "placeholder": {"type": "plain_text", "text": "Choose a channel"},
        "filter": {"include": ["public", "private"], "exclude_bot_users": True},
    }
    return modal("Post pie", [input_block("Channel", "channel", element)], value) | {
        "callback_id": Form.POST_PIE,
        "submit": {"type": "plain_text", "text": "Post"},
        "close": {"type": "plain_text", "text": "Not now"},
    }


def posted(channel: str) -> Block:
    """It is there."""
    return modal("Post pie", [section(f":white_check_mark: Posted in <#{channel}>.")])


def not_posted(channel: str, why: str) -> Block:
    """It is not, and why. `why` is plain text."""
    return modal("Post pie", [section(f":warning: I couldn't post it in <#{channel}>. {escape(why)}")])


NARROW: Final = "There are more pieces. Type the full name, the address or the id to narrow it down."


def found(asked: str, campaigns: Sequence[StoredCampaign], pieces: Sequence[StoredPiece], *, more: bool) -> Block:
    """What a search found. `asked` is what was typed, `more` whether not all pieces fit."""
    blocks = [
        *(_found_campaign(one) for one in campaigns),
        *(_found_piece(one) for one in pieces),
        *([context(NARROW)] if more else []),
    ]
    nothing = (
        f"Nothing matches “{quote(asked)}”. Try a campaign's name, a recipient's last name, a ZIP or a piece's id."
    )
    return modal("Find", blocks or [section(nothing)])


def _found_campaign(campaign: StoredCampaign) -> Block:
    name = campaign.facts.name
    show = button(
        "View details", Action.VIEW_DETAILS, write(OneCampaign(campaign.id)), spoken=f"View the pieces of {name}"
    )
    return section(f"*{escape(name)}*\nCampaign #{escape(campaign.facts.ref)}", show)


def _found_piece(piece: StoredPiece) -> Block:
    track = button("Tracking", Action.TRACK, write(OnePiece(piece.id)), spoken=f"Tracking of piece {piece.ref}")
    where = f" · {escape(piece.campaign_name)}" if piece.campaign_name else ""
    return section(f"{recipient(piece)}\n{escape(plain_standing(piece))}{where}", track)
