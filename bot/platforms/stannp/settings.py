"""What is set of Stannp. The names are those under which it stands in people's environments."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from bot.platforms.values import web_address
from handlers.context.ports import SECRET_REFUSED, is_secret


class StannpSettings(BaseSettings):
    """The account of one workspace, and where the accounts of many are."""

    stannp_api_key: SecretStr = Field(SecretStr(""), description="The mail account's API key")
    stannp_api_url: str = Field("https://api-us1.stannp.com/v1", description="The mail account's region")
    stannp_webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="HTTP: the secret given to Stannp's webhook, at least 8 characters; without it no call is believed",
    )
    stannp_eu_api_url: str = Field(
        "https://api-eu1.stannp.com/v1", description="Many workspaces: the region of accounts in the UK and the EU"
    )
    stannp_currency: str = Field(
        "USD", description="Stannp's answers name no currency; this one is shown", pattern="^[A-Z]{3}$"
    )

    @field_validator("stannp_webhook_secret")
    @classmethod
    def _secret(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text and not is_secret(text):
            raise ValueError(SECRET_REFUSED)
        return value

    @field_validator("stannp_api_url", "stannp_eu_api_url")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return web_address(value).rstrip("/")
