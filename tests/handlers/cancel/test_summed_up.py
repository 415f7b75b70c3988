"""How a cancellation ended, in its summary; what a dry run says of a platform; and a decision whose process died."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from handlers.cancel import approvals, stopping
from handlers.cancel import view as cancel_view
from handlers.cancel.requests import AlreadyDecided
from handlers.cancel.view import LISTED
from handlers.errors import SlackDown
from handlers.text.buttons import OneRow
from handlers.text.codec import write
from storage import cancellations, intents
from storage.audit import Act
from storage.cancellations import Outcome
from storage.intents import Kind
from storage.records import CampaignId, ChannelId, KnownCampaign, Mix, Money, PieceId, StoredCampaign
from storage.statuses import Status
from tests.handlers.cancel.test_requests import by, wanted
from tests.handlers.cancel.test_view import JANES
from tests.handlers.conftest import BEN, Office
from tests.strategies import NOW

SPRING = StoredCampaign(CampaignId(1), KnownCampaign("222", "Spring"))
R = Status.RECEIVED


def summed_up(ended: Mapping[Outcome, int], *, late: bool = False) -> str:
    """What is said where so many ended so."""
    results = [
        cancel_view.Result(replace(JANES, id=PieceId(n), ref=f"{outcome.name}{n}"), outcome, Status.PRODUCING)
        for outcome, number in ended.items()
        for n in range(number)
    ]
    who = cancel_view.Who("U0ANA", NOW)
    saved = Money(Decimal("8.40"))
    message = cancel_view.campaign_result(SPRING, results, who, saved, "https://x.example", "Pigeon", late=late)
    return f"{message.text} {list(message.blocks)}"


@pytest.mark.parametrize("outcome", Outcome)
def test_each_way_to_end_is_counted_and_of_those_that_were_not_stopped_each_is_named(outcome: Outcome) -> None:
    said = summed_up({outcome: 2})
    assert f"Cancelling Spring: 2 {outcome.value}." in said
    assert (f"`{outcome.name}1`" in said) == (outcome is not Outcome.CANCELLED)
    assert ("Open in Pigeon" in said) == (outcome is not Outcome.CANCELLED)
    assert ("I'll look again and tell you here." in said) == (outcome is Outcome.UNCLEAR)
    assert ("I won't look again." in said) == (outcome is Outcome.UNSETTLED)


@pytest.mark.parametrize(("number", "more"), [(LISTED - 1, ""), (LISTED, ""), (LISTED + 1, "and 1 more with the same")])
def test_of_many_that_were_not_stopped_ten_are_named_and_the_rest_is_counted(number: int, more: str) -> None:
    said = summed_up({Outcome.CANCELLED: 50, Outcome.TOO_LATE: number})
    assert said.count("• `TOO_LATE") == min(number, LISTED)
    assert (more in said) if more else ("more with the same" not in said)
    assert "`CANCELLED" not in said


def test_a_second_summary_is_of_what_was_unclear_and_none_says_that_nothing_was_left() -> None:
    assert "Cancelling Spring, what was unclear: 1 too late." in summed_up({Outcome.TOO_LATE: 1}, late=True)
    assert "Cancelling Spring: no piece was left to stop." in summed_up({})


@pytest.mark.parametrize("stops", [None, True, False])
def test_who_can_stop_the_whole_booking_is_said(stops: bool | None) -> None:
    """As long as a platform is not known to be able to, its API is not."""
    facts: dict[str, Any] = {} if stops is None else {"stops_bookings": stops}
    plan = cancel_view.DryRun(
        SPRING, Mix({R: 60}), 60, Money(Decimal(9)), 0, "https://x.example", ChannelId("C0OPS"), 7, "Pigeon", **facts
    )  # fmt: skip
    shown = str(cancel_view.dry_run(plan))
    assert ("dashboard can also cancel the whole booking" in shown) == bool(stops)
    assert ("API cannot cancel a booked campaign as a whole" in shown) == (not stops)


async def test_what_an_earlier_version_asked_for_counts_as_asked_for(office: Office) -> None:
    await office.campaign(R)
    office.write(cancellations.begin, office.workspace.id, office.piece().id, BEN, office.clock.now(), ())
    office.clock.moment += stopping.ABANDONED * 2
    (number,) = await stopping.adopt_abandoned(office.services, office.workspace.id)
    assert [(one.looks, one.outcome) for one in office.read(intents.rows_of, office.workspace.id, number)] == [(1, "")]


@pytest.mark.parametrize("act", [Act.APPROVED, Act.DECLINED])
async def test_a_decision_whose_process_died_is_shown_by_the_next_and_not_decided_again(
    office: Office, act: Act
) -> None:
    await office.campaign(R)
    asked = await wanted(office)
    kept = office.write(intents.keep_taken, office.workspace.id, Kind.ASKED, {"by": BEN}, "", "k")
    assert kept is not None
    decide = approvals.approve if act is Act.APPROVED else approvals.decline
    office.slack.fail("edit", SlackDown())
    with pytest.raises(SlackDown):
        await decide(office.services, by(office, kept=kept), write(OneRow(asked.id)))
    lines = office.log()
    assert office.slack.of("edit") == []
    again = office.read(intents.of, office.workspace.id, kept.id)
    await decide(office.services, by(office, kept=again), write(OneRow(asked.id)))
    assert f"<@{BEN}> {act.value}" in office.slack.of("edit")[-1].text
    assert office.log() == lines
    assert office.mail.cancelled == (["1001"] if act is Act.APPROVED else [])
    with pytest.raises(AlreadyDecided):
        await decide(office.services, by(office), write(OneRow(asked.id)))
