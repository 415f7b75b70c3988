"""The first steps after an installation: a welcome, the mail account, its webhook, the first channel."""

from collections.abc import Mapping

from handlers import figures
from handlers.messages import (
    Block,
    Message,
    actions,
    button,
    context,
    escape,
    header,
    input_block,
    option,
    section,
    select,
)
from handlers.ports import SHORTEST_SECRET, Account
from handlers.views.controls import Action, Form
from storage.records import Workspace

KEY_LIMIT = 200


def welcome(name: str) -> Message:
    """The direct message to whoever installed the bot."""
    text = f"Piecewise is now in *{escape(name)}*. It answers where your mail is, and tells channels what comes back."
    steps = (
        "Open my *Home* (at the top of this conversation): it leads through three steps.\n"
        "1. Connect the mail account  ·  2. Switch on its webhook  ·  3. Tell me which channel to alert"
    )
    return Message(text, [section(text), section(steps), context("Nothing was posted anywhere else.")])


def first_steps(*, steward: bool) -> Block:
    """Home while no mail account is connected."""
    if not steward:
        waiting = "No mail account is connected yet. A workspace admin can do that here, in a minute."
        return {"type": "home", "blocks": [header("Almost there"), section(waiting)]}
    blocks = [
        header("Three steps, and your mail is here"),
        section("*1. Connect the mail account.* Your Stannp API key is tried once, then kept sealed and never shown."),
        actions(button("Connect mail account", Action.CONNECT, "1", style="primary")),
        section("*2. Switch on the webhook.* Stannp then tells us of each scan at once."),
        section("*3. Choose a channel to alert.* `/invite @Piecewise` there, then say `/mailalerts on`."),
        context("Admins can do this. *Settings* says who else may, once the account is connected."),
    ]
    return {"type": "home", "blocks": blocks}


def for_guests(*, unknown: bool = False) -> Block:
    """Home for a guest, or for somebody of whom Slack does not say whether they are one."""
    text = "As a guest you see what Piecewise shows in the channels that you share. Ask there with `/mailstatus`."
    if unknown:
        text = "Slack isn't telling me right now who you are. Open this page again in a minute."
    return {"type": "home", "blocks": [header("Hello"), section(text)]}


def connect_form(regions: Mapping[str, str], region: str = "", note: str = "") -> Block:
    """The key and its region. `note` says why the last try failed; the key is never filled in."""
    options = {key: option(name, key) for key, name in regions.items()}
    key: Block = {"type": "plain_text_input", "action_id": "key", "max_length": KEY_LIMIT}
    blocks = [
        *([section(f":warning: {escape(note)}")] if note else []),
        input_block("Stannp API key", "key", key),
        input_block(
            "Region", "region", select("region", "Region", list(options.values()), options.get(region or "us"))
        ),
        context("Stannp's dashboard → *Settings* → *API* shows the key. A key of one region is refused by the other."),
    ]
    return _form(Form.CONNECT, "Mail account", "Connect", blocks)


def webhook_form(address: str, *, note: str = "") -> Block:
    """Where the platform is to call, and the secret with which it signs."""
    secret: Block = {"type": "plain_text_input", "action_id": "secret", "max_length": KEY_LIMIT}
    secret["min_length"] = SHORTEST_SECRET
    blocks = [
        *([section(f":warning: {escape(note)}")] if note else []),
        section(
            "In Stannp's dashboard → *Settings* → *Webhooks* → *Add*:\n1. Paste this address:\n"
            f"```{escape(address)}```\n2. Choose all events about mailpieces and campaigns.\n"
            f"3. Type a secret of your own there, of at least {SHORTEST_SECRET} characters, and the same one here."
        ),
        input_block("Webhook secret", "secret", secret),
        context("Keep the address to yourselves. *New address* puts this one out of use."),
        actions(button("New address", Action.NEW_WEBHOOK, "1")),
    ]
    return _form(Form.WEBHOOK, "Webhook", "Save", blocks)


def connected(account: Account) -> list[Block]:
    """The key was taken."""
    owner = escape(account.owner or "your mail account")
    holds = "" if account.balance is None else f", balance {account.balance:,.2f} {escape(account.currency)}"
    return [
        section(f":white_check_mark: Connected to *{owner}*{holds}."),
        section("I am reading your campaigns now. Next: the webhook, so that scans arrive at once."),
        actions(button("Set up the webhook", Action.WEBHOOK, "1", style="primary")),
    ]


def handshake(workspace: Workspace) -> str:
    """How far the webhook is set up, where Stannp has asked for us and not called yet; else ""."""
    if workspace.handshake_at is None or workspace.webhook_at is not None:
        return ""
    when = figures.stamp(workspace.handshake_at)
    return f"Webhook: Stannp's test call came {when}. Save the same secret here and there; the first news proves it."


def webhook_saved() -> list[Block]:
    """The secret was kept."""
    return [
        section(":white_check_mark: Saved. Stannp's *Test* button should now show a green tick."),
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
