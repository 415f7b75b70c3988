"""Which pieces of a report are told of exactly as they were the last time, so that they need not be read again."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection

from storage.dialects import is_postgresql
from storage.records import WorkspaceId
from storage.statements import load


class Print(StrEnum):
    """Where a row stood whose fingerprint is kept."""

    #: In the report of the whole account.
    LISTED = "listed"
    #: In the report of its campaign.
    PLACED = "placed"


def recognized(connection: Connection, workspace_id: WorkspaceId, of: Print, prints: Mapping[str, int]) -> set[str]:
    """Those of these pieces whose row of this report, by its fingerprint, was merged just as it is. Whatever else
    changed a piece's facts since then has cleared it."""
    if not prints:
        return set()
    values: dict[str, Any] = {"workspace": workspace_id}
    if is_postgresql(connection):
        values |= {"refs": list(prints), "prints": list(prints.values())}
    else:
        values |= {"told": json.dumps(prints)}
    return set(connection.scalars(STATEMENTS[of].on(connection), values))


STATEMENTS: Final = {Print.LISTED: load("recognized_listed"), Print.PLACED: load("recognized_placed")}
