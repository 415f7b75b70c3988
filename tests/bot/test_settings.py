"""Each wrong or missing setting is refused by its name, before anything starts, and without repeating its value."""

from pathlib import Path
from typing import Any

import pytest

from bot.settings import PATTERNS, WORDS, Mode, Settings, SettingsError, load_settings, misspelt
from bot.telemetry import redact

FULL = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "STANNP_API_KEY": "key"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(str(tmp_path))
    for name, value in FULL.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_complete_environment(environment: pytest.MonkeyPatch) -> None:
    assert load_settings().require_run() is Mode.SOCKET
    environment.delenv("SLACK_APP_TOKEN")
    environment.setenv("SLACK_SIGNING_SECRET", "s")
    assert load_settings().require_run() is Mode.HTTP


@pytest.mark.parametrize("secret", ["   ", "short"])
def test_a_webhook_secret_that_protects_nothing_is_refused(environment: pytest.MonkeyPatch, secret: str) -> None:
    environment.setenv("STANNP_WEBHOOK_SECRET", secret)
    with pytest.raises(SettingsError, match="STANNP_WEBHOOK_SECRET must have at least 8 characters"):
        load_settings()


@pytest.mark.parametrize("name", ["SLACK_SIGNING_SECRET", "SLACK_CLIENT_SECRET"])
def test_a_blank_secret_of_slack_s_is_refused(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.setenv(name, "   ")
    with pytest.raises(SettingsError, match=f"{name} is blank"):
        load_settings()


@pytest.mark.parametrize("name", FULL)
def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)
    with pytest.raises(SettingsError, match=name):
        load_settings().require_run()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK_BOT_TOKEN", "planted-token"), ("SLACK_APP_TOKEN", "xoxb-planted"), ("SLACK_API_URL", "http://slack.example"),
        ("STANNP_API_URL", "http://planted.example"), ("DATABASE_URL", "mysql://u:planted@h/d"), ("PIECEWISE_PORT", "planted"),
        ("PIECEWISE_PORT", "70000"), ("PIECEWISE_POLL_SECONDS", "0"), ("PIECEWISE_TIMEZONE", "Mars/planted"),
        ("STANNP_CURRENCY", "dollars"), ("PIECEWISE_LOG_FORMAT", "xml"), ("PIECEWISE_ENCRYPTION_KEYS", "planted"),
        ("SLACK_API_URL", "https://u:planted@slack.example/"), ("STANNP_API_URL", "https://u:planted@[::1/v1"),
        ("STANNP_API_URL", "https://h:planted/v1"), ("STANNP_API_URL", "https:///planted"),
        ("STANNP_API_URL", "https://planted example/v1"), ("STANNP_API_URL", "http://127.0.0.1.planted.example/v1"),
        ("PIECEWISE_PUBLIC_URL", "https://planted@mail.example"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_and_its_value_is_not_repeated(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError, match=name) as caught:
        load_settings()
    assert "planted" not in str(caught.value)


def test_cancellers_are_a_list(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PIECEWISE_CANCELLERS", " U1, U2 ,")
    assert load_settings().policy().cancellers == {"U1", "U2"}


@pytest.mark.parametrize(
    "text",
    ["token xoxb-12-ab-planted", "xapp-1-planted", "https://x/y?api_key=planted&z=1", "https://hooks.slack.com/commands/planted",
     "POST /commands/T0/planted", "Authorization: Basic planted"],
)  # fmt: skip
def test_secrets_do_not_reach_the_log(text: str) -> None:
    assert "planted" not in redact(text)


EXAMPLE = Path(__file__).parent.parent.parent / ".env.example"


def test_the_examples_placeholders_are_refused_by_name(environment: pytest.MonkeyPatch) -> None:
    for name in FULL:
        environment.delenv(name)
    Path(".env").write_text(EXAMPLE.read_text(), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"]
    assert all("placeholder" in line for line in lines)


def test_what_a_run_would_miss_is_named_beside_what_is_wrong(environment: pytest.MonkeyPatch) -> None:
    for name in FULL:
        environment.delenv(name)
    Path(".env").write_text(EXAMPLE.read_text() + "PIECEWISE_POLL_SECONDS=0\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_settings(to_run=True)
    lines = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "PIECEWISE_POLL_SECONDS", "STANNP_API_KEY"
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["mysql://u@h/d", "nothing"])
def test_a_wrong_database_is_named_once(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("DATABASE_URL", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == "DATABASE_URL must begin with sqlite:/// or postgresql://."


@pytest.mark.parametrize(
    ("name", "near"),
    [("SLACK_BOT_TOKE", "SLACK_BOT_TOKEN"), ("PIECEWISE_TIME_ZONE", "PIECEWISE_TIMEZONE"), ("SLACK_TOKEN", "SLACK_BOT_TOKEN"),
     ("STANNP_KEY", "STANNP_API_KEY"), ("DATABSE_URL", "DATABASE_URL"), ("PIECEWISE_COLOR", "")],
)  # fmt: skip
def test_a_misspelt_setting_is_named_with_the_nearest(environment: pytest.MonkeyPatch, name: str, near: str) -> None:
    Path(".env").write_text(f"{name}=1\nPOSTGRES_PASSWORD=x\nTZ=UTC\nPIECEWISE_PORT=3000\n", encoding="utf-8")
    assert misspelt({"PATH": "/bin", "SLACK_WEBHOOK_OF_OTHERS": "1", "SLACK_BOT_TOKEN": "x"}) == {name: near}


def test_the_environment_is_shared_and_only_near_names_in_it_are_ours(environment: pytest.MonkeyPatch) -> None:
    assert misspelt({"PIECEWISE_TIMEZON": "1", "PIECEWISE_OTHER": "1", "SLACK_TOKEN": "1"}) == {
        "PIECEWISE_TIMEZON": "PIECEWISE_TIMEZONE"
    }


@pytest.mark.parametrize("line", ["PIECEWISE_BOT_s3cret-ab12", "SLACK_BOT_s3cret", "PIECEWISE_s3cret-ab12=x"])
def test_a_line_that_is_no_setting_is_told_and_not_repeated(environment: pytest.MonkeyPatch, line: str) -> None:
    Path(".env").write_text(f"{line}\nPIECEWISE_PORT=3000\n", encoding="utf-8")
    assert misspelt({}) == {"a line of .env that is no NAME=value": ""}


def test_a_file_that_is_not_utf_8_is_refused_in_words(environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PIECEWISE_PORT=3000\n", encoding="utf-16")
    assert misspelt({"PIECEWISE_TIMEZON": "1"}) == {"PIECEWISE_TIMEZON": "PIECEWISE_TIMEZONE"}
    with pytest.raises(SettingsError, match=r"^\.env is not UTF-8 text: save it as UTF-8$"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PIECEWISE_PORT", "x", "PIECEWISE_PORT must be a whole number"),
        ("PIECEWISE_POLL_SECONDS", "x", "PIECEWISE_POLL_SECONDS must be a number"),
        ("PIECEWISE_HISTORY_DAYS", "0", "PIECEWISE_HISTORY_DAYS must be at least 1"),
        ("PIECEWISE_HISTORY_DAYS", "99999", "PIECEWISE_HISTORY_DAYS must be at most 3650"),
        ("PIECEWISE_LOG_FORMAT", "xml", "PIECEWISE_LOG_FORMAT must be console or json"),
        ("STANNP_CURRENCY", "dollars", "STANNP_CURRENCY must be three capital letters, like USD"),
    ],
)
def test_a_wrong_value_is_told_in_plain_words(
    environment: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value) == said


def test_every_rule_of_a_setting_has_words() -> None:
    def rules(annotated: Any) -> set[str]:
        return {
            name for one in annotated.metadata for name in ("ge", "le", "gt", "lt", "pattern") if hasattr(one, name)
        }

    used = set().union(*(rules(field) for field in Settings.model_fields.values()))
    assert used == {"ge", "le", "pattern"}
    patterns = {
        one.pattern for field in Settings.model_fields.values() for one in field.metadata if hasattr(one, "pattern")
    }
    assert patterns == set(PATTERNS)
    assert {"greater_than_equal", "less_than_equal", "string_pattern_mismatch"} <= set(WORDS)
