"""The Slack app manifest for HTTP, made from the one for Socket Mode: the same app with addresses, steps and links."""

from typing import Any, Final

import yaml

from bot.platforms.registry import dashboards
from bot.slack.client import HTTP_SCOPES

#: What Slack sends only by HTTP to an app like this one.
HTTP_EVENTS: Final = ("link_shared",)
#: What it sends when a workflow reaches a step of ours.
STEP_EVENTS: Final = ("function_executed",)
#: How Slack says that a workspace is gone.
LEAVING: Final = ("app_uninstalled", "tokens_revoked")
#: The dashboards whose links are shown with numbers.
DOMAINS: Final = dashboards()


def _texts(**described: str) -> dict[str, Any]:
    texts = {
        name: {"type": "string", "title": name.replace("_", " ").capitalize(), "description": text}
        for name, text in described.items()
    }
    return {"properties": texts, "required": list(texts)}


#: Steps for Workflow Builder.
FUNCTIONS: Final[dict[str, Any]] = {
    "get_campaign_status": {
        "title": "Get campaign status",
        "description": "How many pieces of a campaign are delivered, returned, under way",
        "input_parameters": _texts(campaign="A campaign's name or id"),
        "output_parameters": _texts(
            name="The campaign's name",
            pieces="How many pieces it has",
            delivered="How many are delivered, by USPS's estimate",
            returned="How many came back",
            summary="All of it in a sentence",
        ),
    },
    "track_a_piece": {
        "title": "Track a piece",
        "description": "Where one piece of mail is",
        "input_parameters": _texts(piece="The piece's id"),
        "output_parameters": _texts(
            status="Its status",
            is_final="yes when nothing more is expected of it, else no",
            moved_on="The day of its last move",
            summary="All of it in a sentence",
        ),
    },
}


def for_http(text: str, url: str, *, many: bool = False, steps: bool = False) -> str:
    """`manifest.yml` with this public address (https, without a slash at its end) wherever Slack wants one.

    `many`: for many workspaces, which install from our page, and whose tokens end. `steps`: with steps for Workflow
    Builder, which make it an app that Slack's free plan does not take.
    """
    events = f"{url}/slack/events"
    app = yaml.safe_load(text)
    for command in app["features"]["slash_commands"]:
        command["url"] = events
    app["features"]["unfurl_domains"] = list(DOMAINS)
    app["oauth_config"]["scopes"]["bot"] = sorted({*app["oauth_config"]["scopes"]["bot"], *HTTP_SCOPES})
    settings = app["settings"]
    settings["interactivity"]["request_url"] = events
    settings["event_subscriptions"]["request_url"] = events
    events_of = settings["event_subscriptions"]
    events_of["bot_events"] = sorted([*events_of["bot_events"], *HTTP_EVENTS])
    settings["socket_mode_enabled"] = False
    if steps:
        app["functions"] = FUNCTIONS
        # Steps of workflows need both (docs.slack.dev, custom steps).
        settings["org_deploy_enabled"] = True
        settings["function_runtime"] = "remote"
        events_of["bot_events"] = sorted([*events_of["bot_events"], *STEP_EVENTS])
    if many:
        app["oauth_config"]["redirect_urls"] = [f"{url}/slack/oauth_redirect"]
        settings["token_rotation_enabled"] = True
        events_of["bot_events"] = sorted([*events_of["bot_events"], *LEAVING])
    return str(yaml.safe_dump(app, sort_keys=False, allow_unicode=True, width=110))
