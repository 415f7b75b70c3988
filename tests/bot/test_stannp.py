"""The platform's adapter against its double, over real sockets: every endpoint, form and refusal."""

import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial

import aiohttp
import pytest

from bot.platforms.stannp.client import PAGE, Stannp
from bot.sandbox.stannp import REFUSALS, MailCampaign, Mailpiece, Rude, StannpDouble, Trouble
from handlers.context.ports import Known
from handlers.errors import (
    CampaignBooked,
    CampaignUnknown,
    KeyRefused,
    NotOffered,
    PieceUnknown,
    PlatformBusy,
    PlatformDown,
    PlatformRefused,
    TooLate,
)
from storage import workspaces
from storage.database import Database
from storage.ledger import apply as ledger
from storage.queries import mail as queries
from storage.queries.recognized import Print, recognized
from storage.records import Batch, Piece
from tests.fakes import FakeClock

BORN = datetime(2026, 10, 28, 9, 0, tzinfo=UTC)


def a_mailpiece(number: int, **facts: object) -> Mailpiece:
    made = Mailpiece(number, 222, BORN, "Jane", "Smith", "1 Main Street", "Austin", "TX", "78701")
    for name, value in facts.items():
        setattr(made, name, value)
    return made


@pytest.fixture
async def double() -> AsyncIterator[StannpDouble]:
    made = StannpDouble(per_minute=1_000_000)
    made.campaigns[222] = MailCampaign(222, "Spring lapsed", "running", BORN)
    made.campaigns[224] = MailCampaign(224, "Draft", "draft", BORN)
    for number in (1001, 1002):
        made.pieces[number] = a_mailpiece(number)
    made.pieces[1002].kind = "letter"
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def stannp(double: StannpDouble, clock: FakeClock) -> AsyncIterator[Stannp]:
    async with aiohttp.ClientSession() as session:
        yield Stannp(session, clock, double.url, double.api_key, jitter=lambda: 0.5)


@pytest.fixture(params=[(False, False), (True, True)], ids=["plain", "wrapped-text"])
def forms(request: pytest.FixtureRequest, double: StannpDouble) -> None:
    double.double_wrapped, double.ids_as_text = request.param


async def pages(stannp: Stannp, route: str | None = None) -> list[tuple[str, int]]:
    first, last = BORN.date(), BORN.date() + timedelta(days=1)
    return [(page.state, len(page.batch.pieces)) async for page in stannp.pieces(first, last, route)]


async def placed(stannp: Stannp, known: Known | None = None) -> list[Piece]:
    return [piece async for batch in stannp.campaign_pieces("222", known) for piece in batch.pieces]


@pytest.mark.usefixtures("forms")
async def test_every_read_in_every_form(stannp: Stannp, double: StannpDouble) -> None:
    assert await stannp.account() == "ops@acme.example"
    assert await stannp.balance() == Decimal("214.42")
    assert [c.name for c in await stannp.campaigns()] == ["Spring lapsed", "Draft"]
    assert (await stannp.campaign("222")).recipients == 2
    assert {p.campaign_ref for p in await placed(stannp)} == {"222"}
    batch = await stannp.piece("1001", "postcard")
    assert batch.pieces[0].recipient is not None
    assert (batch.pieces[0].recipient.name, batch.pieces[0].cost) == ("Jane Smith", Decimal("0.84"))
    assert batch.pieces[0].campaign_ref == "222"


async def test_a_piece_of_unknown_kind_is_looked_for_in_both_places(stannp: Stannp) -> None:
    assert (await stannp.piece("1002", "")).pieces[0].ref == "1002"
    with pytest.raises(PieceUnknown):
        await stannp.piece("9999", "")


async def test_the_newer_report_is_preferred_and_remembered(stannp: Stannp, double: StannpDouble) -> None:
    assert await pages(stannp) == [("directMail/list", 2)]
    double.reports = ("list",)
    assert await pages(stannp) == [("list", 2)]
    double.requests.clear()
    assert await pages(stannp, "list") == [("list", 2)]
    assert not [r for r in double.requests if "directMail" in r]


async def test_an_account_without_reports_is_named(stannp: Stannp, double: StannpDouble) -> None:
    double.reports, double.offers_singles = (), False
    with pytest.raises(NotOffered):
        await pages(stannp)
    with pytest.raises(NotOffered):
        await placed(stannp)


async def test_long_reports_come_in_pages(stannp: Stannp, double: StannpDouble) -> None:
    double.pieces = {n: a_mailpiece(n) for n in range(1, PAGE + 3)}
    assert [count for _, count in await pages(stannp)] == [PAGE, 2]


async def test_a_piece_that_moved_to_another_campaign_is_read_again(
    stannp: Stannp, double: StannpDouble, clock: FakeClock, database: Database
) -> None:
    """Its row reads the same: the report of a campaign does not say whose it is."""
    team = database.write(workspaces.ensure, "T1", "Acme", "USD").id

    async def known(prints: Mapping[str, int]) -> Collection[str]:
        return database.read(recognized, team, Print.PLACED, prints)

    def learn(batch: Batch) -> int:
        clock.pass_time(hours=1)
        database.write(ledger.apply, team, batch, clock.now())
        return len(batch.pieces)

    async def read(ref: str) -> list[int]:
        return [learn(batch) for _ in range(2) async for batch in stannp.campaign_pieces(ref, known)]

    listed = [page.batch async for page in stannp.pieces(BORN.date(), BORN.date(), None)]
    assert [learn(batch) for batch in listed] == [2]
    assert await read("222") == [2, 0]
    for ref in ("224", "222"):
        double.pieces[1001].campaign_id = int(ref)
        assert await read(ref) == [1, 0]
        assert database.read(queries.find_pieces, team, "1001", 1)[0].campaign_name == f"Campaign {ref}"


async def test_a_server_that_ignores_the_offset_does_not_keep_us_for_ever(
    stannp: Stannp, double: StannpDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.sandbox.stannp._page", lambda rows, request: rows)
    double.pieces = {n: a_mailpiece(n) for n in range(1, PAGE + 1)}
    double.campaigns = {n: MailCampaign(n, "x", "draft", BORN) for n in range(1, PAGE + 1)}
    assert [count for _, count in await pages(stannp)] == [PAGE]
    assert len(await stannp.campaigns()) == PAGE


async def test_bad_rows_are_left_out_and_the_good_ones_kept(stannp: Stannp, double: StannpDouble) -> None:
    double.extra_rows = [None, 7, "x", [], {}, {"id": {}}, {"id": 0}, {"status": "delivered"}]
    assert await pages(stannp) == [("directMail/list", 2)]


async def test_reads_are_repeated_after_an_outage(stannp: Stannp, double: StannpDouble, clock: FakeClock) -> None:
    before = clock.now()
    double.troubles.append(Trouble("accounts", status=502, times=2))
    assert await stannp.balance() == Decimal("214.42")
    assert clock.now() - before == timedelta(seconds=3)


async def test_a_lasting_outage_is_named(stannp: Stannp, double: StannpDouble) -> None:
    double.troubles.append(Trouble("accounts", status=500, times=9))
    with pytest.raises(PlatformDown):
        await stannp.balance()
    assert len(double.requests) == 3


async def test_a_closed_port_is_an_outage(stannp: Stannp, double: StannpDouble) -> None:
    await double.stop()
    with pytest.raises(PlatformDown):
        await stannp.balance()


async def test_a_slow_answer_is_an_outage(
    stannp: Stannp, double: StannpDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.stannp.client.TIMEOUT", aiohttp.ClientTimeout(total=0.05))
    double.troubles.append(Trouble("accounts", status=0, delay=0.3, times=9))
    with pytest.raises(PlatformDown):
        await stannp.balance()


async def test_a_wrong_key_is_named_with_its_settings(stannp: Stannp) -> None:
    stannp.api_key = "wrong"
    with pytest.raises(KeyRefused, match="STANNP_API_KEY"):
        await stannp.balance()


@pytest.mark.parametrize(
    ("status", "headers", "wait"), [(429, {}, 60), (429, {"X-RateLimit-Reset": "7"}, 7), (503, {"Retry-After": "9"}, 9)]
)
async def test_a_used_up_limit_says_when_to_come_back(
    stannp: Stannp, double: StannpDouble, status: int, headers: dict[str, str], wait: float
) -> None:
    double.troubles.append(Trouble("accounts", status=status, headers=headers, times=9))
    with pytest.raises(PlatformBusy) as caught:
        await stannp.balance()
    assert caught.value.retry_after == wait


async def test_near_the_limit_it_waits_for_the_next_minute(
    stannp: Stannp, double: StannpDouble, clock: FakeClock
) -> None:
    double.per_minute = 12
    before = clock.now()
    for _ in range(4):
        await stannp.balance()
    assert clock.now() > before


@pytest.mark.parametrize(
    "body", ["", "<html>ok</html>", "null", "{}", '{"success":true}', '{"success":true,"data":null}', '{"data":', "[]"]
)
async def test_an_answer_without_sense_is_named_not_raised(stannp: Stannp, double: StannpDouble, body: str) -> None:
    double.troubles.append(Trouble("accounts", status=200, body=body, times=9))
    with pytest.raises((PlatformDown, PlatformRefused)):
        await stannp.balance()


async def test_a_refusal_with_a_good_status_is_seen(stannp: Stannp, double: StannpDouble) -> None:
    double.troubles.append(Trouble("accounts", status=200, body='{"success":false,"error":"No plan"}'))
    with pytest.raises(PlatformRefused, match="No plan"):
        await stannp.balance()


async def test_a_repeated_request_is_a_success(stannp: Stannp, double: StannpDouble) -> None:
    double.troubles.append(Trouble("accounts", status=409, body='{"success":true,"data":{"balance":"1"}}'))
    assert await stannp.balance() == 1


async def test_cancelling_is_asked_once_and_its_refusal_is_too_late(stannp: Stannp, double: StannpDouble) -> None:
    await stannp.cancel_piece("1001", "postcard")
    assert double.pieces[1001].status == "cancelled"
    with pytest.raises(TooLate):
        await stannp.cancel_piece("1001", "postcard")
    double.troubles.append(Trouble("letters/cancel", status=500))
    double.requests.clear()
    with pytest.raises(PlatformDown):
        await stannp.cancel_piece("1002", "letter")
    assert double.requests == ["POST letters/cancel"]


async def test_only_an_unbooked_campaign_can_be_deleted(stannp: Stannp, double: StannpDouble) -> None:
    await stannp.delete_campaign("224")
    with pytest.raises(CampaignBooked, match="dashboard"):
        await stannp.delete_campaign("222")
    with pytest.raises(CampaignUnknown):
        await stannp.campaign("224")


def test_the_key_does_not_show(clock: FakeClock) -> None:
    made = Stannp(None, clock, "https://api-us1.stannp.com/v1", "the-secret-key", "the-webhook-secret")  # type: ignore[arg-type]
    assert "secret" not in repr(made)
    assert made.dashboard("7") == "https://app-us1.stannp.com/campaigns/7"


def test_every_rudeness_can_be_switched_on_alone_and_all_of_a_kind_together() -> None:
    assert all(Rude.on(name) != Rude() for name in Rude.names(attacks=True))
    assert {"me_403", "timeline_500", "short_pages"} <= set(Rude.names())
    assert "endless" not in Rude.names()
    crowds = [Rude.on(*crowd) for crowd in Rude.crowds()]
    assert [crowd.newer_report for crowd in crowds] == list(REFUSALS)
    assert all(crowd.bare_campaigns and crowd.slow and not crowd.huge for crowd in crowds)
    with pytest.raises(KeyError):
        Rude.on("kind")


async def test_lists_are_followed_until_a_page_brings_nothing_new(stannp: Stannp, double: StannpDouble) -> None:
    double.rude = Rude.on("short_pages")
    double.pieces = {n: a_mailpiece(n) for n in range(1, 21)}
    double.campaigns = {n: MailCampaign(n, "x", "draft", BORN) for n in range(1, 21)}
    assert sum(count for _, count in await pages(stannp)) == 20
    assert len(await stannp.campaigns()) == 20


@pytest.mark.parametrize(
    "odd", [{"postcode": "\ud800"}, {"format": float("nan")}, {"cost": float("inf")}], ids=["half", "NaN", "Infinity"]
)
async def test_a_page_of_odd_json_does_not_end_the_report(
    stannp: Stannp, double: StannpDouble, odd: dict[str, object]
) -> None:
    """What json.loads takes and stricter readers refuse: each of its objects is a piece all the same."""
    double.rude = Rude.on("short_pages")
    double.pieces = {n: a_mailpiece(n) for n in range(1, 21)}
    double.pieces[9] = a_mailpiece(9, **odd)
    assert [count for _, count in await pages(stannp)] == [7, 7, 6]


async def test_a_page_of_unreadable_objects_does_not_end_the_report(stannp: Stannp, double: StannpDouble) -> None:
    double.rude = Rude.on("short_pages")
    double.pieces = {n: a_mailpiece(max(0, n)) for n in range(-6, 21)}
    assert [count for _, count in await pages(stannp)] == [0, 7, 7, 6]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("route", [None, "directMail/list"])
async def test_the_classic_report_answers_where_the_newer_one_does_not(
    stannp: Stannp, double: StannpDouble, status: int, route: str | None
) -> None:
    double.rude = Rude.on(f"newer_report_{status}")
    assert await pages(stannp, route) == [("list", 2)]


async def test_a_list_that_does_not_end_is_cut_and_what_was_read_is_kept(
    stannp: Stannp, double: StannpDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.stannp.client.MOST_PAGES", 4, raising=False)
    double.rude = Rude.on("endless")
    read: list[int] = []

    async def read_on() -> None:
        async for page in stannp.pieces(BORN.date(), BORN.date(), None):
            read.append(len(page.batch.pieces))
            assert len(read) < 9, "it goes on for ever"

    with pytest.raises(PlatformRefused, match="did not end after 4 pages"):
        await read_on()
    assert read == [500] * 4


async def test_a_list_that_takes_too_long_is_cut_and_what_was_read_is_kept(
    stannp: Stannp, double: StannpDouble, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.platforms.stannp.client.MOST_PAGES", 9, raising=False)
    double.rude = Rude.on("endless")
    read: list[int] = []

    async def read_on() -> None:
        async for page in stannp.pieces(BORN.date(), BORN.date(), None):
            read.append(len(page.batch.pieces))
            clock.pass_time(minutes=6)

    with pytest.raises(PlatformRefused, match="did not end within 10 minutes"):
        await read_on()
    assert read == [500] * 2


@pytest.mark.parametrize(("what", "most"), [("campaigns", 16), ("singles", 64), ("report", 16)])
async def test_an_answer_without_measure_is_not_read_to_its_end(
    stannp: Stannp, double: StannpDouble, what: str, most: int
) -> None:
    double.rude = Rude.on("huge")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reading: dict[str, Callable[[], Awaitable[object]]] = {
        "campaigns": stannp.campaigns, "singles": partial(placed, stannp), "report": partial(pages, stannp),
    }  # fmt: skip
    with pytest.raises(PlatformRefused, match=f"more than {most} MB"):
        await reading[what]()
    # Kilobytes, on Linux.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 84_000 + most * 1000


async def test_a_campaigns_report_has_no_pages_and_is_read_though_it_is_longer_than_one(
    stannp: Stannp, double: StannpDouble
) -> None:
    told = {"status": "in_transit", "dispatched": None, "notes": "n" * 1000}
    double.extra_rows = [{"id": 9000 + number, **told} for number in range(20_000)]
    assert len(await placed(stannp)) == 20_000 + 2


async def test_a_pause_without_measure_is_an_hour(stannp: Stannp, double: StannpDouble) -> None:
    double.rude = Rude.on("busy_first")
    with pytest.raises(PlatformBusy) as caught:
        await stannp.balance()
    assert caught.value.retry_after == 3600
    assert await stannp.balance() == Decimal("214.42")
