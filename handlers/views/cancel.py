"""Cancelling: what could be stopped and what it saves, and afterwards who, when, and what really happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from handlers import figures
from handlers.messages import VIEW_TITLE, Block, Message, actions, clip_plain, context, escape, link_button, section
from handlers.styles import label
from handlers.views.controls import Action, Form
from handlers.views.track import modal, short_name
from storage.records import Mix, Money, StoredCampaign, StoredPiece
from storage.statuses import Status

LISTED = 10


class Outcome(StrEnum):
    """What a request to cancel came to. Stored: never rename."""

    CANCELLED = "cancelled"
    TOO_LATE = "too late"
    UNCLEAR = "unclear"
    REFUSED = "refused"
    DOWN = "not reached"
    ALREADY = "already cancelled"
    ASKED_BEFORE = "asked before"


SENTENCES: Mapping[Outcome, str] = {
    Outcome.CANCELLED: "cancelled",
    Outcome.TOO_LATE: "too late, it goes on",
    Outcome.UNCLEAR: "Stannp accepted the request but does not show it as cancelled yet; I will look again",
    Outcome.REFUSED: "Stannp refused to stop it, without saying that printing has begun; its dashboard may tell more",
    Outcome.DOWN: "Stannp could not be reached; nothing is known to have changed. Try again in a minute",
    Outcome.ALREADY: "was cancelled already",
    Outcome.ASKED_BEFORE: "somebody has asked for this already; the answer is on its way",
}


@dataclass(frozen=True)
class Result:
    """What happened to one piece, with the status that was read afterwards (None: could not be read)."""

    piece: StoredPiece
    outcome: Outcome
    now_at: Status | None


def piece_result(result: Result, by: str, at: datetime, money: Money | None) -> Message:
    """Who asked, when, and what really happened to the piece. Fit for a channel: the recipient is shortened."""
    said = SENTENCES[result.outcome]
    if result.outcome is Outcome.TOO_LATE and result.now_at is not None:
        said = f"too late: it is already at {label(result.now_at)}, and goes on"
    saved = f" {figures.money(money)} is not spent." if money and result.outcome is Outcome.CANCELLED else ""
    text = f"Piece `{escape(result.piece.ref)}` ({short_name(result.piece.recipient)}): {said}.{saved}"
    return Message(f"{text} Asked by <@{by}>.", [section(text), context(f"Asked by <@{by}> {figures.stamp(at)}")])


@dataclass(frozen=True)
class DryRun:
    """What can still be stopped of a campaign, and what that saves."""

    campaign: StoredCampaign
    mix: Mix
    stoppable: int
    saves: Money
    dashboard: str
    channel: str


def dry_run(plan: DryRun) -> Block:
    """What cancelling this campaign would do, before anything is done. The button says how many."""
    name = escape(plan.campaign.facts.name)
    stoppable, mix = plan.stoppable, plan.mix
    rest = mix.total - stoppable
    blocks = [
        section(f"*{figures.count(stoppable)} of {figures.pieces(mix.total)}* of {name} can still be stopped."),
        section(f"That saves about *{figures.money(plan.saves)}*."),
        section(
            "This campaign is booked, and Stannp's API cannot cancel a booked campaign as a whole. I will ask for each "
            "of these pieces, one by one, and tell you which it really stopped. To cancel the whole booking, use "
            "Stannp's dashboard; its deadline is usually the working day before the mailing date."
        ),
        actions(link_button("Open in Stannp", Action.OPEN_DASHBOARD, plan.dashboard)),
    ]
    if rest:
        blocks.insert(1, section(f"The other {figures.count(rest)} go on: {_others(mix)}."))
    return _form(f"Cancel {figures.pieces(stoppable)}", blocks, f"{plan.campaign.id}|{plan.channel}")


def _others(mix: Mix) -> str:
    others = [(status, number) for status, number in mix.in_order() if number and status is not Status.RECEIVED]
    said = [f"{figures.count(number)} {label(status)}" for status, number in others]
    return ", ".join(said) if said else "with statuses that I do not know"


def delete_form(campaign: StoredCampaign, channel: str) -> Block:
    """A campaign that is not booked can be removed whole."""
    name = escape(campaign.facts.name)
    text = f"*{name}* is not booked yet. Deleting it removes it at Stannp for good; nothing was paid."
    return _form("Delete campaign", [section(text)], f"{campaign.id}|{channel}")


def nothing_to_cancel(campaign: StoredCampaign, dashboard: str) -> Block:
    """Every piece is past the point of return."""
    text = (
        f"No piece of *{escape(campaign.facts.name)}* can be stopped any more: printing has begun or they are on their "
        "way. A booking that has not reached its mailing date can only be cancelled in Stannp's dashboard."
    )
    return modal(
        "Nothing to cancel", [section(text), actions(link_button("Open in Stannp", Action.OPEN_DASHBOARD, dashboard))]
    )


def _form(submit: str, blocks: Sequence[Block], metadata: str) -> Block:
    return modal("Cancel campaign", blocks) | {
        "callback_id": Form.CANCEL_CAMPAIGN,
        "private_metadata": metadata,
        "submit": {"type": "plain_text", "text": clip_plain(submit, VIEW_TITLE)},
        "close": {"type": "plain_text", "text": "Keep it"},
    }


def campaign_result(
    campaign: StoredCampaign, results: Sequence[Result], by: str, at: datetime, saved: Money, dashboard: str
) -> Message:
    """What happened, piece by piece where results differ."""
    groups = {outcome: [r for r in results if r.outcome is outcome] for outcome in Outcome}
    counts = " · ".join(f"{figures.count(len(found))} {outcome.value}" for outcome, found in groups.items() if found)
    name = escape(campaign.facts.name)
    text = f"Cancelling {name}: {counts or 'no piece was left to stop'}."
    blocks = [section(f"*{text}*\n{figures.money(saved)} is not spent.")]
    different = [r for outcome, found in groups.items() if outcome is not Outcome.CANCELLED for r in found]
    if different:
        blocks.append(section("\n".join(_line(result) for result in different[:LISTED])))
        more = len(different) - LISTED
        blocks.append(actions(link_button("Open in Stannp", Action.OPEN_DASHBOARD, dashboard)))
        if more > 0:
            blocks.append(context(f"and {figures.count(more)} more with the same kinds of answer"))
    blocks.append(context(f"Asked by <@{by}> {figures.stamp(at)}"))
    return Message(f"{text} Asked by <@{by}>.", blocks)


def _line(result: Result) -> str:
    where = f", now {label(result.now_at)}" if result.now_at is not None else ""
    return f"• `{escape(result.piece.ref)}` {short_name(result.piece.recipient)}: {result.outcome.value}{where}"


def deleted(campaign: StoredCampaign, by: str, at: datetime) -> Message:
    """The unbooked campaign is gone."""
    text = f"The campaign *{escape(campaign.facts.name)}* was deleted at Stannp. It was not booked; nothing was paid."
    return Message(f"{text} Asked by <@{by}>.", [section(text), context(f"Asked by <@{by}> {figures.stamp(at)}")])


def booked(text: str, dashboard: str) -> Message:
    """The campaign was booked in the meantime: only the dashboard can cancel it."""
    return Message(text, [section(text), actions(link_button("Open in Stannp", Action.OPEN_DASHBOARD, dashboard))])
