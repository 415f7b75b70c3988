"""Signed addresses of pictures."""

import base64
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
