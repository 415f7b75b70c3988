"""The values that leave us: messages, pictures, and the limits that Slack sets on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from handlers.text.codec import Value

Block = dict[str, Any]
#: Slack's limits (docs.slack.dev, Block Kit reference), in characters or items.
TEXT: Final = 3000
HEADER: Final = 150
FIELD: Final = 2000
BUTTON: Final = 75
ALT: Final = 2000
VIEW_TITLE: Final = 24
OPTION: Final = 75
CONFIRM_TITLE: Final = 100
CONFIRM_TEXT: Final = 300


@dataclass(frozen=True)
class Picture:
    """A PNG. `alt` carries the same numbers as the picture, for readers who do not see it."""

    png: bytes
    alt: str
    title: str
    filename: str = "piecewise.png"


@dataclass(frozen=True)
class Message:
    """Text for notifications and screen readers, and the blocks that show the same."""

    text: str
    blocks: Sequence[Block] = ()
    picture: Picture | None = None

    def without_picture(self, why: str = "") -> "Message":
        """The same in words alone, saying why there is no picture."""
        note = [context(why)] if why else []
        return replace(self, picture=None, blocks=[*self.blocks, *note])


def escape(text: str) -> str:
    """User text made harmless: Slack then shows it as it is, and nobody is mentioned."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, never ending inside an escape or a date mark."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    for opening, closing in (("<", ">"), ("&", ";")):
        start = cut.rfind(opening)
        if start > cut.rfind(closing):
            cut = cut[:start]
    return cut + "…"


def typed(text: str, limit: int = 80) -> str:
    """What somebody typed, in plain words: one line, clipped, without marks that would format it. Not escaped."""
    line = " ".join(text.split())
    short = line if len(line) <= limit else line[: limit - 1] + "…"
    return short.replace("*", "∗").replace("`", "'").replace("_", "\u02cd").replace("~", "∼")


def quote(text: str, limit: int = 80) -> str:
    """The same for an answer: escaped."""
    return escape(typed(text, limit))


def section(text: str, accessory: Block | None = None) -> Block:
    """A paragraph of mrkdwn, with a button beside it if given."""
    block: Block = {"type": "section", "text": {"type": "mrkdwn", "text": clip(text, TEXT) or " "}}
    return block | {"accessory": accessory} if accessory else block


def fields(texts: Sequence[str]) -> Block:
    """Up to ten short texts in two columns."""
    return {"type": "section", "fields": [{"type": "mrkdwn", "text": clip(text, FIELD)} for text in texts[:10]]}


def header(text: str) -> Block:
    """A plain heading. It is plain text: nothing in it can mention or format."""
    return {"type": "header", "text": {"type": "plain_text", "text": clip_plain(text, HEADER), "emoji": True}}


def context(*texts: str) -> Block:
    """Small gray lines."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": clip(text, FIELD)} for text in texts[:10]]}


def divider() -> Block:
    """A line across."""
    return {"type": "divider"}


def actions(*buttons: Block) -> Block:
    """A row of buttons."""
    return {"type": "actions", "elements": list(buttons)}


def clip_plain(text: str, limit: int) -> str:
    """Plain text on one line, never empty, at most `limit` characters."""
    line = " ".join(text.split()) or "—"
    return line if len(line) <= limit else line[: limit - 1] + "…"


def button(
    label: str, action_id: str, value: Value, *, style: str = "", spoken: str = "", confirm: Block | None = None
) -> Block:
    """A button. `spoken` says it in full for screen readers, where the label alone is too short."""
    block: Block = {
        "type": "button",
        "text": {"type": "plain_text", "text": clip_plain(label, BUTTON), "emoji": True},
        "action_id": action_id,
        "value": value,
    }
    if style:
        block["style"] = style
    if spoken:
        block["accessibility_label"] = clip_plain(spoken, BUTTON)
    return block | {"confirm": confirm} if confirm else block


def link_button(label: str, action_id: str, url: str) -> Block:
    """A button that opens a page."""
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": clip_plain(label, BUTTON), "emoji": True},
        "action_id": action_id,
        "url": url,
    }


def confirmation(title: str, text: str, yes: str, no: str) -> Block:
    """The question asked before something that cannot be taken back."""
    return {
        "title": {"type": "plain_text", "text": clip_plain(title, CONFIRM_TITLE)},
        "text": {"type": "plain_text", "text": clip_plain(text, CONFIRM_TEXT)},
        "confirm": {"type": "plain_text", "text": clip_plain(yes, 30)},
        "deny": {"type": "plain_text", "text": clip_plain(no, 30)},
        "style": "danger",
    }


def option(label: str, value: Value) -> Block:
    """One line of a list to choose from."""
    return {"text": {"type": "plain_text", "text": clip_plain(label, OPTION), "emoji": True}, "value": value}


def input_block(title: str, block_id: str, element: Block, *, optional: bool = False) -> Block:
    """A field of a form."""
    return {
        "type": "input",
        "block_id": block_id,
        "label": {"type": "plain_text", "text": title},
        "element": element,
        "optional": optional,
    }


def select(action_id: str, placeholder: str, options: Sequence[Block], chosen: Block | None = None) -> Block:
    """A list to choose from."""
    menu: Block = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": {"type": "plain_text", "text": placeholder},
        "options": list(options),
    }
    return menu | {"initial_option": chosen} if chosen else menu


def date_picker(action_id: str, placeholder: str, chosen: date | None) -> Block:
    """A calendar to choose a day from."""
    picker: Block = {
        "type": "datepicker",
        "action_id": action_id,
        "placeholder": {"type": "plain_text", "text": placeholder},
    }
    return picker | {"initial_date": chosen.isoformat()} if chosen else picker


def image_at(url: str, alt: str) -> Block:
    """A picture at an address of ours."""
    return {"type": "image", "image_url": url, "alt_text": clip_plain(alt, ALT)}


def image(file_id: str, picture: Picture) -> Block:
    """A picture that Slack already keeps."""
    return {"type": "image", "slack_file": {"id": file_id}, "alt_text": clip_plain(picture.alt, ALT)}


def pictures_in(message: Any) -> tuple[str, ...]:
    """The ids of the files that a message shows, as Slack sends it; none where Slack leaves them out."""
    blocks = message.get("blocks") if isinstance(message, dict) else None
    files = [one.get("slack_file") for one in (blocks if isinstance(blocks, list) else ()) if isinstance(one, dict)]
    return tuple(str(file["id"]) for file in files if isinstance(file, dict) and file.get("id"))


def modal(title: str, blocks: Sequence[Block], carries: Value | None = None) -> Block:
    """A modal that only shows. `carries`: what it keeps for whatever is pressed or sent in it."""
    made: Block = {
        "type": "modal",
        "title": {"type": "plain_text", "text": clip_plain(title, VIEW_TITLE)},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": list(blocks),
    }
    return made if carries is None else made | {"private_metadata": carries}


def waiting(title: str) -> Block:
    """What a form shows while it is being looked at."""
    return modal(title, [section("One moment…")])
