"""What every handler is given: memory, the mail platform, Slack, the pen, the clock, and the numbers of policy."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from handlers.charts.drawing import draw_curve, draw_pair, draw_pie, draw_states
from handlers.charts.values import Curve, Pair, Pie, States
from handlers.context.inbox import Inflow
from handlers.context.memory import Memory
from handlers.context.ports import Accounts, Clock, MailPlatform, Messenger
from storage.intents import Intent
from storage.records import ChannelId, UserId, Workspace, WorkspaceId


@dataclass(frozen=True)
class Renderer:
    """Draws off the event loop, in one thread. Concurrent wishes for the same picture draw it once."""

    drawing_thread: Executor

    async def pie(self, pie: Pie) -> bytes:
        """The picture as PNG."""
        return await asyncio.get_running_loop().run_in_executor(self.drawing_thread, draw_pie, pie)

    async def curve(self, curve: Curve) -> bytes:
        """The picture as PNG."""
        return await asyncio.get_running_loop().run_in_executor(self.drawing_thread, draw_curve, curve)

    async def pair(self, pair: Pair) -> bytes:
        """The picture as PNG."""
        return await asyncio.get_running_loop().run_in_executor(self.drawing_thread, draw_pair, pair)

    async def states(self, states: States) -> bytes:
        """The picture as PNG."""
        return await asyncio.get_running_loop().run_in_executor(self.drawing_thread, draw_states, states)


@dataclass(frozen=True)
class Policy:
    """The numbers and choices that people set."""

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    #: "admins", "everyone", or Slack user ids.
    cancellers: frozenset[str] = frozenset({"admins"})
    #: The Slack user who is told when something is wrong with the set-up; "": who first subscribed a channel.
    installer: str = ""
    poll_every: timedelta = timedelta(minutes=5)
    #: An answer younger than this is not asked for again.
    fresh: timedelta = timedelta(seconds=60)
    #: How long an asker waits for the platform before the last known numbers are shown.
    patience: float = 6.0
    #: A burst arrives as one message when it ends within this time.
    settle: timedelta = timedelta(seconds=30)
    #: At most one message in this time and channel (Slack's own limit).
    pace: timedelta = timedelta(seconds=1)
    #: A card is edited at most once in this time.
    card_pace: timedelta = timedelta(seconds=60)
    #: How far back the first poll reads.
    history: timedelta = timedelta(days=90)
    #: Our own outside address, https and without a slash at its end; "" where there is none.
    public_url: str = ""
    #: Signs the addresses of pictures.
    picture_key: bytes = field(default=b"", repr=False)
    #: How long after its final status it is known who a piece was sent to.
    keep_recipients: timedelta = timedelta(days=90)
    #: How long after it was ordered (and has had time to arrive) a piece's whole history is kept.
    keep_history: timedelta = timedelta(days=400)
    #: How long after its removal a workspace's data is kept.
    keep_removed: timedelta = timedelta(days=30)
    #: Seal what an intent must keep secret: the first seals, all open.
    sealing_keys: tuple[str, ...] = field(default=(), repr=False)
    #: Timelines fetched in one poll.
    details: int = 100


@dataclass(frozen=True, repr=False)
class Services:
    """Everything that a decision may use, for one mail account and its workspace."""

    memory: Memory
    inflow: Inflow
    renderer: Renderer
    clock: Clock
    policy: Policy
    platform: MailPlatform
    slack: Messenger
    #: Where the mail account is connected from Slack; None where the settings name it.
    accounts: Accounts | None = None
    #: Set when the process is to end: work that goes on elsewhere begins nothing new.
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


class Tenants(Protocol):
    """Which mail account and which Slack a workspace has. The workspace is always named: there is no "current" one."""

    async def of(self, workspace_id: WorkspaceId) -> Services:
        """What this workspace's work is done with; raises WorkspaceGone when it removed us, or its token is no more.

        Without a mail account everything that needs one raises NotConnected.
        """
        ...

    def forget(self, workspace_id: WorkspaceId) -> None:
        """What is kept of this workspace in this process is read anew the next time."""
        ...


@dataclass(frozen=True)
class Request:
    """One thing somebody said or pressed. All of Slack's ways of asking end in this."""

    workspace: Workspace
    user: UserId
    channel: ChannelId
    text: str = ""
    #: The channel's name without its mark, where Slack tells it: behind a slash command in a public channel.
    channel_name: str = ""
    #: Where the asker alone can be answered; "" for a mention.
    response_url: str = ""
    trigger_id: str = ""
    #: The thread in which to answer a mention.
    thread: str | None = None
    #: The message whose button was pressed; "" when only the asker sees it.
    message_ts: str = ""
    #: The block in which it stands: a calendar carries a day alone, and its block what the day is for.
    block_id: str = ""
    #: The file ids of the pictures in that message, as Slack tells them.
    pictures: tuple[str, ...] = ()
    #: The modal in which a button was pressed.
    view_id: str = ""
    #: What the modal carries for itself.
    metadata: str = ""
    #: Which version of their Home the asker saw.
    view_hash: str = ""
    #: Which button of which message was pressed by whom; "" for anything that may be said twice.
    click: str = ""
    #: Of another organization, or a guest: sees what the channel was shown, and no more.
    guest: bool = False
    #: Taken for a guest only because Slack does not say who it is.
    unknown: bool = False
    #: The answer names no recipient and changes nothing that is shared: who asks may be known from the last hour. What
    #: names one after all asks Slack anew (see `access.recognized`).
    nameless: bool = False
    #: When its answering began.
    at: datetime | None = None
    #: The row that holds it until it is answered; None for what changes nothing.
    kept: Intent | None = None
    #: Whether a guest may ask this at all.
    open_to_guests: bool = False
