"""Stopping mail: what is asked for, what is believed, when it is looked at again, and what is told."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.cancel import stopping
from handlers.cancel.stopping import LOOKS, payload_of, stop_pieces, worth_of
from handlers.context import intents as working
from handlers.errors import (
    ChannelClosed,
    MessageGone,
    NotInChannel,
    NotOffered,
    PieceUnknown,
    PlatformBusy,
    PlatformDown,
    PlatformRefused,
    SlackDown,
    TooLate,
    Trouble,
)
from storage import cancellations, intents
from storage.cancellations import Outcome
from storage.intents import Intent, Kind
from storage.records import NO_CAMPAIGN, CampaignId, Money, PieceId
from storage.statuses import CANCELLABLE, Status
from tests.handlers.conftest import ANA, BEN, OPS, URL, Office

R, P = Status.RECEIVED, Status.PRODUCING
CAMPAIGN = {"by": ANA, "approver": "", "channel": OPS, "view": ""}


async def begun(
    office: Office, *refs: str, campaign: CampaignId = NO_CAMPAIGN, url: str = "", looks: int = 0, **more: Any
) -> int:
    """An intent to stop these pieces, worked at once."""
    payload = {**CAMPAIGN, "campaign": campaign, **more}
    number = await working.keep(
        office.services, office.workspace.id, Kind.CANCEL, payload, {"url": url} if url else {},
        piece_ids=[office.piece(ref).id for ref in refs],
    )  # fmt: skip
    await again(office, number)
    return number


async def again(office: Office, number: int) -> None:
    """As if its pause were over."""
    office.write(
        lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0 WHERE ended_at IS NULL")
    )
    await working.begin(office.services, office.workspace.id, number, stop_pieces)


def rows(office: Office, number: int) -> list[tuple[str, Status | None, int]]:
    found = office.read(intents.rows_of, office.workspace.id, number)
    return [(one.outcome, one.status, one.looks) for one in sorted(found, key=lambda one: one.piece_id)]


def intent(office: Office, number: int) -> Intent:
    found = office.read(intents.of, office.workspace.id, number)
    assert found is not None
    return found


def pause(office: Office, number: int) -> timedelta:
    """Until it is looked at again."""
    from storage.database import database_time
    from storage.schema.account_tables import intents as table

    def work(connection: Any) -> timedelta:
        due = connection.execute(table.select().where(table.c.id == number)).one().next_at
        return timedelta(seconds=(due - database_time(connection)).total_seconds())

    return office.read(work)


@pytest.mark.parametrize(("asked", "stopped"), [(R, True), *((one, False) for one in Status if one not in CANCELLABLE)])
async def test_only_what_waits_is_asked_for(office: Office, asked: Status, stopped: bool) -> None:
    await office.campaign(asked)
    number = await begun(office, "1001")
    outcome = "cancelled" if stopped else "already cancelled" if asked is Status.CANCELLED else "too late"
    assert rows(office, number)[0][0] == Outcome(outcome)
    assert office.mail.cancelled == (["1001"] if stopped else [])
    assert intent(office, number).ended
    kept = office.read(cancellations.of, office.workspace.id, office.piece().id)
    assert (kept is not None) == stopped
    assert kept is None or (kept.outcome, kept.asked_by) == (Outcome.CANCELLED, ANA)


@pytest.mark.parametrize(
    ("said", "after", "outcome"),
    [
        (None, Status.CANCELLED, Outcome.CANCELLED),
        (None, P, Outcome.TOO_LATE),
        (None, R, Outcome.UNCLEAR),
        (TooLate(), P, Outcome.TOO_LATE),
        (TooLate(), R, Outcome.REFUSED),
        (PieceUnknown(), R, Outcome.REFUSED),
        (PlatformRefused(), R, Outcome.REFUSED),
        (PlatformDown(), R, Outcome.UNCLEAR),
        (PlatformDown(), Status.CANCELLED, Outcome.CANCELLED),
        (PlatformRefused(), Status.CANCELLED, Outcome.CANCELLED),
        (None, None, Outcome.TOO_LATE),
    ],
)
def test_what_happened_is_what_is_read_afterwards(said: Trouble | None, after: Status | None, outcome: Outcome) -> None:
    assert stopping._judge(after, said) is outcome


async def test_what_is_unclear_is_looked_at_again_and_never_asked_for_twice(office: Office) -> None:
    await office.campaign(R)
    office.mail.stubborn = True
    number = await begun(office, "1001", url=URL)
    assert rows(office, number) == [("", R, 1)]
    assert "look again" in office.slack.last.text
    assert [one.way for one in office.slack.said] == ["replace"]
    for looks, after in enumerate(LOOKS, 1):
        assert LOOKS[looks - 1] - timedelta(seconds=20) < pause(office, number) <= after
        assert rows(office, number) == [("", R, looks)]
        assert not intent(office, number).ended
        await again(office, number)
    assert rows(office, number) == [(Outcome.UNSETTLED.value, R, len(LOOKS) + 1)]
    assert intent(office, number).ended
    assert office.mail.cancelled == ["1001"]
    # Told a second time, by direct message: the button's address is old by now.
    assert [(one.way, one.place) for one in office.slack.said] == [("replace", URL), ("post", ANA)]
    assert "after three days" in office.slack.last.text
    assert [act for act, _, _ in office.log()] == ["cancelled", "cancelled"]


async def test_a_cancellation_that_shows_late_is_told_and_announced(office: Office) -> None:
    await office.campaign(R)
    office.mail.stubborn = True
    number = await begun(office, "1001", url=URL)
    office.mail.at["1001"] = Status.CANCELLED
    await again(office, number)
    assert rows(office, number) == [("cancelled", Status.CANCELLED, 1)]
    assert [(one.way, one.place) for one in office.slack.said] == [("replace", URL), ("post", ANA), ("post", OPS)]
    assert "You saved $0.84" in office.slack.last.text
    assert office.piece().status is Status.CANCELLED


async def test_who_pressed_reads_it_in_place_and_the_channel_reads_it_too(office: Office) -> None:
    await office.campaign(R)
    await begun(office, "1001", url=URL)
    assert [(one.way, one.place) for one in office.slack.said] == [("replace", URL), ("post", OPS)]
    assert office.log() == [("cancelled", "piece 1001", "cancelled")]
    assert "You saved $0.84" in office.slack.last.text


async def test_what_was_not_stopped_is_not_announced(office: Office) -> None:
    await office.campaign(P)
    await begun(office, "1001", url=URL)
    assert [one.way for one in office.slack.said] == ["replace"]


async def test_a_modal_shows_the_end_in_itself(office: Office) -> None:
    await office.campaign(R)
    await begun(office, "1001", view="V1", channel="", url=URL)
    assert [(one.way, one.place) for one in office.slack.said] == [("update", "V1")]


async def test_where_the_place_is_gone_it_is_told_directly(office: Office) -> None:
    await office.campaign(P, P)
    office.slack.fail("answer", MessageGone())
    await begun(office, "1001", url=URL)
    assert (office.slack.last.way, office.slack.last.place) == ("post", ANA)
    office.slack.fail("update_view", MessageGone())
    await begun(office, "1002", view="V1")
    assert (office.slack.last.way, office.slack.last.place) == ("post", ANA)


async def test_with_a_second_person_both_read_it_in_the_channel_once(office: Office) -> None:
    await office.campaign(R)
    await begun(office, "1001", approver=BEN, url=URL)
    assert [(one.way, one.place) for one in office.slack.said] == [("post", OPS)]
    assert f"approved by <@{BEN}>" in office.slack.last.text


async def test_a_channel_that_is_closed_does_not_hold_up_the_announcement(office: Office) -> None:
    await office.campaign(R)
    office.slack.fail("post", ChannelClosed())
    number = await begun(office, "1001", url=URL)
    assert intent(office, number).ended
    assert [one.way for one in office.slack.said] == ["replace"]


async def test_a_piece_without_a_known_cost_saves_no_known_sum(office: Office) -> None:
    await office.campaign(R, piece={"cost": None})
    await begun(office, "1001")
    assert "You saved" not in office.slack.last.text


async def test_each_piece_of_a_campaign_is_read_before_and_after_and_summed_up(office: Office) -> None:
    campaign = await office.campaign(R, R, R, P, R, R, R)
    number = await begun(office, *(str(1001 + n) for n in range(7)), campaign=campaign.id)
    assert office.mail.cancelled == ["1001", "1002", "1003", "1005", "1006", "1007"]
    outcomes = [outcome for outcome, _, _ in rows(office, number)]
    assert outcomes == ["cancelled"] * 3 + ["too late"] + ["cancelled"] * 3
    assert [(one.way, one.place) for one in office.slack.said] == [("post", OPS)]
    assert "6 cancelled · 1 too late" in office.slack.last.text
    assert "You saved $5.04" in str(office.slack.last.shown.blocks)
    assert office.log() == [("cancelled", "Spring lapsed", "6 of 7 pieces stopped")]


async def test_of_a_campaign_only_what_was_unclear_is_told_again(office: Office) -> None:
    campaign = await office.campaign(R, R)
    office.mail.fail("cancel_piece", PlatformDown())
    number = await begun(office, "1001", "1002", campaign=campaign.id)
    assert "1 cancelled · 1 unclear" in office.slack.last.text
    assert not intent(office, number).ended
    unclear = next(ref for ref in ("1001", "1002") if office.mail.at[ref] is R)
    office.mail.at[unclear] = P
    await again(office, number)
    assert "what was unclear: 1 too late." in office.slack.last.text
    assert intent(office, number).ended
    assert len(office.slack.said) == 2


@pytest.mark.parametrize("refusal", [NotInChannel(), ChannelClosed()])
async def test_a_summary_that_the_channel_does_not_take_goes_to_who_asked(office: Office, refusal: Trouble) -> None:
    campaign = await office.campaign(R)
    office.slack.fail("post", refusal)
    await begun(office, "1001", campaign=campaign.id)
    assert (office.slack.last.way, office.slack.last.place) == ("post", ANA)


async def test_without_a_channel_the_summary_goes_to_who_asked(office: Office) -> None:
    campaign = await office.campaign(R)
    await begun(office, "1001", campaign=campaign.id, channel="")
    assert (office.slack.last.way, office.slack.last.place) == ("post", ANA)


async def test_a_summary_that_slack_does_not_take_now_is_told_before_another_look(office: Office) -> None:
    campaign = await office.campaign(R)
    office.mail.stubborn = True
    office.slack.fail("post", SlackDown())
    number = await begun(office, "1001", campaign=campaign.id)
    assert office.slack.said == []
    looked = office.mail.calls.count("piece")
    await again(office, number)
    assert office.mail.calls.count("piece") == looked, "looks are few"
    assert "1 unclear" in office.slack.last.text
    await again(office, number)
    assert office.mail.calls.count("piece") == looked + 1


@pytest.mark.parametrize("call", ["piece", "cancel_piece"])
async def test_the_platforms_limit_puts_off_and_ends_nothing(office: Office, call: str) -> None:
    await office.campaign(R)
    office.mail.fail(call, PlatformBusy(retry_after=30))
    number = await begun(office, "1001")
    assert rows(office, number) == [("", None, 0)]
    assert office.slack.said == []
    assert timedelta(seconds=20) < pause(office, number) <= timedelta(seconds=30)
    await again(office, number)
    assert rows(office, number) == [("cancelled", Status.CANCELLED, 0)]


async def test_the_limit_met_after_asking_is_no_reason_to_ask_again(office: Office) -> None:
    await office.campaign(R)
    office.mail.fail("piece", None, PlatformBusy())
    number = await begun(office, "1001")
    assert rows(office, number) == [("", None, 0)]
    await again(office, number)
    assert rows(office, number) == [("cancelled", Status.CANCELLED, 0)]
    assert office.mail.cancelled == ["1001"]


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [(PlatformDown(), Outcome.DOWN), (PlatformRefused(), Outcome.REFUSED), (NotOffered(), Outcome.REFUSED)],
)
async def test_what_cannot_be_read_before_is_not_asked_for(office: Office, trouble: Trouble, outcome: Outcome) -> None:
    campaign = await office.campaign(R, recipients=stopping.MOST_REREAD + 1)
    office.mail.fail("piece", trouble)
    number = await begun(office, "1001", campaign=campaign.id)
    assert rows(office, number) == [(outcome.value, None, 0)]
    assert office.mail.cancelled == []
    assert office.mail.calls.count("campaign_pieces") == 0


async def test_what_was_asked_for_and_cannot_be_read_after_is_unclear(office: Office) -> None:
    await office.campaign(R)
    office.mail.fail("piece", None, PlatformDown())
    number = await begun(office, "1001")
    assert rows(office, number) == [("", None, 1)]
    office.mail.fail("piece", PlatformDown())
    await again(office, number)
    assert rows(office, number) == [("", None, 2)]
    await again(office, number)
    assert rows(office, number) == [("cancelled", Status.CANCELLED, 2)], "what we asked for is ours"
    assert office.mail.cancelled == ["1001"]


@pytest.mark.parametrize(("size", "read"), [(stopping.MOST_REREAD, True), (stopping.MOST_REREAD + 1, False)])
async def test_where_single_pieces_are_not_told_the_campaigns_report_is_read_if_it_is_small(
    office: Office, size: int, read: bool
) -> None:
    campaign = await office.campaign(R, recipients=size)
    office.mail.fail("piece", NotOffered(), times=2)
    number = await begun(office, "1001", campaign=campaign.id)
    assert rows(office, number)[0][0] == (Outcome.CANCELLED if read else Outcome.REFUSED)
    assert (office.mail.calls.count("campaign_pieces") > 0) == read


async def test_a_report_that_does_not_name_the_piece_says_nothing_of_it(office: Office) -> None:
    campaign = await office.campaign(R, R)
    del office.mail.described["1001"]
    office.mail.fail("piece", NotOffered(), times=2)
    number = await begun(office, "1001", campaign=campaign.id)
    assert rows(office, number) == [(Outcome.REFUSED.value, None, 0)]


async def test_what_somebody_asked_for_before_is_not_asked_for_again(office: Office) -> None:
    await office.campaign(R, R)
    office.mail.stubborn = True
    first = await begun(office, "1001")
    second = await begun(office, "1001")
    assert rows(office, second) == [(Outcome.ASKED_BEFORE.value, R, 0)]
    assert office.mail.cancelled == ["1001"]
    assert not intent(office, first).ended
    assert intent(office, second).ended


def ended(office: Office, outcome: str) -> None:
    """Ben asked for the piece before, and this came of it."""
    piece, now, earlier = office.piece(), office.clock.now(), 99
    office.write(cancellations.begin, office.workspace.id, piece.id, BEN, now, (), earlier)
    office.write(cancellations.end, office.workspace.id, piece.id, outcome, now, earlier)


@pytest.mark.parametrize("outcome", stopping.RETRY)
async def test_what_came_to_nothing_may_be_asked_for_again(office: Office, outcome: str) -> None:
    await office.campaign(R)
    ended(office, outcome)
    number = await begun(office, "1001")
    assert rows(office, number)[0][0] == Outcome.CANCELLED


@pytest.mark.parametrize("outcome", [one for one in Outcome if one.value not in stopping.RETRY])
async def test_what_ended_for_good_is_not_asked_for_again(office: Office, outcome: Outcome) -> None:
    await office.campaign(R)
    ended(office, outcome.value)
    number = await begun(office, "1001")
    told = Outcome.ALREADY if outcome is Outcome.CANCELLED else outcome
    assert rows(office, number)[0][0] == told
    assert office.mail.cancelled == []


async def test_asked_to_stop_nothing_more_is_begun(office: Office) -> None:
    campaign = await office.campaign(R, R)
    office.services.stopping.set()
    number = await begun(office, "1001", "1002", campaign=campaign.id)
    assert rows(office, number) == [("", None, 0)] * 2
    assert office.slack.said == []
    assert pause(office, number) <= timedelta(0)
    office.services.stopping.clear()
    await again(office, number)
    assert [one[0] for one in rows(office, number)] == ["cancelled"] * 2


async def test_when_one_fails_no_other_is_begun(office: Office) -> None:
    campaign = await office.campaign(*[R] * 12)
    office.mail.fail("piece", PlatformBusy(), times=stopping.AT_ONCE)
    await begun(office, *(str(1001 + n) for n in range(12)), campaign=campaign.id)
    assert office.mail.calls.count("piece") <= stopping.AT_ONCE
    assert office.mail.cancelled == []


def test_what_a_piece_saves_is_its_cost_where_that_is_known(office: Office) -> None:
    assert worth_of([], "USD").amount == Money(Decimal(0))


async def test_worth_counts_what_is_known_and_what_is_not(office: Office) -> None:
    await office.campaign(R, R)
    first, second = office.piece("1001"), replace(office.piece("1002"), cost=None)
    found = worth_of([first, second], "EUR")
    assert (found.pieces, found.amount, found.unpriced) == (2, Money(Decimal("0.84"), "EUR"), 1)


async def test_a_campaign_that_has_grown_is_not_stopped_beyond_what_was_named(office: Office) -> None:
    campaign = await office.campaign(R, R, P, R)
    number = await working.keep(
        office.services, office.workspace.id, Kind.CANCEL, {**CAMPAIGN, "campaign": campaign.id},
        piece_ids=[office.piece("1001").id, office.piece("1003").id],
    )  # fmt: skip
    found = office.read(stopping.standing_of, office.workspace.id, number, campaign.id)
    assert ([one.ref for one in found.pieces], found.grown) == (["1001"], 2)
    alone = office.read(stopping.standing_of, office.workspace.id, number, NO_CAMPAIGN)
    assert ([one.ref for one in alone.pieces], alone.grown) == (["1001"], 0)


def test_pieces_are_read_some_at_a_time() -> None:
    ids = [PieceId(n) for n in range(stopping.SOME * 2 + 1)]
    groups = list(stopping._groups(ids))
    assert [len(one) for one in groups] == [stopping.SOME, stopping.SOME, 1]
    assert list(itertools.chain(*groups)) == ids


def test_a_request_says_for_whom_and_where(office: Office) -> None:
    payload = payload_of(office.request(view_id="V1"), CampaignId(5))
    assert payload == {"campaign": 5, "by": ANA, "approver": "", "channel": OPS, "view": "V1"}
    assert payload_of(office.request())["campaign"] == NO_CAMPAIGN
