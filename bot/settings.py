"""Every setting: its name, type, default and help. Read once; a wrong or missing one is refused by name."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from bot.platforms.registry import USUAL, PlatformSettings, named
from bot.platforms.values import web_address
from handlers.context.services import Policy
from storage.database import DatabaseUrlError, parse_url
from storage.vault import KeyRefusedError, Vault


class SettingsError(ValueError):
    """One or more settings are missing or wrong. Each line of the text names one and says what to do."""


class Mode(StrEnum):
    """How Slack reaches us."""

    SOCKET = "Socket Mode"
    HTTP = "HTTP"


NOTHING = SecretStr("")


class Settings(PlatformSettings):
    """From the environment, or a file named .env beside the process. Secrets do not show in `repr`."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    slack_bot_token: SecretStr = Field(NOTHING, description="The bot's token, xoxb-…")
    slack_app_token: SecretStr = Field(
        NOTHING, description="Socket Mode: the app-level token, xapp-…, with connections:write"
    )
    slack_signing_secret: SecretStr = Field(NOTHING, description="HTTP: the secret with which Slack signs its requests")
    slack_client_id: str = Field("", description="Many workspaces: the app's client id, for installing from a web page")
    slack_client_secret: SecretStr = Field(NOTHING, description="Many workspaces: the app's client secret")
    slack_api_url: str = Field("https://slack.com/api/", description="Slack's Web API")
    database_url: str = Field("sqlite:///piecewise.db", description="sqlite:///FILE or postgresql://…")
    piecewise_host: str = Field("127.0.0.1", description="Where HTTP listens")
    piecewise_port: int = Field(3000, description="Where HTTP listens", ge=0, le=65535)
    piecewise_metrics_address: str = Field(
        "", description="Where /metrics listens, HOST:PORT, for Prometheus alone; without it there is none"
    )
    piecewise_peer_connections: int = Field(
        200, description="HTTP: connections that one outside address may hold; a proxy on a private one is not counted",
        ge=1, le=10_000,
    )  # fmt: skip
    piecewise_public_url: str = Field(
        "", description="HTTP: the outside address, https://…, for pictures in Home; without it Home shows bars of text"
    )
    piecewise_poll_seconds: float = Field(300, description="How often the mail account is read", ge=1, le=86400)
    piecewise_history_days: int = Field(90, description="How far back the first reading goes", ge=1, le=3650)
    piecewise_settle_seconds: float = Field(
        30, description="News within this time is folded into one message", ge=0, le=3600
    )
    piecewise_card_seconds: float = Field(
        60, description="A campaign's card is edited at most this often", ge=0, le=3600
    )
    piecewise_fresh_seconds: float = Field(
        60, description="An answer younger than this is not asked for again", ge=0, le=86400
    )
    piecewise_timezone: str = Field(
        "UTC", description="The team's time zone, for pictures and for people whose own is unknown"
    )
    piecewise_cancellers: Annotated[frozenset[str], NoDecode] = Field(
        frozenset({"admins"}), description="Who may cancel: admins, everyone, or Slack user ids, comma-separated"
    )
    piecewise_installer: str = Field(
        "",
        description="The Slack user id to greet, and to tell of a silent webhook or a refused key; else who first "
        "opens Home as an admin, or subscribes",
    )
    piecewise_encryption_keys: SecretStr = Field(
        NOTHING, description="Many workspaces: keys of stored secrets, comma-separated; the first seals, all open"
    )
    piecewise_keep_recipients_days: int = Field(
        90, description="Who a piece was sent to is dropped so many days after its final status", ge=1, le=3650
    )
    piecewise_keep_history_days: int = Field(
        400,
        description="Every scan of a piece is kept so many days and 60 more after it was "
        "ordered; then only when it was handed over and how it ended",
        ge=100,
        le=3650,
    )
    piecewise_keep_removed_days: int = Field(
        30,
        description="Many workspaces: what is kept of a workspace goes so many days after it removed Piecewise",
        ge=0,
        le=365,
    )
    piecewise_log_format: str = Field("console", description="console or json", pattern="^(console|json)$")

    @field_validator("slack_bot_token")
    @classmethod
    def _bot_token(cls, value: SecretStr) -> SecretStr:
        return _begins(value, "xoxb-", "the bot token of *OAuth & Permissions*")

    @field_validator("slack_app_token")
    @classmethod
    def _app_token(cls, value: SecretStr) -> SecretStr:
        return _begins(value, "xapp-", "the app-level token of *Basic Information*")

    @field_validator("slack_signing_secret", "slack_client_secret")
    @classmethod
    def _not_blank(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and not text.strip():
            raise ValueError("is blank: copy it from your Slack app's page *Basic Information*")
        return value

    @field_validator("slack_api_url")
    @classmethod
    def _slash(cls, value: str) -> str:
        return web_address(value).rstrip("/") + "/"

    @field_validator("piecewise_public_url")
    @classmethod
    def _public(cls, value: str) -> str:
        return web_address(value).rstrip("/") if value else ""

    @field_validator("piecewise_metrics_address")
    @classmethod
    def _listening(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isascii() and port.isdigit() and int(port) <= 65535):  # noqa: PLR2004 - ports
            raise ValueError("must be an address and a port, like 127.0.0.1:9464")
        return value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        try:
            parse_url(value)
        except DatabaseUrlError as error:
            # The line that is told begins with the name already.
            raise ValueError(str(error).removeprefix("DATABASE_URL ")) from None
        return value

    @field_validator("piecewise_timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("must be a time zone like America/Chicago or UTC") from None
        return value

    @field_validator("piecewise_cancellers", mode="before")
    @classmethod
    def _list(cls, value: object) -> object:
        return frozenset(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("piecewise_encryption_keys")
    @classmethod
    def _keys(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value():
            try:
                Vault(_listed(value))
            except KeyRefusedError as error:
                raise ValueError(f"holds something that is no key. {error}") from None
        return value

    def is_for_many(self) -> bool:
        """Whether any workspace may install us from a web page."""
        return bool(self.slack_client_id)

    def vault(self) -> Vault:
        """What seals the secrets of many workspaces."""
        return Vault(_listed(self.piecewise_encryption_keys))

    def require_run(self) -> Mode:
        """How to run; raises SettingsError naming everything that is missing."""
        missing = self._missing_for_many() if self.is_for_many() else self._missing_for_one()
        if missing:
            raise SettingsError("\n".join(missing))
        return Mode.HTTP if self.is_for_many() or not self.slack_app_token.get_secret_value() else Mode.SOCKET

    def _missing_for_one(self) -> list[str]:
        missing = []
        if not self.slack_bot_token.get_secret_value():
            missing.append("SLACK_BOT_TOKEN is missing: copy it from your Slack app's page *OAuth & Permissions*")
        socket, signing = self.slack_app_token.get_secret_value(), self.slack_signing_secret.get_secret_value()
        if not socket and not signing:
            missing.append("SLACK_APP_TOKEN (for Socket Mode) or SLACK_SIGNING_SECRET (for HTTP) is missing: set one")
        if not named(self).account(self)[0].key:
            missing.append(USUAL.key_missing)
        return missing

    def _missing_for_many(self) -> list[str]:
        needed = {
            "SLACK_CLIENT_SECRET is missing: copy it from your Slack app's page *Basic Information*":
                self.slack_client_secret.get_secret_value(),
            "SLACK_SIGNING_SECRET is missing: copy it from your Slack app's page *Basic Information*":
                self.slack_signing_secret.get_secret_value(),
            "PIECEWISE_ENCRYPTION_KEYS is missing: make a key with `piecewise new-key`, and keep a copy of it":
                self.piecewise_encryption_keys.get_secret_value(),
            "PIECEWISE_PUBLIC_URL is missing: the outside address at which Slack and browsers reach this, https://…":
                self.piecewise_public_url,
        }  # fmt: skip
        missing = [text for text, value in needed.items() if not value]
        if self.slack_bot_token.get_secret_value():
            missing.append(
                "SLACK_BOT_TOKEN is set beside SLACK_CLIENT_ID: unset one. The client id is for many workspaces"
            )
        return missing

    def _picture_key(self) -> bytes:
        """The same in every process, and of no use for anything else."""
        one, many = self.slack_bot_token.get_secret_value(), self.slack_client_secret.get_secret_value()
        secret = (many if self.is_for_many() else one).encode()
        return hmac.new(secret, b"addresses of pictures", hashlib.sha256).digest()

    def _sealing_keys(self) -> tuple[str, ...]:
        """For one team without keys of its own, one that is made of its token: the same in every process."""
        given = tuple(_listed(self.piecewise_encryption_keys))
        token = self.slack_bot_token.get_secret_value().encode()
        made = hmac.new(token, b"seals what is still to be done", hashlib.sha256).digest()
        return given or (base64.urlsafe_b64encode(made).decode(),)

    def policy(self) -> Policy:
        """The numbers that decisions use."""
        return Policy(
            zone=ZoneInfo(self.piecewise_timezone),
            cancellers=self.piecewise_cancellers,
            installer=self.piecewise_installer,
            public_url=self.piecewise_public_url,
            picture_key=self._picture_key(),
            sealing_keys=self._sealing_keys(),
            poll_every=timedelta(seconds=self.piecewise_poll_seconds),
            fresh=timedelta(seconds=self.piecewise_fresh_seconds),
            card_pace=timedelta(seconds=self.piecewise_card_seconds),
            settle=timedelta(seconds=self.piecewise_settle_seconds),
            history=timedelta(days=self.piecewise_history_days),
            keep_recipients=timedelta(days=self.piecewise_keep_recipients_days),
            keep_history=timedelta(days=self.piecewise_keep_history_days),
            keep_removed=timedelta(days=self.piecewise_keep_removed_days),
        )


def _listed(value: SecretStr) -> list[str]:
    return [part.strip() for part in value.get_secret_value().split(",") if part.strip()]


def _begins(value: SecretStr, prefix: str, where: str) -> SecretStr:
    text = value.get_secret_value()
    if text and not text.startswith(prefix):
        raise ValueError(f"must begin with {prefix}: it is {where}")
    if text and not text.removeprefix(prefix).strip("xX.…-"):
        raise ValueError(f"still holds the example's placeholder: put {where} there")
    return value


def load_settings(*, to_run: bool = False) -> Settings:
    """The settings; raises SettingsError naming each wrong one. Values are not repeated: they may be secrets.

    `to_run`: where one is wrong, what a run would miss beside it is named in the same breath.
    """
    try:
        return Settings()
    except UnicodeDecodeError:
        raise SettingsError(".env is not UTF-8 text: save it as UTF-8") from None
    except ValidationError as error:
        missing = _missing_beside(error) if to_run else []
        raise SettingsError("\n".join([*(_line(dict(one)) for one in error.errors()), *missing])) from None


def _missing_beside(error: ValidationError) -> list[str]:
    """What a run would miss if nothing were wrong with the settings that `error` names."""
    wrong = {str(one["loc"][0]) for one in error.errors() if one["loc"]}
    unset: dict[str, Any] = {name: Settings.model_fields[name].default for name in wrong & set(Settings.model_fields)}
    try:
        Settings(**unset).require_run()
    except ValidationError:
        return []
    except SettingsError as missing:
        return [line for line in str(missing).splitlines() if not any(name.upper() in line for name in wrong)]
    return []


def _line(error: dict[str, object]) -> str:
    place = error["loc"]
    name = ".".join(str(part) for part in place).upper() if isinstance(place, tuple) else ""
    text = str(error["msg"]).removeprefix("Value error, ")
    if in_words := WORDS.get(str(error["type"])):
        context = error.get("ctx")
        limits = context if isinstance(context, dict) else {}
        text = in_words.format(**{key: PATTERNS.get(value, value) for key, value in limits.items()})
    return f"{name} {text}" if name else text


#: What is said of a value of the wrong form, by the library's name for that.
WORDS: Final = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_pattern_mismatch": "must be {pattern}",
}
#: What a pattern means.
PATTERNS: Final = {"^(console|json)$": "console or json", "^[A-Z]{3}$": "three capital letters, like USD"}
#: Names in `.env` that are others', and beside ours: those of compose.yaml.
BESIDE: Final = frozenset(
    {
        "PIECEWISE_DOMAIN",
        "PIECEWISE_DATABASE_PASSWORD",
        "POSTGRES_PASSWORD",
        "PYTHON_IMAGE",
        "POSTGRES_IMAGE",
        "CADDY_IMAGE",
    }
)
#: How names begin that are for us alone, and how all names of settings begin.
OWN: Final = "PIECEWISE_"
OURS: Final = tuple({name.partition("_")[0].upper() + "_" for name in Settings.model_fields})

#: What is said in place of a line that may hold anything.
NO_PAIR: Final = "a line of .env that is no NAME=value"


#: How like a known setting a name must be to be taken for it. In `.env` everything is ours; the environment is shared.
ALIKE, VERY_ALIKE = 0.82, 0.9


def misspelt(environment: Mapping[str, str]) -> dict[str, str]:
    """The names in `.env` and the environment that nothing reads, each with the nearest that is read.

    That is "" where none is near, which is said of names in `.env` that begin as ours do. A line in it that is no
    NAME=value is not repeated: NO_PAIR stands for it.
    """
    known = {_told_apart(name.upper()): name.upper() for name in Settings.model_fields}
    try:
        told = dotenv_values(".env")
    except UnicodeDecodeError:
        # Said where the settings are read.
        told = {}
    in_file = [name.upper() for name, value in told.items() if _is_pair(name, value)]
    # What is no pair may be a secret on a line of its own.
    strays = {NO_PAIR: ""} if any(name.upper().startswith(OURS) for name in told if name.upper() not in in_file) else {}
    found = {}
    for name in dict.fromkeys([*in_file, *(one for one in environment if one.startswith(OURS))]):
        own = _told_apart(name)
        near = get_close_matches(own, known, n=1, cutoff=ALIKE if name in in_file else VERY_ALIKE)
        if own not in known and name not in BESIDE and (near or (name in in_file and name.startswith(OWN))):
            found[name] = known[near[0]] if near else ""
    return found | strays


def _is_pair(name: str, value: str | None) -> bool:
    return value is not None and re.fullmatch(r"\w+", name) is not None


def _told_apart(name: str) -> str:
    """The part by which our names differ: what all begin with would make any two alike."""
    return name.removeprefix(OWN)


def reference() -> list[tuple[str, str, str]]:
    """Every setting as (name, default, help), for docs/reference.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if isinstance(default, SecretStr) else default
        shown = ",".join(sorted(shown)) if isinstance(shown, frozenset) else str(shown)
        rows.append((name.upper(), shown, field.description or ""))
    return rows
