"""A short form of `make chaos`: a few kills and outages, and nothing may be lost or wrong."""

import pytest

from tests.chaos import doomed, fleet, story
from tests.chaos.__main__ import failing_over


@pytest.mark.turns("chaos")
async def test_a_few_kills_lose_nothing_and_make_nothing_wrong(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "SIZE", 60)
    verdict = await story.Story(database_url, seed=7, kills=3).tell()
    assert (verdict.lost, verdict.wrong) == ([], [])
    assert verdict.repeated <= verdict.kills
    assert verdict.pieces == 60
    assert verdict.told > 0


@pytest.mark.timeout(300)  # five lives, each of some seconds: on a busy machine a minute
@pytest.mark.turns("chaos")
async def test_a_process_may_die_at_any_point_of_a_webhooks_road(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(story, "SIZE", 60)
    verdict = await doomed.Doomed(database_url, seed=3, kills=4).tell()
    assert (verdict.lost, verdict.wrong) == ([], [])
    assert verdict.repeated <= verdict.kills
    assert any(name.startswith("died") for name in verdict.outages)
    assert verdict.told > 0


@pytest.mark.turns("chaos")
async def test_any_of_four_processes_may_be_killed(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "SIZE", 60)
    verdict = await fleet.Fleet(postgres_url, seed=9, kills=4).tell()
    assert (verdict.lost, verdict.wrong) == ([], [])
    assert verdict.repeated <= verdict.kills
    assert verdict.pieces == 60
    assert verdict.told > 0


@pytest.mark.timeout(400)
@pytest.mark.turns("chaos")
async def test_a_standby_takes_over_while_processes_are_killed_paused_and_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(story, "SIZE", 60)
    verdict = (await failing_over(kills=4, seed=11))[0]
    assert (verdict.lost, verdict.wrong) == ([], [])
    assert verdict.repeated <= verdict.kills
    assert verdict.outages["failover"] > 0
    assert verdict.told > 0
