"""What happens in the sandbox's company: mail that went, mail that moves, and a new drop every few days, for ever."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from bot.platforms.stannp import wire
from bot.platforms.stannp.words import ALIASES
from bot.sandbox.stannp import MailCampaign, Mailpiece, StannpDouble
from bot.sandbox.world import LOST, World
from handlers.forecast import days as calendar
from storage.ledger import apply as ledger
from storage.records import Batch, Change, Piece, Recipient, Source, WorkspaceId
from storage.statuses import Status

#: Everybody in the story lives here.
ZONE: Final = ZoneInfo("America/Chicago")
#: How many days ago each campaign of the past was mailed, its name (the month's name is added) and its size.
PAST: Final = (
    (152, "Catalog", 140), (127, "Summer sale", 160), (103, "Back in stock", 120), (80, "Early birds", 150),
    (59, "Trail guide", 130), (38, "Members' sale", 150),
)  # fmt: skip
#: What is booked in turn from then on, with the month's name, and how many pieces each has.
DROPS: Final = (
    ("Trail guide", 110), ("Loyalty letter", 60), ("Sale postcards", 150), ("Welcome back", 80), ("Store opening", 120),
    ("Thank-you cards", 50), ("Clearance", 140),
)  # fmt: skip
#: Of a drop no larger than this each piece gets its last scan, so that the drop comes to its end in sight of all.
SMALL: Final = 60
#: Days between two bookings, and from a booking to its mailing date.
BOOKED_EVERY, LEAD = 4, 8
#: The first booked campaign waits so many days: long enough to be cancelled at leisure.
WAITS: Final = 30
#: A campaign is over so many days after its mailing date, and leaves the mail house's books so many after that.
OVER, LEAVES = 25, 75
DRAFT: Final = "New Year draft"
#: The account is topped up below this.
LOW, TOP_UP = Decimal(150), Decimal(400)


@dataclass(repr=False)
class Story:
    """The mail of one account. `now` of its world only grows."""

    platform: StannpDouble
    start: datetime
    seed: int = 7
    world: World = field(init=False)
    next_booking: datetime = field(init=False)
    _drops: Iterator[tuple[str, int]] = field(init=False)
    _number: int = 224

    def __post_init__(self) -> None:
        self.world = World(self.platform, self.seed, self.start - timedelta(days=PAST[0][0] + 10), ZONE)
        self.next_booking = self.start + timedelta(days=2)
        self._drops = itertools.cycle(DROPS)

    def past(self) -> Iterator[tuple[datetime, Batch]]:
        """What a bot heard that was there all the time: what moved on each day until the story's begin, and when."""
        for number, (ago, name, size) in enumerate(PAST):
            day = self.start - timedelta(days=ago)
            self._add(210 + number, f"{name} {day:%b %Y}", size, mailed=-ago, lead=4)
        self._add(221, "Fall catalog", 180, mailed=-4, lead=3)
        self._add(222, "Spring lapsed", 240, mailed=-1, lead=3)
        self._add(220, "Welcome back", 90, mailed=1, lead=3)
        self._add(223, "Holiday postcards", 60, mailed=WAITS, lead=WAITS + 1)
        self.platform.campaigns[224] = MailCampaign(224, DRAFT, "draft", self.start - timedelta(hours=2))
        known = set[int]()
        while self.world.now < self.start:
            before, moved = self.world.now, self.world.advance(min(self.world.now + timedelta(days=1), self.start))
            self._restage()
            now = self.world.now
            new = [one for one in self.platform.pieces.values() if one.created <= now and one.id not in known]
            known |= {one.id for one in new}
            pieces = tuple(_known(one) for one in {one.id: one for one in (*new, *moved)}.values())
            scans = (one for piece in {one.id: one for one in moved}.values() for one in _scans_since(piece, before))
            changes = (*scans, *(_ordered(one) for one in new))
            names = (
                {str(one.campaign_id) for one in new}
                if now < self.start
                else {str(key) for key in self.platform.campaigns}
            )
            told = [wire.campaign(self.platform.campaign_row(self.platform.campaigns[int(name)])) for name in names]
            if pieces or told:
                yield now, Batch(tuple(told), pieces, changes)

    def _add(self, key: int, name: str, size: int, *, mailed: int, lead: int) -> MailCampaign:
        """A campaign that is mailed so many days from the story's begin, and was booked `lead` days before that.

        Where nothing is handed over on that day, it is mailed on the next, or was on the one before.
        """
        day = _open_day(self.start + timedelta(days=mailed), 1 if mailed > 0 else -1)
        created = day - timedelta(days=lead)
        campaign = self.world.add_campaign(key, name, created, size, leaves=timedelta(days=lead))
        campaign.status = "booked"
        return campaign

    def go_on(self, now: datetime) -> list[Mailpiece]:
        """Lets the mail move until this moment; gives the pieces that moved. Books what is to be booked."""
        moved = self.world.advance(now)
        while self.next_booking <= now:
            self._book(self.next_booking)
            self.next_booking += timedelta(days=BOOKED_EVERY)
        if self.booked() is None:
            self._book(now)
        self._restage()
        self._leave()
        return moved

    def booked(self) -> MailCampaign | None:
        """The campaign that can be cancelled at most leisure: booked, with pieces that can be stopped; None without."""
        open_ones = {one.campaign_id for one in self.platform.pieces.values() if one.status == "received"}
        found = [one for one in self.platform.campaigns.values() if one.status == "booked" and one.id in open_ones]
        return max(found, key=lambda one: one.send_date or "", default=None)

    def _book(self, day: datetime) -> MailCampaign:
        (name, size), self._number = next(self._drops), self._number + 1
        mailed = _open_day(day + timedelta(days=LEAD), 1)
        campaign = self.world.add_campaign(
            self._number,
            f"{name} {mailed:%b %Y}",
            day,
            size,
            leaves=mailed - day,
            lost=LOST if size > SMALL else 0,
        )
        campaign.status = "booked"
        self.platform.balance -= sum((one.cost for one in self.platform.pieces_of(campaign.id)), Decimal(0))
        while self.platform.balance < LOW:
            self.platform.balance += TOP_UP
        return campaign

    def _restage(self) -> None:
        """The mail house's own words for each campaign, by the day."""
        today = f"{self.world.now.astimezone(ZONE):%Y-%m-%d}"
        for one in self.platform.campaigns.values():
            if one.status == "booked" and (one.send_date or "") <= today:
                one.status = "running"
            if one.status == "running" and self._days_since_mailed(one) >= OVER:
                one.status = "complete"

    def _days_since_mailed(self, campaign: MailCampaign) -> int:
        return (self.world.now.date() - datetime.fromisoformat(campaign.send_date or "").date()).days

    def _leave(self) -> None:
        """What is long over leaves the books: the story has no end, and its books must not grow."""
        for one in list(self.platform.campaigns.values()):
            if one.status in ("complete", "cancelled") and self._days_since_mailed(one) >= OVER + LEAVES:
                self.world.forget(one)

    def cancel_a_drop(self) -> MailCampaign | None:
        """The mail house cancels what is booked next; None where nothing is."""
        booked = [one for one in self.platform.campaigns.values() if one.status == "booked"]
        if not booked:
            return None
        chosen = min(booked, key=lambda one: one.send_date or "")
        self.world.cancel(chosen)
        return chosen


def _open_day(moment: datetime, way: int) -> datetime:
    """The same hour of this day, or of the next (1) or the last one (-1) on which USPS takes mail in."""
    while not calendar.is_open(moment.astimezone(ZONE).date()):
        moment += timedelta(days=way)
    return moment


def _known(piece: Mailpiece) -> Piece:
    """What the bot knows of a piece whose timeline it has read."""
    name = f"{piece.firstname} {piece.lastname}"
    recipient = Recipient(name, piece.company, piece.address1, piece.city, piece.county, piece.postcode, "US")
    return Piece(
        str(piece.id), piece.created, piece.kind, piece.format, piece.dispatched, piece.cost, str(piece.campaign_id),
        recipient, detailed=True,
    )  # fmt: skip


def _scans_since(piece: Mailpiece, before: datetime) -> Iterator[Change]:
    for when, word, place in piece.scans:
        if when > before:
            yield Change(str(piece.id), ALIASES[word], when, word=word, place=place, source=Source.WEBHOOK)


def _ordered(piece: Mailpiece) -> Change:
    return Change(str(piece.id), Status.RECEIVED, piece.created.replace(microsecond=0), source=Source.WEBHOOK)


def remember(connection: Connection, workspace_id: WorkspaceId, story: Story) -> None:
    """Writes the story's past into the database, as if the bot had been there."""
    for now, batch in story.past():
        ledger.apply(connection, workspace_id, batch, now)


def next_hour(now: datetime, hour: int, weekday: int | None = None, zone: ZoneInfo = ZONE) -> datetime:
    """The next time that it is this hour in this zone, on this day of the week (0 is Monday) or on any; UTC."""
    local = now.astimezone(zone)
    for ahead in range(9):
        day = (local + timedelta(days=ahead)).date()
        moment = datetime.combine(day, time(hour), zone)
        if moment > local and weekday in (None, day.weekday()):
            return moment.astimezone(now.tzinfo)
    raise AssertionError
