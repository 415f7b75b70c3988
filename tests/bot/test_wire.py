"""Whatever Stannp sends, in every form that was seen, and whatever nobody should send."""

import ast
import contextlib
import hashlib
import inspect
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bot.platforms import values
from bot.platforms.stannp import wire, words
from bot.platforms.values import cut_json, parse_json, read_cut
from handlers.errors import PayloadRefused, SignatureRefused
from storage.records import CampaignStage, Source
from storage.statuses import Status

NOW = datetime(2026, 11, 2, 14, 0, tzinfo=UTC)
SECRET = "a secret"
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=12,
)
FIELDS = [
    "id", "mailpiece_id", "status", "timestamp", "dispatched", "tracking", "events", "cost", "campaign_id", "updated",
    "delivered_at", "firstname", "address1", "postcode", "name", "data", "success", "singles", "mailpieces",
]  # fmt: skip
rowlike = st.dictionaries(st.sampled_from(FIELDS), anything, max_size=8)


@given(value=anything)
def test_no_value_makes_a_reader_raise(value: Any) -> None:
    for read in (
        values.text,
        wire.identity,
        values.money,
        values.whole,
        values.moment,
        values.day,
        words.status,
        wire.account,
    ):
        read(value)


@given(row=rowlike | anything)
def test_no_piece_or_campaign_makes_a_list_unreadable(row: Any) -> None:
    good = {"id": 7, "timestamp": "2026-10-30 00:14:04", "status": "delivered"}
    batch, bad = wire.pieces([good, row], NOW, Source.POLL)
    assert batch.pieces[0].ref == "7"
    assert len(batch.pieces) + len(bad) == 2
    wire.campaigns([row])


@given(raw=st.binary(max_size=200))
def test_no_bytes_make_a_delivery_raise_anything_but_a_named_refusal(raw: bytes) -> None:
    with contextlib.suppress(PayloadRefused):
        wire.read_delivery(raw, NOW)
    wire.admit(raw, {"X-Stannp-Signature": wire.sign(raw, SECRET)}, SECRET)


@given(body=rowlike)
def test_no_signed_body_makes_a_delivery_raise(body: dict[str, Any]) -> None:
    raw = json.dumps({"event": "mailpiece_status", "mailpieces": [body], **body}).encode()
    wire.read_delivery(raw, NOW)


@given(raw=st.binary(min_size=1, max_size=80), place=st.integers(0, 79))
def test_a_flipped_byte_is_refused(raw: bytes, place: int) -> None:
    signature = wire.sign(raw, SECRET)
    at = place % len(raw)
    forged = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
    with pytest.raises(SignatureRefused):
        wire.admit(forged, {"X-Stannp-Signature": signature}, SECRET)


@pytest.mark.parametrize("signature", ["", "nonsense", "ü", "0" * 64])
def test_a_wrong_signature_is_refused(signature: str) -> None:
    with pytest.raises(SignatureRefused):
        wire.admit(b"{}", {"X-Stannp-Signature": signature}, SECRET)


@pytest.mark.parametrize("name", ["X-Stannp-Signature", "x-stannp-signature", "X-Stannp-Sigature"])
def test_both_spellings_of_the_signature_header_are_read(name: str) -> None:
    raw = b'{"webhook_id":0,"event":"mailpiece_status"}'
    for spelled in (name, name.upper(), name.lower()):
        assert wire.admit(raw, {"Host": "us", spelled: wire.sign(raw, SECRET)}, SECRET)


@pytest.mark.parametrize("secret", ["", SECRET])
def test_the_hand_shake_needs_no_signature_and_proves_nothing(secret: str) -> None:
    raw = b'{"webhook_id":0,"event":"test_url","created":"0000-00-00 00:00:00","retries":"0"}'
    assert not wire.admit(raw, {}, secret)
    assert not wire.admit(raw, {"X-Stannp-Signature": wire.sign(raw, SECRET)}, secret)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'"x"'])
def test_a_body_that_is_no_object_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(PayloadRefused):
        wire.read_delivery(raw, NOW)


@pytest.mark.parametrize("cost", ["1e400", '"1e400"', '"1e9999999"', '"-1e9999999"', "1e9999999", '"NaN"', '"sNaN"'])
def test_numbers_beyond_any_real_one_are_nothing(cost: str) -> None:
    row = values.parse_json(
        b'{"id": 7, "timestamp": "2026-10-30 00:14:04", "cost": %s, "status": "delivered"}' % cost.encode()
    )
    assert wire.piece(row, NOW, Source.POLL).pieces[0].cost is None
    assert wire.campaigns([row])[0][0].cost is None


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("received", Status.RECEIVED), ("queueing", Status.RECEIVED), ("printing", Status.PRODUCING),
        ("producing", Status.PRODUCING), ("dispatched", Status.HANDED_OVER), ("Handed Over", Status.HANDED_OVER),
        ("In Transit", Status.IN_TRANSIT), ("in_transit", Status.IN_TRANSIT), ("local delivery", Status.LOCAL_DELIVERY),
        ("DELIVERED", Status.DELIVERED), ("returned", Status.RETURNED), ("canceled", Status.CANCELLED),
        ("error", None), ("test", None), ("", None),
    ],
)  # fmt: skip
def test_every_word_that_was_seen_is_understood_and_others_are_kept(word: str, status: Status | None) -> None:
    assert words.status(word) == (status, word)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2018-02-11 07:08:55", datetime(2018, 2, 11, 7, 8, 55, tzinfo=UTC)),
        ("2024-01-15T10:30:00+00:00", datetime(2024, 1, 15, 10, 30, tzinfo=UTC)),
        ("2015-04-26T10:40:00Z", datetime(2015, 4, 26, 10, 40, tzinfo=UTC)),
        ("2024-01-15T10:30:00+02:00", datetime(2024, 1, 15, 8, 30, tzinfo=UTC)),
        ("2024-10-09", datetime(2024, 10, 9, tzinfo=UTC)),
        ("0000-00-00 00:00:00", None), ("", None), (None, None), ("0", None), ("soon", None), ("2024-13-45", None),
    ],
)  # fmt: skip
def test_both_forms_of_moments_and_zeros(value: Any, moment: datetime | None) -> None:
    assert values.moment(value) == moment


@pytest.mark.parametrize("value", ["0.84", 0.84, "0.8400", Decimal("0.84")])
def test_money_as_text_or_number(value: Any) -> None:
    raw = json.dumps({"cost": value}, default=str).encode()
    assert values.money(values.parse_json(raw)["cost"]) == Decimal("0.84")


@pytest.mark.parametrize("wraps", [1, 2, 3])
def test_an_envelope_may_be_wrapped_again(wraps: int) -> None:
    body: Any = {"balance": "214.4200"}
    for _ in range(wraps):
        body = {"success": True, "data": body}
    assert wire.balance(wire.unwrap(body)) == Decimal("214.42")


@pytest.mark.parametrize(
    "tracking",
    [
        [{"status": "In Transit", "date": "2026-10-31 10:00:00", "location": "Dallas"}],
        [{"event": "in_transit", "scan_date": "2026-10-31T10:00:00Z", "scan_location": "Dallas"}],
        [{"name": "in transit", "datetime": "2026-10-31T10:00:00+00:00", "place": "Dallas"}],
    ],
)
def test_every_seen_shape_of_a_scan(tracking: Any) -> None:
    row = {"id": 7, "timestamp": "2026-10-30 00:14:04", "status": "received"}
    for name in ("tracking", "events"):
        scans = [c for c in wire.piece(row | {name: tracking}, NOW, Source.POLL).changes if c.place]
        assert [(c.status, c.exact, c.place, c.occurred_at.hour) for c in scans] == [
            (Status.IN_TRANSIT, True, "Dallas", 10)
        ]


def test_a_scan_without_a_moment_is_dated_by_when_it_was_heard() -> None:
    row = {
        "id": 7,
        "status": "received",
        "timestamp": "2026-10-30 00:14:04",
        "tracking": [{"status": "in_transit"}, None, "x"],
    }
    scan = wire.piece(row, NOW, Source.POLL).changes[0]
    assert (scan.status, scan.exact, scan.occurred_at) == (Status.IN_TRANSIT, False, NOW)


def test_a_planned_hand_over_is_not_a_hand_over() -> None:
    row = {"id": 7, "status": "printing", "timestamp": "2026-10-30 00:14:04", "dispatched": "2026-11-09 10:00:00"}
    statuses = {change.status for change in wire.piece(row, NOW, Source.POLL).changes}
    assert statuses == {Status.RECEIVED, Status.PRODUCING}


@pytest.mark.parametrize(("given", "kept"), [(0, ""), ("0", ""), ("", ""), (None, None), (222, "222"), ("222", "222")])
def test_the_campaign_of_a_piece(given: Any, kept: str | None) -> None:
    row = {"id": 7, "timestamp": "2026-10-30 00:14:04", "campaign_id": given}
    assert wire.piece(row, NOW, Source.POLL).pieces[0].campaign_ref == kept


@pytest.mark.parametrize(
    "body", [{"mailpieces": {"id": 7, "status": "delivered"}}, {"data": [{"id": 7, "status": "delivered"}]}]
)
def test_a_delivery_may_hold_a_lone_object_or_use_another_name(body: Any) -> None:
    raw = json.dumps({"event": "mailpiece_status", **body}).encode()
    delivery = wire.read_delivery(raw, NOW)
    assert [change.status for change in delivery.batch.changes] == [Status.DELIVERED]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Where is 16818211?", ["16818211"]),
        ("16818211, #16818212 and 16818211", ["16818211", "16818212"]),
        ("call 555-123-4567 or 2026-11-02, $1,234,567.00", []),
        ("12345 1234567890123 x16818211 16818211x 16818211-2", []),
        ("", []),
        (" ".join(str(16818211 + n) for n in range(30)), [str(16818211 + n) for n in range(10)]),
    ],
)
def test_piece_ids_in_a_message(text: str, ids: list[str]) -> None:
    assert wire.find_refs(text) == ids


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("draft", CampaignStage.DRAFT),
        ("Approved", CampaignStage.DRAFT),
        ("booked", CampaignStage.BOOKED),
        ("canceled", CampaignStage.CANCELLED),
        ("dreaming", CampaignStage.UNKNOWN),
        (7, CampaignStage.UNKNOWN),
        (None, None),
    ],
)
def test_a_campaigns_word_is_one_of_our_stages(word: Any, stage: CampaignStage | None) -> None:
    assert wire.campaign({"id": 1, "status": word}).stage is stage


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**25), 10**25) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "id", "x"]), inner),
    max_leaves=12,
)


def whole(value: Any) -> Any:
    """With everything read that was left unread."""
    if isinstance(value, list):
        return [whole(one) for one in value]
    return {key: whole(one) for key, one in value.items()} if isinstance(value, dict) else read_cut(value)


@given(JSON, st.sampled_from([None, 1]))
def test_an_answer_that_is_cut_says_what_it_says_whole(value: Any, indent: int | None) -> None:
    raw = json.dumps(value, indent=indent).encode()
    assert whole(wire.open_answer(raw)) == parse_json(raw)


#: Texts that look like what stands between two objects, or before a list.
TRICKS = st.sampled_from(["},{", "[{", '"data": [{', "}] , {", '\\"},{', "the list begins here", "x"])
REPORT = st.lists(st.dictionaries(TRICKS, TRICKS | st.lists(st.dictionaries(TRICKS, TRICKS, max_size=2), max_size=3)))
ENVELOPE = st.dictionaries(st.sampled_from(["data", "singles", "success", "errors"]), REPORT | TRICKS | JSON)


@given(
    REPORT | ENVELOPE | ENVELOPE.map(lambda inner: {"success": True, "data": inner}),
    st.integers(0, 60),
    st.none() | st.just(1),
)
def test_an_answer_cut_in_stretches_says_what_it_says_whole(value: Any, stretch: int, indent: int | None) -> None:
    raw = json.dumps(value, indent=indent).encode()
    assert whole(cut_json(raw, wire.LISTS, stretch)) == parse_json(raw)


def test_an_envelope_may_say_what_looks_like_a_list() -> None:
    rows = [{"id": number, "text": "x" * 100} for number in range(9000)]
    raw = json.dumps({"note": "[{", "success": True, "data": rows}).encode()
    assert len(cut_json(raw, wire.LISTS)["data"]) == len(rows)


def test_no_stretch_of_a_report_is_longer_than_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = json.dumps({"success": True, "data": [{"id": number, "text": "},{"} for number in range(100)]}).encode()
    lengths: list[int] = []

    def decode(given: bytes, known: Callable[[bytes], list[Raw]] = values._LIST.decode) -> list[Raw]:
        lengths.append(len(given))
        return known(given)

    monkeypatch.setattr(values, "_LIST", SimpleNamespace(decode=decode))
    assert whole(cut_json(raw, wire.LISTS, 200)) == parse_json(raw)
    assert sum(lengths) > len(raw)
    assert max(lengths) < 300


@given(st.binary(max_size=40))
def test_no_bytes_are_cut_into_anything_but_json(raw: bytes) -> None:
    with contextlib.suppress(ValueError):
        read = parse_json(raw)
        assert whole(wire.open_answer(raw)) == read


@pytest.mark.parametrize(
    "raw", [b'{"data": [' + b"[" * 1_200_000, b"[" + b"1," * 600_000, b"[NaN, " + b"1," * 600_000 + b"1]"]
)
def test_a_long_answer_that_is_no_json_is_refused_without_being_read(raw: bytes) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        wire.open_answer(raw)


def test_an_object_without_measure_is_unreadable_and_the_others_are_read() -> None:
    rows = [{"id": 1, "tracking": ["x" * 600_000]}, {"id": 2, "status": "delivered"}]
    batch, bad = wire.report_pieces(wire.report_rows(wire.open_answer(json.dumps(rows).encode())), NOW)
    assert [piece.ref for piece in batch.pieces] == ["2"]
    assert len(bad) == 1


def test_rows_are_told_apart_by_their_bytes() -> None:
    def prints(*rows: Any) -> list[tuple[str, int]]:
        return [(row.ref, row.print) for row in wire.report_rows(wire.open_answer(json.dumps(rows).encode()))]

    first = prints({"id": 1, "status": "received"}, {"mailpiece_id": "2"})
    assert [ref for ref, _ in first] == ["1", "2"]
    assert prints({"id": 1, "status": "received"}) == first[:1]
    assert prints({"id": 1, "status": "delivered"}) != first[:1]
    # Of a piece that is told of twice, and of what has no plain id, each row is read.
    assert prints({"id": 1}, {"id": 1, "status": "received"}, {"id": [3]}) == [("1", 0), ("1", 0), ("", 0)]


@pytest.mark.parametrize(
    "raw",
    [
        b'[{"id": 7, "x": NaN}]', b'[{"id": "7", "x": "\\ud800"}]', b'\xef\xbb\xbf[{"id": 7}]', b'[{"mailpiece_id": "7", "id": {}}]',
        b'[{"id": 7, "mailpiece_id": {}}]', b'[{"id": 7.5}]', b'[{"id": true, "mailpiece_id": 7}]',
    ],
)  # fmt: skip
def test_a_row_names_the_piece_that_is_read_of_it(raw: bytes) -> None:
    rows = wire.report_rows(wire.open_answer(raw))
    batch, bad = wire.report_pieces(rows, NOW)
    assert [row.ref for row in rows] == [piece.ref for piece in batch.pieces] != []
    assert bad == []


def what_reads(root: Callable[..., object]) -> str:
    """This function and all of the platform's own that it calls, and the tables that they look into; no comments."""
    told: dict[str, str] = {}
    waiting: list[tuple[str, object]] = [(root.__name__, root)]
    while waiting:
        name, thing = waiting.pop()
        if name in told:
            continue
        if isinstance(thing, FunctionType) and thing.__module__.startswith("bot.platforms."):
            source = inspect.getsource(thing)
            told[name] = "".join(re.sub(r"^\s*#.*$", "", source, flags=re.MULTILINE).split())
            named = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
            waiting += [(name, thing.__globals__[name]) for name in named & thing.__globals__.keys()]
        elif isinstance(thing, (str, int, Decimal, dict)):
            told[name] = repr(thing)
    return "\n".join(f"{name}: {told[name]}" for name in sorted(told))


def test_whoever_reads_rows_otherwise_says_so_in_their_fingerprints() -> None:
    """Else a row that a newer version would understand stays recognized, and as it was read, until its bytes change."""
    reader = what_reads(wire.report_pieces)
    assert "printing" in reader
    assert "def_milestones" in reader
    assert (wire.READING, hashlib.sha256(reader.encode()).hexdigest()[:16]) == (b"1", "2a8b25037502074b"), (
        "What is read of a row has changed. If any row means something else now, raise wire.READING, so that each is "
        "read anew once; then write both down here."
    )
