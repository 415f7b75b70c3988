"""Help, refusals and other short answers in words alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from handlers.errors import Trouble
from handlers.text import formatting
from handlers.text.messages import Message, context, escape, header, section, typed
from handlers.text.parsing import MUTE_FORMS, RANGE_FORMS
from handlers.text.status_styles import STYLES
from storage.statuses import LIFECYCLE


def refusal(why: Trouble | str) -> Message:
    """Why something could not be done: plain words, escaped here, and nowhere before."""
    by = f" It was <@{why.by}>." if isinstance(why, Trouble) and why.by else ""
    return plain(f"{escape(str(why))}{by}")


def plain(text: str) -> Message:
    """One paragraph. The text must be escaped already where it quotes somebody."""
    return Message(text, [section(text)])


def statuses() -> str:
    """All of them, explained, in reading order."""
    return "\n".join(f"{STYLES[s].emoji} *{STYLES[s].label}*: {s.traits.meaning}" for s in LIFECYCLE)


def help_status(example: str) -> Message:
    """How to ask for a status, with examples that work when pasted. `example` is a real campaign's name."""
    name = escape(example)
    lines = [
        "`/mailstatus` — everything still moving, and the last 30 days",
        f"`/mailstatus {name}` — one campaign",
        f"`/mailstatus {name} last 7 days` — its pieces ordered in these days",
        "`/mailstatus last month` — all your mail of last month",
        "`/mailstatus this month vs last month` — two ranges, or two campaigns, side by side",
        "`/mailstatus when to book for Dec 12` — the last mailing date to be in homes by then",
    ]
    note = (
        "Under each answer: *View details*, *Cancel…* and *Returns* (who came back, and where). `/mailtrack` finds one "
        f"piece, `/mailalerts` posts news in a channel. Ranges: {RANGE_FORMS}."
    )
    return _help("Where is our mail?", lines, note, statuses())


def help_track(example: str) -> Message:
    """How to find a piece. `example` is a real piece's id."""
    lines = [
        f"`/mailtrack {escape(example)}` — by the piece's id",
        "`/mailtrack Jane Smith` — by recipient",
        "`/mailtrack 78701` — by ZIP code",
        "`/mailtrack 1234 N Main St` — by address",
        "`/mailtrack Acme Austin` — by company, city, or any words of them together",
    ]
    return _help("Where is this piece?", lines, "Only you see the answer: it holds names and addresses.", statuses())


def help_alerts() -> Message:
    """How to be told."""
    lines = [
        "`/mailalerts` — choose what this channel hears about",
        "`/mailalerts on` — a card per campaign, and every return",
        "`/mailalerts on Spring` — just one campaign",
        "`/mailalerts Spring in home by Dec 12` — a warning when the chance of that falls below 80% (or `below 60%`)",
        f"{MUTE_FORMS}, `unmute` — hold the news back for a while",
        "`/mailalerts list` and `/mailalerts off`",
    ]
    return _help(
        "Alerts for this channel",
        lines,
        "Each campaign gets one card that stays up to date. News goes in its thread.",
        "",
    )


def help_for_guests(shown: Sequence[str]) -> Message:
    """What a guest can ask: about what the channel was shown, of which campaigns these are the latest names."""
    lines, mention = ["`/mailtrack Jane Smith` — a piece that was shown here, by its id or recipient"], "track 78701"
    if shown:
        name, mention = escape(shown[0]), f"where is {escape(shown[0])}?"
        pair = [f"`/mailstatus {name} vs {escape(one)}` — two of them side by side" for one in shown[1:2]]
        one = [f"`/mailstatus {name}` — a campaign that was shown here", f"`/mailstatus {name} last 7 days` — a range"]
        lines = [*one, *pair, *lines]
    note = "You're a guest here: you see what this channel was shown, with names and addresses shortened."
    if not shown:
        note += " No campaign was shown here yet. Ask somebody on the team to type `/mailstatus` and its name here."
    return _help("What you can ask here", lines, note, statuses(), (mention,))


#: Where nobody is chosen who could; true for admins who read it, too.
IN_SETTINGS: Final = "ask someone who can change that under *Settings* in my *Home*."
#: What can be asked in a thread.
MENTIONS: Final = ("where is Spring?", "track 78701", "alerts on")


def _help(title: str, lines: Sequence[str], note: str, more: str, mentions: Sequence[str] = MENTIONS) -> Message:
    blocks = [header(title), section("\n".join(lines)), context(note)]
    if more:
        blocks.append(section(more))
    blocks.append(context(f"In a thread, mention me: {', '.join(f'`@Piecewise {one}`' for one in mentions)}."))
    return Message(f"{title} {' '.join(lines)}", blocks)


def no_campaign(asked: str, nearest: Sequence[str]) -> str:
    """No such campaign, in plain words."""
    if nearest:
        names = ", ".join(f"`{name}`" for name in nearest)
        return f"No campaign is called “{typed(asked)}”. Did you mean {names}?"
    return f"No campaign is called “{typed(asked)}”. `/mailstatus` lists your campaigns."


def no_piece(asked: str) -> str:
    """No such piece, in plain words."""
    return (
        f"I found no piece for “{typed(asked)}”. Try the piece's id, the recipient's name, the ZIP code, or the "
        "beginning of the address. New pieces show up a few minutes after they're accepted."
    )


def silent(since: datetime, platform: str, webhooks_at: str, why: str) -> Message:
    """The platform's webhook has stopped. `webhooks_at`: where its dashboard shows them; `why`: when it pauses one."""
    return plain(
        f":warning: {platform}'s webhook has been silent since {formatting.stamp(since)}, so updates are a few minutes "
        f"late. Nothing is lost. To switch it back on: {platform}'s dashboard → {webhooks_at}. "
        f"{f'{why} ' if why else ''}`piecewise check` shows whether our side is well."
    )


def no_ids(seen: int) -> Message:
    """A message in which no piece was found. `seen`: how many numbers in it might have been ids."""
    if seen:
        return plain("None of the numbers in this message is one of your pieces. `/mailtrack` finds recipients, too.")
    return plain("I see no piece id in this message. Ids are numbers like 16818211.")


def failed(reference: str) -> Message:
    """Something broke on our side."""
    return plain(
        "Something went wrong on my side. Please try again. If it happens again, give your "
        f"admin this reference: `{reference}`."
    )
