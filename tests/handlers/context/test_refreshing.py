"""When an answer asks the account again, and what is said when it does not answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from handlers.context import gaps, refreshing
from handlers.context.gaps import Call, Gaps
from handlers.context.refreshing import Freshness
from handlers.errors import KeyRefused, NotOffered, PieceUnknown, PlatformDown, PlatformRefused, Trouble
from handlers.ingest import poll
from storage import workspaces
from storage.records import Batch, Gap, PlatformState
from storage.statuses import Status
from tests.handlers.conftest import Office

MINUTE = timedelta(seconds=60)


def polled(office: Office, ago: timedelta) -> None:
    office.note(polled_at=office.clock.now() - ago)


@pytest.mark.parametrize(
    ("ago", "asked"), [(MINUTE, False), (MINUTE * 1.1, True), (-MINUTE, False), (-MINUTE * 1.1, True)]
)
async def test_an_answer_younger_than_a_minute_is_not_asked_for_again(
    office: Office, ago: timedelta, asked: bool
) -> None:
    campaign = await office.campaign(Status.IN_TRANSIT)
    polled(office, ago)
    office.mail.at["1001"] = Status.DELIVERED
    fresh = await refreshing.refresh_campaign(office.services, office.workspace, campaign)
    assert ("campaign_pieces" in office.mail.calls) == asked
    assert fresh == Freshness(
        office.services.platform.name, office.clock.now() if asked else office.workspace.polled_at
    )
    assert (office.piece().status is Status.DELIVERED) == asked
    await refreshing.refresh_account(office.services, office.workspace)
    assert office.mail.calls.count("balance") == 2 * asked


@pytest.mark.parametrize(
    ("called", "told"), [(-MINUTE, -MINUTE), (-MINUTE * 3, -MINUTE * 2), (MINUTE, -MINUTE * 2), (None, -MINUTE * 2)]
)
async def test_what_the_platform_told_since_is_not_called_older_than_it_is(
    office: Office, called: timedelta | None, told: timedelta
) -> None:
    now = office.clock.now()
    office.note(polled_at=now - MINUTE * 2, webhook_at=None if called is None else now + called)
    fresh = await refreshing.refresh_account(office.services, office.workspace)
    assert fresh.as_of == now + told
    assert refreshing.known_at(office.note(polled_at=None), now) is None


async def test_never_polled_is_not_fresh_and_force_asks_always(office: Office) -> None:
    campaign = await office.campaign(Status.IN_TRANSIT)
    assert not refreshing._is_fresh(office.services, office.note(polled_at=None), office.clock.now())
    polled(office, timedelta(0))
    await refreshing.refresh_campaign(office.services, office.workspace, campaign, force=True)
    assert office.mail.calls == ["campaign_pieces", "balance"]
    assert office.again().balance is not None
    assert office.workspace.balance_at == office.clock.now()


@pytest.mark.parametrize("trouble", [PlatformDown(), PlatformRefused()])
async def test_old_numbers_beat_none(office: Office, trouble: Trouble) -> None:
    campaign = await office.campaign(Status.IN_TRANSIT)
    polled(office, MINUTE * 2)
    office.mail.fail("campaign_pieces", trouble)
    office.mail.fail("balance", trouble)
    stale = Freshness(office.services.platform.name, office.workspace.polled_at, stale=True)
    assert await refreshing.refresh_campaign(office.services, office.workspace, campaign) == stale
    assert await refreshing.refresh_account(office.services, office.workspace) == stale


async def test_nobody_waits_longer_than_patience(office: Office) -> None:
    campaign = await office.campaign(Status.IN_TRANSIT)
    polled(office, MINUTE * 2)
    office.policy(patience=0.01)

    async def slow(_ref: str = "", _kind: str = "") -> None:
        await asyncio.sleep(5)

    async def slowly(*_: object) -> AsyncIterator[Batch]:
        await asyncio.sleep(5)
        yield Batch()

    office.mail.campaign_pieces = slowly  # type: ignore[method-assign,assignment]
    office.mail.balance = office.mail.piece = slow  # type: ignore[method-assign,assignment]
    assert (await refreshing.refresh_campaign(office.services, office.workspace, campaign)).stale
    assert (await refreshing.refresh_account(office.services, office.workspace)).stale
    assert "not answering" in (await refreshing.refresh_piece(office.services, office.workspace, office.piece())).note


async def test_an_account_without_that_report_is_no_failure(office: Office) -> None:
    campaign = await office.campaign(Status.IN_TRANSIT)
    polled(office, MINUTE * 2)
    office.mail.fail("campaign_pieces", NotOffered())
    assert not (await refreshing.refresh_campaign(office.services, office.workspace, campaign)).stale
    for offered in (False, True):
        office.write(workspaces.keep_platform_state, office.workspace.id, PlatformState(campaign_reports=offered))
        office.mail.calls.clear()
        await refreshing.refresh_campaign(office.services, office.again(), campaign)
        assert ("campaign_pieces" in office.mail.calls) == offered
        assert "balance" in office.mail.calls


async def test_a_platform_that_tells_no_balance_is_not_asked_for_one(office: Office) -> None:
    office.mail.profile = replace(office.mail.profile, abilities=frozenset())
    polled(office, MINUTE * 2)
    assert not (await refreshing.refresh_account(office.services, office.workspace)).stale
    await poll.poll(office.services, office.workspace.id)
    assert "balance" not in office.mail.calls
    assert (office.again().balance, office.workspace.gaps) == (None, {})


async def gap(office: Office, call: Call, passing: bool, age: timedelta = timedelta(0)) -> None:
    now = office.clock.now()
    office.write(workspaces.keep_gaps, office.workspace.id, {call: Gap("why", now - age, now, passing)})
    office.again()


async def test_a_report_that_polls_miss_is_not_asked_for_here(office: Office) -> None:
    campaign = await office.campaign(Status.IN_TRANSIT)
    await gap(office, Call.SINGLES, passing=True)
    await refreshing.refresh_campaign(office.services, office.workspace, campaign, force=True)
    assert office.mail.calls == ["balance"]


@pytest.mark.parametrize(
    ("passing", "age", "asked"),
    [
        (True, timedelta(minutes=10), True),
        (True, timedelta(minutes=11), False),
        (True, timedelta(minutes=-11), False),
        (False, timedelta(0), False),
    ],
)
async def test_a_balance_that_polls_miss_is_asked_for_where_that_may_be_over(
    office: Office, passing: bool, age: timedelta, asked: bool
) -> None:
    polled(office, MINUTE * 2)
    await gap(office, Call.BALANCE, passing, age)
    office.mail.fail("balance", PlatformDown())
    assert not (await refreshing.refresh_account(office.services, office.workspace)).stale
    assert ("balance" in office.mail.calls) == asked
    assert Call.BALANCE in office.again().gaps
    office.mail.waiting.clear()
    await refreshing.refresh_account(office.services, office.workspace)
    assert (Call.BALANCE in office.again().gaps) != asked
    assert (office.workspace.balance is not None) == asked
    assert office.workspace.balance is None or office.workspace.balance.amount == Decimal(250)


@pytest.mark.parametrize(
    ("trouble", "note"),
    [
        (PieceUnknown(), "no longer knows this piece"),
        (PlatformRefused(), "did not let me read"),
        (PlatformDown(), "is not answering"),
    ],
)
async def test_a_piece_that_cannot_be_read_is_shown_with_a_remark(office: Office, trouble: Trouble, note: str) -> None:
    await office.campaign(Status.IN_TRANSIT)
    office.mail.fail("piece", trouble)
    shown = await refreshing.refresh_piece(office.services, office.workspace, office.piece())
    assert shown.piece == office.piece()
    assert note in shown.note
    office.mail.at["1001"] = Status.DELIVERED
    shown = await refreshing.refresh_piece(office.services, office.workspace, shown.piece)
    assert (shown.piece.status, shown.note) == (Status.DELIVERED, "")


# ---- What is not answered ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "wait", "passing", "why"),
    [
        (PlatformDown(), timedelta(0), True, "no answer"),
        (PlatformDown(code="502"), timedelta(0), True, "no answer (502)"),
        (PlatformRefused("odd"), gaps.REFUSED, False, "odd"),
        (PlatformRefused(code="403"), gaps.REFUSED, False, "refused (403)"),
        (KeyRefused(code="403"), gaps.REFUSED, False, "refused (403)"),
        (NotOffered(code="404"), gaps.NOT_OFFERED, False, "refused (404)"),
    ],
)
def test_a_call_that_failed_is_made_again_after_its_time(
    office: Office, trouble: Trouble, wait: timedelta, passing: bool, why: str
) -> None:
    now, found = office.clock.now(), Gaps()
    found.note(Call.BALANCE, trouble, now)
    assert found.known[Call.BALANCE] == Gap(why, now, now + wait, passing)
    assert found.may_pass(Call.BALANCE) == passing
    assert not found.may_pass(Call.REPORT)
    assert not found.rests(Call.BALANCE, now + wait)
    assert found.rests(Call.BALANCE, now + wait - timedelta(seconds=1))
    assert not found.rests(Call.REPORT, now)
    later = now + timedelta(days=3)
    found.note(Call.BALANCE, trouble, later)
    assert (found.known[Call.BALANCE].since, found.known[Call.BALANCE].again) == (now, later + wait)
    assert "the balance: " in gaps.sentence(found.known, "Stannp")
    found.close(Call.BALANCE)
    found.close(Call.BALANCE)
    assert found.known == {}
    assert gaps.sentence(found.known, "Stannp") == ""


def test_a_key_that_is_refused_as_such_ends_the_reading(office: Office) -> None:
    with pytest.raises(KeyRefused):
        Gaps().note(Call.BALANCE, KeyRefused(code="401"), office.clock.now())
    Gaps().note(Call.BALANCE, PlatformRefused(code="401"), office.clock.now())
