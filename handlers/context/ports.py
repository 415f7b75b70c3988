"""What the outside must be able to do for us, and the ways in which it may fail.

    Trouble
    ├── Refusal            a person can act on it: the text says what happened and what to do
    │   ├── KeyRefused  PieceUnknown  CampaignUnknown  TooLate  NotOffered  CampaignBooked  PlatformRefused (ReadCut)
    │   ├── SignatureRefused  PayloadRefused
    │   └── NotInChannel  ChannelClosed  ScopeMissing  WorkspaceGone  AccessBarred  MessageGone  PictureRefused
    │       HomeChanged  SlackRefused ── MessageRefused
    └── Outage             it may pass: `retry_after` seconds when that is known
        ├── PlatformDown  PlatformBusy
        ├── SlackDown  SlackBusy
        └── Overloaded  MemoryDown  SecretClosed

A failure's text is its docstring unless the raiser knows better.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import IO, Any, Final, Protocol

from sqlalchemy import Connection

from handlers.errors import Refusal, Trouble
from handlers.text.messages import Message, Picture
from storage.records import Batch, Campaign, Recipient, WorkspaceId


class AccessBarred(Refusal):
    """Slack does not let me into this workspace for now. Its admins can see why."""


class Clock(Protocol):
    """Time, handed in so that tests can hold it still."""

    def now(self) -> datetime:
        """This moment, aware and UTC."""
        ...

    def elapsed(self) -> float:
        """Seconds since this process began, or some other fixed moment: no setting of the clock moves them."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


#: Asked with the pieces of a report and their fingerprints: which of them said exactly this when they were last merged.
Known = Callable[[Mapping[str, int]], Awaitable[Collection[str]]]


@dataclass(frozen=True)
class ReportPage:
    """A page of the account's pieces. `state` is what the platform remembers, any JSON: kept for it, and given back
    with the next reading; nobody else reads it.

    `instead` is why the address that tells more did not answer, where that is so.
    """

    batch: Batch
    state: Any
    instead: Trouble | None = None


@dataclass(frozen=True)
class AddressCheck:
    """What the platform's register of addresses says: whether mail arrives there, and how it writes the address."""

    is_valid: bool
    address: Recipient


@dataclass(frozen=True)
class Delivery:
    """What a webhook call says. `ignored` counts objects that could not be read, or were too many."""

    batch: Batch
    event: str
    ignored: int = 0


class Ability(StrEnum):
    """What not every platform can do. Nothing that one cannot do is asked of it.

    What a record may lack needs no ability: a piece without a cost, an account whose changes are found by reading whole
    windows again.
    """

    #: Tells how much money is left. Without it there is no runway.
    BALANCE = "balance"
    #: Stops a campaign that is booked and paid as a whole. Without it each piece is asked for.
    CANCEL_BOOKED = "cancel a booked campaign"


@dataclass(frozen=True)
class Profile:
    """What people read of a platform, and what it can do; the same for each of its accounts."""

    #: In addresses, and in what is kept.
    key: str
    name: str
    abilities: frozenset[Ability]
    #: What people call its regions, by a key that no region of another platform has. The first is the usual one.
    regions: Mapping[str, str]
    #: The setting that holds an API key, and where its dashboard shows keys and webhooks (mrkdwn).
    key_setting: str
    keys_at: str
    webhooks_at: str
    #: When it stops calling a webhook, in a sentence; "" where it does not say, or never does.
    webhook_pauses: str = ""


class MailPlatform(Protocol):
    """The mail house. Reads may be repeated; every method may raise KeyRefused, PlatformRefused or an Outage."""

    @property
    def profile(self) -> Profile:
        """What people read of it. Known without an account."""
        ...

    @property
    def name(self) -> str:
        """What people call it."""
        return self.profile.name

    def find_refs(self, text: str) -> list[str]:
        """What may be ids of its pieces in somebody's words, each once, in their order. Known without an account."""
        ...

    async def account(self) -> str:
        """Who the key belongs to, for people to recognize."""
        ...

    async def balance(self) -> Decimal:
        """Money left in the account, in the account's currency. Raises NotOffered without `Ability.BALANCE`."""
        ...

    async def campaigns(self) -> list[Campaign]:
        """Every campaign of the account. Raises ReadCut, with what was read, for a list that does not end."""
        ...

    async def campaign(self, ref: str) -> Campaign:
        """One campaign; raises CampaignUnknown."""
        ...

    def campaign_pieces(self, ref: str, known: Known | None = None) -> AsyncIterator[Batch]:
        """A campaign's pieces with where they stand, some at a time, without those that are `known` to say nothing new.
        Raises NotOffered where the account has no such report."""
        ...

    def pieces(self, first: date, last: date, state: Any, known: Known | None = None) -> AsyncIterator[ReportPage]:
        """The account's pieces of these days, some at a time, without those that are `known` to say nothing new.
        `state`: of the last page before. Raises ReadCut after the last page that it gives of a list that does not end.
        """
        ...

    async def piece(self, ref: str, kind: str) -> Batch:
        """One piece with its timeline; `kind` may be "" when unknown. Raises PieceUnknown."""
        ...

    async def check_address(self, who: Recipient) -> AddressCheck:
        """Whether mail can be delivered to this address, by the platform's own register."""
        ...

    async def cancel_piece(self, ref: str, kind: str) -> None:
        """Asks to stop a piece; raises TooLate when it is too late. Never repeated by itself."""
        ...

    async def delete_campaign(self, ref: str) -> None:
        """Removes a campaign that is not booked; raises CampaignBooked. Never repeated by itself."""
        ...

    def admit(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        """Whether a webhook call is signed; False where the platform only asks whether we are there, which anybody can
        ask. Raises SignatureRefused. What a signed call says is read later. Does no I/O."""
        ...

    def dashboard(self, campaign_ref: str) -> str:
        """Where people see this campaign in the platform's own pages."""
        ...


@dataclass(frozen=True)
class Person:
    """The asker, as Slack knows them. `zone` is an IANA name."""

    name: str
    zone: str
    is_admin: bool
    #: Of another organization (Slack Connect), or a guest of this one.
    outside: bool = False
    #: When Slack was asked.
    as_of: datetime | None = None


@dataclass(frozen=True)
class FileToSend:
    """A file, open for reading in binary, with the words that come with it (mrkdwn)."""

    content: IO[bytes]
    filename: str
    title: str
    comment: str


@dataclass(frozen=True)
class Account:
    """A mail account that was just connected: whose ("") and what it holds (None) where the platform tells."""

    owner: str
    balance: Decimal | None
    currency: str


#: A shorter secret could be guessed, and an empty one signs for everybody.
SHORTEST_SECRET: Final = 8
SECRET_REFUSED: Final = f"must have at least {SHORTEST_SECRET} characters: anybody could guess a shorter one"


def is_secret(text: str) -> bool:
    """Whether this can be a webhook's secret."""
    return len(text.strip()) >= SHORTEST_SECRET


#: What else is written in the transaction of a change; gives whether the change is still to be made.
Also = Callable[[Connection], bool]
OfAccount = Callable[[Connection, Account], bool]


def nothing(_connection: Connection) -> bool:
    """Nothing else."""
    return True


class Accounts(Protocol):
    """The mail account of each workspace: connected from Slack, kept sealed, and never shown again.

    What changes it takes part in one transaction with whatever else is to be written of that: `also`. Where that says
    that it was done before, nothing is changed: a newer choice may stand by now.
    """

    async def connect(self, workspace_id: WorkspaceId, key: str, region: str, also: OfAccount) -> Account:
        """Tries the key, and keeps it when the platform takes it; raises PlatformRefused or an Outage. `also` is given
        the account that it is."""
        ...

    def region_names(self) -> Mapping[str, str]:
        """What people call each region in which there may be an account, by its key; the usual one first."""
        ...

    async def webhook(self, workspace_id: WorkspaceId) -> str:
        """The address that the platform is to call, made on first asking; "" where we have no outside address."""
        ...

    async def new_webhook(self, workspace_id: WorkspaceId, also: Also = nothing) -> str:
        """Another address, which puts the earlier one out of use."""
        ...

    async def keep_webhook_secret(self, workspace_id: WorkspaceId, secret: str, also: Also = nothing) -> None:
        """Keeps the secret with which the platform signs its calls."""
        ...


class Messenger(Protocol):
    """Slack, for one workspace. Every method may raise ScopeMissing, WorkspaceGone, SlackRefused or an Outage."""

    async def post(self, channel: str, message: Message, *, thread: str | None = None, broadcast: bool = False) -> str:
        """Posts, and gives the message's `ts`; raises NotInChannel, ChannelClosed. Tried once."""
        ...

    async def edit(self, channel: str, ts: str, message: Message) -> None:
        """Replaces a message of ours; raises MessageGone."""
        ...

    async def answer(self, response_url: str, message: Message, *, replace: bool = False) -> None:
        """Answers the asker alone (five times at most, within 30 minutes)."""
        ...

    async def whisper(self, channel: str, user: str, message: Message, *, thread: str | None = None) -> None:
        """Shows a message to one person in a channel."""
        ...

    async def upload(self, picture: Picture) -> str:
        """Keeps a picture at Slack and gives its file id; raises PictureRefused."""
        ...

    async def delete_file(self, file_id: str) -> None:
        """Deletes a file of ours; one that is gone already is no trouble."""
        ...

    async def open_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        """Opens a modal, and gives its id."""
        ...

    async def push_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        """Lays another modal over the open one, and gives its id."""
        ...

    async def update_view(self, view_id: str, view: dict[str, Any]) -> None:
        """Replaces an open modal's content."""
        ...

    async def publish_home(self, user: str, view: dict[str, Any], seen: str) -> str:
        """Shows this as the person's Home, if they still see the version `seen` ("" for whichever they see); gives the
        new version. Raises HomeChanged."""
        ...

    async def send_file(self, user: str, file: FileToSend) -> None:
        """Sends a file to one person, in a direct message."""
        ...

    async def complete_step(self, execution: str, token: str | None, outputs: Mapping[str, str]) -> None:
        """Ends a workflow's step with its outputs. `token` came with the step; None: the workspace's own."""
        ...

    async def fail_step(self, execution: str, token: str | None, why: str) -> None:
        """Ends a workflow's step with the reason why it could not be done."""
        ...

    async def unfurl(self, channel: str, ts: str, shown: Mapping[str, Message]) -> None:
        """Shows these under the links of somebody's message."""
        ...

    async def test(self) -> None:
        """Asks whether the bot's token is good; raises WorkspaceGone with Slack's own word when it is not."""
        ...

    async def person(self, user: str, *, since: datetime | None = None) -> Person:
        """Who this is, as Slack said at this moment or later; None for within the last hour."""
        ...
