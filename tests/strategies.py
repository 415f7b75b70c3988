"""Facts and words of all kinds, for Hypothesis; and whether Slack would take what is made of them."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from bot.sandbox.limits import check_message, check_view
from handlers.status import view as status_view
from handlers.text import parsing
from handlers.text.messages import Message
from handlers.text.parsing import ALL_TIME
from storage.records import (
    Campaign,
    CampaignId,
    CampaignStage,
    ChannelId,
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
        Campaign, ref=words_of.map(lambda t: t[:40] or "1"), name=words_of, stage=st.sampled_from(CampaignStage),
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


spans = st.just(ALL_TIME) | st.just(parsing.this_month(date(2026, 11, 1)))


standings = st.builds(
    status_view.Standing, mix=mixes, span=spans, today=st.just(date(2026, 11, 2)), currency=st.sampled_from(["USD", "CHF"]),
    balance=st.none() | st.just(Money(Decimal("-3.5"))), as_of=maybe, platform=st.just("Stannp"), stale=st.booleans(),
)  # fmt: skip


GENTLE = settings(
    max_examples=min(60, settings().max_examples),
    deadline=None,
    # A busy machine is no reason to fail.
    suppress_health_check=[HealthCheck.too_slow],
)


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


subscribed = st.builds(
    Subscription, st.just(ChannelId("C0OPS")), ids.map(CampaignId), st.frozensets(st.sampled_from(NotifyOn)), words_of, maybe,
    words_of.map(lambda t: t[:300]),
)  # fmt: skip
