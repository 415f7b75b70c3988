"""What Slack was told is taken outlives its process: it dies right after that, and another one answers."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from bot.sandbox.slack import Fault, Posted, View
from bot.sandbox.stannp import Trouble
from storage import workspaces
from storage.database import Database, open_database
from storage.records import Rules
from tests.journeys.conftest import ANA, BEN, OPS
from tests.journeys.test_killed import MANY, Company, company  # noqa: F401 - a fixture
from tests.processes import Running
from tests.rudeness import UNREAD

pytestmark = pytest.mark.turns
BY_SQLITE = pytest.mark.parametrize("company", ["sqlite"], indirect=True)


async def dry_run(company: Company) -> View:  # noqa: F811
    await company.until(lambda: "GET reporting/campaignSingles/230" in company.stannp.requests)
    assert (await company.slack.command(ANA, OPS, "/mailstatus", "Big drop")).ok
    answer: Posted = await company.until(
        lambda: next((m for m in company.slack.messages if "cancel_campaign" in str(m.blocks)), None)
    )
    assert (await company.slack.press(ANA, answer, "cancel_campaign")).ok
    form: View = await company.until(
        lambda: next((v for v in company.slack.stack_of(ANA) if f"Cancel {MANY} pieces" in str(v.view)), None)
    )
    return form


async def tracked(company: Company) -> Posted:  # noqa: F811
    await company.until(lambda: "GET reporting/campaignSingles/230" in company.stannp.requests)
    piece = company.stannp.pieces_of(230)[0]
    assert (await company.slack.command(ANA, OPS, "/mailtrack", str(piece.id))).ok
    return await company.until(
        lambda: next((m for m in company.slack.messages if "cancel_piece" in str(m.blocks)), None)
    )


async def again(company: Company, process: Running) -> None:  # noqa: F811
    """It dies now, and is started anew."""
    process.kill()
    await process.wait()
    company.slack.faults.clear()
    company.stannp.troubles.clear()
    await company.start()


async def soon(company: Company, what: Callable[[], Any]) -> bool:  # noqa: F811
    """Whether it comes to pass within what the documents allow after a crash (half a minute)."""
    try:
        await company.until(what, 35)
    except AssertionError:
        return False
    return True


def database(company: Company) -> Database:  # noqa: F811
    return open_database(company.environment["DATABASE_URL"])


@pytest.mark.calm(*UNREAD)
async def test_a_confirmed_form_outlives_a_kill_after_its_acknowledgement(company: Company) -> None:  # noqa: F811
    process = await company.start()
    form = await dry_run(company)
    # Stannp is asked once more before what was confirmed is written down.
    company.stannp.troubles.append(Trouble("reporting/campaignSingles", status=0, delay=2.0))
    assert (await company.slack.submit(ANA, form)).ok
    await asyncio.sleep(0.3)
    await again(company, process)
    assert await soon(company, lambda: company.stopped == MANY), f"{company.stopped} of {MANY} stopped, nobody told"
    await company.until(company.summaries)


@BY_SQLITE
@pytest.mark.calm(*UNREAD)
async def test_one_piece_to_be_cancelled_outlives_a_kill_after_the_acknowledgement(company: Company) -> None:  # noqa: F811
    process = await company.start()
    shown = await tracked(company)
    company.slack.faults.append(Fault("users.info", delay=1.0, times=10))
    assert (await company.slack.press(ANA, shown, "cancel_piece")).ok
    await again(company, process)
    assert await soon(company, lambda: company.stopped == 1), "the piece will be mailed, and nobody was told"


@BY_SQLITE
async def test_an_erasure_outlives_a_kill_after_the_acknowledgement(company: Company) -> None:  # noqa: F811
    process = await company.start()
    shown = await tracked(company)
    company.slack.faults.append(Fault("users.info", delay=1.0, times=10))
    assert (await company.slack.press(ANA, shown, "erase_recipient")).ok
    await again(company, process)
    opened = database(company)
    erased = text("SELECT count(*) FROM pieces WHERE erased AND name = ''")
    gone = await soon(company, lambda: opened.read(lambda c: c.scalar(erased)) == 1)
    opened.close()
    assert gone, "who asked to be forgotten is still kept, and nobody was told"


@BY_SQLITE
async def test_an_export_outlives_a_kill_after_the_acknowledgement(company: Company) -> None:  # noqa: F811
    process = await company.start()
    await company.until(lambda: "GET reporting/campaignSingles/230" in company.stannp.requests)
    assert (await company.slack.command(ANA, OPS, "/mailstatus", "Big drop")).ok
    answer = await company.until(
        lambda: next((m for m in company.slack.messages if "view_details" in str(m.blocks)), None)
    )
    assert (await company.slack.press(ANA, answer, "view_details")).ok
    view = await company.until(
        lambda: next((v for v in company.slack.stack_of(ANA) if "details_export" in str(v.view)), None)
    )
    company.slack.faults.append(Fault("users.info", delay=1.0, times=10))
    assert (await company.slack.press(ANA, view, "details_export")).ok
    await again(company, process)
    assert await soon(company, lambda: [f for f in company.slack.files.values() if f.name.endswith(".csv") and f.data])


@BY_SQLITE
@pytest.mark.calm(*UNREAD)
async def test_an_approval_outlives_a_kill_after_its_acknowledgement(company: Company) -> None:  # noqa: F811
    process = await company.start()
    await company.until(lambda: "GET reporting/campaignSingles/230" in company.stannp.requests)
    opened = database(company)
    rules = Rules(cancellers=frozenset({"everyone"}), approval_above=Decimal(1))
    opened.write(workspaces.keep_rules, opened.read(workspaces.every)[0].id, rules)
    # What Ana asks for must not cost more by the time that Ben agrees: then he would have to be asked again.
    unknown = text("SELECT count(*) FROM pieces WHERE cost IS NULL")
    await company.until(lambda: opened.read(lambda c: c.scalar(unknown)) == 0)
    opened.close()
    assert (await company.slack.submit(ANA, await dry_run(company))).ok
    request = await company.until(
        lambda: next((m for m in company.slack.messages if "wants to cancel" in m.text), None)
    )
    company.slack.faults.append(Fault("users.info", delay=1.0, times=10))
    assert (await company.slack.press(BEN, request, "approve_cancel")).ok
    await again(company, process)
    assert await soon(company, lambda: company.stopped == MANY), "approved, and nothing happens"
