"""A small company's mail, moving: each piece's way, with missed scans and returns.

All names and addresses are made up.
"""

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from bot.sandbox.stannp import MailCampaign, Mailpiece, StannpDouble
from handlers.forecast import days as calendar

FIRST: Final = [
    "Jane",
    "Luis",
    "Amara",
    "Wei",
    "Priya",
    "Noah",
    "Elena",
    "Samir",
    "Grace",
    "Tomas",
    "Aisha",
    "Viktor",
    "Mei",
    "Omar",
    "Ruth",
    "Diego",
    "Nadia",
    "Peter",
]
LAST: Final = [
    "Smith",
    "Garcia",
    "Okafor",
    "Chen",
    "Patel",
    "Brown",
    "Rossi",
    "Haddad",
    "Kim",
    "Novak",
    "Ali",
    "Petrov",
    "Tanaka",
    "Hassan",
    "Cohen",
    "Silva",
    "Larsen",
]
STREETS: Final = ["Main", "Oak", "Cedar", "Lake", "Hill", "Park", "Maple", "Pine", "Sunset", "River", "Church", "Elm"]
PLACES: Final = (
    ("Austin", "TX", "787"), ("Denver", "CO", "802"), ("Portland", "OR", "972"), ("Chicago", "IL", "606"),
    ("Madison", "WI", "537"), ("Tucson", "AZ", "857"), ("Raleigh", "NC", "276"), ("Boise", "ID", "837"),
)  # fmt: skip

#: Of so many pieces no final scan comes: a piece in forty.
LOST: Final = 0.025
#: Between which hours USPS takes mail in, and between which carriers load theirs, and deliver it.
TAKING, LOADING, DELIVERING = (10, 18), (4, 8), (9, 17)
DAY: Final = timedelta(days=1)
#: How long mail takes, beside what is usual: some campaigns go faster than others.
SLOW: Final = (0.82, 1.18)
#: How far mail gets on a day of December, beside any other: everybody mails then.
IN_DECEMBER: Final = 0.7


@dataclass
class Step:
    """Something that will happen to a piece."""

    at: datetime
    piece: Mailpiece
    status: str
    place: str
    scanned: bool = True


@dataclass(repr=False)
class World:
    """The mail of one account, and what will become of it."""

    platform: StannpDouble
    seed: int = 7
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    #: By whose days mail moves: not on Sundays and federal holidays. None: at any moment.
    zone: ZoneInfo | None = None
    steps: list[Step] = field(default_factory=list)
    _dice: random.Random = field(init=False)
    _next_id: int = 16818211

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - a story, not a secret

    def add_campaign(
        self, key: int, name: str, created: datetime, size: int, leaves: timedelta, *, lost: float = LOST
    ) -> MailCampaign:
        """A booked campaign of this many pieces, handed to the carrier after `leaves`.

        `lost`: the share that never gets a final scan.
        """
        handed = created + leaves
        campaign = MailCampaign(key, name, "running", created, f"{handed.astimezone(self.zone or UTC):%Y-%m-%d}")
        self.platform.campaigns[key] = campaign
        slow = self._dice.uniform(*SLOW) if self.zone else 1.0
        for _ in range(size):
            piece = self._make_piece(key, created + timedelta(minutes=self._dice.randrange(90)))
            self.platform.pieces[piece.id] = piece
            self._plan(piece, handed, lost, slow)
        return campaign

    def _make_piece(self, campaign_id: int, created: datetime) -> Mailpiece:
        city, state, zip3 = self._dice.choice(PLACES)
        self._next_id += 1
        return Mailpiece(
            id=self._next_id,
            campaign_id=campaign_id,
            created=created,
            firstname=self._dice.choice(FIRST),
            lastname=self._dice.choice(LAST),
            address1=f"{self._dice.randrange(100, 9900)} {self._dice.choice(STREETS)} Street",
            city=city,
            county=state,
            postcode=f"{zip3}{self._dice.randrange(1, 99):02d}",
            cost=Decimal("0.84"),
        )

    def _plan(self, piece: Mailpiece, handed: datetime, lost: float, slow: float) -> None:
        """The way of one piece. Scans in between are often missing, some never get a last one, a few come back."""
        dice = self._dice

        def hours(low: float, high: float) -> timedelta:
            return timedelta(hours=dice.uniform(low, high))

        at = handed - hours(20, 30)
        self._later(at, piece, "printing", "")
        at = self._carried(handed + hours(0, 8), TAKING)
        self._later(at, piece, "handed_over", "Houston, TX")
        at = self._onward(at, slow * hours(14, 50))
        if dice.random() < 0.8:  # noqa: PLR2004 - chances of the story
            self._later(at, piece, "in_transit", "Dallas, TX")
        at = self._onward(at, slow * hours(20, 70))
        if dice.random() < 0.75:  # noqa: PLR2004
            self._later(self._carried(at, LOADING), piece, "local_delivery", f"{piece.city}, {piece.county}")
        at = self._onward(at, slow * hours(6, 30))
        fate = dice.random()
        if fate < lost:
            return
        ended = self._carried(at, DELIVERING)
        self._later(ended, piece, "returned" if fate < 0.06 else "delivered", f"{piece.city}, {piece.county}")  # noqa: PLR2004
        if fate > 0.99:  # noqa: PLR2004
            back = self._carried(self._onward(ended, hours(30, 60)), DELIVERING)
            self._later(back, piece, "returned", f"{piece.city}, {piece.county}")

    def _onward(self, at: datetime, way: timedelta) -> datetime:
        """When mail that was here then has come so much further: only on days on which it moves."""
        if self.zone is None:
            return at + way
        local = at.astimezone(self.zone)
        while True:
            tomorrow = local.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
            if calendar.is_open(local.date()):
                pace = IN_DECEMBER if local.month == calendar.DECEMBER else 1.0
                if way < (tomorrow - local) * pace:
                    return (local + way / pace).astimezone(UTC)
                way -= (tomorrow - local) * pace
            local = tomorrow

    def _carried(self, at: datetime, hours: tuple[int, int]) -> datetime:
        """When a carrier does that: between these hours of this day, or of the next on which mail is delivered."""
        if self.zone is None:
            return at
        local = at.astimezone(self.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        first, last = hours
        begun = timedelta(hours=first) + (local - midnight) / DAY * timedelta(hours=last - first)
        while not calendar.is_open(midnight.date()):
            midnight += DAY
        return (midnight + begun).astimezone(UTC)

    def _later(self, at: datetime, piece: Mailpiece, status: str, place: str) -> None:
        self.steps.append(Step(at, piece, status, place))

    def advance(self, to: datetime) -> list[Mailpiece]:
        """Time passes; gives the pieces that moved. A cancelled piece stays where it is."""
        self.now = to
        due = sorted((step for step in self.steps if step.at <= to), key=lambda step: step.at)
        self.steps = [step for step in self.steps if step.at > to]
        moved = []
        for step in due:
            if step.piece.status != "cancelled":
                step.piece.move(step.status, step.at, step.place, scanned=step.scanned)
                moved.append(step.piece)
        return moved

    def forget(self, campaign: MailCampaign) -> None:
        """Drops a campaign and its pieces."""
        del self.platform.campaigns[campaign.id]
        for piece in self.platform.pieces_of(campaign.id):
            del self.platform.pieces[piece.id]
        self.steps = [step for step in self.steps if step.piece.campaign_id != campaign.id]

    def cancel(self, campaign: MailCampaign) -> list[Mailpiece]:
        """The mail house stops a campaign by itself; gives the pieces that it stopped."""
        stopped = [piece for piece in self.platform.pieces_of(campaign.id) if piece.status == "received"]
        for piece in stopped:
            piece.move("cancelled", self.now)
        campaign.status = "cancelled"
        return stopped

    def make_return(self) -> Mailpiece | None:
        """A piece on its way comes back now."""
        under_way = [
            p for p in self.platform.pieces.values() if p.status in ("handed_over", "in_transit", "local_delivery")
        ]
        if not under_way:
            return None
        piece = self._dice.choice(under_way)
        self.steps = [step for step in self.steps if step.piece is not piece]
        piece.move("returned", self.now, f"{piece.city}, {piece.county}")
        return piece
