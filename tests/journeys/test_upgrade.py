"""An upgrade and the way back, under traffic: the version before and this one run on one PostgreSQL, side by side."""

from pathlib import Path

import pytest
from sqlalchemy import text

from storage.database import open_database
from storage.schema import revision as schema
from tests.chaos import pair, story


@pytest.fixture
def empty_url(postgres: str) -> str:
    """The address of a PostgreSQL database without any table."""
    admin = open_database(postgres)
    with admin.reader.connect() as connection:
        connection.execute(text("CREATE DATABASE upgraded"))
    admin.close()
    return postgres.replace("/postgres?", "/upgraded?")


@pytest.mark.timeout(300)  # eight processes, one after the other: seconds, but on a busy machine minutes
@pytest.mark.skipif(bool(pair.why_not()), reason=pair.why_not())
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
async def test_the_version_before_finds_its_file_in_order_after_an_upgrade(tmp_path: Path) -> None:
    told = pair.Pair(f"sqlite:///{tmp_path}/one.db", seed=1, kills=0)
    await told.slack.start()
    await told.stannp.start()
    try:
        assert "0004" in await told.command(pair.OLD, "migrate")
        assert f"Schema 0004 → {schema.HEAD}." in await told.command(pair.NEW, "migrate")
        assert "Schema 0004 → 0004." in await told.command(pair.OLD, "migrate")
        assert "schema 0004" in await told.command(pair.OLD, "check")
        assert "nothing to do" in await told.command(pair.NEW, "migrate")
    finally:
        await told.slack.stop()
        await told.stannp.stop()
