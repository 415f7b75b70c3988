"""What every mail platform must bring, whichever it is: each that the registry lists is held to it, without a network."""

import contextlib
import inspect
from datetime import UTC, datetime
from typing import Any, cast

import aiohttp
import pytest

from bot.platforms import registry
from bot.platforms.kinds import AccountKeys, Platform
from bot.platforms.unconnected import Unconnected
from bot.settings import Settings
from handlers.context.ports import MailPlatform
from handlers.errors import NotConnected, PayloadRefused, SignatureRefused
from storage.records import Batch
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)
NO_SETTINGS = Settings(_env_file=None)
NO_NETWORK = cast("aiohttp.ClientSession", None)
METHODS = [name for name, _ in inspect.getmembers(MailPlatform, inspect.isfunction) if not name.startswith("_")]


@pytest.fixture(params=registry.PLATFORMS.values(), ids=list(registry.PLATFORMS))
def platform(request: pytest.FixtureRequest) -> Platform:
    return cast("Platform", request.param)


def an_account(platform: Platform) -> MailPlatform:
    url = next(iter(platform.regions(NO_SETTINGS).values())).url
    return platform.open(NO_NETWORK, FakeClock(), AccountKeys(url, "a-key", "a-long-secret"), 4)


def test_its_account_does_all_that_the_port_names(platform: Platform) -> None:
    account = an_account(platform)
    assert (account.profile, account.name) == (platform.profile, platform.profile.name)
    for name in METHODS:
        wanted, made = inspect.signature(getattr(MailPlatform, name)), inspect.signature(getattr(type(account), name))
        assert list(made.parameters) == list(wanted.parameters), name


def test_it_says_how_it_is_called_and_where_its_keys_are(platform: Platform) -> None:
    said = platform.profile
    assert registry.PLATFORMS[said.key] is platform
    assert said.key.isascii()
    assert said.key.isalnum()
    assert all((said.name, said.keys_at, said.webhooks_at, platform.key_missing))
    assert said.key_setting.lower() in Settings.model_fields, "its settings stand in `PlatformSettings`"


def test_its_regions_are_its_own_and_each_has_a_name(platform: Platform) -> None:
    assert list(platform.regions(NO_SETTINGS)) == list(platform.profile.regions)
    assert all(
        one.url.startswith("https://") and len(one.currency) == 3 for one in platform.regions(NO_SETTINGS).values()
    )
    everyone = [key for one in registry.PLATFORMS.values() for key in one.profile.regions]
    assert sorted(everyone) == sorted(set(everyone))


def test_its_links_lead_to_its_dashboards(platform: Platform) -> None:
    link = an_account(platform).dashboard("7")
    assert any(link.startswith(f"https://{host}/") for host in platform.dashboards)
    assert link.startswith(an_account(platform).dashboard(""))


@pytest.mark.parametrize("text", ["", "hello", "x" * 5000, "\u0000<@U1>"])
def test_no_words_make_its_search_for_ids_fail(platform: Platform, text: str) -> None:
    assert an_account(platform).find_refs(text) == platform.find_refs(text) == []


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"\xff", b""])
def test_it_believes_no_call_without_a_signature(platform: Platform, raw: bytes) -> None:
    with pytest.raises(SignatureRefused):
        an_account(platform).admit(raw, {})


@pytest.mark.parametrize("raw", [b"{}", b'{"event": "something_new"}', b"[]", b"\xff", b""])
def test_what_a_call_says_is_nothing_or_refused_by_name(platform: Platform, raw: bytes) -> None:
    with contextlib.suppress(PayloadRefused):
        assert platform.read_delivery(raw, NOW).batch == Batch()


async def test_without_an_account_everything_says_so_but_what_is_known_without_one(platform: Platform) -> None:
    nobody: Any = Unconnected(platform)
    assert nobody.name == platform.profile.name
    assert nobody.find_refs("") == []
    for name in set(METHODS) - {"find_refs"}:
        method = getattr(nobody, name)
        given = [None] * len(inspect.signature(method).parameters)
        with pytest.raises(NotConnected):
            await method(*given)
