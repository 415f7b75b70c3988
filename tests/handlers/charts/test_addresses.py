"""Signed addresses of pictures."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.charts import addresses
from handlers.charts.addresses import PictureGone
from handlers.charts.values import Pie
from storage.statuses import LIFECYCLE

NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)


KEY = b"for tests alone"


PIE = Pie("Your mail", "November 2026", tuple(range(1, len(LIFECYCLE) + 1)), 9)


def _token(pie: Pie, expires: datetime) -> str:
    return addresses.address("https://mail.example", KEY, pie, expires).rpartition("/")[2]


def test_a_pictures_address_carries_its_numbers_until_it_expires() -> None:
    token = _token(PIE, NOW + timedelta(hours=1))
    assert addresses.opened(KEY, token, NOW) == PIE
    with pytest.raises(PictureGone):
        addresses.opened(KEY, token, NOW + timedelta(hours=1, seconds=1))


@given(
    st.text(max_size=300) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode() + ".x.png")
)
def test_a_foreign_or_altered_address_shows_nothing(token: str) -> None:
    good = _token(PIE, NOW + timedelta(hours=1))
    for wrong in (token, good[:-8] + token, token + good, f"{token}.{good.partition('.')[2]}"):
        if wrong == good:
            continue
        with pytest.raises(PictureGone):
            addresses.opened(KEY, wrong, NOW)
    with pytest.raises(PictureGone):
        addresses.opened(b"another key", good, NOW)


def signed(said: bytes) -> str:
    packed = base64.urlsafe_b64encode(said).rstrip(b"=").decode()
    return f"{packed}.{addresses._signature(KEY, packed)}.png"


def test_what_another_version_signed_is_gone_where_this_one_cannot_read_it() -> None:
    later = int((NOW + timedelta(hours=1)).timestamp())
    known = LIFECYCLE[0].word
    read = addresses.opened(KEY, signed(json.dumps([later, "A", "b", {known: 3}, 1]).encode()), NOW)
    assert (read.title, read.caption, read.counts[0], sum(read.counts), read.other) == ("A", "b", 3, 3, 1)
    some = [
        b"no json",
        json.dumps([later, "A", "b", {known: 3}]).encode(),
        json.dumps([later, "A", "b", {"lost": 3}, 1]).encode(),
    ]
    for said in some:
        with pytest.raises(PictureGone):
            addresses.opened(KEY, signed(said), NOW)


def test_an_address_that_is_too_long_is_not_read() -> None:
    whole = signed(json.dumps([int(NOW.timestamp()), "A" * addresses.LONGEST_TOKEN, "", {}, 0]).encode())
    with pytest.raises(PictureGone):
        addresses.opened(KEY, whole, NOW)
    short = signed(json.dumps([int(NOW.timestamp()), "A", "", {}, 0]).encode())
    assert addresses.opened(KEY, short, NOW).counts == (0,) * len(LIFECYCLE), "just in time"
