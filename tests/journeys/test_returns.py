"""The returns desk: opened, read, checked, explained, settled and exported by a person over real sockets."""

import csv
import io
from datetime import timedelta

import pytest
from PIL import Image

from bot.sandbox.slack import Fault, Posted, View
from bot.sandbox.stannp import Trouble
from tests.journeys.conftest import ANA, BEN, Stage, everything
from tests.rudeness import NAMELESS, UNDATED


async def opened(stage: Stage, number: int = 3) -> tuple[Posted, View]:
    """So many pieces came back, and the desk is open."""
    for piece in stage.stannp.pieces_of(222)[:number]:
        piece.move("returned", stage.world.now, f"{piece.city}, {piece.county}")
    await stage.poll()
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "returns_desk")
    return answer, await stage.modal(holding="came back")


@pytest.mark.calm(*NAMELESS)
async def test_the_desk_shows_rate_places_and_addresses(stage: Stage) -> None:
    _, desk = await opened(stage)
    pieces = stage.stannp.pieces_of(222)[:3]
    mailed = sum(piece.dispatched is not None for piece in stage.stannp.pieces_of(222))
    assert f"*3* of {mailed} mailed came back" in everything(desk)
    for piece in pieces:
        for word in (piece.lastname, piece.address1, piece.postcode, piece.county):
            assert word in everything(desk)


@pytest.mark.calm(*NAMELESS)
async def test_an_address_is_checked_a_reason_noted_and_the_return_settled(stage: Stage) -> None:
    _, desk = await opened(stage)
    piece = stage.stannp.pieces_of(222)[1]
    piece.address1 = "1234 Main Street"
    await stage.say("/mailtrack", str(piece.id))
    value = next(b["accessory"]["value"] for b in desk.view["blocks"] if piece.lastname in str(b) and "accessory" in b)
    await stage.press(desk, "return_open", value)
    one = await stage.modal(holding="Returned piece")
    await stage.press(one, "return_check")
    assert "1234 MAIN STREET" in everything(await stage.modal(holding="in the postal database, as"))
    await stage.press(one, "return_reason", "N")
    assert f"noted by <@{ANA}>" in everything(await stage.modal(holding="No such number, noted"))
    await stage.press(one, "return_handled", None)
    await stage.modal(holding=f"Handled by <@{ANA}>")
    assert "Undo" in everything(one)
    assert "1234 MAIN STREET" in everything(one), "what the register said stays"
    await stage.until(lambda: "*1 of 3* handled." in everything(desk))
    assert "No such number" in everything(desk)
    await stage.press(one, "return_handled", None, user=ANA)
    await stage.until(lambda: "*0 of 3* handled." in everything(desk))
    await stage.modal(holding="Mark as handled")
    stage.slack.close_views(ANA)
    answer = await stage.say("/mailstatus", "Spring lapsed", user=BEN)
    await stage.press(answer, "returns_desk", user=BEN)
    assert "No such number" in everything(await stage.modal(BEN, holding="came back"))


@pytest.mark.calm(*NAMELESS)
async def test_a_bad_address_is_said(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    piece.address1 = "77 Oak Street"
    _, desk = await opened(stage, 1)
    await stage.press(desk, "return_open")
    one = await stage.modal(holding="Returned piece")
    await stage.press(one, "return_check")
    await stage.modal(holding="isn't in the postal database")


@pytest.mark.calm(*NAMELESS)
async def test_a_register_that_does_not_answer_is_no_error(stage: Stage) -> None:
    _, desk = await opened(stage, 1)
    await stage.press(desk, "return_open")
    one = await stage.modal(holding="Returned piece")
    stage.stannp.troubles.append(Trouble("addresses/validate", status=502, times=9))
    await stage.press(one, "return_check")
    await stage.modal(holding="couldn't be checked")


@pytest.mark.calm(*NAMELESS)
async def test_the_picture_by_state_comes_in_the_answers_thread_with_its_words(stage: Stage) -> None:
    answer, desk = await opened(stage)
    before = await stage.press(desk, "returns_map")
    shown = await stage.answer(before)
    assert shown.thread_ts == answer.ts
    image = next(block for block in shown.blocks if block["type"] == "image")
    picture = Image.open(io.BytesIO(stage.slack.files[image["slack_file"]["id"]].data)).convert("RGB")
    assert picture.width == 1080
    assert 900 <= picture.height <= 1350
    states = {piece.county for piece in stage.stannp.pieces_of(222)[:3]}
    assert all(state in image["alt_text"] and state in shown.text for state in states)


@pytest.mark.calm(*NAMELESS)
async def test_bad_addresses_are_exported(stage: Stage) -> None:
    _, desk = await opened(stage)
    before = await stage.press(desk, "details_export")
    sent = await stage.until(lambda: next((m for m in stage.slack.messages[before:] if m.files), None))
    rows = list(csv.DictReader(io.StringIO(stage.slack.files[sent.files[0]].data.decode("utf-8-sig"))))
    assert {row["id"] for row in rows} == {str(piece.id) for piece in stage.stannp.pieces_of(222)[:3]}
    assert all(row["address"] for row in rows)


@pytest.mark.calm(*NAMELESS)
async def test_returns_that_slack_does_not_take_as_a_file_are_named_with_what_to_do(stage: Stage) -> None:
    _, desk = await opened(stage)
    stage.slack.faults.append(Fault("files.completeUploadExternal", error="storage_limit_reached"))
    await stage.press(desk, "details_export")
    said = everything(await stage.modal(holding="couldn't send you"))
    assert "the returns of *Spring lapsed* as a file" in said
    assert "Slack didn't take the file. Ask a workspace admin" in said
    assert "I'll try again by myself" in said


@pytest.mark.calm(*UNDATED, *NAMELESS)
async def test_more_returns_than_fit_are_paged(stage: Stage) -> None:
    stage.world.add_campaign(300, "Old list", stage.world.now, 20, leaves=stage.world.now - stage.world.now)
    pieces = stage.stannp.pieces_of(300)
    for late, piece in enumerate(pieces):
        piece.move("returned", stage.world.now - timedelta(minutes=abs(late - 7)))
    await stage.poll()
    answer = await stage.say("/mailstatus", "Old list")
    await stage.press(answer, "returns_desk")
    desk = await stage.modal(holding="Next page")
    first = _listed(desk)
    latest, *_, earliest = [block for block in desk.view["blocks"] if "accessory" in block]
    assert pieces[7].lastname in str(latest), "what came back last stands first"
    assert pieces[14].lastname in str(earliest) or pieces[0].lastname in str(earliest)
    await stage.press(desk, "returns_next")
    await stage.until(lambda: _listed(desk) != first)
    assert len(first) == 15
    assert len(_listed(desk)) == 5
    assert not set(first) & set(_listed(desk))


def _listed(view: View) -> list[str]:
    return [b["accessory"]["value"] for b in view.view["blocks"] if "accessory" in b]


@pytest.mark.calm(*NAMELESS)
async def test_returns_of_a_range_lead_to_each_campaigns_desk(stage: Stage) -> None:
    for piece in stage.stannp.pieces_of(222)[:2]:
        piece.move("returned", stage.world.now)
    await stage.poll()
    assert (await stage.slack.open_home(ANA)).ok
    await stage.until(lambda: ANA in stage.slack.homes)
    await stage.press(stage.slack.homes[ANA], "home_range", "All time")
    await stage.until(lambda: "Returns (2)" in str(stage.slack.homes[ANA].view))
    await stage.press(stage.slack.homes[ANA], "returns_of_range")
    listed = await stage.modal(holding="came back")
    assert "Spring lapsed" in everything(listed)
    await stage.press(listed, "returns_push")
    desk = await stage.modal(holding="Export CSV")
    assert stage.stannp.pieces_of(222)[0].lastname in everything(desk)
    await stage.press(desk, "return_open")
    await stage.modal(holding="Returned piece")
