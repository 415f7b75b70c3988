"""Migrations lead to the schema that the code describes, and back."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

import storage.schema.account_tables as _account_tables  # noqa: F401 - its tables are part of `metadata`
from bot.telemetry import redact
from storage import workspaces
from storage.database import Database, DatabaseUrlError, open_database, parse_url, sole_user
from storage.files import DatabaseBusyError
from storage.records import PlatformState
from storage.schema import revision
from storage.schema.revision import SchemaBusyError, SchemaNewError, SchemaOldError, State
from storage.schema.tables import campaigns, due_details, metadata, pieces


def test_the_migrations_end_in_what_the_code_describes(database: Database) -> None:
    def ours(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name not in (revision.VERSIONS, revision.MINIMUM)

    with database.reader.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, metadata) == []


def test_there_is_one_head_and_the_code_knows_it() -> None:
    assert ScriptDirectory(str(revision.MIGRATIONS)).get_heads() == [revision.HEAD]


def test_down_and_up_again(database: Database) -> None:
    revision.migrate(database, "base")
    assert set(inspect(database.reader).get_table_names()) <= {revision.VERSIONS, revision.MINIMUM}
    revision.migrate(database)
    revision.require(database)


def test_what_was_due_stays_due_through_the_second_migration(database: Database) -> None:
    revision.migrate(database, "0001")
    columns = (
        "workspace_id, campaign_id, placed, day, status, word, kind, format, created_at, name, name_key, surname_key"
    )
    columns += ", address_key, company, address, city, region, postcode, country, facts_at, ref, detail_due"
    moment = "0" if database.reader.dialect.name == "sqlite" else "'2026-11-01 00:00Z'"
    rows = [(1, "false", 1, "true"), (2, "true", 8, "true"), (3, "true", 7, "false"), (4, "true", 5, "true")]
    with database.writer.begin() as connection:
        for ref, placed, status, due in rows:
            values = f"1, 0, {placed}, '2026-11-01', {status}, '', '', '', {moment}, {', '.join(['%s'] * 10)}, {moment}, '{ref}', {due}"
            connection.exec_driver_sql(f"INSERT INTO pieces ({columns}) VALUES ({values.replace('%s', repr(''))})")
    revision.migrate(database)
    urgent = database.read(
        lambda c: c.execute(
            select(due_details.c.urgency, pieces.c.ref).join(pieces, pieces.c.id == due_details.c.piece_id)
        ).all()
    )
    assert sorted(map(tuple, urgent)) == [(0, "1"), (1, "2"), (2, "4")]
    revision.migrate(database, "0001")
    with database.reader.connect() as connection:
        kept = connection.exec_driver_sql("SELECT ref FROM pieces WHERE detail_due ORDER BY ref").scalars().all()
    assert kept == ["1", "2", "4"]


def test_an_old_schema_is_refused_with_the_remedy(tmp_path: Path) -> None:
    empty = open_database(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(SchemaOldError, match="piecewise migrate"):
        revision.require(empty)
    empty.close()


def revisions(database: Database, **change: str) -> tuple[object, ...]:
    """What the two tables hold, after putting this into them."""
    with database.writer.begin() as connection:
        for table, revision in change.items():
            connection.exec_driver_sql(f"UPDATE {table} SET version_num = '{revision}'")
    tables = ("schema_version", "alembic_version")
    with database.reader.connect() as connection:
        return tuple(connection.exec_driver_sql(f"SELECT version_num FROM {one}").scalar() for one in tables)


def test_the_first_versions_find_the_revision_that_they_know(database: Database) -> None:
    assert revisions(database) == (revision.HEAD, revision.OLDEST)
    revision.migrate(database)
    assert revisions(database) == (revision.HEAD, revision.OLDEST), "a second time does no harm"
    revision.migrate(database, "0003")
    assert revisions(database) == ("0003", "0003"), "a schema serves nobody who needs a later one"


@pytest.mark.parametrize("made_by_them", ["0003", "0004"])
def test_a_database_of_the_first_versions_is_taken_over(database: Database, made_by_them: str) -> None:
    if made_by_them != revision.HEAD:
        revision.migrate(database, made_by_them)
    with database.writer.begin() as connection:
        connection.exec_driver_sql("DROP TABLE schema_version")
    assert database.read(revision.state) == State(made_by_them, made_by_them)
    revision.migrate(database)
    assert revisions(database) == (revision.HEAD, revision.OLDEST)


def test_a_newer_schema_is_served_until_it_says_otherwise(database: Database) -> None:
    newer = revisions(database, schema_version="9998")
    revision.require(database)
    revision.migrate(database)
    assert revisions(database) == newer, "it is another version's to keep"
    assert database.read(revision.state).serves
    revisions(database, alembic_version="9997")
    with pytest.raises(SchemaNewError, match="9997"):
        revision.require(database)
    with pytest.raises(SchemaNewError, match="9997"):
        revision.migrate(database)


def shape(database: Database) -> dict[str, dict[str, tuple[str, bool]]]:
    """Of each table: its columns with their type, and whether a row must name them. Unique indexes count as such."""
    found = inspect(database.reader)
    made = {}
    for table in found.get_table_names():
        key = found.get_pk_constraint(table)["constrained_columns"]
        made[table] = {
            one["name"]: (str(one["type"]), not one["nullable"] and one["default"] is None and [one["name"]] != key)
            for one in found.get_columns(table)
        }
        made[table] |= {str(one["name"]): ("unique", True) for one in found.get_indexes(table) if one["unique"]}
        made[table] |= {str(one["name"]): ("unique", True) for one in found.get_unique_constraints(table)}
    return made


def test_the_oldest_version_that_is_served_finds_all_it_knows_and_need_not_know_the_rest(database: Database) -> None:
    now = shape(database)
    revision.migrate(database, revision.OLDEST)
    before = shape(database)
    for table, known in before.items():
        assert known.items() <= now[table].items(), f"{table}: raise revision.OLDEST, or leave it for the next version"
        added = {name for name, (_, is_needed) in now[table].items() if is_needed} - set(known)
        assert added == set(), f"{table}: the version before names none of these"
    revision.migrate(database)


def test_two_who_migrate_at_once_take_turns(postgres_url: str) -> None:
    made = open_database(postgres_url)
    revision.migrate(made, "base")
    with ThreadPoolExecutor(2) as both:
        list(both.map(revision.migrate, [made, made]))
    assert revisions(made) == (revision.HEAD, revision.OLDEST)
    made.close()


def test_a_migration_that_has_to_wait_lets_the_traffic_pass(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision, "LOCK_PATIENCE", 0.2)
    made = open_database(postgres_url)
    revision.migrate(made, "0004")
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'channels'::regclass"
    with ThreadPoolExecutor(1) as other:
        with made.writer.begin() as long_reading:
            long_reading.exec_driver_sql("SELECT * FROM channels")
            migrating = other.submit(revision.migrate, made)
            while not made.read(lambda c: c.exec_driver_sql(waits).scalar()):
                assert not migrating.done()
            assert made.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM channels").scalar()) == 0
            assert not migrating.done()
            monkeypatch.setattr(revision, "LOCK_TRIES", 1)
            with pytest.raises(SchemaBusyError, match="run it again"):
                revision.migrate(made)
        migrating.result()
    assert revisions(made) == (revision.HEAD, revision.OLDEST)
    made.close()


def test_no_index_holds_what_moves(database: Database) -> None:
    moving = {"status", "status_at", "changed_at"}
    indexes = inspect(database.reader).get_indexes("pieces")
    assert indexes
    assert all(not moving & set(index["column_names"]) for index in indexes)


def test_a_second_process_on_the_same_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/one.db"
    with sole_user(url), pytest.raises(DatabaseBusyError, match="PostgreSQL"), sole_user(url):
        pass


@pytest.mark.parametrize("url", ["mysql://x", "nonsense", "", "postgres//secret"])
def test_a_foreign_database_is_refused_without_repeating_its_address(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as caught:
        parse_url(url)
    assert "secret" not in str(caught.value)


def test_a_database_error_does_not_carry_the_values_into_the_log(database: Database) -> None:
    with pytest.raises(SQLAlchemyError) as caught, database.writer.begin() as connection:
        connection.execute(insert(campaigns).values(workspace_id=1, ref="1", name="planted name"))
    assert "planted" not in redact(str(caught.value))


def test_what_the_version_before_remembered_of_its_platform_is_taken_over(database: Database) -> None:
    revision.migrate(database, "0011")
    known = {"T1": ("'list'", "false"), "T2": ("NULL", "true"), "T3": ("NULL", "NULL")}
    with database.writer.begin() as connection:
        for team, (route, offered) in known.items():
            connection.exec_driver_sql(
                "INSERT INTO workspaces (team_id, name, currency, list_route, singles_offered) "
                f"VALUES ('{team}', '{team}', 'USD', {route}, {offered})"
            )
    revision.migrate(database)
    found = {one.team_id: one.platform_state for one in database.read(workspaces.every)}
    assert found == {"T1": PlatformState("list", False), "T2": PlatformState(None, True), "T3": PlatformState()}
    kept = PlatformState({"page": [1, None], "é": "x"}, True)
    database.write(workspaces.keep_platform_state, database.read(workspaces.every)[0].id, kept)
    assert database.read(workspaces.every)[0].platform_state == kept
    revision.migrate(database, "0011")
    with database.reader.connect() as connection:
        routes = connection.exec_driver_sql("SELECT list_route FROM workspaces ORDER BY id").scalars().all()
    assert routes == ["list", None, None], "the version before finds what it knew"
    revision.migrate(database)
