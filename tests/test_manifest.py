"""The manifest asks for exactly what the bot uses, and is what Slack accepts."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.front.listeners import COMMANDS, EVENTS
from bot.sandbox.methods import METHODS
from bot.slack.client import HTTP_SCOPES, SCOPES
from bot.slack.manifest import HTTP_EVENTS, LEAVING, STEP_EVENTS, for_http
from handlers.workflow.steps import STEPS

ROOT = Path(__file__).parent.parent
#: Slack's own schema, where it lies beside the checkout. It is not part of the project.
SCHEMA = ROOT.parent / "shared" / "slack" / "manifest.schema.json"


def socket_mode() -> Any:
    return yaml.safe_load((ROOT / "manifest.yml").read_text())


def http() -> Any:
    return yaml.safe_load(for_http((ROOT / "manifest.yml").read_text(), "https://mail.example"))


def many() -> Any:
    return yaml.safe_load(for_http((ROOT / "manifest.yml").read_text(), "https://mail.example", many=True))


def with_steps() -> Any:
    return yaml.safe_load(for_http((ROOT / "manifest.yml").read_text(), "https://mail.example", steps=True))


@pytest.mark.parametrize("app", [socket_mode(), http(), many()], ids=["socket", "http", "many"])
def test_without_steps_it_asks_for_nothing_that_the_free_plan_lacks(app: Any) -> None:
    assert "functions" not in app
    assert "function_runtime" not in app["settings"]
    assert app["settings"]["org_deploy_enabled"] is False
    assert not set(STEP_EVENTS) & set(app["settings"]["event_subscriptions"]["bot_events"])


def test_many_workspaces_install_from_our_page_with_tokens_that_end() -> None:
    assert many()["oauth_config"]["redirect_urls"] == ["https://mail.example/slack/oauth_redirect"]
    assert many()["settings"]["token_rotation_enabled"] is True
    assert set(many()["settings"]["event_subscriptions"]["bot_events"]) == {*EVENTS, *HTTP_EVENTS, *LEAVING}
    assert "redirect_urls" not in http()["oauth_config"], "one workspace's token does not end"


def test_scopes_are_exactly_those_with_a_reason() -> None:
    assert set(socket_mode()["oauth_config"]["scopes"]["bot"]) == set(SCOPES)


def test_every_method_that_is_called_has_its_scope() -> None:
    needed = {method.scope for method in METHODS.values() if method.scope not in (None, "app", "step", "none")}
    assert needed <= {*SCOPES, *HTTP_SCOPES}
    assert {*SCOPES, *HTTP_SCOPES} - needed == {"commands", "app_mentions:read", "links:read"}
    assert set(http()["oauth_config"]["scopes"]["bot"]) == {*SCOPES, *HTTP_SCOPES}


def test_commands_and_events_are_exactly_those_that_are_answered() -> None:
    app = socket_mode()
    assert {command["command"] for command in app["features"]["slash_commands"]} == set(COMMANDS)
    assert set(app["settings"]["event_subscriptions"]["bot_events"]) == set(EVENTS)
    assert set(http()["settings"]["event_subscriptions"]["bot_events"]) == {*EVENTS, *HTTP_EVENTS}


def test_commands_can_be_typed_in_its_direct_messages() -> None:
    home = socket_mode()["features"]["app_home"]
    assert (home["messages_tab_enabled"], home["messages_tab_read_only_enabled"]) == (True, False)


def test_the_steps_of_workflows_are_exactly_those_that_are_done() -> None:
    assert set(with_steps()["functions"]) == set(STEPS)
    assert set(with_steps()["settings"]["event_subscriptions"]["bot_events"]) == {*EVENTS, *HTTP_EVENTS, *STEP_EVENTS}
    assert with_steps()["settings"]["org_deploy_enabled"] is True


def test_texts_are_within_slacks_limits() -> None:
    shown = socket_mode()["display_information"]
    assert len(shown["name"]) <= 35
    assert len(shown["description"]) <= 140
    assert 175 <= len(shown["long_description"]) <= 4000


def test_http_has_addresses_and_socket_mode_has_none() -> None:
    assert "http" not in json.dumps(socket_mode())
    text = json.dumps(http())
    assert text.count("https://mail.example/slack/events") == len(COMMANDS) + 2
    assert http()["settings"]["socket_mode_enabled"] is False


@pytest.mark.skipif(not SCHEMA.exists(), reason="Slack's manifest schema does not lie beside this checkout")
@pytest.mark.parametrize("app", [socket_mode(), http(), many(), with_steps()], ids=["socket", "http", "many", "steps"])
def test_slacks_schema_accepts_it(app: Any) -> None:
    jsonschema.validate(app, json.loads(SCHEMA.read_text()))
