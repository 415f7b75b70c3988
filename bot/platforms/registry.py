"""Which mail platforms there are. Another one is a folder beside the first, and is named here twice."""

from collections.abc import Mapping
from typing import Final

from bot.platforms.kinds import Platform, Region
from bot.platforms.stannp.platform import PLATFORM as STANNP
from bot.platforms.stannp.settings import StannpSettings

#: By the key that stands in addresses and settings. The first is the usual one.
PLATFORMS: Final[Mapping[str, Platform]] = {one.profile.key: one for one in (STANNP,)}
USUAL: Final = next(iter(PLATFORMS.values()))


class PlatformSettings(StannpSettings):
    """The settings of every platform, each under its own name."""


def named(settings: PlatformSettings) -> Platform:
    """The platform whose account the settings name; the usual one where they name none."""
    return next((one for one in PLATFORMS.values() if one.account(settings)[0].key), USUAL)


def regions(settings: PlatformSettings) -> dict[str, tuple[Platform, Region]]:
    """Every region of every platform, by its key."""
    return {key: (one, region) for one in PLATFORMS.values() for key, region in one.regions(settings).items()}


def region_names() -> dict[str, str]:
    """What people call each region."""
    return {key: name for one in PLATFORMS.values() for key, name in one.profile.regions.items()}


def dashboards() -> tuple[str, ...]:
    """The hosts to which people's links into a platform's own pages lead."""
    return tuple(host for one in PLATFORMS.values() for host in one.dashboards)
