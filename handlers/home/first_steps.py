"""Home before there is anything to show: the first steps, and what a guest reads."""

from handlers.text import formatting
from handlers.text.buttons import NOTHING, Action
from handlers.text.messages import (
    Block,
    actions,
    button,
    context,
    header,
    section,
)
from storage.records import Workspace


def first_steps(platform: str, *, settings_admin: bool) -> Block:
    """Home while no mail account is connected."""
    if not settings_admin:
        waiting = "No mail account is connected yet. A workspace admin can do that here, in a minute."
        return {"type": "home", "blocks": [header("Almost there"), section(waiting)]}
    blocks = [
        header("Three steps, and your mail is here"),
        section(
            f"*1. Connect the mail account.* Your {platform} API key is tried once, then kept sealed and never shown."
        ),
        actions(button("Connect mail account", Action.CONNECT, NOTHING, style="primary")),
        section(f"*2. Switch on the webhook.* {platform} then tells us of each scan at once."),
        section("*3. Choose a channel to alert.* `/invite @Piecewise` there, then say `/mailalerts on`."),
        context("Admins can do this. *Settings* says who else may, once the account is connected."),
    ]
    return {"type": "home", "blocks": blocks}


def for_guests(*, unknown: bool = False) -> Block:
    """Home for a guest, or for somebody of whom Slack does not say whether they are one."""
    text = (
        "As a guest you see what Piecewise shows in the channels that you share. Ask there with `/mailstatus` and the "
        "name of a campaign that it told of."
    )
    if unknown:
        text = "Slack isn't telling me right now who you are. Open this page again in a minute."
    return {"type": "home", "blocks": [header("Hello"), section(text)]}


def handshake(workspace: Workspace, platform: str) -> str:
    """How far the webhook is set up, where the platform has asked for us and not called yet; else ""."""
    if workspace.handshake_at is None or workspace.webhook_at is not None:
        return ""
    when = formatting.stamp(workspace.handshake_at)
    return (
        f"Webhook: {platform}'s test call came {when}. Save the same secret here and there; the first news proves it."
    )
