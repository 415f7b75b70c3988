"""Steps of workflows, and links to the dashboard, over real sockets."""

from functools import partial

import pytest

from tests.journeys.conftest import BEN, OPS, Stage


async def test_a_workflow_gets_a_campaigns_numbers(stage: Stage) -> None:
    step = await stage.slack.run_step("get_campaign_status", {"campaign": "Spring lapsed"})
    outputs = await stage.until(lambda: step.outputs)
    assert outputs["name"] == "Spring lapsed"
    assert outputs["pieces"] == "12"
    assert "12 pieces" in outputs["summary"]
    assert all(isinstance(value, str) for value in outputs.values())


async def test_a_workflow_tracks_a_piece_without_learning_its_address(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    step = await stage.slack.run_step("track_a_piece", {"piece": str(piece.id)})
    outputs = await stage.until(lambda: step.outputs)
    assert outputs["is_final"] == "no"
    assert str(piece.id) in outputs["summary"]
    assert piece.address1 not in str(outputs)
    assert piece.lastname not in str(outputs)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("get_campaign_status", {"campaign": "zzzz"}),
        ("get_campaign_status", {}),
        ("get_campaign_status", {"campaign": "Spring"}),
        ("track_a_piece", {"piece": "99999999"}),
        ("track_a_piece", {"piece": ""}),
    ],
)
async def test_a_step_that_cannot_be_done_says_why(stage: Stage, name: str, inputs: dict[str, str]) -> None:
    step = await stage.slack.run_step(name, inputs)
    said = await stage.until(lambda: step.error)
    assert "I found no piece" in said or "No campaign is called" in said
    assert step.outputs is None


async def test_a_link_to_the_dashboard_shows_the_campaigns_numbers(stage: Stage) -> None:
    stage.slack.scopes |= {"links:read", "links:write"}
    base = stage.app.services.platform.dashboard("")
    for url in (f"{base}222", f"{base}222/recipients?page=2"):
        assert (await stage.slack.share_link(BEN, OPS, url)).ok
        shown = await stage.until(partial(stage.slack.unfurled.get, url))
        assert "12 pieces" in str(shown)
    for url in (f"{base}99999", "https://elsewhere.example/campaigns/222", base):
        assert (await stage.slack.share_link(BEN, OPS, url)).ok
    await stage.app.in_flight.drain(5)
    assert len(stage.slack.unfurled) == 2
