"""Stand-ins with behavior, for decisions that are tested without a socket: time, Slack, the mail platform, the pen."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar

from bot.sandbox.limits import check_message, check_view
from handlers.charts.values import Curve, Pair, Pie, States
from handlers.context.memory import Memory
from handlers.context.ports import (
    Ability,
    Account,
    AddressCheck,
    Delivery,
    FileToSend,
    Known,
    OfAccount,
    Person,
    Profile,
    ReportPage,
)
from handlers.context.services import Renderer, Services
from handlers.errors import CampaignUnknown, PieceUnknown, SlackRefused, WorkspaceGone
from handlers.text.messages import Message, Picture
from storage.records import Batch, Campaign, Change, Piece, Recipient, Source, WorkspaceId
from storage.statuses import Status

P = ParamSpec("P")
T = TypeVar("T")


#: What a platform sends to ask whether we are there.
HELLO = b"hello"


class FakeClock:
    """A clock that moves only when told, or when somebody sleeps on it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def pass_time(self, **span: float) -> datetime:
        """Moves on by this `timedelta(**span)`."""
        self.moment += timedelta(**span)
        return self.moment

    def elapsed(self) -> float:
        return self.moment.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class AtOnce(Executor):
    """Runs on the spot what would else be done on a thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


class Troubles:
    """What goes wrong on order: each call of a name meets the next of its troubles, until there are none left."""

    def __init__(self) -> None:
        self.waiting: dict[str, list[BaseException | None]] = defaultdict(list)
        self.calls: list[str] = []

    def fail(self, call: str, *troubles: BaseException | None, times: int = 1) -> None:
        """The next calls of this name raise these, in their order; None lets one pass."""
        self.waiting[call] += [*troubles] * times

    def meet(self, call: str) -> None:
        self.calls.append(call)
        if self.waiting[call]:
            trouble = self.waiting[call].pop(0)
            if trouble is not None:
                raise trouble


@dataclass(frozen=True)
class Said:
    """Something that Slack was given to show: how, where ("" for a view's own place), and in whose thread."""

    way: str
    place: str
    text: str
    shown: Any
    thread: str | None = None
    broadcast: bool = False
    ts: str = ""


@dataclass
class FakeSlack(Troubles):
    """Slack for one workspace. What breaks its limits fails the test at once."""

    people: dict[str, Person] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    files: list[tuple[str, FileToSend, bytes]] = field(default_factory=list)
    steps: list[tuple[str, str | None, Mapping[str, str] | str]] = field(default_factory=list)
    unfurled: dict[str, Message] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    asked_since: list[datetime | None] = field(default_factory=list)
    home_hash: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def of(self, way: str) -> list[Said]:
        """What was said in this way."""
        return [one for one in self.said if one.way == way]

    @property
    def last(self) -> Said:
        return self.said[-1]

    def _message(self, way: str, place: str, message: Message, **more: Any) -> str:
        assert check_message(message.text, list(message.blocks)) == []
        ts = f"{len(self.said) + 1}.0"
        self.said.append(Said(way, place, message.text, message, ts=ts, **more))
        return ts

    def _view(self, way: str, view: dict[str, Any], place: str = "") -> str:
        assert check_view(view) == []
        self.said.append(Said(way, place, str(view), view))
        return f"V{len(self.said)}"

    async def post(self, channel: str, message: Message, *, thread: str | None = None, broadcast: bool = False) -> str:
        self.meet("post")
        return self._message("post", channel, message, thread=thread, broadcast=broadcast)

    async def edit(self, channel: str, ts: str, message: Message) -> None:
        self.meet("edit")
        self._message("edit", f"{channel},{ts}", message)

    async def answer(self, response_url: str, message: Message, *, replace: bool = False) -> None:
        self.meet("answer")
        self._message("replace" if replace else "answer", response_url, message)

    async def whisper(self, channel: str, user: str, message: Message, *, thread: str | None = None) -> None:
        self.meet("whisper")
        self._message("whisper", f"{channel},{user}", message, thread=thread)

    async def upload(self, picture: Picture) -> str:
        self.meet("upload")
        return f"F{len(self.calls)}"

    async def delete_file(self, file_id: str) -> None:
        self.meet("delete_file")
        self.deleted.append(file_id)

    async def open_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        self.meet("open_view")
        return self._view("open", view, trigger_id)

    async def push_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        self.meet("push_view")
        return self._view("push", view, trigger_id)

    async def update_view(self, view_id: str, view: dict[str, Any]) -> None:
        self.meet("update_view")
        self._view("update", view, view_id)

    async def publish_home(self, user: str, view: dict[str, Any], seen: str) -> str:
        self.meet("publish_home")
        self._view("home", view, f"{user},{seen}")
        self.home_hash = f"hash{len(self.said)}"
        return self.home_hash

    async def send_file(self, user: str, file: FileToSend) -> None:
        self.meet("send_file")
        file.content.seek(0)
        self.files.append((user, file, file.content.read()))

    async def complete_step(self, execution: str, token: str | None, outputs: Mapping[str, str]) -> None:
        self.meet("complete_step")
        self.steps.append((execution, token, outputs))

    async def fail_step(self, execution: str, token: str | None, why: str) -> None:
        self.meet("fail_step")
        self.steps.append((execution, token, why))

    async def unfurl(self, channel: str, ts: str, shown: Mapping[str, Message]) -> None:
        self.meet("unfurl")
        self.unfurled.update(shown)

    async def test(self) -> None:
        self.meet("test")

    async def person(self, user: str, *, since: datetime | None = None) -> Person:
        self.meet("person")
        self.asked_since.append(since)
        if user not in self.people:
            raise SlackRefused(code="user_not_found")
        return self.people[user]


PROFILE = Profile(
    "stannp", "Stannp", frozenset(Ability), {"us": "United States and Canada", "eu": "United Kingdom and Europe"},
    "STANNP_API_KEY", "*Settings* → *API*", "*Settings* → *Webhooks*",
)  # fmt: skip


@dataclass
class FakeMail(Troubles):
    """The mail house: campaigns, and pieces that move when told. Stops what may be stopped, unless it is `stubborn`."""

    account_money: Decimal = Decimal("250.00")
    profile: Profile = PROFILE
    known: dict[str, Campaign] = field(default_factory=dict)
    described: dict[str, Piece] = field(default_factory=dict)
    at: dict[str, Status] = field(default_factory=dict)
    clock: FakeClock = field(default_factory=FakeClock)
    stubborn: bool = False
    state: Any = "newer"
    instead: Any = None
    verdict: AddressCheck = field(default_factory=lambda: AddressCheck(True, Recipient()))
    delivery: Delivery = field(default_factory=lambda: Delivery(Batch(), "mailpiece_status"))
    #: What these bodies say; all others say `delivery`.
    deliveries: dict[bytes, Delivery] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    asked_days: list[tuple[date, date, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def name(self) -> str:
        return self.profile.name

    def find_refs(self, text: str) -> list[str]:
        return [word for word in text.split() if word in self.described]

    def add(self, campaign: Campaign, *pieces: tuple[Piece, Status]) -> Batch:
        """A campaign with its pieces; gives what the platform would say of them."""
        self.known[campaign.ref] = campaign
        for piece, status in pieces:
            self.described[piece.ref], self.at[piece.ref] = piece, status
        return Batch(
            (campaign,), tuple(piece for piece, _ in pieces), tuple(self._change(one.ref) for one, _ in pieces)
        )

    def _change(self, ref: str) -> Change:
        return Change(ref, self.at[ref], self.clock.now(), source=Source.POLL)

    def _batch(self, refs: list[str]) -> Batch:
        return Batch(pieces=tuple(self.described[ref] for ref in refs), changes=tuple(map(self._change, refs)))

    async def account(self) -> str:
        self.meet("account")
        return "Acme Outdoors"

    async def balance(self) -> Decimal:
        self.meet("balance")
        return self.account_money

    async def campaigns(self) -> list[Campaign]:
        self.meet("campaigns")
        return list(self.known.values())

    async def campaign(self, ref: str) -> Campaign:
        self.meet("campaign")
        if ref not in self.known:
            raise CampaignUnknown
        return self.known[ref]

    async def campaign_pieces(self, ref: str, known: Known | None = None) -> AsyncIterator[Batch]:
        self.meet("campaign_pieces")
        yield self._batch([one.ref for one in self.described.values() if one.campaign_ref == ref])

    async def pieces(
        self, first: date, last: date, state: Any, known: Known | None = None
    ) -> AsyncIterator[ReportPage]:
        self.asked_days.append((first, last, state))
        self.meet("pieces")
        yield ReportPage(self._batch(list(self.described)), self.state, self.instead)

    async def piece(self, ref: str, kind: str) -> Batch:
        self.meet("piece")
        if ref not in self.described:
            raise PieceUnknown
        return self._batch([ref])

    async def check_address(self, who: Recipient) -> AddressCheck:
        self.meet("check_address")
        return self.verdict

    async def cancel_piece(self, ref: str, kind: str) -> None:
        self.cancelled.append(ref)
        self.meet("cancel_piece")
        if not self.stubborn and self.at[ref] is Status.RECEIVED:
            self.at[ref] = Status.CANCELLED

    async def delete_campaign(self, ref: str) -> None:
        self.meet("delete_campaign")
        self.removed.append(ref)
        del self.known[ref]

    def admit(self, raw: bytes, headers: Mapping[str, str]) -> bool:
        self.meet("admit")
        return raw != HELLO

    def read_delivery(self, raw: bytes, now: datetime) -> Delivery:
        """As `Platform.read_delivery`: it needs no account."""
        self.meet("read_delivery")
        return self.deliveries.get(raw, self.delivery)

    def dashboard(self, campaign_ref: str) -> str:
        return f"https://mail.example/campaigns/{campaign_ref}"


@dataclass
class FakeAccounts(Troubles):
    """The mail account as it is connected from Slack."""

    memory: Memory
    address: str = "https://piecewise.example/webhooks/stannp/one"
    kept: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def region_names(self) -> Mapping[str, str]:
        return PROFILE.regions

    async def connect(self, workspace_id: WorkspaceId, key: str, region: str, also: OfAccount) -> Account:
        self.meet("connect")
        account = Account("Acme Outdoors", Decimal(12), "USD")
        if await self.memory.write(lambda connection: also(connection, account)):
            self.kept.append((key, region))
        return account

    async def webhook(self, workspace_id: WorkspaceId) -> str:
        self.meet("webhook")
        return self.address

    async def new_webhook(self, workspace_id: WorkspaceId, also: Callable[[Any], bool] = lambda _: True) -> str:
        self.meet("new_webhook")
        if await self.memory.write(also):
            self.address = self.address.replace("one", "two")
        return self.address

    async def keep_webhook_secret(
        self, workspace_id: WorkspaceId, secret: str, also: Callable[[Any], bool] = lambda _: True
    ) -> None:
        self.meet("keep_webhook_secret")
        if await self.memory.write(also):
            self.kept.append(("secret", secret))


@dataclass(frozen=True)
class FakeRenderer(Renderer):
    """Draws nothing, and remembers what it was to draw."""

    drawn: list[Pie | Pair | Curve | States] = field(default_factory=list)

    async def pie(self, pie: Pie) -> bytes:
        self.drawn.append(pie)
        return b"pie"

    async def pair(self, pair: Pair) -> bytes:
        self.drawn.append(pair)
        return b"pair"

    async def curve(self, curve: Curve) -> bytes:
        self.drawn.append(curve)
        return b"curve"

    async def states(self, states: States) -> bytes:
        self.drawn.append(states)
        return b"states"


@dataclass
class FakeTenants:
    """The same services for every workspace, until they are `gone`."""

    services: Services
    gone: bool = False
    forgotten: list[WorkspaceId] = field(default_factory=list)

    async def of(self, workspace_id: WorkspaceId) -> Services:
        if self.gone:
            raise WorkspaceGone(code="token_revoked")
        return self.services

    def forget(self, workspace_id: WorkspaceId) -> None:
        self.forgotten.append(workspace_id)
