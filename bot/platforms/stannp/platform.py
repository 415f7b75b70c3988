"""Stannp as the registry lists it: what people read of it, its regions and settings, and how an account is opened."""

import asyncio
from typing import Final

import aiohttp

from bot.platforms.kinds import AccountKeys, Platform, Region
from bot.platforms.stannp import wire, words
from bot.platforms.stannp.client import AT_ONCE, DASHBOARDS, PROFILE, Stannp
from bot.platforms.stannp.settings import StannpSettings
from handlers.context.ports import Clock


def opened(session: aiohttp.ClientSession, clock: Clock, keys: AccountKeys, at_once: int | None = None) -> Stannp:
    """What speaks with this account."""
    places = asyncio.Semaphore(min(AT_ONCE, at_once or AT_ONCE))
    return Stannp(session, clock, keys.url, keys.key, keys.webhook_secret, places=places)


def regions_of(settings: StannpSettings) -> dict[str, Region]:
    """Where it answers (API documentation: one host and one currency each)."""
    return {
        "us": Region(settings.stannp_api_url, settings.stannp_currency),
        "eu": Region(settings.stannp_eu_api_url, "GBP"),
    }


def account_of(settings: StannpSettings) -> tuple[AccountKeys, str]:
    """The account that the settings name, and its currency."""
    key, secret = settings.stannp_api_key.get_secret_value(), settings.stannp_webhook_secret.get_secret_value()
    return AccountKeys(settings.stannp_api_url, key, secret), settings.stannp_currency


PLATFORM: Final = Platform(
    profile=PROFILE,
    open=opened,
    regions=regions_of,
    account=account_of,
    key_missing="STANNP_API_KEY is missing: copy it from Stannp's dashboard, Settings, API",
    dashboards=tuple(address.removeprefix("https://") for address in DASHBOARDS.values()),
    find_refs=wire.find_refs,
    status=words.status,
    read_row=wire.piece,
    read_delivery=wire.read_delivery,
)
