"""Who may be meant: a few as buttons, many as a list, nobody as the latest campaigns. For the asker alone."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from handlers.text import formatting
from handlers.text.buttons import Action, AlertsDo, OnePiece, carry
from handlers.text.codec import write
from handlers.text.messages import Block, Message, actions, button, context, escape, option, section, select
from handlers.text.parsing import Range
from storage.records import StoredCampaign, StoredPiece

#: So many are buttons; more are a list to choose from.
BUTTONS: Final = 5
LISTED: Final = 100


def pick_campaign(asked: str, found: Sequence[StoredCampaign], span: Range, *, sure: bool = True) -> Message:
    """Several campaigns may be meant. `asked` is escaped by the caller."""
    text = f"Which campaign do you mean by “{asked}”?" if sure else f"No campaign called “{asked}”. Did you mean:"
    return Message(text, [section(text), *_choices(found, span), *_days(span)])


def no_campaign(
    asked: str, near: Sequence[StoredCampaign], latest: Sequence[StoredCampaign], pieces: Sequence[StoredPiece],
    span: Range, *, reading: bool = False,
) -> Message:  # fmt: skip
    """No such campaign: the nearest names, pieces that are called so, or any of the latest. `asked` is escaped.

    `reading`: the account is still read for the first time, so that it may be there all the same.
    """
    if pieces:
        text = (
            f"No campaign called “{asked}”, but these pieces match:"
            if len(pieces) > 1
            else f"“{asked}” is a piece of mail:"
        )
        return Message(text, [section(text), *(_piece(one) for one in pieces)])
    text = f"No campaign called “{asked}”."
    if near:
        text += " Did you mean:"
        return Message(text, [section(text), *_choices(near, span), *_days(span)])
    if reading:
        text = (
            f"No campaign called “{asked}” so far: I'm still reading your account for the first time. Ask again soon."
        )
        text += " These are known already:" if latest else ""
    else:
        text += " These are your latest:" if latest else " There are no campaigns yet."
    if OF_ALERTS.search(asked):
        said = "That sounds like a question about alerts."
        note = "In the channel that you ask about, `/mailalerts why` says what it gets, and what stands in the way."
        return Message(f"{said} {note} {text}", [_alerts(f"{said} {note}"), section(text), *_menu(latest, span)])
    note = "`/mailstatus` alone shows all your mail, `/mailstatus help` what you can type."
    return Message(f"{text} {note}", [section(text), *_menu(latest, span), context(note)])


def not_shown(asked: str, shown: Sequence[StoredCampaign], span: Range) -> Message:
    """The same for a guest: there may be such a campaign, and this channel was not shown it. `asked` is escaped."""
    text = f"As a guest you see what this channel was shown, and “{asked}” is nothing of that."
    text += " These campaigns were:" if shown else " Ask somebody on the team to ask for it here."
    return Message(text, [section(text), *_menu(shown, span)])


#: Who says so asks what a channel is told.
OF_ALERTS: Final = re.compile(r"#\w|\b(?:alerts?|notified|notify|news|channel|nothing)\b", re.IGNORECASE)


def _alerts(said: str) -> Block:
    value = write(AlertsDo("list"))
    return section(said, button("Alerts here", Action.ALERTS_DO, value, spoken="What this channel is told"))


def _choices(found: Sequence[StoredCampaign], span: Range) -> list[Block]:
    if len(found) > BUTTONS:
        return _menu(found, span)
    return [
        section(f"*{escape(one.facts.name)}*\n{escape(_which(one))}",
                button("Show", Action.PICK_CAMPAIGN, carry(one.id, span.days), spoken=f"Show {one.facts.name}"))
        for one in found
    ]  # fmt: skip


def _menu(found: Sequence[StoredCampaign], span: Range) -> list[Block]:
    if not found:
        return []
    options = [option(_short(one), carry(one.id, span.days)) for one in found[:LISTED]]
    blocks = [actions(select(Action.PICK_CAMPAIGN, "Choose a campaign", options))]
    if len(found) >= LISTED:
        blocks.append(context(f"The {LISTED} latest are listed. A longer part of the name finds the others."))
    return blocks


def _which(campaign: StoredCampaign) -> str:
    when = campaign.facts.send_on or (campaign.facts.created_at.date() if campaign.facts.created_at else None)
    parts = [formatting.day(when) if when else "", f"#{campaign.facts.ref}"]
    return " · ".join(part for part in parts if part)


def _short(campaign: StoredCampaign) -> str:
    tail = f" · {_which(campaign)}"
    return campaign.facts.name[: max(74 - len(tail), 20)] + tail


def _days(span: Range) -> list[Block]:
    return [context(f"Ordered {escape(span.label)}")] if span.days.first else []


def _piece(piece: StoredPiece) -> Block:
    who = piece.recipient
    place = ", ".join(part for part in (who.name or who.company, who.address, who.city) if part) or piece.ref
    track = button("Track", Action.TRACK, write(OnePiece(piece.id)), spoken=f"Track piece {piece.ref}")
    return section(f"{escape(place)} · `{escape(piece.ref)}`", track)


def noted(message: Message, note: str) -> Message:
    """The answer with a remark beside how fresh it is: how what was typed was understood."""
    if not note:
        return message
    blocks = list(message.blocks)
    for index, block in enumerate(blocks):
        if block["type"] == "context":
            blocks[index] = context(note, *(one["text"] for one in block["elements"]))
            break
    return replace(message, text=f"{note} {message.text}", blocks=blocks)
