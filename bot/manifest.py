"""The Slack app manifest for HTTP, made from the one for Socket Mode: the same app with addresses."""

import yaml


def for_http(text: str, url: str) -> str:
    """`manifest.yml` with this public address (https, without a slash at its end) wherever Slack wants one."""
    events = f"{url}/slack/events"
    app = yaml.safe_load(text)
    for command in app["features"]["slash_commands"]:
        command["url"] = events
    app["settings"]["interactivity"]["request_url"] = events
    app["settings"]["event_subscriptions"]["request_url"] = events
    app["settings"]["socket_mode_enabled"] = False
    return str(yaml.safe_dump(app, sort_keys=False, allow_unicode=True, width=110))
