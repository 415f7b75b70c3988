"""When a second person is needed, who may decide, and what exactly is decided."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.cancel import actions, approvals, requests
from handlers.cancel.requests import (
    AlreadyDecided,
    EarlierRequest,
    Lapsed,
    NobodyWouldSee,
    Outgrown,
    OwnRequest,
)
from handlers.context.access import NotAllowed, needs_second
from handlers.context.ports import Person
from handlers.context.services import Request
from handlers.errors import ChannelClosed, MessageGone, NotInChannel, Outdated, Refusal, SlackBusy, SlackDown, Trouble
from storage import audit, intents, workspaces
from storage.audit import Act, Approval
from storage.records import ChannelId, Rules, UserId
from storage.statuses import Status
from tests.builders import a_piece
from tests.handlers.conftest import ANA, BEN, OPS, URL, Office

R = Status.RECEIVED
CLEO = UserId("U0CLEO")


@given(st.decimals(0, 1000, places=2), st.none() | st.decimals(0, 1000, places=2), st.integers(0, 3))
def test_a_second_person_is_needed_above_the_amount_and_for_what_may_be_any(
    worth: Decimal, above: Decimal | None, unpriced: int
) -> None:
    assert needs_second(Rules(approval_above=above), worth, unpriced) == (
        above is not None and (worth > above or unpriced > 0)
    )


@pytest.mark.parametrize(("above", "asked"), [("0.83", True), ("0.84", False), ("0.85", False)])
async def test_the_amount_itself_needs_nobody(office: Office, above: str, asked: bool) -> None:
    await office.campaign(R)
    office.rule(approval_above=Decimal(above))
    await actions.cancel_one(office.services, office.request(), str(office.piece().id))
    assert (office.mail.cancelled == []) == asked
    assert ("wants to cancel" in office.slack.said[0].text) == asked


async def wanted(office: Office, *, above: str = "0.10", user: str = ANA, **more: Any) -> Approval:
    """Ana asked to cancel piece 1001, and the request stands in the channel."""
    office.rule(approval_above=Decimal(above), cancellers=frozenset({"everyone"}))
    await actions.cancel_one(office.services, office.request(user=user, **more), str(office.piece().id))
    found = office.read(audit.approval, office.workspace.id, 1)
    assert found is not None
    return found


def by(office: Office, user: str = BEN, **facts: Any) -> Request:
    return office.request(user=user, message_ts="1.0", **facts)


async def test_a_request_names_its_sum_and_who_asked_and_holds_the_piece(office: Office) -> None:
    await office.campaign(R)
    found = await wanted(office)
    assert (found.asked_by, found.outcome, found.pieces, found.amount, found.unpriced) == (
        ANA,
        "",
        1,
        Decimal("0.84"),
        0,
    )
    assert [(one.way, one.place) for one in office.slack.said] == [("post", OPS), ("answer", URL)]
    assert "piece 1001" in office.slack.said[0].text
    assert office.slack.said[1].text == actions.ASKED
    assert office.mail.cancelled == []
    assert office.log() == [(Act.APPROVAL_ASKED, "piece 1001", "1 piece worth $0.84")]


async def asked_for(office: Office, *known: str, **rules: Any) -> str:
    """What a request for approval says where these people used the bot before."""
    await office.campaign(R)
    office.rule(approval_above=Decimal("0.10"), **rules)
    for person in known:
        office.write(workspaces.note_person, office.workspace.id, UserId(person), False, office.clock.now())
    await actions.cancel_one(office.services, office.request(), str(office.piece().id))
    return office.slack.of("post")[-1].text


async def test_a_request_names_the_admins_that_are_known(office: Office) -> None:
    office.slack.people |= {CLEO: Person("Cleo", "UTC", is_admin=True), "U0DAN": Person("Dan", "UTC", is_admin=False)}
    said = await asked_for(office, CLEO, "U0DAN", ANA, "U0GONE")
    assert f"<@{CLEO}> or another workspace admin can approve." in said


async def test_who_may_be_anyone_or_are_many_are_not_named(office: Office) -> None:
    admins = [UserId(f"U0B{n}") for n in range(6)]
    office.slack.people |= {one: Person("Boss", "UTC", is_admin=True) for one in admins}
    assert "Another workspace admin can approve." in await asked_for(office, *admins)
    assert "Anyone else here" in await asked_for(office, *admins, cancellers=frozenset({"everyone"}))


async def test_while_slack_names_nobody_the_request_is_posted_all_the_same(office: Office) -> None:
    office.slack.people |= {CLEO: Person("Cleo", "UTC", is_admin=True)}
    office.write(workspaces.note_person, office.workspace.id, CLEO, True, office.clock.now())
    assert "Another workspace admin can approve." in await asked_for(office, "U0GONE"), "a guest may not"


async def test_a_request_does_not_wait_for_a_slack_that_is_slow_to_name_people(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = office.slack.person

    async def late(user: str, *, since: datetime | None = None) -> Person:
        if user == CLEO:
            await asyncio.sleep(60)
        return await told(user, since=since)

    office.slack.people |= {CLEO: Person("Cleo", "UTC", is_admin=True)}
    office.policy(patience=0.05)
    monkeypatch.setattr(office.slack, "person", late)
    async with asyncio.timeout(30):
        assert "Another workspace admin can approve." in await asked_for(office, CLEO)


async def test_one_slow_answer_of_slack_leaves_the_names_that_came_in_time(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = office.slack.person

    async def late(user: str, *, since: datetime | None = None) -> Person:
        if user == "U0DAN":
            await asyncio.sleep(60)
        return await told(user, since=since)

    office.slack.people |= {one: Person("Boss", "UTC", is_admin=True) for one in (CLEO, "U0DAN")}
    office.policy(patience=0.05)
    monkeypatch.setattr(office.slack, "person", late)
    async with asyncio.timeout(30):
        assert f"<@{CLEO}> or another workspace admin can approve." in await asked_for(office, CLEO, "U0DAN")


@pytest.mark.parametrize("channel", ["", "D0ANA"])
async def test_where_nobody_else_reads_it_nothing_is_asked(office: Office, channel: str) -> None:
    await office.campaign(R)
    office.rule(approval_above=Decimal("0.10"))
    with pytest.raises(NobodyWouldSee):
        await actions.cancel_one(office.services, office.request(channel=ChannelId(channel)), str(office.piece().id))
    assert (office.slack.said, office.log()) == ([], [])


@pytest.mark.parametrize("refusal", [NotInChannel(), ChannelClosed()])
async def test_a_request_that_the_channel_does_not_take_is_withdrawn(office: Office, refusal: Trouble) -> None:
    await office.campaign(R)
    office.slack.fail("post", refusal)
    with pytest.raises(NobodyWouldSee):
        await wanted(office)
    found = office.read(audit.approval, office.workspace.id, 1)
    assert found is not None
    assert found.outcome == Act.WITHDRAWN
    assert office.slack.said == [], "who asked is told by who asks"
    assert office.log()[-1] == (Act.WITHDRAWN, "", "nobody would see it")
    assert found.intent_id is not None
    held = office.read(intents.of, office.workspace.id, found.intent_id)
    assert held is not None
    assert held.ended


async def test_a_request_that_slack_takes_later_is_said_to_come_later(office: Office) -> None:
    await office.campaign(R)
    office.slack.fail("post", SlackBusy(retry_after=1))
    found = await wanted(office)
    assert found.outcome == ""
    assert office.slack.last.text == requests.POSTED_LATER.format("Slack does not take it just now.")
    assert office.slack.last.place == URL


async def again(office: Office) -> None:
    from handlers import work

    office.write(lambda c: c.exec_driver_sql("UPDATE intents SET next_at = made_at, lease_until = 0 WHERE next_at > 0"))
    for workspace_id, number in office.read(intents.due, 10):
        await work.resume(office.services, workspace_id, number)


async def test_a_request_that_is_posted_later_and_seen_by_nobody_is_told_to_who_asked(office: Office) -> None:
    await office.campaign(R)
    office.slack.fail("post", SlackDown(), NotInChannel())
    await wanted(office)
    await again(office)
    assert (office.slack.last.way, office.slack.last.place) == ("post", ANA)
    assert "needs someone else's approval" in office.slack.last.text


@pytest.mark.parametrize(("late", "posted"), [(timedelta(seconds=-1), True), (timedelta(0), False)])
async def test_a_request_that_has_lapsed_is_not_posted_any_more(office: Office, late: timedelta, posted: bool) -> None:
    await office.campaign(R)
    office.slack.fail("post", SlackDown())
    await wanted(office)
    office.clock.moment += audit.LAPSES + late
    await again(office)
    assert (office.slack.last.place == OPS) == posted
    assert (office.slack.last.place == ANA) != posted


async def test_a_request_that_was_decided_meanwhile_is_not_posted(office: Office) -> None:
    await office.campaign(R)
    office.slack.fail("post", SlackDown())
    found = await wanted(office)
    office.write(audit.decide, office.workspace.id, found.id, Act.DECLINED.value, BEN, office.clock.now())
    said = len(office.slack.said)
    await again(office)
    assert len(office.slack.said) == said


async def test_a_second_person_agrees_and_exactly_that_is_done(office: Office) -> None:
    await office.campaign(R, R)
    await wanted(office)
    await approvals.approve(office.services, by(office), "1")
    assert office.mail.cancelled == ["1001"]
    assert [one.way for one in office.slack.said[2:]] == ["edit", "whisper", "post"]
    assert f"approved by <@{BEN}>" in office.slack.last.text
    acts = [(act, subject, detail) for act, subject, detail in office.log()]
    assert (Act.CANCELLED, "piece 1001", f"approved by {BEN}") in acts
    assert (Act.APPROVED, "piece 1001", f"asked by {ANA}") in acts
    office.slack.people[CLEO] = office.slack.people[BEN]
    with pytest.raises(AlreadyDecided, match="approved already"):
        await approvals.decline(office.services, by(office, CLEO), "1")


async def test_declined_nothing_is_cancelled_and_the_piece_is_free_again(office: Office) -> None:
    await office.campaign(R)
    found = await wanted(office)
    await approvals.decline(office.services, by(office), "1")
    assert office.mail.cancelled == []
    assert (office.slack.last.way, office.slack.last.place) == ("edit", f"{OPS},1.0")
    assert office.log()[-1] == (Act.DECLINED, "piece 1001", f"asked by {ANA}")
    assert found.intent_id is not None
    held = office.read(intents.of, office.workspace.id, found.intent_id)
    assert held is not None
    assert held.ended


async def test_a_decision_holds_where_the_request_is_gone(office: Office) -> None:
    await office.campaign(R)
    await wanted(office)
    office.slack.fail("edit", MessageGone())
    await approvals.approve(office.services, by(office), "1")
    assert office.mail.cancelled == ["1001"]


async def test_a_decision_that_slack_does_not_show_now_is_done_all_the_same(office: Office) -> None:
    await office.campaign(R)
    await wanted(office)
    office.slack.fail("edit", SlackDown())
    with pytest.raises(SlackDown):
        await approvals.approve(office.services, by(office), "1")
    assert office.mail.cancelled == ["1001"]


async def test_nobody_decides_their_own_request(office: Office) -> None:
    await office.campaign(R)
    await wanted(office)
    for decide in (approvals.approve, approvals.decline):
        with pytest.raises(OwnRequest):
            await decide(office.services, by(office, ANA), "1")
    assert office.mail.cancelled == []


async def test_who_may_not_cancel_decides_nothing(office: Office) -> None:
    await office.campaign(R)
    await wanted(office)
    office.rule(approval_above=Decimal("0.10"), cancellers=frozenset({"admins"}))
    with pytest.raises(NotAllowed):
        await approvals.approve(office.services, by(office), "1")


async def test_who_cannot_approve_reads_who_can_and_never_who_asked(office: Office) -> None:
    await office.campaign(R)
    await wanted(office)
    office.slack.people |= {CLEO: Person("Cleo Wong", "UTC", is_admin=True)}

    async def refused(user: str) -> str:
        with pytest.raises(Refusal) as refusal:
            await approvals.approve(office.services, by(office, user), "1")
        return str(refusal.value)

    own = "You asked for this, so someone else must approve it."
    assert await refused(ANA) == f"{own} Anyone else here except guests can."
    office.rule(approval_above=Decimal("0.10"), cancellers=frozenset({"admins"}))
    assert await refused(ANA) == f"{own} Ask another workspace admin."
    for person in (ANA, CLEO):
        office.write(workspaces.note_person, office.workspace.id, UserId(person), False, office.clock.now())
    assert await refused(ANA) == f"{own} Ask Cleo Wong or another workspace admin."
    assert await refused(BEN) == "You can't approve cancellations. Ask Cleo Wong or another workspace admin."
    office.rule(approval_above=Decimal("0.10"), cancellers=frozenset({ANA, CLEO}))
    assert await refused(BEN) == "You can't approve cancellations. Ask Cleo Wong."
    office.rule(approval_above=Decimal("0.10"), cancellers=frozenset({ANA}))
    nobody = "Nobody else can yet: ask someone who can change that under *Settings* in my *Home*."
    assert await refused(ANA) == f"{own} {nobody}"
    for other in (BEN, CLEO):
        assert await refused(other) == f"You can't approve cancellations. {nobody}"


@pytest.mark.parametrize("value", ["2", "x", "", "-1"])
async def test_a_request_that_is_not_there_is_out_of_date(office: Office, value: str) -> None:
    await office.campaign(R)
    await wanted(office)
    with pytest.raises(Outdated):
        await approvals.approve(office.services, by(office), value)


@pytest.mark.parametrize(("late", "refusal"), [(timedelta(seconds=-1), None), (timedelta(0), Lapsed)])
async def test_after_a_day_it_has_lapsed(office: Office, late: timedelta, refusal: type[Trouble] | None) -> None:
    await office.campaign(R)
    await wanted(office)
    office.clock.moment += audit.LAPSES + late
    if refusal is None:
        await approvals.approve(office.services, by(office), "1")
        assert office.mail.cancelled == ["1001"]
        return
    with pytest.raises(refusal):
        await approvals.approve(office.services, by(office), "1")


@pytest.mark.parametrize(("cost", "grown"), [("0.84", False), ("0.85", True), ("0.50", False), (None, True)])
async def test_what_costs_more_by_now_is_asked_for_anew(office: Office, cost: str | None, grown: bool) -> None:
    await office.campaign(R)
    await wanted(office)
    new = None if cost is None else Decimal(cost)
    if new is None:
        office.write(lambda c: c.exec_driver_sql("UPDATE pieces SET cost = NULL"))
    else:
        office.mail.described["1001"] = a_piece("1001", cost=new)
        await office.learn(await office.mail.piece("1001", ""))
    if grown:
        with pytest.raises(Outgrown):
            await approvals.approve(office.services, by(office), "1")
    else:
        await approvals.approve(office.services, by(office), "1")
    assert (office.mail.cancelled == []) == grown


async def test_a_request_of_an_earlier_version_is_not_approved_blindly_but_can_be_declined(office: Office) -> None:
    campaign = await office.campaign(R)
    office.rule(cancellers=frozenset({"everyone"}))
    for _ in range(2):
        office.write(audit.ask_approval, office.workspace.id, campaign.id, office.piece().id, ANA, office.clock.now())
    with pytest.raises(EarlierRequest):
        await approvals.approve(office.services, by(office), "1")
    await approvals.decline(office.services, by(office), "2")
    assert office.log()[-1][0] == Act.DECLINED


async def test_one_of_two_who_decide_at_once_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.campaign(R)
    await wanted(office)
    monkeypatch.setattr(audit, "decide", lambda *_args: False)
    with pytest.raises(AlreadyDecided):
        await approvals.approve(office.services, by(office), "1")
    monkeypatch.undo()
    monkeypatch.setattr(intents, "release_held", lambda *_args: False)
    with pytest.raises(AlreadyDecided):
        await approvals.approve(office.services, by(office), "1")
    assert office.mail.cancelled == []


async def test_what_a_request_is_about_is_said_in_words(office: Office) -> None:
    campaign = await office.campaign(R, name="<Spring>")
    found = await wanted(office)

    def said(**facts: Any) -> str:
        return office.read(requests.named, office.workspace.id, replace(found, **facts))

    assert said() == "piece 1001"
    assert said(piece_id=99) == "a piece"
    assert said(piece_id=0, campaign_id=campaign.id) == "<Spring>"
    assert said(piece_id=0, campaign_id=99) == "a campaign"


async def test_who_can_decide_is_named_but_for_who_asked(office: Office) -> None:
    await office.campaign(R)
    office.rule(approval_above=Decimal("0.10"), cancellers=frozenset({ANA, BEN}))
    await actions.cancel_one(office.services, office.request(), str(office.piece().id))
    shown = str(office.slack.said[0].shown.blocks)
    assert f"<@{BEN}>" in shown
    assert "$0.10" in shown
    assert "$0.84" in shown
    office.policy(cancellers=frozenset({"everyone"}))
    office.rule(approval_above=Decimal("0.10"))
    assert office.read(workspaces.by_id, office.workspace.id).rules.cancellers is None
