"""Where a campaign's pieces, or the account's, stand: the answer to `/mailstatus`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from handlers.forecast import model, words
from handlers.forecast.model import Forecast, Progress
from handlers.text import formatting, parsing, ranges
from handlers.text.buttons import Action, OneCampaign, carry, is_listed, range_menu, range_pickers
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
    quote,
    section,
)
from handlers.text.mixes import counts_text, headline, share_of_mailed
from handlers.text.parsing import Range
from handlers.text.status_styles import OTHER
from storage.records import CampaignId, CampaignStage, Mix, Money, StoredCampaign
from storage.statuses import CANCELLABLE, MAILED, SCANNED, UNDER_WAY, Status

#: Campaigns listed in one answer; the rest are a command away.
LISTED: Final = 8
ESTIMATE: Final = "Delivered is USPS's estimate."
NO_SCAN: Final = "1–4% of pieces never get a final scan. That doesn't mean they're lost."
UNSCANNED: Final = "Some pieces are never scanned on their way."
WAITING: Final = "It can take days until USPS's first scan."


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
    #: The mail platform's name.
    platform: str
    #: It does not answer: these are the last known numbers.
    stale: bool = False
    #: The words that the platform says of pieces at "Other".
    words: Sequence[str] = ()
    #: Where nothing is in the range: the month nearest to it in which something was ordered.
    nearest: Range | None = None


@dataclass(frozen=True)
class CampaignLine:
    """A campaign with its mix, for the account's list."""

    campaign: StoredCampaign
    mix: Mix


#: Words that are named, and how much of each.
WORDS, LONGEST_WORD = 3, 40


def _other(foreign: Sequence[str]) -> str:
    """What "Other" is. Escaped."""
    if not foreign:
        return f"“{OTHER.label}” is a status word that I don't know yet."
    named = ", ".join(f"“{quote(word, LONGEST_WORD)}”" for word in foreign[:WORDS])
    more = f" and {formatting.count(len(foreign) - WORDS)} more" if len(foreign) > WORDS else ""
    one = len(foreign) == 1
    return f"“{OTHER.label}” is {'a status word' if one else 'status words'} that I don't know yet: {named}{more}."


def caveats(mix: Mix, foreign: Sequence[str] = ()) -> str:
    """What must be said beside these numbers so that nobody reads more into them. `foreign`: the words of "Other"."""
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
        said.append(_other(foreign))
    return " ".join(said)


def campaign_answer(
    campaign: StoredCampaign, standing: Standing, picture: bytes | None, progress: Progress | None = None, *,
    when: bool = False, pace: bool = False, stop: Sequence[str] = (),
) -> Message:  # fmt: skip
    """One campaign: the sentence that says how it stands, its pie, all its numbers, and what can be done.

    `when`: that was asked, so the days come first. `pace`: whether it is ahead or behind, so that does. `stop`: it was
    to be stopped, so what is said to that does, and its button.
    """
    name, mix = campaign.facts.name, standing.mix
    stands = _campaign_headline(campaign, standing, None if pace else progress)
    first = [_days(campaign, standing, progress)] if when else []
    first += [words.beside_usual(progress)] if pace and mix.total and not is_cancelled(campaign, mix) else []
    answers = [*stop, *filter(None, first), stands]
    said = " ".join(answers)
    numbers = f"{formatting.pieces(mix.total)}: {counts_text(mix)}" if mix.total else ""
    blocks = [
        header(name),
        _headline(answers, campaign.id, standing),
        *([section(escape(numbers))] if numbers else []),
        section(money_line(standing) + _landing_line(campaign, standing, progress)),
        freshness(standing, _not_listed(campaign, standing)),
        *([context(caveats(mix, standing.words))] if caveats(mix) else []),
        _campaign_buttons(campaign, standing, stop=bool(stop)),
        *_own_dates(campaign.id, standing),
    ]
    text = f"{escape(name)}: {escape(said)} {escape(numbers)}".strip()
    return Message(text, blocks, _picture(picture, f"Pie chart of {name}. {said} {numbers}", name))


def _headline(answers: Sequence[str], campaign_id: CampaignId | None, standing: Standing) -> Block:
    """The first line, and below it what else was asked; of an empty range with the button that shows the nearest one
    that has mail."""
    text, near = "\n".join((f"*{escape(answers[0])}*", escape(" ".join(answers[1:])))).rstrip(), standing.nearest
    if near is None:
        return section(text)
    show = button(f"Show {near.label}", Action.REFRESH, carry(campaign_id, near.days), spoken=nearest_said(near))
    return section(text, show)


def nearest_said(near: Range) -> str:
    """Where the nearest mail is."""
    return f"The nearest mail was ordered in {near.label}."


def _campaign_headline(campaign: StoredCampaign, standing: Standing, progress: Progress | None) -> str:
    if standing.mix.total:
        pace = words.pace(progress) if progress and standing.span.days.first is None else ""
        return f"{headline(standing.mix)}, {pace}." if pace else f"{headline(standing.mix)}."
    if standing.span.days.first is not None:
        near = f" {nearest_said(standing.nearest)}" if standing.nearest else ""
        return f"Nothing of it was ordered in these days.{near}"
    send_on = campaign.facts.send_on
    if campaign.facts.stage is CampaignStage.CANCELLED:
        return "This campaign is cancelled."
    if send_on is not None and send_on >= standing.today:
        return f"Mails {formatting.day_near(send_on, standing.today)}."
    return "No pieces yet. They show up once the campaign is booked."


def account_answer(
    lines: Sequence[CampaignLine], number: int, standing: Standing, picture: bytes | None, left_out: int = 0,
    first: Sequence[str] = (),
) -> Message:  # fmt: skip
    """The whole account: how it stands, its pie, all its numbers, and the first of its so many campaigns.

    `left_out`: campaigns with pieces that are not among them. `first`: what was asked beyond that, answered.
    """
    mix = standing.mix
    stands = f"{headline(mix)}." if mix.total else nothing_ordered(standing, left_out)
    answers = [*filter(None, first), stands]
    said = " ".join(answers)
    numbers = f"{formatting.pieces(mix.total)}: {counts_text(mix)}" if mix.total else ""
    blocks = [
        header("Your mail"),
        _headline(answers, None, standing),
        *([section(escape(numbers))] if numbers else []),
        section(money_line(standing)),
        freshness(standing, left_out_text(standing, left_out)),
        *([context(caveats(mix))] if caveats(mix) else []),
        *_campaign_list(lines, number, standing.today),
        actions(range_menu(None, standing.span, standing.today), _refresh(None, standing), *_returns_of(standing)),
        *_own_dates(None, standing),
    ]
    text = f"Your mail: {escape(said)} {escape(numbers)}".strip()
    return Message(text, blocks, _picture(picture, f"Pie chart of your mail. {said} {numbers}", "Your mail"))


def nothing_ordered(standing: Standing, left_out: int) -> str:
    """Why there is nothing to show, and what would show something."""
    if standing.as_of is None:
        return "I'm reading your account for the first time. Numbers appear in a few minutes."
    if not left_out:
        return "There's no mail in your account yet."
    if standing.span.days.current:
        said = "Nothing is moving, and nothing was ordered in the last 30 days."
        return f"{said} {nearest_said(standing.nearest)}" if standing.nearest else f"{said} Choose All time."
    near = nearest_said(standing.nearest) if standing.nearest else "Try another range."
    return f"Nothing was ordered in these days. {near}"


def left_out_text(standing: Standing, left_out: int) -> str:
    """What the range leaves out, for the end of a line; "" for nothing."""
    if not left_out or not standing.mix.total:
        return ""
    if standing.span.days.current:
        return f" · {formatting.count(left_out)} older {_campaigns_are(left_out)} done and not shown"
    return f" · {formatting.count(left_out)} other {_campaigns_are(left_out)} outside this range"


def _campaigns_are(number: int) -> str:
    return "campaign is" if number == 1 else "campaigns are"


def _picture(png: bytes | None, alt: str, title: str) -> Picture | None:
    return Picture(png, clip(alt, 1900), title) if png else None


def freshness(standing: Standing, note: str) -> Block:
    """What is counted, of which moment the numbers are, and whether the platform answers."""
    if standing.as_of is None:
        when = "still reading your account for the first time, so these numbers will grow"
    elif standing.stale:
        when = f":warning: {standing.platform} isn't answering; last updated {formatting.stamp(standing.as_of)}"
    else:
        when = f"updated {formatting.stamp(standing.as_of)}"
    return context(f"{escape(standing.span.said)} · {when}{note}")


def _not_listed(campaign: StoredCampaign, standing: Standing) -> str:
    expected = campaign.facts.recipients or 0
    if standing.span.days.first is not None or not 0 < standing.mix.total < expected:
        return ""
    return f" · {formatting.count(standing.mix.total)} of {formatting.count(expected)} recipients are listed so far"


def money_line(standing: Standing) -> str:
    """Spent in the range, and the balance where it is known."""
    spent = f"*Spent* {formatting.money(Money(standing.mix.spent, standing.currency))}"
    return spent if standing.balance is None else f"{spent} · *Balance* {formatting.money(standing.balance)}"


def _landing_line(campaign: StoredCampaign, standing: Standing, progress: Progress | None) -> str:
    mix, today = standing.mix, standing.today
    due = model.landing(campaign)
    if due is None:
        send_on = None if is_cancelled(campaign, mix) else campaign.facts.send_on
        return f"\n*Mailing date* {formatting.day_near(send_on, today)}" if send_on else ""
    if not mix.total:
        return ""
    mailed, landed = mix.of(*MAILED), mix.of(Status.DELIVERED)
    actual = f"{formatting.count(landed)} of {formatting.count(mailed)} mailed are delivered."
    if landed and campaign.delivered_first is not None:
        actual += f" First arrived {formatting.stamp_day(campaign.delivered_first)}."
    if progress is None:
        return f"\n*Expected* {formatting.span_near(*due, today)}, by {words.USPS_WINDOW}\n*Actual* {actual}"
    said = f"{actual} {words.stands(progress)}".rstrip()
    return f"\n*Expected* {words.expected(progress, due, today, standing.platform)}\n*Actual* {said}"


def _days(campaign: StoredCampaign, standing: Standing, progress: Progress | None) -> str:
    """When it is expected, or mailed; "" where its headline says that, or nothing can."""
    if not standing.mix.total or is_cancelled(campaign, standing.mix):
        return ""
    if (due := model.landing(campaign)) is not None:
        return words.soon(progress, due, standing.today)
    send_on = campaign.facts.send_on
    ahead = send_on is not None and send_on >= standing.today
    return f"Mails {formatting.day_near(send_on, standing.today)}." if send_on and ahead else ""


def curve_headline(told: Forecast) -> str:
    """How far it is, beside what is usual on this day. Without a full stop."""
    progress = model.progress(told)
    if progress is None:
        return "Nothing has been handed to USPS yet"
    # In numbers: a share of the mailed ones would differ from the pie's, which is one of all.
    landed, mailed = formatting.count(progress.landed), formatting.count(progress.mailed)
    said = f"{landed} of {mailed} mailed pieces are delivered"
    pace = words.pace(progress)
    return f"{said}, {pace}" if pace else said


def curve_answer(
    campaign: StoredCampaign, told: Forecast | None, mix: Mix, picture: bytes | None, platform: str
) -> Message:
    """The campaign's way day by day, beside what is expected and usual: as a picture, whose words are its alt text."""
    name = campaign.facts.name
    said = f"{curve_headline(told)}." if told else "Nothing has been handed to USPS yet."
    lines = words.points(told, share_of_mailed(mix, Status.DELIVERED)) if told else []
    progress, due = model.progress(told) if told else None, model.landing(campaign)
    summary = f"*Expected* {words.expected(progress, due, told.today, platform)}" if told and progress and due else ""
    news = words.moved(told) if told else ""
    blocks = [
        header(f"Delivery of {name}"),
        section(f"*{escape(said)}*"),
        *([section(f"{summary} {news}".strip())] if summary else []),
        context(f"Share of the mailed pieces delivered by the end of each day. {ESTIMATE}"),
        *([section("\n".join(lines))] if lines and not picture else []),
    ]
    text = f"Delivery of {escape(name)}. {escape(said)} {summary.replace('*', '')}".strip()
    alt = f"Curve of the delivery of {name}. {said} " + "; ".join(line.replace("*", "") for line in lines)
    return Message(clip(text, TEXT), blocks, _picture(picture, alt, f"Delivery of {name}"))


def _own_dates(campaign_id: CampaignId | None, standing: Standing) -> list[Block]:
    """Two calendars under an answer whose days are on no list; under each other one the menu leads to them."""
    if is_listed(campaign_id, standing.span, standing.today):
        return []
    return range_pickers(campaign_id, standing.span)


def picking(answer: Message, campaign_id: CampaignId | None, span: Range) -> Message:
    """The answer with its two calendars, while days are chosen."""
    if _offers(answer, Action.RANGE_FIRST):
        return answer
    calendars = range_pickers(campaign_id, span)
    # Beside the menu that they were asked for from: at the end they would be out of sight.
    at = next(number for number, block in enumerate(answer.blocks, 1) if _holds(block, Action.CHOOSE_RANGE))
    return replace(answer, blocks=[*answer.blocks[:at], *calendars, *answer.blocks[at:]])


def _returns_of(standing: Standing) -> list[Block]:
    returned = standing.mix.of(Status.RETURNED)
    if not returned:
        return []
    value, label = carry(None, standing.span.days), f"Returns ({formatting.count(returned)})"
    return [button(label, Action.RETURNS_RANGE, value, spoken="What came back, by campaign")]


def _refresh(campaign: StoredCampaign | None, standing: Standing) -> Block:
    value = carry(campaign.id if campaign else None, standing.span.days)
    return button("Refresh", Action.REFRESH, value, spoken="Refresh these numbers")


def _campaign_buttons(campaign: StoredCampaign, standing: Standing, *, stop: bool) -> Block:
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
        cancel = button("Cancel…", Action.CANCEL_CAMPAIGN, this, spoken=f"Cancel what can be in {name}")
        row.insert(0 if stop else len(row), cancel)
    return actions(*row)


def is_cancelled(campaign: StoredCampaign, mix: Mix) -> bool:
    """Whether nothing of it will be mailed: all its pieces are cancelled, or the whole of it is."""
    if mix.total:
        return mix.of(Status.CANCELLED) == mix.total
    return campaign.facts.stage is CampaignStage.CANCELLED


def _offers(answer: Message, action: Action) -> bool:
    return any(_holds(block, action) for block in answer.blocks)


def _holds(block: Block, action: Action) -> bool:
    return any(one.get("action_id") == action for one in (*block.get("elements", []), block.get("accessory", {})))


def where_shown(answer: Message, asked: str, span: Range | None = None, name: str = "") -> str:
    """Which button has what was asked for beyond the numbers: who came back, or a file; and of returns in a range, by
    which day they are counted. `name`: of the campaign. "" where nothing is to be said."""
    file = parsing.EXPORTED.search(asked)
    if parsing.CAME_BACK.search(asked):
        counted = [_by_order(span, name)] if span is not None and span.days.first else []
        if not (_offers(answer, Action.RETURNS) or _offers(answer, Action.RETURNS_RANGE)):
            return "".join(counted)
        said = "For who came back and where, press *Returns* below; why, where somebody noted it there."
        return " ".join([*counted, f"{said} *Export CSV* there makes a file." if file else said])
    shown = file and _offers(answer, Action.VIEW_DETAILS)
    said = "For a file, press *View details* below, then *Export CSV*." if shown else ""
    landed = span is not None and span.days.first is not None and parsing.LANDED.search(asked) is not None
    return f"{_ordered(span)}, whenever it's delivered. {said}".strip() if span and landed else said


def _by_order(span: Range, name: str) -> str:
    """A range counts what was ordered in it; who asks what came back in it means another day of the same pieces."""
    days = ranges.name_days(span.days).label
    # A backtick would end the command that is shown.
    called = escape(name.replace("`", "'"))
    those = f"{called} came back {days}" if name else f"came back {days}"
    return f"{_ordered(span)}, whenever it came back. For what came back in those days: `/mailtrack {those}`."


def _ordered(span: Range) -> str:
    return f"This counts mail {span.said[:1].lower()}{span.said[1:]}"


def may_offer_cancel(campaign: StoredCampaign, mix: Mix) -> bool:
    """Whether anything of it may still be stopped: unbooked, or with pieces not yet in production."""
    return bool(mix.of(*CANCELLABLE)) or campaign.facts.stage is CampaignStage.DRAFT


def _campaign_list(lines: Sequence[CampaignLine], number: int, today: date) -> list[Block]:
    if not lines:
        return []
    blocks = [divider(), *(campaign_line(line, today) for line in lines[:LISTED])]
    more = number - LISTED
    if more > 0:
        blocks.append(context(f"{formatting.count(more)} more: open my *Home*, or type a name after `/mailstatus`."))
    return blocks


def campaign_line(line: CampaignLine, today: date) -> Block:
    """A campaign in a list, with *View details*."""
    name, mix = line.campaign.facts.name, line.mix
    number = f"{formatting.pieces(mix.total)} · " if mix.total else ""
    said = f"*{escape(name)}*\n{number}{escape(_line_said(line, today))}"
    return section(
        said,
        button(
            "View details",
            Action.VIEW_DETAILS,
            write(OneCampaign(line.campaign.id)),
            spoken=f"View the pieces of {name}",
        ),
    )


def _line_said(line: CampaignLine, today: date) -> str:
    send_on, mix = line.campaign.facts.send_on, line.mix
    if not mix.total and is_cancelled(line.campaign, mix):
        return "cancelled"
    if send_on is not None and send_on >= today and mix.of(Status.RECEIVED) == mix.total:
        return f"mails {formatting.day_near(send_on, today)}"
    said = headline(mix)
    return said[0].lower() + said[1:]
