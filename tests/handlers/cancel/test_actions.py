"""*Cancel*: looked up again, shown before it is done, and exactly what was shown."""

from decimal import Decimal
from typing import Any

import pytest

from handlers.cancel import actions, approvals
from handlers.cancel.table import TABLE
from handlers.context.access import NotAllowed
from handlers.context.table import Filled
from handlers.errors import MessageGone, Outdated, PlatformDown, SlackDown
from handlers.text.buttons import Action, Cancelling, Form, OneRow
from handlers.text.codec import read, write
from storage import intents
from storage.audit import Act
from storage.records import CampaignId, CampaignStage
from storage.statuses import Status
from tests.handlers.conftest import ANA, BEN, OPS, URL, Office

R = Status.RECEIVED


async def form(office: Office, campaign_id: int) -> dict[str, Any]:
    """The dry run of this campaign."""
    await actions.ask_cancel_campaign(office.services, office.request(), str(campaign_id))
    assert [one.way for one in office.slack.said[-2:]] == ["open", "update"]
    assert office.slack.last.place == "V1"
    shown: dict[str, Any] = office.slack.last.shown
    return shown


@pytest.mark.parametrize(("above", "asked"), [("1.67", True), ("1.68", False)])
async def test_the_form_says_before_it_is_confirmed_whether_someone_else_must_approve(
    office: Office, above: str, asked: bool
) -> None:
    campaign = await office.campaign(R, R)
    office.rule(approval_above=Decimal(above))
    assert ("someone else must approve this" in str(await form(office, campaign.id))) == asked


async def confirm(office: Office, metadata: str, user: str = ANA) -> None:
    """The form that carries this is submitted."""
    await TABLE.forms[Form.CANCEL_CAMPAIGN].handler(office.services, office.request(user=user), Filled(metadata, {}))


async def test_a_piece_is_asked_for_by_who_may_and_written_down(office: Office) -> None:
    await office.campaign(R)
    await actions.cancel_one(office.services, office.request(), str(office.piece().id))
    assert office.mail.cancelled == ["1001"]
    assert office.log()[0] == (Act.CANCELLED, "piece 1001", "1 piece worth $0.84")
    assert (office.slack.said[0].way, office.slack.said[0].place) == ("replace", URL)
    with pytest.raises(NotAllowed):
        await actions.cancel_one(office.services, office.request(user=BEN), str(office.piece().id))


async def test_pressed_without_an_address_it_is_told_directly(office: Office) -> None:
    await office.campaign(R)
    await actions.cancel_one(office.services, office.request(response_url=""), str(office.piece().id))
    assert [(one.way, one.place) for one in office.slack.said] == [("post", ANA), ("post", OPS)]


async def test_who_may_not_cancel_gets_no_form_and_confirms_none(office: Office) -> None:
    campaign = await office.campaign(R)
    with pytest.raises(NotAllowed):
        await actions.ask_cancel_campaign(office.services, office.request(user=BEN), str(campaign.id))
    with pytest.raises(NotAllowed):
        await confirm(office, write(Cancelling(campaign.id, None, OPS)), BEN)
    assert office.slack.said == []


async def test_the_dry_run_says_how_many_and_what_that_saves(office: Office) -> None:
    campaign = await office.campaign(R, R, Status.PRODUCING)
    shown = await form(office, campaign.id)
    assert "2 of 3 pieces" in str(shown)
    assert "$1.68" in str(shown)
    assert read(Cancelling, shown["private_metadata"]) == Cancelling(campaign.id, 1, OPS)
    assert shown["submit"]["text"] == "Cancel 2 pieces"
    assert "The other one can't: 1 Producing" in str(shown)
    assert office.mail.cancelled == []


async def test_a_campaign_past_the_point_of_return_is_not_confirmed(office: Office) -> None:
    campaign = await office.campaign(Status.PRODUCING)
    shown = await form(office, campaign.id)
    assert "submit" not in shown
    assert "No piece" in str(shown)


async def test_pressed_again_once_all_is_cancelled_it_says_so(office: Office) -> None:
    campaign = await office.campaign(R, R)
    await confirm(office, (await form(office, campaign.id))["private_metadata"])
    await actions.ask_cancel_campaign(office.services, office.request(), str(campaign.id))
    shown = office.slack.last.shown
    assert "All 2 pieces of *Spring lapsed* are cancelled already." in str(shown)
    assert "submit" not in shown


async def test_the_dry_run_reads_the_campaign_again(office: Office) -> None:
    campaign = await office.campaign(R, R)
    office.mail.at["1002"] = Status.PRODUCING
    assert "1 of 2 pieces" in str(await form(office, campaign.id))


async def test_an_account_that_cannot_be_asked_shows_no_form(office: Office) -> None:
    campaign = await office.campaign(R)
    office.mail.fail("campaign", PlatformDown())
    with pytest.raises(PlatformDown):
        await actions.ask_cancel_campaign(office.services, office.request(), str(campaign.id))


async def test_a_draft_is_offered_to_be_deleted_and_is(office: Office) -> None:
    campaign = await office.campaign(stage=CampaignStage.DRAFT)
    shown = await form(office, campaign.id)
    assert read(Cancelling, shown["private_metadata"]) == Cancelling(campaign.id, None, OPS)
    await confirm(office, shown["private_metadata"])
    assert office.mail.removed == ["222"]
    assert office.log() == [
        (Act.CANCELLED, "Spring lapsed", "a draft"), (Act.STOPPED, "Spring lapsed", "the draft was deleted"),
    ]  # fmt: skip


async def test_what_was_shown_is_stopped_and_no_more(office: Office) -> None:
    campaign = await office.campaign(R, R)
    shown = await form(office, campaign.id)
    await office.campaign(R, R, R)
    await confirm(office, shown["private_metadata"])
    assert sorted(office.mail.cancelled) == ["1001", "1002"]
    first, summary = office.slack.said[2:]
    assert (first.way, first.place) == ("whisper", f"{OPS},{ANA}")
    assert "Stopping 2 pieces" in first.text
    assert "1 piece more" in first.text
    assert (summary.way, summary.place) == ("post", OPS)
    assert office.log()[0] == (Act.CANCELLED, "Spring lapsed", "2 pieces worth $1.68")


async def test_a_confirmation_counts_once_and_only_of_who_was_shown_it(office: Office) -> None:
    campaign = await office.campaign(R)
    office.rule(cancellers=frozenset({"everyone"}))
    metadata = (await form(office, campaign.id))["private_metadata"]
    with pytest.raises(Outdated):
        await confirm(office, metadata, BEN)
    for wrong in (Cancelling(campaign.id, 99, OPS), Cancelling(CampaignId(99), None, OPS)):
        with pytest.raises(Outdated):
            await confirm(office, write(wrong))
    await confirm(office, metadata)
    with pytest.raises(Outdated):
        await confirm(office, metadata)
    assert office.mail.cancelled == ["1001"]


async def test_another_kind_of_work_is_no_confirmation(office: Office) -> None:
    campaign = await office.campaign(R)
    number = office.write(intents.keep, office.workspace.id, intents.Kind.LOG, {"by": ANA}, held=True)
    with pytest.raises(Outdated):
        await confirm(office, write(Cancelling(campaign.id, number, OPS)))


@pytest.mark.parametrize(("above", "asked"), [("1.67", True), ("1.68", False)])
async def test_above_the_amount_a_second_person_decides_on_the_campaign(
    office: Office, above: str, asked: bool
) -> None:
    campaign = await office.campaign(R, R)
    office.rule(approval_above=Decimal(above))
    shown = await form(office, campaign.id)
    await confirm(office, shown["private_metadata"])
    assert (office.mail.cancelled == []) == asked
    assert ("wants to cancel" in office.slack.last.text) == asked


async def test_a_request_that_comes_later_is_said_to(office: Office) -> None:
    campaign = await office.campaign(R)
    office.rule(approval_above=Decimal("0.10"))
    shown = await form(office, campaign.id)
    office.slack.fail("post", SlackDown())
    await confirm(office, shown["private_metadata"])
    assert "I post the request" in office.slack.last.text


async def test_where_slack_is_away_the_end_is_told_all_the_same(office: Office) -> None:
    campaign = await office.campaign(R)
    shown = await form(office, campaign.id)
    office.slack.fail("whisper", SlackDown())
    await confirm(office, shown["private_metadata"])
    assert [(one.way, one.place) for one in office.slack.said[2:]] == [("post", OPS)]


async def test_a_first_word_that_nobody_takes_stops_nothing(office: Office) -> None:
    campaign = await office.campaign(R)
    shown = await form(office, campaign.id)
    office.slack.fail("whisper", MessageGone())
    office.slack.fail("post", SlackDown())
    await confirm(office, shown["private_metadata"])
    assert office.mail.cancelled == ["1001"]


async def test_where_it_cannot_be_whispered_it_is_said_directly(office: Office) -> None:
    campaign = await office.campaign(R)
    shown = await form(office, campaign.id)
    office.slack.fail("whisper", MessageGone())
    await confirm(office, shown["private_metadata"])
    assert ("post", ANA) in [(one.way, one.place) for one in office.slack.said]


def test_what_changes_something_is_kept_before_slack_is_answered() -> None:
    kept = {action for action, press in TABLE.actions.items() if press.kept}
    assert kept == {Action.CANCEL_PIECE, Action.APPROVE, Action.DECLINE}
    assert all(form.kept for form in TABLE.forms.values())


async def test_a_cancellation_was_asked_for_when_it_was_confirmed_however_long_the_form_stood_open(
    office: Office,
) -> None:
    campaign = await office.campaign(R)
    shown = await form(office, campaign.id)
    confirmed = office.clock.pass_time(hours=14)
    await confirm(office, shown["private_metadata"])
    assert f"<!date^{int(confirmed.timestamp())}^" in str(office.slack.of("post")[-1].shown.blocks)


async def test_what_a_second_person_approved_was_asked_for_when_the_request_was_made(office: Office) -> None:
    campaign = await office.campaign(R)
    office.rule(approval_above=Decimal("0.10"), cancellers=frozenset({"everyone"}))
    shown = await form(office, campaign.id)
    confirmed = office.clock.pass_time(hours=14)
    await confirm(office, shown["private_metadata"])
    office.clock.pass_time(hours=2)
    await approvals.approve(office.services, office.request(user=BEN), write(OneRow(1)))
    assert f"<!date^{int(confirmed.timestamp())}^" in str(office.slack.of("post")[-1].shown.blocks)
