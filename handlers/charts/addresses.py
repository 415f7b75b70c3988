"""A picture's address, where Slack cannot be given a file: signed, expiring, and carrying the numbers that it shows.

Whether Slack shows an uploaded file in Home is not certain, and what it fetched it keeps by its address: so each
picture has an address of its own, which whoever has it may open until it expires. It holds counts and no names.
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import datetime
from typing import Final

from handlers.charts.values import Pie
from handlers.errors import Refusal
from storage.statuses import BY_WORD, LIFECYCLE

#: Of the signature: 128 bits.
SIGNED: Final = 22
LONGEST_TOKEN: Final = 1500


class PictureGone(Refusal):
    """This picture's address has expired, or was never ours."""


def address(base: str, key: bytes, pie: Pie, expires: datetime) -> str:
    """Where this pie can be fetched until then; `base` is our own outside address."""
    # By name: the address outlives a version, and the next one may know more statuses.
    counts = {status.word: number for status, number in zip(LIFECYCLE, pie.counts, strict=True) if number}
    packed = json.dumps([int(expires.timestamp()), pie.title, pie.caption, counts, pie.other]).encode()
    token = base64.urlsafe_b64encode(packed).rstrip(b"=").decode()
    return f"{base}/pictures/{token}.{_signature(key, token)}.png"


def opened(key: bytes, token: str, now: datetime) -> Pie:
    """The pie of an address made by `address`; raises PictureGone."""
    packed, _, signature = token.removesuffix(".png").partition(".")
    if len(token) > LONGEST_TOKEN or not hmac.compare_digest(signature.encode(), _signature(key, packed).encode()):
        raise PictureGone
    try:
        expires, title, caption, counts, other = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    except (ValueError, binascii.Error):
        # Also what an earlier version wrote.
        raise PictureGone from None
    if now.timestamp() > expires or not counts.keys() <= BY_WORD.keys():
        raise PictureGone
    return Pie(title, caption, tuple(counts.get(status.word, 0) for status in LIFECYCLE), other)


def _signature(key: bytes, token: str) -> str:
    digest = hmac.new(key, token.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:SIGNED]
