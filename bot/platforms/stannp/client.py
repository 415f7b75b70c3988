"""Stannp over HTTPS: addresses, keys, time-outs, the request limit, and every refusal named."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

import aiohttp
import structlog

from bot.platforms import values
from bot.platforms.stannp import wire
from handlers.context.ports import Ability, AddressCheck, Clock, Known, Profile, ReportPage
from handlers.errors import (
    CampaignBooked,
    CampaignUnknown,
    KeyRefused,
    NotOffered,
    PieceUnknown,
    PlatformBusy,
    PlatformDown,
    PlatformRefused,
    ReadCut,
    Refusal,
    TooLate,
    Trouble,
)
from storage.records import Batch, Campaign, Recipient, Source

log = structlog.get_logger()
T = TypeVar("T")

#: Connect and whole answer, in seconds. Lists of an account's pieces can be long in coming.
TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=5)
#: Requests of one account at once: a slow one does not take the connections of the others.
AT_ONCE: Final = 8
READ_TRIES: Final = 3
PAGE: Final = 500
#: Stop asking when this few requests are left in the minute, and wait for the next (a production client's rule).
SPARE: Final = 10
#: What one answer may hold, unpacked: a page of 500 some sixty times over.
MOST_BYTES: Final = 16_000_000
#: And a campaign's report, which has no pages: 300,000 pieces of some two hundred bytes.
MOST_BYTES_PLACED: Final = 64_000_000
#: What one reading of a list may take: a million pieces, and no more than this of bytes and time.
MOST_PAGES: Final = 2000
MOST_BYTES_READ: Final = 512_000_000
LONGEST_READ: Final = timedelta(minutes=10)
#: The request limit's minute ends within this many seconds.
LONGEST_MINUTE: Final = 120
#: Longer than this no pause is believed, in seconds.
LONGEST_PAUSE: Final = 3600
#: Answers with more bytes are read off the loop.
SMALL: Final = 64_000
NEWER, CLASSIC = "directMail/list", "list"
PROFILE: Final = Profile(
    key="stannp",
    name=wire.NAME,
    abilities=frozenset({Ability.BALANCE}),
    regions={"us": "United States and Canada", "eu": "United Kingdom and Europe"},
    key_setting="STANNP_API_KEY",
    keys_at="*Settings* → *API*",
    webhooks_at="*Settings* → *Webhooks*",
    webhook_pauses="Stannp pauses a webhook after five failures in a day.",
)
KEY_REFUSED: Final = (
    "Stannp doesn't accept the API key. Check STANNP_API_KEY, and that STANNP_API_URL is your region's address."
)
#: The US dashboard's own address, per facts on keys and settings; campaigns are listed there by id.
DASHBOARDS: Final = {
    "api-us1.stannp.com": "https://app-us1.stannp.com",
    "api-eu1.stannp.com": "https://app-eu1.stannp.com",
}


@dataclass
class Allowance:
    """What the last answer said about the request limit. `until` is when the minute ends, by our clock."""

    remaining: int | None = None
    until: datetime | None = None

    def wait(self, now: datetime) -> float:
        """Seconds to wait before the next request."""
        if self.remaining is None or self.until is None or self.remaining > SPARE:
            return 0
        # A clock that was set back since would make a day of this minute.
        return min(max((self.until - now).total_seconds(), 0), LONGEST_MINUTE)


@dataclass(frozen=True)
class Answer:
    """An answer that was understood: its HTTP status and unwrapped data."""

    status: int
    data: Any
    #: Bytes, unpacked.
    size: int = 0


@dataclass
class Measure:
    """What one reading of a list has taken so far."""

    clock: Clock
    #: By the clock that nobody sets.
    began: float
    pages: int = 0
    size: int = 0
    #: Which of its pieces say nothing new.
    known: Known | None = None

    def next_page(self) -> None:
        """Before each page; raises ReadCut when it is enough."""
        if self.pages >= MOST_PAGES:
            raise ReadCut(f"Stannp's list did not end after {self.pages:,} pages. What was read is kept.")
        if self.clock.elapsed() - self.began > LONGEST_READ.total_seconds():
            minutes = LONGEST_READ // timedelta(minutes=1)
            raise ReadCut(f"Stannp's list did not end within {minutes} minutes. What was read is kept.")
        if self.size > MOST_BYTES_READ:
            raise ReadCut(f"Stannp's list did not end after {self.size // 10**6:,} MB. What was read is kept.")
        self.pages += 1


@dataclass
class Stannp:
    """`handlers.context.ports.MailPlatform` for one account. Only reads are repeated after a failure."""

    session: aiohttp.ClientSession
    clock: Clock
    base_url: str
    api_key: str = field(repr=False)
    webhook_secret: str = field(default="", repr=False)
    jitter: Callable[[], float] = random.random
    allowance: Allowance = field(default_factory=Allowance)
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @property
    def profile(self) -> Profile:
        return PROFILE

    @property
    def name(self) -> str:
        return PROFILE.name

    def find_refs(self, text: str) -> list[str]:
        return wire.find_refs(text)

    async def account(self) -> str:
        answer = await self._read("users/me")
        return wire.account(answer.data)

    async def introduce(self) -> tuple[str, Decimal | None, list[str]]:
        """Tries the key: whose it is ("" where that is not told), its balance, and in words what it may not read.

        Anything that it may read is proof enough: users/me stands in no reference, and 401 alone means a wrong key.
        Raises what Stannp answered when it may read nothing.
        """
        owner, balance = "", None
        refused: list[str] = []
        for what, look in (("balance", self.balance), ("owner", self.account), ("campaigns", self.campaigns)):
            try:
                found = await look()
            except Trouble as trouble:
                if _is_final(trouble) or (what == "campaigns" and len(refused) > 1):
                    raise
                refused.append(f"{what} ({trouble.code or type(trouble).__name__})")
                continue
            balance = found if isinstance(found, Decimal) else balance
            owner = found if isinstance(found, str) else owner
            if what == "owner" and balance is not None:
                break
        return owner, balance, refused

    async def balance(self) -> Decimal:
        return self._understood(wire.balance, (await self._read("accounts/balance")).data)

    async def campaigns(self) -> list[Campaign]:
        found: dict[str, Campaign] = {}
        offset, measure = 0, self._measure()
        try:
            while True:
                # `offset` and `limit` are not documented here, nor how many a page may hold: the list ends where a page
                # brings nothing new.
                measure.next_page()
                answer = await self._read("campaigns/list", {"offset": str(offset), "limit": str(PAGE)})
                measure.size += answer.size
                page, bad = await asyncio.to_thread(wire.campaigns, answer.data)
                self._report("campaign", bad)
                fresh = [one for one in page if one.ref not in found]
                if not fresh:
                    return list(found.values())
                found.update((one.ref, one) for one in fresh)
                offset += len(wire.rows(answer.data, "campaigns", "data"))
        except ReadCut as cut:
            cut.campaigns = tuple(found.values())
            raise

    def _measure(self, known: Known | None = None) -> Measure:
        return Measure(self.clock, self.clock.elapsed(), known=known)

    async def campaign(self, ref: str) -> Campaign:
        answer = await self._read(f"campaigns/get/{ref}", missing=CampaignUnknown)
        return self._understood(wire.campaign, answer.data)

    async def campaign_pieces(self, ref: str, known: Known | None = None) -> AsyncIterator[Batch]:
        path = f"reporting/campaignSingles/{ref}"
        answer = await self._ask("GET", path, missing=NotOffered, most=MOST_BYTES_PLACED)
        rows = await asyncio.to_thread(wire.report_rows, answer.data, ref)
        for some in wire.sliced(rows):
            yield await self._read_rows(some, known, ref)

    async def pieces(
        self, first: date, last: date, state: Any, known: Known | None = None
    ) -> AsyncIterator[ReportPage]:
        measure = self._measure(known)
        instead: Trouble | None = None
        if state != CLASSIC:
            try:
                async for page in self._newer_report(first, last, measure):
                    yield page
            except Trouble as trouble:
                if _is_final(trouble) or (isinstance(trouble, ReadCut) and measure.pages > 1):
                    raise
                log.warning("stannp.newer_report", reason=type(trouble).__name__, code=trouble.code)
                instead = trouble
            else:
                return
        try:
            async for page in self._classic_report(first, last, measure):
                yield replace(page, instead=instead)
        except NotOffered:
            raise instead or NotOffered from None

    async def _newer_report(self, first: date, last: date, measure: Measure) -> AsyncIterator[ReportPage]:
        """How many a page may hold is documented nowhere: followed until one brings nothing new."""
        path = f"reporting/directMail/list/{first}T00:00:00.000Z/{last}T23:59:59.999Z"
        seen: set[str | bytes] = set()
        offset = 0
        while True:
            measure.next_page()
            query = {"offset": str(offset), "limit": str(PAGE), "sort_by": "created", "order_by": "asc"}
            # Not repeated after an outage: the classic report answers at once.
            answer = await self._ask("GET", path, query=query, missing=NotOffered)
            measure.size += answer.size
            rows = await asyncio.to_thread(wire.report_rows, answer.data)
            fresh = {row.key for row in rows} - seen
            if offset and not fresh:
                return
            seen |= fresh
            for some in wire.sliced(rows):
                yield ReportPage(await self._read_rows(some, measure.known), NEWER)
            # What names no piece does not end it, for the next page may; but a lone object like that is no page at all.
            if not rows or (len(rows) == 1 and not rows[0].ref):
                return
            offset += len(rows)

    async def _classic_report(self, first: date, last: date, measure: Measure) -> AsyncIterator[ReportPage]:
        """It has no pages: what is too much for one answer is asked for by half as many days."""
        measure.next_page()
        try:
            answer = await self._read(f"reporting/list/{first}/{last}", missing=NotOffered)
        except ReadCut:
            if first >= last:
                raise
        else:
            measure.size += answer.size
            for some in wire.sliced(await asyncio.to_thread(wire.report_rows, answer.data)):
                yield ReportPage(await self._read_rows(some, measure.known), CLASSIC)
            return
        middle = first + (last - first) // 2
        for begin, end in ((first, middle), (middle + timedelta(days=1), last)):
            async for page in self._classic_report(begin, end, measure):
                yield page

    async def _read_rows(self, rows: Sequence[wire.Row], known: Known | None, campaign_ref: str | None = None) -> Batch:
        """What these rows of a report say, without those that are known to say nothing new."""
        recognized = await known({row.ref: row.print for row in rows if row.print}) if known else ()
        fresh = [row for row in rows if row.ref not in recognized]
        if not fresh:
            return Batch()
        batch, bad = await asyncio.to_thread(wire.report_pieces, fresh, self.clock.now(), campaign_ref)
        self._report("piece", bad)
        return batch

    async def piece(self, ref: str, kind: str) -> Batch:
        for name in _collections(kind):
            try:
                answer = await self._read(f"{name}/get/{ref}", missing=PieceUnknown)
            except PieceUnknown:
                continue
            return self._understood(
                lambda data: wire.piece(data, self.clock.now(), Source.POLL, detailed=True), answer.data
            )
        raise PieceUnknown(platform=PROFILE.name)

    async def check_address(self, who: Recipient) -> AddressCheck:
        form = {
            "company": who.company, "address1": who.address, "city": who.city, "state": who.region,
            "zipcode": who.postcode, "country": who.country or "US",
        }  # fmt: skip
        answer = await self._ask("POST", "addresses/validate", form=form, missing=NotOffered)
        return self._understood(wire.address_check, answer.data)

    async def cancel_piece(self, ref: str, kind: str) -> None:
        for name in _collections(kind):
            try:
                await self._ask("POST", f"{name}/cancel", form={"id": ref}, missing=PieceUnknown)
            except PieceUnknown:
                continue
            except PlatformRefused as refusal:
                # What Stannp answers when it is too late is documented nowhere: the caller reads the piece again.
                raise TooLate(code=str(refusal), platform=PROFILE.name) from None
            return
        raise PieceUnknown(platform=PROFILE.name)

    async def delete_campaign(self, ref: str) -> None:
        try:
            await self._ask("POST", "campaigns/delete", form={"id": ref}, missing=CampaignUnknown)
        except PlatformRefused as refusal:
            raise CampaignBooked(code=str(refusal), platform=PROFILE.name) from None

    def admit(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        return wire.admit(raw, headers, self.webhook_secret)

    def dashboard(self, campaign_ref: str) -> str:
        host = self.base_url.split("//")[-1].split("/")[0]
        return f"{DASHBOARDS.get(host, self.base_url)}/campaigns/{campaign_ref}"

    async def _read(
        self, path: str, query: Mapping[str, str] | None = None, missing: type[Refusal] = PlatformRefused
    ) -> Answer:
        """A GET, repeated a few times after an outage."""
        for attempt in range(1, READ_TRIES + 1):
            try:
                return await self._ask("GET", path, query=query, missing=missing)
            except PlatformDown:
                if attempt == READ_TRIES:
                    raise
                await self.clock.sleep(0.5 * 2**attempt * (0.5 + self.jitter()))
        raise AssertionError  # unreachable: the last try returns or raises

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        missing: type[Refusal],
        most: int = MOST_BYTES,
    ) -> Answer:
        """One request; its answer, of so many bytes at most, understood, or its failure named."""
        await self._keep_within_limit()
        headers = {"Authorization": aiohttp.encode_basic_auth(self.api_key, "")}
        async with (
            _outages_named(),
            self.places,
            self.session.request(
                method, f"{self.base_url}/{path}", params=query, data=form, headers=headers, timeout=TIMEOUT,
                # Plain HTTP may suspend the key, and a redirect could lead there.
                allow_redirects=False,
            ) as response,
        ):  # fmt: skip
            self._note_limit(response.headers)
            raw = await _within(response.content, most)
            heard = response.status, response.headers, raw, missing
            return _understand(*heard) if len(raw) < SMALL else await asyncio.to_thread(_understand, *heard)

    async def _keep_within_limit(self) -> None:
        pause = self.allowance.wait(self.clock.now())
        if pause:
            log.info("stannp.waiting", seconds=round(pause))
            await self.clock.sleep(pause)
            self.allowance.remaining = None

    def _note_limit(self, headers: Mapping[str, str]) -> None:
        remaining, reset = (
            values.whole(headers.get("X-RateLimit-Remaining")),
            values.whole(headers.get("X-RateLimit-Reset")),
        )
        if remaining is not None and reset is not None:
            # `Reset` counts seconds; anything beyond some minutes is an epoch or nonsense.
            until = self.clock.now() + timedelta(seconds=min(reset, LONGEST_MINUTE))
            self.allowance = Allowance(remaining, until)

    @staticmethod
    def _report(what: str, bad: list[str]) -> None:
        for described in bad[:20]:
            log.warning("stannp.unreadable", what=what, object=described)

    @staticmethod
    def _understood(read: Callable[[Any], T], data: Any) -> T:
        try:
            return read(data)
        except values.UnreadableError as error:
            raise PlatformRefused(f"Stannp's answer could not be read ({error}).") from None


def _collections(kind: str) -> tuple[str, ...]:
    """Where to look a piece up; for an unknown kind, in both."""
    if "letter" in kind:
        return ("letters",)
    return ("postcards",) if "postcard" in kind else ("postcards", "letters")


async def _within(content: aiohttp.StreamReader, most: int) -> bytes:
    """The whole body, unpacked as it comes; raises ReadCut when it is more."""
    raw = bytearray()
    async for chunk in content.iter_chunked(SMALL):
        raw += chunk
        if len(raw) > most:
            raise ReadCut(f"Stannp's answer holds more than {most // 10**6} MB. It was not read to its end.")
    return bytes(raw)


def _is_final(trouble: Trouble) -> bool:
    """Whether the key itself is refused (401 is documented for nothing else): no other request will be answered."""
    return isinstance(trouble, KeyRefused) and trouble.code == "401"


@asynccontextmanager
async def _outages_named() -> AsyncIterator[None]:
    try:
        yield
    except (aiohttp.ClientError, TimeoutError) as error:
        raise PlatformDown(code=type(error).__name__, platform=PROFILE.name) from None


def _understand(status: int, headers: Mapping[str, str], raw: bytes, missing: type[Refusal]) -> Answer:
    try:
        body = wire.open_answer(raw)
    except ValueError:
        body = None
    refusal = wire.refusal_text(body)
    if status == 429 or (status == 503 and "Retry-After" in headers):  # noqa: PLR2004 - HTTP
        pause = values.whole(headers.get("Retry-After")) or values.whole(headers.get("X-RateLimit-Reset"))
        after = float(min(pause or 60, LONGEST_PAUSE))
        raise PlatformBusy(code=str(status), retry_after=after, platform=PROFILE.name)
    # 409 answers a repeated request with the first one's success.
    if status in (200, 409) and body is not None and refusal is None:
        try:
            return Answer(status, wire.unwrap(body), len(raw))
        except values.UnreadableError:
            refusal = "an empty answer"
    raise _named(status, refusal, missing)


def _named(status: int, refusal: str | None, missing: type[Refusal]) -> Trouble:
    if status in (401, 403):
        return KeyRefused(KEY_REFUSED, code=str(status))
    if status == 404 or (refusal and "not found" in refusal.casefold()):  # noqa: PLR2004 - HTTP
        return missing(code=str(status), platform=PROFILE.name)
    if status >= 500 or refusal is None:  # noqa: PLR2004 - HTTP
        return PlatformDown(code=str(status), platform=PROFILE.name)
    return PlatformRefused(f"Stannp refused the request: {refusal}.", code=str(status))
