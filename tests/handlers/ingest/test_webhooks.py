"""Webhook calls, by what they say; and when their silence is told."""

from datetime import timedelta

import pytest

from handlers.context.ports import Delivery
from handlers.errors import NotInChannel, PayloadRefused, SignatureRefused, SlackDown, Trouble
from handlers.ingest import silence, webhooks
from storage import workspaces
from storage.queries import mail as queries
from storage.records import NO_CAMPAIGN, Batch, NotifyOn
from storage.statuses import Status
from tests.builders import a_batch, a_change, a_piece
from tests.handlers.conftest import ANA, BEN, OPS, Office

BATCH = a_batch(a_piece("77", ""), a_change("77", Status.RETURNED))


async def called(office: Office, delivery: Delivery) -> int:
    office.mail.delivery = delivery
    return await webhooks.receive(office.services, office.workspace, b"{}", {})


async def test_what_is_understood_is_committed_before_it_is_answered(office: Office) -> None:
    assert await called(office, Delivery(BATCH, "mailpiece_status", ignored=1)) == webhooks.OK
    assert office.piece("77").status is Status.RETURNED
    assert office.again().webhook_at == office.clock.now()


@pytest.mark.parametrize(("refusal", "code"), [(SignatureRefused(), 401), (PayloadRefused(), 400)])
async def test_what_is_not_signed_or_not_understood_changes_nothing(
    office: Office, refusal: Trouble, code: int
) -> None:
    office.mail.fail("read_delivery", refusal)
    assert await called(office, Delivery(BATCH, "x")) == code
    assert office.read(queries.find_pieces, office.workspace.id, "77", 1) == []
    assert office.again().webhook_at is None


async def test_a_handshake_is_noted_once_a_minute_and_is_no_call(office: Office) -> None:
    hello = Delivery(Batch(), "test_url", is_handshake=True)
    first = office.clock.now()
    assert await called(office, hello) == webhooks.OK
    assert office.again().handshake_at == first
    for seconds, noted in ((60, False), (1, True)):
        office.clock.pass_time(seconds=seconds)
        await called(office, hello)
        assert office.again().handshake_at == (office.clock.now() if noted else first)
    assert office.workspace.webhook_at is None
    office.clock.pass_time(hours=-2)
    await called(office, hello)
    assert office.again().handshake_at == office.clock.now(), "a clock that was set back"
    await called(office, Delivery(Batch(), "x"))
    assert office.again().handshake_at == office.clock.now()


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
