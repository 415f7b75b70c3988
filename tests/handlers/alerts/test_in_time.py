"""What of a channel's alerts depends on how long ago something was: *Undo*, a mute that is offered, and a digest."""

from datetime import timedelta

import pytest

from handlers.alerts import actions, digests
from handlers.alerts.undoing import TooLateToUndo
from handlers.ingest import counting
from handlers.text.buttons import AlertsDo
from handlers.text.codec import write
from storage import intents, privacy
from storage.intents import Kind
from storage.records import ChannelSettings, NotifyOn
from storage.statuses import Status
from tests.handlers.alerts.test_commands import say, told
from tests.handlers.alerts.test_digests import DIGEST, kept, look, subscribed
from tests.handlers.alerts.test_unwidened import undo, undo_button
from tests.handlers.conftest import ANA, Office


@pytest.mark.parametrize(("seconds", "too_late"), [(600, False), (601, True)])
async def test_a_change_can_be_undone_for_ten_minutes(office: Office, seconds: int, too_late: bool) -> None:
    await say(office, "on")
    await say(office, "off")
    value = undo_button(office)
    office.clock.pass_time(seconds=seconds)
    if too_late:
        with pytest.raises(TooLateToUndo):
            await undo(office, value)
    else:
        await undo(office, value)
    assert bool(told(office)) != too_late


async def test_what_was_undone_in_time_by_a_process_that_died_is_answered_later(office: Office) -> None:
    await say(office, "on")
    await say(office, "off")
    value = undo_button(office)
    kept_ = office.write(intents.keep_taken, office.workspace.id, Kind.ASKED, {"by": ANA}, "", "k")
    assert kept_ is not None
    await actions.undo(office.services, office.request(kept=kept_), value)
    office.clock.pass_time(minutes=11)
    again = office.read(intents.of, office.workspace.id, kept_.id)
    await actions.undo(office.services, office.request(kept=again), value)
    assert "turned mail alerts on again" in office.slack.last.text


@pytest.mark.parametrize(("after", "muted"), [(-1, True), (0, False), (1, False)])
async def test_a_mute_that_would_be_over_is_offered_anew(office: Office, after: int, muted: bool) -> None:
    await say(office, "on")
    until = int(office.clock.now().timestamp()) + 600
    office.clock.pass_time(seconds=600 + after)
    await actions.carry_out(office.services, office.request(), write(AlertsDo("mute", until=until)))
    assert (told(office)[0].muted_until is not None) == muted


async def test_the_curve_in_the_thread_is_of_the_campaign_with_most_mail_under_way(office: Office) -> None:
    handed = {"dispatched_at": office.clock.now() - timedelta(days=5)}
    for ref, name, moving in (("222", "Few", 30), ("223", "Most", 40), ("224", "Done", 0)):
        made = await office.campaign(
            *[Status.DELIVERED] * 50, *[Status.IN_TRANSIT] * moving, ref=ref, name=name, piece=handed
        )
        await counting.bring_up_to_date(office.services, office.workspace.id, made.id)
    await subscribed(office, NotifyOn.WEEKLY, settings=ChannelSettings("UTC", None, None, None))
    office.clock.moment = office.clock.now().replace(hour=9)
    await look(office)
    assert "Delivery of Most" in office.slack.of("post")[-1].text


async def test_an_alarm_of_several_names_each_and_shows_them_to_guests(office: Office) -> None:
    await office.campaign(*[Status.DELIVERED] * 60)
    await office.campaign(*[Status.DELIVERED] * 60, ref="223", name="Autumn")
    await subscribed(office, settings=DIGEST)
    await look(office)
    await office.campaign(*[Status.DELIVERED] * 50, *[Status.RETURNED] * 10)
    await office.campaign(*[Status.DELIVERED] * 50, *[Status.RETURNED] * 10, ref="223", name="Autumn")
    await look(office)
    (alarm,) = office.slack.of("post")
    assert "Spring lapsed" in alarm.text
    assert "Autumn" in alarm.text
    assert len(office.read(privacy.shown_campaigns, office.workspace.id, kept(office).channel)) == 2
    assert not digests.is_due(kept(office), _account(office), office.clock.now())


def _account(office: Office) -> digests.AccountState:
    return office.read(digests._account, office.workspace.id, office.clock.now())
