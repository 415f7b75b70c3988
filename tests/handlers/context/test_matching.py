"""Which campaign is meant, what a button names, who hears what is wrong, and what is written down."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection

from handlers.context import asker, installer, matching
from handlers.context.audit import record_audit
from handlers.context.grouped_commits import Group, GroupStopped, Queued, settled
from handlers.context.lookups import campaign_of, piece_of
from handlers.context.table import Command, Filled, Table, as_it_is, merged
from handlers.errors import NotConnected, NotInChannel, Outdated, SlackDown
from handlers.text import short_answers
from storage import intents, privacy, workspaces
from storage.audit import Act
from storage.intents import Kind
from storage.records import NO_CAMPAIGN, NO_PIECE, CampaignId, NotifyOn, PieceId
from storage.statuses import Status
from tests.handlers.conftest import ANA, BEN, GUS, OPS, Office

D = Status.DELIVERED


async def names(office: Office, *those: str) -> None:
    for n, name in enumerate(those):
        await office.campaign(ref=str(300 + n), name=name)


def meant(office: Office, asked: str) -> matching.Match:
    return office.read(matching.match, office.workspace.id, asked)


async def test_a_name_is_made_ready_for_comparing_once(office: Office) -> None:
    await names(office, "Ana's Café & Co", "Spring welcome")
    matching._key.cache_clear()
    for asked in ("nothing", "of this", "spring", "anas cafe and co"):
        meant(office, asked)
    # Two names, four questions.
    assert matching._key.cache_info().misses == 6


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("301", {"Spring welcome"}), ("#301", {"Spring welcome"}), ("spring WELCOME", {"Spring welcome"}),
        ("spring", {"Spring lapsed", "Spring welcome"}), ("welcome spring", {"Spring welcome"}), ("Zzyzx", set()), ("", set()),
    ],
)  # fmt: skip
async def test_a_campaign_is_meant_by_id_name_or_words_of_it(office: Office, asked: str, found: set[str]) -> None:
    await names(office, "Spring lapsed", "Spring welcome", "Autumn")
    match = meant(office, asked)
    assert {one.facts.name for one in match.found} == found
    assert match.sure == bool(found)
    assert (match.one is not None) == (len(found) == 1)


async def test_a_name_that_is_nearly_so_is_a_guess_or_a_hint(office: Office) -> None:
    await names(office, "Spring lapsed", "Christmas")
    guess = meant(office, "Sprng lapsed")
    assert [one.facts.name for one in guess.found] == ["Spring lapsed"]
    assert not guess.sure
    assert guess.near == []


async def test_same_names_are_all_meant(office: Office) -> None:
    await names(office, "Spring", "Spring", "Spring sale")
    assert len(meant(office, "spring").found) == 2
    assert meant(office, "spring").one is None


async def test_a_button_names_what_is_still_there_in_this_workspace(office: Office) -> None:
    campaign = await office.campaign(D)
    request = office.request()
    assert (await campaign_of(office.services, request, campaign.id)).id == campaign.id
    assert (await piece_of(office.services, request, office.piece().id)).ref == "1001"
    with pytest.raises(Outdated):
        await campaign_of(office.services, request, CampaignId(99))
    with pytest.raises(Outdated):
        await piece_of(office.services, request, PieceId(99))


async def test_a_guest_knows_of_the_campaigns_that_their_channel_was_shown(office: Office) -> None:
    await names(office, "One", "Two", "Three")
    two = meant(office, "Two").found[0]
    office.write(privacy.show, office.workspace.id, OPS, two.id, NO_PIECE)
    guest = office.request(user=GUS, guest=True)
    assert [one.facts.name for one in office.read(asker.visible_campaigns, guest, 5)] == ["Two"]
    assert len(office.read(asker.visible_campaigns, office.request(), 2)) == 2


async def test_the_askers_day_is_of_their_zone_else_the_teams(office: Office) -> None:
    office.clock.moment = office.clock.moment.replace(hour=3)
    assert (await asker.today_of(office.services, office.request())).day == 1
    assert (await asker.today_of(office.services, office.request(user=BEN))).day == 2
    office.slack.fail("person", SlackDown())
    assert (await asker.today_of(office.services, office.request())).day == 2
    asker.require_account(office.request())
    office.note(connected_at=None)
    with pytest.raises(NotConnected):
        asker.require_account(office.request())


async def test_the_first_who_can_be_written_to_hears_what_is_wrong(office: Office) -> None:
    message, wants = short_answers.plain("x"), frozenset({NotifyOn.RETURNED})
    assert not await installer.tell(office.services, office.workspace, message)
    office.write(workspaces.subscribe, office.workspace.id, OPS, NO_CAMPAIGN, wants, BEN, office.clock.now())
    office.policy(installer="U0SET")
    office.note(installer=ANA)
    for refused, place in ((0, ANA), (1, "U0SET"), (2, BEN)):
        office.slack.fail("post", *[NotInChannel()] * refused)
        assert await installer.tell(office.services, office.workspace, message)
        assert office.slack.last.place == place
    office.slack.fail("post", NotInChannel(), SlackDown())
    assert not await installer.tell(office.services, office.workspace, message)
    office.slack.waiting.clear()
    office.slack.fail("post", *[NotInChannel()] * 3)
    assert not await installer.tell(office.services, office.workspace, message)


async def test_an_act_and_its_line_are_one_and_of_nothing_there_is_no_line(office: Office) -> None:
    request = office.request()

    def breaks(_connection: Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await record_audit(office.services, request, Act.MUTED, work=breaks)
    assert not await record_audit(office.services, request, Act.MUTED, work=lambda _connection: False)
    assert office.log() == []
    assert await record_audit(office.services, request, Act.MUTED, "what", "why", work=lambda _connection: None)
    assert await record_audit(office.services, request, Act.UNMUTED)
    assert office.log() == [(Act.MUTED, "what", "why"), (Act.UNMUTED, "", "")]
    kept = office.write(intents.keep_taken, office.workspace.id, Kind.ASKED, {"by": ANA}, "", "k")
    assert kept is not None
    assert await record_audit(office.services, office.request(kept=kept), Act.MUTED)
    again = office.read(intents.of, office.workspace.id, kept.id)
    assert await record_audit(office.services, office.request(kept=again), Act.MUTED)
    assert len(office.log()) == 3


# ---- Tables -----------------------------------------------------------------------------------------------------


async def _nothing(*_given: Any) -> None:
    return None


def test_two_wings_that_claim_one_name_are_refused() -> None:
    one, other = Table(commands={"/a": Command(_nothing)}), Table(commands={"/b": Command(_nothing)})
    assert set(merged({"one": one, "other": other}).commands) == {"/a", "/b"}
    with pytest.raises(ValueError, match="/a"):
        merged({"one": one, "again": one})
    assert merged({}).actions == {}


def test_a_form_of_another_version_lacks_a_field() -> None:
    filled = Filled("", {}, {"type": "modal"})
    with pytest.raises(Outdated):
        filled["name"]
    assert as_it_is(filled) == {"type": "modal"}


# ---- Groups -----------------------------------------------------------------------------------------------------


async def committed(limit: int, *weights: int, whose: list[str] | None = None) -> list[list[int]]:
    """The groups in which these are carried, each named by its place."""
    groups: list[list[int]] = []

    async def commit(taken: list[Queued[int]]) -> None:
        groups.append([one.what for one in taken])
        for one in taken:
            one.succeed()

    group = Group(commit, limit)
    waiting = [group.enqueue(n, weight, (whose or [""] * len(weights))[n]) for n, weight in enumerate(weights)]
    await asyncio.gather(*(one.done for one in waiting))
    assert group.waiting == {}
    return groups


async def test_a_group_holds_as_much_as_its_limit_and_at_least_one() -> None:
    assert await committed(3, 1, 1, 1, 1) == [[0, 1, 2], [3]]
    assert await committed(3, 5, 1) == [[0], [1]]
    assert await committed(3, 2, 2) == [[0], [1]]
    assert await committed(4, 2, 2) == [[0, 1]]


async def test_each_has_its_turn() -> None:
    assert await committed(9, 1, 1, 1, 1, whose=["a", "a", "a", "b"]) == [[0, 3, 1, 2]]


async def test_whom_a_commit_leaves_open_fails_with_what_ended_it() -> None:
    async def nothing(_taken: list[Queued[int]]) -> None:
        return None

    async def breaks(_taken: list[Queued[int]]) -> None:
        raise ZeroDivisionError

    for commit, error in ((nothing, GroupStopped), (breaks, ZeroDivisionError)):
        with pytest.raises(error):
            await Group(commit, 5).enqueue(1).done


async def test_who_left_in_time_is_not_carried() -> None:
    async def commit(taken: list[Queued[int]]) -> None:
        for one in taken:
            one.succeed()

    group = Group(commit, 5)
    first, second = group.enqueue(1, whose="a"), group.enqueue(2, whose="a")
    assert group.leave(first)
    assert not group.leave(first)
    await second.done
    assert not first.done.done()
    only = group.enqueue(3, whose="b")
    assert group.leave(only)
    assert group.waiting == {}


async def test_a_cancellation_from_within_is_none_of_the_callers() -> None:
    async def gone() -> None:
        raise asyncio.CancelledError

    result, error = await settled(gone())
    assert result is None
    assert isinstance(error, asyncio.CancelledError)
    assert (await settled(asyncio.sleep(0, 3)))[0] == 3
