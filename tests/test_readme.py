"""What the README and the examples say is what the program does."""

import re
from pathlib import Path

import pytest

from bot.front.listeners import COMMANDS
from bot.settings import Settings, reference
from bot.slack.client import HTTP_SCOPES, SCOPES
from handlers.text.status_styles import STYLES

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(("name", "default", "text"), reference())
def test_every_setting_stands_in_the_reference_with_its_default(name: str, default: str, text: str) -> None:
    shown = f"`{default}`" if default else ""
    assert f"| `{name}` | {shown} | {text} |" in README


@pytest.mark.parametrize("name", [row[0] for row in reference() if row[0] != "SLACK_CLIENT_ID"])
def test_every_setting_stands_in_the_example(name: str) -> None:
    assert re.search(rf"^#?{name}=", (ROOT / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("scope", "reason"), [*SCOPES.items(), *HTTP_SCOPES.items()])
def test_every_scope_stands_with_its_reason(scope: str, reason: str) -> None:
    assert f"| `{scope}` | {reason} |" in README


@pytest.mark.parametrize("word", [*COMMANDS, *(style.label for style in STYLES.values())])
def test_every_command_and_status_is_named(word: str) -> None:
    assert word in README


@pytest.mark.parametrize("target", ["demo", "test", "lint", "bench"])
def test_every_make_target_is_there_and_named(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"make {target}" in README


def test_every_picture_and_file_that_is_named_is_there() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_ci_runs_the_readmes_own_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_secrets_of_the_settings_do_not_show() -> None:
    made = Settings(_env_file=None, slack_bot_token="xoxb-planted", stannp_api_key="planted-key")
    assert "planted" not in repr(made) + str(made)
