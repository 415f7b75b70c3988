"""How far each import has come. Noted in the transaction that keeps the rows, so the two never differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, delete, select

from storage import aside
from storage.aside import POISON, Refused, Sieve, own_faults
from storage.database import Database, upsert
from storage.ledger import apply as ledger
from storage.records import Batch, WorkspaceId
from storage.schema.account_tables import imports
from storage.schema.tables import pieces


@dataclass(frozen=True)
class ImportProgress:
    """Up to which position an import is kept, in its own measure (bytes of a file, days of a back-fill)."""

    position: int = 0
    kept: int = 0
    refused: int = 0


def progress(connection: Connection, workspace_id: WorkspaceId, key: str) -> ImportProgress:
    """How far this import has come; zeros when it was never begun."""
    row = connection.execute(select(imports).where(*_key(workspace_id, key))).first()
    return ImportProgress(row.position, row.kept, row.refused) if row else ImportProgress()


def known(connection: Connection, workspace_id: WorkspaceId, refs: Sequence[str]) -> set[str]:
    """Which of these pieces there are, by their ids at the platform. At most a portion of them."""
    mine = pieces.c.workspace_id == workspace_id, pieces.c.ref.in_(refs)
    return set(connection.scalars(select(pieces.c.ref).where(*mine)))


def advance(
    connection: Connection, workspace_id: WorkspaceId, key: str, batch: Batch, reached: ImportProgress, now: datetime
) -> None:
    """Merges a portion into the ledger, and notes that the import has come this far."""
    _apply(connection, workspace_id, batch, now)
    row = {"position": reached.position, "kept": reached.kept, "refused": reached.refused, "updated_at": now}
    adding = upsert(connection, imports).values(workspace_id=workspace_id, key=key, **row)
    connection.execute(adding.on_conflict_do_update(index_elements=list(imports.primary_key.columns), set_=row))


def _apply(connection: Connection, workspace_id: WorkspaceId, batch: Batch, now: datetime) -> None:
    with own_faults():
        ledger.apply(connection, workspace_id, batch, now)


def keep(
    database: Database, workspace_id: WorkspaceId, key: str, batch: Batch, reached: ImportProgress, now: datetime
) -> list[Refused]:
    """The same, in as many transactions as it takes where the database refuses something in it for good.

    What is refused is kept aside, and given.
    """
    sieve = Sieve([])
    try:
        database.write(advance, workspace_id, key, batch, reached, now)
    except POISON as error:
        sieve.refuse(batch, error)
        while sieve.todo:
            part = sieve.todo.pop()
            try:
                database.write(_apply, workspace_id, part, now)
            except POISON as again:
                sieve.refuse(part, again)
        database.write(aside.keep, workspace_id, sieve.refused, now)
        database.write(advance, workspace_id, key, Batch(), reached, now)
    return sieve.refused


def forget(connection: Connection, workspace_id: WorkspaceId, key: str) -> None:
    """Lets this import begin again. What it kept stays: telling it again changes nothing."""
    connection.execute(delete(imports).where(*_key(workspace_id, key)))


def _key(workspace_id: WorkspaceId, key: str) -> tuple[ColumnElement[bool], ...]:
    return imports.c.workspace_id == workspace_id, imports.c.key == key
