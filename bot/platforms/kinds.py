"""What the program must know of a mail platform before it has an account there. `registry` lists them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

import aiohttp

from handlers.context.ports import Clock, Delivery, MailPlatform, Profile
from storage.records import Batch, Source
from storage.statuses import Status


@dataclass(frozen=True)
class Region:
    """One of a platform's regions. A key of one is refused by the others."""

    url: str
    currency: str


@dataclass(frozen=True)
class AccountKeys:
    """What an account is opened with. `key` is empty where there is none."""

    url: str
    key: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)


class MailAccount(MailPlatform, Protocol):
    """An account that can say whose it is."""

    async def introduce(self) -> tuple[str, Decimal | None, list[str]]:
        """Tries the key: whose it is ("" where that is not told), its balance, and in words what it may not read."""
        ...


class Opening(Protocol):
    """Makes what speaks with one account, `at_once` requests at most."""

    def __call__(
        self, session: aiohttp.ClientSession, clock: Clock, keys: AccountKeys, at_once: int | None = None
    ) -> MailAccount: ...


class RowReading(Protocol):
    """What a row of the platform's own form says of its piece; raises UnreadableError."""

    def __call__(self, row: Any, now: datetime, source: Source, *, detailed: bool = False) -> Batch: ...


@dataclass(frozen=True)
class Platform:
    """A mail platform: what people read of it, and how its accounts are opened."""

    profile: Profile
    open: Opening
    #: By the key that `profile.regions` names: unlike any of another platform, and kept with an account.
    regions: Callable[[Any], Mapping[str, Region]]
    #: The account that the settings name, and its currency.
    account: Callable[[Any], tuple[AccountKeys, str]]
    #: What is said where the settings name none.
    key_missing: str
    #: Where people's links to its dashboards lead.
    dashboards: tuple[str, ...]
    #: See `MailPlatform.find_refs`.
    find_refs: Callable[[str], list[str]]
    #: The status that a word of its means (None: none of ours), and the word as it is kept.
    status: Callable[[Any], tuple[Status | None, str]]
    read_row: RowReading
    #: What a signed webhook call says that was heard then (aware, UTC). Does no I/O. Raises PayloadRefused.
    read_delivery: Callable[[bytes, datetime], Delivery]
