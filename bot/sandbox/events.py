"""The page's buttons: what one may want to see happen, at once. Each gives what to say, and where to look."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from bot.sandbox.calendar import DIGEST, TICK, Calendar
from bot.sandbox.people import OPS
from bot.sandbox.second import KEY
from bot.sandbox.slack import Fault
from bot.sandbox.stannp import Trouble
from bot.sandbox.story import ZONE, next_hour
from handlers.alerts import digests
from handlers.alerts.state import zone_of
from handlers.text import formatting
from storage import channel_settings, workspaces
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, ChannelSubscription, NotifyOn

#: How long trouble lasts, in seconds; and by how much every answer of a slow Slack is late.
LASTS, LATE = 20.0, 1.5
#: Often enough for everything that is asked in that time.
OFTEN: Final = 1_000_000
#: How often is looked whether the bot has told what it tells at its hour.
TRIES: Final = 6
#: After a Sunday, or two days without mail, there may be nothing to say: so many mornings are waited for a digest.
MORNINGS: Final = 4
#: How the digest and the report begin.
MORNING, REPORT = ("Since the last digest", "Since alerts were turned on"), ("Weekly report",)
MONDAY: Final = 0
#: Above this sum a second person must approve, once that was asked for.
LIMIT: Final = Decimal(25)


@dataclass(frozen=True)
class Told:
    """What became of a wish: a sentence, the channel where to look, and what failed instead ("" for nothing)."""

    text: str = ""
    channel: str = OPS
    error: str = ""
    #: A page to open beside this one.
    link: str = ""
    #: What the sandbox itself says of it, and Slack would not.
    note: str = ""


@dataclass
class Events:
    """What can be made to happen in a story."""

    calendar: Calendar
    _later: set[asyncio.Task[None]] = field(default_factory=set)

    async def make(self, name: str) -> Told:
        """One of `names()`; anything else is refused."""
        work = self._all().get(name)
        if work is None:
            return Told(error="unknown")
        told = await work()
        self.calendar.slack.changed()
        return told

    def names(self) -> list[str]:
        return list(self._all())

    def state(self) -> dict[str, Any]:
        """What is going on, for the page."""
        calendar, booked = self.calendar, self.calendar.story.booked()
        return {
            "down": bool(calendar.story.platform.troubles),
            "slow": bool(calendar.slack.faults),
            "silent": not calendar.calls,
            "waits": calendar.is_deciding(),
            "greets": calendar.is_greeting(),
            "booked": booked.name if booked else "",
            "installed": bool(calendar.second and calendar.second.slack.scopes),
        }

    def _all(self) -> dict[str, Callable[[], Awaitable[Told]]]:
        return {
            "return": self._return, "digest": self._digest, "report": self._report, "down": self._down,
            "slow": self._slow, "silent": self._silent, "cancel": self._cancel, "approvals": self._approvals,
            "workflow": self._workflow, "second": self._second, "next": self._next,
        }  # fmt: skip

    async def _return(self) -> Told:
        piece = self.calendar.story.world.make_return()
        if piece is None:
            return Told(error="no piece is on its way right now")
        heard, channel = await self._heard(piece.campaign_id, NotifyOn.RETURNED)
        await self.calendar.tell([piece])
        name = f"{piece.firstname} {piece.lastname}"
        return Told(f"The piece to {name}, {piece.city}, just came back. {heard}", channel)

    async def _next(self) -> Told:
        await self.calendar.pass_time(timedelta(days=1))
        return Told("A day has passed.")

    async def _digest(self) -> Told:
        calendar = self.calendar
        # What the second digest says is what happened since the first.
        if calendar.looked_on is None:
            await self._until(None, MORNING)
        before = len(calendar.slack.messages)
        hour, none = DIGEST, "#mail-ops chose no morning digest: /mailalerts has its hour."
        for _ in range(MORNINGS):
            hour = await self._until(None, MORNING)
            if self._has_posted(before, MORNING):
                return Told("The morning digest is in #mail-ops.")
            if why := await self._why_none(lambda one: one.settings.digest_hour is not None, none):
                return Told(why)
        return Told(f"It is {formatting.full_hour(hour)}, and there is nothing to say.")

    async def _report(self) -> Told:
        before = len(self.calendar.slack.messages)
        await self._until(MONDAY, REPORT)
        if self._has_posted(before, REPORT):
            return Told("Monday's report is in #mail-ops.")
        none = "#mail-ops chose no weekly report: /mailalerts has a box for it."
        wanted = await self._why_none(
            lambda one: any(NotifyOn.WEEKLY in those for those in one.notify_on.values()), none
        )
        return Told(wanted or "It is Monday, and the report is on its way.")

    async def _until(self, weekday: int | None, said: tuple[str, ...]) -> int:
        """Lets the story pass until it is the hour of #mail-ops (9 AM where it chose none), and a minute more, and the
        bot look at its clock; gives the hour."""
        calendar = self.calendar
        now, ops = calendar.clock.now(), await self._mail_ops()
        hour, zone = DIGEST, ZONE
        if ops and ops.settings.digest_hour is not None:
            hour, zone = ops.settings.digest_hour, zone_of(ops.settings)
        before = len(calendar.slack.messages)
        await calendar.pass_time(next_hour(now, hour, weekday, zone) + timedelta(minutes=1) - now)
        for _ in range(TRIES):
            if self._has_posted(before, said):
                break
            # Somebody else may be writing to the channel.
            await asyncio.sleep(TICK)
            await digests.watch(calendar.app.services, calendar.app.workspace.id)
        return hour

    async def _listeners(self) -> list[ChannelSubscription]:
        app, now = self.calendar.app, self.calendar.clock.now()
        return await app.services.memory.read(channel_settings.listeners, app.workspace.id, now)

    async def _mail_ops(self) -> ChannelSubscription | None:
        return next((one for one in await self._listeners() if one.channel == OPS), None)

    async def _why_none(self, wants: Callable[[ChannelSubscription], bool], unwanted: str) -> str:
        """Why #mail-ops reads none of what it `wants`; "" where nothing stands in its way."""
        ops = await self._mail_ops()
        if ops is None:
            return "Alerts are off in #mail-ops, so there is none. Type /mailalerts on there."
        if ops.resting:
            return "#mail-ops is muted, so it gets none until that is over."
        return "" if wants(ops) else unwanted

    async def _heard(self, ref: int, want: NotifyOn) -> tuple[str, str]:
        """Who gets this news of a campaign, and the channel where to look."""
        app, now = self.calendar.app, self.calendar.clock.now()
        found = await app.services.memory.read(queries.campaigns_by_ref, app.workspace.id, [str(ref)])
        # What was booked a moment ago is not known yet: it is one of all.
        key = found[str(ref)].id if str(ref) in found else NO_CAMPAIGN
        told = [one for one in await self._listeners() if want in (one.hears_of(key) or ())]
        if not told:
            return "No channel has alerts on for that, so nobody is notified. Type /mailalerts on in one.", OPS
        awake = [one for one in told if not (one.resting or digests.is_quiet(one, now))]
        names = " and ".join(f"#{self.calendar.slack.channels[one.channel].name}" for one in awake or told)
        are = "are" if len(awake or told) > 1 else "is"
        if not awake:
            return f"{names} {are} muted or quiet now, and {are} notified after that.", told[0].channel
        return f"{names} {are} notified in a second or two.", awake[0].channel

    def _has_posted(self, before: int, said: tuple[str, ...]) -> bool:
        return any(one.channel == OPS and one.text.startswith(said) for one in self.calendar.slack.messages[before:])

    async def _down(self) -> Told:
        troubles = self.calendar.story.platform.troubles
        if not troubles:
            troubles.append(Trouble("", status=503, times=OFTEN))
            self._end(troubles.clear)
        return Told(
            "Stannp is down for 20 seconds. Ask /mailstatus Spring: it shows the last known numbers, and says so."
        )

    async def _slow(self) -> Told:
        faults = self.calendar.slack.faults
        if not faults:
            faults.append(Fault("*", delay=LATE, times=OFTEN))
            self._end(faults.clear)
        return Told("Slack is slow for 20 seconds: every answer is late, and none is lost.")

    def _end(self, over: Callable[[], None]) -> None:
        async def end() -> None:
            await asyncio.sleep(LASTS)
            over()
            self.calendar.slack.changed()

        task = asyncio.create_task(end())
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def _silent(self) -> Told:
        calendar = self.calendar
        calendar.calls = not calendar.calls
        if calendar.calls:
            return Told("The webhook works again.")
        silent = "Stannp's webhook fell silent. News comes a little later, by reading the account"
        first = await calendar.app.services.memory.read(workspaces.first_subscriber, calendar.app.workspace.id)
        if first is None:
            return Told(f"{silent}. Alerts are off everywhere, so nobody gets a message about it.")
        return Told(
            f"{silent}; and {calendar.slack.users[first].name}, who turned alerts on first, gets a direct message.",
            channel=f"D{first}",
        )

    async def _cancel(self) -> Told:
        chosen = self.calendar.story.cancel_a_drop()
        if chosen is None:
            return Told(error="nothing is booked right now: wait a day or two")
        heard, channel = await self._heard(chosen.id, NotifyOn.CANCELLED)
        stopped = [one for one in self.calendar.story.platform.pieces_of(chosen.id) if one.status == "cancelled"]
        await self.calendar.tell(stopped)
        return Told(f"Stannp cancelled {chosen.name} by itself. {heard}", channel)

    async def _approvals(self) -> Told:
        booked = self.calendar.story.booked()
        if booked is None:
            return Told(error="nothing is booked right now: wait a day or two")
        name, memory, key = booked.name, self.calendar.app.services.memory, self.calendar.app.workspace.id
        workspace = await memory.read(workspaces.by_id, key)
        await memory.write(workspaces.keep_rules, key, replace(workspace.rules, approval_above=LIMIT))
        return Told(
            f"From now on a second person must approve cancellations above ${LIMIT}. As Ana, ask /mailstatus {name} "
            "and press Cancel…; then be Dana, and approve it in the channel."
        )  # fmt: skip

    async def _second(self) -> Told:
        found = await self.calendar.meet_second()
        if found.slack.scopes:
            return Told("Bolt Bikes has Piecewise. Be Bob, in the list of people at the top.")
        return Told(
            "Bolt Bikes wants Piecewise, too. Install it, then be Bob and open Piecewise (Home) to connect the mail "
            f"account: its key is {KEY}. The story waits meanwhile.",
            link=found.install,
        )  # fmt: skip

    async def _workflow(self) -> Told:
        slack = self.calendar.slack
        step = await slack.run_step("get_campaign_status", {"campaign": "Spring lapsed"})
        end = asyncio.get_running_loop().time() + 5
        while step.outputs is None and not step.error and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.05)
        if step.outputs is None:
            return Told(error=step.error or "the step took too long")
        slack.say("UWORKFLOW", OPS, str(step.outputs.get("summary") or step.outputs))
        return Told("A workflow asked for Spring lapsed, and posted the answer in #mail-ops.")
