"""A disk that is full, and files that are taken from under us: nothing says that all is well, or that it is kept."""

import resource
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.database import Database, open_database, prove_writable
from storage.inbox_file import FileInbox
from storage.schema import revision


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{tmp_path}/p.db")) as database:
        revision.migrate(database)
        inbox_of(database).append([(1, 1, "stannp", b"{}")])
        yield database


def inbox_of(database: Database) -> FileInbox:
    assert database.beside is not None
    return database.beside


@contextmanager
def a_full_disk() -> Iterator[None]:
    """No file takes a page beyond its first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def append(database: Database) -> None:
    with database.appending():
        inbox_of(database).append([(1, 2, "stannp", b"{}")])


def test_a_full_disk_is_no_well_one_until_something_is_really_kept(file: Database) -> None:
    with a_full_disk():
        with pytest.raises(DBAPIError):
            append(file)
        assert not file.is_well()
        # To change nothing goes well on a full disk, too.
        file.write(lambda connection: connection.execute(text("DELETE FROM leases WHERE 1 = 0")))
        assert not file.is_well()
        with pytest.raises(DBAPIError):
            inbox_of(file).prove()
        with pytest.raises(DBAPIError):
            file.write(prove_writable)
        assert not file.is_well()
    inbox_of(file).prove()
    file.write(prove_writable)
    assert file.is_well()
    # And nobody sees that it was proven.
    assert inbox_of(file).sums() == [(1, 1, 2, 1)]
    assert file.read(lambda connection: connection.scalar(text("SELECT count(*) FROM leases"))) == 0


def test_what_the_ledger_still_takes_does_not_speak_for_the_inbox(file: Database) -> None:
    with a_full_disk(), pytest.raises(DBAPIError):
        append(file)
    file.write(prove_writable)
    assert not file.is_well()
    append(file)
    assert file.is_well()


def test_a_log_that_is_taken_away_is_an_outage_and_what_it_held_is_kept(file: Database, tmp_path: Path) -> None:
    append(file)
    for end in ("-wal", "-shm"):
        (tmp_path / f"p.db-inbox{end}").unlink()
    with pytest.raises(DBAPIError):
        append(file)
    assert not file.is_well()
    # Stopped in the ordinary way, all that was answered for is in the file.
    file.close()
    with closing(open_database(f"sqlite:///{tmp_path}/p.db")) as again:
        assert inbox_of(again).sums() == [(1, 2, 4, 1)]
        append(again)
