"""The first steps after an installation: a welcome, the mail account, its webhook, the first channel."""

from collections.abc import Mapping

from handlers.context.ports import SHORTEST_SECRET, Account, Profile
from handlers.text import formatting
from handlers.text.buttons import NOTHING, Action, Form, Word
from handlers.text.codec import write
from handlers.text.messages import (
    Block,
    Message,
    actions,
    button,
    context,
    escape,
    input_block,
    option,
    section,
    select,
)
from storage.records import Money

KEY_LIMIT = 200


def welcome(name: str) -> Message:
    """The direct message to whoever installed the bot."""
    text = f"Hi! I'm now in *{escape(name)}*. I show where your mail is, and let channels know what comes back."
    steps = (
        "Open my *Home* tab at the top of this conversation for three quick steps.\n"
        "1. Connect the mail account  ·  2. Switch on its webhook  ·  3. Tell me which channel to alert"
    )
    return Message(
        text,
        [section(text), section(steps), context("I post in a channel only where somebody asks, or turned alerts on.")],
    )


def connect_form(platform: Profile, regions: Mapping[str, str], region: str = "", note: str = "") -> Block:
    """The key and its region. `note` says why the last try failed; the key is never filled in."""
    options = {key: option(name, write(Word(key))) for key, name in regions.items()}
    key: Block = {"type": "plain_text_input", "action_id": "key", "max_length": KEY_LIMIT}
    blocks = [
        *([section(f":warning: {escape(note)}")] if note else []),
        input_block(f"{platform.name} API key", "key", key),
        input_block(
            "Region",
            "region",
            select("region", "Region", list(options.values()), options.get(region or next(iter(regions)))),
        ),
        context(
            f"{platform.name}'s dashboard → {platform.keys_at} shows the key. A key of one region is refused by the "
            "other."
        ),
    ]
    return _form(Form.CONNECT, "Mail account", "Connect", blocks)


def webhook_form(platform: Profile, address: str, *, note: str = "") -> Block:
    """Where the platform is to call, and the secret with which it signs."""
    secret: Block = {"type": "plain_text_input", "action_id": "secret", "max_length": KEY_LIMIT}
    secret["min_length"] = SHORTEST_SECRET
    blocks = [
        *([section(f":warning: {escape(note)}")] if note else []),
        section(
            f"In {platform.name}'s dashboard → {platform.webhooks_at} → *Add*:\n1. Paste this address:\n"
            f"```{escape(address)}```\n2. Choose all events about mail and campaigns.\n"
            f"3. Type a secret of your own there, of at least {SHORTEST_SECRET} characters, and the same one here."
        ),
        input_block("Webhook secret", "secret", secret),
        context("Keep the address to yourselves. *New address* puts this one out of use."),
        actions(button("New address", Action.NEW_WEBHOOK, NOTHING)),
    ]
    return _form(Form.WEBHOOK, "Webhook", "Save", blocks)


def connected(account: Account) -> list[Block]:
    """The key was taken."""
    owner = escape(account.owner or "your mail account")
    left = None if account.balance is None else formatting.money(Money(account.balance, account.currency))
    holds = "" if left is None else f", balance {escape(left)}"
    return [
        section(f":white_check_mark: Connected to *{owner}*{holds}."),
        section("I am reading your campaigns now. Next: the webhook, so that scans arrive at once."),
        actions(button("Set up the webhook", Action.WEBHOOK, NOTHING, style="primary")),
    ]


def webhook_saved(platform: str) -> list[Block]:
    """The secret was kept."""
    return [
        section(f":white_check_mark: Saved. {platform}'s *Test* button should now show a green tick."),
        section("Last step: go to the channel that should know, `/invite @Piecewise`, and say `/mailalerts on`."),
    ]


def _form(form: Form, title: str, submit: str, blocks: list[Block]) -> Block:
    return {
        "type": "modal",
        "callback_id": form.value,
        "title": {"type": "plain_text", "text": title},
        "submit": {"type": "plain_text", "text": submit},
        "close": {"type": "plain_text", "text": "Not now"},
        "blocks": blocks,
    }
