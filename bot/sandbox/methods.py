"""Slack's Web API methods that we use: which arguments exist, which are required, which scope each needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Method:
    """A method as documented. `scope` None: any bot token; "app": the app-level token;
    "step": the token that came with the step; "none": no token, but the app's own secret."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    scope: str | None = None


def _method(required: str = "", optional: str = "", scope: str | None = None) -> Method:
    return Method(frozenset(required.split()), frozenset(optional.split()), scope)


POSTING: Final = (
    "text blocks attachments thread_ts reply_broadcast unfurl_links unfurl_media mrkdwn metadata parse link_names"
)
METHODS: Final[dict[str, Method]] = {
    "auth.test": _method(optional="team_id"),
    "apps.connections.open": _method(scope="app"),
    "chat.postMessage": _method("channel", POSTING, "chat:write"),
    "chat.postEphemeral": _method("channel user", "text blocks attachments thread_ts parse link_names", "chat:write"),
    "chat.update": _method("channel ts", "text blocks attachments parse link_names metadata", "chat:write"),
    "chat.unfurl": _method("channel ts unfurls", "user_auth_required user_auth_message", "links:write"),
    "functions.completeSuccess": _method("function_execution_id outputs", scope="step"),
    "functions.completeError": _method("function_execution_id error", scope="step"),
    "conversations.open": _method(optional="users channel return_im prevent_creation", scope="im:write"),
    "files.getUploadURLExternal": _method("filename length", "alt_txt snippet_type", "files:write"),
    "files.completeUploadExternal": _method(
        "files", "channel_id channels thread_ts initial_comment blocks", "files:write"
    ),
    "files.delete": _method("file", scope="files:write"),
    "oauth.v2.access": _method("client_id client_secret", "code redirect_uri grant_type refresh_token", scope="none"),
    "users.info": _method("user", "include_locale", "users:read"),
    "views.open": _method("view", "trigger_id interactivity_pointer"),
    "views.publish": _method("user_id view", "hash"),
    "views.push": _method("view", "trigger_id interactivity_pointer"),
    "views.update": _method("view", "view_id external_id hash"),
}


def check_call(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """What is wrong with this call's arguments; empty when nothing."""
    method = METHODS.get(name)
    if method is None:
        return [f"{name}: not a method that this double knows"]
    given = {key for key, value in arguments.items() if value is not None} - {"token"}
    missing = [f"{name}: {key} is missing" for key in sorted(method.required - given)]
    foreign = [f"{name}: {key} is not an argument" for key in sorted(given - method.required - method.optional)]
    return missing + foreign
