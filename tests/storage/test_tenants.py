"""No query of one workspace sees or touches another's rows: every function of storage is tried with foreign ids."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

import storage
from storage import audit, cancellations, channel_settings, imports, intents, privacy, troubles, workspaces
from storage import secrets as sealed_secrets
from storage.aside import Refused
from storage.audit import Act
from storage.cards import Card, keep_card
from storage.database import Database
from storage.imports import ImportProgress
from storage.intents import Kind as IntentKind
from storage.intents import PieceRow
from storage.ledger import apply as ledger
from storage.outbox import NewsBatch
from storage.queries import returns
from storage.queries.mail import Days
from storage.queries.piece_pages import PieceFilter
from storage.queries.recognized import Print
from storage.records import (
    NO_CAMPAIGN,
    NO_PIECE,
    CampaignId,
    ChannelId,
    ChannelSettings,
    NotifyOn,
    PlatformState,
    Rules,
    UserId,
)
from storage.schema.tables import metadata
from storage.secrets import SecretKind
from storage.statuses import Status
from storage.troubles import Kind
from storage.vault import Vault, new_key
from tests.builders import a_batch, a_campaign, a_change, a_piece

NOW = datetime(2026, 11, 2, 14, tzinfo=UTC)
VAULT = Vault([new_key()])
#: What has no workspace of its own, and why that is right.
GLOBAL = {
    "database.rows_changed": "runs a statement", "database.run": "runs a statement", "database.upsert": "makes a statement",
    "database.prove_writable": "no row at all", "aside.forget": "what is old, of all", "aside.look": "counts of all, for the operator",
    "database.database_time": "a clock", "health.look": "counts of all, for the operator", "schema.revision.state": "the schema", "schema.partitions.number": "the schema", "dialects.vacuum_inbox": "no row at all", "schema.partitions.spread": "the schema",
    "secrets.begin": "a browser, not a workspace yet", "intents.due": "ids alone, for the clock", "intents.every_sealed": "for the check", "intents.seal_again": "a rotation of keys, of all",
    "intents.forget": "what has ended, of all", "intents.free_leases": "leases of all, of which no holder lives", "secrets.consume": "a browser", "secrets.forget_begun": "browsers",
    "secrets.every_sealed": "for the operator's check", "secrets.purge_due": "ids alone, for the clock",
    "secrets.seal_again": "each secret in its own place", "leases.first_time": "keys carry their workspace",
    "leases.first_click": "keys carry their workspace",
    "leases.forget": "old keys of all", "leases.win": "names carry their workspace",
    "leases.holds": "names carry their workspace", "leases.extend": "names carry their workspace",
    "leases.release": "names carry their workspace", "ledger.tallies.fold": "each sum in its own row",
    "outbox.is_due": "whether, not what", "outbox.claim": "parcels carry their workspace",
    "outbox.settle": "by the rows that were claimed", "cards.cards_of": "keys carry their workspace",
    "outbox.block": "parcels carry their workspace", "outbox.renew": "holds carry their workspace", "channel_settings.told": "holds carry their workspace",
    "outbox.free_leases": "leases of all, of which no holder lives", "outbox.holds": "holds carry their workspace", "outbox.release": "holds carry their workspace",
    "cards.keep_card": "keys carry their workspace",
    "workspaces.by_team": "finds a workspace", "workspaces.by_webhook": "finds a workspace", "workspaces.due": "ids alone",
    "workspaces.ensure": "makes a workspace", "workspaces.leaving": "ids alone, for the clock", "secrets.renewals": "ids alone, for the clock", "workspaces.every": "ids and names, for the clock",
    "ledger.changes.stage_changes": "the batch of mailings.apply", "ledger.stage.begin": "a batch", "ledger.missed.tell": "what ledger.missed.since found", "ledger.stage.load": "a batch",
}  # fmt: skip
#: Parts of `mailings.apply`, which is tried as a whole.
PARTS = {
    "ledger.pieces.upsert_pieces",
    "ledger.pieces.waiting_changes",
    "ledger.changes.record",
    "ledger.changes.move",
    "ledger.changes.widen_dates",
    "outbox.enqueue",
    "ledger.tallies.write",
    "details.note",
}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    for found in pkgutil.walk_packages(storage.__path__, "storage."):
        if found.name.startswith("storage.migrations"):
            continue
        module = importlib.import_module(found.name)
        short = found.name.removeprefix("storage.")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and next(iter(inspect.signature(function).parameters), "") == "connection":
                yield f"{short}.{name}", function


def furnish(connection: Connection, team: str, word: str) -> dict[str, Any]:
    """A workspace with something in every table; gives its ids, by the names of parameters."""
    workspace = workspaces.ensure(connection, team, word, "USD")
    key, channel, person = workspace.id, ChannelId(f"C0{word}"), UserId(f"U0{word}")
    workspaces.note(connection, key, baseline_at=NOW - timedelta(days=9), connected_at=NOW, webhook_key=f"key{word}")
    workspaces.subscribe(connection, key, channel, NO_CAMPAIGN, frozenset(NotifyOn), person, NOW - timedelta(days=8))
    channel_settings.keep(connection, key, channel, ChannelSettings("UTC", 9, None, 5))
    batch = a_batch(
        a_campaign("c1", f"{word} campaign"), a_piece(f"{word}1", "c1", listed_print=7), a_piece(f"{word}2", "c1"),
        a_change(f"{word}1", Status.DELIVERED), a_change(f"{word}2", Status.RETURNED), a_change(f"{word}3", Status.RETURNED),
    )  # fmt: skip
    ledger.apply(connection, key, batch, NOW)
    ids = [
        row[0] for row in connection.exec_driver_sql(f"SELECT id FROM pieces WHERE workspace_id = {key} ORDER BY id")
    ]
    campaign = CampaignId(
        connection.exec_driver_sql(f"SELECT id FROM campaigns WHERE workspace_id = {key}").scalar_one()
    )
    news = NewsBatch(key, channel, campaign, ())
    keep_card(connection, news.key, Card(f"1.{word}", "shows"))
    sealed_secrets.keep_secret(connection, VAULT, key, SecretKind.ACCOUNT, {"key": f"{word}key"}, NOW)
    troubles.begin(connection, key, Kind.KEY, NOW)
    payload = {"campaign": campaign, "by": f"U0{word}", "note": f"{word} reason"}
    intent = intents.keep(connection, key, IntentKind.CANCEL, payload, piece_ids=ids[:2], name=f"named{word}")
    intents.keep(connection, key, IntentKind.CANCEL, payload, piece_ids=ids[:1], held=True)
    taken = intents.take(connection, key, intent)
    assert taken is not None
    cancellations.begin(connection, key, ids[0], person, NOW, (), intent)
    bound = audit.Bound(intent, 1, Decimal("0.84"), 0)
    number = audit.ask_approval(connection, key, campaign, NO_PIECE, person, NOW, bound)
    audit.note(connection, key, f"U0{word}", Act.INSTALLED, NOW, subject=word)
    privacy.show(connection, key, channel, campaign, NO_PIECE)
    returns.note_reason(connection, key, ids[1], f"{word} reason", person)
    workspaces.keep_span(connection, key, person, word)
    imports.advance(connection, key, f"file{word}", a_batch(), ImportProgress(1, 1, 0), NOW)
    return {
        "workspace_id": key, "channel": channel, "channels": [channel], "campaign_id": campaign, "piece_id": ids[0],
        "piece_ids": ids, "number": number, "by": "U0OTHER", "person": person, "refs": [f"{word}1"],
        "ids": [campaign],
        "asked": f"{word}1", "wordings": [f"{word}1"], "key": f"file{word}", "news": news, "intent_id": intent, "token": taken.token,
        "row": PieceRow(ids[0], "cancelled", Status.CANCELLED, 0), "name": f"named{word}",
    }  # fmt: skip


COMMON: dict[str, Any] = {
    "now": NOW + timedelta(hours=1), "at": NOW, "never": NOW + timedelta(days=9000), "before": NOW + timedelta(days=900), "begun_at": NOW, "limit": 50, "after": None, "upto": 10_000,
    "only": PieceFilter(), "statuses": [Status.DELIVERED], "days": Days(), "today": date(2026, 1, 1), "since": date(2026, 1, 1), "first": date(2026, 1, 1),
    "outcome": "approved", "retry": (), "act": Act.ERASED, "subject": "", "detail": "", "begin": NOW, "end": NOW,
    "settings": ChannelSettings("UTC", 7, None, None), "state": "{}", "on": date(2026, 11, 2), "vault": VAULT, "place": SecretKind.ACCOUNT,
    "value": {"key": "ours"}, "purge_at": NOW, "batch": a_batch(a_piece("BETA1", "c1"), a_change("BETA1", Status.RETURNED)),
    "reached": ImportProgress(2, 2, 0), "words": {}, "counted": {}, "reason": "ours", "rules": Rules(), "remembered": PlatformState("ours", True), "span": "ours",
    "wants": frozenset(NotifyOn), "until": NOW, "outside": True, "earliest": NOW, "latest": NOW, "tested": "ours", "refresh": "ours", "lasts": timedelta(seconds=20), "kind": Kind.KEY, "refused": [Refused("ours", "ours")], "payload": {}, "sealed": "", "delay": timedelta(0), "age": timedelta(0), "failed": False, "told": 1, "part": 0, "parts": 1, "facts": {}, "gaps": {}, "start": 0, "shown": 25,
}  # fmt: skip


def tried_with(name: str, function: Callable[..., Any], ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Our workspace, and of all else theirs."""
    given = COMMON | theirs | {"workspace_id": ours["workspace_id"]}
    special: dict[str, dict[str, Any]] = {
        "queries.mail.booked_campaigns": {"words": ["booked"]}, "queries.recognized.recognized": {"of": Print.LISTED, "prints": {f"{one}1": 7 for one in ("ALPHA", "BETA")}},
        "ledger.apply.apply_heard": {"told": [(NOW, COMMON["batch"])]},
        "queries.search.holding_at": {"words": [str(theirs["asked"]).casefold().rstrip("1")], "status": int(Status.RETURNED)},
        "queries.search.holding_in": {"words": [str(theirs["asked"]).casefold().rstrip("1")]},
        "audit.page": {"before": None}, "privacy.erase_ended": {"after": 0}, "queries.returns.count_places": {"after": 0},
        "queries.returns.latest": {"behind": None}, "queries.returns.between": {"begin": NOW - timedelta(days=99), "end": NOW},
        "channel_settings.note_ended": {"wants": {NO_CAMPAIGN: "returned"}},
        "channel_settings.stale_cards": {"before": NOW}, "privacy.was_shown": {"piece_id": 0}, "queries.transits.count": {"after": 0}, "secrets.purge_some": {"now": NOW}, "secrets.remove": {"tested": None},
    }  # fmt: skip
    given |= special.get(name, {})
    return {one: given[one] for one in inspect.signature(function).parameters if one in given and one != "facts"}


def call(function: Callable[..., Any], connection: Connection, arguments: dict[str, Any]) -> Any:
    if function is workspaces.note:
        return function(connection, arguments["workspace_id"], polled_at=NOW)
    return function(connection, **arguments)


def rows_of(connection: Connection, key: int) -> dict[str, list[Any]]:
    kept = {}
    for table in metadata.sorted_tables:
        mine = None
        if "workspace_id" in table.c:
            mine = table.c.workspace_id == key
        elif table.name == "workspaces":
            mine = table.c.id == key
        elif table.name == "changes":
            from sqlalchemy import select

            pieces = metadata.tables["pieces"]
            mine = table.c.piece_id.in_(select(pieces.c.id).where(pieces.c.workspace_id == key))
        if mine is not None:
            kept[table.name] = sorted(map(repr, connection.execute(table.select().where(mine)).all()))
    return kept


NAMED = [(name, function) for name, function in functions() if name not in GLOBAL and name not in PARTS]


def test_every_query_is_tried_or_said_to_be_global() -> None:
    known = {name for name, _ in functions()}
    assert set(GLOBAL) <= known
    assert known >= PARTS
    assert all("workspace_id" in inspect.signature(function).parameters for _, function in NAMED)
    assert len(NAMED) > 50


def test_no_query_sees_or_touches_another_workspace(database: Database) -> None:
    ours = database.write(furnish, "T0ALPHA", "ALPHA")
    theirs = database.write(furnish, "T0BETA", "BETA")
    before = database.read(rows_of, theirs["workspace_id"])
    assert all(
        before[name]
        for name in (
            "pieces",
            "changes",
            "outbox",
            "cards",
            "secrets",
            "audit",
            "approvals",
            "shown",
            "intents",
            "intent_pieces",
            "cancellations",
        )
    )
    for name, function in NAMED:
        arguments = tried_with(name, function, ours, theirs)

        def work(connection: Connection, function: Any = function, arguments: Any = arguments) -> str:
            result = call(function, connection, arguments)
            return repr(list(result) if inspect.isgenerator(result) else result)

        with database.writer.connect() as connection:
            transaction = connection.begin()
            said = work(connection)
            after = rows_of(connection, theirs["workspace_id"])
            transaction.rollback()
        # What we asked with may be repeated; what only they know may not.
        for secret in ("BETA campaign", "BETAkey", "BETA reason", "BETA2", "1.BETA"):
            assert secret not in said, f"{name} told {said}"
        assert after == before, f"{name} touched another workspace"


@pytest.mark.parametrize("ours", ["T0ALPHA", "T0BETA"])
def test_what_is_ours_is_found(database: Database, ours: str) -> None:
    # Else the test above would pass with queries that find nothing at all.
    homes = {team: database.write(furnish, team, team[2:]) for team in ("T0ALPHA", "T0BETA")}
    mine, word = homes[ours], ours[2:]
    found = {}
    for name, function in NAMED:
        arguments = tried_with(name, function, mine, mine)
        with database.writer.connect() as connection:
            transaction = connection.begin()
            result = call(function, connection, arguments)
            found[name] = repr(list(result) if inspect.isgenerator(result) else result)
            transaction.rollback()
    for name in ("queries.mail.campaign", "queries.mail.campaigns_of", "queries.mail.find_pieces", "queries.recognized.recognized", "queries.search.search", "queries.mail.piece_by_id", "audit.page",
                 "audit.approval", "secrets.secret", "intents.of", "intents.rows_of", "cancellations.of", "queries.piece_pages.page", "queries.returns.notes_of", "queries.returns.latest", "queries.returns.between", "workspaces.span_of", "outbox.told_of"):  # fmt: skip
        assert word in found[name] or found[name] not in ("[]", "None", "{}"), (name, found[name])
    assert found["privacy.was_shown"] == "True"
