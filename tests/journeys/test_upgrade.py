"""An upgrade and the way back, under traffic: the version before and this one run on one PostgreSQL, side by side."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from handlers.text.status_styles import OTHER, STYLES
from storage.database import open_database
from storage.schema import revision
from tests.chaos import pair, story

#: How far pieces have come, one after the other.
STORIES = (
    (), ("printing",), ("cancelled",), ("printing", "handed_over"), ("handed_over", "in_transit"),
    ("handed_over", "in_transit", "local_delivery"), ("handed_over", "delivered"), ("handed_over", "returned"),
    ("handed_over", "delivered", "returned"), ("error",),
)  # fmt: skip
#: What an answer says of statuses, whatever its other words are: how many pieces are at one, and when one reached it.
FACTS = re.compile(rf"({'|'.join([*(style.label for style in STYLES.values()), OTHER.label])}) (\d+|<!date\^\d+)")


@pytest.fixture
def empty_url(postgres: str) -> str:
    """The address of a PostgreSQL database without any table."""
    admin = open_database(postgres)
    with admin.reader.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS upgraded WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE upgraded"))
    admin.close()
    return postgres.replace("/postgres?", "/upgraded?")


@pytest.mark.timeout(600)  # eight processes, one after the other: seconds, but on a busy machine minutes
@pytest.mark.skipif(bool(pair.why_not()), reason=pair.why_not())
@pytest.mark.turns("upgrade")
async def test_the_version_before_and_this_one_share_a_database_and_take_turns_on_it(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "SIZE", 120)
    told = pair.Pair(empty_url, seed=11, kills=0)
    verdict = await told.tell()
    assert (verdict.lost, verdict.wrong, verdict.repeated) == ([], [], 0)
    assert set(verdict.webhooks) == {200}, "who is ready takes every webhook"
    assert (verdict.pieces, verdict.told > 0) == (120, True)
    assert "Every count agrees" in await told.command(pair.OLD, "recount")


@pytest.mark.skipif(bool(pair.why_not()), reason=pair.why_not())
@pytest.mark.turns("upgrade")
async def test_the_version_before_finds_its_file_in_order_after_an_upgrade(tmp_path: Path) -> None:
    told = pair.Pair(f"sqlite:///{tmp_path}/one.db", seed=1, kills=0)
    await told.slack.start()
    await told.stannp.start()
    try:
        assert f"→ {pair.SCHEMA_BEFORE}." in await told.command(pair.OLD, "migrate")
        said = await told.command(pair.NEW, "migrate")
        assert f"Schema {pair.SCHEMA_BEFORE} → {revision.HEAD}." in said or revision.HEAD == pair.SCHEMA_BEFORE
        assert "nothing to do" in await told.command(pair.OLD, "migrate")
        assert f"schema {revision.HEAD}" in await told.command(pair.OLD, "check")
        assert "nothing to do" in await told.command(pair.NEW, "migrate")
    finally:
        await told.slack.stop()
        await told.stannp.stop()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.skipif(bool(pair.why_not(pair.APART)), reason=pair.why_not(pair.APART))
@pytest.mark.turns("upgrade")
async def test_what_was_written_in_ranks_of_one_digit_is_answered_alike_after_the_migration(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "SIZE", 60)
    url = f"sqlite:///{tmp_path}/one.db" if kind == "sqlite" else request.getfixturevalue("empty_url")
    told = pair.Pair(url, seed=5, kills=0, before=pair.APART)
    await told.slack.start()
    await told.stannp.start()
    try:
        told._furnish()
        for number, piece in enumerate(told.stannp.pieces.values()):
            for word in STORIES[number % len(STORIES)]:
                piece.move(word, datetime.now(UTC) - timedelta(hours=9))
        await told.command(pair.OLD, "migrate")
        asked = [("/mailstatus", f"Drop {number}") for number in range(3)]
        asked += [("/mailtrack", str(piece)) for piece in list(told.stannp.pieces)[: len(STORIES)]]
        answers = {}
        for version in (pair.OLD, pair.NEW):
            await told.start(version)
            await told._until(lambda: told._ask("SELECT count(*) FROM pieces") == story.SIZE, "the pieces")
            answers[version] = [FACTS.findall(await told.ask(version, name, words)) for name, words in asked]
            await told.stop(version)
            if version == pair.OLD:
                said = await told.command(pair.NEW, "migrate")
                assert "Versions from schema 0010 on run on it" in said
        assert all(answers[pair.OLD])
        assert answers[pair.NEW] == answers[pair.OLD]
        assert "Every count agrees" in await told.command(pair.NEW, "recount")
        refused = await told.command(pair.OLD, "run", well=False)
        assert "serves versions from 0010 on; this one is 0009" in " ".join(refused.split()), refused
    finally:
        await told._stop()
        await told.slack.stop()
        await told.stannp.stop()
