"""Cancelling: what could be stopped and what it saves, and afterwards who, when, and what really happened."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from handlers.text import formatting
from handlers.text.buttons import Action, Cancelling, Form
from handlers.text.codec import write
from handlers.text.messages import (
    VIEW_TITLE,
    Block,
    Message,
    actions,
    clip_plain,
    context,
    escape,
    link_button,
    modal,
    section,
)
from handlers.text.mixes import rows_of
from handlers.text.status_styles import label
from handlers.track.view import recipient_briefly
from storage.cancellations import Outcome
from storage.records import ChannelId, Mix, Money, StoredCampaign, StoredPiece
from storage.statuses import CANCELLABLE, MAILED, Status

LISTED = 10
#: `{platform}` becomes the mail platform's name.
SENTENCES: Mapping[Outcome, str] = {
    Outcome.CANCELLED: "cancelled",
    Outcome.TOO_LATE: "too late, it will be mailed",
    Outcome.UNCLEAR: "I asked {platform} to stop it, but it doesn't show it as cancelled yet; I'll look again",
    Outcome.REFUSED: "{platform} refused to stop it and didn't say why; its dashboard may tell more",
    Outcome.DOWN: "I couldn't reach {platform}, so nothing has changed as far as I know. Try again in a minute",
    Outcome.ALREADY: "was already cancelled",
    Outcome.ASKED_BEFORE: "somebody already asked for this; the answer is on its way",
    Outcome.UNSETTLED: "I asked {platform} to stop it, but after three days it still doesn't show it as cancelled; "
    "look in its dashboard",
}


@dataclass(frozen=True)
class Result:
    """What happened to one piece, with the status that was read afterwards (None: could not be read)."""

    piece: StoredPiece
    outcome: Outcome
    now_at: Status | None


@dataclass(frozen=True)
class Who:
    """Who asked, when, and who approved it; "" where nobody had to."""

    by: str
    at: datetime
    approver: str = ""

    def __str__(self) -> str:
        return f"Asked by <@{self.by}>{self._approved()}"

    def _approved(self) -> str:
        return f", approved by <@{self.approver}>" if self.approver else ""

    def small_print(self) -> Block:
        return context(f"Asked by <@{self.by}> {formatting.stamp(self.at)}{self._approved()}")


def piece_result(result: Result, who: Who, money: Money | None, platform: str) -> Message:
    """Who asked, when, and what really happened to the piece. Fit for a channel: the recipient is shortened."""
    said = SENTENCES[result.outcome].format(platform=platform)
    if result.outcome is Outcome.TOO_LATE and result.now_at is not None:
        mailed = "" if result.now_at in MAILED else ", and will be mailed"
        said = f"too late: it's already {label(result.now_at)}{mailed}"
    saved = f" You saved {formatting.money(money)}." if money and result.outcome is Outcome.CANCELLED else ""
    text = f"Piece `{escape(result.piece.ref)}` ({recipient_briefly(result.piece)}): {said}.{saved}"
    return Message(f"{text} {who}.", [section(text), who.small_print()])


@dataclass(frozen=True)
class DryRun:
    """What can still be stopped of a campaign, and what that saves."""

    campaign: StoredCampaign
    mix: Mix
    stoppable: int
    saves: Money
    #: Pieces among them whose cost is not known.
    unpriced: int
    dashboard: str
    channel: ChannelId
    #: Holds exactly these pieces: what is confirmed is this and no more.
    intent_id: int
    #: The mail platform's name, and whether it can stop the whole booking.
    platform: str
    stops_bookings: bool = False
    #: Above what someone else must approve it; None where nobody has to.
    needs_approval_above: Money | None = None


def dry_run(plan: DryRun) -> Block:
    """What cancelling this campaign would do, before anything is done. The button says how many."""
    name = escape(plan.campaign.facts.name)
    stoppable, mix = plan.stoppable, plan.mix
    blocks = [
        section(f"*{formatting.count(stoppable)} of {formatting.pieces(mix.total)}* of {name} can still be stopped."),
        section(f"That saves about *{formatting.money(plan.saves)}*{_unpriced(plan.unpriced)}."),
        *_approval(plan),
        section(_by_pieces(plan)),
        _to_dashboard(plan.platform, plan.dashboard),
    ]
    if mix.total > stoppable:
        blocks.insert(1, section(_rest(mix, stoppable)))
    carries = Cancelling(plan.campaign.id, plan.intent_id, plan.channel)
    return _form(f"Cancel {formatting.pieces(stoppable)}", blocks, carries)


def _approval(plan: DryRun) -> list[Block]:
    """What comes before anything is stopped, where somebody else must approve it."""
    above = plan.needs_approval_above
    if above is None:
        return []
    must = "*someone else must approve this*"
    if plan.saves.amount <= above.amount:
        said = f"The cost of some pieces isn't known, so {must}."
    elif above.amount:
        said = f"That's more than {formatting.money(above)}, so {must}."
    else:
        said = f"Like every cancellation here, {must}."
    return [section(f"{said} {_where_asked(plan.channel)}")]


def _where_asked(channel: ChannelId) -> str:
    if not channel or channel.startswith("D"):
        return "Ask in a channel I'm in: nobody would see the request here."
    return f"I'll post the request in <#{channel}>, and stop nothing before that."


def _by_pieces(plan: DryRun) -> str:
    one_by_one = "I will ask for each of these pieces, one by one, and tell you which it really stopped."
    if plan.stops_bookings:
        return f"This campaign is booked. {one_by_one} {plan.platform}'s dashboard can also cancel the whole booking."
    return (
        f"This campaign is booked, and {plan.platform}'s API cannot cancel a booked campaign as a whole. {one_by_one} "
        f"To cancel the whole booking, use {plan.platform}'s dashboard; its deadline is usually the working day before "
        "the mailing date."
    )


def _to_dashboard(platform: str, dashboard: str) -> Block:
    return actions(link_button(f"Open in {platform}", Action.OPEN_DASHBOARD, dashboard))


def _unpriced(number: int) -> str:
    return f", not counting {formatting.pieces(number)} whose cost I don't know" if number else ""


def begun(campaign: str, number: int, grown: int) -> Message:
    """The first answer: it is on its way. `grown`: pieces that nobody asked for."""
    name = f"*{escape(campaign)}*"
    text = f"Stopping {formatting.pieces(number)} of {name}. I'll tell you here when it's done."
    if not number:
        text = f"Nothing you asked for of {name} is left to stop. I'll check each piece and tell you here."
    blocks = [section(text)]
    if grown:
        more = (
            f"The campaign has grown: {formatting.pieces(grown)} more can be stopped, and I'm leaving those alone. "
            "Press *Cancel…* again to stop them, too."
        )
        blocks.append(section(more))
        text += f" {more}"
    return Message(text, blocks)


def _rest(mix: Mix, stoppable: int) -> str:
    """What is true of each part that cannot be stopped: it is cancelled already, or too late."""
    cancelled = mix.of(Status.CANCELLED)
    late = mix.total - stoppable - cancelled
    said = f"{formatting.count(cancelled)} {'is' if cancelled == 1 else 'are'} cancelled already." if cancelled else ""
    if late <= 0:
        return said
    which = "The other one" if late == 1 else f"The other {formatting.count(late)}"
    return f"{said} {which} can't: {_too_late(mix)}.".strip()


def _too_late(mix: Mix) -> str:
    """Where the pieces stand that are neither cancelled nor can be."""
    rows = [row for row in rows_of(mix) if row.status not in CANCELLABLE and row.status is not Status.CANCELLED]
    said = [f"{formatting.count(row.number)} {row.style.label}" for row in rows]
    return ", ".join(said) or "I don't know where they stand"


def delete_form(campaign: StoredCampaign, channel: ChannelId, platform: str) -> Block:
    """A campaign that is not booked can be removed whole."""
    name = escape(campaign.facts.name)
    text = f"*{name}* isn't booked yet. Deleting it removes it from {platform} for good. Nothing was paid."
    return _form("Delete campaign", [section(text)], Cancelling(campaign.id, None, channel))


def nothing_to_cancel(campaign: StoredCampaign, mix: Mix, dashboard: str, platform: str) -> Block:
    """Nothing of it can be stopped: it is cancelled already, past the point of return, or not known yet."""
    text = _why_nothing(f"*{escape(campaign.facts.name)}*", mix)
    if mix.total != mix.of(Status.CANCELLED) or not mix.total:
        text += f" A booking that hasn't reached its mailing date can only be cancelled in {platform}'s dashboard."
    return modal("Nothing to cancel", [section(text), _to_dashboard(platform, dashboard)])


def _why_nothing(name: str, mix: Mix) -> str:
    cancelled, late = mix.of(Status.CANCELLED), mix.total - mix.of(Status.CANCELLED)
    if not mix.total:
        return f"I don't know any pieces of {name} yet."
    if not late:
        all_ = "The one piece" if cancelled == 1 else f"All {formatting.pieces(cancelled)}"
        return f"{all_} of {name} {'is' if cancelled == 1 else 'are'} cancelled already. There's nothing left to stop."
    if not cancelled:
        return f"No piece of {name} can be stopped anymore: {_too_late(mix)}."
    done = f"{formatting.count(cancelled)} of {formatting.pieces(mix.total)} of {name}"
    other = "one" if late == 1 else formatting.count(late)
    return (
        f"{done} {'is' if cancelled == 1 else 'are'} cancelled already. "
        f"The other {other} can't be stopped anymore: {_too_late(mix)}."
    )


def _form(submit: str, blocks: Sequence[Block], carries: Cancelling) -> Block:
    return modal("Cancel campaign", blocks, write(carries)) | {
        "callback_id": Form.CANCEL_CAMPAIGN,
        "submit": {"type": "plain_text", "text": clip_plain(submit, VIEW_TITLE)},
        "close": {"type": "plain_text", "text": "Keep it"},
    }


def campaign_result(
    campaign: StoredCampaign,
    results: Sequence[Result],
    who: Who,
    saved: Money,
    dashboard: str,
    platform: str,
    *,
    late: bool = False,
) -> Message:
    """What happened, piece by piece where results differ. `late`: only what was unclear before."""
    groups = {outcome: [r for r in results if r.outcome is outcome] for outcome in Outcome}
    counts = " · ".join(f"{formatting.count(len(found))} {outcome.value}" for outcome, found in groups.items() if found)
    name = escape(campaign.facts.name)
    rest = ", what was unclear" if late else ""
    text = f"Cancelling {name}{rest}: {counts or 'no piece was left to stop'}."
    blocks = [section(f"*{text}*\nYou saved {formatting.money(saved)}.")]
    if groups[Outcome.UNCLEAR]:
        unclear = f"Unclear: I asked, but {platform} does not show it yet. I'll look again and tell you here."
        blocks.append(context(unclear))
    if groups[Outcome.UNSETTLED]:
        blocks.append(context(f"Still unclear: look in {platform}'s dashboard, I won't look again."))
    different = [r for outcome, found in groups.items() if outcome is not Outcome.CANCELLED for r in found]
    if different:
        blocks.append(section("\n".join(_line(result) for result in different[:LISTED])))
        more = len(different) - LISTED
        blocks.append(_to_dashboard(platform, dashboard))
        if more > 0:
            blocks.append(context(f"and {formatting.count(more)} more with the same kinds of answer"))
    blocks.append(who.small_print())
    return Message(f"{text} {who}.", blocks)


def _line(result: Result) -> str:
    where = f", now {label(result.now_at)}" if result.now_at is not None else ""
    return f"• `{escape(result.piece.ref)}` {recipient_briefly(result.piece)}: {result.outcome.value}{where}"


def deleted(campaign: StoredCampaign, who: Who, platform: str) -> Message:
    """The unbooked campaign is gone."""
    name = escape(campaign.facts.name)
    text = f"The campaign *{name}* was deleted at {platform}. It wasn't booked, so nothing was paid."
    return Message(f"{text} {who}.", [section(text), who.small_print()])


def booked(said: str, dashboard: str, platform: str) -> Message:
    """The campaign was booked in the meantime: only the dashboard can cancel it. `said`: why, in plain words."""
    text = escape(said)
    return Message(text, [section(text), _to_dashboard(platform, dashboard)])
