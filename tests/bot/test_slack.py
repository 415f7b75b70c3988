"""Slack's adapter against the strict double, over real sockets: every failure gets its name, and the double bites."""

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import slack as sandbox
from bot.sandbox.slack import Channel, Fault, SlackDouble, User
from bot.slack.client import Slack
from handlers.errors import (
    ChannelClosed,
    MessageGone,
    NotInChannel,
    PictureRefused,
    ScopeMissing,
    SlackBusy,
    SlackDown,
    SlackRefused,
    Trouble,
    WorkspaceGone,
)
from handlers.text.messages import Message, Picture, divider, image, section
from tests.fakes import FakeClock

HELLO = Message("hello", [section("hello")])
PICTURE = Picture(b"\x89PNG", "a pie", "Pie")
MODAL = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": [divider()]}


@pytest.fixture
async def double() -> AsyncIterator[SlackDouble]:
    made = SlackDouble(file_delay=0)
    made.add_user(User("U1", "Ana", "America/Chicago", is_admin=True))
    made.add_channel(Channel("C1", "ops"))
    made.add_channel(Channel("C2", "outside", bot_in=False))
    made.add_channel(Channel("C3", "old", archived=True))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def slack(double: SlackDouble, clock: FakeClock) -> AsyncIterator[Slack]:
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(token=double.bot_token, base_url=double.url, session=session, retry_handlers=[])
        yield Slack(client, session, clock, "UTC")


async def test_posting_editing_and_threads(slack: Slack, double: SlackDouble) -> None:
    ts = await slack.post("C1", HELLO)
    await slack.post("C1", HELLO, thread=ts)
    await slack.edit("C1", ts, Message("changed", [section("changed")]))
    assert [(m.text, m.thread_ts) for m in double.messages] == [("changed", None), ("hello", ts)]
    assert double.problems == []


@pytest.mark.parametrize(("channel", "failure"), [("C2", NotInChannel), ("C9", NotInChannel), ("C3", ChannelClosed)])
async def test_a_channel_that_cannot_be_posted_to(slack: Slack, channel: str, failure: type[Trouble]) -> None:
    with pytest.raises(failure):
        await slack.post(channel, HELLO)


async def test_a_message_to_a_person_reaches_their_direct_messages(slack: Slack, double: SlackDouble) -> None:
    await slack.post("U1", HELLO)
    assert double.messages[0].channel == "DU1"


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("token_revoked", WorkspaceGone), ("account_inactive", WorkspaceGone), ("missing_scope", ScopeMissing),
        ("is_archived", ChannelClosed), ("internal_error", SlackDown), ("something_new", SlackRefused),
        ("invalid_blocks", SlackRefused), ("ratelimited", SlackBusy),
    ],
)  # fmt: skip
async def test_codes_have_names(slack: Slack, double: SlackDouble, code: str, failure: type[Trouble]) -> None:
    double.faults.append(Fault("chat.postMessage", code, retry_after=30))
    with pytest.raises(failure):
        await slack.post("C1", HELLO)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_page_of_html_is_an_outage(slack: Slack, double: SlackDouble, status: int) -> None:
    double.faults.append(Fault("chat.postMessage", status=status))
    with pytest.raises(SlackDown):
        await slack.post("C1", HELLO)
    assert double.messages == []


async def test_a_fault_of_our_own_is_no_outage(slack: Slack) -> None:
    class Broken(list[Any]):
        def __iter__(self) -> Any:
            return vars(self)["unheard_of"]

    with pytest.raises(KeyError, match="unheard_of"):
        await slack.post("C1", Message("hello", Broken([divider()])))


async def test_a_post_that_broke_off_is_not_sent_again(slack: Slack, double: SlackDouble) -> None:
    double.faults.append(Fault("chat.postMessage", status=500, after=True))
    with pytest.raises(SlackDown):
        await slack.post("C1", HELLO)
    assert len(double.messages) == 1


async def test_an_edit_whose_answer_was_lost_is_made_again(slack: Slack, double: SlackDouble) -> None:
    ts = await slack.post("C1", HELLO)
    for fault in (Fault("chat.update", status=502, after=True), Fault("chat.update", status=503)):
        double.faults.append(fault)
        await slack.edit("C1", ts, Message("bye", [section("bye")]))
    assert double.messages[0].text == "bye"
    double.faults.append(Fault("chat.update", status=503, times=2))
    with pytest.raises(SlackDown):
        await slack.edit("C1", ts, HELLO)


async def test_a_short_wait_is_waited_and_a_long_one_is_handed_on(
    slack: Slack, double: SlackDouble, clock: FakeClock
) -> None:
    before = clock.now()
    double.faults.append(Fault("chat.postMessage", "ratelimited", 429, retry_after=2))
    await slack.post("C1", HELLO)
    assert (clock.now() - before).total_seconds() == 2
    double.faults.append(Fault("chat.postMessage", "ratelimited", 429, retry_after=60))
    with pytest.raises(SlackBusy) as caught:
        await slack.post("C1", HELLO)
    assert caught.value.retry_after == 60


async def test_short_waits_are_waited_until_five_seconds_are_over(
    slack: Slack, double: SlackDouble, clock: FakeClock
) -> None:
    double.faults.append(Fault("chat.postMessage", "ratelimited", 429, retry_after=1, times=3))
    await slack.post("C1", HELLO)
    for wait in (0, 1):
        busy = Fault("chat.postMessage", "ratelimited", 429, retry_after=wait, times=100)
        double.faults.append(busy)
        before = clock.now()
        with pytest.raises(SlackBusy):
            await slack.post("C1", HELLO)
        assert busy.times == 100 - 6
        assert (clock.now() - before).total_seconds() == 5
        double.faults.clear()


async def test_a_closed_port_is_an_outage(slack: Slack, double: SlackDouble) -> None:
    await double.stop()
    for request in (slack.post("C1", HELLO), slack.answer(f"{double.base}/commands/x", HELLO), slack.person("U1")):
        with pytest.raises(SlackDown):
            await request


async def test_a_message_that_is_gone_cannot_be_edited(slack: Slack) -> None:
    with pytest.raises(MessageGone):
        await slack.edit("C1", "1.1", HELLO)


async def test_a_picture_shows_once_it_is_ready(slack: Slack, double: SlackDouble) -> None:
    double.file_delay = 60
    early = await slack.upload(PICTURE)
    with pytest.raises(PictureRefused):
        await slack.post("C1", Message("pie", [image(early, PICTURE)]))
    double.file_delay = 0
    ready = await slack.upload(PICTURE)
    await slack.post("C1", Message("pie", [image(ready, PICTURE)]))
    assert double.files[ready].data == PICTURE.png


async def test_people_are_remembered_for_an_hour(slack: Slack, double: SlackDouble, clock: FakeClock) -> None:
    for _ in range(3):
        person = await slack.person("U1")
    assert (person.name, person.zone, person.is_admin) == ("Ana", "America/Chicago", True)
    assert len(double.calls) == 1
    clock.pass_time(hours=2)
    await slack.person("U1")
    assert len(double.calls) == 2


async def test_an_answer_address_holds_five_answers(slack: Slack, double: SlackDouble) -> None:
    address = double._address(sandbox.Answering("C1", "U1", time.monotonic()))
    for _ in range(5):
        await slack.answer(address, HELLO)
    with pytest.raises(SlackRefused):
        await slack.answer(address, HELLO)
    assert [m.only_for for m in double.messages] == ["U1"] * 5


async def test_a_trigger_works_once_and_not_late(
    slack: Slack, double: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = double._trigger("U1")
    await slack.open_view(trigger, MODAL)
    with pytest.raises(SlackRefused):
        await slack.open_view(trigger, MODAL)
    monkeypatch.setattr(sandbox, "TRIGGER_SECONDS", -1)
    with pytest.raises(SlackRefused):
        await slack.push_view(double._trigger("U1"), MODAL)


async def test_no_more_than_three_modals_are_stacked(slack: Slack, double: SlackDouble) -> None:
    await slack.open_view(double._trigger("U1"), MODAL)
    for _ in range(2):
        await slack.push_view(double._trigger("U1"), MODAL)
    with pytest.raises(SlackRefused):
        await slack.push_view(double._trigger("U1"), MODAL)


async def test_the_double_refuses_what_slack_refuses(slack: Slack, double: SlackDouble) -> None:
    with pytest.raises(SlackRefused):
        await slack.post("C1", Message("x", [divider()] * 51))
    with pytest.raises(SlackRefused):
        await slack.post("C1", Message("x", [section("x") | {"block_id": "x" * 256}]))
    double.scopes.discard("chat:write")
    with pytest.raises(ScopeMissing):
        await slack.post("C1", HELLO)
    slack.client.token = "xoxb-other"
    with pytest.raises(WorkspaceGone):
        await slack.post("C1", HELLO)
    assert len(double.problems) == 2


async def test_more_than_a_message_a_second_is_refused_and_kept_as_a_problem(slack: Slack, double: SlackDouble) -> None:
    for _ in range(sandbox.BURST + 1):
        await slack.post("C1", HELLO)
    with pytest.raises(SlackBusy):
        await slack.post("C1", HELLO)
    assert "more than one message a second" in double.problems[0]
