"""Who may do what: by the workspace's rules, by what Slack says now, and by what a channel was shown."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.context import access
from handlers.context.access import GuestsLook, NotAllowed, NotSteward, Unrecognized
from handlers.context.ports import Person
from handlers.context.services import Policy, Request, Services
from handlers.errors import Refusal, SlackDown
from storage import privacy, workspaces
from storage.records import NO_CAMPAIGN, NO_PIECE, ChannelId, Rules
from storage.statuses import Status
from tests.handlers.conftest import ANA, BEN, GUS, OPS, Office

people = st.builds(Person, st.just("P"), st.just("UTC"), is_admin=st.booleans(), outside=st.booleans())
choices = st.frozensets(st.sampled_from(["admins", "everyone", ANA, BEN]))


@given(people, choices, st.none() | choices)
def test_who_may_cancel_is_the_workspaces_choice_else_the_settings(
    person: Person, usual: frozenset[str], chosen: frozenset[str] | None
) -> None:
    those = usual if chosen is None else chosen
    named = "everyone" in those or ANA in those or ("admins" in those and person.is_admin)
    allowed = access.may_cancel(Policy(cancellers=usual), Rules(cancellers=chosen), ANA, person)
    assert allowed == (named and not person.outside)


@given(people, choices)
def test_admins_may_always_change_settings_and_nobody_from_outside(person: Person, chosen: frozenset[str]) -> None:
    named = "everyone" in chosen or ANA in chosen
    assert access.may_steward(Rules(stewards=chosen), ANA, person) == (
        not person.outside and (person.is_admin or named)
    )


@pytest.mark.parametrize(
    ("above", "worth", "unpriced", "second"),
    [
        (None, "999", 9, False), ("25", "25", 0, False), ("25", "25.01", 0, True), ("25", "1", 1, True),
        ("0", "0", 0, False), ("0", "0.84", 0, True),
    ],
)  # fmt: skip
def test_a_second_person_is_needed_above_what_was_chosen_and_where_a_cost_is_not_known(
    above: str | None, worth: str, unpriced: int, *, second: bool
) -> None:
    rules = Rules(approval_above=None if above is None else Decimal(above))
    assert access.needs_second(rules, Decimal(worth), unpriced) is second


async def test_a_right_is_what_slack_says_now(office: Office) -> None:
    request = office.request(at=office.clock.now())
    await access.require_canceller(office.services, request)
    await access.require_settings_admin(office.services, request)
    assert office.slack.asked_since == [request.at, request.at]
    with pytest.raises(NotAllowed):
        await access.require_canceller(office.services, office.request(user=BEN))
    with pytest.raises(NotSteward):
        await access.require_settings_admin(office.services, office.request(user=BEN))
    assert office.clock.now() in office.slack.asked_since[2:], "a request without a moment is asked for now"


async def test_who_may_not_is_told_whom_to_ask_by_name(office: Office) -> None:
    async def refused(require: Callable[[Services, Request], Awaitable[None]]) -> str:
        with pytest.raises(Refusal) as refusal:
            await require(office.services, office.request(user=BEN))
        return str(refusal.value)

    cancel, settings = access.require_canceller, access.require_settings_admin
    assert await refused(cancel) == "You can't cancel mail here. Ask a workspace admin."
    assert await refused(settings) == "You can't change settings here. Ask a workspace admin."
    for user in (ANA, GUS):
        office.write(workspaces.note_person, office.workspace.id, user, user == GUS, office.clock.now())
    assert await refused(cancel) == "You can't cancel mail here. Ask Ana Ruiz or another workspace admin."
    assert await refused(settings) == "You can't change settings here. Ask Ana Ruiz or another workspace admin."
    office.slack.people["U0LEE"] = Person("Lee <Wong>", "UTC", is_admin=False)
    office.rule(cancellers=frozenset({"U0LEE"}))
    assert await refused(cancel) == "You can't cancel mail here. Ask Lee <Wong>."
    office.rule(cancellers=frozenset({"U0LEE", "admins"}))
    assert "Ask Ana Ruiz, Lee <Wong> or another workspace admin." in await refused(cancel)
    office.rule(cancellers=frozenset({"U0GONE"}))
    assert await refused(cancel) == "You can't cancel mail here. Ask a workspace admin."


async def test_while_slack_does_not_say_who_it_is_nothing_is_changed(office: Office) -> None:
    office.slack.fail("person", SlackDown(), times=3)
    with pytest.raises(Unrecognized):
        await access.require_canceller(office.services, office.request())
    with pytest.raises(Unrecognized):
        await access.require_settings_admin(office.services, office.request())
    assert not await access.is_steward(office.services, office.request())
    assert await access.is_steward(office.services, office.request())
    assert not await access.is_steward(office.services, office.request(user=BEN))


async def test_a_member_is_recognized_and_remembered(office: Office) -> None:
    office.slack.people[BEN] = replace(office.slack.people[BEN], as_of=office.clock.now())
    request = await access.recognized(office.services, office.request(user=BEN))
    assert (request.guest, request.unknown, request.at) == (False, False, office.clock.now())
    office.slack.fail("person", SlackDown(), times=2)
    office.clock.pass_time(hours=12)
    assert not (await access.recognized(office.services, office.request(user=BEN))).guest
    office.clock.pass_time(seconds=1)
    with pytest.raises(Unrecognized):
        await access.recognized(office.services, office.request(user=BEN))


@pytest.mark.parametrize(
    ("as_of", "kept"),
    [(None, None), (timedelta(seconds=-1), None), (timedelta(0), False), (timedelta(seconds=1), None)],
)
async def test_only_what_slack_said_just_now_is_remembered(
    office: Office, as_of: timedelta | None, kept: bool | None
) -> None:
    now = office.clock.now()
    office.slack.people[BEN] = replace(office.slack.people[BEN], as_of=None if as_of is None else now + as_of)
    assert await access.is_outside(office.services, office.request(user=BEN, at=now)) is False
    lately = now - timedelta(days=1), now + timedelta(days=1)
    assert office.read(workspaces.last_known, office.workspace.id, BEN, *lately) is kept


async def test_who_was_heard_by_a_clock_that_is_a_little_ahead_is_known(office: Office) -> None:
    now = office.clock.now()
    for ahead, known in ((timedelta(minutes=5), False), (timedelta(minutes=5, seconds=1), None)):
        office.write(workspaces.note_person, office.workspace.id, BEN, False, now + ahead)
        office.slack.fail("person", SlackDown())
        assert await access.is_outside(office.services, office.request(user=BEN, at=now)) is known


async def test_what_names_nobody_is_answered_from_the_last_hour(office: Office) -> None:
    await access.is_outside(office.services, office.request(nameless=True))
    assert office.slack.asked_since == [None]


async def test_a_guest_looks_only_where_guests_may(office: Office) -> None:
    with pytest.raises(GuestsLook):
        await access.recognized(office.services, office.request(user=GUS))
    open_ = await access.recognized(office.services, office.request(user=GUS, open_to_guests=True))
    assert open_.guest
    assert not open_.unknown
    # Who was taken for a guest by another way is not asked for again.
    with pytest.raises(GuestsLook):
        await access.recognized(office.services, office.request(user=BEN, guest=True))
    assert not (await access.recognized(office.services, office.request(user=""))).guest
    with pytest.raises(GuestsLook):
        access.require_insider(open_)
    with pytest.raises(Unrecognized):
        access.require_insider(replace(open_, unknown=True))
    access.require_insider(office.request())


async def test_guests_see_what_their_channel_was_shown(office: Office) -> None:
    campaign = await office.campaign(Status.DELIVERED)
    piece, guest = office.piece(), office.request(user=GUS, guest=True)
    assert not await access.may_see(office.services, guest, campaign.id)
    with pytest.raises(GuestsLook):
        await access.require_shown(office.services, guest, campaign.id, piece)
    assert await access.may_see(office.services, office.request(), campaign.id)
    await access.note_shown(office.services, guest, campaign.id)
    assert not await access.may_see(office.services, guest, campaign.id), "a guest shows nothing to the others"
    await access.note_shown(office.services, office.request(), campaign.id)
    await access.require_shown(office.services, guest, campaign.id)
    assert await access.may_see(office.services, guest, campaign.id)
    assert not await access.may_see(office.services, replace(guest, channel=ChannelId("C0ELSE")), campaign.id)


async def test_a_single_piece_is_shown_alone(office: Office) -> None:
    await office.campaign(Status.DELIVERED, Status.DELIVERED)
    shown, other, guest = office.piece("1001"), office.piece("1002"), office.request(user=GUS, guest=True)
    await access.note_shown(office.services, office.request(), shown.campaign_id, shown.id)
    await access.require_shown(office.services, guest, shown.campaign_id, shown)
    with pytest.raises(GuestsLook):
        await access.require_shown(office.services, guest, other.campaign_id, other)


async def test_what_is_shown_nowhere_is_not_remembered(office: Office) -> None:
    await access.note_shown(office.services, office.request(channel=ChannelId("")), NO_CAMPAIGN)
    for channel in ("", OPS):
        assert not office.read(privacy.was_shown, office.workspace.id, ChannelId(channel), NO_CAMPAIGN, NO_PIECE)
