"""Webhook calls, by what they say; and when their silence is told."""

from datetime import timedelta

import pytest

from handlers.errors import NotInChannel, PayloadRefused, SignatureRefused, SlackDown
from handlers.ingest import silence, webhooks
from storage import aside, workspaces
from storage.records import NO_CAMPAIGN, NotifyOn
from storage.statuses import Status
from tests.fakes import HELLO
from tests.handlers.conftest import ANA, BEN, OPS, Office


async def called(office: Office, raw: bytes = b"{}") -> int:
    return await webhooks.receive(office.services, office.workspace, raw, {})


def waiting(office: Office) -> int:
    return sum(one.calls for one in office.services.inflow.inbox.waiting().values())


async def test_a_signed_call_is_kept_as_it_came_whatever_it_says(office: Office) -> None:
    office.mail.fail("read_delivery", PayloadRefused())
    assert await called(office, b"\x00 no JSON at all") == webhooks.OK
    assert (waiting(office), office.mail.calls) == (1, ["admit"])
    assert office.read(aside.look) is None


async def test_what_is_not_signed_is_not_kept(office: Office) -> None:
    office.mail.fail("admit", SignatureRefused())
    assert await called(office) == webhooks.UNAUTHORIZED
    assert waiting(office) == 0
    assert office.again().webhook_at is None


async def test_a_handshake_is_noted_once_a_minute_and_is_no_call(office: Office) -> None:
    first = office.clock.now()
    assert await called(office, HELLO) == webhooks.OK
    assert office.again().handshake_at == first
    for seconds, noted in ((60, False), (1, True)):
        office.clock.pass_time(seconds=seconds)
        await called(office, HELLO)
        assert office.again().handshake_at == (office.clock.now() if noted else first)
    assert waiting(office) == 0
    office.clock.pass_time(hours=-2)
    await called(office, HELLO)
    assert office.again().handshake_at == office.clock.now(), "a clock that was set back"


async def quiet(office: Office, hours: float) -> None:
    """The platform called, and a piece moved so many hours later."""
    since = office.clock.now()
    office.note(webhook_at=since, installer=ANA)
    office.clock.pass_time(hours=hours)
    await office.campaign(Status.IN_TRANSIT)
    await silence.listen_for_silence(office.services, office.workspace.id)


@pytest.mark.parametrize(("hours", "told"), [(5.99, False), (6, True), (7, True)])
async def test_silence_is_told_when_pieces_move_for_hours_without_a_call(
    office: Office, hours: float, told: bool
) -> None:
    await quiet(office, hours)
    assert [(one.way, one.place) for one in office.slack.said] == ([("post", ANA)] if told else [])
    await silence.listen_for_silence(office.services, office.workspace.id)
    assert len(office.slack.said) == told, "once"


async def test_a_silence_is_told_anew_after_another_call(office: Office) -> None:
    await quiet(office, 7)
    office.note(webhook_at=office.clock.now())
    office.clock.pass_time(hours=7)
    await office.campaign(Status.DELIVERED)
    await silence.listen_for_silence(office.services, office.workspace.id)
    assert len(office.slack.said) == 2


async def test_who_was_never_called_or_whose_pieces_rest_hears_nothing(office: Office) -> None:
    await silence.listen_for_silence(office.services, office.workspace.id)
    office.note(webhook_at=office.clock.now() - timedelta(days=3))
    await silence.listen_for_silence(office.services, office.workspace.id)
    office.note(webhook_at=None)
    await office.campaign(Status.IN_TRANSIT)
    await silence.listen_for_silence(office.services, office.workspace.id)
    assert office.slack.said == []


async def test_what_broke_while_it_was_told_is_told_the_next_time(office: Office) -> None:
    office.slack.fail("post", ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await quiet(office, 7)
    await silence.listen_for_silence(office.services, office.workspace.id)
    assert len(office.slack.said) == 1


async def test_what_could_not_be_told_is_told_the_next_time(office: Office) -> None:
    office.slack.fail("post", SlackDown())
    await quiet(office, 7)
    assert office.slack.said == []
    await silence.listen_for_silence(office.services, office.workspace.id)
    assert len(office.slack.said) == 1


async def test_who_left_is_not_written_to_and_the_next_one_is(office: Office) -> None:
    office.write(
        workspaces.subscribe,
        office.workspace.id,
        OPS,
        NO_CAMPAIGN,
        frozenset({NotifyOn.RETURNED}),
        BEN,
        office.clock.now(),
    )
    office.policy(installer="U0SET")
    office.slack.fail("post", NotInChannel(), NotInChannel())
    await quiet(office, 7)
    assert [one.place for one in office.slack.said] == [BEN]
    office.slack.fail("post", NotInChannel(), times=3)
    office.note(webhook_at=office.clock.now(), silence_told=None)
    office.clock.pass_time(hours=7)
    await office.campaign(Status.DELIVERED)
    await silence.listen_for_silence(office.services, office.workspace.id)
    assert office.again().silence_told is None
