"""Installing and leaving: each workspace's sealed secrets, installations begun in a browser, and what goes when.

The database only ever holds what the vault sealed. A secret is bound to its workspace and to what it is for, so a row
that is copied to another workspace does not open there.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, or_, select, tuple_, update

from storage.cancellations import Outcome
from storage.database import database_time, rows_changed, upsert
from storage.records import WorkspaceId
from storage.schema.account_tables import install_states, intent_pieces, intents, secrets
from storage.schema.partitions import of_a_workspace
from storage.schema.tables import EPOCH, UNFILLED, cancellations, changes, leases, pieces, workspaces
from storage.vault import Vault


class SecretKind(StrEnum):
    """What a secret is for."""

    #: The Slack token with its refresh token, when it ends, and whose it is.
    SLACK = "slack"
    #: The mail account's key and region, and the webhook's token and secret.
    ACCOUNT = "account"


def bound(workspace_id: WorkspaceId, place: SecretKind) -> str:
    """What a secret is sealed for."""
    return f"{workspace_id}:{place}"


def keep_secret(
    connection: Connection,
    vault: Vault,
    workspace_id: WorkspaceId,
    place: SecretKind,
    value: dict[str, Any],
    now: datetime,
) -> None:
    """Keeps the secret, in place of an earlier one."""
    kept = {"sealed": vault.seal(bound(workspace_id, place), value), "sealed_at": now, "renewing_at": None}
    adding = upsert(connection, secrets).values(workspace_id=workspace_id, place=place.value, **kept)
    connection.execute(adding.on_conflict_do_update(index_elements=list(secrets.primary_key.columns), set_=kept))


def secret(connection: Connection, vault: Vault, workspace_id: WorkspaceId, place: SecretKind) -> dict[str, Any] | None:
    """The secret, opened; None when there is none. Raises VaultError."""
    return opened(vault, workspace_id, place, sealed(connection, workspace_id, place))


def opened(vault: Vault, workspace_id: WorkspaceId, place: SecretKind, kept: str | None) -> dict[str, Any] | None:
    """What was sealed; None for None. Raises VaultError."""
    return None if kept is None else dict(vault.open(bound(workspace_id, place), kept))


def begin_renewal(connection: Connection, workspace_id: WorkspaceId, tested: str, lasts: timedelta) -> bool:
    """Whether we may ask for a new token in the place of this one: of all processes one, for so long.

    That it was asked for stands here until its end is known: a crash may have come between Slack's answer and its
    record, and Slack takes the same refresh token again for a short time alone.
    """
    now = database_time(connection)
    asked = secrets.c.renewing_at
    free = or_(asked.is_(None), asked <= now - lasts, asked > now + lasts)
    turn = update(secrets).where(*_slacks(workspace_id), secrets.c.sealed == tested, free).values(renewing_at=now)
    return rows_changed(connection, turn) == 1


def end_renewal(connection: Connection, workspace_id: WorkspaceId, tested: str) -> None:
    """Slack gave no new token in the place of this one."""
    mine = update(secrets).where(*_slacks(workspace_id), secrets.c.sealed == tested)
    connection.execute(mine.values(renewing_at=None))


def keep_renewed(
    connection: Connection, vault: Vault, workspace_id: WorkspaceId, refresh: str, value: dict[str, Any], now: datetime
) -> bool:
    """Keeps a token that was had with this refresh token, unless there is a newer installation; gives whether."""
    held = connection.scalar(select(secrets.c.sealed).where(*_slacks(workspace_id)).with_for_update())
    # Not compared sealed: keys may have been rotated meanwhile.
    if (opened(vault, workspace_id, SecretKind.SLACK, held) or {}).get("refresh") != refresh:
        return False
    keep_secret(connection, vault, workspace_id, SecretKind.SLACK, value, now)
    return True


def renewals(connection: Connection) -> list[WorkspaceId]:
    """The workspaces for whose token another was asked for, with no end known."""
    asked = select(secrets.c.workspace_id).where(secrets.c.renewing_at.is_not(None))
    return [WorkspaceId(one) for one in connection.scalars(asked).all()]


def _slacks(workspace_id: WorkspaceId) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return secrets.c.workspace_id == workspace_id, secrets.c.place == SecretKind.SLACK.value


def drop_secret(connection: Connection, workspace_id: WorkspaceId, place: SecretKind) -> None:
    """Forgets the secret."""
    connection.execute(delete(secrets).where(secrets.c.workspace_id == workspace_id, secrets.c.place == place.value))


def seal_again(connection: Connection, vault: Vault, now: datetime, limit: int = 500) -> int:
    """Seals with the newest key what an older one sealed, at most `limit`; gives how many. Raises VaultError."""
    done = 0
    rows = connection.execute(select(secrets).order_by(secrets.c.workspace_id, secrets.c.place)).all()
    for row in rows:
        if done == limit:
            break
        if vault.is_current(row.sealed):
            continue
        place = bound(WorkspaceId(row.workspace_id), SecretKind(row.place))
        # Compared with what was read: a token that was rotated meanwhile must not be taken back.
        mine = secrets.c.workspace_id == row.workspace_id, secrets.c.place == row.place, secrets.c.sealed == row.sealed
        value = vault.seal(place, vault.open(place, row.sealed))
        done += rows_changed(connection, update(secrets).where(*mine).values(sealed=value, sealed_at=now))
    return done


def every_sealed(connection: Connection) -> list[tuple[WorkspaceId, SecretKind, str]]:
    """All secrets, sealed."""
    return [
        (WorkspaceId(row.workspace_id), SecretKind(row.place), row.sealed)
        for row in connection.execute(select(secrets)).all()
    ]


def begin(connection: Connection, state: str, until: datetime) -> None:
    """An installation was begun in a browser."""
    connection.execute(install_states.insert().values(state=state, expires_at=until))


def consume(connection: Connection, state: str, now: datetime) -> bool:
    """Whether this installation was begun here and is not too old. True once."""
    mine = delete(install_states).where(install_states.c.state == state, install_states.c.expires_at > now)
    return rows_changed(connection, mine) == 1


def forget_begun(connection: Connection, now: datetime) -> int:
    """Drops installations that were begun and never ended; gives how many."""
    return rows_changed(connection, delete(install_states).where(install_states.c.expires_at <= now))


def sealed(connection: Connection, workspace_id: WorkspaceId, place: SecretKind) -> str | None:
    """The secret as it is kept, to be compared with what is kept later; None when there is none."""
    mine = secrets.c.workspace_id == workspace_id, secrets.c.place == place.value
    found: str | None = connection.scalar(select(secrets.c.sealed).where(*mine))
    return found


def remove(
    connection: Connection, workspace_id: WorkspaceId, tested: str | None, now: datetime, purge_at: datetime
) -> bool:
    """Slack took the app out: nothing is answered, polled or told from now on, and its secrets go at once.

    Only while Slack's secret is still the one that was `tested`: a newer installation loses nothing. Gives whether.
    """
    # Locked in the order in which an installation writes them.
    connection.execute(select(workspaces.c.id).where(workspaces.c.id == workspace_id).with_for_update())
    if sealed(connection, workspace_id, SecretKind.SLACK) != tested:
        return False
    facts = {"removed_at": now, "purge_at": purge_at, "leaving_at": None, "connected_at": None, "webhook_key": None}
    connection.execute(update(workspaces).where(workspaces.c.id == workspace_id).values(**facts))
    connection.execute(delete(secrets).where(secrets.c.workspace_id == workspace_id))
    # Also what somebody typed a moment ago. Nobody could do it any more; its pieces may be asked for anew.
    of_it = intents.c.workspace_id == workspace_id, intents.c.ended_at.is_(None)
    ended = {"ended_at": database_time(connection), "outcome": "removed", "sealed": "", "lease_until": EPOCH}
    connection.execute(update(intents).where(*of_it).values(token=intents.c.token + 1, **ended))
    for table in (intent_pieces, cancellations):
        still = table.c.workspace_id == workspace_id, table.c.outcome == ""
        connection.execute(update(table).where(*still).values(outcome=Outcome.UNSETTLED.value))
    return True


def purge_due(connection: Connection, now: datetime) -> list[WorkspaceId]:
    """The workspaces whose time to be forgotten has come."""
    due = select(workspaces.c.id).where(workspaces.c.removed_at.is_not(None), workspaces.c.purge_at <= now)
    return [WorkspaceId(found) for found in connection.scalars(due.order_by(workspaces.c.id)).all()]


#: Every table with rows of a workspace. Pieces go first, and their history with them: it is found by them.
_OWNED: Final[Sequence[Table]] = [table for table in of_a_workspace() if table not in (pieces, changes)]


def purge_some(connection: Connection, workspace_id: WorkspaceId, now: datetime, limit: int = 2000) -> int:
    """Forgets some of what is kept of a workspace whose time has come; gives how many rows. 0: all of it is gone.

    A workspace that came back meanwhile loses nothing.
    """
    going = select(workspaces.c.id).where(workspaces.c.id == workspace_id, workspaces.c.purge_at <= now)
    if connection.execute(going.with_for_update()).first() is None:
        return 0
    some = select(pieces.c.id).where(pieces.c.workspace_id == workspace_id).order_by(pieces.c.id).limit(limit)
    ids = list(connection.scalars(some).all())
    if ids:
        of_it = changes.c.workspace_id.in_((UNFILLED, workspace_id)), changes.c.piece_id.in_(ids)
        connection.execute(delete(changes).where(*of_it))
        return rows_changed(
            connection, delete(pieces).where(pieces.c.workspace_id == workspace_id, pieces.c.id.in_(ids))
        )
    for table in _OWNED:
        key = tuple_(*table.primary_key.columns)
        mine = select(*table.primary_key.columns).where(table.c.workspace_id == workspace_id).limit(limit)
        gone = rows_changed(connection, delete(table).where(key.in_(mine)))
        if gone:
            return gone
    connection.execute(delete(leases).where(leases.c.name.like(f"%:{workspace_id}")))
    return rows_changed(connection, delete(workspaces).where(workspaces.c.id == workspace_id))


def leftovers(connection: Connection, workspace_id: WorkspaceId) -> list[str]:
    """The tables that still hold rows of this workspace."""
    held = [(table, select(exists().where(table.c.workspace_id == workspace_id))) for table in [*_OWNED, pieces]]
    return [table.name for table, question in held if connection.scalar(question)]
