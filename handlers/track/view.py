"""One piece: who it goes to, its dated scans, and what was told of it; and lists of pieces to choose from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from handlers.forecast import model
from handlers.forecast.model import Outlook
from handlers.text import formatting, short_answers
from handlers.text.buttons import Action, OnePiece, PiecesFound, carry
from handlers.text.codec import write
from handlers.text.messages import (
    OPTION,
    Block,
    Message,
    actions,
    button,
    clip_plain,
    confirmation,
    context,
    escape,
    modal,
    option,
    quote,
    section,
)
from handlers.text.status_styles import emoji, label
from storage.queries.mail import Days
from storage.queries.search import COUNTED
from storage.records import NOBODY, PieceId, Recipient, Scan, StoredCampaign, StoredPiece, Told
from storage.statuses import CANCELLABLE, FINAL, Status

#: More lines than any real piece has.
#: Pieces that are told apart in words, and of each part of such a line so much.
TOLD_APART: Final = 5
NAMED: Final = 60
SCANS_SHOWN: Final = 30
#: Pieces on a page of what was found.
FOUND_SHOWN: Final = 20


def full_name(who: Recipient) -> str:
    """Name and address in one line, escaped. Only for the asker's eyes."""
    place = " ".join(part for part in (who.region, who.postcode) if part)
    parts = [who.name, who.company, who.address, who.city, place]
    return escape(", ".join(part for part in parts if part)) or "recipient not known yet"


def recipient(piece: StoredPiece) -> str:
    """Name and address of whom it goes to, escaped, for the asker's eyes; or that they were erased."""
    return _erased(piece) if piece.erased else full_name(piece.recipient)


def recipient_briefly(piece: StoredPiece) -> str:
    """The same, fit for a channel."""
    return _erased(piece) if piece.erased else short_name(piece.recipient)


def _erased(piece: StoredPiece) -> str:
    # State and country stay, for the returns by state.
    return f"Recipient erased ({escape(piece.recipient.region)})" if piece.recipient.region else "Recipient erased"


def short_name(who: Recipient) -> str:
    """Enough to recognize a piece in a channel: "Jane S., Austin TX 787••". Escaped."""
    return escape(_shortened(who))


def _shortened(who: Recipient) -> str:
    """The same in plain text."""
    first, _, last = who.name.strip().rpartition(" ")
    name = f"{first} {last[:1]}." if first else (f"{last[:1]}." if last else "")
    zip_code = f"{who.postcode[:3]}••" if who.postcode else ""
    place = " ".join(part for part in (who.city, who.region, zip_code) if part)
    return ", ".join(part for part in (name, place) if part) or "recipient not known yet"


def piece_answer(
    piece: StoredPiece,
    scans: Sequence[Scan],
    told: Sequence[Told],
    expected: Outlook,
    note: str = "",
    *,
    shareable: bool = True,
    erasable: bool = False,
    needs_approval: bool = False,
) -> Message:
    """The dated timeline of one piece, for the asker alone."""
    status = f"{emoji(piece.status)} *{_standing(piece)}*"
    blocks = [
        section(f"{status}\n{recipient(piece)}"),
        context(_paper(piece)),
        section(_timeline(scans)),
        *([context(line)] if (line := _outlook(piece, scans, expected)) else []),
        *([context(told_text(told))] if told else []),
        *([context(note)] if note else []),
    ]
    share = button(
        "Share to channel", Action.SHARE_PIECE, write(OnePiece(piece.id)), spoken="Show it here without the address"
    )
    row = ([share] if shareable else []) + (
        [cancel_button(piece, needs_approval)] if piece.status in CANCELLABLE else []
    )
    row += [_erase_button(piece)] if erasable and not piece.erased and piece.recipient != NOBODY else []
    blocks += [actions(*row)] if row else []
    text = f"{recipient(piece)}: {_standing(piece)}. {_spoken(scans)}"
    return Message(text, blocks)


def _erase_button(piece: StoredPiece) -> Block:
    sure = confirmation(
        "Erase the recipient?",
        "Name, address and ZIP of this one piece are erased here for good. Its scans and its cost stay. If others go "
        "to the same name and address, I'll offer to erase them, too.",
        "Erase",
        "Keep",
    )
    return button(
        "Erase recipient",
        Action.ERASE,
        write(OnePiece(piece.id)),
        spoken=f"Erase who {piece.ref} was sent to",
        confirm=sure,
    )


def shared(piece: StoredPiece, scans: Sequence[Scan], by: str) -> Message:
    """The same for a channel, or (by "") for a guest: shortened, and nothing in it can be pressed but *Track*."""
    said = f"{emoji(piece.status)} *{_standing(piece)}* · {recipient_briefly(piece)} · `{escape(piece.ref)}`"
    track_it = button("Track", Action.TRACK, write(OnePiece(piece.id)), spoken=f"Track piece {piece.ref}")
    shared_by = f"Shared by <@{by}>" if by else "You're a guest here, so name and address are shortened."
    blocks = [section(said, track_it), section(_timeline(scans)), context(shared_by)]
    return Message(f"{recipient_briefly(piece)}: {_standing(piece)}. {_spoken(scans)} {shared_by}", blocks)


def _standing(piece: StoredPiece) -> str:
    if piece.status is None:
        return f"Other (“{escape(piece.word)}”)" if piece.word else "No status yet"
    return label(piece.status)


def _paper(piece: StoredPiece) -> str:
    parts = [f"Piece `{escape(piece.ref)}`", escape(f"{piece.kind} {piece.format}".strip())]
    parts.append(escape(piece.campaign_name) if piece.campaign_name else "sent singly")
    return " · ".join(part for part in parts if part)


def _timeline(scans: Sequence[Scan]) -> str:
    lines = [_scan(scan) for scan in scans[-SCANS_SHOWN:]]
    return "\n".join(lines) or "No scans yet."


def _scan(scan: Scan) -> str:
    name = label(scan.status) if scan.status is not None else f"“{escape(scan.word)}”"
    when = formatting.stamp(scan.occurred_at)
    line = f"• {when}  *{name}*" if scan.exact else f"• by {when}  *{name}*"
    return f"{line} — {escape(scan.place)}" if scan.place else line


def _spoken(scans: Sequence[Scan]) -> str:
    said = [
        f"{label(scan.status)} {formatting.stamp(scan.occurred_at)}" for scan in scans[-SCANS_SHOWN:] if scan.status
    ]
    return "; ".join(said)


def _outlook(piece: StoredPiece, scans: Sequence[Scan], expected: Outlook) -> str:
    if piece.status is None:
        return "That's a status word I don't know yet, so I show it as it is."
    said = f"{label(piece.status)}: {piece.status.traits.meaning}."
    handed = [scan.occurred_at for scan in scans if scan.status is Status.HANDED_OVER]
    if handed and piece.status not in FINAL:
        why = "as your own mail usually does" if expected.is_own else "USPS's 4–7 days for Marketing Mail"
        said += f" Expected {formatting.span(*model.piece_landing(handed[0].date(), expected))} ({why})."
    return said


def told_text(told: Sequence[Told]) -> str:
    """Which channels heard of it, and which could not be told, and why."""
    return "\n".join(_told(one) for one in told)


def _told(one: Told) -> str:
    what, where = label(one.status), f"<#{one.channel}>"
    if one.refusal:
        return f"I couldn't post “{what}” in {where}: {escape(one.refusal)}"
    if one.sent_at is None:
        return f"{where} will be notified of “{what}” shortly"
    if one.only_card:
        return f"{where} wasn't notified of “{what}”: only its live card moved {formatting.stamp(one.sent_at)}"
    return f"{where} was notified of “{what}” {formatting.stamp(one.sent_at)}"


def cancel_button(piece: StoredPiece, needs_approval: bool = False) -> Block:
    """Asks first, for it cannot be taken back."""
    first = (
        "Someone else must approve this first: I'll post the request in the channel, and then"
        if needs_approval
        else "I'll"
    )
    request = confirmation(
        "Cancel this piece?",
        f"{first} ask for it to be stopped. If printing has started it will still be mailed; I'll let you know.",
        "Cancel the piece",
        "Keep it",
    )
    return button(
        "Cancel this piece", Action.CANCEL_PIECE, write(OnePiece(piece.id)), style="danger", confirm=request,
        spoken=f"Cancel piece {piece.ref}",
    )  # fmt: skip


def pick_piece(
    asked: str, found: Sequence[StoredPiece], ids: Sequence[PieceId], campaign: StoredCampaign | None = None, *,
    exact: bool = True, guest: bool = False, more: bool = False,
) -> Message:  # fmt: skip
    """Several pieces may be meant: some to choose from, and a list of all, for the asker alone.

    `asked` is escaped by the caller; a `campaign` may be meant, too. A guest reads no full name, and gets no list;
    `more`: and more pieces may match than were looked through for what a guest may see.
    """
    menu = pieces_menu(found, guest=guest)
    number = f"{'At least ' if len(ids) >= COUNTED else ''}{formatting.pieces(len(ids))}"
    verb = "matches" if len(ids) == 1 else "match"
    text = f"{number} {verb} “{asked}”. Which one?" if exact else f"Nothing matches “{asked}”. Did you mean:"
    left_out = len(ids) - len(found)
    row = [menu]
    if not guest and len(ids) > 1:
        spoken = "List them all with their tracking"
        row.append(button("Show the list", Action.FOUND_LIST, write(PiecesFound.of(ids)), spoken=spoken))
    lines = [] if guest or len(found) < 2 else [section(_told_apart(found))]  # noqa: PLR2004 - one needs no telling
    blocks = [section(text), *lines, actions(*row), *([_campaign(campaign)] if campaign else [])]
    left = []
    if left_out > 0:
        where = "match" if guest else "are in the list, newest first"
        left.append(f"{formatting.count(left_out)} more {where}.")
    if guest and more:
        left.append("Only the newest pieces that match were looked through.")
    if left:
        blocks.append(context(f"{' '.join(left)} A full name, a street or a ZIP code narrows it down."))
    return Message(text, blocks)


def pieces_menu(found: Sequence[StoredPiece], *, guest: bool = False) -> Block:
    """A menu of pieces to choose from; of a guest's, as far as a guest may read."""
    return {
        "type": "static_select",
        "action_id": Action.PICK_PIECE,
        "placeholder": {"type": "plain_text", "text": "Choose a piece"},
        "options": [_guests_choice(piece) if guest else _choice(piece) for piece in found],
    }


def _told_apart(found: Sequence[StoredPiece]) -> str:
    """The first of them with their campaigns, before the menu is opened."""
    return "\n".join(
        f"• {recipient_in_a_line(piece)} · {escape(clip_plain(piece.campaign_name or 'sent singly', NAMED))} · "
        f"{escape(plain_standing(piece))}"
        for piece in found[:TOLD_APART]
    )


def recipient_in_a_line(piece: StoredPiece) -> str:
    """ "*Jane Smith*, Austin 78701", for the asker alone."""
    who = piece.recipient
    place = " ".join(part for part in (who.city, who.postcode) if part)
    called = "Recipient erased" if piece.erased else who.name or who.company or piece.ref
    return f"*{escape(clip_plain(called, NAMED))}*" + (f", {escape(clip_plain(place, NAMED))}" if place else "")


def unnamed(usage: Message, back: Sequence[StoredPiece], moving: Sequence[StoredPiece]) -> Message:
    """Nobody was named: how to ask, and before that some pieces to choose from, what came back first."""
    if not (back or moving):
        return usage
    text = f"Type who or what after `/mailtrack`, or choose here: {_kinds(back, moving)}."
    return Message(f"{usage.text} {text}", [section(text), actions(pieces_menu([*back, *moving])), *usage.blocks])


def none_found(asked: str, back: Sequence[StoredPiece], moving: Sequence[StoredPiece]) -> Message:
    """No such piece, and some others to choose from."""
    message = no_piece(asked, None)
    if not (back or moving):
        return message
    menu = [section(f"Or choose here: {_kinds(back, moving)}."), actions(pieces_menu([*back, *moving]))]
    return Message(message.text, [*message.blocks, *menu])


def _kinds(back: Sequence[StoredPiece], moving: Sequence[StoredPiece]) -> str:
    named = (("what came back last", back), ("what is on its way", moving))
    return " and ".join(name for name, there in named if there)


def no_piece(asked: str, campaign: StoredCampaign | None) -> Message:
    """No such piece; but a `campaign` may be called so."""
    if campaign is None:
        return short_answers.refusal(short_answers.no_piece(asked))
    text = f"No piece of mail matches “{quote(asked)}”, but a campaign is called so."
    return Message(text, [section(text), _campaign(campaign)])


def _campaign(campaign: StoredCampaign) -> Block:
    name = campaign.facts.name
    show = button("Show", Action.PICK_CAMPAIGN, carry(campaign.id, Days()), spoken=f"Show the campaign {name}")
    return section(f"Or the campaign *{escape(name)}*", show)


def _choice(piece: StoredPiece) -> Block:
    """Who and where to, and in the small line below: of which campaign, and how it stands."""
    who = piece.recipient
    place = " ".join(part for part in (who.city, who.postcode) if part)
    called = "Recipient erased" if piece.erased else who.name or who.company or piece.ref
    name = " · ".join(part for part in (called, who.address, place) if part)
    more = " · ".join(part for part in (piece.campaign_name or "sent singly", plain_standing(piece)) if part)
    return _described(name, more, piece)


def _guests_choice(piece: StoredPiece) -> Block:
    """The same of what a guest was shown; the id stands below, where no long name pushes it out."""
    return _described(_shortened(piece.recipient), f"{piece.ref} · {plain_standing(piece)}", piece)


def _described(name: str, more: str, piece: StoredPiece) -> Block:
    return option(name, write(OnePiece(piece.id))) | {
        "description": {"type": "plain_text", "text": clip_plain(more, OPTION), "emoji": True}
    }


def found_list(found: PiecesFound, page: Sequence[StoredPiece]) -> Block:
    """A page of what a search found, each with its tracking."""
    ids, shown = found.pieces, len(page)
    said = f"{formatting.pieces(found.total)}, newest first"
    if found.total > len(ids):
        said += f"; the first {formatting.count(len(ids))} are listed"
    row = [
        button(label, Action.FOUND_PAGE, write(replace(found, start=start)), spoken=f"{label} of the pieces found")
        for label, start, there in (
            ("Next page", found.start + FOUND_SHOWN, found.start + shown < len(ids)),
            ("Back to the first page", 0, found.start > 0),
        )
        if there
    ]
    pager = [actions(one) for one in row]
    return modal("Pieces found", [context(said), *(_found_line(piece) for piece in page), *pager])


def _found_line(piece: StoredPiece) -> Block:
    line = f"{emoji(piece.status)} *{escape(plain_standing(piece))}* · {recipient(piece)}"
    line += f"\n{escape(piece.campaign_name or 'sent singly')} · `{escape(piece.ref)}`"
    return section(line, button("Tracking", Action.TRACK, write(OnePiece(piece.id)), spoken=f"Track piece {piece.ref}"))


def plain_standing(piece: StoredPiece) -> str:
    """Where it stands, in plain text."""
    return label(piece.status) if piece.status is not None else (piece.word or "no status")
