"""Stannp's bytes to our records. Pure: no I/O, and nothing that arrives can raise anything but a named refusal.

Where Stannp's documents contradict each other every form that was ever seen is read: ids and money as text or
number, two date forms and zeros, single and double envelopes, several shapes of `tracking`.
"""

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from bot.platforms.stannp.words import stage, status
from bot.platforms.values import (
    LONGEST_TEXT,
    Json,
    UnreadableError,
    cut_json,
    day,
    moment,
    money,
    parse_json,
    price,
    read_cut,
    text,
    whole,
)
from handlers.context.ports import AddressCheck, Delivery
from handlers.errors import PayloadRefused, SignatureRefused
from storage.ledger.apply import merged
from storage.records import Batch, Campaign, Change, Piece, Recipient, Source
from storage.statuses import Status

NAME: Final = "Stannp"
FORGED: Final = "The webhook's signature does not fit STANNP_WEBHOOK_SECRET."

#: The event of the call that Stannp makes when a webhook is being added (API reference, "Webhooks").
HANDSHAKE: Final = b"test_url"
#: Documented as X-Stannp-Signature; several of Stannp's pages print the second spelling.
SIGNATURE_HEADERS: Final = ("x-stannp-signature", "x-stannp-sigature")
MOST_DETAIL: Final = 200
#: Objects of one webhook call that are read: ten times what Stannp sends. The polls bring what is beyond.
MOST_OBJECTS: Final = 500


#: Where an answer holds its list, envelopes and all.
LISTS: Final = frozenset({"data", "singles", "mailpieces", "campaigns"})


def open_answer(raw: bytes) -> Json:
    """An answer with its envelope read and the objects of its list left unread. Raises ValueError for no JSON."""
    return cut_json(raw, LISTS)


def unwrap(body: Json) -> Json:
    """What the envelope holds; some answers wrap it twice. Raises UnreadableError when there is none."""
    while isinstance(body, dict) and "data" in body and "success" in body:
        body = body["data"]
    if body is None:
        raise UnreadableError("no data")
    return body


def refusal_text(body: Json) -> str | None:
    """What Stannp says when it refuses, however deep it is wrapped; None when it does not refuse."""
    while isinstance(body, dict):
        if body.get("success") in (False, 0, "0", "false"):
            return text(body.get("error")) or "no reason given"
        body = body.get("data")
    return None


def identity(value: Json) -> str:
    """An id as text; "" for none. 0 means none to Stannp."""
    found = text(value)
    return "" if found in ("", "0", "None", "null") else found


#: Ids that are looked for in one message.
IDS_READ: Final = 10


def find_refs(said: str) -> list[str]:
    """What may be piece ids in a message: numbers of six to twelve digits, each once, in their order."""
    return list(dict.fromkeys(re.findall(r"(?<![\w.-])#?(\d{6,12})(?![\w-])", said)))[:IDS_READ]


def campaign(row: Json) -> Campaign:
    """What this row tells of a campaign; raises UnreadableError without an id.

    The objects of webhooks have no name and may lack more (Stannp's API reference, "Objects").
    """
    ref = identity(_get(row, "id"))
    if not ref:
        raise UnreadableError("a campaign without an id")
    return Campaign(
        ref=ref,
        name=text(row.get("name")) or None,
        stage=stage(row.get("status")),
        kind=text(row.get("type")) or None,
        created_at=moment(row.get("created")),
        updated_at=moment(row.get("updated")),
        send_on=day(row.get("send_date")),
        recipients=whole(row.get("recipients")),
        cost=price(row.get("cost")),
    )


def _get(row: Json, key: str) -> Json:
    if not isinstance(row, dict):
        raise UnreadableError("not an object")
    return row.get(key)


def piece(row: Json, now: datetime, source: Source, *, detailed: bool = False) -> Batch:
    """A piece with all that this row says of it; raises UnreadableError without an id.

    `now` stands in for moments that the platform did not give.
    """
    ref = _piece_ref(row)
    if not ref:
        raise UnreadableError("a piece without an id")
    scans = tuple(_scans(row, ref, now, source))
    heard = (*scans, *_milestones(row, ref, now, source, scans))
    created = moment(row.get("timestamp")) or moment(row.get("created"))
    facts = Piece(
        ref=ref,
        created_at=created,
        kind=text(row.get("type")).casefold(),
        format=text(row.get("format")),
        dispatched_at=moment(row.get("dispatched")),
        cost=price(row.get("cost")),
        campaign_ref=identity(row["campaign_id"]) if row.get("campaign_id") is not None else None,
        recipient=recipient(row),
        detailed=detailed,
    )
    return Batch(pieces=(facts,), changes=heard)


def _piece_ref(row: Json) -> str:
    return identity(_get(row, "id")) or identity(row.get("mailpiece_id"))


def recipient(row: Mapping[str, Json]) -> Recipient:
    """Who it goes to, as far as this row says."""
    name = " ".join(part for part in (text(row.get("firstname")), text(row.get("lastname"))) if part)
    street = " ".join(part for n in (1, 2, 3) if (part := text(row.get(f"address{n}"))))
    return Recipient(
        name=name or text(row.get("name")),
        company=text(row.get("company")),
        address=street or text(row.get("address")),
        city=text(row.get("city")),
        region=text(row.get("county")) or text(row.get("state")),
        postcode=(text(row.get("postcode")) or text(row.get("zipcode"))).upper(),
        country=text(row.get("country")),
    )


def _milestones(
    row: Mapping[str, Json], ref: str, now: datetime, source: Source, scans: Sequence[Change]
) -> Iterator[Change]:
    """What the row itself says: when it was ordered and handed over, and where it stands now."""
    ordered, handed = moment(row.get("timestamp")), moment(row.get("dispatched"))
    current, word = status(row.get("status"))
    if ordered:
        yield Change(ref, Status.RECEIVED, ordered, source=source)
    # `dispatched` may be a planned date while the piece is still here.
    if handed and current is not None and current >= Status.HANDED_OVER:
        yield Change(ref, Status.HANDED_OVER, handed, source=source)
    if word and not (current is Status.RECEIVED and ordered) and not (current is Status.HANDED_OVER and handed):
        exact = moment(row.get("delivered_at")) if current is Status.DELIVERED else None
        place = text(row.get("delivered_location")) if exact else ""
        said = [exact or moment(row.get("updated")) or now, now]
        if exact is None and current is not None:
            # Beside a scan of it, the piece has stood there since that scan: it is old news, though it is told now.
            said += [scan.occurred_at for scan in scans if scan.exact and scan.status is current]
        yield Change(ref, current, min(said), exact=exact is not None, word=word, place=place, source=source)


def _scans(row: Mapping[str, Json], ref: str, now: datetime, source: Source) -> Iterator[Change]:
    """The timeline. Its shape is documented nowhere: these are the names that clients in production read."""
    listed = row.get("tracking") or row.get("events") or []
    for scan in listed[:MOST_DETAIL] if isinstance(listed, list) else []:
        if not isinstance(scan, dict):
            continue
        found, word = status(_first(scan, "status", "event", "name"))
        when = moment(_first(scan, "date", "scan_date", "datetime"))
        # A foreign word without a moment would be taken for where the piece is now.
        if word and (found is not None or when is not None):
            place = text(_first(scan, "location", "scan_location", "place"))
            yield Change(ref, found, when or now, exact=when is not None, word=word, place=place, source=source)


def _first(row: Mapping[str, Json], *names: str) -> Json:
    return next((row[name] for name in names if row.get(name)), None)


def rows(data: Json, *names: str) -> list[Json]:
    """The list in an answer: bare, under one of these names, or a lone object."""
    for name in names:
        if isinstance(data, dict) and name in data:
            data = data[name]
            break
    if isinstance(data, dict):
        return [data]
    return data if isinstance(data, list) else []


class Row(NamedTuple):
    """An object of a report, unread: the piece that it tells of ("" for none), and its fingerprint (0 for none)."""

    told: Json
    ref: str = ""
    print: int = 0

    @property
    def key(self) -> str | bytes:
        """What it has in common with the same object on another page."""
        return self.ref or (bytes(memoryview(self.told)) if isinstance(self.told, Raw) else repr(self.told))


class _Named(Struct):
    id: int | str | None = None
    mailpiece_id: int | str | None = None


_NAMED: Final = Decoder(_Named)
#: Rows of a report that are read at once: what is read of them is merged before the next are.
SLICE: Final = 500
#: Part of each fingerprint. Raise it when more, or something else, is read of an object: all are then read anew.
READING: Final = b"1"


def report_rows(data: Json, campaign_ref: str = "") -> list[Row]:
    """The objects of the account's or this campaign's report, unread. Of a piece told of twice, none is known."""
    # Whose report it stands in is part of what an object says, and may be told nowhere in it.
    whose = campaign_ref.encode()[: hashlib.blake2b.MAX_KEY_SIZE]
    found = [_row(told, whose) for told in rows(data, "singles", "mailpieces", "data")]
    times = Counter(row.ref for row in found)
    if len(times) == len(found):
        return found
    return [row._replace(print=0) if times[row.ref] > 1 else row for row in found]


def _row(told: Json, whose: bytes) -> Row:
    if not isinstance(told, Raw):
        return Row(told, _generous_ref(told))
    try:
        named = _NAMED.decode(told)
    except (DecodeError, RecursionError):
        return Row(told, _generous_ref(told))
    ref = (
        str(named.id) if type(named.id) is int and named.id > 0 else identity(named.id) or identity(named.mailpiece_id)
    )
    digest = hashlib.blake2b(told, digest_size=8, key=whose, person=READING).digest()
    # As large as both databases' whole numbers, and never 0.
    return Row(told, ref, int.from_bytes(digest, signed=True) or 1)


def _generous_ref(told: Json) -> str:
    """As `piece` reads it, where the fast reader could not; "" for none."""
    try:
        return _piece_ref(read_cut(told))
    except UnreadableError:
        return ""


def sliced(told: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """A report in slices; at least one, though it is empty."""
    return (told[first : first + SLICE] for first in range(0, max(len(told), 1), SLICE))


def report_pieces(told: Iterable[Row], now: datetime, campaign_ref: str | None = None) -> tuple[Batch, list[str]]:
    """The same as `pieces` of a report's rows. Each keeps its fingerprint: as one of this campaign's report, or else
    as one of the account's."""
    batch, bad = _read_pieces((row.told for row in told), now, Source.POLL)
    prints = {row.ref: row.print for row in told}
    return replace(batch, pieces=tuple(_marked(one, prints.get(one.ref), campaign_ref) for one in batch.pieces)), bad


def _marked(one: Piece, seen: int | None, campaign_ref: str | None) -> Piece:
    if campaign_ref is None:
        return replace(one, listed_print=seen or None)
    return replace(one, campaign_ref=campaign_ref, placed_print=seen or None)


def pieces(data: Json, now: datetime, source: Source) -> tuple[Batch, list[str]]:
    """All readable pieces in an answer, and for each unreadable one a word for the log (its id, if it has one)."""
    return _read_pieces(rows(data, "singles", "mailpieces", "data"), now, source)


def _read_pieces(told: Iterable[Json], now: datetime, source: Source) -> tuple[Batch, list[str]]:
    found: list[Batch] = []
    bad: list[str] = []
    for row in told:
        try:
            found.append(piece(read_cut(row), now, source))
        except UnreadableError as error:
            bad.append(_describe(row, error))
    return merged(found), bad


def campaigns(data: Json) -> tuple[list[Campaign], list[str]]:
    """All readable campaigns in an answer, and for each unreadable one a word for the log."""
    found: list[Campaign] = []
    bad: list[str] = []
    for row in rows(data, "campaigns", "data"):
        try:
            found.append(campaign(read_cut(row)))
        except UnreadableError as error:
            bad.append(_describe(row, error))
    return found, bad


def _describe(row: Json, error: Exception) -> str:
    ref = text(row.get("id")) if isinstance(row, dict) else ""
    return f"{ref or 'no id'}: {error}"


def balance(data: Json) -> Decimal:
    """Money left; raises UnreadableError for anything that is not an amount."""
    found = money(data.get("balance") if isinstance(data, dict) else data)
    if found is None:
        raise UnreadableError("no balance")
    return found


def address_check(data: Json) -> AddressCheck:
    """What the register of addresses says; raises UnreadableError for an answer without a verdict."""
    if not isinstance(data, dict) or data.get("is_valid") in (None, ""):
        raise UnreadableError("no verdict on the address")
    lines = [text(data.get(name)) for name in ("address1", "address2", "address3")]
    found = Recipient(
        address=", ".join(line for line in lines if line),
        city=text(data.get("city")),
        region=text(data.get("county")),
        postcode=text(data.get("postcode")),
        country=text(data.get("country")),
    )
    return AddressCheck(data["is_valid"] in (True, 1, "1", "true"), found)


def account(data: Json) -> str:
    """Who the key belongs to: an e-mail address, or else the account's id."""
    if not isinstance(data, dict):
        return ""
    return text(data.get("email")) or identity(data.get("account_id")) or identity(data.get("id"))


def sign(raw: bytes, secret: str) -> str:
    """The signature that Stannp puts on a webhook: lower-case hex of HMAC-SHA256 over the raw body."""
    return hmac.digest(secret.encode(), raw, "sha256").hex()


def admit(raw: bytes, headers: Mapping[str, str], secret: str) -> bool:
    """Whether a webhook call is signed; False for the hand-shake (`test_url`). Raises SignatureRefused.

    The hand-shake comes when a webhook is being added, so before its secret can be known here; it changes nothing, and
    needs no signature.
    """
    if len(raw) <= LONGEST_TEXT and HANDSHAKE in raw and _event(raw) == HANDSHAKE.decode():
        return False
    _check_signature(raw, headers, secret)
    return True


def read_delivery(raw: bytes, now: datetime) -> Delivery:
    """What a signed webhook call says that was heard now. Raises PayloadRefused.

    Events that we do not know are empty: an error would cost one of the five failures after which Stannp silently stops
    calling.
    """
    try:
        body = parse_json(raw)
    except ValueError:
        raise PayloadRefused(platform=NAME) from None
    if not isinstance(body, dict):
        raise PayloadRefused(platform=NAME)
    event = text(body.get("event"))
    if event == "mailpiece_status":
        listed = _listed(body, "mailpieces", "singles")
        batch, bad = pieces(listed[:MOST_OBJECTS], now, Source.WEBHOOK)
        return Delivery(batch, event, len(bad) + len(listed[MOST_OBJECTS:]))
    if event == "campaign_status":
        listed = _listed(body, "campaigns")
        found, bad = campaigns(listed[:MOST_OBJECTS])
        return Delivery(Batch(campaigns=tuple(found)), event, len(bad) + len(listed[MOST_OBJECTS:]))
    return Delivery(Batch(), event)


def _event(raw: bytes) -> str:
    try:
        body = parse_json(raw)
    except ValueError:
        return ""
    return text(body.get("event")) if isinstance(body, dict) else ""


def _listed(body: Mapping[str, Json], *names: str) -> list[Json]:
    listed = body.get(names[0]) if body.get(names[0]) is not None else body.get("data")
    return rows(listed, *names, "data")


def _check_signature(raw: bytes, headers: Mapping[str, str], secret: str) -> None:
    if not secret.strip():
        # HMAC takes an empty key like any other, and everybody can sign with it.
        raise SignatureRefused(FORGED)
    given = headers.get(SIGNATURE_HEADERS[0])
    if given is None:
        # Another spelling, or headers that tell upper from lower case.
        lowered = {name.casefold(): value for name, value in headers.items()}
        given = next((lowered[name] for name in SIGNATURE_HEADERS if name in lowered), "")
    # Bytes, since comparing text refuses anything beyond ASCII with an error of its own.
    if not hmac.compare_digest(given.strip().casefold().encode(), sign(raw, secret).encode()):
        raise SignatureRefused(FORGED)
