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

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any, Final, Protocol

from handlers.messages import Message, Picture
from storage.records import Batch, Campaign, Mix, Recipient, WorkspaceId


class Trouble(Exception):
    """Something outside did not work."""

    def __init__(self, text: str | None = None, *, code: str = "", retry_after: float | None = None) -> None:
        super().__init__(text or " ".join((type(self).__doc__ or "").split()))
        #: The other side's own word, for the log.
        self.code = code
        self.retry_after = retry_after


class Refusal(Trouble):
    """This cannot be done as asked."""


class Outage(Trouble):
    """The service cannot be reached right now. Try again in a minute."""


class KeyRefused(Refusal):
    """Stannp does not accept the API key. Check STANNP_API_KEY, and that STANNP_API_URL is your region's address."""


class PieceUnknown(Refusal):
    """Stannp does not know this piece."""


class CampaignUnknown(Refusal):
    """Stannp does not know this campaign."""


class TooLate(Refusal):
    """Stannp refused to cancel: work on the piece has begun."""


class NotOffered(Refusal):
    """This mail account does not offer that report."""


class CampaignBooked(Refusal):
    """This campaign is booked and paid. Stannp lets you cancel it only in its dashboard."""


class PlatformRefused(Refusal):
    """Stannp refused the request."""


class ReadCut(PlatformRefused):
    """Stannp's list does not end. What was read is kept."""

    #: What was read, where it was campaigns.
    campaigns: "tuple[Campaign, ...]" = ()


class PlatformDown(Outage):
    """Stannp cannot be reached right now."""


class PlatformBusy(Outage):
    """Stannp's request limit for this minute is used up."""


class SignatureRefused(Refusal):
    """The webhook's signature does not fit STANNP_WEBHOOK_SECRET."""


class PayloadRefused(Refusal):
    """The webhook's body is not what Stannp sends. Choose JSON as its content type in Stannp's dashboard."""


class NotInChannel(Refusal):
    """I am not in this channel. Type /invite @Piecewise there, then try again."""


class ChannelClosed(Refusal):
    """The channel is archived or gone."""


class ScopeMissing(Refusal):
    """Slack says the app lacks a permission. Reinstall it from manifest.yml, then run: piecewise check"""


class WorkspaceGone(Refusal):
    """Slack no longer accepts the bot's token. Reinstall the app and set the new SLACK_BOT_TOKEN."""


class AccessBarred(Refusal):
    """Slack does not let me into this workspace for now. Its admins can see why."""


class MessageGone(Refusal):
    """The message was deleted or can no longer be edited."""


class PictureRefused(Refusal):
    """Slack did not accept the picture."""


class SlackRefused(Refusal):
    """Slack refused the message."""


class MessageRefused(SlackRefused):
    """Slack does not take a message of this form."""


class HomeChanged(Refusal):
    """Home was changed meanwhile."""


#: What Slack will refuse again and again, until a person mends it in the channel or we say it differently. Everything
#: else may pass by itself, or when the app is installed again.
LASTING = (NotInChannel, ChannelClosed, MessageRefused)


class SlackDown(Outage):
    """Slack cannot be reached right now."""


class SlackBusy(Outage):
    """Slack asks us to wait."""


class Overloaded(Outage):
    """More arrives than can be kept. Try again in a moment."""


class MemoryDown(Outage):
    """My own database is not answering right now, so I cannot look. Please try again in a minute."""


class SecretClosed(Outage):
    """I cannot open what I keep of this workspace's accounts right now. Whoever runs Piecewise can mend that; nothing
    is lost, and you need not install me again. Please try again later."""


class ImportRefusedError(ValueError):
    """A file as a whole cannot be imported; the text says why, and what to do."""


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


@dataclass(frozen=True)
class ReportPage:
    """A page of the account's pieces. `route` names the reporting address that answered; remember it.

    `instead` is why the address that tells more did not answer, where that is so.
    """

    batch: Batch
    route: str
    instead: Trouble | None = None


@dataclass(frozen=True)
class AddressCheck:
    """What the platform's register of addresses says: whether mail arrives there, and how it writes the address."""

    is_valid: bool
    address: Recipient


@dataclass(frozen=True)
class Delivery:
    """What a verified webhook call said. `ignored` counts objects that could not be read, or were too many."""

    batch: Batch
    event: str
    ignored: int = 0
    #: The platform only asks whether we are there. Not signed, and so no proof of anything.
    is_handshake: bool = False


class MailPlatform(Protocol):
    """The mail house. Reads may be repeated; every method may raise KeyRefused, PlatformRefused or an Outage."""

    async def account(self) -> str:
        """Who the key belongs to, for people to recognize."""
        ...

    async def balance(self) -> Decimal:
        """Money left in the account, in the account's currency."""
        ...

    async def campaigns(self) -> list[Campaign]:
        """Every campaign of the account. Raises ReadCut, with what was read, for a list that does not end."""
        ...

    async def campaign(self, ref: str) -> Campaign:
        """One campaign; raises CampaignUnknown."""
        ...

    async def campaign_pieces(self, ref: str) -> Batch:
        """A campaign's pieces with where they stand; raises NotOffered where the account has no such report."""
        ...

    def pieces(self, first: date, last: date, route: str | None) -> AsyncIterator[ReportPage]:
        """The account's pieces of these days, page by page, by the route that answered before. Raises ReadCut after
        the last page that it gives of a list that does not end."""
        ...

    async def summary(self, first: date, last: date) -> Mix:
        """The account's own status counts of these days."""
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

    def read_delivery(self, raw: bytes, headers: Mapping[str, str], now: datetime) -> Delivery:
        """What a webhook call says; raises SignatureRefused or PayloadRefused. Does no I/O."""
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


class Accounts(Protocol):
    """The mail account of each workspace: connected from Slack, kept sealed, and never shown again."""

    async def connect(self, workspace_id: WorkspaceId, key: str, region: str) -> Account:
        """Tries the key, and keeps it when the platform takes it; raises PlatformRefused or an Outage."""
        ...

    async def webhook(self, workspace_id: WorkspaceId) -> str:
        """The address that the platform is to call, made on first asking; "" where we have no outside address."""
        ...

    async def new_webhook(self, workspace_id: WorkspaceId) -> str:
        """Another address, which puts the earlier one out of use."""
        ...

    async def keep_webhook_secret(self, workspace_id: WorkspaceId, secret: str) -> None:
        """Keeps the secret with which the platform signs its calls."""
        ...


class NotConnected(Refusal):
    """No mail account is connected yet. Open Piecewise's *Home* in Slack and choose *Connect mail account*."""


class Removed(Refusal):
    """Piecewise was removed from this workspace. Install it again to go on."""


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
