"""One genuine input of every kind, to be damaged: what Slack sends, what Stannp sends, and every other route."""

import json
from dataclasses import dataclass
from typing import Any, Final

from bot.sandbox.slack import SlackDouble
from handlers.text.buttons import Action, Form, Hours, Limit
from handlers.text.codec import write
from tests.house import ACME, House

Json = Any
USER: Final = "U0ANA"
CHANNEL: Final = "C0MAIL"
COMMANDS: Final = ("/mailstatus", "/mailtrack", "/mailalerts")
SAID: Final = (
    "",
    "help",
    "spring",
    "spring last 7 days",
    "1001",
    "Jane",
    "on",
    "off",
    "mute 2h",
    "list",
    "2026-01-01..2026-02-30",
)
ROUTES: Final = (
    "/", "/healthz", "/readyz", "/metrics", "/slack/install", "/slack/oauth_redirect?code=c&state=s",
    "/slack/oauth_redirect?error=access_denied", "/pictures/abc.png", "/slack/events", "/webhooks/stannp", "/webhooks/stannp/x",
)  # fmt: skip
VALUES: Final = ("1", "1|2026-01-01|2026-11-01", "|2026-01-01|2026-11-01", "2", "last_7_days", "1|x|y", "-", "0")


@dataclass(frozen=True)
class Seed:
    """A genuine input. `kind`: how it is encoded; "webhook" is the mail platform's."""

    kind: str
    body: Json


def seeds(house: House) -> list[Seed]:
    slack = house.slack(ACME)
    found = [Seed("slash_commands", command(slack, name, text)) for name in COMMANDS for text in SAID]
    found += [
        Seed("interactive", action(slack, one, value, place))
        for one in Action
        for value in VALUES
        for place in ("message", "modal", "home")
    ]
    found += [Seed("interactive", form(slack, one)) for one in Form]
    found += [Seed("events_api", event(one)) for one in events()]
    message = {
        "text": "piece 1001 and 1002",
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "1003"}}],
    }
    found.append(
        Seed(
            "interactive",
            base(slack, "message_action")
            | {
                "callback_id": "track_in_message",
                "message": message,
                "channel": {"id": CHANNEL},
                "response_url": answer_address(slack),
            },
        )
    )
    mail = house.mail[ACME]
    pieces = list(mail.pieces.values())
    found += [Seed("webhook", json.loads(mail.delivery(pieces[n : n + 3]))) for n in range(4)] * 6
    return found


def answer_address(slack: SlackDouble) -> str:
    return f"{slack.base}/commands/spent"


def base(slack: SlackDouble, kind: str) -> Json:
    return {
        "type": kind, "user": {"id": USER, "team_id": slack.team}, "team": {"id": slack.team}, "api_app_id": "A0",
        "trigger_id": "t.1",
    }  # fmt: skip


def command(slack: SlackDouble, name: str, text: str) -> Json:
    return {
        "command": name, "text": text, "user_id": USER, "user_name": "ana", "channel_id": CHANNEL, "channel_name": "mail",
        "team_id": slack.team, "team_domain": "acme", "api_app_id": "A0", "is_enterprise_install": "false", "trigger_id": "t.1",
        "response_url": answer_address(slack),
    }  # fmt: skip


def action(slack: SlackDouble, which: Action, value: str, place: str) -> Json:
    pressed = {"type": "button", "action_id": which.value, "block_id": "b", "action_ts": "1.1", "value": value}
    body = base(slack, "block_actions") | {"actions": [pressed]}
    if place == "message":
        shown = {"type": "message", "message_ts": "1.000001", "is_ephemeral": False}
        return body | {"channel": {"id": CHANNEL}, "container": shown, "response_url": answer_address(slack)}
    view = {"id": "V1", "type": place, "hash": "h", "private_metadata": "1|||", "state": {"values": {}}}
    return body | {"view": view, "container": {"type": "view", "view_id": "V1"}}


def form(slack: SlackDouble, which: Form) -> Json:
    def chosen(name: str, value: str) -> Json:
        return {name: {name: {"type": "static_select", "selected_option": {"value": value}}}}

    values = chosen("campaign", "0") | chosen("digest", write(Limit(8))) | chosen("alarm", write(Limit(5)))
    values |= chosen("quiet", write(Hours(None, None)))
    values |= {"wants": {"wants": {"type": "checkboxes", "selected_options": [{"value": "returned"}]}}}
    values |= {"search": {"asked": {"type": "plain_text_input", "value": "Jane"}}, "key": {"key": {"value": "abc"}}}
    values |= chosen("region", "us") | {"secret": {"secret": {"value": "s"}}, "above": {"above": {"value": "12.5"}}}
    values |= chosen("cancellers", "admins") | chosen("stewards", "named")
    values |= {f"{one}_people": {"people": {"selected_users": [USER]}} for one in ("cancellers", "stewards")}
    view: Json = {
        "id": "V1", "type": "modal", "callback_id": which.value, "private_metadata": f"1|{CHANNEL}", "state": {"values": values},
        "title": {"type": "plain_text", "text": "T"}, "blocks": [],
    }  # fmt: skip
    return base(slack, "view_submission") | {"view": view}


def events() -> list[Json]:
    return [
        {"type": "app_home_opened", "user": USER, "channel": "D1", "tab": "home", "view": {"id": "V", "hash": "h"}},
        {"type": "app_mention", "user": USER, "channel": CHANNEL, "text": "<@U0BOT> status spring", "ts": "1.1"},
        {"type": "app_mention", "user": USER, "channel": CHANNEL, "text": "<@U0BOT> track 1001", "ts": "1.1", "thread_ts": "1.0"},
        {
            "type": "link_shared", "user": USER, "channel": CHANNEL, "message_ts": "1.1",
            "links": [{"url": "https://app-us1.stannp.com/campaigns/222", "domain": "stannp.com"}],
        },
        {
            "type": "function_executed", "function": {"callback_id": "track_a_piece"}, "inputs": {"piece": "1001"},
            "function_execution_id": "Fx1", "bot_access_token": "xwfp-1",
        },
        {"type": "message", "user": USER, "channel": CHANNEL, "text": "hello"},
    ]  # fmt: skip


def event(one: Json) -> Json:
    return {"type": "event_callback", "team_id": ACME, "api_app_id": "A0", "event_id": "Ev1", "event": one}
