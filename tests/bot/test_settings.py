"""Each wrong or missing setting is refused by its name, before anything starts, and without repeating its value."""

import pytest

from bot.settings import Mode, Settings, SettingsError, load_settings
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
