"""What stands in the place of a mail account that is not connected yet."""

# ruff: noqa: ARG002 - the names are the port's; nothing is done with what they bring

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from bot.platforms.kinds import Platform
from handlers.context.ports import AddressCheck, Known, Profile, ReportPage
from handlers.errors import NotConnected
from storage.records import Batch, Campaign, Recipient


@dataclass(frozen=True)
class Unconnected:
    """`MailPlatform` without an account: whatever is asked of it says so."""

    platform: Platform

    @property
    def profile(self) -> Profile:
        return self.platform.profile

    @property
    def name(self) -> str:
        return self.profile.name

    def find_refs(self, text: str) -> list[str]:
        return self.platform.find_refs(text)

    async def account(self) -> str:
        raise NotConnected

    async def balance(self) -> Decimal:
        raise NotConnected

    async def campaigns(self) -> list[Campaign]:
        raise NotConnected

    async def campaign(self, ref: str) -> Campaign:
        raise NotConnected

    def campaign_pieces(self, ref: str, known: Known | None = None) -> AsyncIterator[Batch]:
        raise NotConnected

    def pieces(self, first: date, last: date, state: Any, known: Known | None = None) -> AsyncIterator[ReportPage]:
        raise NotConnected

    async def piece(self, ref: str, kind: str) -> Batch:
        raise NotConnected

    async def check_address(self, who: Recipient) -> AddressCheck:
        raise NotConnected

    async def cancel_piece(self, ref: str, kind: str) -> None:
        raise NotConnected

    async def delete_campaign(self, ref: str) -> None:
        raise NotConnected

    def admit(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        raise NotConnected

    def dashboard(self, campaign_ref: str) -> str:
        raise NotConnected
