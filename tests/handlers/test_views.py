"""Every message stays within Slack's limits and mentions nobody, whatever names and words are in it."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.limits import check_message, check_view
from handlers.alerts import digest_view
from handlers.alerts import view as alerts_view
from handlers.alerts.notices import plan
from handlers.cancel import view as cancel_view
from handlers.context.ports import AddressCheck
from handlers.forecast.model import Outlook, Progress
from handlers.home import view as home_view
from handlers.pieces import view as pieces_view
from handlers.returns import view as returns_view
from handlers.status import runway
from handlers.status import view as status_view
from handlers.text import buttons, messages, short_answers
from handlers.text.messages import Message, clip, escape, quote
from handlers.text.parsing import ALL_TIME, Range
from handlers.track import view as track_view
from storage import cancellations
from storage.outbox import Item
from storage.queries.mail import Days
from storage.queries.piece_pages import PieceFilter
from storage.queries.returns import Note, Place
from storage.records import (
    Campaign,
    CampaignId,
    ChannelId,
    ChannelSettings,
    KnownCampaign,
    Mix,
    Money,
    NotifyOn,
    PieceId,
    Recipient,
    Scan,
    StoredCampaign,
    StoredPiece,
    Subscription,
    Told,
)
from storage.statuses import Status

NOW = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)
#: What people put into names to see what happens.
nasty = st.sampled_from(
    ["<!channel>", "<@U1>", "&lt;!here&gt;", "*_~`", "x" * 4000, "\u202eevil", "", " ", "🎄" * 200, "<", "&"]
)
words_of = st.text(max_size=300) | nasty
ids = st.integers(1, 2**60)
maybe = st.none() | st.just(NOW) | st.just(NOW - timedelta(days=400))
mixes = st.builds(
    Mix,
    counts=st.dictionaries(st.sampled_from(Status), st.integers(0, 10_000_000)),
    other=st.integers(0, 1000),
    spent=st.decimals(0, 10**7, places=4),
)
campaigns = st.builds(
    StoredCampaign,
    id=ids.map(CampaignId),
    facts=st.builds(
        Campaign, ref=words_of.map(lambda t: t[:40] or "1"), name=words_of, status=st.sampled_from(["draft", "running", "x"]),
        created_at=maybe, send_on=st.none() | st.just(date(2026, 12, 1)), recipients=st.none() | st.integers(0, 10**8),
    ),
    handed_over_first=maybe,
    handed_over_last=maybe,
    delivered_first=maybe,
)  # fmt: skip
recipients = st.builds(Recipient, words_of, words_of, words_of, words_of, words_of, words_of, words_of)
stored = st.builds(
    StoredPiece,
    id=ids.map(PieceId),
    ref=words_of.map(lambda t: t[:300]),
    status=st.none() | st.sampled_from(Status),
    status_at=maybe,
    kind=words_of.map(lambda t: t[:300]),
    format=words_of.map(lambda t: t[:300]),
    created_at=st.just(NOW),
    dispatched_at=maybe,
    cost=st.none() | st.just(Decimal("0.84")),
    campaign_id=ids.map(CampaignId),
    campaign_name=words_of,
    recipient=recipients,
    word=words_of.map(lambda t: t[:80]),
)
scans = st.builds(
    Scan,
    st.none() | st.sampled_from(Status),
    words_of.map(lambda t: t[:80]),
    st.just(NOW),
    st.booleans(),
    words_of.map(lambda t: t[:300]),
)
told = st.builds(
    Told,
    st.just(ChannelId("C0OPS")),
    st.sampled_from([Status.DELIVERED, Status.RETURNED]),
    maybe,
    words_of.map(lambda t: t[:300]),
)
spans = st.just(ALL_TIME) | st.just(Range(Days(date(2026, 11, 1), date(2026, 11, 30)), "November 2026"))
standings = st.builds(
    status_view.Standing, mix=mixes, span=spans, today=st.just(date(2026, 11, 2)), currency=st.sampled_from(["USD", "CHF"]),
    balance=st.none() | st.just(Money(Decimal("-3.5"))), as_of=maybe, stale=st.booleans(),
)  # fmt: skip
GENTLE = settings(max_examples=60, deadline=None)


def fine(*shown: Message | dict[str, Any]) -> None:
    """Slack would take it, and nobody is called by it."""
    for one in shown:
        if isinstance(one, Message):
            assert check_message(one.text, list(one.blocks)) == []
            texts = [one.text, *mrkdwn(one.blocks)]
        else:
            assert check_view(one) == []
            texts = mrkdwn(one["blocks"])
        for text in texts:
            for token in re.findall(r"<([^<>]*)>", text):
                assert re.match(r"!date\^\d+\^|[#@](C0OPS|U0ANA)$", token), token


def mrkdwn(blocks: Any) -> list[str]:
    if isinstance(blocks, dict):
        own = [blocks["text"]] if blocks.get("type") == "mrkdwn" else []
        return own + [text for value in blocks.values() if isinstance(value, (dict, list)) for text in mrkdwn(value)]
    return [text for block in blocks if isinstance(block, (dict, list)) for text in mrkdwn(block)]


@given(campaign=campaigns, standing=standings)
@GENTLE
def test_a_campaigns_answer(campaign: StoredCampaign, standing: status_view.Standing) -> None:
    message = status_view.campaign_answer(campaign, standing, b"png")
    day = date(2026, 11, 9)
    known = Progress(6, 0.55, 0.71, (day, day, day), 5)
    fine(message, status_view.campaign_answer(campaign, standing, None, known))
    assert message.picture is not None
    # The picture's numbers are all in the words.
    for _, number in standing.mix.in_order():
        assert f"{number:,}" in message.text or not number


@given(lines=st.lists(st.builds(status_view.CampaignLine, campaigns, mixes), max_size=12), standing=standings)
@GENTLE
def test_the_accounts_answer(lines: list[status_view.CampaignLine], standing: status_view.Standing) -> None:
    fine(status_view.account_answer(lines[: status_view.LISTED], len(lines), standing, None))


@given(asked=words_of, found=st.lists(campaigns, min_size=1, max_size=12), span=spans)
@GENTLE
def test_choices_and_refusals(asked: str, found: list[StoredCampaign], span: Range) -> None:
    fine(status_view.pick_campaign(quote(asked), found, span))
    fine(
        short_answers.not_found(quote(asked), [one.facts.name[:80] for one in found[:3]]),
        short_answers.no_piece(quote(asked)),
    )
    fine(
        short_answers.help_status(found[0].facts.name[:200]),
        short_answers.help_track(asked[:200]),
        short_answers.help_alerts(),
        short_answers.failed("abc"),
    )


@given(piece=stored, lines=st.lists(scans, max_size=40), sent=st.lists(told, max_size=4))
@GENTLE
def test_a_pieces_answer(piece: StoredPiece, lines: list[Scan], sent: list[Told]) -> None:
    message = track_view.piece_answer(piece, lines, sent, Outlook(), "a remark")
    fine(message, messages.modal(f"Piece {piece.ref}", message.blocks))


@given(asked=words_of, found=st.lists(stored, min_size=1, max_size=25), campaign=campaigns)
@GENTLE
def test_lists_of_pieces(asked: str, found: list[StoredPiece], campaign: StoredCampaign) -> None:
    fine(track_view.pick_piece(quote(asked), found, more=True))


@given(
    campaign=campaigns,
    mix=mixes,
    pieces=st.lists(stored, min_size=1, max_size=30),
    outcome=st.sampled_from(cancellations.Outcome),
)
@GENTLE
def test_everything_about_cancelling(
    campaign: StoredCampaign, mix: Mix, pieces: list[StoredPiece], outcome: cancellations.Outcome
) -> None:
    money = Money(Decimal("15.12"))
    results = [cancel_view.Result(piece, outcome, piece.status) for piece in pieces]
    fine(cancel_view.dry_run(cancel_view.DryRun(campaign, mix, 18, money, 3, "https://x.example", "C0OPS", 7)))
    fine(cancel_view.delete_form(campaign, "C0OPS"), cancel_view.nothing_to_cancel(campaign, "https://x.example"))
    who = cancel_view.Who("U0ANA", NOW, "U0ANA")
    fine(
        cancel_view.piece_result(results[0], who, money),
        cancel_view.deleted(campaign, who),
        cancel_view.begun("X", 4, 300),
    )
    for late in (False, True):
        fine(cancel_view.campaign_result(campaign, results, who, money, "https://x.example", late=late))


subscribed = st.builds(
    Subscription, st.just(ChannelId("C0OPS")), ids.map(CampaignId), st.frozensets(st.sampled_from(NotifyOn)), words_of, maybe,
    words_of.map(lambda t: t[:300]),
)  # fmt: skip


@given(
    campaign=campaigns,
    mix=mixes,
    pieces=st.lists(stored, min_size=1, max_size=30),
    current=st.lists(subscribed, max_size=12),
)
@GENTLE
def test_everything_about_alerts(
    campaign: StoredCampaign, mix: Mix, pieces: list[StoredPiece], current: list[Subscription]
) -> None:
    channel = ChannelId("C0OPS")
    fine(
        alerts_view.settings_form(channel, current, [campaign], ChannelSettings("Europe/Paris", 9, (22, 7), 5)),
        alerts_view.listing(channel, current),
    )
    fine(alerts_view.card(campaign, mix, "Spent $1", NOW), alerts_view.card(None, mix, "Spent $1", NOW))
    fine(alerts_view.confirmed("*x*", frozenset(NotifyOn), "U0ANA"))
    for what in (Status.DELIVERED, Status.RETURNED, Status.CANCELLED):
        fine(alerts_view.news(campaign.facts.name, what, pieces, len(pieces) + 40))


@given(who=recipients)
def test_a_channel_never_reads_a_surname_an_address_or_a_whole_zip(who: Recipient) -> None:
    plain = Recipient("Jane Quuxley", "Acme", "1234 Main Street", "Austin", "TX", "78701", "US")
    shown = track_view.short_name(plain)
    assert shown == "Jane Q., Austin TX 787••"
    track_view.short_name(who)


@given(text=words_of, limit=st.integers(5, 60))
def test_clipping_keeps_the_limit_and_cuts_no_mark_in_half(text: str, limit: int) -> None:
    clipped = clip(escape(text), limit)
    assert len(clipped) <= limit
    assert not re.search(r"&[a-z]{0,3}…$", clipped)


@given(campaign_id=st.none() | ids.map(CampaignId), span=spans)
def test_a_buttons_value_is_read_back(campaign_id: CampaignId | None, span: Range) -> None:
    assert buttons.carried(buttons.carry(campaign_id, span.days)) == (campaign_id, span)


@given(
    items=st.lists(
        st.builds(
            Item,
            ids,
            st.sampled_from([PieceId(1), PieceId(2)]),
            st.sampled_from([Status.DELIVERED, Status.RETURNED, Status.CANCELLED]),
        ),
        unique=True,
    ),
    notify_on=st.frozensets(st.sampled_from(NotifyOn)),
    piece=stored,
)
def test_no_row_is_dropped_and_none_is_told_twice(
    items: list[Item], notify_on: frozenset[NotifyOn], piece: StoredPiece
) -> None:
    done = plan(items, notify_on, {PieceId(1): piece})
    told_rows = [item for _, group in done.groups for item in group]
    assert sorted(told_rows + list(done.quiet), key=str) == sorted(items, key=str)
    assert all(item.status is piece.status for item in told_rows)


def test_an_estimate_is_called_one_and_unscanned_mail_is_not_called_lost() -> None:
    assert "estimate" in status_view.caveats(Mix({Status.DELIVERED: 5}))
    assert "not lost" in status_view.caveats(Mix({Status.DELIVERED: 5, Status.HANDED_OVER: 1}))
    assert "first scan" in status_view.caveats(Mix({Status.HANDED_OVER: 5}))
    assert status_view.caveats(Mix({Status.RECEIVED: 5})) == ""


def test_the_checker_finds_what_slack_would_refuse() -> None:
    wrong = [
        [messages.section("x" * 3000) | {"text": {"type": "mrkdwn", "text": "x" * 3001}}],
        [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}],
        [{"type": "actions", "elements": []}],
        [{"type": "image", "alt_text": "x"}],
        [{"type": "made_up"}],
        [messages.divider()] * 51,
        [messages.actions(messages.button("a", "b", "c"), messages.button("a", "b", "c"))],
        [messages.actions(messages.button("a", "b", "c") | {"value": "x" * 2001})],
    ]
    for blocks in wrong:
        assert check_message("text", blocks)
    assert check_message("", [messages.divider()])
    assert check_view({"type": "modal", "title": {"type": "plain_text", "text": "x" * 25}, "blocks": []})


@GENTLE
@given(campaigns, mixes, st.lists(stored, max_size=25), st.none() | st.sampled_from(Status), words_of, st.booleans())
def test_the_list_of_a_campaigns_pieces(
    campaign: StoredCampaign,
    mix: Mix,
    page: Sequence[StoredPiece],
    status: Status | None,
    asked: str,
    further: bool,
) -> None:
    only = PieceFilter(status, asked[: pieces_view.LONGEST_ASKED])
    for shown in (page, []):
        if shown or mix.total:
            fine(pieces_view.details(pieces_view.Listing(campaign, mix, only, shown, PieceId(7) if further else None)))
    assert pieces_view.unpacked(pieces_view.packed(campaign.id, only)) == (campaign.id, only)
    fine(pieces_view.export_begun(campaign.facts.name))


@GENTLE
@given(
    standings,
    st.lists(st.builds(status_view.CampaignLine, campaigns, mixes), max_size=99),
    st.integers(0, 2),
    st.booleans(),
)
def test_home(
    standing: status_view.Standing, lines: Sequence[status_view.CampaignLine], page: int, pictured: bool
) -> None:
    address = "https://mail.example/pictures/x.png" if pictured else ""
    page = min(page, max(len(lines) - 1, 0) // home_view.PAGE)
    here = lines[page * home_view.PAGE : (page + 1) * home_view.PAGE]
    report = home_view.Report(standing, here, len(lines), "all", page, address, note="<!here>")
    shown = home_view.home(report)
    fine(shown)
    for status_, number in standing.mix.in_order():
        # Every number of the picture stands in words beside it.
        assert not number or f"{number:,}" in str(shown), status_
    fine(home_view.home(home_view.Report(standing, [], 0, "2026-11-01..2026-11-30", known=False)))


@GENTLE
@given(
    st.dictionaries(st.sampled_from(["delivered", "returned", "cancelled", "mailed"]), st.integers(-5, 10**7)),
    st.integers(0, 10**6),
    campaigns,
    mixes,
)
def test_digests_and_alarms(since: dict[str, int], number: int, campaign: StoredCampaign, mix: Mix) -> None:
    short = runway.Runway(Money(Decimal(10)), number % 3, Decimal(number % 7), date(2026, 12, 12), campaign.facts.name)
    told = digest_view.Morning(since, Money(Decimal(number)), number, number, short)
    fine(digest_view.morning(told))
    assert told.is_news
    assert not digest_view.Morning({}, Money(Decimal(5)), due=3).is_news
    fine(
        digest_view.week([status_view.CampaignLine(campaign, mix)] * 30, mix, Money(Decimal(number)), date(2026, 11, 2))
    )
    for usual in (0.021, None):
        raised = digest_view.Alarm(campaign, number, number + 1, 5, usual)
        fine(digest_view.alarm([raised]), digest_view.alarm([raised] * 30))


@GENTLE
@given(campaigns, mixes, st.lists(stored, max_size=20), st.sampled_from([*returns_view.REASONS, "", "?"]), words_of)
def test_the_returns_desk(
    campaign: StoredCampaign, mix: Mix, page: Sequence[StoredPiece], reason: str, place: str
) -> None:
    places = Counter({Place(place, place[:3]): 5, Place("", ""): 1})
    note = Note(reason, "U0ANA" if reason else "", "U0ANA", NOW)
    notes = {piece.id: note for piece in page[::2]}
    fine(returns_view.desk(returns_view.Returns(campaign, mix, 0.02, places, page, notes, "C0OPS,1.1")))
    fine(returns_view.desk(returns_view.Returns(campaign, mix, None, Counter(), [], {}, after=PieceId(3))))
    fine(returns_view.map_answer(campaign, places, "by state"))
    for piece in page[:3]:
        check = AddressCheck(True, piece.recipient)
        fine(returns_view.returned_piece(piece, note, check, "<!here>"), returns_view.returned_piece(piece, Note()))
    assert "not know" in returns_view.check_text(AddressCheck(False, Recipient()))


@GENTLE
@given(
    st.lists(st.tuples(st.integers(0, 40), st.decimals(1, 500, places=2), st.booleans()), max_size=8),
    st.decimals(0, 1000, places=2),
)
def test_the_balance_covers_booked_drops_in_their_order(
    drops: list[tuple[int, Decimal, bool]], balance: Decimal
) -> None:
    today = date(2026, 11, 2)
    booked = [
        StoredCampaign(
            CampaignId(n + 1),
            KnownCampaign(str(n), f"Drop {n}", "booked", send_on=today + timedelta(days=days), cost=cost),
        )
        for n, (days, cost, _) in enumerate(drops)
    ]
    mixes = {one.id: Mix({Status.RECEIVED: 5}) for one, (_, _, paid) in zip(booked, drops, strict=True) if paid}
    found = runway.runway_of(booked, mixes, Money(balance), today)
    open_ = sorted((days, cost) for days, cost, paid in drops if not paid)
    if found is None:
        assert not open_
        return
    costs = [cost for _, cost in open_]
    assert sum(costs[: found.covered]) <= balance
    if found.short:
        assert sum(costs[: found.covered + 1]) == balance + found.short
    else:
        assert found.covered == len(costs)
    assert "$" in runway.runway_text(found)
