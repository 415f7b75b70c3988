"""Reading the account: each call fails alone, with its reason, and what is not answered is asked for again in time."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from handlers.context.gaps import NOT_OFFERED, REFUSED, Call
from handlers.context.gaps import sentence as of_gaps
from handlers.context.ports import Known
from handlers.errors import (
    KeyRefused,
    NotOffered,
    PieceUnknown,
    PlatformDown,
    PlatformRefused,
    ReadCut,
    Trouble,
)
from handlers.ingest import counting, poll
from handlers.ingest.poll import MISSES, _is_over
from storage import details, workspaces
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.queries import transits
from storage.records import Batch, CampaignStage, Gap, KnownCampaign, Mix, StoredCampaign
from storage.records import CampaignId as Id
from storage.statuses import Status
from tests.builders import a_batch, a_campaign, a_change, a_piece
from tests.handlers.conftest import Office

R, D = Status.RECEIVED, Status.DELIVERED


async def read(office: Office) -> dict[str, Gap]:
    """One poll; gives what was not answered."""
    await poll.poll(office.services, office.workspace.id)
    return dict(office.again().gaps)


def world(office: Office, *statuses: Status, **facts: object) -> None:
    pieces = [(a_piece(str(1001 + n)), one) for n, one in enumerate(statuses)]
    office.mail.add(a_campaign(**facts), *pieces)  # type: ignore[arg-type]


async def test_a_poll_reads_campaigns_pieces_their_places_and_the_balance(office: Office) -> None:
    world(office, R, D)
    office.note(baseline_at=None, polled_at=None)
    began = office.clock.now()
    assert await read(office) == {}
    known = office.workspace
    assert (known.polled_at, known.baseline_at, known.platform_state.own, known.platform_state.campaign_reports) == (
        began,
        began,
        "newer",
        True,
    )
    assert known.balance is not None
    (campaign,) = office.read(queries.campaigns_of, known.id)
    assert office.read(queries.mix, known.id, campaign.id).counts == {R: 1, D: 1}
    office.clock.pass_time(minutes=5)
    await read(office)
    assert (office.workspace.baseline_at, office.workspace.polled_at) == (began, office.clock.now())


async def test_the_first_poll_reads_the_whole_history_and_a_later_one_what_is_open(office: Office) -> None:
    today = office.clock.now().date()
    office.note(baseline_at=None)
    await read(office)
    assert office.mail.asked_days[-1][:2] == (today - timedelta(days=90), today + timedelta(days=1))
    await read(office)
    assert office.mail.asked_days[-1] == (today - timedelta(days=2), today + timedelta(days=1), "newer")
    long_ago = office.clock.now() - timedelta(days=30)
    office.mail.add(a_campaign(), (a_piece(created_at=long_ago), R))
    await read(office)
    await read(office)
    assert office.mail.asked_days[-1][0] == long_ago.date()
    office.clock.pass_time(days=31)
    await read(office)
    assert office.mail.asked_days[-1][0] == office.clock.now().date() - timedelta(days=2), (
        "after 60 days it widens no poll"
    )


@pytest.mark.parametrize(
    ("call", "gap", "trouble", "rest"),
    [
        ("balance", Call.BALANCE, PlatformRefused(), REFUSED),
        ("balance", Call.BALANCE, NotOffered(), NOT_OFFERED),
        ("campaign_pieces", Call.SINGLES, PlatformRefused(), REFUSED),
        ("campaign_pieces", Call.SINGLES, NotOffered(), NOT_OFFERED),
        ("pieces", Call.REPORT, PlatformRefused(), REFUSED),
        ("pieces", Call.REPORT, NotOffered(), NOT_OFFERED),
    ],
)
async def test_what_is_not_answered_is_noted_and_the_rest_goes_on(
    office: Office, call: str, gap: Call, trouble: Trouble, rest: timedelta
) -> None:
    world(office, R)
    office.mail.fail(call, trouble)
    found = await read(office)
    assert set(found) == {gap}
    assert found[gap].again == office.clock.now() + rest
    assert office.workspace.polled_at == office.clock.now()
    before = office.mail.calls.count(call)
    if gap is not Call.REPORT:
        office.clock.moment += rest - timedelta(seconds=1)
        assert set(await read(office)) == {gap}
        assert office.mail.calls.count(call) == before
        office.clock.pass_time(seconds=1)
    assert await read(office) == {}


async def test_the_pieces_report_that_does_not_answer_now_is_no_reading(office: Office) -> None:
    world(office, R)
    before = office.workspace.polled_at
    office.clock.pass_time(minutes=5)
    office.mail.fail("pieces", PlatformDown())
    with pytest.raises(PlatformDown):
        await read(office)
    assert office.again().polled_at == before
    assert set(office.workspace.gaps) == {Call.REPORT}
    # Where each campaign's report answers, a second time is a reading.
    office.mail.fail("pieces", PlatformDown())
    await read(office)
    assert office.workspace.polled_at == office.clock.now()


async def test_a_balance_that_failed_once_is_asked_for_again_in_the_same_poll(office: Office) -> None:
    office.mail.fail("balance", PlatformDown())
    assert await read(office) == {}
    assert office.mail.calls.count("balance") == 2
    office.mail.fail("balance", PlatformDown(), times=2)
    assert set(await read(office)) == {Call.BALANCE}
    office.mail.fail("balance", PlatformDown())
    await read(office)
    assert office.mail.calls.count("balance") == 5, "what failed before has no second turn"


async def test_a_refused_key_ends_the_poll(office: Office) -> None:
    office.mail.fail("balance", KeyRefused(code="401"))
    with pytest.raises(KeyRefused):
        await read(office)
    office.mail.fail("campaigns", PlatformDown())
    with pytest.raises(PlatformDown):
        await read(office)


async def test_a_list_of_campaigns_that_does_not_end_is_known_in_part(office: Office) -> None:
    cut = ReadCut()
    cut.campaigns = (a_campaign(),)
    office.mail.fail("campaigns", cut)
    assert set(await read(office)) == {Call.CAMPAIGNS}
    assert [one.facts.ref for one in office.read(queries.campaigns_of, office.workspace.id)] == ["222"]
    assert await read(office) == {}


async def test_an_older_report_that_stands_in_is_noted_and_the_newer_looked_for_again(office: Office) -> None:
    world(office, R)
    office.mail.state, office.mail.instead = "older", PlatformRefused()
    assert set(await read(office)) == {Call.NEWER}
    assert office.workspace.platform_state.own == "older"
    office.mail.instead = None
    await read(office)
    assert office.mail.asked_days[-1][2] == "older", "for an hour"
    assert set(office.workspace.gaps) == {Call.NEWER}
    office.clock.moment += REFUSED
    office.mail.state = "newer"
    assert await read(office) == {}
    assert office.mail.asked_days[-1][2] is None
    assert office.workspace.platform_state.own == "newer"


async def test_a_report_that_is_not_offered_is_forgotten_with_its_state(office: Office) -> None:
    await read(office)
    office.mail.fail("pieces", NotOffered())
    await read(office)
    assert office.workspace.platform_state.own is None
    await read(office)
    office.mail.fail("pieces", PlatformRefused())
    await read(office)
    assert office.workspace.platform_state.own == "newer"


def several(office: Office, number: int) -> None:
    for n in range(number):
        ref = str(300 + n)
        office.mail.add(a_campaign(ref, f"Drop {n}"), (a_piece(f"{ref}1", ref), R))


async def test_one_broken_campaign_does_not_switch_the_report_off(office: Office) -> None:
    several(office, 4)
    office.mail.fail("campaign_pieces", PlatformRefused("It holds <!channel> too much."), PlatformRefused())
    assert set(await read(office)) == {Call.SOME}
    assert office.mail.calls.count("campaign_pieces") == 4
    assert office.workspace.platform_state.campaign_reports is True
    # Its pieces would seem to be none, and nobody would know why.
    said = of_gaps(office.workspace.gaps, "Stannp")
    assert "the pieces of some campaigns: (Drop 2, Drop 3) It holds &lt;!channel&gt; too much. since <!date" in said
    # Whether it is told now is seen with the next reading.
    assert await read(office) == {}


async def test_of_campaigns_of_one_name_the_broken_one_is_told(office: Office) -> None:
    for ref in ("301", "302", "303"):
        office.mail.add(a_campaign(ref, "Spring"), (a_piece(f"{ref}1", ref), R))
    office.mail.fail("campaign_pieces", PlatformRefused())
    assert (await read(office))[Call.SOME].why.startswith("(Spring) ")


async def test_a_broken_campaign_that_is_gone_is_said_no_more(office: Office) -> None:
    several(office, 2)
    office.mail.fail("campaign_pieces", PlatformRefused())
    assert set(await read(office)) == {Call.SOME}
    office.mail.known.clear()
    assert await read(office) == {}


async def test_where_no_campaign_is_told_of_that_is_said_and_not_each(office: Office) -> None:
    several(office, 2)
    office.mail.fail("campaign_pieces", PlatformRefused())
    assert set(await read(office)) == {Call.SOME}
    office.mail.fail("campaign_pieces", PlatformRefused(), PlatformRefused())
    assert set(await read(office)) == {Call.SINGLES}


async def test_of_many_broken_campaigns_some_are_named(office: Office) -> None:
    several(office, 6)
    office.mail.fail("campaign_pieces", None, *[PlatformRefused()] * 5)
    assert "(Drop 0, Drop 1, Drop 2 and 2 more)" in (await read(office))[Call.SOME].why


async def test_after_three_that_do_not_answer_the_report_is_taken_for_missing(office: Office) -> None:
    several(office, 5)
    office.mail.fail("campaign_pieces", *[NotOffered()] * 5)
    assert set(await read(office)) == {Call.SINGLES}
    assert office.mail.calls.count("campaign_pieces") == MISSES
    assert office.workspace.platform_state.campaign_reports is False


async def test_a_campaign_that_is_away_for_a_moment_is_asked_for_once_more_after_the_others(office: Office) -> None:
    several(office, 3)
    office.mail.fail("campaign_pieces", PlatformDown())
    assert await read(office) == {}
    assert office.mail.calls.count("campaign_pieces") == 4
    office.mail.fail("campaign_pieces", None, PlatformDown(), None, PlatformDown())
    await read(office)
    assert office.mail.calls.count("campaign_pieces") == 8


def known(stage: CampaignStage, recipients: int | None) -> StoredCampaign:
    return StoredCampaign(Id(1), replace(KnownCampaign("1"), stage=stage, recipients=recipients))


@pytest.mark.parametrize(
    ("stage", "recipients", "mix", "over"),
    [
        (CampaignStage.COMPLETE, 2, Mix({D: 2}), True),
        (CampaignStage.COMPLETE, 3, Mix({D: 2}), False),
        (CampaignStage.COMPLETE, None, Mix({D: 2}), True),
        (CampaignStage.COMPLETE, 2, Mix({D: 1, R: 1}), False),
        (CampaignStage.COMPLETE, 2, Mix({D: 2}, other=1), False),
        (CampaignStage.RUNNING, 2, Mix({D: 2}), False),
        (CampaignStage.COMPLETE, 2, None, False),
    ],
)
def test_a_campaign_is_over_when_all_its_pieces_are_known_and_final(
    stage: CampaignStage, recipients: int | None, mix: Mix | None, over: bool
) -> None:
    assert _is_over(known(stage, recipients), mix) == over


async def test_a_campaign_that_is_over_is_not_asked_for(office: Office) -> None:
    world(office, D, stage=CampaignStage.COMPLETE, recipients=1)
    await read(office)
    calls = office.mail.calls.count("campaign_pieces")
    await read(office)
    assert office.mail.calls.count("campaign_pieces") == calls


async def test_pieces_that_a_report_only_names_are_asked_for_one_by_one(office: Office) -> None:
    world(office)
    for n in range(4):
        office.mail.described[str(2001 + n)], office.mail.at[str(2001 + n)] = a_piece(str(2001 + n)), R
    full = office.mail.described.copy()

    async def bare(ref: str, _known: Known | None = None) -> AsyncIterator[Batch]:
        office.mail.meet("campaign_pieces")
        yield Batch(pieces=tuple(replace(one, created_at=None, campaign_ref=ref) for one in full.values()))

    office.mail.campaign_pieces = bare  # type: ignore[method-assign,assignment]
    office.mail.fail("pieces", *[NotOffered()] * 9)
    office.policy(details=3)
    office.mail.fail("piece", PieceUnknown(), None, PlatformDown())
    await poll._meet_unknown(office.services, office.workspace, list(full))
    assert office.mail.calls.count("piece") == 3
    assert [one.ref for one in office.read(queries.find_pieces, office.workspace.id, "2002", 5)] == ["2002"]


async def due(office: Office) -> list[str]:
    return [one.ref for one in office.read(queries.details_due, office.workspace.id, 100)]


async def test_timelines_are_fetched_a_few_at_a_time_and_a_gone_piece_is_dropped(office: Office) -> None:
    await office.campaign(*[D] * 5)
    waiting = await due(office)
    assert len(waiting) == 5
    office.policy(details=3)
    office.mail.fail("piece", PieceUnknown())
    assert await read(office) == {}
    assert office.mail.calls.count("piece") == 3
    left = await due(office)
    assert waiting[0] not in left
    assert set(waiting[3:]) <= set(left)


async def test_one_piece_that_is_always_refused_does_not_make_the_others_wait(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.campaign(*[D] * 8)
    bad = (await due(office))[-1]

    async def piece(ref: str, _kind: str) -> Batch:
        if ref == bad:
            raise PlatformRefused
        return a_batch(a_piece(ref, "222", detailed=True))

    monkeypatch.setattr(office.mail, "piece", piece)
    assert await read(office) == {}, "what moves next is not put off for an hour, and nobody is told of it"
    assert await due(office) == [bad]


async def test_a_timeline_of_another_piece_is_none(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.campaign(*[D] * 5)
    waiting = await due(office)
    office.policy(details=3)

    async def piece(ref: str, _kind: str) -> Batch:
        return a_batch(a_piece("9" if ref in waiting[:2] else ref, "222", detailed=True))

    monkeypatch.setattr(office.mail, "piece", piece)
    for _ in range(3):
        await read(office)
    assert set(await due(office)) <= {*waiting[:2], "9"}, "the others had their turn"


async def test_what_was_read_before_a_fault_of_ours_is_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.campaign(*[D] * 5)
    waiting = await due(office)

    async def piece(ref: str, _kind: str) -> Batch:
        if ref == waiting[3]:
            raise KeyError(ref)
        return a_batch(a_piece(ref, "222", detailed=True))

    monkeypatch.setattr(office.mail, "piece", piece)
    with pytest.raises(KeyError):
        await read(office)
    assert not set(waiting[:3]) & set(await due(office)), "else every poll reads them, and loses them"


async def test_a_slow_answer_makes_nothing_newer_that_was_read_before_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.campaign(D, D)
    [first, _second], ask = await due(office), office.mail.piece

    async def piece(ref: str, kind: str) -> Batch:
        if ref != first:
            office.clock.pass_time(seconds=15)
            newer = a_piece(first, "222", cost=Decimal("9.99"))
            office.write(ledger.apply, office.workspace.id, a_batch(newer), office.clock.now())
            office.clock.pass_time(seconds=15)
            return await ask(ref, kind)
        return a_batch(a_piece(first, "222", cost=Decimal("1.00")))

    monkeypatch.setattr(office.mail, "piece", piece)
    await read(office)
    assert office.piece(first).cost == Decimal("9.99")


@pytest.mark.parametrize(("trouble", "asked"), [(PlatformRefused(), MISSES), (PlatformDown(), 1)])
async def test_timelines_that_are_refused_let_the_others_pass(office: Office, trouble: Trouble, asked: int) -> None:
    await office.campaign(*[D] * 5)
    first = (await due(office))[0]
    office.mail.fail("piece", *[trouble] * 5)
    assert set(await read(office)) == {Call.TIMELINES}
    assert office.mail.calls.count("piece") == asked
    assert (await due(office))[0] != first, "the one that was refused comes last"
    office.mail.waiting.clear()
    if isinstance(trouble, PlatformRefused):
        await read(office)
        assert office.mail.calls.count("piece") == asked, "for an hour"
        office.clock.moment += REFUSED
    assert await read(office) == {}


async def test_where_nothing_tells_of_campaigns_single_mail_is_news_at_once(office: Office) -> None:
    now = office.clock.now()
    await office.learn(Batch(pieces=(a_piece("9", campaign_ref=None),)))
    far = now + timedelta(days=1)
    both = {Call.SINGLES: Gap("x", now, far), Call.TIMELINES: Gap("x", now, far)}
    placed = "SELECT placed FROM pieces"
    for gaps in ({Call.SINGLES: both[Call.SINGLES]}, both):
        office.write(workspaces.keep_gaps, office.workspace.id, {call.value: gap for call, gap in gaps.items()})
        office.write(details.postpone, office.workspace.id, office.piece("9").id)
        office.mail.fail("piece", PlatformRefused())
        await read(office)
        found = office.read(lambda c: c.exec_driver_sql(placed).scalar())
        assert bool(found) == (len(gaps) == 2)


async def test_a_campaign_that_moved_is_counted_and_what_is_being_written_is_counted_next_time(office: Office) -> None:
    campaign = await office.campaign(D, Status.RETURNED, D)
    assert office.read(transits.outdated, office.workspace.id) == [campaign.id]
    await counting.bring_up_to_date(office.services, office.workspace.id, campaign.id)
    assert office.read(transits.outdated, office.workspace.id) == [campaign.id], "it moved just now"
    office.clock.moment += counting.IN_WRITING
    await counting.survey(office.services, office.workspace.id)
    assert office.read(transits.outdated, office.workspace.id) == []
    await counting.bring_up_to_date(office.services, office.workspace.id, campaign.id)


async def test_a_large_campaign_that_moves_is_not_counted_with_each_poll(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transits, "READ", 2)
    large = await office.campaign(*[R] * 40)
    small = await office.campaign(R, ref="223", name="Small")
    await counting.survey(office.services, office.workspace.id)

    rising = iter([Status.HANDED_OVER, Status.IN_TRANSIT, Status.LOCAL_DELIVERY, Status.DELIVERED])

    async def counted_after(minutes: int) -> set[Id]:
        status = next(rising)
        office.clock.moment += timedelta(minutes=minutes)
        for one in (large, small):
            ref = "1001" if one is large else "2001"
            await office.learn(Batch(changes=(a_change(ref, status, occurred_at=office.clock.now()),)))
        before = office.read(transits.counted, office.workspace.id)
        await counting.survey(office.services, office.workspace.id)
        after = office.read(transits.counted, office.workspace.id)
        return {one for one in after if after[one] != before[one]}

    # Twenty reads, a minute each; what was written in the five before it is counted anew in any case.
    assert await counted_after(1) == {small.id}
    assert await counted_after(13) == {small.id}
    assert await counted_after(1) == {large.id, small.id}
    assert await counted_after(1) == {small.id}
