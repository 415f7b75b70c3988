"""The mail house as it is from outside: accounts with campaigns and pieces that move; and the port that asks it."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zlib import crc32

from bot.platforms.registry import USUAL
from handlers.context.ports import AddressCheck, Delivery, Known, Profile, ReportPage
from handlers.errors import CampaignUnknown, KeyRefused, PayloadRefused, PieceUnknown, PlatformDown, TooLate
from storage.records import Batch, Campaign, CampaignStage, Change, Piece, Recipient, Source
from storage.statuses import Status
from tests.simulation.weather import Weather

#: What a report page holds.
PAGE = 50
#: After so many readings of all its pieces where they are is known: timelines follow, one by one.
READINGS = 1


@dataclass
class Letter:
    """A piece, and what truly became of it: each status with its moment, in the order in which they came."""

    ref: str
    campaign: str
    ordered_at: datetime
    cost: Decimal | None
    recipient: Recipient
    way: list[tuple[datetime, Status]] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """Where it is: the furthest that it came."""
        return max(status for _, status in self.way)

    @property
    def print(self) -> int:
        """Of its row in a report: the same as long as that says the same."""
        return crc32(f"{self.ref} {self.campaign} {self.status.word} {self.cost} {self.recipient}".encode())

    def copied(self) -> "Letter":
        """As it is now: it moves while the answer is on its way."""
        return replace(self, way=list(self.way))

    def described(self, *, whole: bool = False) -> Piece:
        return Piece(
            self.ref, self.ordered_at, "postcard", "6x9", cost=self.cost, campaign_ref=self.campaign,
            recipient=self.recipient, detailed=whole,
        )  # fmt: skip


@dataclass
class Books:
    """One account at the mail house."""

    key: str
    owner: str
    balance: Decimal = Decimal(500)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    letters: dict[str, Letter] = field(default_factory=dict)
    #: How an order to cancel goes: at once, later, or not at all.
    cancels: str = "at once"
    asked_to_cancel: list[tuple[str, str]] = field(default_factory=list)
    #: How many readings it takes until all is known.
    unread: int = READINGS
    #: When one ended last, by the world's time.
    read_at: float = 0.0


@dataclass
class MailWorld:
    """The mail house."""

    weather: Weather
    story: Any
    books: dict[str, Books] = field(default_factory=dict)
    #: Webhook calls by the number that is their body.
    calls: dict[int, Batch] = field(default_factory=dict)

    def read(self, raw: bytes, _now: datetime) -> Delivery:
        """What a call says; see `Platform.read_delivery`."""
        try:
            return Delivery(self.calls[int(raw)], "mailpiece_status")
        except (ValueError, KeyError):
            raise PayloadRefused from None


@dataclass
class MailLine:
    """`MailAccount` of one process, with the key that it has."""

    world: MailWorld
    key: str
    moment: Any

    @property
    def profile(self) -> Profile:
        return USUAL.profile

    @property
    def name(self) -> str:
        return self.profile.name

    def find_refs(self, text: str) -> list[str]:
        return USUAL.find_refs(text)

    async def _ask(self, work: Any) -> Any:
        def arrive() -> Any:
            if self.key not in self.world.books:
                raise KeyRefused
            return work(self.world.books[self.key])

        return (await self.world.weather.call("mail", PlatformDown, arrive))[0]

    async def introduce(self) -> tuple[str, Decimal | None, list[str]]:
        found: Books = await self._ask(lambda books: books)
        return found.owner, found.balance, []

    async def account(self) -> str:
        return str(await self._ask(lambda books: books.owner))

    async def balance(self) -> Decimal:
        return Decimal(await self._ask(lambda books: books.balance))

    async def campaigns(self) -> list[Campaign]:
        return list(await self._ask(lambda books: list(books.campaigns.values())))

    async def campaign(self, ref: str) -> Campaign:
        def work(books: Books) -> Campaign:
            if ref not in books.campaigns:
                raise CampaignUnknown
            return books.campaigns[ref]

        found: Campaign = await self._ask(work)
        return found

    async def _report(self, letters: list[Letter], known: Known | None, field: str) -> Batch:
        """A report says where a piece is, and not since when. What is `known` to say nothing new is left out."""
        prints = {one.ref: one.print for one in letters}
        recognized = await known(prints) if known else ()
        fresh, now = [one for one in letters if one.ref not in recognized], self.moment()
        changes = [Change(one.ref, one.status, now, exact=False, source=Source.POLL) for one in fresh]
        pieces: list[Piece] = [replace(one.described(), **{field: prints[one.ref]}) for one in fresh]  # type: ignore[arg-type]
        return Batch(pieces=tuple(pieces), changes=tuple(changes))

    async def campaign_pieces(self, ref: str, known: Known | None = None) -> AsyncIterator[Batch]:
        def work(books: Books) -> list[Letter]:
            return [one.copied() for one in books.letters.values() if one.campaign == ref]

        yield await self._report(await self._ask(work), known, "placed_print")

    async def pieces(
        self, first: date, last: date, state: Any, known: Known | None = None
    ) -> AsyncIterator[ReportPage]:
        start = 0
        while True:

            def work(books: Books, start: int = start) -> list[Letter]:
                those = [one for one in books.letters.values() if first <= one.ordered_at.date() <= last]
                return [one.copied() for one in those[start : start + PAGE]]

            letters: list[Letter] = await self._ask(work)
            if len(letters) < PAGE:
                self._read_all()
            yield ReportPage(await self._report(letters, known, "listed_print"), "newer")
            if len(letters) < PAGE:
                return
            start += PAGE

    def _read_all(self) -> None:
        books = self.world.books[self.key]
        books.unread = max(0, books.unread - 1)
        books.read_at = self.world.weather.loop.time()

    async def piece(self, ref: str, kind: str) -> Batch:
        def work(books: Books) -> Batch:
            if ref not in books.letters:
                raise PieceUnknown
            letter = books.letters[ref]
            changes = [Change(ref, status, at, source=Source.POLL) for at, status in letter.way]
            return Batch(pieces=(letter.described(whole=True),), changes=tuple(changes))

        found: Batch = await self._ask(work)
        return found

    async def check_address(self, who: Recipient) -> AddressCheck:
        return AddressCheck(await self._ask(lambda _: True), who)

    async def cancel_piece(self, ref: str, kind: str) -> None:
        def work(books: Books) -> None:
            letter = books.letters.get(ref)
            if letter is None:
                raise PieceUnknown
            books.asked_to_cancel.append((ref, letter.status.word))
            if letter.status is not Status.RECEIVED or books.cancels == "never":
                raise TooLate
            self.world.story.note(f"the mail house takes the order to stop {ref}")
            if books.cancels == "at once":
                letter.way.append((self.world.story.now(), Status.CANCELLED))
                books.unread = READINGS
            else:
                self.world.weather.loop.call_later(
                    3600.0, self._late, letter, context=self.world.weather.loop.outdoors()
                )

        await self._ask(work)

    def _late(self, letter: Letter) -> None:
        if letter.status is Status.RECEIVED:
            letter.way.append((self.world.story.now(), Status.CANCELLED))
            self.world.books[self.key].unread = READINGS

    async def delete_campaign(self, ref: str) -> None:
        def work(books: Books) -> None:
            if books.campaigns.pop(ref, None) is None:
                raise CampaignUnknown

        await self._ask(work)

    def admit(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        return True

    def dashboard(self, campaign_ref: str) -> str:
        return f"https://dash.stannp.example/campaigns/{campaign_ref}"


def booked(ref: str, name: str, made: datetime, number: int) -> Campaign:
    """A campaign as the mail house tells of it."""
    return Campaign(
        ref, name, CampaignStage.RUNNING, "6x9-postcard", made, made, made.date(), recipients=number, cost=None
    )
