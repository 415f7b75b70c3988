"""The words of the one hello."""

from dataclasses import dataclass

from handlers.text import formatting
from handlers.text.messages import Message, clip_plain, context, escape, section

#: Of a campaign's name, within a command to copy.
EXAMPLE_NAME = 60


@dataclass(frozen=True)
class Found:
    """What the first reading found: campaigns that were ordered, how many of them move, a campaign and a piece as
    examples (""), and drafts."""

    campaigns: int
    moving: int
    example: str = ""
    piece: str = ""
    drafts: int = 0


def found_text(found: Found) -> str:
    """ "I see 12 campaigns, 3 still moving, and 1 draft."."""
    drafts = f"{formatting.count(found.drafts)} draft{'s' if found.drafts > 1 else ''}" if found.drafts else ""
    if not found.campaigns and drafts:
        return f"Nothing is ordered yet ({drafts}). I'll see the first campaign a few minutes after it is ordered."
    if not found.campaigns:
        return "Your mail account has no campaigns yet. I'll see the first one a few minutes after it is ordered."
    seen = "1 campaign" if found.campaigns == 1 else f"{formatting.count(found.campaigns)} campaigns"
    moving = f"{formatting.count(found.moving)} still moving" if found.moving else "none moving right now"
    return f"I see {seen}, {moving}{f', and {drafts}' if drafts else ''}."


def hello(found: Found) -> Message:
    """The direct message, with the first three commands: they work when pasted."""
    said = f"Hi! I've read your mail account. {found_text(found)}"
    name = clip_plain(found.example, EXAMPLE_NAME).replace("`", "'") if found.example else ""
    asked = f"`/mailstatus {escape(name)}` for one campaign, " if name else ""
    tracked = f"`/mailtrack {escape(found.piece)}`" if found.piece else "`/mailtrack` and a name"
    lines = [
        f"• `/mailstatus`: where your mail is ({asked}`/mailstatus help` for more)",
        f"• {tracked}: one piece's scans, for your eyes only. A name, a street or a ZIP code finds it, too",
        "• `/mailalerts on`: what comes back, told in a channel. Invite me there first: `/invite @Piecewise`",
    ]
    blocks = [
        section(said),
        section("\n".join(lines)),
        context("I post in a channel only where somebody asks, or turned alerts on."),
    ]
    return Message(f"{said} {' '.join(lines)}", blocks)
