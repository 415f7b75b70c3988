"""The statements that are too long for Python: `storage/sql/`, a file each, read once.

`name.sql` is for both databases; where they differ, `name.postgresql.sql` stands beside it, and what only one of them
needs has a file for that one alone (`name.sqlite.sql`). A file begins with what it decides. PostgreSQL locks what it
changes, for it has several writers, and gets each look-up as `JOIN LATERAL (SELECT … OFFSET 0)`: so it does it for each
row on the left, whatever it believes to know about the tables. SQLite takes a temporary table for a large one, and
would read all pieces to find a few: a CROSS JOIN is one whose order it leaves alone, and ours begin with the few.

PostgreSQL's tables may be divided by workspace (`schema.partitions`), so its statements name the workspace of each row
that they look up. Where that could tempt it to begin with all rows of a workspace, the line ends in `-- divided`, and
stands there only where the tables are.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from sqlalchemy import Connection, TextClause, bindparam, text

from storage.dialects import is_postgresql

FOLDER: Final = files("storage") / "sql"
#: In the order in which they are looked for: the first that is there is this database's.
OF_SQLITE: Final = (".sqlite.sql", ".sql")
OF_POSTGRESQL: Final = (".postgresql.sql", ".sql")
#: What a connection knows of itself: that the tables are divided (see `ledger.stage`).
DIVIDED: Final = "divided"
MARK: Final = f"-- {DIVIDED}"


@dataclass(frozen=True)
class Sql:
    """One statement in both dialects; None where that database does not need it."""

    sqlite: TextClause | None
    postgresql: TextClause | None
    #: On PostgreSQL where the tables are divided.
    divided: TextClause | None = None

    def on(self, connection: Connection) -> TextClause:
        """The statement for this connection."""
        found = self.postgresql if is_postgresql(connection) else self.sqlite
        if self.divided is not None and connection.info.get(DIVIDED):
            return self.divided
        assert found is not None  # noqa: S101 - whoever asks knows that this database needs it
        return found


def load(name: str, fixed: Mapping[str, int | Sequence[int]] | None = None, **types: Any) -> Sql:
    """The statement of this name. `types` are of parameters like `:now`; None stands for a list, as in `IN :refs`.

    `fixed`: parameters that are always the same, and so are known by a name of ours: ranks, sources, limits.
    """
    bound = {key: bindparam(key, type_=kind, expanding=kind is None) for key, kind in types.items()}
    for key, value in (fixed or {}).items():
        many = not isinstance(value, int)
        bound[key] = bindparam(key, value=list(value) if not isinstance(value, int) else value, expanding=many)
    only = [(FOLDER / f"{name}{ending}").is_file() for ending in (".sqlite.sql", ".postgresql.sql", ".sql")]
    sqlite = None if only == [False, True, False] else _read(name, OF_SQLITE, bound)
    postgresql = None if only == [True, False, False] else _read(name, OF_POSTGRESQL, bound)
    divided = None if postgresql is None else _read(name, OF_POSTGRESQL, bound, divided=True)
    return Sql(sqlite, postgresql, divided)


def _read(name: str, endings: Sequence[str], bound: Mapping[str, Any], *, divided: bool = False) -> TextClause:
    file = next(file for ending in endings if (file := FOLDER / f"{name}{ending}").is_file())
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if divided or not line.endswith(MARK)]
    # What is said to people is no part of it: a colon in there would be a parameter.
    made = text("\n".join(line for line in lines if not line.lstrip().startswith("--")))
    return made.bindparams(*(one for key, one in bound.items() if re.search(rf":{key}\b", made.text)))
